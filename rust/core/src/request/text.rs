//! Questions in normal form: what says the same to any reader is written in one way.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The question in normal form; None if it is in normal form already.
///
/// In a text of one line without code, runs of white space of any kind count as one space, and two or more question
/// marks at the end as one. What stands at a letter or digit may be written in full or half width, as a typographic
/// apostrophe, quotation mark, hyphen, minus or en dash, or as a ligature. White space around any text goes.
///
/// Left as they are, since they may be what is asked about or change what is said: case, accents, superscripts (`x²`),
/// fractions, signs that stand alone, other punctuation, white space in text that is laid out (line breaks, tabs,
/// backticks) or quoted. **Cost:** linear; no copy of a text in normal form, if it is ASCII.
pub(super) fn normal(text: &str) -> Option<String> {
    if text.is_ascii() && is_plainly_normal(text.as_bytes()) {
        return None;
    }
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || is_nothing(c));
    if trimmed.is_ascii() && is_plainly_normal(trimmed.as_bytes()) {
        return Some(trimmed.to_owned());
    }
    let normal = if is_laid_out(trimmed) { trimmed.nfc().collect() } else { line(trimmed) };
    (normal != text).then_some(normal)
}

/// The question in lower case. Its normal form first: some signs become letters of either case in it.
pub(super) fn folded(text: &str) -> String {
    normal(text).as_deref().unwrap_or(text).to_lowercase().nfc().collect()
}

/// Whether an ASCII text has nothing that is written otherwise in normal form. Without a branch for each byte.
fn is_plainly_normal(bytes: &[u8]) -> bool {
    let ends = [bytes.first(), bytes.last()];
    if ends.into_iter().flatten().any(|byte| char::from(*byte).is_whitespace()) || bytes.ends_with(b"??") {
        return false;
    }
    let following = bytes.get(1..).unwrap_or_default();
    let pairs = bytes.iter().zip(following);
    pairs.fold(0, |found, (a, b)| found | (u8::from(*a == b' ') & u8::from(*b == b' '))) == 0
}

/// Whether a text has such a byte. Without a branch for each, since most have none.
fn has_byte(text: &str, is_such: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(0, |found, byte| found | u8::from(is_such(byte))) != 0
}

/// What is not read: where a word may be broken, and the mark that may stand before a text in UTF-16.
fn is_nothing(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{feff}')
}

/// Whether white space is part of what the text says: code, tables, verse.
fn is_laid_out(text: &str) -> bool {
    if text.is_ascii() {
        return has_byte(text, |byte| matches!(byte, b'`' | b'\t'..=b'\r'));
    }
    text.contains(|c: char| {
        c == '`' || (c != ' ' && c.is_ascii_whitespace()) || matches!(c, '\u{b}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    })
}

/// A text of one line.
fn line(text: &str) -> String {
    let quotes = is_quoted(text);
    if text.is_ascii() && !quotes {
        return one_question_mark(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    }
    let mut out = String::with_capacity(text.len());
    let (mut before, mut chars) = (' ', text.chars().filter(|&c| !is_nothing(c)).peekable());
    while let Some(c) = chars.next() {
        let after = chars.peek().copied().unwrap_or(' ');
        if c.is_whitespace() {
            if quotes || !out.ends_with(' ') {
                out.push(' ');
            }
        } else if c.is_ascii() {
            out.push(c);
        } else if is_combining_mark(c) {
            // Belongs to the sign before it.
            out.push(c);
            continue;
        } else {
            push(&mut out, c, before.is_alphanumeric() || after.is_alphanumeric());
        }
        before = c;
    }
    one_question_mark(if out.is_ascii() { out } else { out.nfc().collect() })
}

/// Question marks at the end of a word at the end are one.
fn one_question_mark(mut out: String) -> String {
    let body = out.trim_end_matches('?').len();
    if out.len() > body + 1 && out[..body].ends_with(char::is_alphanumeric) {
        out.truncate(body + 1);
    }
    out
}

/// Appends a sign as it is usually typed. `touching`: a letter or digit stands next to it, so it is not itself the
/// subject.
fn push(out: &mut String, c: char, touching: bool) {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' if touching => out.push('\''),
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' if touching => out.push('"'),
        '\u{2010}'..='\u{2013}' | '\u{2212}' if touching => out.push('-'),
        // A macron would become white space with a mark on it.
        '\u{ffe3}' => out.push(c),
        // Full and half width, and ligatures: the letters that they are made of.
        '\u{ff01}'..='\u{ffee}' if touching || c.is_alphanumeric() => out.extend(std::iter::once(c).nfkc()),
        '\u{fb00}'..='\u{fb06}' => out.extend(std::iter::once(c).nfkc()),
        _ => out.push(c),
    }
}

/// Whether something in the text is quoted; an apostrophe inside of a word is none.
fn is_quoted(text: &str) -> bool {
    if text.is_ascii() && !has_byte(text, |byte| matches!(byte, b'"' | b'\'')) {
        return false;
    }
    let mut before = ' ';
    text.chars().filter(|&c| !is_nothing(c) && !is_combining_mark(c)).any(|c| {
        let opens = matches!(c, '"' | '\u{201c}'..='\u{201f}' | '«' | '»')
            || (matches!(c, '\'' | '\u{2018}'..='\u{201b}') && !before.is_alphanumeric());
        before = c;
        opens
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_normal(text: &str) -> bool {
        normal(text).is_none()
    }

    #[test]
    fn what_says_the_same_is_written_in_one_way() {
        for (text, expected) in [
            ("  what  is\u{a0}x ", "what is x"),
            ("what is\u{3000}\u{202f}x", "what is x"),
            ("What's x??", "What's x?"),
            ("What\u{2019}s a semi\u{2011}final???", "What's a semi-final?"),
            ("say \u{201c}hi\u{201d}", "say \"hi\""),
            ("\u{feff}caf\u{65}\u{301} o\u{fb03}ce", "caf\u{e9} office"),
            ("\u{ff37}hat is \u{ff18}\u{ff1f}", "What is 8?"),
            ("\u{ff8a}\u{ff9e}\u{ff7d}", "\u{30d0}\u{30b9}"),
            ("auto\u{ad}matic", "automatic"),
            ("\u{ffe0}\u{feff}a", "\u{a2}a"),
            ("e\u{301}\u{2019}", "\u{e9}'"),
            (" if x:\n    y\n", "if x:\n    y"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_may_change_the_answer_stays() {
        for text in [
            "",
            "What is x?",
            "x\u{b2}",
            "\u{bd} cup",
            "what is ??",
            "what is \u{2013} called?",
            "what does \u{201c} mean",
            "what is \u{ff1f}",
            "\u{ffe3}a",
            "what?!",
            "yes!!",
            "a \u{2014} b",
            "if x:\n    y",
            "does `a  b` compile",
            "print 'a  b' and \"a  b\"",
            "\u{3a9} or \u{2126}\u{fe0f}",
            "10\u{b5}m",
            "caf\u{e9}",
            "\u{1f468}\u{200d}\u{1f469}",
        ] {
            let canonical: String = text.nfc().collect();
            assert_eq!(normal(&canonical), None, "{text:?}");
        }
    }

    #[test]
    fn case_is_folded_only_when_asked_for() {
        assert!(is_normal("Polish or polish?"));
        assert_eq!(folded("What  IS \u{ff21}?"), "what is a?");
    }

    /// Mostly one that is written in other ways or has a part in it, else any.
    fn sign() -> impl Strategy<Value = char> {
        let special = "abc???\"'` \t\n\u{a0}\u{2019}\u{2013}\u{201c}\u{ff1f}\u{ff21}\u{301}\u{338}=\u{fb01}\u{ad}\u{feff}\
            \u{ff8a}\u{ff9e}\u{ffe0}\u{ffe3}\u{ff40}";
        prop_oneof![9 => prop::sample::select(special.chars().collect::<Vec<_>>()), 1 => any::<char>()]
    }

    proptest! {
        #[test]
        fn a_normal_form_is_in_normal_form(signs in prop::collection::vec(sign(), 0..12)) {
            let text = String::from_iter(signs);
            let once = normal(&text).unwrap_or(text);
            prop_assert_eq!(normal(&once), None);
        }

        #[test]
        fn the_short_way_for_ascii_agrees(text in "[a-b?\"' \t\n`]{0,10}") {
            let trimmed = text.trim();
            let slow = if is_laid_out(trimmed) { trimmed.to_owned() } else { line(trimmed) };
            prop_assert_eq!(normal(&text).unwrap_or_else(|| text.clone()), slow);
        }

        #[test]
        fn other_white_space_between_words_is_one_text(words in prop::collection::vec("[a-z]{1,4}", 1..6), gaps in prop::collection::vec("[ \u{a0}\u{3000}]{1,3}", 6)) {
            let text: String = words.iter().zip(&gaps).flat_map(|(word, gap)| [word.as_str(), gap]).collect();
            prop_assert_eq!(normal(&text).unwrap_or(text), words.join(" "));
        }
    }
}
