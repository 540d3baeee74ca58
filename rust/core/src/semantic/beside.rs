//! What stands beside the question: a sentence about oneself, thanks at length, a second question.
//!
//! Rules that ask for texts which agree in nearly all words do not see a difference in the question where one text says something
//! beside it: "I am new to this. How do I buy stocks?" against "How do I sell stocks?". So sentences that have a counterpart
//! are judged by themselves.

use super::align::align;
use super::grammar::{Asks, grammar};
use super::letters::Letters;
use super::lexicon::lexicon;
use super::reading::{Reading, Role};
use super::veto::{Rule, Veto};

/// Texts of more sentences are compared as a whole only.
const MAX_SENTENCES: usize = 8;

/// What sentences that correspond say otherwise, as `judge` finds, in texts of which one has several.
pub(super) fn sentences(a: &Reading, b: &Reading, judge: impl Fn(&Reading, &Reading) -> Option<Veto>) -> Option<Veto> {
    if a.sentences.len().max(b.sentences.len()) > MAX_SENTENCES || !(has_several(a) || has_several(b)) || same(a, b) {
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

/// Whether the sentences are the same word by word, so that each corresponds to itself.
fn same(a: &Reading, b: &Reading) -> bool {
    let begins =
        |reading: &Reading, at: usize| at > 0 && reading.tokens[at].sentence != reading.tokens[at - 1].sentence;
    let words = || a.tokens.iter().zip(&b.tokens).enumerate();
    a.tokens.len() == b.tokens.len()
        && words().all(|(at, (x, y))| x.key == y.key && x.text == y.text && begins(a, at) == begins(b, at))
}

/// Whether words of several sentences are left without courtesies.
fn has_several(reading: &Reading) -> bool {
    reading.tokens.first().zip(reading.tokens.last()).is_some_and(|(first, last)| first.sentence != last.sentence)
}

/// Whether a reading has a word, by its key.
fn has(reading: &Reading, key: u64) -> bool {
    reading.by_key.binary_search_by_key(&key, |entry| entry.0).is_ok()
}

/// Which sentences correspond: of each as many words are common as not.
fn counterparts(x: &[Reading], y: &[Reading]) -> Vec<(usize, usize)> {
    let mut taken = vec![false; y.len()];
    let counterpart = |(at, own): (usize, &Reading)| {
        let shared = |other: &Reading| own.by_key.iter().filter(|entry| has(other, entry.0)).count();
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

/// The sentences of a reading, each by itself, out of what was read: to read them anew took as long as the comparison.
/// Numbers and names are left out, which were compared in the whole texts.
fn cut(reading: &Reading) -> Vec<Reading> {
    let ends = reading.sentences.iter().skip(1).map(|end| *end as usize).chain([reading.folded.len()]);
    let spans = reading.sentences.iter().map(|from| *from as usize).zip(ends);
    spans.zip(0..).map(|((from, to), number)| sentence(reading, number, reading.folded.get(from..to))).collect()
}

fn sentence(reading: &Reading, number: u32, folded: Option<&str>) -> Reading {
    // Sentences follow one another; courtesies at the ends are gone.
    let from = reading.tokens.partition_point(|token| token.sentence < number);
    let to = reading.tokens.partition_point(|token| token.sentence <= number);
    let tokens = reading.tokens[from..to].to_vec();
    let inside = reading.by_key.iter().filter(|(_, at)| (from..to).contains(&(*at as usize)));
    Reading {
        language: reading.language,
        folded: folded.unwrap_or_default().to_owned(),
        by_key: inside.map(|(key, at)| (*key, at - from as u32)).collect(),
        negators: reading
            .language
            .negators(tokens.iter().map(|token| (token.text.as_str(), lexicon().entry(&token.text)))),
        tokens,
        fillers: reading.fillers.clone(),
        numbers: Vec::new(),
        names: Vec::new(),
        literals: Vec::new(),
        sentences: vec![0],
        cased: reading.cased,
        // Compared in the whole texts too.
        letters: Letters::default(),
        signs: reading.signs,
        passage: None,
    }
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
    let stands = |one: &Reading, places: &[u32], whole: &Reading| {
        places.iter().any(|&at| has(whole, one.tokens[at as usize].key))
    };
    stands(own, &difference.only[0], b) || stands(other, &difference.only[1], a) || pronouns(own) != pronouns(other)
}
