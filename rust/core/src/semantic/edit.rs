//! What a phrase in the place of another, or put in, changes in texts that agree otherwise.

use super::align::{Frame, is_auxiliary, is_light};
use super::grammar::{Asks, grammar};
use super::lexicon::lexicon;
use super::reading::{Reading, Role, Token};
use super::veto::{Rule, Veto};

/// Longer phrases are rewordings.
const MAX_PHRASE: usize = 4;

/// How many words must agree around a phrase for each rule: the surer the rule, the fewer.
const MIN_GOVERNED: usize = 2;
const MIN_PLACE: usize = 5;
const MIN_PARTICLE: usize = 5;

/// Verbs that take another and do not change whether it happens.
const KEEPING: [&str; 12] =
    ["like", "love", "wish", "choose", "decide", "intend", "plan", "prepare", "manage", "learn", "train", "study"];

/// Verbs that put an end to what the next one says, with "-ing".
const ENDING: [&str; 12] = [
    "stop", "stops", "stopped", "stopping", "avoid", "avoids", "avoided", "avoiding", "quit", "quits", "quitting",
    "prevent",
];

/// Prepositions and particles that say where, when or whither; of those on one line each may stand for the others.
const PLACES: [&[&str]; 17] = [
    &["before", "until", "till"],
    &["after", "since"],
    &["behind"],
    &["beyond"],
    &["within", "inside"],
    &["through", "throughout", "during", "via"],
    &["around"],
    &["across"],
    &["outside"],
    &["above", "over"],
    &["under", "below"],
    &["against"],
    &["along"],
    &["between", "among"],
    &["beside", "near"],
    &["without"],
    &["towards", "toward"],
];

/// Verbs that mean something else with each particle.
const PHRASAL: [&str; 20] = [
    "look", "turn", "take", "break", "put", "give", "run", "set", "call", "pick", "hold", "wait", "bring", "come",
    "pass", "cut", "fall", "hand", "keep", "throw",
];

/// Particles that make another verb of one.
const PARTICLES: [&str; 8] = ["off", "out", "over", "down", "up", "after", "away", "through"];

/// Prepositions that leave a verb what it is.
const PLAIN: [&str; 9] = ["in", "into", "on", "onto", "for", "at", "to", "with", "by"];

/// Prepositions and conjunctions that never stand for each other where all else agrees; each may on its own for others.
const UNLIKE: [[&str; 2]; 20] = [
    ["from", "until"],
    ["from", "till"],
    ["from", "via"],
    ["from", "before"],
    ["when", "before"],
    ["when", "until"],
    ["while", "before"],
    ["while", "after"],
    ["for", "until"],
    ["for", "with"],
    ["for", "without"],
    ["between", "with"],
    ["around", "through"],
    ["at", "near"],
    ["by", "until"],
    ["into", "from"],
    ["by", "to"],
    ["by", "like"],
    ["by", "against"],
    ["after", "every"],
];

/// The words in which two readings differ, without those that only carry tense and number.
pub(super) struct Phrases<'r> {
    phrase: [Vec<&'r Token>; 2],
    /// The word before the phrases.
    before: Option<&'r Token>,
    /// The word behind each phrase.
    next: [Option<&'r Token>; 2],
    /// How many words agree around the phrases.
    agree: usize,
}

impl<'r> Phrases<'r> {
    pub(super) fn new(a: &'r Reading, b: &'r Reading, frame: &Frame) -> Self {
        let words = |reading: &'r Reading, side: usize| {
            let mut rest = reading.tokens.iter().filter(|token| !is_auxiliary(token)).skip(frame.front);
            let phrase: Vec<_> = rest.by_ref().take(frame.between[side]).collect();
            (phrase, rest.next())
        };
        let ((x, p), (y, q)) = (words(a, 0), words(b, 1));
        let front = a.tokens.iter().filter(|token| !is_auxiliary(token)).take(frame.front);
        Self { phrase: [x, y], before: front.last(), next: [p, q], agree: frame.front + frame.back }
    }

    fn are_short(&self) -> bool {
        self.phrase.iter().all(|phrase| phrase.len() <= MAX_PHRASE)
    }

    fn shown(&self, side: usize) -> String {
        self.phrase[side].iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn veto(&self, rule: Rule) -> Veto {
        Veto::new(rule, self.shown(0), self.shown(1))
    }
}

/// What two phrases say otherwise between words that agree.
pub(super) fn phrases(a: &Reading, b: &Reading, frame: &Frame) -> Option<Veto> {
    let phrases = Phrases::new(a, b, frame);
    if phrases.agree >= MIN_GOVERNED && is_condition(&phrases, [a, b]) {
        return Some(phrases.veto(Rule::Modifier));
    }
    if !phrases.are_short() {
        return None;
    }
    let either = |rule: fn(&Phrases<'_>, usize) -> bool| rule(&phrases, 0) || rule(&phrases, 1);
    let rule = match phrases.agree {
        MIN_GOVERNED.. if either(governed) => Rule::Modifier,
        MIN_GOVERNED.. if other_particle(&phrases) => Rule::Direction,
        MIN_GOVERNED.. if other_time(&phrases) || unlike(&phrases) => Rule::Direction,
        MIN_PLACE.. if other_place(&phrases) => Rule::Direction,
        MIN_PLACE.. if either(place_for_word) => Rule::Substitution,
        MIN_PARTICLE.. if either(particle) => Rule::Modifier,
        _ => return None,
    };
    Some(phrases.veto(rule))
}

/// Words that begin a condition in a question for yes or no, the first ones in any question.
const CONDITIONS: [&str; 10] = ["while", "during", "unless", "for", "at", "if", "after", "before", "with", "by"];
const ALWAYS: usize = 3;

/// Whether one text has a condition more: safe for children, open at night.
fn is_condition(phrases: &Phrases<'_>, readings: [&Reading; 2]) -> bool {
    let side = usize::from(phrases.phrase[0].is_empty());
    let (phrase, longer) = (&phrases.phrase[side], readings[side]);
    let ([first, rest @ ..], true) = (phrase.as_slice(), phrases.phrase[1 - side].is_empty()) else { return false };
    let Some(at) = CONDITIONS.iter().position(|word| *word == first.text) else { return false };
    let inside = phrases.before.is_some_and(|before| before.sentence == first.sentence);
    // By default, with ease.
    let idle = |token: &Token| matches!(token.text.as_str(), "default" | "ease");
    let says = rest.iter().any(|token| token.role == Role::Content && !is_light(token) && !idle(token));
    inside && says && (at < ALWAYS || matches!(grammar(longer).asks, Asks::Whether | Asks::Can))
}

/// Whether a verb is put in that governs the verb of the other text: neglect to pay, kept from paying.
fn governed(phrases: &Phrases<'_>, side: usize) -> bool {
    let next = phrases.next[side];
    let (phrase, other) = (&phrases.phrase[side], &phrases.phrase[1 - side]);
    let ends = |verb: &Token| verb.role == Role::Content && ENDING.contains(&verb.text.as_str());
    let doing = |token: &Token| token.text.ends_with("ing");
    match (phrase.as_slice(), other.as_slice()) {
        // Stop paying, pay.
        ([verb], []) => return ends(verb) && next.is_some_and(|next| next.role == Role::Content && doing(next)),
        // Stop getting, get.
        ([verb, inner], [plain]) if ends(verb) && doing(inner) => {
            return plain.role == inner.role && plain.text.get(..2) == inner.text.get(..2);
        }
        _ => {}
    }
    let [verb, link, rest @ ..] = phrase.as_slice() else { return false };
    let heavy = match link.text.as_str() {
        "to" => !is_light(verb) && !KEEPING.contains(&verb.text.as_str()),
        "from" => true,
        _ => false,
    };
    let next = rest.first().copied().or(next);
    let verbal = next.is_some_and(|next| next.role == Role::Content || is_auxiliary(next) || next.text == "get");
    let replaced = other.iter().all(|token| link.text == "from" && token.role == Role::Content && is_light(token));
    replaced && verb.role == Role::Content && heavy && verbal && rest.iter().all(|token| is_light(token))
}

/// Whether a single preposition that says when, or with or without what, stands for another one.
fn other_time(phrases: &Phrases<'_>) -> bool {
    const TIMES: [&str; 12] = [
        "before", "until", "till", "after", "since", "during", "within", "without", "under", "below", "above",
        "against",
    ];
    let word = |side: usize| matches!(phrases.phrase[side][..], [token] if TIMES.contains(&token.text.as_str()));
    word(0) && word(1) && other_place(phrases)
}

/// Whether a single preposition or conjunction stands for one that it is never said for.
fn unlike(phrases: &Phrases<'_>) -> bool {
    let word = |side: usize| match phrases.phrase[side].as_slice() {
        // Out of the country, to the country.
        [out, of] if out.text == "out" && of.text == "of" => Some(("from", *of)),
        [token] => Some((token.text.as_str(), *token)),
        _ => None,
    };
    let (Some((x, first)), Some((y, second))) = (word(0), word(1)) else { return false };
    let two = |p: &str, q: &str| UNLIKE.contains(&[p, q]);
    let small = [first, second].iter().all(|token| token.role == Role::Function);
    let turned = matches!((x, y), ("from", "to") | ("to", "from"));
    small && (turned || two(x, y) || two(y, x))
}

/// Whether each phrase has a preposition of place or time that the other has none like.
fn other_place(phrases: &Phrases<'_>) -> bool {
    let [x, y] = [0, 1].map(|side| places(&phrases.phrase[side]));
    !x.is_empty() && !y.is_empty() && x.iter().all(|place| !y.contains(place))
}

fn places(phrase: &[&Token]) -> Vec<usize> {
    let place = |token: &&Token| PLACES.iter().position(|line| line.contains(&token.text.as_str()));
    phrase.iter().filter(|token| token.role == Role::Function).filter_map(place).collect()
}

/// Whether another particle follows a verb that means something else with it: look for, look after.
fn other_particle(phrases: &Phrases<'_>) -> bool {
    let ([x], [y]) = (phrases.phrase[0].as_slice(), phrases.phrase[1].as_slice()) else { return false };
    let is = |token: &Token, list: &[&str]| token.role == Role::Function && list.contains(&token.text.as_str());
    let either = is(x, &PARTICLES) || is(y, &PARTICLES);
    let both = [x, y].iter().all(|token| is(token, &PARTICLES) || is(token, &PLAIN));
    let phrasal = |verb: &Token| PHRASAL.iter().any(|listed| lexicon().stem(listed) == verb.stem);
    either && both && phrases.before.is_some_and(phrasal)
}

/// Whether a single particle is put in: rent, rent out.
fn particle(phrases: &Phrases<'_>, side: usize) -> bool {
    let [token] = phrases.phrase[side][..] else { return false };
    phrases.phrase[1 - side].is_empty()
        && matches!(token.text.as_str(), "out" | "off" | "away" | "without" | "down" | "against")
}

/// Whether a word stands for a preposition of place or time: ahead of, after.
fn place_for_word(phrases: &Phrases<'_>, side: usize) -> bool {
    let (phrase, other) = (&phrases.phrase[side], &phrases.phrase[1 - side]);
    let content = |phrase: &[&Token]| phrase.iter().filter(|token| token.role == Role::Content).count();
    content(phrase) == 1
        && content(other) == 0
        && phrase.iter().any(|token| token.role == Role::Content && !is_light(token))
        && places(other).iter().any(|place| !places(phrase).contains(place))
}
