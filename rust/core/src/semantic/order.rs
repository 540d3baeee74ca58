//! Who does what to whom: the same words in other roles.

use super::agent::agents_exchanged;
use super::align::Difference;
use super::exchange::phrases_exchanged;
use super::fnv::hash;
use super::lexicon::lexicon;
use super::reading::{Reading, Role, Token};

/// Prepositions whose object has a role that no other part of the sentence has.
const MARKERS: [&str; 10] = ["from", "to", "into", "than", "before", "after", "over", "by", "against", "onto"];

/// A reading whose words have the keys of their counterparts in the other one.
pub(super) struct Roles<'r> {
    reading: &'r Reading,
    pub(super) keys: Vec<u64>,
}

/// Whether the roles of the words differ, for texts that have the same content words.
pub(super) fn exchanged(a: &Reading, b: &Reading, difference: &Difference) -> bool {
    let [x, y] = difference.keys(a, b);
    let (a, b) = (Roles { reading: a, keys: x }, Roles { reading: b, keys: y });
    let persons = me_or_i(&a, &b) || me_or_i(&b, &a) || who_or_whom(&a, &b) || agents_exchanged(&a, &b, true);
    if persons || counted_otherwise(&a, &b) {
        return true;
    }
    match (agent_first(&a), agent_first(&b)) {
        (Some(x), Some(y)) => turned(&x.0, &y.0),
        (Some((passive, verb)), None) => turned(&passive, &active(&b, verb)),
        (None, Some((passive, verb))) => turned(&passive, &active(&a, verb)),
        (None, None) => {
            !(plural_kinds(&a) && plural_kinds(&b))
                && (swapped(&a, &b) || other_objects(&a, &b) || phrases_exchanged(a.reading, b.reading, difference))
        }
    }
}

/// Whether the roles of the words that both have differ, for texts that differ in other words too.
pub(super) fn exchanged_in_part(a: &Reading, b: &Reading, difference: &Difference) -> bool {
    let [x, y] = difference.keys(a, b);
    let (p, q) = (Roles { reading: a, keys: x }, Roles { reading: b, keys: y });
    me_or_i(&p, &q)
        || me_or_i(&q, &p)
        || agents_exchanged(&p, &q, false)
        || (agent_first(&p).is_none() && agent_first(&q).is_none() && phrases_exchanged(a, b, difference))
}

/// Whether a word that holds in both directions stands in a range or shortly before it. Between places that something goes
/// from and to, only distances do, and what "from" itself belongs to: different from. Words that are `exchanged` themselves
/// relate nothing: my dog bit my neighbour.
pub(super) fn symmetric(tokens: &[Token], first: usize, last: usize, exchanged: impl Fn(usize) -> bool) -> bool {
    let sentence = tokens[..first].iter().rposition(|token| token.sentence != tokens[first].sentence);
    let sentence = sentence.map_or(0, |before| before + 1);
    let range = first.saturating_sub(SYMMETRIC_BEFORE).max(sentence)..(last + 1).min(tokens.len());
    let from = range.clone().find(|&at| tokens[at].text == "from");
    let range = range.filter(|at| !exchanged(*at));
    let free = |at: usize| from.is_none_or(|from| at + 1 == from);
    // "So far" is a time.
    let how = |at: usize| tokens[at].text != "far" || (at > 0 && tokens[at - 1].text == "how");
    (sentence..last).any(|at| lexicon().is_distance(&tokens[at].stem) && how(at))
        || range.into_iter().any(|at| free(at) && lexicon().is_symmetric(&tokens[at].text, &tokens[at].stem))
}

/// "How far is it from A to B": so many words before the first side.
const SYMMETRIC_BEFORE: usize = 4;

pub(super) fn is_content(token: &Token) -> bool {
    matches!(token.role, Role::Content | Role::Number | Role::Code)
}

/// The same words in another order.
fn turned(a: &[u64], b: &[u64]) -> bool {
    let sorted = |list: &[u64]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    a != b && sorted(a) == sorted(b)
}

impl Roles<'_> {
    pub(super) fn tokens(&self) -> &[Token] {
        &self.reading.tokens
    }

    /// Keys of the content words in a range, without those of `verb`.
    fn content(&self, range: std::ops::Range<usize>, verb: u64) -> impl Iterator<Item = u64> {
        range.filter(move |&at| is_content(&self.tokens()[at]) && self.keys[at] != verb).map(|at| self.keys[at])
    }

    /// Where the run of content words of one sentence that begins at a place ends.
    fn run(&self, from: usize) -> usize {
        let sentence = self.tokens().get(from).map(|token| token.sentence);
        let inside = |token: &&Token| is_content(token) && Some(token.sentence) == sentence;
        from + self.tokens()[from..].iter().take_while(inside).count()
    }
}

/// In a passive with "by", the content words without the verb, the agent first; and the verb.
fn agent_first(roles: &Roles<'_>) -> Option<(Vec<u64>, u64)> {
    const BE: [&str; 10] = ["is", "are", "was", "were", "be", "been", "being", "am", "get", "got"];
    let tokens = roles.tokens();
    let by = tokens.iter().position(|token| token.text == "by")?;
    let at = by.checked_sub(1).filter(|&at| participle(&tokens[at]))?;
    let inside = |at: usize| tokens[at].sentence == tokens[by].sentence;
    let start = (0..by).find(|&at| inside(at))?;
    tokens[start..by].iter().any(|token| BE.contains(&token.text.as_str())).then_some(())?;
    // "by my neighbour": the agent has words like "my" in front.
    let agent = (by + 1..tokens.len()).find(|&at| is_content(&tokens[at])).filter(|&at| at <= by + 3 && inside(at))?;
    let (verb, end) = (roles.keys[at], roles.run(agent));
    let order = [0..start, agent..end, start..by, end..tokens.len()];
    Some((order.into_iter().flat_map(|range| roles.content(range, verb)).collect(), verb))
}

/// "-ed", "-en" and irregular participles: "by car" follows none.
pub(super) fn participle(token: &Token) -> bool {
    let text = token.text.as_str();
    token.role == Role::Content
        && (["ed", "en", "wn"].iter().any(|end| text.ends_with(end)) || lexicon().is_irregular(text))
}

fn active(roles: &Roles<'_>, verb: u64) -> Vec<u64> {
    roles.content(0..roles.keys.len(), verb).collect()
}

/// Whether both have the same sequence of function words and places, with two words exchanged that do not stand side by
/// side. Those that only "and" and "or" separate may change places.
fn swapped(a: &Roles<'_>, b: &Roles<'_>) -> bool {
    let frame = |roles: &Roles<'_>| -> Vec<u64> {
        roles.tokens().iter().map(|token| if is_content(token) { 0 } else { hash(frame_word(&token.text)) }).collect()
    };
    if frame(a) != frame(b) {
        return false;
    }
    let differs = |at: &usize| a.keys[*at] != b.keys[*at] && is_content(&a.tokens()[*at]);
    let (Some(first), Some(last)) = ((0..a.keys.len()).find(differs), (0..a.keys.len()).rfind(differs)) else {
        return false;
    };
    let inside = &a.tokens()[first..=last];
    let joint = |token: &Token| matches!(token.text.as_str(), "and" | "or");
    // By bus or by train.
    let before = first.checked_sub(1).map_or("", |at| a.tokens()[at].text.as_str());
    let linked = |token: &Token| joint(token) || is_content(token) || token.text == before;
    let listed = inside.iter().any(joint) && inside.iter().all(linked);
    let kept = (first..=last).any(|at| !differs(&at));
    kept && !listed && !symmetric(a.tokens(), first, last, |at| differs(&at))
}

/// Whether a verb is done to me in one text and by me in the other: can my landlord sue me, can I sue my landlord.
fn me_or_i(object: &Roles<'_>, subject: &Roles<'_>) -> bool {
    let is = |token: &Token, words: [&str; 2]| token.role == Role::Function && words.contains(&token.text.as_str());
    // The places of verbs that are done to me.
    let done = |roles: &Roles<'_>| -> Vec<usize> {
        let pairs = roles.tokens().windows(2).enumerate();
        let to_me = pairs.filter(|(_, two)| is_content(&two[0]) && is(&two[1], ["me", "us"]));
        to_me.map(|(at, _)| at).take(MAX_OBJECTS).collect()
    };
    // "How do I" is "how".
    let asks = |two: &[Token]| two[0].first && two[0].text == "how";
    // The places of verbs that I do.
    let does = |roles: &Roles<'_>| -> Vec<usize> {
        let pairs = roles.tokens().windows(2).enumerate();
        let by_me = pairs.filter(|(_, two)| (is(&two[0], ["i", "we"]) || asks(two)) && is_content(&two[1]));
        by_me.map(|(at, _)| at + 1).take(MAX_OBJECTS).collect()
    };
    let (to_me, by_me) = (done(object), does(subject));
    let own = to_me.iter().any(|&to| by_me.iter().any(|&by| object.keys[to] == subject.keys[by]));
    // My employer refuses to give me one; I refuse to give my employer one.
    let (x, y) = (object.tokens(), subject.tokens());
    let theirs = || {
        to_me.iter().any(|&to| {
            let verb = by_me.iter().flat_map(|&from| (from..y.len()).take(MAX_OBJECTS));
            let mut verb = verb.filter(|&at| subject.keys[at] == object.keys[to]);
            let done_by = |key: u64| {
                let mut before = (to.saturating_sub(MAX_OBJECTS)..to).filter(|&at| x[at].sentence == x[to].sentence);
                before.any(|at| is_content(&x[at]) && object.keys[at] == key)
            };
            verb.any(|at| (at + 1..y.len()).take(2).any(|next| is_content(&y[next]) && done_by(subject.keys[next])))
        })
    };
    (own || theirs()) && done(subject).is_empty() && does(object).is_empty()
}

/// Whether one text asks who does something and the other to whom it is done: who beat Nadal, who did Nadal beat.
fn who_or_whom(a: &Roles<'_>, b: &Roles<'_>) -> bool {
    // Behind a comma a question begins as well: "In 2008, who beat Nadal?".
    let question = |roles: &Roles<'_>| {
        let tokens = roles.tokens();
        let begins = |at: &usize| *at == 0 || tokens[*at - 1].clause != tokens[*at].clause;
        (0..tokens.len()).filter(begins).find(|&at| matches!(tokens[at].text.as_str(), "who" | "which" | "what"))
    };
    let asks = |roles: &Roles<'_>| match roles.tokens().get(question(roles)?..)? {
        [who, next, ..] if matches!(who.text.as_str(), "who" | "which" | "what") && next.stem != "mean" => {
            Some(matches!(next.text.as_str(), "do" | "does" | "did")).filter(|object| *object || is_content(next))
        }
        _ => None,
    };
    let words = |roles: &Roles<'_>| roles.content(0..roles.keys.len(), 0).collect::<Vec<_>>();
    matches!((asks(a), asks(b)), (Some(x), Some(y)) if x != y) && turned(&words(a), &words(b))
}

/// Whether the same numbers count other things: two adults and three children, three adults and two children.
fn counted_otherwise(a: &Roles<'_>, b: &Roles<'_>) -> bool {
    let counted = |roles: &Roles<'_>| -> Vec<(u64, u64)> {
        let pairs = roles.tokens().windows(2).zip(roles.keys.windows(2));
        let counts = |two: &[Token]| two[0].role == Role::Number && two[1].role == Role::Content;
        let mut found: Vec<_> = pairs.filter(|(two, _)| counts(two)).map(|(_, keys)| (keys[0], keys[1])).collect();
        found.sort_unstable();
        found
    };
    let (x, y) = (counted(a), counted(b));
    let parts = |list: &[(u64, u64)], part: fn(&(u64, u64)) -> u64| {
        let mut parts: Vec<u64> = list.iter().map(part).collect();
        parts.sort_unstable();
        parts
    };
    x.len() > 1
        && x != y
        && parts(&x, |two| two.0) == parts(&y, |two| two.0)
        && parts(&x, |two| two.1) == parts(&y, |two| two.1)
}

/// Forms of one auxiliary are one word.
fn frame_word(word: &str) -> &str {
    match word {
        "is" | "are" | "was" | "were" | "am" => "be",
        "does" | "did" | "do" => "do",
        "has" | "have" | "had" => "have",
        word => word,
    }
}

/// "Are mushrooms thicker than men?": a question about two kinds of things, whose answer says which, in either order.
fn plural_kinds(roles: &Roles<'_>) -> bool {
    let [head, subject, _, than, object] = roles.tokens() else { return false };
    let plural = |token: &Token| {
        token.role == Role::Content && (token.text.ends_with('s') || lexicon().is_irregular(&token.text))
    };
    head.text == "are" && than.text == "than" && plural(subject) && plural(object)
}

/// Whether a preposition has another object: from A to B, from B to A.
fn other_objects(a: &Roles<'_>, b: &Roles<'_>) -> bool {
    let has = |roles: &Roles<'_>, key: u64| roles.keys.contains(&key);
    // Most texts have few of them or none. Each is looked for once, however often it stands there.
    let firsts = |roles: &Roles<'_>| {
        let mut firsts = [None; MARKERS.len()];
        for (at, token) in roles.tokens().iter().enumerate().filter(|(_, token)| token.role == Role::Function) {
            if let Some(marker) = MARKERS.iter().position(|marker| token.text == *marker) {
                firsts[marker].get_or_insert(at);
            }
        }
        firsts
    };
    MARKERS.into_iter().zip(firsts(a).into_iter().zip(firsts(b))).any(|(marker, places)| {
        let (Some(p), Some(q)) = places else { return false };
        let (x, y) = (objects(a, marker), objects(b, marker));
        let new = x.iter().find(|key| !y.contains(key));
        let old = y.iter().find(|key| !x.contains(key));
        matches!((new, old), (Some(&new), Some(&old)) if has(b, new) && has(a, old))
            && !symmetric(a.tokens(), p, p, |_| false)
            && !symmetric(b.tokens(), q, q, |_| false)
    })
}

/// At most this many objects of one preposition, or verbs of one person, are compared.
const MAX_OBJECTS: usize = 12;

/// The keys of the words that follow a preposition, up to the next word that is no content, with what "and" joins to them; or
/// of a pronoun.
fn objects(roles: &Roles<'_>, marker: &str) -> Vec<u64> {
    const PRONOUNS: [&str; 8] = ["me", "us", "you", "him", "her", "them", "it", "here"];
    const OWNERS: [&str; 6] = ["my", "our", "your", "their", "his", "its"];
    let tokens = roles.tokens();
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| words.contains(&token.text.as_str()));
    let begin = |at: usize| at + 1 + usize::from(is(at + 1, &OWNERS));
    let end = |from: usize| if is(from, &PRONOUNS) { from + 1 } else { roles.run(from).min(from + 3) };
    let joined = |from: usize| {
        let at = end(from);
        let next = if is(at, &["and", "or"]) { begin(at)..end(begin(at)) } else { at..at };
        roles.keys[from..at].iter().chain(&roles.keys[next]).copied().collect::<Vec<_>>()
    };
    let places = tokens.iter().enumerate().filter(|(_, token)| token.text == marker);
    places.map(|(at, _)| begin(at)).flat_map(joined).take(MAX_OBJECTS).collect()
}
