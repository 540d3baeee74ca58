//! Letters that encoders without case and accents take for one another: mW and MW, año and ano.
//!
//! Such an encoder gives texts that differ in nothing else the same vector, so that no threshold tells them apart. Words
//! of which only the case differs mostly are the same words; here are those of which it tells.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::language::Language;
use super::reading::{Reading, Role};
use super::scan::any_byte;
use super::signs::Signs;
use super::veto::{Rule, Veto};

/// What the case and the marks of its letters say in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Letters {
    /// Words of which the case tells whatever stands in the other text, as they are written: dQw4w9WgXcQ, `\D`.
    names: Vec<String>,
    /// Units and symbols with a capital letter, sorted: mW, Co. In lower case they are as often meant so as not.
    symbols: Vec<String>,
    /// Words with marks on their letters, in lower case: without the marks, and with them.
    marked: Vec<(String, String)>,
}

/// Units of which the case tells one from another, in lower case: milliwatts and megawatts, bits and bytes.
const UNITS: [&str; 24] = [
    "kb", "mb", "gb", "tb", "kbps", "mbps", "gbps", "mw", "mwh", "ma", "mah", "mv", "mhz", "mpa", "mm", "mg", "ml",
    "ms", "mj", "mol", "nm", "pa", "pm", "ps",
];

/// English words that are others without their accent. Most are written both ways: café, naïve.
const ACCENTED: [&str; 6] = ["resume", "rose", "expose", "pate", "lame", "pique"];

impl Letters {
    /// Looks at a text, and at the same folded, which has these signs.
    pub(super) fn of(text: &str, folded: &str, signs: Signs) -> Self {
        let mut out = Self::default();
        if signs.has_upper() {
            out.look_at_words(folded);
        }
        if signs.has_escape() {
            out.look_at_code(folded);
        }
        if !text.is_ascii() {
            let words = text.split(|c: char| !c.is_alphabetic() && !is_combining_mark(c));
            let marked = words.filter(|word| !word.is_ascii()).map(|word| {
                // One of two spellings that nobody tells apart.
                let word = word.nfc().collect::<String>().to_lowercase().replace('ё', "е");
                (bare(&word), word)
            });
            out.marked = marked.filter(|(bare, word)| bare != word).collect();
            out.marked.sort_unstable();
            out.marked.dedup();
        }
        out.names.sort_unstable();
        out.names.dedup();
        out.names.truncate(MAX_NAMES);
        out
    }

    fn look_at_code(&mut self, folded: &str) {
        for (at, _) in folded.match_indices('\\') {
            let escape = folded.get(at..at + 2).filter(|two| two.as_bytes()[1].is_ascii_alphabetic());
            self.names.extend(escape.map(str::to_owned));
        }
        for (at, _) in folded.match_indices('[') {
            let inside =
                folded[at..].bytes().take(MAX_RANGE).position(|byte| byte == b']').map(|end| &folded[at..=at + end]);
            let range = |class: &str| class.contains('-') && !class.contains(char::is_whitespace);
            self.names.extend(inside.filter(|class| range(class)).map(str::to_owned));
        }
    }

    fn look_at_words(&mut self, folded: &str) {
        let bytes = folded.as_bytes();
        let mut from = 0;
        while let Some(capital) = bytes[from..].iter().position(u8::is_ascii_uppercase) {
            let capital = from + capital;
            let before = bytes[from..capital].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let behind = bytes[capital..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            from = capital + behind;
            if before + behind > 1 {
                self.look_at_word(folded, capital - before, &folded[capital - before..from]);
            }
        }
        self.symbols.sort_unstable();
        self.symbols.dedup();
    }

    fn look_at_word(&mut self, folded: &str, at: usize, word: &str) {
        let rises = word.as_bytes().windows(2).filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
        let rises = rises.count();
        // "PlayStation5" is written in any case, what a machine made up is not.
        if rises >= 3 || (rises == 2 && any_byte(word, |byte| byte.is_ascii_digit())) {
            self.names.push(word.to_owned());
        }
        let unit = || UNITS.iter().any(|unit| unit.eq_ignore_ascii_case(word));
        let joined = || folded[at + word.len()..].starts_with('-');
        let symbol =
            || word.len() == 2 && word.as_bytes()[0].is_ascii_uppercase() && !begins_sentence(folded, at) && !joined();
        if word.len() <= MAX_UNIT && (unit() || symbol()) {
            self.symbols.push(word.to_owned());
        }
    }
}

/// Each is looked for in the whole other text; texts with more names differ in others as well.
const MAX_NAMES: usize = 32;
/// Classes of characters are no longer: `[A-Za-z0-9_]`.
const MAX_RANGE: usize = 24;
/// Nor are units.
const MAX_UNIT: usize = 4;

/// Whether the word at a place is the first of its sentence, which has a capital letter anyway.
fn begins_sentence(text: &str, at: usize) -> bool {
    text[..at].trim_end().chars().next_back().is_none_or(|c| matches!(c, '.' | '!' | '?' | ':' | '"' | '\u{201c}'))
}

/// A word without marks, as encoders without accents read it.
fn bare(word: &str) -> String {
    word.nfd().filter(|c| !is_combining_mark(*c)).nfc().collect()
}

/// Words that differ only in letters which encoders without case and accents take for the same.
pub(super) fn letters(a: &Reading, b: &Reading) -> Option<Veto> {
    let (x, y) = (&a.letters, &b.letters);
    named(x, b)
        .or_else(|| named(y, a).map(Veto::turned))
        .or_else(|| symbols(a, b))
        .or_else(|| marks(a, b))
        .or_else(|| marks(b, a).map(Veto::turned))
}

/// A name of the first text that the other one writes in another case only.
fn named(own: &Letters, other: &Reading) -> Option<Veto> {
    let mut missing = own.names.iter().filter(|name| !other.folded.contains(name.as_str())).peekable();
    missing.peek()?;
    let lower = any_case(&other.folded);
    missing.find_map(|name| {
        let at = lower.find(any_case(name).as_str())?;
        let written = other.folded.get(at..at + name.len()).unwrap_or_default();
        Some(Veto::new(Rule::Identifier, name.as_str(), written))
    })
}

fn any_case(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// Units and symbols that both texts write with capital letters, but not the same ones.
fn symbols(a: &Reading, b: &Reading) -> Option<Veto> {
    // In a text all in capital letters they say nothing.
    if !(a.cased && b.cased) {
        return None;
    }
    let (x, y) = (&a.letters.symbols, &b.letters.symbols);
    let has = |list: &[String], word: &str| list.iter().any(|other| other.eq_ignore_ascii_case(word));
    let mut left = x.iter().filter(|word| has(y, word) && !y.contains(word));
    let mut right = y.iter().filter(|word| has(x, word) && !x.contains(word));
    match (left.next(), right.next()) {
        (None, None) => None,
        (x, y) => Some(Veto::new(Rule::Identifier, x.map_or("", |word| word), y.map_or("", |word| word))),
    }
}

/// A word of the first text that the other one has with other marks, or with none.
fn marks(own: &Reading, other: &Reading) -> Option<Veto> {
    let others = &other.letters.marked;
    let mut missing = own.letters.marked.iter().filter(|two| others.binary_search(two).is_err()).peekable();
    missing.peek()?;
    let english = is_english(own) && is_english(other);
    let words = words(&other.folded);
    missing.find_map(|(bare, word)| {
        let at = others.partition_point(|two| two.0 < *bare);
        let with_others = others.get(at).filter(|two| two.0 == *bare).map(|two| two.1.as_str());
        let written = with_others.or_else(|| words.contains(bare).then_some(bare.as_str()))?;
        let tells = if english {
            ACCENTED.contains(&bare.as_str())
        } else {
            // Accents are left out, in some words or in all; nobody writes other ones for that.
            with_others.is_some() || word.chars().any(is_other_letter)
        };
        tells.then(|| Veto::new(Rule::Substitution, word.as_str(), written))
    })
}

/// Whether a text is certainly in English: others are read as English where no word tells, or only "was".
fn is_english(reading: &Reading) -> bool {
    let connecting = reading.tokens.iter().filter(|token| token.role == Role::Function).count();
    reading.language == Language::English && connecting + reading.fillers.len() >= 2
}

/// Letters with a mark that are letters of their own, which nobody writes without it.
fn is_other_letter(c: char) -> bool {
    matches!(c, 'ñ' | 'ä' | 'ö' | 'ü' | 'å' | 'й' | '\u{900}'..='\u{e7f}' | '\u{3041}'..='\u{30ff}')
}

/// The words of a text, in lower case.
fn words(text: &str) -> HashSet<String> {
    let words = text.split(|c: char| !c.is_alphabetic() && !is_combining_mark(c));
    words.map(str::to_lowercase).collect()
}
