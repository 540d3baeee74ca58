//! Texts in other languages than English: negators, and a word in the place of another.

use super::exact::numbers;
use super::reading::{Reading, Role, Token};
use super::scan::fold;
use super::veto::{Rule, Veto};
use super::words::foreign as words;

/// Rules for the other languages: negators, and one word in the place of another.
pub(super) fn foreign(a: &Reading, b: &Reading) -> Option<Veto> {
    if let Some(veto) = numbers(a, b) {
        return Some(veto);
    }
    // Where two negators are one, in "no ... nada", they do not cancel out.
    let (x, y) = (a.language.negations(a), b.language.negations(b));
    if (x + y) % 2 == 1 {
        let word = |negated: bool| if negated { "not" } else { "" };
        return Some(Veto::new(Rule::Negation, word(x > y), word(y > x)));
    }
    let (p, q) = (bare(&a.tokens), bare(&b.tokens));
    if p.len() != q.len() || p.len() < 3 {
        return None;
    }
    let articles = |x: &Token, y: &Token| words::is_article(&x.text) && words::is_article(&y.text);
    let mut differ = p.iter().zip(q).zip(0..).filter(|((x, y), _)| x.text != y.text && !articles(x, y));
    let ((x, y), at) = differ.next()?;
    if let Some(((first, second), to)) = differ.next() {
        let either = p.iter().any(|token| lists(words::EITHER, token));
        let side = lists(words::SIDES, &p[to - 1]);
        let exchanged = differ.next().is_none() && x.text == second.text && y.text == first.text && side && !either;
        return exchanged.then(|| Veto::new(Rule::Order, x.text.as_str(), y.text.as_str()));
    }
    // Written in two ways: their values agree.
    if x.role == Role::Number && y.role == Role::Number {
        return None;
    }
    if a.language.places(&x.text) && a.language.places(&y.text) {
        return Some(Veto::new(Rule::Direction, x.text.as_str(), y.text.as_str()));
    }
    let particles = at + 1 == p.len() && a.language.parts(&x.text, &y.text);
    if particles || a.language.turns(&x.text, &y.text) {
        return Some(Veto::new(Rule::Antonym, x.text.as_str(), y.text.as_str()));
    }
    if a.language.asks(&x.text) && a.language.asks(&y.text) {
        return Some(Veto::new(Rule::QuestionType, x.text.as_str(), y.text.as_str()));
    }
    let letters = [x, y].map(|token| token.text.chars().count());
    let inflected = is_inflected(&x.text, &y.text) || is_slip(&x.text, &y.text);
    // Short words connect, but for what is counted: 3 mai, 3 juin.
    let counted = at > 0 && p[at - 1].role == Role::Number;
    let heavy = if counted { 2 } else { 3 };
    (!inflected && letters.iter().all(|letters| *letters > heavy))
        .then(|| Veto::new(Rule::Substitution, x.text.as_str(), y.text.as_str()))
}

/// Endings of cases and persons are no longer.
const MAX_ENDING: usize = 3;

fn lists(list: &str, token: &Token) -> bool {
    list.split_whitespace().any(|word| fold(word) == token.text)
}

/// The words without the courtesies at both ends.
fn bare(tokens: &[Token]) -> &[Token] {
    let polite = |token: &&Token| lists(words::COURTESIES, token);
    let from = tokens.iter().take_while(polite).count();
    let to = tokens[from..].iter().rev().take_while(polite).count();
    &tokens[from..tokens.len() - to]
}

/// Whether two words differ in their endings. One letter inside makes another word: cheveux, chevaux.
fn is_inflected(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let common = a.iter().zip(&b).take_while(|(p, q)| p == q).count();
    let endings = [&a[common..], &b[common..]];
    let inside = a.len() == b.len() && a.len() > common + 1 && a[common + 1..] == b[common + 1..];
    common >= 4 && endings.iter().all(|ending| ending.len() <= MAX_ENDING) && !inside
}

/// Whether two letters are exchanged, or one is doubled: no list tells other slips from other words.
fn is_slip(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    let at = short.iter().zip(long).take_while(|(p, q)| p == q).count();
    if short.len() < 4 || at == 0 || at >= long.len() {
        return false;
    }
    if short.len() == long.len() {
        return at + 1 < long.len()
            && short[at] == long[at + 1]
            && short[at + 1] == long[at]
            && short[at + 2..] == long[at + 2..];
    }
    long.len() == short.len() + 1 && long[at] == long[at - 1] && short[at..] == long[at + 1..]
}
