//! In which language a text is written, as far as the guards care.

use super::entry::Entry;
use super::lexicon::Lexicon;
use super::reading::Reading;
use super::scan::{Raw, Shape, fold};
use super::words::{english, foreign};

/// The languages whose negators and number words are known; `Other` has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Language {
    English,
    German,
    Spanish,
    French,
    Russian,
    Other,
}

const LANGUAGES: [Language; 5] =
    [Language::English, Language::German, Language::Spanish, Language::French, Language::Russian];

/// The most frequent words and the negators of each of [`LANGUAGES`].
pub(super) const WORDS: [[&str; 2]; 5] = [
    [english::FUNCTION, english::NEGATORS],
    [foreign::GERMAN, foreign::GERMAN_NEGATORS],
    [foreign::SPANISH, foreign::SPANISH_NEGATORS],
    [foreign::FRENCH, foreign::FRENCH_NEGATORS],
    [foreign::RUSSIAN, foreign::RUSSIAN_NEGATORS],
];

/// The language whose stop words are most frequent; English if none is found in Latin script.
pub(super) fn language(tokens: &[Raw], lexicon: &Lexicon) -> Language {
    let words = || tokens.iter().filter(|raw| raw.shape == Shape::Word);
    let (mut all, mut latin, mut cyrillic) = (0, 0, 0);
    for raw in words() {
        let first = raw.text.chars().next();
        all += 1;
        latin += usize::from(first.is_some_and(|c| c < '\u{250}'));
        cyrillic += usize::from(first.is_some_and(|c| ('\u{400}'..'\u{530}').contains(&c)));
    }
    if latin * 2 < all {
        return if cyrillic * 2 >= all { Language::Russian } else { Language::Other };
    }
    let mut hits = [0_usize; 5];
    for raw in words() {
        // What stands before an apostrophe, if there is one.
        let (text, entry) = match raw.apostrophe() {
            Some(at) => (&raw.text[..at], lexicon.entry(&raw.text[..at])),
            None => (raw.text.as_str(), raw.entry),
        };
        let Some(bits) = entry.map(|entry| entry.stopword).filter(|bits| *bits != 0) else { continue };
        // English has "no" too, and names of places begin with "los".
        let bits = if all <= SHORT && AMBIGUOUS.contains(&text) { bits & 1 } else { bits };
        if bits & 1 == bits {
            hits[0] += usize::from(bits);
            continue;
        }
        for (bit, hits) in hits.iter_mut().enumerate() {
            *hits += usize::from(bits >> bit & 1);
        }
    }
    let most = hits.iter().copied().max().unwrap_or(0);
    let best = hits.iter().position(|&count| count == most).unwrap_or(0);
    // A single word that looks foreign is a name.
    if most - hits[0] >= 2 || (hits[0] == 0 && most > 0 && all <= SHORT) { LANGUAGES[best] } else { Language::English }
}

/// So few words may have no stop word of their language but one.
const SHORT: usize = 4;

/// Words that say nothing of the language of a few words.
const AMBIGUOUS: [&str; 20] = [
    "no", "los", "las", "la", "el", "son", "die", "war", "me", "sin", "le", "les", "on", "des", "pour", "sur", "den",
    "san", "ni", "est",
];

/// What follows a prefix that turns a verb around has so many letters at least.
const MIN_TURNED: usize = 4;

impl Language {
    /// How many times a text of this language is turned around: where negators go together, once at most.
    pub(super) fn negations(self, reading: &Reading) -> u32 {
        // "Ne ... plus": "plus" alone is more. Of "n'ai plus" the elided word is gone, so that it is not seen.
        let has = |word: &str| reading.tokens.iter().any(|token| token.text == word);
        match self {
            Self::French => u32::from(reading.negators > 0 || (has("ne") && has("plus"))),
            Self::Spanish | Self::Russian => reading.negators.min(1),
            _ => reading.negators,
        }
    }

    /// Whether a word of this language asks for something.
    pub(super) fn asks(self, word: &str) -> bool {
        let words = match self {
            Self::German => foreign::GERMAN_QUESTIONS,
            Self::Spanish => foreign::SPANISH_QUESTIONS,
            Self::French => foreign::FRENCH_QUESTIONS,
            Self::Russian => foreign::RUSSIAN_QUESTIONS,
            _ => "",
        };
        words.split_whitespace().any(|asks| fold(asks) == word)
    }

    /// Whether a word of this language is a preposition that says when, where or with whom.
    pub(super) fn places(self, word: &str) -> bool {
        let words = match self {
            Self::German => foreign::GERMAN_PLACES,
            Self::Spanish => foreign::SPANISH_PLACES,
            Self::French => foreign::FRENCH_PLACES,
            Self::Russian => foreign::RUSSIAN_PLACES,
            _ => "",
        };
        words.split_whitespace().any(|place| fold(place) == word)
    }

    /// Whether two words differ in a pair of prefixes that turns a verb around.
    pub(super) fn turns(self, a: &str, b: &str) -> bool {
        let prefixes = match self {
            Self::German => foreign::GERMAN_PREFIXES,
            Self::Russian => foreign::RUSSIAN_PREFIXES,
            _ => "",
        };
        let pairs: Vec<&str> = prefixes.split_whitespace().collect();
        let rest = |x: &str, y: &str| a.strip_prefix(x).filter(|rest| Some(*rest) == b.strip_prefix(y));
        let either = |two: &[&str]| rest(two[0], two[1]).or_else(|| rest(two[1], two[0]));
        pairs.chunks_exact(2).filter_map(either).any(|rest| rest.chars().count() >= MIN_TURNED)
    }

    /// Whether two words are such prefixes, which in German stand at the end: "Wie melde ich es an?"
    pub(super) fn parts(self, a: &str, b: &str) -> bool {
        let pairs: Vec<&str> = foreign::GERMAN_PREFIXES.split_whitespace().collect();
        let is = |two: &[&str]| (two[0] == a && two[1] == b) || (two[0] == b && two[1] == a);
        self == Self::German && pairs.chunks_exact(2).any(is)
    }

    /// How many of the words turn the answer around, each with its entry.
    pub(super) fn negators<'a>(self, words: impl Iterator<Item = (&'a str, Option<&'a Entry>)>) -> u32 {
        let Some(bit) = LANGUAGES.iter().position(|language| *language == self) else { return 0 };
        let mut neither = false;
        let counts = |(word, entry): &(&str, Option<&Entry>)| {
            if entry.is_none_or(|entry| entry.negator >> bit & 1 == 0) {
                return false;
            }
            // "Neither safe nor legal" says no once.
            neither |= *word == "neither";
            !(neither && *word == "nor")
        };
        words.filter(counts).count() as u32
    }
}
