//! Texts as words in lower case: what phrases are looked up in.

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::error::{Error, ErrorKind, Result};

/// Stands between two words of one sentence, and around every word.
const GAP: u8 = b' ';
/// Stands, with gaps around it, where a sentence or a clause ends. No phrase reaches over it by accident.
const STOP: u8 = b'.';

/// The first combining mark: text below is in NFC. Most text in Latin script is.
const FIRST_MARK: char = '\u{300}';

/// What a character is to a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Letter, digit or underscore.
    Letter,
    /// A combining mark: part of the word before it, if there is one.
    Mark,
    /// A character of a script that is written without spaces: a word of its own, so that phrases are found anywhere.
    Ideograph,
    /// Ends a sentence or a clause.
    Stop,
    /// White space and whatever else stands between words.
    Gap,
}

/// Words of one or more texts, each with a gap on either side: `" first boil water . then "`.
///
/// Words are runs of letters, digits, combining marks and underscores, in NFC and lower case (character by character, final
/// sigma as sigma). Chinese, Japanese, Thai, Lao, Burmese and Khmer are written without spaces: there each character is a
/// word. A sentence or clause mark between words is kept as a stop. **Cost:** one pass, linear, at most twice the text.
pub(super) struct Words(Vec<u8>);

impl Words {
    /// Makes room for `bytes` of text.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes + 4);
        out.push(GAP);
        Self(out)
    }

    /// Appends a text; a phrase does not reach from one text into the next.
    pub(super) fn push(&mut self, text: &str) {
        if text.is_ascii() {
            text.bytes().for_each(|byte| self.ascii(byte));
        } else if text.chars().all(|c| c < FIRST_MARK) || is_nfc_quick(text.chars()) == IsNormalized::Yes {
            text.chars().for_each(|c| self.char(c));
        } else {
            // Stream-safe: without a bound on marks in a row, normalising sorts runs as long as the text.
            text.chars().stream_safe().nfc().for_each(|c| self.char(c));
        }
        self.stop();
    }

    /// What was gathered, for the automaton.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn ascii(&mut self, byte: u8) {
        match ASCII[usize::from(byte)] {
            GAP => self.gap(),
            STOP => self.stop(),
            letter => self.0.push(letter),
        }
    }

    fn char(&mut self, c: char) {
        if c.is_ascii() {
            return self.ascii(c as u8);
        }
        match class(c) {
            Class::Mark if self.0.last() == Some(&GAP) => {}
            Class::Letter | Class::Mark => self.letter(c),
            Class::Ideograph => {
                self.gap();
                self.letter(c);
                self.gap();
            }
            Class::Stop => self.stop(),
            Class::Gap => self.gap(),
        }
    }

    fn letter(&mut self, c: char) {
        for lower in c.to_lowercase() {
            let folded = if lower == 'ς' { 'σ' } else { lower };
            self.0.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn gap(&mut self) {
        if self.0.last() != Some(&GAP) {
            self.0.push(GAP);
        }
    }

    fn stop(&mut self) {
        self.gap();
        if self.0.len() > 1 && !self.0.ends_with(&[STOP, GAP]) {
            self.0.extend_from_slice(&[STOP, GAP]);
        }
    }
}

/// A phrase as it stands in [`Words`], gaps included.
///
/// # Errors
/// `Config` if it holds no word, or a sign that texts are not searched for ("c++" would be found as "c").
pub(super) fn pattern(phrase: &str) -> Result<Vec<u8>> {
    if let Some(sign) = phrase.nfc().find(|&c| class(c) == Class::Gap && !joins_words(c)) {
        let message =
            format!("phrase '{phrase}' holds '{sign}', but only letters, digits and underscores are compared");
        return Err(Error::new(ErrorKind::Config, message));
    }
    let mut words = Words::with_capacity(phrase.len());
    words.push(phrase);
    let mut pattern = words.0;
    if pattern.ends_with(&[GAP, STOP, GAP]) {
        pattern.truncate(pattern.len() - 2);
    }
    if pattern.len() <= 1 {
        return Err(Error::new(ErrorKind::Config, format!("phrase '{phrase}' holds no word")));
    }
    Ok(pattern)
}

/// What may stand between the words of a phrase in a table: there it is as good as a space.
fn joins_words(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}' | '\u{2011}' | '\'' | '\u{2019}')
}

fn class(c: char) -> Class {
    match c {
        '.' | ',' | ';' | ':' | '!' | '?' | '…' | '¿' | '¡' | '。' | '、' | '，' | '；' | '：' | '！' | '？' | '।'
        | '؟' | '،' | '؛' => Class::Stop,
        '_' => Class::Letter,
        // Thai and Lao; Burmese; Khmer; kana; Han with its extensions and compatibility forms.
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Ideograph,
        _ if c.is_alphanumeric() => Class::Letter,
        _ if is_combining_mark(c) => Class::Mark,
        _ => Class::Gap,
    }
}

/// [`class`] of ASCII: a letter in lower case, [`STOP`] or [`GAP`].
const ASCII: [u8; 128] = {
    let mut table = [GAP; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'.' | b',' | b';' | b':' | b'!' | b'?' => STOP,
            b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => byte.to_ascii_lowercase(),
            _ => GAP,
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> String {
        let mut words = Words::with_capacity(text.len());
        words.push(text);
        String::from_utf8(words.0).unwrap()
    }

    #[test]
    fn words_are_lower_case_between_gaps() {
        assert_eq!(words("First,  boil\tWATER-then don't"), " first . boil water then don t . ");
        assert_eq!(words("first_name v2"), " first_name v2 . ");
        assert_eq!(words("  ... \n"), " ");
        assert_eq!(words(""), " ");
    }

    #[test]
    fn unicode_is_folded() {
        assert_eq!(words("É"), words("e\u{301}"), "composed and decomposed letters are one");
        assert_eq!(words("ΛΌΓΟΣ"), words("λόγος"));
        assert_eq!(words("ПОТОМ"), " потом . ");
        assert_eq!(words("合同 x"), " 合 同 x . ");
        assert_eq!(words("➡\u{fe0f}then"), " then . ", "a mark without a word before it is no word");
    }

    #[test]
    fn the_table_of_ascii_says_what_class_says() {
        for byte in 0..128_u8 {
            let expected = match class(char::from(byte)) {
                Class::Letter => byte.to_ascii_lowercase(),
                Class::Stop => STOP,
                Class::Gap => GAP,
                Class::Mark | Class::Ideograph => unreachable!("{byte} is neither"),
            };
            assert_eq!(ASCII[usize::from(byte)], expected, "{byte}");
        }
    }

    #[test]
    fn a_phrase_must_hold_words_alone() {
        assert_eq!(pattern("Write-Code!").unwrap(), b" write code ");
        assert_eq!(pattern("node.js").unwrap(), b" node . js ");
        let message = |phrase: &str| pattern(phrase).unwrap_err().to_string();
        assert_eq!(message(" ."), "phrase ' .' holds no word");
        assert_eq!(message("c++"), "phrase 'c++' holds '+', but only letters, digits and underscores are compared");
    }

    proptest! {
        #[test]
        fn texts_of_ascii_and_others_are_read_alike(text in "[ -~\n\t]{0,60}") {
            prop_assert_eq!(format!("{}é . ", words(&text)), words(&format!("{text}. é")));
        }

        #[test]
        fn every_text_is_words_between_single_gaps(text in "\\PC{0,60}") {
            let words = words(&text);
            prop_assert!(words.starts_with(' ') && words.ends_with(' ') && !words.contains("  ") && !words.contains(". ."));
        }
    }
}
