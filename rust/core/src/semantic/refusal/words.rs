//! A text as words, and phrases in it.

use aho_corasick::AhoCorasick;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// The words of a text, in lower case and NFC, with one space around each: `" what s my balance "`.
///
/// Words are runs of letters, digits and marks; whatever stands between them, apostrophes too, is a gap.
pub(super) struct Words {
    text: String,
    /// Where each word begins, and where the gap after the last one ends.
    starts: Vec<usize>,
}

impl Words {
    pub(super) fn new(text: &str) -> Self {
        let mut out = Self { text: String::with_capacity(text.len() + 2), starts: Vec::new() };
        out.text.push(' ');
        if text.is_ascii() || is_nfc(text) {
            out.fill(text.chars());
        } else {
            out.fill(text.nfc());
        }
        if !out.text.ends_with(' ') {
            out.text.push(' ');
        }
        out.starts.push(out.text.len());
        out
    }

    fn fill(&mut self, chars: impl Iterator<Item = char>) {
        for c in chars {
            let stands_between = if c.is_ascii() {
                !c.is_ascii_alphanumeric()
            } else {
                !(c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c))
            };
            if stands_between {
                if !self.text.ends_with(' ') {
                    self.text.push(' ');
                }
                continue;
            }
            if self.text.ends_with(' ') {
                self.starts.push(self.text.len());
            }
            if c.is_ascii() {
                self.text.push(c.to_ascii_lowercase());
            } else {
                self.text.extend(c.to_lowercase());
            }
        }
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Word `at`; empty where there is none.
    pub(super) fn get(&self, at: usize) -> &str {
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&start), Some(&end)) => &self.text[start..end - 1],
            _ => "",
        }
    }

    /// The word `back` places before word `at`; empty where there is none.
    pub(super) fn before(&self, at: usize, back: usize) -> &str {
        at.checked_sub(back).map_or("", |at| self.get(at))
    }

    /// Whether words `at` and on are those of `phrase`.
    pub(super) fn begins(&self, at: usize, phrase: &str) -> bool {
        let rest = self.starts.get(at).map_or("", |&start| &self.text[start..]);
        rest.strip_prefix(phrase).is_some_and(|rest| rest.starts_with(' '))
    }

    /// The number of the word that begins at byte `start`.
    fn number(&self, start: usize) -> usize {
        self.starts.partition_point(|&other| other < start)
    }
}

/// Whether `word` is one of a list.
pub(super) fn is_in(list: &str, word: &str) -> bool {
    list.split(", ").any(|other| other == word)
}

/// Phrases that are looked for in one pass.
pub(super) struct Phrases(AhoCorasick);

impl Phrases {
    /// `phrases` are words in lower case with one space between them.
    ///
    /// # Panics
    /// If there are more than an automaton can hold, which the tables here are far from.
    pub(super) fn new<'a>(phrases: impl Iterator<Item = &'a str>) -> Self {
        let patterns = phrases.map(|phrase| format!(" {phrase} "));
        Self(AhoCorasick::new(patterns).expect("some hundred short patterns fit into an automaton"))
    }

    /// Each phrase that is found: its number, and the number of its first word.
    pub(super) fn find<'a>(&'a self, words: &'a Words) -> impl Iterator<Item = (usize, usize)> + 'a {
        let matches = self.0.find_overlapping_iter(&words.text);
        matches.map(|found| (found.pattern().as_usize(), words.number(found.start() + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_lower_case_between_single_gaps() {
        let words = Words::new("  What\u{2019}s TODAY'S rate?! Cafe\u{301}");
        assert_eq!(words.text, " what s today s rate caf\u{e9} ");
        assert_eq!(
            (words.len(), words.get(2), words.get(6), words.before(2, 1), words.before(0, 1)),
            (6, "today", "", "s", "")
        );
        assert!(words.begins(2, "today s") && !words.begins(2, "toda") && !words.begins(9, "today"));
        assert_eq!(Words::new("").len(), 0);
    }

    #[test]
    fn phrases_that_share_a_gap_are_all_found() {
        let phrases = Phrases::new(["right now", "now", "now today", "today"].into_iter());
        let words = Words::new("Right now, today");
        assert_eq!(phrases.find(&words).collect::<Vec<_>>(), [(0, 0), (1, 1), (2, 1), (3, 2)]);
    }
}
