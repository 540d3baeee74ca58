//! Questions in normal form: what says the same to any reader is written in one way.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use unicode_normalization::char::is_combining_mark;

use super::canonical::nfc;
use crate::sync::OnceLock;

/// The question in normal form; None if it is in normal form already.
///
/// What is folded changes no answer, if the question is not about its own signs. In a text of one line of plain words runs of spaces of any kind count as one
/// space, spaces and one line break around it go, apostrophes and quotation marks may be typographic, and letters and
/// digits beside Chinese, Japanese or Korean ones may be full width.
///
/// A text is left as it is, but for Unicode NFC, if it may be code or is about its own signs: with line breaks, tabs or
/// an indentation, signs of code, single quotation marks, quotation marks that do not pair, or words that speak of
/// characters ("space", "Unicode", "全角"). So is what stands in double quotation marks. Case, dashes, ligatures, soft
/// hyphens, repeated question marks and all else stay in any text. **Cost:** linear; no copy of a text in which nothing
/// is written otherwise.
pub(super) fn normal(text: &str) -> Option<String> {
    let composed = nfc(text);
    if !may_be_folded(&composed) {
        return changed(composed);
    }
    match plain_line(&composed).map(fold) {
        Some(line) => (line != text).then_some(line),
        None => changed(composed),
    }
}

/// The question in lower case. Its normal form first: some signs become letters of either case in it.
pub(super) fn folded(text: &str) -> String {
    nfc(&normal(text).as_deref().unwrap_or(text).to_lowercase()).into_owned()
}

/// A text's NFC, if that is another text.
fn changed(composed: Cow<'_, str>) -> Option<String> {
    match composed {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

/// Signs of code. No brackets, slashes and signs of money or numbers, which stand in plain questions too.
fn is_code(c: char) -> bool {
    matches!(c, '`' | '=' | '<' | '>' | '{' | '}' | '[' | ']' | '|' | '\\' | '^' | '~' | '_' | '*')
}

/// An indentation of so many spaces is one of code, as in Markdown.
const INDENTATION: usize = 4;

/// Parts of words, in lower case, with which people speak of the signs of a text, or of what depends on each of them. Too
/// many of them are harmless: such a text is left as it is, and found by meaning. A space in front is the line's begin too.
#[rustfmt::skip] // one line a language, not one a word
const ABOUT_SIGNS: &[&str] = &[
    // English, and what other languages share with it.
    "space", "blank", "indent", "character", "letter", "symbol", "glyph", "unicode", "ascii", "utf", "code point",
    "codepoint", "encod", "punctuat", "quot", "apostroph", "curly", "typogra", "spell", "regex", "regular expression",
    "width", "string",
    // What is done to a text sign by sign.
    "hash", "sha-", "sha1", "sha2", "sha3", "md5", "crc", "checksum", "digest", "base64", "base32", "base58", "cipher",
    "crypt", "byte", "token", "length", "how long is", " count ", " count the", "verbatim", "exactly", "word for word",
    "repeat", "echo", "revers", "backward", "palindrom", "password", "passphrase", "pass phrase", "seed phrase",
    "mnemonic", " gap", "align", "column", "typed", "typo", "diff",
    // What is done to its spelling.
    "proofread", "proof-read", "correct", "grammar", "mistake", "error", "tidy", "edit", "typing", "spac", "layout",
    // Code without its signs.
    "python", " pep ", "javascript", "typescript", "yaml", "json", "toml", "csv", " sql", "html", "xml", "markdown",
    "latex", "bash", "shell", "syntax", "pars", "compil", "lint", "snippet", "command",
    // German, French, Spanish, Russian.
    "zeichen", "buchstab", "abstand", "anführung", "schreibweise", "geschrieben", "wie lang ist", "länge", "wörtlich",
    "wiederhol", "rückwärts", "passwort", "kennwort", "espac", "caract", "carác", "lettre", "guillemet", "longueur",
    "mot à mot", "répèt", "mot de passe", "letra", "comilla", "apóstrof", "longitud", "literalmente", "repite",
    "contraseña", "пробел", "символ", "букв", "кавыч", "апостроф", "знак", "кодир", "длин", "дослов", "повтор", "парол",
    "хэш", "хеш", "korrigier", "rechtschreib", "fehler", "corrig", "orthogra", "ortogra", "faute", "исправ", "орфогр",
    "ошиб",
    // Chinese, Japanese, Korean.
    "字", "記号", "记号", "符号", "符號", "全角", "半角", "全形", "半形", "空格", "空白", "スペース", "引号", "引號",
    "编码", "編碼", "码点", "碼點", "문자", "글자", "기호", "공백", "띄어", "전각", "반각",
];

/// Whether a text may have something that [`plain_line`] or [`fold`] writes otherwise. ASCII without a branch for each byte.
fn may_be_folded(text: &str) -> bool {
    let bytes = text.as_bytes();
    let following = bytes.get(1..).unwrap_or_default();
    let pairs = bytes.iter().zip(following);
    let is_doubled = pairs.fold(0, |found, (a, b)| found | (u8::from(*a == b' ') & u8::from(*b == b' '))) != 0;
    let is_padded = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    is_doubled || is_padded || !text.is_ascii() && text.chars().any(is_folded)
}

/// Whether a character that is not ASCII is written otherwise in normal form, wherever it may be.
fn is_folded(c: char) -> bool {
    !c.is_ascii() && (is_space(c) || is_double(c) || is_single(c) || narrow(c).is_some() || c == '\u{feff}')
}

/// The text without the spaces around it, if it is one line of plain words that are not about their own signs.
fn plain_line(text: &str) -> Option<&str> {
    // The mark of a file in UTF-16 or UTF-8 is no part of its text.
    let begun = text.trim_start_matches(|c| is_space(c) || c == '\u{feff}');
    let indentation = text[..text.len() - begun.len()].chars().filter(|&c| is_space(c)).count();
    let ended = begun.trim_end_matches(is_space);
    let ended = ended.strip_suffix("\r\n").or_else(|| ended.strip_suffix('\n')).unwrap_or(ended);
    let line = ended.trim_end_matches(is_space);
    let (mut may_be_code, mut has_single, mut has_double) = (indentation >= INDENTATION, false, false);
    for c in line.chars().filter(|c| !c.is_ascii_alphanumeric()) {
        may_be_code |= is_layout(c) || is_code(c) || is_bracket(c);
        has_single |= is_single(c);
        has_double |= is_double(c);
    }
    let is_literal = may_be_code
        || has_single && is_singly_quoted(line)
        || has_double && !quotations_pair(line)
        || is_about_signs(line);
    (!is_literal).then_some(line)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() && !is_layout(c)
}

/// White space that is part of what a text says: lines and columns.
fn is_layout(c: char) -> bool {
    matches!(c, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Quotation marks that pair in ways of their own.
fn is_bracket(c: char) -> bool {
    matches!(c, '«' | '»' | '‹' | '›' | '「'..='』' | '《' | '》' | '〈' | '〉' | '〝'..='〟' | '＂' | '＇' | '｢' | '｣')
}

fn is_double(c: char) -> bool {
    matches!(c, '"' | '\u{201c}'..='\u{201f}')
}

fn is_single(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}'..='\u{201b}')
}

/// Whether a single quotation mark opens; an apostrophe comes after a letter.
fn is_singly_quoted(line: &str) -> bool {
    let mut before = ' ';
    line.chars().any(|c| {
        let opens = is_single(c) && !before.is_alphanumeric();
        before = c;
        opens
    })
}

fn is_about_signs(line: &str) -> bool {
    static SIGNS: OnceLock<AhoCorasick> = OnceLock::new();
    let signs = SIGNS.get_or_init(|| {
        let built = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(ABOUT_SIGNS);
        built.expect("the parts are few")
    });
    signs.is_match(&between_spaces(line))
}

/// A line in lower case between two spaces, for which only what is not in ASCII is looked up. A sigma at the end of a word is
/// as inside.
fn between_spaces(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 2);
    out.push(' ');
    let mut rest = line;
    while !rest.is_empty() {
        let plain = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        let mut behind = rest[plain..].chars();
        out.extend(behind.next().into_iter().flat_map(char::to_lowercase));
        rest = behind.as_str();
    }
    out.push(' ');
    out.make_ascii_lowercase();
    out
}

/// Whether the double quotation marks of a line pair in one way only: all as they are typed, or all typographic.
fn quotations_pair(line: &str) -> bool {
    let marks: Vec<_> = line.match_indices(is_double).collect();
    marks.chunks(2).all(|pair| {
        let &[(at, opening), (end, closing)] = pair else { return false };
        let inner = &line[at + opening.len()..end];
        match (opening, closing) {
            // Two ways to quote in one text may lie inside of each other.
            ("\"", "\"") => marks[0].1 == "\"",
            // A mark that touches no word may be what is asked about.
            ("\u{201c}" | "\u{201f}", "\u{201d}") | ("\u{201e}", "\u{201c}" | "\u{201d}") => {
                marks[0].1 != "\"" && inner.starts_with(char::is_alphanumeric) && !inner.ends_with(char::is_whitespace)
            }
            _ => false,
        }
    })
}

/// A line of plain words in normal form.
fn fold(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut before, mut is_quoted, mut folds_width) = (' ', false, None);
    for (at, c) in line.char_indices() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
            (before, folds_width) = (c, None);
            continue;
        }
        let mut rest = line[at + c.len_utf8()..].chars();
        let is_marked = rest.clone().next().is_some_and(|c| !c.is_ascii() && is_combining_mark(c));
        if is_double(c) {
            out.push('"');
            is_quoted = !is_quoted;
        } else if is_quoted || is_marked {
            out.push(c);
        } else if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if is_single(c) {
            out.push('\'');
        } else if let Some(narrow) = narrow(c) {
            // A run of full-width signs has the neighbours of its ends.
            let folds = *folds_width.get_or_insert_with(|| {
                is_east_asian(before) || rest.find(|&c| self::narrow(c).is_none()).is_some_and(is_east_asian)
            });
            out.push(if folds { narrow } else { c });
        } else {
            out.push(c);
        }
        if narrow(c).is_none() {
            (before, folds_width) = (c, None);
        }
    }
    out
}

/// The ASCII letter or digit that is written in full width.
fn narrow(c: char) -> Option<char> {
    let wide = matches!(c, '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}');
    wide.then(|| char::from_u32(c as u32 - 0xfee0)).flatten()
}

/// Letters of Chinese, Japanese and Korean, but for those that stand for digits or are written in half width.
fn is_east_asian(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3041}'..='\u{30fe}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn is_normal(text: &str) -> bool {
        normal(text).is_none()
    }

    #[test]
    fn what_says_the_same_is_written_in_one_way() {
        for (text, expected) in [
            ("  what  is\u{a0}x ", "what is x"),
            ("what is\u{3000}\u{202f}x", "what is x"),
            ("what is x?\n", "what is x?"),
            ("what is x? \r\n ", "what is x?"),
            ("What\u{2019}s a dog\u{2019}s  name?", "What's a dog's name?"),
            ("say \u{201c}hi\u{201d}", "say \"hi\""),
            ("My account  in which country?", "My account in which country?"),
            ("sag  \u{201e}a  b\u{201c} und  \u{201e}c\u{201c}", "sag \"a  b\" und \"c\""),
            ("\u{feff}caf\u{65}\u{301}", "caf\u{e9}"),
            ("\u{79c1}\u{306e}\u{ff21}\u{ff34}\u{ff2d}", "\u{79c1}\u{306e}ATM"),
            ("\u{ff11}\u{ff10}\u{5186}", "10\u{5186}"),
            ("e\u{301}\u{2019}", "\u{e9}'"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_may_change_the_answer_stays() {
        for text in [
            "",
            "What is x?",
            "What's x??",
            "Explain the regex ab??",
            "x\u{b2}",
            "\u{bd} cup",
            "what is \u{2013} called?",
            "Which dash is in 5\u{2013}3?",
            "semi\u{2011}final",
            "5\u{2212}3",
            "what does \u{201c} mean",
            "what are \u{201c} and \u{201d}",
            "what is \u{ff1f}",
            "\u{ffe3}a",
            "what?!",
            "yes!!",
            "a \u{2014} b",
            "if x:\n    y",
            "  x = 1\ny = 2",
            "    return x",
            "Count the lines\na\nb\n\n",
            "Count the lines\na\nb\n",
            "\na",
            "a\n\n",
            "a,b\t",
            "a\tb",
            " x = 1",
            "x  = 1",
            "does `a  b` compile",
            "does `a\u{2019}b` compile",
            "print 'a  b' and \"a  b\"",
            "a 5\" pipe  of steel",
            "is \"it\u{2019}s\" typed",
            "is \"\u{fb01}\" one sign, \"\u{3042}\u{ff21}\" and \"a\u{a0}b\"",
            "\u{ab}a  b\u{bb}",
            "\u{300c}\u{ff21}\u{306f}\u{300d}",
            "How many spaces are between a  and b?",
            "Is the apostrophe in don\u{2019}t curly?",
            "Which Unicode code point is \u{ff21}?",
            "Which one is \u{ff21}?",
            "What is the SHA-256 of hello  world",
            "Base64 of a  b please",
            "Repeat after me: a  b",
            "Is correct horse  battery a strong password?",
            "How many bytes does don\u{2019}t take?",
            "Does PEP 8 allow x  y?",
            "Count the words in a  b",
            "Wie lang ist hallo  welt?",
            "\u{ff21}\u{306e}\u{6587}\u{5b57}\u{30b3}\u{30fc}\u{30c9}",
            "o\u{fb03}ce",
            "auto\u{ad}matic",
            "\u{ff76}",
            "\u{3a9}\u{fe0f}",
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
        assert_eq!(folded("What  IS A?"), "what is a?");
    }

    /// The normal form without looking first whether there is anything to do.
    fn in_full(text: &str) -> String {
        let composed: String = text.nfc().collect();
        plain_line(&composed).map(fold).unwrap_or(composed)
    }

    /// Mostly one that is written in other ways or has a part in it, else any.
    fn sign() -> impl Strategy<Value = char> {
        let special = "abc???\"\"\"'` \t\n\u{a0}\u{2019}\u{2018}\u{2013}\u{201c}\u{201d}\u{201e}\u{ff1f}\u{ff21}\u{ff21}\u{301}\u{338}=\u{fb01}\
            \u{ad}\u{feff}\u{ff8a}\u{ff9e}\u{3042}\u{6f22}\u{1fef}";
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
            prop_assert_eq!(normal(&text).unwrap_or_else(|| text.clone()), in_full(&text));
        }

        #[test]
        fn the_short_way_agrees(signs in prop::collection::vec(sign(), 0..12)) {
            let text = String::from_iter(signs);
            prop_assert_eq!(normal(&text).unwrap_or_else(|| text.clone()), in_full(&text));
        }

        #[test]
        fn parts_of_words_are_looked_for_in_lower_case(text in "[a-cA-C \u{2019}\u{130}\u{c9}\u{212a}\u{3a3}\u{3c2}\u{41f}\u{5b57}]{0,10}|\\PC{0,20}") {
            let expected = format!(" {} ", text.to_lowercase()).replace('\u{3c2}', "\u{3c3}");
            prop_assert_eq!(between_spaces(&text).replace('\u{3c2}', "\u{3c3}"), expected);
        }

        #[test]
        fn quotations_are_as_they_were(inner in "[a-c \u{a0}\u{2019}\u{ff21}\u{3042}?\u{2013}\u{fb01}]{0,8}", spaces in " {0,3}") {
            let quoted = format!("\"{inner}\"");
            let text = format!("say{spaces}{quoted}{spaces}");
            prop_assert!(normal(&text).unwrap_or(text).contains(&quoted));
        }

        #[test]
        fn other_white_space_between_words_is_one_text(words in prop::collection::vec("[a-z]{1,4}", 1..6), gaps in prop::collection::vec("[ \u{a0}\u{3000}]{1,3}", 6)) {
            prop_assume!(!is_about_signs(&words.join(" ")));
            let text: String = words.iter().zip(&gaps).flat_map(|(word, gap)| [word.as_str(), gap]).collect();
            prop_assert_eq!(normal(&text).unwrap_or(text), words.join(" "));
        }
    }
}
