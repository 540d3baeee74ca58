//! What must be the same to the letter: numbers, identifiers, quotations.

use std::collections::HashMap;

use super::lexicon::lexicon;
use super::quantity::{LIST, Quantity, written};
use super::reading::{Reading, Token};
use super::veto::{Rule, Veto, Words};

/// The numbers of both texts, as multisets.
pub(super) fn numbers(a: &Reading, b: &Reading) -> Option<Veto> {
    let exact = |quantity: &Quantity| (quantity.value.clone(), quantity.unit);
    let (left, right) = without_common(&a.numbers, &b.numbers, exact);
    // A unit that only one of them names is no difference.
    let plain = |quantity: &Quantity| quantity.plain.clone();
    let (x, y) = without_common(&left, &right, plain);
    let (mut x, mut y) = dates(x, y);
    match (x.is_empty(), y.is_empty()) {
        (false, true) => x.retain(|more| !says_nothing(more, b)),
        (true, false) => y.retain(|more| !says_nothing(more, a)),
        _ => {}
    }
    if !x.is_empty() || !y.is_empty() {
        if digits(&a.numbers) == digits(&b.numbers) && digits(&a.numbers).len() >= 7 {
            return None;
        }
        return Some(Veto::new(Rule::Number, listed(&x), listed(&y)));
    }
    // Here the plain values agree: do the units that both name?
    let units = |list: &[Quantity]| {
        let mut units: Vec<&str> =
            list.iter().map(|quantity| quantity.unit).filter(|unit| !matches!(*unit, "" | LIST)).collect();
        units.sort_unstable();
        units
    };
    let (p, q) = (units(&left), units(&right));
    let alike = p.is_empty() || q.is_empty() || p.iter().zip(&q).all(|(x, y)| same_unit(x, y));
    (!alike).then(|| Veto::new(Rule::Unit, p.join(", "), q.join(", ")))
}

/// Whether a number is no difference to a text that has none like it: the length of a list, or the one of "1 week" where
/// the text has "a week".
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
    more.unit == LIST || (more.plain == "1" && !more.unit.is_empty() && (0..other.tokens.len()).any(a_unit))
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

/// Pounds are money or weight; what `dates` lets pass is one date.
fn same_unit(x: &str, y: &str) -> bool {
    let (x, y) = if x < y { (x, y) } else { (y, x) };
    x == y || matches!((x, y), ("gbp" | "lb", "pound") | ("date", "either date"))
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

/// All digits and letters in a row: what groups of digits have in common however they are separated.
fn digits(numbers: &[Quantity]) -> String {
    let signs = |byte: &u8| byte.is_ascii_alphanumeric();
    numbers.iter().flat_map(|quantity| quantity.plain.bytes()).filter(signs).map(char::from).collect()
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
