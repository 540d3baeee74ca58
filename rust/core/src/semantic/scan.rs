//! Cuts a text into tokens: words, numbers as they stand, code and identifiers, and which clause each is in.

use compact_str::CompactString;
use unicode_normalization::UnicodeNormalization;

use super::chunk::{Chunk, Chunks};
use super::entry::{Entry, List};
use super::lexicon::{Use, lexicon};

/// A word. Up to 24 bytes lie in itself: with each in a block of its own, a quarter of a reading was making room for them.
pub(super) type Word = CompactString;

/// What a token looks like, before any list is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Letters.
    Word,
    /// Begins with a digit and is a number, a date, a time, or a telephone number, perhaps with a unit at its end.
    Numeric,
    /// Letters and digits mixed: a name given by a machine.
    Identifier,
    /// A path, address, host or name from a program.
    Code,
    /// A sign that counts: currency, percent.
    Sign,
}

/// How the letters of a word are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Capital,
    Upper,
}

/// A token: its folded text and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    /// Lower case, without accents; code keeps its case.
    pub(super) text: Word,
    /// What the lists say of the text.
    pub(super) entry: Option<&'static Entry>,
    /// If it is a number, a key that numbers share which are written alike.
    pub(super) number: Option<u64>,
    pub(super) shape: Shape,
    pub(super) case: Case,
    /// Number of the clause, from nought; clauses end at punctuation.
    pub(super) clause: u32,
    /// Number of the sentence, from nought.
    pub(super) sentence: u32,
    /// First word of its sentence.
    pub(super) first: bool,
    /// Joined to the token before it without white space.
    pub(super) glued: bool,
}

impl Raw {
    /// Gives the token another text.
    pub(super) fn rewrite(&mut self, text: Word) {
        self.entry = lexicon().entry(&text);
        self.text = text;
    }

    /// Where the first apostrophe stands. No listed word has one.
    pub(super) fn apostrophe(&self) -> Option<usize> {
        if self.entry.is_some() { None } else { self.text.bytes().position(|byte| byte == b'\'') }
    }

    pub(super) fn is_in(&self, list: List) -> bool {
        self.entry.is_some_and(|entry| entry.is_in(list))
    }

    /// What the text is beside words of meaning.
    pub(super) fn used(&self) -> Option<Use> {
        self.entry.and_then(|entry| entry.meaning.used)
    }
}

/// A text cut into tokens.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) tokens: Vec<Raw>,
    /// What stands in quotation marks or backticks, in order of appearance.
    pub(super) literals: Vec<String>,
    /// Where each sentence begins in the text, in bytes.
    pub(super) sentences: Vec<u32>,
}

/// A literal longer than this many characters is a quoted passage; it is compared word by word instead.
const MAX_LITERAL: usize = 160;

/// Longer chunks without white space are not looked at as code; they are cut like any other text.
const MAX_CODE: usize = 512;

/// Folds a text: compatibility forms, typographic apostrophes and dashes, accents of Latin, Greek and Cyrillic.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return if text.contains('`') { with_apostrophes(text) } else { text.to_owned() };
    }
    // NFKD makes a space with an accent of it.
    let acute = |c: char| if c == '\u{b4}' { '\'' } else { c };
    let plain = |c: char| match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' | '\u{2bc}' => '\'',
        '\u{2010}'..='\u{2012}' | '\u{2212}' => '-',
        '\u{2013}'..='\u{2015}' => '\u{2014}',
        '\u{a0}' | '\u{202f}' | '\u{2009}' => ' ',
        c => digit(c),
    };
    let folded: String = text
        .chars()
        .map(acute)
        .stream_safe()
        .nfkd()
        .map(plain)
        .filter(|c| !matches!(c, '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}'))
        .nfc()
        .collect();
    if folded.contains('`') { with_apostrophes(&folded) } else { folded }
}

/// A backtick between a word and the end of a short form is an apostrophe.
fn with_apostrophes(text: &str) -> String {
    const TAILS: [&str; 7] = ["t", "s", "re", "ve", "ll", "d", "m"];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let (before, behind) = (&rest[..at], &rest[at + 1..]);
        let tail = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let joins = before.ends_with(|c: char| c.is_ascii_alphabetic())
            && TAILS.iter().any(|ending| behind[..tail].eq_ignore_ascii_case(ending))
            && !behind[tail..].starts_with('`');
        out.push_str(before);
        out.push(if joins { '\'' } else { '`' });
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A decimal digit of another script as the ASCII one.
fn digit(c: char) -> char {
    // Where the digits of the scripts that are in daily use begin; each run has ten.
    const ZEROS: [u32; 12] = [0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xe50, 0x1040];
    let code = u32::from(c);
    if code < ZEROS[0] {
        return c;
    }
    ZEROS
        .iter()
        .find(|&&zero| (zero..zero + 10).contains(&code))
        .and_then(|zero| char::from_digit(code - zero, 10))
        .unwrap_or(c)
}

/// Cuts `text`, which [`fold`] has seen.
pub(super) fn scan(text: &str) -> Scan {
    let mut scanner = Scanner::default();
    // English words have some five letters and a space; who writes a book has room made for it on the way.
    scanner.out.tokens.reserve(text.len().min(MAX_CODE) / 5 + 1);
    scanner.literals(text);
    let mut chunks = Chunks::of(text).peekable();
    // The mark of a list or a heading in front: "1. What is ...".
    let marks =
        |chunk: &str| matches!(chunk, "*" | ">" | "#" | "##" | "###" | "-" | "1." | "1)" | "Q:" | "Q." | "Question:");
    let says = |chunk: Chunk<'_>| chunk.text.contains(char::is_alphabetic);
    if chunks.peek().is_some_and(|chunk| marks(chunk.text)) && chunks.clone().nth(1).is_some_and(says) {
        chunks.next();
    }
    while let Some(chunk) = chunks.next() {
        scanner.begins = chunk.begins;
        // "Order no. 5" negates nothing.
        let number = matches!(chunk.text, "no." | "No." | "NO." | "nos." | "Nos.");
        if number && chunks.peek().is_some_and(|next| next.text.starts_with(|c: char| c.is_ascii_digit())) {
            continue;
        }
        match chunk.text {
            "w/o" => scanner.push("without", Shape::Word, Case::Lower),
            "w/" => scanner.push("with", Shape::Word, Case::Lower),
            _ => scanner.chunk(chunk),
        }
        scanner.glued = false;
    }
    scanner.out
}

#[derive(Default)]
struct Scanner {
    out: Scan,
    clause: u32,
    sentence: u32,
    glued: bool,
    /// A clause ends before the next token.
    clause_over: bool,
    /// A sentence ends before the next token.
    sentence_over: bool,
    /// Where the run without white space that is being cut begins in the text.
    begins: usize,
}

impl Scanner {
    /// Gathers what stands in quotation marks; a mark whose partner is far away or missing is none.
    fn literals(&mut self, text: &str) {
        // Most texts are in ASCII and have none.
        if text.is_ascii() && !any_byte(text, |byte| byte == b'"' || byte == b'`') {
            return;
        }
        let mut rest = text;
        let mut before = ' ';
        while let Some(at) = rest.find(['"', '`', '\u{201c}', '\u{ab}', '\u{201e}']) {
            before = rest[..at].chars().next_back().unwrap_or(before);
            let open = rest[at..].chars().next().unwrap_or('"');
            let inside = &rest[at + open.len_utf8()..];
            let close: &[char] = match open {
                '\u{201c}' => &['\u{201d}', '"'],
                '\u{201e}' => &['\u{201c}', '\u{201d}', '"'],
                '\u{ab}' => &['\u{bb}'],
                '`' => &['`'],
                _ => &['"'],
            };
            // A number before the mark makes it inches.
            let end = if open == '"' && before.is_ascii_digit() { None } else { closing(inside, close) };
            if let Some(end) = end {
                let literal = inside[..end].trim_matches(|c: char| c.is_whitespace() || ".,;:!?`".contains(c));
                if !literal.is_empty() {
                    let literal = literal.split_whitespace().collect::<Vec<_>>().join(" ");
                    self.out.literals.push(if open == '`' { literal } else { literal.to_lowercase() });
                }
                rest = &inside[end..];
                rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
                before = ' ';
            } else {
                rest = inside;
                before = open;
            }
        }
    }

    /// A run without white space.
    fn chunk(&mut self, Chunk { text: chunk, letters, .. }: Chunk<'_>) {
        let (word, marks) = chunk.split_at(letters);
        if letters > 0 && marks.bytes().all(|byte| matches!(byte, b'.' | b',' | b';' | b':' | b'!' | b'?')) {
            // What most chunks are; what follows would find the same.
            let mut lower = Word::from(word);
            if any_byte(word, |byte| byte.is_ascii_uppercase()) {
                lower.make_ascii_lowercase();
            }
            self.push(lower, Shape::Word, case_of_letters(word.as_bytes()));
            self.ends(marks);
            return;
        }
        let inner = chunk.trim_start_matches(|c: char| "([{<\"'`\u{201c}\u{ab}".contains(c));
        let inner = inner.trim_end_matches(|c: char| ")]}>\"'`\u{201d}\u{bb}.,;:!?\u{2026}".contains(c));
        // "array.map()" is "array.map".
        let inner = inner.trim_end_matches('(');
        if chunk.starts_with('(') {
            self.clause_over = true;
        }
        if inner.len() <= MAX_CODE {
            if let Some(code) = code(inner) {
                self.push(code, Shape::Code, Case::Lower);
                self.ends(&chunk[chunk.find(inner).unwrap_or(0) + inner.len()..]);
                return;
            }
            // "U.S.-India": the dash ends the first name.
            let dashed = inner.split_once('-').filter(|(first, _)| first.ends_with('.') && inner.len() == chunk.len());
            let dashed = dashed.and_then(|(first, rest)| Some((initials(first.trim_end_matches('.'))?, rest)));
            if let Some((joined, rest)) = dashed {
                self.push(joined.to_lowercase(), Shape::Word, case_of(&joined));
                self.pieces(rest);
                return;
            }
            if let Some(joined) = initials(inner) {
                let case = case_of(&joined);
                self.push(joined.to_lowercase(), Shape::Word, case);
                self.ends(chunk[chunk.find(inner).unwrap_or(0) + inner.len()..].trim_start_matches('.'));
                return;
            }
        }
        self.pieces(chunk);
    }

    /// Cuts a run into words, numbers and signs.
    fn pieces(&mut self, chunk: &str) {
        let bytes = chunk.as_bytes();
        let mut at = 0;
        while let Some(c) = chunk[at..].chars().next() {
            let rest = &chunk[at..];
            let alone = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
            let signed = (c == '-' || c == '+') && alone && rest[1..].starts_with(|c: char| c.is_ascii_digit());
            // Between two numbers a dash is a range.
            let signed = signed && (at == 0 || "([$".contains(char::from(bytes[at - 1])));
            let length = if c.is_ascii_digit() || signed {
                self.numeric(rest)
            } else if c.is_alphabetic() {
                self.word(rest)
            } else if "$€£¥₹₩₽₿%¢°".contains(c) {
                self.push(c.to_string(), Shape::Sign, Case::Lower);
                c.len_utf8()
            } else if let Some(length) = plural(&chunk[..at], rest) {
                length
            } else if c == '+' && self.counts_more(&rest[1..]) {
                1
            } else if operates(c, &chunk[..at], &rest[c.len_utf8()..]) {
                self.push(c.to_string(), Shape::Code, Case::Lower);
                c.len_utf8()
            } else {
                self.mark(c, &rest[c.len_utf8()..]);
                c.len_utf8()
            };
            at += length;
            self.glued = true;
        }
    }

    /// Whether a plus behind a number says "or more": 18+, 6k+.
    fn counts_more(&self, behind: &str) -> bool {
        let number = self.glued && self.out.tokens.last().is_some_and(|raw| raw.shape == Shape::Numeric);
        number && !behind.starts_with(|c: char| c.is_alphanumeric() || "+=(".contains(c))
    }

    /// A run of letters, with apostrophes in it; returns its length.
    fn word(&mut self, rest: &str) -> usize {
        let mut end = 0;
        for (i, c) in rest.char_indices() {
            let apostrophe = c == '\'' && i > 0 && rest[i + 1..].starts_with(char::is_alphabetic);
            if !c.is_alphabetic() && !apostrophe && !is_mark(c) {
                break;
            }
            end = i + c.len_utf8();
        }
        let mixed = rest[end..].bytes().take_while(u8::is_ascii_digit).count();
        let tail = rest[end + mixed..].starts_with(|c: char| c.is_ascii_alphabetic());
        // "Gate a12": no article.
        let article = mixed > 0 && end == 1 && rest.starts_with(['a', 'A']);
        if mixed > 0 && (tail || article) && rest[..end].is_ascii() {
            let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
            self.push(rest[..length].to_ascii_lowercase(), Shape::Identifier, Case::Upper);
            return length;
        }
        let word = &rest[..end];
        self.push(word.to_lowercase(), Shape::Word, case_of(word));
        end
    }

    /// A run that begins with a digit; returns its length.
    fn numeric(&mut self, rest: &str) -> usize {
        let bytes = rest.as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut end = 1;
        while end < bytes.len() {
            match bytes[end] {
                byte if byte.is_ascii_digit() => end += 1,
                b'.' | b',' | b':' | b'/' if digit(end - 1) && digit(end + 1) => end += 1,
                b'-' if digit(end - 1) && digit(end + 1) && grouped(&rest[..end], &rest[end + 1..]) => end += 1,
                _ => break,
            }
        }
        let letters = rest[end..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let after = &rest[end + letters..];
        // 401(k), 501(c)
        let mut letter = rest[end..].bytes();
        if letters == 0
            && letter.next() == Some(b'(')
            && letter.next().is_some_and(|b| b.is_ascii_alphabetic())
            && letter.next() == Some(b')')
        {
            let joined = format!("{}{}", &rest[..end], &rest[end + 1..end + 2]).to_ascii_lowercase();
            self.push(joined, Shape::Numeric, Case::Lower);
            return end + 3;
        }
        if letters > 0 && after.starts_with(|c: char| c.is_ascii_digit()) {
            let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count().max(end + letters);
            self.push(rest[..length].to_ascii_lowercase(), Shape::Identifier, Case::Upper);
            return length;
        }
        self.push(rest[..end + letters].to_ascii_lowercase(), Shape::Numeric, Case::Lower);
        end + letters
    }

    fn push(&mut self, text: impl Into<Word>, shape: Shape, case: Case) {
        self.clause += u32::from(std::mem::take(&mut self.clause_over));
        let sentence_over = std::mem::take(&mut self.sentence_over);
        self.sentence += u32::from(sentence_over);
        let first = sentence_over || self.out.tokens.is_empty();
        if first {
            self.out.sentences.push(self.begins as u32);
        }
        let Self { clause, sentence, glued, .. } = *self;
        let text = text.into();
        let entry = lexicon().entry(&text);
        self.out.tokens.push(Raw { text, entry, number: None, shape, case, clause, sentence, first, glued });
    }

    /// Punctuation at the end of a chunk.
    fn ends(&mut self, marks: &str) {
        let mut rest = marks.chars();
        while let Some(c) = rest.next() {
            self.mark(c, rest.as_str());
        }
    }

    fn mark(&mut self, c: char, rest: &str) {
        let gap = rest.chars().next().is_none_or(|c| !c.is_alphanumeric());
        if self.out.tokens.is_empty() {
            return;
        }
        match c {
            '.' | '!' | '?' | '\u{2026}' | '\u{3002}' | '\u{61f}' if gap || c != '.' => {
                self.clause_over = true;
                self.sentence_over = true;
            }
            ',' | ';' | ':' | '(' | ')' | '\u{2014}' | '\u{60c}' => self.clause_over = true,
            '-' if gap && !self.glued => self.clause_over = true,
            _ => {}
        }
    }
}

/// How long an ending is that allows for more than one: answer(s), box(es), answer/s.
fn plural(before: &str, rest: &str) -> Option<usize> {
    let ending = ["(s)", "(es)", "/s"].into_iter().find(|ending| rest.starts_with(ending))?;
    let letters = before.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let over = !rest[ending.len()..].starts_with(|c: char| c.is_alphanumeric());
    (letters > 2 && over).then_some(ending.len())
}

/// Whether a sign says something: "C++", "C#", "5 + 3", "x=1". Dashes and strokes mostly do not, brackets and stars are put
/// around words.
fn operates(c: char, before: &str, behind: &str) -> bool {
    let joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "+#=".contains(c));
    let (left, right) = (joined(before.chars().next_back()), joined(behind.chars().next()));
    match c {
        '+' | '#' => left || (before.is_empty() && behind.is_empty()),
        '*' | '=' | '<' | '>' | '^' | '\u{d7}' | '\u{f7}' => {
            (left && right) || (before.is_empty() && behind.is_empty())
        }
        _ => false,
    }
}

/// Whether a dash joins groups of one telephone number, card number or date, rather than the ends of a range.
fn grouped(left: &str, right: &str) -> bool {
    let group = right.bytes().take_while(u8::is_ascii_digit).count();
    let next =
        right.as_bytes().get(group) == Some(&b'-') && right.as_bytes().get(group + 1).is_some_and(u8::is_ascii_digit);
    let last = left.bytes().rev().take(6).take_while(u8::is_ascii_digit).count();
    next || left.as_bytes().iter().rev().take(8).any(|byte| *byte == b'-') || (last == 3 && group == 4)
}

fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

fn case_of(word: &str) -> Case {
    let mut letters = word.chars().filter(|c| c.is_alphabetic()).take(CASED);
    match letters.next() {
        Some(first) if first.is_uppercase() => {
            let mut rest = letters.peekable();
            if rest.peek().is_some() && rest.all(char::is_uppercase) { Case::Upper } else { Case::Capital }
        }
        _ => Case::Lower,
    }
}

/// How many letters say how a word is written.
const CASED: usize = 32;

/// The same for letters in ASCII.
fn case_of_letters(word: &[u8]) -> Case {
    match word {
        [first, rest @ ..] if first.is_ascii_uppercase() => {
            let all = !rest.is_empty() && rest.iter().take(CASED - 1).all(u8::is_ascii_uppercase);
            if all { Case::Upper } else { Case::Capital }
        }
        _ => Case::Lower,
    }
}

/// Whether a byte of a text is wanted. Without a branch for each, so that the compiler takes many at a time.
pub(super) fn any_byte(text: &str, wanted: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(0, |found, byte| found | u8::from(wanted(byte))) != 0
}

/// Where the literal ends, within its greatest length.
fn closing(inside: &str, close: &[char]) -> Option<usize> {
    inside.char_indices().take(MAX_LITERAL + 1).find(|(_, c)| close.contains(c)).map(|(at, _)| at)
}

/// "U.S.A." and "e.g" without their dots: parts of one or two letters, the first of one.
fn initials(chunk: &str) -> Option<String> {
    if chunk.len() > 16 || !chunk.contains('.') {
        return None;
    }
    let parts = || chunk.split('.');
    let short =
        parts().all(|part| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    (short && parts().next().is_some_and(|part| part.len() == 1)).then(|| parts().collect())
}

/// An address, path, file or name from a program, in the form in which it is compared.
fn code(chunk: &str) -> Option<String> {
    let bytes = chunk.as_bytes();
    if chunk.contains("://") || chunk.starts_with("www.") {
        let rest = chunk.split_once("://").map_or(chunk, |(_, rest)| rest);
        let rest = rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches('/');
        let host = rest.find('/').unwrap_or(rest.len());
        return Some(rest[..host].to_lowercase() + &rest[host..]);
    }
    if chunk.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.')) {
        return Some(chunk.to_lowercase());
    }
    let letters = bytes.iter().any(u8::is_ascii_alphabetic);
    // "/memes" is a word behind a stroke.
    let deep = bytes.iter().skip(1).any(|byte| matches!(byte, b'/' | b'.' | b'_'));
    let rooted = deep && (chunk.starts_with('/') || chunk.starts_with("~/") || chunk.starts_with("./"));
    let flag = chunk.starts_with("--") && bytes.len() > 3;
    let inner_sign = |sign: u8| bytes.len() > 2 && bytes[1..bytes.len() - 1].contains(&sign);
    if letters && (rooted || flag || inner_sign(b'_') || inner_sign(b'\\') || chunk.contains("::")) {
        return Some(chunk.to_owned());
    }
    dotted(chunk).then(|| chunk.to_lowercase())
}

/// A file or host: "main.py", "example.com", "numpy.linalg.norm"; not two sentences without a space.
fn dotted(chunk: &str) -> bool {
    if !chunk.contains('.') || chunk.contains("..") || initials(chunk).is_some() {
        return false;
    }
    let good = |part: &str| {
        part.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'/')
    };
    // "hour.please": a sentence ends there.
    let word = chunk.rsplit('.').next().is_some_and(|last| {
        let used = lexicon().entry(&last.to_ascii_lowercase()).and_then(|entry| entry.meaning.used);
        used.is_some() || (last.len() > 4 && chunk.matches('.').count() == 1)
    });
    let upper = !chunk.bytes().any(|byte| byte.is_ascii_lowercase());
    !word
        && chunk.split('.').all(good)
        && (upper || chunk.split('.').skip(1).all(|part| part.as_bytes()[0].is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_ascii_are_written_as_any_letters_are() {
        let long = "A".repeat(CASED);
        for word in ["a", "A", "ab", "Ab", "aB", "AB", &long, &[&long, "b"].concat(), &["A", &long, "b"].concat()] {
            assert_eq!(case_of_letters(word.as_bytes()), case_of(word), "{word}");
        }
    }
}
