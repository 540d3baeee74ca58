//! A text, read: its words with what the lists know of them, its numbers, and how it asks.

use super::count::count;
use super::fnv::hash;
use super::language::{Language, language};
use super::lexicon::{Concept, Lexicon, Scale, Use, lexicon};
use super::quantity::Quantity;
use super::rewrite::{expand, open_ends, phrases, polite};
use super::scan::{Case, Raw, Scan, Shape, Word, fold, scan};

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
}

impl Reading {
    /// Reads `text`, in whichever language and script.
    pub fn new(text: &str) -> Self {
        let lexicon = lexicon();
        let folded = unquoted(fold(text));
        let Scan { tokens, mut literals, sentences } = scan(&folded);
        let language = language(&tokens);
        let english = language == Language::English;
        // Before short forms are written out, which are in lower case then.
        let cased = tokens.iter().any(|raw| raw.case == Case::Lower && raw.shape == Shape::Word);
        let tokens = expand(tokens, english, lexicon);
        let (tokens, numbers) = count(tokens, english, lexicon);
        let tokens = if english { polite(phrases(open_ends(tokens), lexicon), lexicon) } else { tokens };
        let negators =
            language.negators(tokens.iter().filter(|(_, number)| number.is_none()).map(|(raw, _)| raw.text.as_str()));
        let mut fillers = Vec::new();
        let read = tokens.into_iter();
        let mut tokens: Vec<Token> = Vec::with_capacity(read.len());
        tokens.extend(read.filter_map(|(raw, number)| token(raw, number, english, lexicon, &mut fillers)));
        let content = tokens.iter().zip(0..).filter(|(token, _)| token.role == Role::Content);
        let mut by_key: Vec<(u64, u32)> = Vec::with_capacity(tokens.len());
        by_key.extend(content.map(|(token, at)| (token.key, at)));
        by_key.sort_unstable();
        let mut names: Vec<String> =
            tokens.iter().filter(|token| token.role == Role::Code).map(|token| token.text.to_string()).collect();
        names.sort_unstable();
        literals.sort_unstable();
        Self { language, folded, tokens, fillers, by_key, numbers, names, literals, negators, sentences, cased }
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
fn token(raw: Raw, number: Option<u64>, english: bool, lexicon: &Lexicon, fillers: &mut Vec<Word>) -> Option<Token> {
    let Raw { text, shape, case, clause, sentence, first, .. } = raw;
    let make = |text: Word, stem: Word, key: u64, role: Role, concept: Option<Concept>, known: bool| {
        let (pole, scale) = concept.map_or((0, Scale::None), |concept| (concept.pole, concept.scale));
        Some(Token { text, stem, key, pole, scale, role, case, known, first, clause, sentence })
    };
    if let Some(key) = number {
        return make(text.clone(), text, key, Role::Number, None, true);
    }
    match shape {
        Shape::Sign => return None,
        Shape::Code | Shape::Identifier | Shape::Numeric => {
            let key = hash(&text);
            return make(text.clone(), text, key, Role::Code, None, true);
        }
        Shape::Word => {}
    }
    if !english {
        let key = hash(&text);
        return make(text.clone(), text, key, Role::Content, None, false);
    }
    match lexicon.use_of(&text) {
        Some(Use::Filler) => {
            fillers.push(text);
            return None;
        }
        Some(Use::Negator) => {
            let key = hash("not");
            return make(text.clone(), text, key, Role::Negator, None, true);
        }
        Some(Use::Function) => {
            let key = hash(&text);
            return make(text.clone(), text, key, Role::Function, None, true);
        }
        None => {}
    }
    let mut stem = lexicon.stem(&text);
    let mut concept = lexicon.concept(&text, &stem);
    if let (None, Some(base)) = (concept, comparative(&text, lexicon)) {
        concept = lexicon.concept(&base, &base);
        stem = base;
    }
    let known = concept.is_some() || lexicon.is_irregular(&text);
    let key = concept.map_or_else(|| hash(&stem), |concept| u64::from(concept.number));
    make(text, stem, key, Role::Content, concept, known)
}

/// The stem of the adjective that a comparative or superlative is made of, if it is listed: "cheaper", "funniest". Words in
/// "-er" are mostly no comparatives, so that theirs must be the end of a scale.
pub(super) fn comparative(word: &str, lexicon: &Lexicon) -> Option<Word> {
    let (base, any) = match word.strip_suffix("est") {
        Some(base) => (base, true),
        None => (word.strip_suffix("er")?, false),
    };
    let listed = |base: &str| {
        let stem = lexicon.stem(base);
        lexicon.concept(base, &stem).filter(|concept| any || concept.scale == Scale::Graded).map(|_| stem)
    };
    let undoubled = || base.get(..base.len().checked_sub(1)?).and_then(listed);
    listed(base).or_else(undoubled)
}
