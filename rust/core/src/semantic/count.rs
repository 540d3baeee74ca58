//! Finds the numbers of a text among its tokens, with what belongs to them: units, signs, months, halves of the day.

use super::entry::{List, comparative};
use super::fnv::hash;
use super::lexicon::Lexicon;
use super::quantity::{LIST, Numeral, Quantity, clock, numeral, written};
use super::scan::{Case, Raw, Shape, Word};

/// Marks the tokens that are numbers, and lists the numbers in order.
pub(super) fn count(mut tokens: Vec<Raw>, english: bool, lexicon: &Lexicon) -> (Vec<Raw>, Vec<Quantity>) {
    // Most texts have none.
    if tokens.iter().all(is_no_number) {
        return (tokens, Vec::new());
    }
    // The places of tokens that begin a number, with how many belong to it. They are marked behind the last one.
    let (mut found, mut numbers, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        let (used, quantity) = quantity(&tokens, at, english, lexicon);
        if let Some(quantity) = quantity {
            found.push((at, used.max(1)));
            numbers.push(quantity);
        }
        at += used.max(1);
    }
    for ((at, _), quantity) in found.iter().zip(&numbers) {
        let raw = &mut tokens[*at];
        if raw.shape == Shape::Sign {
            raw.rewrite(Word::from(quantity.plain.as_str()));
        }
        raw.number = Some(hash(&quantity.plain));
    }
    if found.iter().any(|(_, used)| *used > 1) {
        let mut rest = found.iter().flat_map(|(at, used)| at + 1..at + used).peekable();
        let mut places = 0..;
        tokens.retain(|_| places.next().is_none_or(|at| rest.next_if_eq(&at).is_none()));
    }
    if english {
        mark_lists(&tokens, &mut numbers, lexicon);
    }
    (tokens, numbers)
}

/// Words before the length of a list: "what are five types", "give me 3 reasons".
const OPENERS: [&str; 14] =
    ["are", "were", "the", "some", "give", "me", "us", "list", "name", "state", "mention", "describe", "explain", "of"];

/// What lists are made of.
const LISTED: [&str; 14] = [
    "examples",
    "reasons",
    "ways",
    "tips",
    "types",
    "kinds",
    "facts",
    "ideas",
    "methods",
    "things",
    "factors",
    "aspects",
    "benefits",
    "advantages",
];

/// Longer lists are counted for their own sake.
const MAX_LIST: u32 = 100;

/// Marks the numbers that only say how long a list is to be: the top 5 songs, five types of songs.
fn mark_lists(tokens: &[Raw], numbers: &mut [Quantity], lexicon: &Lexicon) {
    let word = |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Word).map_or("", |raw| &raw.text);
    let counted = tokens.iter().enumerate().filter(|(_, raw)| raw.number.is_some());
    for ((at, _), quantity) in counted.zip(numbers) {
        let before = at.checked_sub(1).map_or("", word);
        let best = |word: &str| {
            matches!(word, "top" | "best" | "worst" | "most" | "least" | "main" | "major" | "favorite" | "favourite")
                || (word.ends_with("est") && comparative(word, lexicon).is_some())
        };
        let lists = || [at + 1, at + 2].iter().any(|&at| LISTED.contains(&word(at)));
        let short = quantity.unit.is_empty()
            && quantity.plain.parse::<u32>().is_ok_and(|count| (2..=MAX_LIST).contains(&count));
        if short && (before == "top" || best(word(at + 1)) || (OPENERS.contains(&before) && lists())) {
            quantity.unit = LIST;
        }
    }
}

/// Whether no number begins with a token.
fn is_no_number(raw: &Raw) -> bool {
    raw.shape == Shape::Word && !raw.is_in(List::Numeric)
}

/// The quantity that begins at a token, and how many tokens it takes.
fn quantity(tokens: &[Raw], at: usize, english: bool, lexicon: &Lexicon) -> (usize, Option<Quantity>) {
    let raw = &tokens[at];
    if is_no_number(raw) {
        return (1, None);
    }
    let sign =
        |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Sign).and_then(|raw| lexicon.measure(&raw.text));
    let word = |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Word).map_or("", |raw| raw.text.as_str());
    let numeric = |at: usize| {
        tokens.get(at).filter(|raw| raw.shape == Shape::Numeric).map(|raw| numeral(&raw.text, english, lexicon))
    };
    let in_front = sign(at).or_else(|| lexicon.measure(word(at)).filter(|_| word(at).len() == 3));
    let in_front = in_front.filter(|measure| raw.shape == Shape::Sign || measure.base.len() == 3);
    if let (Some(measure), Some(Numeral::Number { plain, value })) = (in_front, numeric(at + 1)) {
        let (used, plain, value) = multiplied(tokens, at + 2, plain, value, lexicon);
        let named = lexicon.measure(word(at + 2 + used)).is_some_and(|other| other.base == measure.base);
        return (2 + used + usize::from(named), Some(Quantity::of(value, plain, measure)));
    }
    if raw.shape == Shape::Word {
        return match word(at) {
            "noon" | "midday" if english => (1, Some(Quantity::time(720))),
            "midnight" if english => (1, Some(Quantity::time(0))),
            "half" | "quarter" if english && matches!(word(at + 1), "past" | "to") => past(tokens, at, lexicon),
            "half" if english => half(tokens, at, lexicon),
            month if english && lexicon.month(month).is_some() => dated(tokens, at, lexicon),
            _ => spelled(tokens, at, english, lexicon),
        };
    }
    // "95V-72C": part of an identifier, no temperature.
    let joined =
        raw.glued && at > 0 && matches!(tokens[at - 1].shape, Shape::Word | Shape::Numeric | Shape::Identifier);
    let letters = raw.text.len() - raw.text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    if joined && raw.shape == Shape::Numeric && letters == 1 && !raw.text.ends_with(['k', 'm', 'g', 'l']) {
        return (1, Some(Quantity::bare(raw.text.to_string())));
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
            let half = Some(word(at + 1)).filter(|half| matches!(*half, "am" | "pm"));
            if let Some(Numeral::Time(minutes)) = half.and_then(|half| clock(&raw.text, half)) {
                return (2, Some(Quantity::time(minutes)));
            }
            if word(at + 1) == "o'clock" || word(at + 1) == "oclock" {
                return match Some(value as u32).filter(|_| (0.0..=24.0).contains(&value)) {
                    Some(hour) => (2, Some(Quantity::time(hour * 60))),
                    None => (2, Some(Quantity::bare(plain))),
                };
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
            // One letter that touches the number came with it; one by itself is a unit where no word of meaning follows.
            Shape::Word => {
                raw.text.len() > 1 || (!raw.glued && raw.case == Case::Lower && ends_noun(tokens, at + used))
            }
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

/// Whether no word of meaning follows in the clause: "500 g of sugar", not "the 5 s model".
fn ends_noun(tokens: &[Raw], at: usize) -> bool {
    let next = tokens.get(at + 1).filter(|next| next.clause == tokens[at].clause);
    next.is_none_or(|next| next.used().is_some())
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

/// "Half an hour", "half hour": half of the unit that follows; not of "two and a half hours".
fn half(tokens: &[Raw], at: usize, lexicon: &Lexicon) -> (usize, Option<Quantity>) {
    let word = |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Word).map_or("", |raw| raw.text.as_str());
    let used = if matches!(word(at + 1), "a" | "an") { 3 } else { 2 };
    let mixed = (at.saturating_sub(2)..at).any(|at| word(at) == "and");
    match lexicon.measure(word(at + used - 1)).filter(|_| !mixed) {
        Some(measure) => (used, Some(Quantity::of(0.5, "0.5".into(), measure))),
        None => (1, None),
    }
}

/// "Half past six", "quarter to 9": a time of day.
fn past(tokens: &[Raw], at: usize, lexicon: &Lexicon) -> (usize, Option<Quantity>) {
    let Some(raw) = tokens.get(at + 2) else { return (1, None) };
    let hour = match raw.shape {
        Shape::Word => lexicon.number(&raw.text, true).map(u64::from),
        _ => raw.text.parse().ok(),
    };
    let Some(hour) = hour.filter(|hour| (1..=12).contains(hour)) else { return (1, None) };
    let half = tokens.get(at + 3).filter(|half| matches!(half.text.as_str(), "am" | "pm"));
    let hour = match half {
        Some(half) => hour as u32 % 12 + if half.text == "pm" { 12 } else { 0 },
        None => hour as u32,
    };
    let minutes = match (tokens[at].text.as_str(), tokens[at + 1].text.as_str()) {
        ("half", "past") => hour * 60 + 30,
        ("quarter", "past") => hour * 60 + 15,
        ("quarter", "to") => (hour * 60 + 24 * 60 - 15) % (24 * 60),
        _ => return (1, None),
    };
    (3 + usize::from(half.is_some()), Some(Quantity::time(minutes)))
}

/// "twenty-one", "two hundred and five", "three million", with the unit behind them.
fn spelled(tokens: &[Raw], at: usize, english: bool, lexicon: &Lexicon) -> (usize, Option<Quantity>) {
    let word = |at: usize| tokens.get(at).filter(|raw| raw.shape == Shape::Word).map_or("", |raw| raw.text.as_str());
    let (mut total, mut part, mut used) = (0.0_f64, 0.0_f64, 0);
    let mut tens = false;
    // "Thanks a million" counts nothing.
    let thanked = at >= 2 && word(at - 1) == "a" && matches!(word(at - 2), "thanks" | "thank" | "thx");
    let thanks = tokens.get(at + 1).is_some_and(|next| next.text == "thanks" && next.clause == tokens[at].clause);
    if thanked || thanks {
        return (1, None);
    }
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
