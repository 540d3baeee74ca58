//! Two phrases in each other's place: can stress cause hair loss, can hair loss cause stress.

use std::cmp::Ordering;

use super::align::{Difference, is_auxiliary, is_light};
use super::order::{is_content, symmetric};
use super::reading::{Reading, Role, Token};

/// Longer phrases are not looked for.
const MAX_PHRASE: usize = 4;

/// Words that say whose or how many, and are left out: every weekday, any weekday.
const AMOUNTS: [&str; 9] = ["all", "every", "each", "any", "some", "this", "that", "these", "those"];

/// Words whose two sides may change places, whatever stands before them.
const JOINING: [&str; 6] = ["and", "or", "vs", "with", "versus", "nor"];

/// Small words that are sides of something: warmer inside than outside.
const SIDES: [&str; 16] = [
    "inside", "outside", "in", "out", "up", "down", "on", "off", "before", "after", "over", "under", "above", "below",
    "here", "there",
];

/// The words of a reading that the other one has too, each with its place.
type Shared = Vec<(u64, usize)>;

/// Whether two phrases have changed places around words that are the same: P M Q against Q M P, where all that stands before
/// and behind agrees. Words without counterpart are passed over.
pub(super) fn phrases_exchanged(a: &Reading, b: &Reading, difference: &Difference) -> bool {
    let [x, y] = difference.keys(a, b);
    let (mut x, mut y) = (shared(a, x, &difference.only[0]), shared(b, y, &difference.only[1]));
    match x.len().cmp(&y.len()) {
        Ordering::Greater => {
            let more = x.len() - y.len();
            without_appendix(a, &mut x, &difference.only[0], more);
        }
        Ordering::Less => {
            let more = y.len() - x.len();
            without_appendix(b, &mut y, &difference.only[1], more);
        }
        Ordering::Equal => {}
    }
    if x.len() != y.len() {
        return false;
    }
    let same = |(p, q): &(&(u64, usize), &(u64, usize))| p.0 == q.0;
    let front = x.iter().zip(&y).take_while(same).count();
    let back = x[front..].iter().rev().zip(y[front..].iter().rev()).take_while(same).count();
    let (x, y) = (&x[front..x.len() - back], &y[front..y.len() - back]);
    let n = x.len();
    if n == 2 && front + back == 0 && is_predicate(a, x) && is_predicate(b, y) {
        return true;
    }
    let equal = |p: &[(u64, usize)], q: &[(u64, usize)]| p.len() == q.len() && p.iter().zip(q).all(|two| same(&two));
    (1..=MAX_PHRASE.min(n)).any(|first| {
        (1..=MAX_PHRASE.min(n - first)).any(|last| {
            let middle = &x[first..n - last];
            equal(&x[..first], &y[n - first..])
                && equal(&x[n - last..], &y[..last])
                && equal(middle, &y[last..n - first])
                && tells(&a.tokens, &x[..first], middle, &x[n - last..])
        })
    })
}

/// Whether two words are all that a question for yes or no says, of all of one kind: are all fungi mushrooms?
fn is_predicate(reading: &Reading, words: &[(u64, usize)]) -> bool {
    let function = |at: usize, listed: &[&str]| {
        reading
            .tokens
            .get(at)
            .is_some_and(|token| token.role == Role::Function && listed.contains(&token.text.as_str()))
    };
    let all = words.iter().all(|&(_, at)| reading.tokens[at].role == Role::Content);
    all && words.len() + 2 == reading.tokens.len()
        && function(0, &["is", "are"])
        && function(1, &["all", "every", "each", "any"])
}

fn shared(reading: &Reading, keys: Vec<u64>, only: &[u32]) -> Shared {
    let left_out = |at: usize, token: &Token| {
        token.role == Role::Function
            && (AMOUNTS.contains(&token.text.as_str()) || (is_auxiliary(token) && token.text != "my"))
            || only.binary_search(&(at as u32)).is_ok()
    };
    let words = keys.into_iter().enumerate().zip(&reading.tokens);
    words.filter(|((at, _), token)| !left_out(*at, token)).map(|((at, key), _)| (key, at)).collect()
}

/// Leaves out what only one text has at its end, with the small words that link it: "in general", "at home".
fn without_appendix(own: &Reading, words: &mut Shared, only: &[u32], more: usize) {
    let mut links = 0;
    let mut appended = |(at, token): (usize, &Token)| {
        links += usize::from(token.role == Role::Function);
        only.binary_search(&(at as u32)).is_ok() || (token.role == Role::Function && links <= MAX_LINKS)
    };
    let from = own.tokens.len() - own.tokens.iter().enumerate().rev().take_while(|word| appended(*word)).count();
    let kept = words.iter().take_while(|(_, at)| *at < from).count();
    if words.len() - kept == more {
        words.truncate(kept);
    }
}

/// Small words of a phrase that is put behind a question.
const MAX_LINKS: usize = 2;

/// Whether what stands between two phrases tells them apart.
fn tells(tokens: &[Token], left: &[(u64, usize)], middle: &[(u64, usize)], right: &[(u64, usize)]) -> bool {
    let word = |&(_, at): &(u64, usize)| &tokens[at];
    let names = |part: &[(u64, usize)]| part.iter().map(word).any(|token| is_content(token) || token.text == "my");
    let sides = |part: &[(u64, usize)]| part.iter().map(word).all(|token| SIDES.contains(&token.text.as_str()));
    let joins = |token: &Token| JOINING.contains(&token.text.as_str());
    let (Some(begin), Some(end)) = (left.first(), right.last()) else { return false };
    // By bus or by train: what stands before the first stands before the second.
    let before = begin.1.checked_sub(1).map_or("", |at| tokens[at].text.as_str());
    let Some(inner) = middle.iter().map(word).rfind(|token| token.text != before) else { return false };
    // "Who do women think is best", "who is best, women think".
    let says = middle.iter().map(word).any(|token| !is_content(token) || !is_light(token));
    let exchanged = |at: usize| [left, right].iter().any(|part| part.iter().any(|word| word.1 == at));
    let named = (names(left) && names(right)) || (sides(left) && sides(right));
    named && says && !joins(inner) && !symmetric(tokens, begin.1, end.1, exchanged)
}
