//! What must be the same to the letter: numbers, identifiers, quotations.

use std::collections::HashMap;

use super::lexicon::lexicon;
use super::quantity::{LIST, Quantity, written};
use super::reading::{Reading, Token};
use super::scan::any_byte;
use super::veto::{Rule, Veto, Words};

/// The numbers of both texts, as multisets.
pub(super) fn numbers(a: &Reading, b: &Reading) -> Option<Veto> {
    if a.numbers == b.numbers {
        return None;
    }
    let exact = |quantity: &Quantity| (quantity.value.clone(), quantity.unit);
    let (left, right) = without_common(&a.numbers, &b.numbers, exact);
    let clash = other_units(&left, &right);
    // A unit that only one of them names is no difference.
    let plain = |quantity: &Quantity| quantity.plain.clone();
    let (x, y) = without_common(&left, &right, plain);
    let (mut x, mut y) = dates(x, y);
    match (x.len(), y.len()) {
        (1..=MAX_MORE, 0) => x.retain(|more| !says_nothing(more, b)),
        (0, 1..=MAX_MORE) => y.retain(|more| !says_nothing(more, a)),
        _ => {}
    }
    if (!x.is_empty() || !y.is_empty()) && !regrouped(&x, &y) {
        return Some(Veto::new(Rule::Number, listed(&x), listed(&y)));
    }
    let clash = clash.or_else(|| units_exchanged(&a.numbers, &b.numbers));
    clash.map(|(x, y)| Veto::new(Rule::Unit, listed(&[x]), listed(&[y])))
}

/// The first quantities that differ in their units only, where the same numbers stand in the same order: charged 49 EUR instead
/// of 49 USD, and the other way round.
fn units_exchanged(a: &[Quantity], b: &[Quantity]) -> Option<(Quantity, Quantity)> {
    let mut pairs = a.iter().zip(b);
    let named = |quantity: &Quantity| !matches!(quantity.unit, "" | LIST);
    if a.len() != b.len() || pairs.clone().any(|(x, y)| x.plain != y.plain) {
        return None;
    }
    pairs
        .find(|(x, y)| named(x) && named(y) && x.unit != y.unit && !same_unit(x, y))
        .map(|(x, y)| (x.clone(), y.clone()))
}

/// With more numbers than this that the other text has none like, each is a difference.
const MAX_MORE: usize = 8;

/// Two quantities that are written with the same number and have different units: 5 km and 5 m. Where one of them names no
/// unit, it may be any.
fn other_units(a: &[Quantity], b: &[Quantity]) -> Option<(Quantity, Quantity)> {
    let named = |list: &[Quantity]| -> Vec<Quantity> {
        let mut named: Vec<Quantity> =
            list.iter().filter(|quantity| !matches!(quantity.unit, "" | LIST)).cloned().collect();
        named.sort_unstable_by(|p, q| (&p.plain, p.unit, &p.value).cmp(&(&q.plain, q.unit, &q.value)));
        named
    };
    let (x, y) = (named(a), named(b));
    if x.is_empty() || y.is_empty() {
        return None;
    }
    let counts = |list: &[Quantity]| -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for quantity in list {
            *counts.entry(quantity.plain.clone()).or_default() += 1;
        }
        counts
    };
    let all = [counts(a), counts(b)];
    let run = |list: &[Quantity], plain: &str| {
        let from = list.partition_point(|quantity| quantity.plain.as_str() < plain);
        from..from + list[from..].iter().take_while(|quantity| quantity.plain == plain).count()
    };
    let mut at = 0;
    while let Some(first) = x.get(at) {
        let plain = first.plain.as_str();
        let (left, right) = (&x[at..run(&x, plain).end], &y[run(&y, plain)]);
        at += left.len();
        // Those without a unit go with any; what is left over on both sides must have been written in two ways.
        let bare =
            [(0, left.len()), (1, right.len())].map(|(side, named)| all[side].get(plain).map_or(0, |all| all - named));
        let (left, right) = (left.len().saturating_sub(bare[1]), &right[..right.len().saturating_sub(bare[0])]);
        let clash = x[at - left..at].iter().zip(right).find(|(p, q)| !same_unit(p, q));
        if let Some((p, q)) = clash {
            return Some((p.clone(), q.clone()));
        }
    }
    None
}

/// Whether digits are put into other groups only, as in numbers of telephones and cards: 555 123 4567, 5551234567.
fn regrouped(a: &[Quantity], b: &[Quantity]) -> bool {
    const MIN_DIGITS: usize = 7;
    let grouped = |list: &[Quantity]| {
        list.iter().all(|quantity| {
            quantity.unit.is_empty() && quantity.plain.bytes().all(|b| b == b'/' || b.is_ascii_alphanumeric())
        })
    };
    let digits = |list: &[Quantity]| -> String {
        list.iter().flat_map(|quantity| quantity.plain.chars()).filter(|sign| *sign != '/').collect()
    };
    grouped(a) && grouped(b) && digits(a).len() >= MIN_DIGITS && digits(a) == digits(b)
}

/// Whether a number is no difference to a text that has none like it: the length of a list, "1 week" or "7 days" where the text
/// has "a week", or the one of "1 bag" where it has "one bag".
fn says_nothing(more: &Quantity, other: &Reading) -> bool {
    const OTHERS: [&str; 9] = ["last", "next", "this", "that", "every", "each", "past", "previous", "coming"];
    let unit = |token: &Token| {
        let measure = lexicon().measure(&token.text);
        measure.is_some_and(|measure| measure.base == more.unit && written(measure.factor) == more.value)
    };
    let a_unit = |at: usize| {
        let before = at.checked_sub(1).map_or("", |before| other.tokens[before].text.as_str());
        unit(&other.tokens[at]) && !OTHERS.contains(&before)
    };
    let one = more.plain == "1";
    more.unit == LIST
        || (!more.unit.is_empty() && (0..other.tokens.len()).any(a_unit))
        || (one && more.unit.is_empty() && other.tokens.iter().any(|token| token.text == "one"))
}

/// Whether a veto says no more than that one text has a plain, short number that the other lacks.
pub(super) fn is_extra(veto: &Veto, a: &Reading, b: &Reading) -> bool {
    let Words { asked, stored } = &veto.words;
    let plain = |list: &[Quantity]| {
        list.iter().all(|quantity| matches!(quantity.unit, "" | LIST) && quantity.plain.len() <= MAX_PLAIN)
    };
    veto.rule == Rule::Number && (asked.is_empty() || stored.is_empty()) && plain(&a.numbers) && plain(&b.numbers)
}

/// Numbers with more digits are years at most; longer ones name something.
const MAX_PLAIN: usize = 4;

/// Whether two units that differ may be one: pounds are money or weight, a date in digits may begin with the day.
fn same_unit(a: &Quantity, b: &Quantity) -> bool {
    let (x, y) = if a.unit < b.unit { (a.unit, b.unit) } else { (b.unit, a.unit) };
    matches!(
        (x, y),
        ("gbp" | "lb", "pound") | ("date", "either date") | ("celsius", "degree") | ("degree", "fahrenheit")
    )
}

fn without_common<K: std::hash::Hash + Eq>(
    a: &[Quantity],
    b: &[Quantity],
    key: impl Fn(&Quantity) -> K,
) -> (Vec<Quantity>, Vec<Quantity>) {
    if a.is_empty() && b.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut counts: HashMap<K, usize> = HashMap::new();
    for quantity in b {
        *counts.entry(key(quantity)).or_default() += 1;
    }
    let mut left = Vec::new();
    for quantity in a {
        match counts.get_mut(&key(quantity)).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => left.push(quantity.clone()),
        }
    }
    let mut right = Vec::new();
    for quantity in b {
        if let Some(count) = counts.get_mut(&key(quantity)).filter(|count| **count > 0) {
            *count -= 1;
            right.push(quantity.clone());
        }
    }
    (left, right)
}

/// 3/5/2024 is the fifth of March or the third of May where the other text writes the month out.
fn dates(mut a: Vec<Quantity>, mut b: Vec<Quantity>) -> (Vec<Quantity>, Vec<Quantity>) {
    let turned = |quantity: &Quantity| -> Option<String> {
        let parts: Vec<&str> = quantity.value.split('-').collect();
        let [year, month, day] = parts[..] else { return None };
        Some(format!("{year}-{day}-{month}"))
    };
    if let ([x], [y]) = (a.as_slice(), b.as_slice()) {
        let kinds = (x.unit, y.unit);
        let fits = match kinds {
            ("either date", "date") => turned(x).is_some_and(|turned| turned == y.value),
            ("date", "either date") => turned(y).is_some_and(|turned| turned == x.value),
            _ => false,
        };
        if fits {
            a.clear();
            b.clear();
        }
    }
    (a, b)
}

fn listed(numbers: &[Quantity]) -> String {
    let shown = |quantity: &Quantity| match quantity.unit {
        "" | LIST | "time" | "date" | "either date" | "ordinal" => quantity.plain.clone(),
        unit => format!("{} {unit}", quantity.value),
    };
    numbers.iter().take(3).map(shown).collect::<Vec<_>>().join(", ")
}

/// Identifiers and code, as multisets.
pub(super) fn names(a: &Reading, b: &Reading) -> Option<Veto> {
    let (x, y) = apart(&a.names, &b.names);
    (!x.is_empty() || !y.is_empty()).then(|| Veto::new(Rule::Identifier, x, y))
}

/// What only code is written with, where both texts have some: "&&", "7 // 2", "ls -l", "$A1".
pub(super) fn signs(a: &Reading, b: &Reading) -> Option<Veto> {
    if !(a.signs.has_code() || b.signs.has_code()) {
        return None;
    }
    let (x, y) = (code_signs(&a.folded), code_signs(&b.folded));
    if let Some(veto) = doubled(&x, &b.folded).or_else(|| doubled(&y, &a.folded).map(Veto::turned)) {
        return Some(veto);
    }
    if x.is_empty() || y.is_empty() {
        return None;
    }
    let (x, y) = apart(&x, &y);
    (!x.is_empty() && !y.is_empty()).then(|| Veto::new(Rule::Identifier, x, y))
}

/// Operators of several signs of which the other text has one alone: && and &, // and /.
fn doubled(signs: &[String], other: &str) -> Option<Veto> {
    let alone = |sign: char| {
        let mut chunks = other.split_whitespace().map(|chunk| chunk.trim_matches(|c| matches!(c, '"' | '`' | '?')));
        chunks.any(|chunk| chunk.chars().eq([sign]))
    };
    let has = |sign: &str| other.split_whitespace().any(|chunk| chunk.contains(sign));
    signs.iter().filter(|sign| !sign.contains(char::is_alphanumeric) && !has(sign)).find_map(|sign| {
        let single = sign.chars().next().filter(|&first| sign.chars().all(|c| c == first) && alone(first))?;
        Some(Veto::new(Rule::Identifier, sign.as_str(), single.to_string()))
    })
}

/// Chunks of a text that only code is written with, sorted: signs between others, options, and words with $ or % at a letter.
fn code_signs(text: &str) -> Vec<String> {
    const SIGNS: [char; 18] =
        ['&', '|', '<', '>', '=', '\\', '{', '}', '[', ']', '@', '#', '^', '~', '$', '%', '+', '*'];
    if !any_byte(text, |byte| matches!(byte, b'/' | b'-') || SIGNS.contains(&char::from(byte))) {
        return Vec::new();
    }
    let quote = |c| matches!(c, '"' | '\'' | '`' | '(' | ')' | ',' | ';' | ':' | '.');
    let chunks: Vec<&str> = text.split_whitespace().collect();
    let digit = |at: usize| chunks.get(at).is_some_and(|chunk| chunk.contains(|c: char| c.is_ascii_digit()));
    let mut found = Vec::new();
    for (at, chunk) in chunks.iter().enumerate() {
        let chunk = chunk.trim_matches(quote);
        if !chunk.contains(char::is_alphanumeric) {
            // Signs at the ends are decoration, a single one between words is punctuation: pros / cons.
            let inner = at > 0 && at + 1 < chunks.len();
            let many = chunk.chars().count() > 1;
            if inner && chunk.contains(|c| SIGNS.contains(&c) || c == '/') && (many || (digit(at - 1) && digit(at + 1)))
            {
                found.push(chunk.to_owned());
            }
        } else if let Some(name) = chunk.trim_end_matches('?').strip_prefix('-') {
            // Not a dash before a name.
            let letters = |name: &str| name.chars().all(char::is_lowercase) || name.chars().count() == 1;
            if name.starts_with('-') || (letters(name) && name.chars().all(char::is_alphabetic)) {
                found.push(chunk.trim_end_matches('?').to_owned());
            }
        } else if is_variable(chunk) {
            found.push(chunk.trim_end_matches('?').to_lowercase());
        }
    }
    found.sort_unstable();
    found
}

/// Whether a $ or % stands at a letter: $A1, 'a%'; not the name of a currency.
fn is_variable(chunk: &str) -> bool {
    let sign = |byte: u8| matches!(byte, b'$' | b'%');
    let at_letter =
        |two: &[u8]| (sign(two[0]) && two[1].is_ascii_alphabetic()) || (sign(two[1]) && two[0].is_ascii_alphabetic());
    let currency = chunk.get(..3).is_some_and(|begin| matches!(begin.to_lowercase().as_str(), "us$" | "$us"));
    chunk.as_bytes().windows(2).any(at_letter) && !currency
}

/// Quotations, where both texts have some. One alone may be a matter of style.
pub(super) fn literals(a: &Reading, b: &Reading) -> Option<Veto> {
    if a.literals.is_empty() || b.literals.is_empty() {
        return None;
    }
    let (x, y) = apart(&a.literals, &b.literals);
    (!x.is_empty() && !y.is_empty()).then(|| Veto::new(Rule::Literal, x, y))
}

/// The first entry of each sorted list that the other lacks.
fn apart(a: &[String], b: &[String]) -> (String, String) {
    let lacks = |own: &[String], other: &[String]| {
        own.iter().find(|name| count(own, name) > count(other, name)).cloned().unwrap_or_default()
    };
    (lacks(a, b), lacks(b, a))
}

fn count(sorted: &[String], name: &str) -> usize {
    let from = sorted.partition_point(|other| other.as_str() < name);
    let to = sorted.partition_point(|other| other.as_str() <= name);
    to - from
}
