//! A text, read: its words with what the lists know of them, its numbers, and how it asks.

use super::fnv::hash;
use super::language::{Language, language};
use super::lexicon::{Concept, Lexicon, Scale, Template, Use, lexicon};
use super::quantity::{Numeral, Quantity, clock, numeral, written};
use super::scan::{Case, Raw, Scan, Shape, fold, scan};

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
    pub(super) text: String,
    /// What its inflections share.
    pub(super) stem: String,
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
    pub(super) fillers: Vec<String>,
    /// Content words by key, for merging.
    pub(super) by_key: Vec<(u64, u32)>,
    pub(super) numbers: Vec<Quantity>,
    /// Identifiers and code, sorted.
    pub(super) names: Vec<String>,
    /// What stands in quotation marks, sorted.
    pub(super) literals: Vec<String>,
    pub(super) negators: u32,
    /// Whether capital letters mark names: not in a text all in lower or all in upper case.
    pub(super) cased: bool,
}

impl Reading {
    /// Reads `text`, in whichever language and script.
    pub fn new(text: &str) -> Self {
        let lexicon = lexicon();
        let folded = fold(text);
        let Scan { tokens, mut literals } = scan(&folded);
        let language = language(&tokens);
        let english = language == Language::English;
        let tokens = expand(tokens, english, lexicon);
        let (tokens, numbers) = count(tokens, english, lexicon);
        let tokens = if english { polite(phrases(tokens, lexicon), lexicon) } else { tokens };
        let negators =
            language.negators(tokens.iter().filter(|(_, number)| number.is_none()).map(|(raw, _)| raw.text.as_str()));
        let cased = tokens.iter().any(|(raw, _)| raw.case == Case::Lower && raw.shape == Shape::Word);
        let mut fillers = Vec::new();
        let tokens: Vec<Token> =
            tokens.into_iter().filter_map(|(raw, number)| token(raw, number, english, lexicon, &mut fillers)).collect();
        let mut by_key: Vec<(u64, u32)> = tokens
            .iter()
            .zip(0..)
            .filter(|(token, _)| token.role == Role::Content)
            .map(|(token, at)| (token.key, at))
            .collect();
        by_key.sort_unstable();
        let mut names: Vec<String> =
            tokens.iter().filter(|token| token.role == Role::Code).map(|token| token.text.clone()).collect();
        names.sort_unstable();
        literals.sort_unstable();
        Self { language, folded, tokens, fillers, by_key, numbers, names, literals, negators, cased }
    }
}

/// A token and, if it is one, the number it stands for.
type Counted = (Raw, Option<Quantity>);

/// A word like `raw` with another text.
fn like(raw: &Raw, text: &str) -> Raw {
    Raw { text: text.to_owned(), shape: Shape::Word, first: false, case: Case::Lower, ..raw.clone() }
}

/// Writes short forms out: "don't" is "do not", "what's" "what is".
fn expand(tokens: Vec<Raw>, english: bool, lexicon: &Lexicon) -> Vec<Raw> {
    let mut out = Vec::with_capacity(tokens.len() + 4);
    for mut raw in tokens {
        if raw.shape != Shape::Word {
            out.push(raw);
            continue;
        }
        if !english {
            // French elision: l'argent, n'est.
            if let Some((_, rest)) =
                raw.text.split_once('\'').filter(|(before, rest)| before.len() <= 2 && !rest.is_empty())
            {
                raw.text = rest.to_owned();
            }
            out.push(raw);
            continue;
        }
        let bare: String = raw.text.chars().filter(|c| *c != '\'').collect();
        if let Some(long) = lexicon.contraction(&bare) {
            let capital = (raw.case, raw.first);
            out.extend(long.iter().map(|word| like(&raw, word)));
            let at = out.len() - long.len();
            (out[at].case, out[at].first) = capital;
            continue;
        }
        let Some((base, tail)) = raw.text.split_once('\'') else {
            out.push(raw);
            continue;
        };
        let tail = match tail {
            "re" => "are",
            "ve" => "have",
            "ll" => "will",
            "d" => "would",
            "m" => "am",
            "s" => "",
            _ => {
                raw.text = bare;
                out.push(raw);
                continue;
            }
        };
        let (base, tail) = (base.to_owned(), (!tail.is_empty()).then(|| like(&raw, tail)));
        raw.text = base;
        out.push(raw);
        out.extend(tail);
    }
    out
}

/// Finds the numbers, with the units, signs, months and halves of the day that belong to them.
fn count(tokens: Vec<Raw>, english: bool, lexicon: &Lexicon) -> (Vec<Counted>, Vec<Quantity>) {
    let mut found = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let (used, quantity) = quantity(&tokens, at, english, lexicon);
        found.push((used.max(1), quantity));
        at += used.max(1);
    }
    let numbers = found.iter().filter_map(|(_, quantity)| quantity.clone()).collect();
    let mut rest = tokens.into_iter();
    let take = |(used, quantity): (usize, Option<Quantity>)| {
        let mut raw = rest.next()?;
        rest.by_ref().take(used - 1).for_each(drop);
        if let Some(quantity) = quantity.as_ref().filter(|_| raw.shape == Shape::Sign) {
            raw.text.clone_from(&quantity.plain);
        }
        Some((raw, quantity))
    };
    (found.into_iter().filter_map(take).collect(), numbers)
}

/// The quantity that begins at a token, and how many tokens it takes.
fn quantity(tokens: &[Raw], at: usize, english: bool, lexicon: &Lexicon) -> (usize, Option<Quantity>) {
    let raw = &tokens[at];
    let sign =
        |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Sign).and_then(|raw| lexicon.measure(&raw.text));
    let word = |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Word).map_or("", |raw| raw.text.as_str());
    let numeric = |at: usize| {
        tokens.get(at).filter(|raw| raw.shape == Shape::Numeric).map(|raw| numeral(&raw.text, english, lexicon))
    };
    let in_front = sign(at).or_else(|| lexicon.measure(word(at)).filter(|_| word(at).len() == 3));
    if let Some(measure) = in_front {
        if let Some(Numeral::Number { plain, value }) = numeric(at + 1) {
            let (used, plain, value) = multiplied(tokens, at + 2, plain, value, lexicon);
            if raw.shape == Shape::Sign || measure.base.len() == 3 {
                let named = lexicon.measure(word(at + 2 + used)).is_some_and(|other| other.base == measure.base);
                return (2 + used + usize::from(named), Some(Quantity::of(value, plain, measure)));
            }
        }
    }
    if raw.shape == Shape::Word {
        return match word(at) {
            "noon" | "midday" if english => (1, Some(Quantity::time(720))),
            "midnight" if english => (1, Some(Quantity::time(0))),
            month if english && lexicon.month(month).is_some() => dated(tokens, at, lexicon),
            _ => spelled(tokens, at, english, lexicon),
        };
    }
    let Some(numeral) = numeric(at) else { return (1, None) };
    match numeral {
        Numeral::Time(minutes) if matches!(word(at + 1), "am" | "pm") => match clock(&raw.text, word(at + 1)) {
            Some(Numeral::Time(minutes)) => (2, Some(Quantity::time(minutes))),
            _ => (2, Some(Quantity::time(minutes))),
        },
        Numeral::Time(minutes) => (1, Some(Quantity::time(minutes))),
        Numeral::Date { year, month, day, either } => (1, Some(Quantity::date(year, month, day, either))),
        Numeral::Other(text) => (1, Some(Quantity::bare(text))),
        Numeral::Measured { plain, value, measure } => (1, Some(Quantity::of(value, plain, measure))),
        Numeral::Ordinal(text) => {
            if let (used, Some(date)) = dated(tokens, at, lexicon) {
                return (used, Some(date));
            }
            (1, Some(Quantity { value: text.clone(), unit: "ordinal", plain: text }))
        }
        Numeral::Number { plain, value } => {
            if let (used, Some(date)) = dated(tokens, at, lexicon) {
                return (used, Some(date));
            }
            if let half @ ("am" | "pm") = word(at + 1) {
                if let Some(Numeral::Time(minutes)) = clock(&raw.text, half) {
                    return (2, Some(Quantity::time(minutes)));
                }
            }
            if word(at + 1) == "o'clock" || word(at + 1) == "oclock" {
                return (2, Some(Quantity::time(value as u32 * 60)));
            }
            let (used, plain, value) = multiplied(tokens, at + 1, plain, value, lexicon);
            measured(tokens, at, 1 + used, plain, value, lexicon)
        }
    }
}

/// A unit after the number that ends before `at + used`.
fn measured(
    tokens: &[Raw],
    at: usize,
    used: usize,
    plain: String,
    value: f64,
    lexicon: &Lexicon,
) -> (usize, Option<Quantity>) {
    let measure = tokens.get(at + used).and_then(|raw| {
        let fits = match raw.shape {
            Shape::Sign => raw.glued || raw.text != "$",
            // One letter is a unit only where it touches the number; those came with the number itself.
            Shape::Word => raw.text.len() > 1,
            _ => false,
        };
        lexicon.measure(&raw.text).filter(|_| fits)
    });
    match measure {
        // ° C
        Some(measure) if measure.base == "degree" => {
            let next = tokens.get(at + used + 1).and_then(|raw| lexicon.measure(&raw.text));
            match next.filter(|next| matches!(next.base, "celsius" | "fahrenheit")) {
                Some(next) => (used + 2, Some(Quantity::of(value, plain, next))),
                None => (used + 1, Some(Quantity::of(value, plain, measure))),
            }
        }
        Some(measure) => (used + 1, Some(Quantity::of(value, plain, measure))),
        None => (used, Some(Quantity::bare(plain))),
    }
}

/// "5 million": multipliers behind a number.
fn multiplied(tokens: &[Raw], at: usize, plain: String, value: f64, lexicon: &Lexicon) -> (usize, String, f64) {
    let mut used = 0;
    let mut value = value;
    while let Some(factor) = tokens
        .get(at + used)
        .filter(|raw| raw.shape == Shape::Word && raw.text.len() > 1)
        .and_then(|raw| lexicon.multiplier(&raw.text))
    {
        value *= factor;
        used += 1;
    }
    (used, if used == 0 { plain } else { written(value) }, value)
}

/// "twenty-one", "two hundred and five", "three million", with the unit behind them.
fn spelled(tokens: &[Raw], at: usize, english: bool, lexicon: &Lexicon) -> (usize, Option<Quantity>) {
    let word = |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Word).map_or("", |raw| raw.text.as_str());
    let (mut total, mut part, mut used) = (0.0_f64, 0.0_f64, 0);
    let mut tens = false;
    loop {
        let next = word(at + used);
        if let Some(value) = lexicon.number(next, english) {
            let value = f64::from(value);
            // Two numbers in a row are two numbers, except after tens and hundreds.
            let joins = part == 0.0 || (tens && value < 10.0) || (part % 100.0 == 0.0 && value < 100.0);
            if used > 0 && !joins {
                break;
            }
            part += value;
            tens = value >= 20.0;
        } else if let Some(factor) = lexicon.multiplier(next).filter(|_| english && next.len() > 1) {
            let count = if part == 0.0 { 1.0 } else { part };
            if factor >= 1000.0 {
                total += count * factor;
                part = 0.0;
            } else {
                part = count * factor;
            }
            tens = false;
        } else if next == "and" && used > 0 && part >= 100.0 && lexicon.number(word(at + used + 1), english).is_some() {
        } else {
            break;
        }
        used += 1;
    }
    if used == 0 {
        return (1, None);
    }
    let value = total + part;
    let (taken, quantity) = measured(tokens, at, used, written(value), value, lexicon);
    // "one" is mostly a pronoun: a number only with a unit or in a larger number.
    let pronoun = used == 1 && word(at) == "one" && quantity.as_ref().is_some_and(|quantity| quantity.unit.is_empty());
    if pronoun { (1, None) } else { (taken, quantity) }
}

/// "March 5", "5th of March 2024".
fn dated(tokens: &[Raw], at: usize, lexicon: &Lexicon) -> (usize, Option<Quantity>) {
    let word = |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Word).map_or("", |raw| raw.text.as_str());
    let digits = |at: usize, most: u32| {
        let raw = tokens.get(at).filter(|raw| raw.shape == Shape::Numeric)?;
        let text = raw.text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let ordinal = matches!(&raw.text[text.len()..], "" | "st" | "nd" | "rd" | "th");
        text.parse::<u32>().ok().filter(|value| ordinal && (1..=most).contains(value))
    };
    let year = |at: usize| digits(at, 2999).filter(|year| *year > 999);
    if let Some(month) = lexicon.month(word(at)) {
        if let Some(day) = digits(at + 1, 31) {
            let year = year(at + 2);
            return (2 + usize::from(year.is_some()), Some(Quantity::date(year.unwrap_or(0), month, day, false)));
        }
        return (1, None);
    }
    let of = usize::from(word(at + 1) == "of");
    match (digits(at, 31), lexicon.month(word(at + 1 + of))) {
        (Some(day), Some(month)) => {
            let year = year(at + 2 + of);
            (2 + of + usize::from(year.is_some()), Some(Quantity::date(year.unwrap_or(0), month, day, false)))
        }
        _ => (1, None),
    }
}

/// Replaces turns of phrase.
fn phrases(tokens: Vec<Counted>, lexicon: &Lexicon) -> Vec<Counted> {
    let mut found = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let template = template(&tokens[at..], lexicon);
        at += template.map_or(1, |template| template.words.len());
        found.push(template);
    }
    let mut rest = tokens.into_iter();
    let mut out = Vec::with_capacity(found.len() + 4);
    for template in found {
        let Some(head) = rest.next() else { break };
        let Some(template) = template else {
            out.push(head);
            continue;
        };
        rest.by_ref().take(template.words.len() - 1).for_each(drop);
        let mut first = head.0.first;
        for word in &template.means {
            out.push((Raw { first: std::mem::take(&mut first), ..like(&head.0, word) }, None));
        }
    }
    out
}

/// The longest template that the tokens begin with, inside of one clause.
fn template<'l>(tokens: &[Counted], lexicon: &'l Lexicon) -> Option<&'l Template> {
    let [(head, None), (next, None), ..] = tokens else { return None };
    let same = |template: &&Template| {
        template.words.len() <= tokens.len()
            && template
                .words
                .iter()
                .zip(tokens)
                .all(|(word, (raw, number))| number.is_none() && raw.clause == head.clause && raw.text == *word)
    };
    lexicon.templates(&head.text, &next.text).iter().find(same)
}

/// Longer clauses are no mere courtesy.
const MAX_COURTESY: usize = 9;

/// Takes clauses off both ends that hold nothing but politeness.
fn polite(mut tokens: Vec<Counted>, lexicon: &Lexicon) -> Vec<Counted> {
    let empty = |tokens: &[Counted]| courtesy(tokens, lexicon);
    let clause_end = |from: usize| {
        let clause = tokens[from].0.clause;
        from + tokens[from..].iter().take_while(|(raw, _)| raw.clause == clause).count()
    };
    let mut from = 0;
    while from < tokens.len() {
        let end = clause_end(from);
        if end == tokens.len() || !empty(&tokens[from..end]) {
            break;
        }
        from = end;
    }
    let mut to = tokens.len();
    while to > from {
        let clause = tokens[to - 1].0.clause;
        let start = to - tokens[..to].iter().rev().take_while(|(raw, _)| raw.clause == clause).count();
        if start <= from || !empty(&tokens[start..to]) {
            break;
        }
        to = start;
    }
    tokens.truncate(to);
    tokens.drain(..from);
    tokens
}

/// Whether a clause holds words of courtesy and such that connect them, or nothing but fillers. "Is that not possible?" asks
/// something, "if it is not too much trouble" does not.
fn courtesy(clause: &[Counted], lexicon: &Lexicon) -> bool {
    let uses = |what: Use| clause.iter().any(|(raw, _)| lexicon.use_of(&raw.text) == Some(what));
    let listed = |(raw, number): &Counted| {
        number.is_none()
            && raw.shape == Shape::Word
            && (lexicon.is_courtesy(&raw.text) || lexicon.use_of(&raw.text).is_some())
    };
    let polite = clause.iter().any(|(raw, _)| lexicon.is_courtesy(&raw.text)) || !uses(Use::Function);
    let conditional = clause.first().is_some_and(|(raw, _)| raw.text == "if");
    clause.len() <= MAX_COURTESY && clause.iter().all(listed) && polite && (conditional || !uses(Use::Negator))
}

/// What a raw token is to the comparison; None for signs and for fillers, which are put aside.
fn token(
    raw: Raw,
    number: Option<Quantity>,
    english: bool,
    lexicon: &Lexicon,
    fillers: &mut Vec<String>,
) -> Option<Token> {
    let Raw { text, shape, case, clause, sentence, first, .. } = raw;
    let make = |text: String, stem: String, key: u64, role: Role, concept: Option<Concept>, known: bool| {
        let (pole, scale) = concept.map_or((0, Scale::None), |concept| (concept.pole, concept.scale));
        Some(Token { text, stem, key, pole, scale, role, case, known, first, clause, sentence })
    };
    if let Some(number) = number {
        let key = hash(&number.plain);
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
    let mut concept = lexicon.concept(&stem);
    if concept.is_none() {
        if let Some(base) = comparative(&text, lexicon) {
            concept = lexicon.concept(&base);
            stem = base;
        }
    }
    let known = lexicon.knows(&text, &stem);
    let key = concept.map_or_else(|| hash(&stem), |concept| u64::from(concept.number));
    make(text, stem, key, Role::Content, concept, known)
}

/// The stem of the adjective that a comparative or superlative is made of, if it is listed: "cheaper", "funniest". Words in
/// "-er" are mostly no comparatives, so that theirs must be the end of a scale.
fn comparative(word: &str, lexicon: &Lexicon) -> Option<String> {
    let (base, any) = match word.strip_suffix("est") {
        Some(base) => (base, true),
        None => (word.strip_suffix("er")?, false),
    };
    let listed = |base: &str| {
        let stem = lexicon.stem(base);
        lexicon.concept(&stem).filter(|concept| any || concept.scale == Scale::Graded).map(|_| stem)
    };
    let undoubled = || base.get(..base.len().checked_sub(1)?).and_then(listed);
    listed(base).or_else(undoubled)
}
