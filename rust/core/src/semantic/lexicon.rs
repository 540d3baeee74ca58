//! What the guards know about words, looked up by surface form or by stem; built once from the lists in `words`.

use super::entry::{Entry, List, entries};
use super::fnv::{Set, Table, hash};
use super::scan::Word;
use super::stem::stem;
use super::words::{english, foreign, irregular, measures, opposites, synonyms};
use crate::sync::OnceLock;

/// What a surface form is to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Says nothing.
    Filler,
    /// Turns the answer around.
    Negator,
    /// Connects other words.
    Function,
}

/// Which kind of opposites a word has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Only synonyms.
    None,
    /// Only synonyms, which all name one thing.
    Term,
    /// "Not" leads to the other end.
    Graded,
    /// "Not" does not lead to the other end.
    Converse,
}

/// A meaning: words with the same number and the same pole are synonyms, with the other pole opposites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Concept {
    pub(super) number: u32,
    pub(super) pole: i8,
    pub(super) scale: Scale,
}

/// What a unit of measurement is converted to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measure {
    pub(super) base: &'static str,
    pub(super) factor: f64,
}

/// A turn of phrase, and what stands for it.
pub(super) struct Template {
    pub(super) words: Vec<&'static str>,
    pub(super) means: Vec<&'static str>,
}

/// The lists, ready to be asked.
pub(super) struct Lexicon {
    entries: Table<Word, Entry>,
    bases: Table<&'static str, &'static str>,
    /// By the word as it is listed.
    concepts: Table<Word, Concept>,
    /// By what its inflections share; of two listed words that share it the shorter one has it.
    stems: Table<Word, Concept>,
    measures: Table<&'static str, Measure>,
    multipliers: Table<&'static str, f64>,
    numbers: Table<&'static str, u32>,
    foreign_numbers: Table<&'static str, u32>,
    months: Table<&'static str, u32>,
    contractions: Table<&'static str, Vec<&'static str>>,
    /// By the hash of their first two words.
    templates: Table<u64, Vec<Template>>,
    courteous_fillers: Vec<&'static str>,
    light: Set<Word>,
    weighty: Set<Word>,
    symmetric: Set<Word>,
    distances: Set<Word>,
    listed: Set<&'static str>,
    listed_stems: Set<Word>,
}

/// The lexicon, built on first use: some milliseconds.
pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(Lexicon::new)
}

impl Lexicon {
    fn new() -> Self {
        let (concepts, stems) = concepts();
        let listed = guard_words();
        let mut lexicon = Self {
            entries: Table::default(),
            bases: bases(),
            concepts,
            stems,
            measures: measures(),
            multipliers: multipliers(),
            numbers: numbers(),
            foreign_numbers: foreign_numbers(),
            months: months(),
            contractions: pairs(english::CONTRACTIONS).map(|(short, long)| (short, words(long).collect())).collect(),
            templates: templates(),
            courteous_fillers: english::FILLERS
                .split_whitespace()
                .filter(|word| word.len() > 3 && english::COURTESY.split_whitespace().any(|other| other == *word))
                .collect(),
            symmetric: symmetric(),
            listed_stems: listed.iter().copied().map(stem).collect(),
            listed: listed.into_iter().collect(),
            distances: english::DISTANCES.split_whitespace().map(stem).collect(),
            light: english::LIGHT.split_whitespace().map(stem).collect(),
            weighty: english::WEIGHTY.split_whitespace().map(stem).collect(),
        };
        lexicon.entries = entries(&lexicon);
        lexicon
    }

    /// All that the lists say of a word as it is written, but for its measures and numbers.
    pub(super) fn entry(&self, word: &str) -> Option<&Entry> {
        self.entries.get(word)
    }

    /// The words that mean something else than their letters say, or more.
    pub(super) fn meaning_words(&self) -> impl Iterator<Item = &str> {
        self.bases.keys().copied().chain(self.concepts.keys().map(Word::as_str))
    }

    /// The words of each list.
    pub(super) fn word_lists(&self) -> [(List, Vec<&str>); 6] {
        let numbers = ["noon", "midday", "midnight", "half", "quarter"].iter().chain(self.multipliers.keys());
        let numbers = numbers.chain(self.numbers.keys()).chain(self.foreign_numbers.keys());
        let numbers = numbers.chain(self.months.keys()).chain(self.measures.keys());
        let templates = || self.templates.values().flatten();
        [
            (List::Numeric, numbers.copied().collect()),
            (List::Courtesy, words(english::COURTESY).collect()),
            (List::Contraction, self.contractions.keys().copied().collect()),
            (List::Head, templates().map(|template| template.words[0]).collect()),
            (List::Second, templates().map(|template| template.words[1]).collect()),
            (List::Auxiliary, words(english::AUXILIARIES).collect()),
        ]
    }

    /// The key of a word's forms: its base if it is irregular or a short form, cut to the stem.
    pub(super) fn stem(&self, word: &str) -> Word {
        stem_of(word, self.irregular(word))
    }

    /// The prefix and the base of a form that no suffix explains.
    pub(super) fn irregular<'w>(&self, word: &'w str) -> Option<(&'w str, &'static str)> {
        self.bases.get(word).map(|base| ("", *base)).or_else(|| self.prefixed(word))
    }

    /// The prefix and the base of an irregular form with a prefix: "overtook", "misread".
    fn prefixed<'w>(&self, word: &'w str) -> Option<(&'w str, &'static str)> {
        const PREFIXES: [&str; 8] = ["over", "under", "out", "mis", "fore", "with", "re", "un"];
        let split =
            |prefix: &&str| word.strip_prefix(*prefix).filter(|form| form.len() >= 4 && prefix.len() + form.len() >= 7);
        PREFIXES
            .iter()
            .filter_map(split)
            .find_map(|form| self.bases.get(form).map(|base| (&word[..word.len() - form.len()], *base)))
    }

    /// The meaning of a word, if it or one of its inflections is listed.
    pub(super) fn concept(&self, word: &str, stem: &str) -> Option<Concept> {
        self.listed_concept(word).or_else(|| self.stem_concept(stem))
    }

    /// The meaning of a word that is listed as it is written.
    pub(super) fn listed_concept(&self, word: &str) -> Option<Concept> {
        self.concepts.get(word).copied()
    }

    /// The meaning of the listed word that has the stem.
    pub(super) fn stem_concept(&self, stem: &str) -> Option<Concept> {
        self.stems.get(stem).copied()
    }

    pub(super) fn measure(&self, word: &str) -> Option<Measure> {
        self.measures.get(word).copied()
    }

    pub(super) fn multiplier(&self, word: &str) -> Option<f64> {
        self.multipliers.get(word).copied()
    }

    /// The value of a number word below a hundred, in English or in the other languages.
    pub(super) fn number(&self, word: &str, english: bool) -> Option<u32> {
        if english { self.numbers.get(word).copied() } else { self.foreign_numbers.get(word).copied() }
    }

    pub(super) fn month(&self, word: &str) -> Option<u32> {
        self.months.get(word).copied()
    }

    pub(super) fn contraction(&self, word: &str) -> Option<&[&'static str]> {
        self.contractions.get(word).map(Vec::as_slice)
    }

    /// Templates that may begin with these words, the longest first.
    pub(super) fn templates(&self, first: &str, second: &str) -> &[Template] {
        self.templates.get(&hash(&(first, second))).map_or(&[], Vec::as_slice)
    }

    /// Words of courtesy that stand in the middle of questions; they are often typed in a hurry.
    pub(super) fn courteous_fillers(&self) -> &[&'static str] {
        &self.courteous_fillers
    }

    /// Whether what a word says of two sides holds in either direction.
    pub(super) fn is_symmetric(&self, word: &str, stem: &str) -> bool {
        self.symmetric.contains(word) || self.symmetric.contains(stem)
    }

    /// Whether a word says how far it is, there and back.
    pub(super) fn is_distance(&self, stem: &str) -> bool {
        self.distances.contains(stem)
    }

    /// Whether any list has the word or another form of it.
    pub(super) fn lists(&self, word: &str) -> bool {
        let inflected = || Some(self.stem(word)).filter(|stem| stem != word);
        self.listed.contains(word)
            || self.is_irregular(word)
            || inflected().is_some_and(|stem| self.listed.contains(stem.as_str()) || self.listed_stems.contains(&stem))
    }

    pub(super) fn is_light(&self, stem: &str) -> bool {
        self.light.contains(stem)
    }

    pub(super) fn is_weighty(&self, stem: &str) -> bool {
        self.weighty.contains(stem)
    }

    /// Whether the form is one that no suffix explains.
    pub(super) fn is_irregular(&self, word: &str) -> bool {
        self.irregular(word).is_some()
    }
}

/// The stem of a word, by the prefix and the base of its form if it is irregular.
pub(super) fn stem_of(word: &str, irregular: Option<(&str, &str)>) -> Word {
    match irregular {
        Some(("", base)) => stem(base),
        Some((prefix, base)) => stem(&[prefix, base].concat()),
        None => stem(word),
    }
}

/// Every word in the guards' lists, sorted; each once.
pub fn guard_words() -> Vec<&'static str> {
    let mut all: Vec<&'static str> = LISTS
        .iter()
        .flat_map(|list| list.split_whitespace())
        .filter(|word| word.chars().any(char::is_alphabetic))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

const LISTS: [&str; 31] = [
    english::FILLERS,
    english::FUNCTION,
    english::NEGATORS,
    english::CONTRACTIONS,
    english::TEMPLATES,
    english::COURTESY,
    english::LIGHT,
    english::WEIGHTY,
    english::SYMMETRIC,
    english::MONTHS,
    english::MONTHS_SHORT,
    english::UNITS,
    english::TENS,
    english::ORDINALS,
    foreign::GERMAN,
    foreign::SPANISH,
    foreign::FRENCH,
    foreign::RUSSIAN,
    foreign::GERMAN_NEGATORS,
    foreign::SPANISH_NEGATORS,
    foreign::FRENCH_NEGATORS,
    foreign::RUSSIAN_NEGATORS,
    irregular::FORMS,
    measures::MEASURES,
    measures::MULTIPLIERS,
    opposites::GRADED,
    opposites::CONVERSE,
    opposites::DIRECTIONS,
    synonyms::GROUPS,
    synonyms::TERMS,
    synonyms::SHORT_FORMS,
];

pub(super) fn words(line: &'static str) -> impl Iterator<Item = &'static str> {
    line.split_whitespace()
}

fn pairs(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    list.lines().filter_map(|line| line.split_once('=')).map(|(left, right)| (left.trim(), right))
}

fn bases() -> Table<&'static str, &'static str> {
    let mut out = Table::default();
    for line in irregular::FORMS.lines().chain(synonyms::SHORT_FORMS.lines()) {
        let mut forms = words(line);
        if let Some(base) = forms.next() {
            forms.for_each(|form| {
                out.entry(form).or_insert(base);
            });
        }
    }
    out
}

fn concepts() -> (Table<Word, Concept>, Table<Word, Concept>) {
    let mut listed: Table<Word, Concept> = Table::default();
    let mut number = 0;
    for (list, scale) in CONCEPTS {
        for line in list.lines() {
            number += 1;
            for (side, words) in line.split('|').enumerate() {
                let pole = if matches!(scale, Scale::None | Scale::Term) { 0 } else { side as i8 * 2 - 1 };
                for word in words.split_whitespace() {
                    // The first list that names a word has it.
                    listed.entry(word.replace('-', "").into()).or_insert(Concept { number, pole, scale });
                }
            }
        }
    }
    let mut by_length: Vec<(&Word, &Concept)> = listed.iter().collect();
    by_length.sort_unstable_by_key(|(word, _)| (word.len(), word.as_str()));
    let mut stems = Table::default();
    for (word, concept) in by_length {
        stems.entry(stem(word)).or_insert(*concept);
    }
    (listed, stems)
}

const CONCEPTS: [(&str, Scale); 4] = [
    (opposites::GRADED, Scale::Graded),
    (opposites::CONVERSE, Scale::Converse),
    (synonyms::GROUPS, Scale::None),
    (synonyms::TERMS, Scale::Term),
];

/// The words, and the stems of those whose other forms mean the same: a date is not dating.
fn symmetric() -> Set<Word> {
    let words = || english::SYMMETRIC.split_whitespace();
    words().map(Word::from).chain(words().filter(|word| !word.ends_with("ing")).map(stem)).collect()
}

fn measures() -> Table<&'static str, Measure> {
    let mut out = Table::default();
    for line in measures::MEASURES.lines() {
        let mut fields = words(line);
        if let (Some(base), Some(factor)) = (fields.next(), fields.next().and_then(|factor| factor.parse().ok())) {
            fields.for_each(|word| {
                out.entry(word).or_insert(Measure { base, factor });
            });
        }
    }
    out
}

fn multipliers() -> Table<&'static str, f64> {
    let mut out = Table::default();
    for line in measures::MULTIPLIERS.lines() {
        let mut fields = words(line);
        if let Some(factor) = fields.next().and_then(|factor| factor.parse().ok()) {
            out.extend(fields.map(|word| (word, factor)));
        }
    }
    out
}

fn numbers() -> Table<&'static str, u32> {
    let mut out: Table<_, _> = words(english::UNITS).zip(0..).collect();
    out.extend(words(english::TENS).zip((20..).step_by(10)));
    out
}

fn foreign_numbers() -> Table<&'static str, u32> {
    let small = [foreign::GERMAN_NUMBERS, foreign::SPANISH_NUMBERS, foreign::FRENCH_NUMBERS, foreign::RUSSIAN_NUMBERS];
    let mut out: Table<_, _> = small.iter().flat_map(|list| words(list).zip(2..)).collect();
    out.extend(foreign::TEENS.iter().flat_map(|list| words(list).zip(13..)));
    out.extend(foreign::TENS.iter().flat_map(|list| words(list).zip((20..).step_by(10))));
    out
}

fn months() -> Table<&'static str, u32> {
    [english::MONTHS, english::MONTHS_SHORT].iter().flat_map(|list| words(list).zip(1..)).collect()
}

fn templates() -> Table<u64, Vec<Template>> {
    let mut out: Table<_, Vec<Template>> = Table::default();
    for (phrase, means) in pairs(english::TEMPLATES) {
        let words: Vec<_> = words(phrase).collect();
        let means = self::words(means).collect();
        if let [first, second, ..] = words[..] {
            out.entry(hash(&(first, second))).or_default().push(Template { words, means });
        }
    }
    for list in out.values_mut() {
        list.sort_by_key(|template| std::cmp::Reverse(template.words.len()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_one_meaning() {
        let mut seen: Table<Word, &str> = Table::default();
        let mut twice = Vec::new();
        for (list, _) in CONCEPTS {
            for (line, word) in list.lines().flat_map(|line| line.split([' ', '|']).map(move |word| (line, word))) {
                let other = seen.insert(word.replace('-', "").into(), line).filter(|_| !word.is_empty());
                twice.extend(other.map(|other| format!("{word}: {other} / {line}")));
            }
        }
        assert!(twice.is_empty(), "{}", twice.join("\n"));
    }
}
