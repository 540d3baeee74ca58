//! What a number bounds: at least two nights, exactly two, up to 500 dollars, more than 500.

use super::reading::{Reading, Role, Token};
use super::veto::{Rule, Veto};

/// What a text allows of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    /// The number itself, or about as much; as a limit where the other text has one: laptops for 500, laptops under 500.
    Itself,
    /// No more and no less.
    Exactly,
    /// At least so much, or more.
    Least,
    /// At most so much, or less.
    Most,
}

/// What stands right before a number that it bounds from below.
const BEFORE_LEAST: [&[&str]; 6] =
    [&["at", "least"], &["over"], &["above"], &["minimum"], &["minimum", "of"], &["exceeding"]];

/// What stands right before a number that it bounds from above.
const BEFORE_MOST: [&[&str]; 8] =
    [&["at", "most"], &["under"], &["below"], &["up", "to"], &["maximum"], &["maximum", "of"], &["max"], &["upto"]];

/// Comparatives before "than" of what there is more of.
const MORE: [&str; 12] = [
    "more", "greater", "higher", "longer", "older", "larger", "bigger", "heavier", "taller", "later", "faster",
    "further",
];

/// Comparatives before "than" of what there is less of.
const LESS: [&str; 11] =
    ["less", "fewer", "lower", "shorter", "younger", "smaller", "lighter", "cheaper", "earlier", "slower", "newer"];

/// What follows on "or" and "and" behind a number.
const BEHIND_LEAST: [&str; 8] = ["more", "over", "above", "older", "higher", "up", "longer", "greater"];
const BEHIND_MOST: [&str; 7] = ["less", "fewer", "under", "below", "younger", "lower", "shorter"];

/// Whether the same numbers bound other things.
pub(super) fn bounds(a: &Reading, b: &Reading) -> Option<Veto> {
    let (x, y) = (bounded(a), bounded(b));
    if x.len() != y.len() || x.iter().zip(&y).any(|(p, q)| p.0 != q.0) {
        return None;
    }
    let (p, q) = x.iter().zip(&y).find(|(p, q)| differ(p.1, q.1))?;
    Some(Veto::new(Rule::Number, shown(a, *p), shown(b, *q)))
}

fn differ(x: Bound, y: Bound) -> bool {
    let either = |p, q| (x == p && y == q) || (x == q && y == p);
    x != y && !either(Bound::Itself, Bound::Exactly) && !either(Bound::Itself, Bound::Most)
}

/// The key of each number, what it bounds, and its place; sorted.
fn bounded(reading: &Reading) -> Vec<(u64, Bound, usize)> {
    let numbers = reading.tokens.iter().enumerate().filter(|(_, token)| token.role == Role::Number);
    let mut found: Vec<_> = numbers.map(|(at, token)| (token.key, bound(&reading.tokens, at), at)).collect();
    // Fillers have no places.
    let exactly = || reading.fillers.iter().any(|word| matches!(word.as_str(), "exactly" | "precisely"));
    if let [(_, only @ Bound::Itself, _)] = &mut found[..]
        && exactly()
    {
        *only = Bound::Exactly;
    }
    found.sort_unstable();
    found
}

fn bound(tokens: &[Token], at: usize) -> Bound {
    let sentence = tokens[at].sentence;
    let inside =
        |at: usize| tokens.get(at).filter(|token| token.sentence == sentence).map_or("", |token| token.text.as_str());
    let before = |back: usize| at.checked_sub(back).map_or("", inside);
    let ends = |words: &&[&str]| words.iter().rev().zip(1..).all(|(word, back)| before(back) == *word);
    let denied = |back: usize| matches!(before(back), "no" | "not");
    if before(1) == "than" {
        let (more, less) = (MORE.contains(&before(2)), LESS.contains(&before(2)));
        return match (more, less, denied(3)) {
            (true, _, false) | (_, true, true) => Bound::Least,
            (true, _, true) | (_, true, false) => Bound::Most,
            _ => Bound::Itself,
        };
    }
    let behind = |at: usize| matches!(inside(at), "or" | "and").then(|| inside(at + 1));
    // A unit may stand between.
    let tail = behind(at + 1).or_else(|| behind(at + 2)).unwrap_or("");
    if BEFORE_LEAST.iter().any(ends) || BEHIND_LEAST.contains(&tail) {
        return Bound::Least;
    }
    if BEFORE_MOST.iter().any(ends) || BEHIND_MOST.contains(&tail) {
        return Bound::Most;
    }
    Bound::Itself
}

fn shown(reading: &Reading, (_, bound, at): (u64, Bound, usize)) -> String {
    let number = &reading.tokens[at].text;
    match bound {
        Bound::Itself => number.to_string(),
        Bound::Exactly => format!("exactly {number}"),
        Bound::Least => format!("at least {number}"),
        Bound::Most => format!("at most {number}"),
    }
}
