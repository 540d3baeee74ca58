//! Texts in other languages than English: negators, and a word in the place of another.

use super::exact::numbers;
use super::reading::{Reading, Role, Token};
use super::scan::fold;
use super::similar::typo;
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
    if a.tokens.len() != b.tokens.len() || a.tokens.len() < 3 {
        return None;
    }
    let articles = |x: &Token, y: &Token| words::is_article(&x.text) && words::is_article(&y.text);
    let mut differ = a.tokens.iter().zip(&b.tokens).zip(0..).filter(|((x, y), _)| x.text != y.text && !articles(x, y));
    let ((x, y), at) = differ.next()?;
    if let Some(((p, q), to)) = differ.next() {
        let has = |list: &str, token: &Token| list.split_whitespace().any(|word| fold(word) == token.text);
        let either = a.tokens.iter().any(|token| has(words::EITHER, token));
        let side = has(words::SIDES, &a.tokens[to - 1]);
        let exchanged = differ.next().is_none() && x.text == q.text && y.text == p.text && side && !either;
        return exchanged.then(|| Veto::new(Rule::Order, x.text.as_str(), y.text.as_str()));
    }
    if a.language.places(&x.text) && a.language.places(&y.text) {
        return Some(Veto::new(Rule::Direction, x.text.as_str(), y.text.as_str()));
    }
    let particles = at + 1 == a.tokens.len() && a.language.parts(&x.text, &y.text);
    if particles || a.language.turns(&x.text, &y.text) {
        return Some(Veto::new(Rule::Antonym, x.text.as_str(), y.text.as_str()));
    }
    if a.language.asks(&x.text) && a.language.asks(&y.text) {
        return Some(Veto::new(Rule::QuestionType, x.text.as_str(), y.text.as_str()));
    }
    let common = x.text.chars().zip(y.text.chars()).take_while(|(p, q)| p == q).count();
    let letters = [x, y].map(|token| token.text.chars().count());
    let inflected =
        (common >= 4 && letters.iter().all(|letters| letters - common <= MAX_ENDING)) || typo(&x.text, &y.text);
    // Short words connect, but for what is counted: 3 mai, 3 juin.
    let counted = at > 0 && a.tokens[at - 1].role == Role::Number;
    let heavy = if counted { 2 } else { 3 };
    (!inflected && letters.iter().all(|letters| *letters > heavy))
        .then(|| Veto::new(Rule::Substitution, x.text.as_str(), y.text.as_str()))
}

/// Endings of cases and persons are no longer.
const MAX_ENDING: usize = 3;
