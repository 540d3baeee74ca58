//! Mends misspelt words of one text that the other text has, where a list knows what they are.
//!
//! A misspelt "please" or "thirty" is read as a word that means something, so that letters must be mended before a text is
//! read. No two words that the lists know are taken for each other.

use super::fnv::Set;
use super::lexicon::lexicon;
use super::reading::Reading;
use super::similar::misspelt;

/// With more words that only one text has, they differ anyway.
const MAX_OWN: usize = 12;

/// Both readings without the slips of the fingers that the other text tells; None if there are none.
pub(super) fn repaired(a: &Reading, b: &Reading) -> Option<(Reading, Reading)> {
    let (left, right) = (words(&a.folded), words(&b.folded));
    let (p, q) = (slips(&own(&left, &right)?, &right), slips(&own(&right, &left)?, &left));
    if p.is_empty() && q.is_empty() {
        return None;
    }
    let mend = |reading: &Reading, slips: &[(&str, &str)]| {
        if slips.is_empty() { reading.clone() } else { Reading::new(&mended(&reading.folded, slips)) }
    };
    Some((mend(a, &p), mend(b, &q)))
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || c == '\''
}

fn words(text: &str) -> Set<String> {
    text.split(|c| !is_letter(c)).filter(|word| word.len() >= 3).map(str::to_lowercase).collect()
}

/// The words that the other text lacks, in order; None if they are many.
fn own<'w>(words: &'w Set<String>, other: &Set<String>) -> Option<Vec<&'w str>> {
    let mut own: Vec<&str> = words.iter().filter(|word| !other.contains(*word)).map(String::as_str).collect();
    own.sort_unstable();
    (own.len() <= MAX_OWN).then_some(own)
}

/// Words that no list knows, each with the listed word that it is meant to be.
fn slips<'w>(own: &[&'w str], other: &'w Set<String>) -> Vec<(&'w str, &'w str)> {
    let lists = |word: &str| lexicon().lists(word);
    let meant = |word: &'w str| -> Option<(&'w str, &'w str)> {
        let found = other.iter().map(String::as_str).filter(|meant| misspelt(word, meant));
        let found = found.filter(|meant| lists(meant)).min();
        found.map(|meant| (word, meant))
    };
    own.iter().copied().filter(|word| !lists(word)).filter_map(meant).collect()
}

fn mended(text: &str, slips: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + slips.len());
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.find(is_letter).unwrap_or(rest.len());
        out.push_str(&rest[..gap]);
        rest = &rest[gap..];
        let end = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let lower = word.to_lowercase();
        match slips.iter().find(|(slip, _)| *slip == lower) {
            Some((_, meant)) if word.starts_with(char::is_uppercase) => {
                let mut letters = meant.chars();
                out.extend(letters.next().into_iter().flat_map(char::to_uppercase));
                out.push_str(letters.as_str());
            }
            Some((_, meant)) => out.push_str(meant),
            None => out.push_str(word),
        }
        rest = &rest[end..];
    }
    out
}
