//! Who does what a verb says: which proteins bind p53, which proteins does p53 bind.
//!
//! No list says which words are verbs. Each word that both texts have once is taken for one; where it is none, nothing
//! stands around it like a subject in both.

use super::lexicon::lexicon;
use super::order::{Roles, is_content, participle};
use super::reading::{Role, Token};

/// What stands between a subject and its verb and says nothing of either.
const AUXILIARIES: [&str; 16] = [
    "do", "does", "did", "have", "has", "had", "will", "would", "can", "could", "should", "may", "might", "must",
    "shall", "cannot",
];
/// Those of them that stand before a subject too.
const DO: [&str; 3] = ["do", "does", "did"];
const HAVE: [&str; 3] = ["have", "has", "had"];
/// The same of a passive.
const PASSIVES: [&str; 11] = ["is", "are", "was", "were", "be", "been", "being", "am", "get", "got", "gets"];
/// Who stands for the noun before it.
const RELATIVES: [&str; 3] = ["who", "that", "which"];
/// What may stand between a verb and what it is done to.
const LINKS: [&str; 11] = ["to", "from", "on", "with", "for", "at", "about", "in", "of", "into", "against"];
/// Words in front of a noun.
const DETERMINERS: [&str; 14] =
    ["my", "our", "your", "their", "his", "her", "its", "this", "that", "these", "those", "any", "all", "every"];
/// Nouns have at most this many words.
const MAX_NOUN: usize = 3;
/// Texts with more words are not looked at: there the same words mostly belong to other sentences.
const MAX_WORDS: usize = 64;

/// Who does something, and to whom; by their keys.
struct Part {
    agent: Option<u64>,
    patient: Vec<u64>,
    /// Whether the words around say that this is a verb and that its agent is meant: does p53 bind, hired by Maria.
    told: bool,
}

/// Whether a verb that both texts have once is done in one text by what it is done to in the other. `alike`: the texts have
/// the same words of meaning; else only what is done by me and to me counts.
pub(super) fn agents_exchanged(a: &Roles<'_>, b: &Roles<'_>, alike: bool) -> bool {
    let has = |roles: &Roles<'_>, listed: [&str; 2]| {
        roles.tokens().iter().any(|token| listed.contains(&token.text.as_str()) && token.role == Role::Function)
    };
    let persons = || (has(a, ["me", "us"]) || has(b, ["me", "us"])) && (has(a, ["i", "we"]) || has(b, ["i", "we"]));
    // In the same order only a passive changes roles: hired by Maria, who hired Maria.
    let turned = || alike && (!words(a).eq(words(b)) || has(a, ["by"; 2]) != has(b, ["by"; 2]));
    if a.keys.len().max(b.keys.len()) > MAX_WORDS || !(persons() || turned()) {
        return false;
    }
    let (once, other) = (once(a), once(b));
    once.iter().any(|&(key, at)| {
        let Ok(found) = other.binary_search_by_key(&key, |entry| entry.0) else { return false };
        let place = other[found].1;
        let (x, y) = (&a.tokens()[at], &b.tokens()[place]);
        // "According to" is what one thinks.
        if [x, y].iter().any(|verb| verb.text.ends_with("ing") || verb.text == "think" || is_mutual(verb)) {
            return false;
        }
        let (p, q) = (part(a, at), part(b, place));
        let turned = |own: &Part, other: &Part| {
            let (Some(agent), Some(another)) = (own.agent, other.agent) else { return false };
            let person = agent <= MAX_PERSON;
            agent != another && other.patient.contains(&agent) && (person || (alike && own.told))
        };
        turned(&p, &q) || turned(&q, &p)
    })
}

/// The keys of the content words, in their order.
fn words<'r>(roles: &'r Roles<'_>) -> impl Iterator<Item = u64> + 'r {
    (0..roles.keys.len()).filter(|&at| is_content(&roles.tokens()[at])).map(|at| roles.keys[at])
}

/// The content words that stand once in a text, by key, with their places.
fn once(roles: &Roles<'_>) -> Vec<(u64, usize)> {
    let places = (0..roles.keys.len()).filter(|&at| roles.tokens()[at].role == Role::Content);
    let mut all: Vec<(u64, usize)> = places.map(|at| (roles.keys[at], at)).collect();
    all.sort_unstable();
    let same = |x: usize, y: usize| all.get(x).zip(all.get(y)).is_some_and(|(x, y)| x.0 == y.0);
    let alone = (0..all.len()).filter(|&at| !(same(at, at + 1) || (at > 0 && same(at - 1, at))));
    alone.map(|at| all[at]).collect()
}

/// Whether what one does to the other the other does to the one.
fn is_mutual(verb: &Token) -> bool {
    lexicon().is_symmetric(&verb.text, &verb.stem)
}

/// What stands around the word at a place, as around a verb.
fn part(roles: &Roles<'_>, at: usize) -> Part {
    let tokens = roles.tokens();
    let is = |place: usize, words: &[&str]| {
        let token = tokens.get(place).filter(|token| token.clause == tokens[at].clause);
        token.is_some_and(|token| token.role != Role::Content && words.contains(&token.text.as_str()))
    };
    let by = is(at + 1, &["by"]);
    let (mut before, mut passive, mut perfect) = (at, by, false);
    while before > 0 {
        let helps = is(before - 1, &AUXILIARIES) || tokens[before - 1].role == Role::Negator;
        let be = is(before - 1, &PASSIVES);
        if !helps && !be {
            break;
        }
        passive |= be;
        perfect |= is(before - 1, &HAVE);
        before -= 1;
    }
    if before > 1 && is(before - 1, &RELATIVES) && is_content(&tokens[before - 2]) {
        before -= 1;
    }
    let inside = |place: &usize| tokens[*place].clause == tokens[at].clause;
    let subject = before.checked_sub(1).filter(inside);
    let subject = subject.and_then(|place| noun(roles, place));
    // What stands before the subject's words: does the old bank offer, are taxes calculated.
    let words = (0..before).rev().take_while(|&place| is_content(&tokens[place]) && inside(&place)).take(MAX_NOUN);
    let first = words.last().unwrap_or(before);
    let first = first - usize::from(first > 0 && is(first - 1, &DETERMINERS));
    let helped = |list: &[&str]| first > 0 && is(first - 1, list);
    passive |= helped(&PASSIVES);
    // Only what is asked for stands before these two: which states did he visit, which has he seen.
    let asked = helped(&DO) || (helped(&HAVE) && first > 1 && is_content(&tokens[first - 2]));
    let direct = at + 1 + usize::from(is(at + 1, &DETERMINERS));
    let open = tokens.get(direct).is_none_or(|_| !inside(&direct) || noun(roles, direct).is_none());
    let from = at + 1 + usize::from(by || is(at + 1, &LINKS));
    let from = from + usize::from(is(from, &DETERMINERS));
    let object = (from..roles.keys.len()).take(MAX_NOUN);
    let object: Vec<u64> = object.map_while(|place| inside(&place).then(|| noun(roles, place)).flatten()).collect();
    if passive && participle(&tokens[at]) {
        // Of a name the last word stands before a verb.
        let agent = if by { object.last().copied() } else { None };
        return Part { agent, patient: subject.into_iter().collect(), told: by };
    }
    // What is asked for does not follow its verb, nor does what a clause belongs to: people whom Tom has called.
    let told = open && (asked || perfect);
    Part { agent: subject, patient: if by { Vec::new() } else { object }, told }
}

/// The largest of the keys of persons; those of words are hashes.
const MAX_PERSON: u64 = 2;

/// The key of a noun, or of a first person in whichever case.
fn noun(roles: &Roles<'_>, at: usize) -> Option<u64> {
    let token = &roles.tokens()[at];
    if is_content(token) {
        return Some(roles.keys[at]);
    }
    Some(match token.text.as_str() {
        "i" | "me" => 1,
        "we" | "us" => 2,
        _ => return None,
    })
}
