//! Which phrases of a table occur in a text.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use aho_corasick::AhoCorasick;

use super::words::{Words, pattern};
use crate::error::{Error, ErrorKind, Result};

/// Phrases, each with the places of the table that want to know about it.
///
/// **Cost:** a search is one pass of an Aho-Corasick automaton over the words, whatever the number and length of phrases.
pub(super) struct Phrases<P> {
    automaton: AhoCorasick,
    places: Vec<Vec<P>>,
}

impl<P: Copy> Phrases<P> {
    /// Compiles the phrases; the same one may stand in several places.
    ///
    /// # Errors
    /// `Config` if a phrase holds no word or a sign that is not compared, or if they are too many.
    pub(super) fn new<'a>(phrases: impl IntoIterator<Item = (&'a str, P)>) -> Result<Self> {
        let mut ids = HashMap::new();
        let mut patterns = Vec::new();
        let mut places: Vec<Vec<P>> = Vec::new();
        for (phrase, place) in phrases {
            let id = match ids.entry(pattern(phrase)?) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    patterns.push(new.key().clone());
                    places.push(Vec::new());
                    *new.insert(places.len() - 1)
                }
            };
            places[id].push(place);
        }
        let automaton = AhoCorasick::new(&patterns).map_err(|error| {
            Error::new(ErrorKind::Config, format!("{} phrases are too many: {error}", patterns.len()))
        })?;
        Ok(Self { automaton, places })
    }

    /// The places whose phrase occurs, in the order of first occurrence; each once.
    pub(super) fn search(&self, words: &Words) -> Vec<P> {
        let mut seen = vec![false; self.places.len()];
        let mut missing = self.places.len();
        let mut found = Vec::new();
        // Overlapping: neighbours share the gap between them, and a phrase may lie inside of another.
        for hit in self.automaton.find_overlapping_iter(words.as_bytes()) {
            let id = hit.pattern().as_usize();
            if !std::mem::replace(&mut seen[id], true) {
                found.extend(&self.places[id]);
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(phrases: &[&str], text: &str) -> Vec<usize> {
        let phrases = Phrases::new(phrases.iter().enumerate().map(|(place, phrase)| (*phrase, place))).unwrap();
        let mut words = Words::with_capacity(text.len());
        words.push(text);
        phrases.search(&words)
    }

    #[test]
    fn neighbours_and_nested_phrases_are_all_found_in_order() {
        assert_eq!(search(&["law", "case law", "first"], "First case law, first law"), [2, 1, 0]);
        assert_eq!(search(&["then", "THEN"], "now then"), [0, 1], "one phrase in two places");
    }

    #[test]
    fn a_phrase_keeps_to_words_and_clauses() {
        assert!(search(&["then", "write code"], "strengthen; write. Code").is_empty());
        assert_eq!(search(&["write code"], "Write\n\"code\""), [0]);
    }
}
