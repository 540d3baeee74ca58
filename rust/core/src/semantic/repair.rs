//! Mends words of one text that the other text writes otherwise: misspelt ones, where a list knows what they are, and numbers
//! written as words, "1st" and "first".
//!
//! A misspelt "please" or "thirty" is read as a word that means something, so that letters must be mended before a text is
//! read. No two words that the lists know are taken for each other.

use super::fnv::Set;
use super::frequent::is_frequent;
use super::lexicon::lexicon;
use super::reading::Reading;
use super::scan::Word;
use super::similar::misspelt;

/// With more words that only one text has, they differ anyway.
const MAX_OWN: usize = 12;

/// Words of texts with more different ones are not compared with each other.
const MAX_WORDS: usize = 1_000;

/// Numbers, and how they are written else.
const WRITINGS: [(&str, &str); 23] = [
    ("1st", "first"),
    ("2nd", "second"),
    ("3rd", "third"),
    ("4th", "fourth"),
    ("5th", "fifth"),
    ("6th", "sixth"),
    ("7th", "seventh"),
    ("8th", "eighth"),
    ("9th", "ninth"),
    ("10th", "tenth"),
    ("11th", "eleventh"),
    ("12th", "twelfth"),
    ("13th", "thirteenth"),
    ("14th", "fourteenth"),
    ("15th", "fifteenth"),
    ("16th", "sixteenth"),
    ("17th", "seventeenth"),
    ("18th", "eighteenth"),
    ("19th", "nineteenth"),
    ("20th", "twentieth"),
    ("2", "ii"),
    ("3", "iii"),
    ("4", "iv"),
];

/// Both readings as they would be if both texts were written in one way; None if they are.
pub(super) fn repaired(a: &Reading, b: &Reading) -> Option<(Reading, Reading)> {
    let (x, y) = (written_as(&a.folded, &b.folded), written_as(&b.folded, &a.folded));
    let (x, y) = (x.as_deref().unwrap_or(&a.folded), y.as_deref().unwrap_or(&b.folded));
    let (left, right) = (words(x), words(y));
    let few = left.len().max(right.len()) <= MAX_WORDS;
    let (p, q) = match (own(&left, &right), own(&right, &left)) {
        (Some(p), Some(q)) if few => (slips(&p, &right), slips(&q, &left)),
        _ => (Vec::new(), Vec::new()),
    };
    let mend = |reading: &Reading, text: &str, slips: &[(&str, &str)]| {
        let mended = mended(text, slips, is_letter);
        (mended != reading.folded).then(|| Reading::new(&mended))
    };
    match (mend(a, x, &p), mend(b, y, &q)) {
        (None, None) => None,
        (x, y) => Some((x.unwrap_or_else(|| a.clone()), y.unwrap_or_else(|| b.clone()))),
    }
}

/// A text with its numbers written as the other text writes them; None if nothing is to be done.
fn written_as<'t>(text: &'t str, other: &'t str) -> Option<String> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let words = |text: &'t str| text.split(|c: char| !c.is_alphanumeric());
    let numbers: Vec<&str> = words(text).filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect();
    let has = |text: &'t str, wanted: &str| words(text).any(|word| word.eq_ignore_ascii_case(wanted));
    let fits = |(digits, word): &&(&str, &str)| {
        numbers.iter().any(|number| number.eq_ignore_ascii_case(digits))
            && has(other, word)
            && !has(text, word)
            && !has(other, digits)
    };
    let found: Vec<(&str, &str)> = WRITINGS.iter().filter(fits).copied().collect();
    (!found.is_empty()).then(|| mended(text, &found, char::is_alphanumeric))
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || c == '\''
}

fn words(text: &str) -> Set<Word> {
    let lower = |word: &str| {
        let mut lower = Word::from(word);
        if word.is_ascii() {
            lower.make_ascii_lowercase();
            lower
        } else {
            word.to_lowercase().into()
        }
    };
    // English words have some five letters and a space.
    let mut out = Set::default();
    out.reserve(text.len().min(MAX_WORDS) / 5 + 1);
    out.extend(text.split(|c| !is_letter(c)).filter(|word| word.len() >= 3).map(lower));
    out
}

/// The words that the other text lacks, in order; None if they are many.
fn own<'w>(words: &'w Set<Word>, other: &Set<Word>) -> Option<Vec<&'w str>> {
    let mut own: Vec<&str> = words.iter().filter(|word| !other.contains(*word)).map(Word::as_str).collect();
    own.sort_unstable();
    (own.len() <= MAX_OWN).then_some(own)
}

/// Words that no list knows, each with the listed word that it is meant to be.
fn slips<'w>(own: &[&'w str], other: &'w Set<Word>) -> Vec<(&'w str, &'w str)> {
    let lists = |word: &str| lexicon().lists(word);
    let meant = |word: &'w str| -> Option<(&'w str, &'w str)> {
        let found = other.iter().map(Word::as_str).filter(|meant| misspelt(word, meant));
        let found = found.filter(|meant| lists(meant)).min();
        found.map(|meant| (word, meant))
    };
    own.iter().copied().filter(|word| !lists(word) && !is_frequent(word)).filter_map(meant).collect()
}

/// A text with other words for some of its runs of characters that are `part` of a word.
fn mended(text: &str, others: &[(&str, &str)], part: fn(char) -> bool) -> String {
    if others.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + others.len());
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.find(part).unwrap_or(rest.len());
        out.push_str(&rest[..gap]);
        rest = &rest[gap..];
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        let lower = word.to_lowercase();
        match others.iter().find(|(other, _)| *other == lower) {
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
