//! What stands beside the question: a sentence about oneself, thanks at length, a second question.
//!
//! Rules that ask for texts which agree in nearly all words do not see a difference in the question where one text says something
//! beside it: "I am new to this. How do I buy stocks?" against "How do I sell stocks?". So sentences that have a counterpart
//! are judged by themselves.

use super::align::align;
use super::fnv::Set;
use super::grammar::{Asks, grammar};
use super::reading::{Reading, Role};
use super::veto::{Rule, Veto};

/// Texts of more sentences are compared as a whole only.
const MAX_SENTENCES: usize = 8;

/// What sentences that correspond say otherwise, as `judge` finds, in texts of which one has several.
pub(super) fn sentences(a: &Reading, b: &Reading, judge: impl Fn(&Reading, &Reading) -> Option<Veto>) -> Option<Veto> {
    let several = a.sentences.len().max(b.sentences.len()) > 1;
    if !several || a.sentences.len().max(b.sentences.len()) > MAX_SENTENCES {
        return None;
    }
    let (x, y) = (cut(a), cut(b));
    let pairs = counterparts(&x, &y);
    // A second question says more of what is asked: "Is it safe? If not, why?".
    let asks = |list: &[Reading], side: fn(&(usize, usize)) -> usize| {
        let alone = list.iter().enumerate().filter(|(at, _)| !pairs.iter().any(|pair| side(pair) == *at));
        alone.map(|(_, one)| grammar(one).asks).any(|asks| asks != Asks::Other)
    };
    if asks(&x, |pair| pair.0) || asks(&y, |pair| pair.1) {
        return None;
    }
    pairs.iter().find_map(|&(own, other)| {
        let (own, other) = (&x[own], &y[other]);
        let veto = judge(own, other)?;
        // What must be the same to the letter was compared in the whole texts.
        let exact = matches!(veto.rule, Rule::Number | Rule::Unit | Rule::Identifier | Rule::Literal);
        (!exact && !explained(own, other, a, b)).then_some(veto)
    })
}

/// Which sentences correspond: of each as many words are common as not.
fn counterparts(x: &[Reading], y: &[Reading]) -> Vec<(usize, usize)> {
    let mut taken = vec![false; y.len()];
    let counterpart = |(at, own): (usize, &Reading)| {
        let shared = |other: &Reading| {
            let known: Set<u64> = other.by_key.iter().map(|entry| entry.0).collect();
            own.by_key.iter().filter(|entry| known.contains(&entry.0)).count()
        };
        let free = y.iter().enumerate().filter(|(place, _)| !taken[*place]);
        let (place, other, count) = free
            .map(|(place, other)| (place, other, shared(other)))
            .max_by_key(|(place, _, count)| (*count, usize::MAX - place))?;
        let near = [own, other].iter().all(|one| 2 * count >= one.by_key.len());
        if count == 0 || !near {
            return None;
        }
        taken[place] = true;
        Some((at, place))
    };
    x.iter().enumerate().filter_map(counterpart).collect()
}

/// The sentences of a reading that say something, each by itself.
fn cut(reading: &Reading) -> Vec<Reading> {
    let ends = reading.sentences.iter().skip(1).map(|end| *end as usize).chain([reading.folded.len()]);
    let spans = reading.sentences.iter().map(|from| *from as usize).zip(ends);
    let texts = spans.filter_map(|(from, to)| reading.folded.get(from..to));
    texts.map(Reading::new).filter(|one| one.language == reading.language).collect()
}

/// Whether a word that only one of two sentences has stands in the rest of the other text: "I lost my card. How do I get it
/// back?".
fn explained(own: &Reading, other: &Reading, a: &Reading, b: &Reading) -> bool {
    let difference = align(own, other);
    let pronouns = |reading: &Reading| {
        let is = |word: &str| {
            matches!(word, "it" | "this" | "that" | "one" | "they" | "them" | "he" | "she" | "him" | "her")
        };
        reading.tokens.iter().any(|token| token.role == Role::Function && is(&token.text))
    };
    let has = |reading: &Reading, key: u64| reading.by_key.binary_search_by_key(&key, |entry| entry.0).is_ok();
    let stands = |one: &Reading, places: &[u32], whole: &Reading| {
        places.iter().any(|&at| has(whole, one.tokens[at as usize].key))
    };
    stands(own, &difference.only[0], b) || stands(other, &difference.only[1], a) || pronouns(own) != pronouns(other)
}
