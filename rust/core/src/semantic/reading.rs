//! A text, read: its words with what the lists know of them, its numbers, and how it asks.

use super::count::count;
use super::entry::{List, Meaning};
use super::fnv::hash;
use super::language::{Language, language};
use super::letters::Letters;
use super::lexicon::{Lexicon, Scale, Use, lexicon};
use super::passage::passage;
use super::quantity::Quantity;
use super::rewrite::{expand, numbered, open_ends, phrases, polite};
use super::scan::{Case, Raw, Scan, Shape, Word, fold, scan};
use super::signs::Signs;

/// What a token is to the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Carries meaning: must have a counterpart.
    Content,
    /// A number; `Reading::numbers` has its value.
    Number,
    /// Written by a program: compared letter by letter.
    Code,
    /// Connects.
    Function,
    /// Turns the answer around.
    Negator,
}

/// One word of a reading.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// In lower case, without accents.
    pub(super) text: Word,
    /// What its inflections share.
    pub(super) stem: Word,
    /// The same for words that mean the same, opposites too.
    pub(super) key: u64,
    pub(super) pole: i8,
    pub(super) scale: Scale,
    pub(super) role: Role,
    pub(super) case: Case,
    /// Whether a list holds it.
    pub(super) known: bool,
    /// Whether it only carries tense and number.
    pub(super) auxiliary: bool,
    pub(super) first: bool,
    pub(super) clause: u32,
    pub(super) sentence: u32,
}

/// A text, prepared for [`veto`](super::veto). Making one takes time linear in the text's length; so does a comparison.
#[derive(Debug, Clone)]
pub struct Reading {
    pub(super) language: Language,
    /// The text in one notation; equal ones are not compared.
    pub(super) folded: String,
    /// Words without fillers.
    pub(super) tokens: Vec<Token>,
    /// Fillers, as they were written.
    pub(super) fillers: Vec<Word>,
    /// Content words by key, for merging.
    pub(super) by_key: Vec<(u64, u32)>,
    pub(super) numbers: Vec<Quantity>,
    /// Identifiers and code, sorted.
    pub(super) names: Vec<String>,
    /// What stands in quotation marks, sorted.
    pub(super) literals: Vec<String>,
    pub(super) negators: u32,
    /// Where each sentence begins in `folded`, in bytes.
    pub(super) sentences: Vec<u32>,
    /// Whether capital letters mark names: not in a text all in lower or all in upper case.
    pub(super) cased: bool,
    /// What the case and the accents of its letters say.
    pub(super) letters: Letters,
    /// Which kinds of signs it has.
    pub(super) signs: Signs,
    /// The passage that something is to be done with, as it is written.
    pub(super) passage: Option<String>,
}

impl Reading {
    /// Reads `text`, in whichever language and script.
    pub fn new(text: &str) -> Self {
        let lexicon = lexicon();
        let folded = unquoted(fold(text));
        let signs = Signs::of(&folded);
        let letters = Letters::of(text, &folded, signs);
        let Scan { tokens, mut literals, sentences } = scan(&folded);
        let language = language(&tokens, lexicon);
        let english = language == Language::English;
        // Before short forms are written out, which are in lower case then.
        let cased = tokens.iter().any(|raw| raw.case == Case::Lower && raw.shape == Shape::Word);
        let tokens = expand(tokens, english, cased, lexicon);
        let (tokens, numbers) = count(tokens, english, lexicon);
        let tokens = if english { polite(phrases(open_ends(numbered(tokens)), lexicon), lexicon) } else { tokens };
        let words = tokens.iter().filter(|raw| raw.number.is_none());
        let negators = language.negators(words.map(|raw| (raw.text.as_str(), raw.entry)));
        let mut fillers = Vec::new();
        let read = tokens.into_iter();
        let mut tokens: Vec<Token> = Vec::with_capacity(read.len());
        tokens.extend(read.filter_map(|raw| token(raw, english, lexicon, &mut fillers)));
        let content = tokens.iter().zip(0..).filter(|(token, _)| token.role == Role::Content);
        let mut by_key: Vec<(u64, u32)> = Vec::with_capacity(tokens.len());
        by_key.extend(content.map(|(token, at)| (token.key, at)));
        by_key.sort_unstable();
        let mut names: Vec<String> =
            tokens.iter().filter(|token| token.role == Role::Code).map(|token| token.text.to_string()).collect();
        names.sort_unstable();
        literals.sort_unstable();
        Self {
            language,
            folded,
            tokens,
            fillers,
            by_key,
            numbers,
            names,
            literals,
            negators,
            sentences,
            cased,
            letters,
            passage: passage(text, signs),
            signs,
        }
    }
}

/// A text without the quotation marks that stand around all of it.
fn unquoted(text: String) -> String {
    const PAIRS: [(char, char); 4] =
        [('"', '"'), ('\u{201c}', '\u{201d}'), ('\u{ab}', '\u{bb}'), ('\u{201e}', '\u{201c}')];
    let trimmed = text.trim();
    let inside = PAIRS.iter().find_map(|&(open, close)| {
        let inside = trimmed.strip_prefix(open)?.strip_suffix(close)?;
        (!inside.contains([open, close])).then_some(inside)
    });
    match inside {
        // One word in quotation marks is a name.
        Some(inside) if inside.trim().contains(char::is_whitespace) => inside.to_owned(),
        _ => text,
    }
}

/// What a raw token is to the comparison; None for signs and for fillers, which are put aside.
fn token(raw: Raw, english: bool, lexicon: &Lexicon, fillers: &mut Vec<Word>) -> Option<Token> {
    let Raw { text, entry, number, shape, case, clause, sentence, first, .. } = raw;
    let make = |text: Word, stem: Word, key: u64, role: Role, known: bool| Token {
        text,
        stem,
        key,
        pole: 0,
        scale: Scale::None,
        role,
        case,
        known,
        auxiliary: false,
        first,
        clause,
        sentence,
    };
    if let Some(key) = number {
        return Some(make(text.clone(), text, key, Role::Number, true));
    }
    match shape {
        Shape::Sign => return None,
        Shape::Code | Shape::Identifier | Shape::Numeric => {
            let key = hash(&text);
            return Some(make(text.clone(), text, key, Role::Code, true));
        }
        Shape::Word => {}
    }
    if !english {
        let key = hash(&text);
        return Some(make(text.clone(), text, key, Role::Content, false));
    }
    let Meaning { stem, key, used, pole, scale, known } =
        entry.map_or_else(|| Meaning::unlisted(&text, lexicon), |entry| entry.meaning.clone());
    let role = match used {
        Some(Use::Filler) => {
            fillers.push(text);
            return None;
        }
        Some(Use::Negator) => Role::Negator,
        Some(Use::Function) => Role::Function,
        None => Role::Content,
    };
    let auxiliary = role == Role::Function && entry.is_some_and(|entry| entry.is_in(List::Auxiliary));
    Some(Token { pole, scale, auxiliary, ..make(text, stem, key, role, known) })
}
