//! Where the words of two readings agree, and which have no counterpart.

use std::collections::HashSet;

use super::lexicon::{Scale, lexicon};
use super::reading::{Reading, Role, Token};
use super::similar::{Kinship, kinship, typo};

/// Places of words in one reading.
pub(super) type Places = Vec<u32>;

/// What two readings do not share.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Content words that both have.
    pub(super) shared: u32,
    /// Words of one reading without counterpart in the other.
    pub(super) only: [Places; 2],
    /// Pairs of opposites.
    pub(super) opposites: Vec<(u32, u32)>,
    /// Pairs of words that were taken for one by their letters.
    pub(super) kin: Vec<(u32, u32)>,
}

/// With more words left over than this on a side, no letters are compared: the texts differ anyway.
const MAX_REST: usize = 12;

/// Pairs the content words of two readings.
pub(super) fn align(a: &Reading, b: &Reading) -> Difference {
    let mut out = merge(a, b);
    repeated(&mut out, a, b);
    out.only.iter_mut().for_each(|rest| rest.sort_unstable());
    if out.only.iter().all(|rest| rest.len() <= MAX_REST) {
        compounds(&mut out, a, b);
        initials(&mut out, a, b);
        relatives(&mut out, a, b);
        small_typos(&mut out, a, b);
    }
    out
}

/// Pairs equal keys; within a key, equal poles first.
fn merge(a: &Reading, b: &Reading) -> Difference {
    let mut out = Difference::default();
    let (mut i, mut j) = (0, 0);
    while i < a.by_key.len() || j < b.by_key.len() {
        let left = a.by_key.get(i).map(|entry| entry.0);
        let right = b.by_key.get(j).map(|entry| entry.0);
        let key = match (left, right) {
            (Some(x), Some(y)) => x.min(y),
            (x, y) => x.or(y).unwrap_or_default(),
        };
        let run =
            |list: &[(u64, u32)], from: usize| from + list[from..].iter().take_while(|entry| entry.0 == key).count();
        let (to_i, to_j) = (run(&a.by_key, i), run(&b.by_key, j));
        same_key(&mut out, a, b, &a.by_key[i..to_i], &b.by_key[j..to_j]);
        (i, j) = (to_i, to_j);
    }
    out
}

fn same_key(out: &mut Difference, a: &Reading, b: &Reading, left: &[(u64, u32)], right: &[(u64, u32)]) {
    let pole = |reading: &Reading, at: u32| reading.tokens[at as usize].pole;
    // Nearly always a word stands once in each text, or in one only.
    match (left, right) {
        (words, []) => return out.only[0].extend(words.iter().map(|entry| entry.1)),
        ([], words) => return out.only[1].extend(words.iter().map(|entry| entry.1)),
        (&[(_, x)], &[(_, y)]) if pole(a, x) == pole(b, y) => {
            out.shared += 1;
            return;
        }
        _ => {}
    }
    let mut poles: Vec<i8> = left.iter().map(|entry| pole(a, entry.1)).collect();
    poles.extend(right.iter().map(|entry| pole(b, entry.1)));
    poles.sort_unstable();
    poles.dedup();
    let mut opposite = [Vec::new(), Vec::new()];
    for end in poles {
        let places = |reading: &Reading, list: &[(u64, u32)]| -> Vec<u32> {
            list.iter().map(|entry| entry.1).filter(|at| pole(reading, *at) == end).collect()
        };
        let (x, y) = (places(a, left), places(b, right));
        let both = x.len().min(y.len());
        out.shared += both as u32;
        let rest = if end == 0 { &mut out.only } else { &mut opposite };
        rest[0].extend(&x[both..]);
        rest[1].extend(&y[both..]);
    }
    let [x, y] = opposite;
    let both = x.len().min(y.len());
    out.opposites.extend(x.iter().copied().zip(y.iter().copied()).take(both));
    out.only[0].extend(&x[both..]);
    out.only[1].extend(&y[both..]);
}

/// A word that the other text has, only less often, is no difference where the other text has nothing in its place; a name
/// is: his family, Jack's family.
fn repeated(out: &mut Difference, a: &Reading, b: &Reading) {
    for (side, (own, other)) in [(a, b), (b, a)].into_iter().enumerate() {
        if !out.only[1 - side].is_empty() {
            continue;
        }
        out.only[side].retain(|&at| {
            let token = &own.tokens[at as usize];
            let known = other.by_key.binary_search_by_key(&token.key, |entry| entry.0);
            let same_pole = known.is_ok_and(|found| other.tokens[other.by_key[found].1 as usize].pole == token.pole);
            !same_pole || is_name(own, token)
        });
    }
}

/// Two words here are one there: "check in" and "checkin", "wi fi" and "wifi".
fn compounds(out: &mut Difference, a: &Reading, b: &Reading) {
    for (side, (own, other)) in [(a, b), (b, a)].into_iter().enumerate() {
        let mut gone = [Vec::new(), Vec::new()];
        for &at in &out.only[side] {
            let token = &own.tokens[at as usize];
            let long = &token.text;
            let joined = |whole: &str, first: &str, second: &str| {
                first.len() + second.len() == whole.len() && whole.starts_with(first) && whole.ends_with(second)
            };
            let found = out.only[1 - side].iter().copied().find(|&place| {
                let place = place as usize;
                [place.checked_sub(1), Some(place)].into_iter().flatten().any(|first| {
                    let pair = other.tokens.get(first).zip(other.tokens.get(first + 1));
                    let words = pair.filter(|(x, y)| (x.sentence == y.sentence || x.text.len() == 1) && y.text != "i");
                    words.is_some_and(|(x, y)| joined(long, &x.text, &y.text) || joined(&token.stem, &x.text, &y.stem))
                })
            });
            if let Some(place) = found {
                gone[side].push(at);
                let near = |other: u32| other.abs_diff(place) <= 1;
                gone[1 - side].extend(
                    out.only[1 - side]
                        .iter()
                        .copied()
                        .filter(|&place| near(place) && long.contains(other.tokens[place as usize].stem.as_str())),
                );
                out.shared += 1;
            }
        }
        for (rest, gone) in out.only.iter_mut().zip(&gone) {
            rest.retain(|at| !gone.contains(at));
        }
    }
}

/// A short word here, the words it is made of there: "atm" and "automated teller machine".
fn initials(out: &mut Difference, a: &Reading, b: &Reading) {
    for (side, (own, other)) in [(a, b), (b, a)].into_iter().enumerate() {
        let mut found = None;
        for &at in &out.only[side] {
            let short = &own.tokens[at as usize].text;
            let long = &out.only[1 - side];
            let count = short.len();
            // "Bank of America"
            let links =
                |token: &Token| token.role == Role::Function && matches!(token.text.as_str(), "of" | "and" | "for");
            if !(2..=5).contains(&count) || !short.is_ascii() || long.len() < count {
                continue;
            }
            let spells = |run: &&[u32]| {
                run.windows(2).all(|pair| {
                    pair[0] < pair[1] && other.tokens[pair[0] as usize + 1..pair[1] as usize].iter().all(links)
                }) && run.iter().zip(short.chars()).all(|(at, c)| other.tokens[*at as usize].text.starts_with(c))
            };
            found = found.or_else(|| long.windows(count).find(spells).map(|run| (at, run.to_vec())));
        }
        if let Some((at, run)) = found {
            out.only[side].retain(|place| *place != at);
            out.only[1 - side].retain(|place| !run.contains(place));
            out.shared += 1;
        }
    }
}

/// Pairs leftovers that are one word by their letters.
fn relatives(out: &mut Difference, a: &Reading, b: &Reading) {
    let [left, right] = std::mem::take(&mut out.only);
    let mut taken = vec![false; right.len()];
    for at in left {
        let token = &a.tokens[at as usize];
        let kin = right
            .iter()
            .enumerate()
            .filter(|(index, _)| !taken[*index])
            .find_map(|(index, &other)| kinship(token, &b.tokens[other as usize]).map(|kin| (index, other, kin)));
        let Some((index, other, kin)) = kin else {
            out.only[0].push(at);
            continue;
        };
        taken[index] = true;
        if kin == Kinship::Negated {
            out.opposites.push((at, other));
        } else {
            out.kin.push((at, other));
            out.shared += 1;
        }
    }
    out.only[1].extend(right.iter().zip(taken).filter(|(_, taken)| !taken).map(|(at, _)| *at));
}

/// A misspelt filler or function word is no difference: "pleae", "woulld"; nor is "become" for "be".
fn small_typos(out: &mut Difference, a: &Reading, b: &Reading) {
    for (side, (own, other)) in [(a, b), (b, a)].into_iter().enumerate() {
        let alone = out.only[1 - side].is_empty();
        out.only[side].retain(|&at| {
            let token = &own.tokens[at as usize];
            let function = |reading: &Reading, word: &str| {
                reading.tokens.iter().filter(|token| token.role == Role::Function && token.text == word).count()
            };
            // "the us" is "the US".
            if token.text == "usa" && function(own, "us") < function(other, "us") {
                return false;
            }
            if token.known && token.stem != "becom" {
                return true;
            }
            let more = |word: &str| function(own, word) < function(other, word);
            let functions =
                || other.tokens.iter().filter(|other| other.role == Role::Function).map(|other| &other.text);
            let misspelt = functions().find(|word| typo(&token.text, word)).is_some_and(|word| more(word))
                || other
                    .fillers
                    .iter()
                    .find(|word| typo(&token.text, word))
                    .is_some_and(|word| !own.fillers.contains(word))
                || alone && lexicon().courteous_fillers().iter().any(|word| typo(&token.text, word));
            // "How to be one" asks what "how to become one" does.
            let becomes = token.stem == "becom" && ["be", "being", "get", "is", "are"].iter().any(|word| more(word));
            !becomes && (token.known || !misspelt)
        });
    }
}

/// Whether capital letters make a word a name. The first word of a sentence is one only if no list knows it.
pub(super) fn is_name(reading: &Reading, token: &Token) -> bool {
    use super::scan::Case;
    reading.cased
        && token.role == Role::Content
        && token.case != Case::Lower
        && (!token.first || !token.known)
        && matches!(token.scale, Scale::None | Scale::Term)
}

/// Where two readings agree: the same words from the front and from the back, and what stands between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Words from the front.
    pub(super) front: usize,
    /// Words from the back.
    pub(super) back: usize,
    /// How many words each has between.
    pub(super) between: [usize; 2],
}

impl Difference {
    /// A key for each word of both readings: the same for words that were paired, different for opposites that were not.
    pub(super) fn keys(&self, a: &Reading, b: &Reading) -> [Vec<u64>; 2] {
        let key = |token: &Token| token.key ^ (u64::from(token.pole.unsigned_abs() + u8::from(token.pole > 0)) << 60);
        let mut keys = [a, b].map(|reading| reading.tokens.iter().map(key).collect::<Vec<_>>());
        for &(x, y) in self.kin.iter().chain(&self.opposites).take(2 * MAX_REST) {
            let (from, to) = (keys[1][y as usize], keys[0][x as usize]);
            keys.iter_mut().flatten().filter(|key| **key == from).for_each(|key| *key = to);
        }
        keys
    }
}

/// The frame of two readings whose paired words count as equal and whose auxiliaries do not count.
pub(super) fn frame(a: &Reading, b: &Reading, difference: &Difference) -> Frame {
    let counting = |reading: &Reading, keys: Vec<u64>| -> Vec<u64> {
        keys.into_iter().zip(&reading.tokens).filter(|(_, token)| !is_auxiliary(token)).map(|(key, _)| key).collect()
    };
    let [x, y] = difference.keys(a, b);
    let (x, y) = (counting(a, x), counting(b, y));
    let front = x.iter().zip(&y).take_while(|(x, y)| x == y).count();
    let most = x.len().min(y.len()) - front;
    let back = x.iter().rev().zip(y.iter().rev()).take(most).take_while(|(x, y)| x == y).count();
    Frame { front, back, between: [x.len() - front - back, y.len() - front - back] }
}

/// How many words of a text stand in the other one in runs of at least [`RUN`].
///
/// At most `a.tokens.len()`, so that shorter texts need not be asked.
pub(super) fn verbatim(a: &Reading, b: &Reading, difference: &Difference) -> usize {
    let [x, y] = difference.keys(a, b);
    let known: HashSet<&[u64]> = y.windows(RUN).collect();
    let mut covered = 0;
    let mut to = 0;
    for at in (0..(x.len() + 1).saturating_sub(RUN)).filter(|&at| known.contains(&x[at..at + RUN])) {
        covered += at + RUN - to.max(at);
        to = at + RUN;
    }
    covered
}

/// So many words in the same order are no chance.
const RUN: usize = 5;

/// Whether a word only carries tense and number.
pub(super) fn is_auxiliary(token: &Token) -> bool {
    token.auxiliary
}

/// Whether a word is of little weight, so that it seldom narrows a question.
pub(super) fn is_light(token: &Token) -> bool {
    lexicon().is_light(&token.stem)
}

/// Whether a word changes what is asked wherever it is put in.
pub(super) fn is_weighty(token: &Token) -> bool {
    lexicon().is_weighty(&token.stem)
}
