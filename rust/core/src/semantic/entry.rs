//! What all lists together say of a word as it is written: one lookup for each word of a text.

use super::fnv::{Table, hash};
use super::language::WORDS;
use super::lexicon::{Concept, Lexicon, Scale, Use, stem_of, words};
use super::scan::{Word, fold};
use super::words::english;

/// How many fillers, the first ones, are frequent enough to tell English by: the articles.
const ARTICLES: usize = 3;

/// What the lists say of a word.
#[derive(Debug)]
pub(super) struct Entry {
    /// What it is to a question in English.
    pub(super) meaning: Meaning,
    /// Bits of the languages that have it among their most frequent words.
    pub(super) stopword: u8,
    /// Bits of the languages in which it turns the answer around.
    pub(super) negator: u8,
    lists: u8,
}

/// What an English word is to the comparison.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    /// What its inflections share.
    pub(super) stem: Word,
    /// The same for words that mean the same, opposites too.
    pub(super) key: u64,
    /// What it is beside words of meaning.
    pub(super) used: Option<Use>,
    pub(super) pole: i8,
    pub(super) scale: Scale,
    /// Whether a list has the word or its meaning.
    pub(super) known: bool,
}

/// A list that an entry may be in.
#[derive(Debug, Clone, Copy)]
pub(super) enum List {
    /// What may belong to a number.
    Numeric,
    /// What courtesies are made of.
    Courtesy,
    /// Short forms, without apostrophes.
    Contraction,
    /// The first words of templates.
    Head,
    /// Their second words.
    Second,
    /// Words that only carry tense and number.
    Auxiliary,
}

impl Entry {
    fn new(meaning: Meaning) -> Self {
        Self { meaning, stopword: 0, negator: 0, lists: 0 }
    }

    pub(super) fn is_in(&self, list: List) -> bool {
        self.lists >> list as u8 & 1 == 1
    }
}

impl Meaning {
    /// The meaning of a word that has no entry.
    pub(super) fn unlisted(word: &str, lexicon: &Lexicon) -> Self {
        Self::of(word, None, lexicon)
    }

    /// Of a word that connects others, turns the answer around, or says nothing.
    fn small(word: &str, used: Use) -> Self {
        let key = hash(if used == Use::Negator { "not" } else { word });
        Self { stem: word.into(), key, used: Some(used), pole: 0, scale: Scale::None, known: true }
    }

    /// Of a word of meaning, whose concept may be listed.
    fn of(word: &str, listed: Option<Concept>, lexicon: &Lexicon) -> Self {
        let irregular = lexicon.irregular(word);
        let mut stem = stem_of(word, irregular);
        let mut concept = listed.or_else(|| lexicon.stem_concept(&stem));
        if let (None, Some(base)) = (concept, comparative(word, lexicon)) {
            concept = lexicon.concept(&base, &base);
            stem = base;
        }
        let known = concept.is_some() || irregular.is_some();
        let key = concept.map_or_else(|| hash(&stem), |concept| u64::from(concept.number));
        let (pole, scale) = concept.map_or((0, Scale::None), |concept| (concept.pole, concept.scale));
        Self { stem, key, used: None, pole, scale, known }
    }
}

/// The stem of the adjective that a comparative or superlative is made of, if it is listed: "cheaper", "funniest". Words in
/// "-er" are mostly no comparatives, so that theirs must be the end of a scale.
pub(super) fn comparative(word: &str, lexicon: &Lexicon) -> Option<Word> {
    let (base, any) = match word.strip_suffix("est") {
        Some(base) => (base, true),
        None => (word.strip_suffix("er")?, false),
    };
    let listed = |base: &str| {
        let stem = lexicon.stem(base);
        lexicon.concept(base, &stem).filter(|concept| any || concept.scale == Scale::Graded).map(|_| stem)
    };
    let undoubled = || base.get(..base.len().checked_sub(1)?).and_then(listed);
    listed(base).or_else(undoubled)
}

/// The entries of all words by which a text is read.
pub(super) fn entries(lexicon: &Lexicon) -> Table<Word, Entry> {
    let mut uses: Table<&'static str, Use> = Table::default();
    for (list, used) in
        [(english::FUNCTION, Use::Function), (english::FILLERS, Use::Filler), (english::NEGATORS, Use::Negator)]
    {
        uses.extend(list.split_whitespace().map(|word| (word, used)));
    }
    let mut out: Table<Word, Entry> = Table::default();
    let mut enter = |word: &str, change: &dyn Fn(&mut Entry)| {
        let make = || match uses.get(word) {
            Some(used) => Meaning::small(word, *used),
            None => Meaning::of(word, lexicon.listed_concept(word), lexicon),
        };
        change(out.entry(word.into()).or_insert_with(|| Entry::new(make())));
    };
    uses.keys().copied().chain(lexicon.meaning_words()).for_each(|word| enter(word, &|_| {}));
    for (list, words) in lexicon.word_lists() {
        for word in words {
            enter(word, &|entry| entry.lists |= 1 << list as u8);
        }
    }
    for (bit, [stopwords, negators]) in WORDS.into_iter().enumerate() {
        let words = |list: &'static str| list.split_whitespace().map(fold);
        words(stopwords).for_each(|word| enter(&word, &|entry| entry.stopword |= 1 << bit));
        words(negators).for_each(|word| enter(&word, &|entry| entry.negator |= 1 << bit));
    }
    words(english::FILLERS).take(ARTICLES).for_each(|word| enter(word, &|entry| entry.stopword |= 1));
    out
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::{guard_words, lexicon};
    use super::*;

    #[test]
    fn an_entry_says_what_each_list_says() {
        let entry = |word: &str| lexicon().entry(word).unwrap_or_else(|| panic!("{word} has no entry"));
        assert_eq!(entry("the").meaning.used, Some(Use::Filler));
        assert_eq!(entry("from").meaning.used, Some(Use::Function));
        assert_eq!(entry("never").meaning.used, Some(Use::Negator));
        assert!(entry("dont").is_in(List::Contraction) && !entry("dont").is_in(List::Numeric));
        assert!(entry("seven").is_in(List::Numeric) && entry("please").is_in(List::Courtesy));
        assert!(entry("would").is_in(List::Auxiliary) && !entry("should").is_in(List::Auxiliary));
        assert_eq!(entry("nicht").negator, 0b10);
        assert_eq!(entry("no").negator & 1, 1);
        assert_eq!(entry("bought").meaning.stem, lexicon().stem("bought"));
    }

    /// So that texts need not be searched for apostrophes in words that have an entry.
    #[test]
    fn no_listed_word_has_an_apostrophe() {
        let lists = lexicon().word_lists().into_iter().flat_map(|(_, words)| words);
        let words: Vec<&str> = lists.chain(guard_words()).filter(|word| word.contains('\'')).collect();
        assert_eq!(words, Vec::<&str>::new());
    }
}
