//! What words without counterpart, negators and opposites say.

use super::align::{Difference, Frame, align, frame, is_auxiliary, is_light, is_name, is_weighty, verbatim};
use super::bound::bounds;
use super::edit::phrases;
use super::exact::{self, numbers};
use super::grammar::{Asks, Grammar, conflict, grammar, is_preposition, opposed};
use super::lexicon::Scale;
use super::nuance::{asks_advice, asks_otherwise, nuance};
use super::order::{exchanged, exchanged_in_part};
use super::reading::{Reading, Role, Token};
use super::scan::Case;
use super::veto::{Rule, Veto};

/// With more words without counterpart than this, a plain number that one text has more is part of a rewording.
const MAX_REST_OF_NUMBER: usize = 1;

/// Rules for English.
pub(super) fn english(a: &Reading, b: &Reading) -> Option<Veto> {
    let numbers = numbers(a, b);
    // Most hits differ in courtesies, which are no words of a reading.
    if numbers.is_none() && same_words(a, b) {
        return None;
    }
    let difference = align(a, b);
    let rewording = difference.only.iter().map(Vec::len).sum::<usize>() > MAX_REST_OF_NUMBER;
    if let Some(veto) = numbers.filter(|veto| !(rewording && exact::is_extra(veto, a, b))) {
        return Some(veto);
    }
    let rest = |side: usize| difference.only[side].len() as u32;
    let (left, right) = (rest(0), rest(1));
    polarity(a, b, &difference)
        .or_else(|| sides([a, b], &difference.only[0]))
        .or_else(|| sides([b, a], &difference.only[1]).map(Veto::turned))
        .or_else(|| bounds(a, b))
        .or_else(|| {
            let frame = frame(a, b, &difference);
            entities(a, b, &difference, &frame).or_else(|| phrases(a, b, &frame)).or_else(|| {
                let same = left == 0 && right == 0;
                if same { structure(a, b, &difference) } else { words(a, b, &difference, &frame) }
            })
        })
        .or_else(|| {
            let exchanged = left + right > 0 && exchanged_in_part(a, b, &difference);
            exchanged.then(|| Veto::new(Rule::Order, outline(a), outline(b)))
        })
}

/// Whether the texts are the same word by word.
fn same_words(a: &Reading, b: &Reading) -> bool {
    a.tokens.len() == b.tokens.len() && a.tokens.iter().zip(&b.tokens).all(|(x, y)| x.key == y.key && x.text == y.text)
}

/// Words that say nothing by themselves, but are the other side of something: my right eye, even pages.
const OTHER_SIDES: [[&str; 2]; 2] = [["left", "right"], ["odd", "even"]];

/// Whether the first text has one of two sides, among its words without counterpart, where the other text has the other,
/// which was read as a filler.
fn sides([a, b]: [&Reading; 2], only: &[u32]) -> Option<Veto> {
    let has = |reading: &Reading, filler: &str| reading.fillers.iter().any(|word| word == filler);
    let only = |word: &str| only.iter().any(|&at| a.tokens[at as usize].text == word);
    let found = OTHER_SIDES.iter().find(|[word, filler]| only(word) && has(b, filler) && !has(a, filler));
    found.map(|[word, filler]| Veto::new(Rule::Antonym, *word, *filler))
}

/// Negators against negators and opposites.
fn polarity(a: &Reading, b: &Reading, difference: &Difference) -> Option<Veto> {
    let left: u32 = difference.only.iter().map(|rest| rest.len() as u32).max().unwrap_or(0);
    let near = difference.shared >= left;
    let odd = (a.negators + b.negators) % 2 == 1;
    let text = |reading: &Reading, at: u32| reading.tokens[at as usize].text.clone();
    if let Some(&(x, y)) = difference.opposites.first() {
        let less = opposed(a, b).is_some_and(|pair| is_degree(pair.0)) || lessened(a, x) != lessened(b, y);
        let graded = difference.opposites.len() == 1
            && a.tokens[x as usize].scale != Scale::Converse
            && b.tokens[y as usize].scale != Scale::Converse
            && (turned(a, x) || turned(b, y));
        let cancelled = graded && (odd != less);
        return (!cancelled && near).then(|| Veto::new(Rule::Antonym, text(a, x), text(b, y)));
    }
    let close = difference.only.iter().map(Vec::len).sum::<usize>() <= 2;
    if odd && near && close {
        return Some(Veto::new(Rule::Negation, negated(a, b), negated(b, a)));
    }
    None
}

/// Whether a negator or "less" stands right before a word: not thin, less passive. Further away it turns something else.
fn turned(reading: &Reading, at: u32) -> bool {
    let at = at as usize;
    lessened(reading, at as u32)
        || reading.tokens[at.saturating_sub(2)..at].iter().any(|token| token.role == Role::Negator)
}

/// Whether "less" stands right before a word: least expensive, cheapest.
fn lessened(reading: &Reading, at: u32) -> bool {
    let at = at as usize;
    let before = &reading.tokens[at.saturating_sub(2)..at];
    before.iter().any(|token| matches!(token.text.as_str(), "less" | "fewer" | "least"))
}

/// Whether one of two opposites turns an adjective around: least painful, most painless.
fn is_degree(word: &str) -> bool {
    matches!(word, "more" | "less" | "most" | "least")
}

fn negated(own: &Reading, other: &Reading) -> String {
    if own.negators > other.negators { "not".into() } else { String::new() }
}

/// Names without counterpart on both sides.
fn entities(a: &Reading, b: &Reading, difference: &Difference, frame: &Frame) -> Option<Veto> {
    fn name<'r>(reading: &'r Reading, only: &[u32]) -> Option<&'r Token> {
        only.iter().map(|at| &reading.tokens[*at as usize]).find(|token| is_name(reading, token))
    }
    if let (Some(x), Some(y)) = (name(a, &difference.only[0]), name(b, &difference.only[1])) {
        let single = difference.only.iter().all(|rest| rest.len() == 1);
        let close = frame.front + frame.back > 0 && frame.between.iter().all(|between| *between <= MAX_NAMED);
        if !initials(x, y) && (single || close) {
            return Some(Veto::new(Rule::Entity, x.text.as_str(), y.text.as_str()));
        }
    }
    None
}

fn initials(x: &Token, y: &Token) -> bool {
    (x.case == Case::Upper) != (y.case == Case::Upper) && x.text.chars().next() == y.text.chars().next()
}

/// The same content words: how are they put together?
fn structure(a: &Reading, b: &Reading, difference: &Difference) -> Option<Veto> {
    if let Some((x, y)) = opposed(a, b).filter(|pair| !(difference.opposites.len() == 1 && is_degree(pair.0))) {
        return Some(Veto::new(Rule::Direction, x, y));
    }
    let (x, y) = (grammar(a), grammar(b));
    if x.questions == 1
        && y.questions == 1
        && conflict(x.asks, y.asks)
        && !x.asks_part_of(&y)
        && !y.asks_part_of(&x)
        && asks_otherwise(a, b, [x.asks, y.asks])
    {
        return Some(Veto::new(
            Rule::QuestionType,
            format!("{:?}", x.asks).to_lowercase(),
            format!("{:?}", y.asks).to_lowercase(),
        ));
    }
    if let Some(veto) = nuance(a, b, [x.asks, y.asks], difference) {
        return Some(veto);
    }
    if x.may != y.may && x.must != y.must && x.may != x.must && !(asks_advice(a) && asks_advice(b)) {
        let word = |must: bool| if must { "should" } else { "can" };
        return Some(Veto::new(Rule::Modality, word(x.must), word(y.must)));
    }
    if (x.and > y.and && x.or < y.or) || (x.and < y.and && x.or > y.or) {
        let word = |and: bool| if and { "and" } else { "or" };
        return Some(Veto::new(Rule::Conjunction, word(x.and > y.and), word(y.and > x.and)));
    }
    if (x.past > 0) == (y.future > 0) && (x.future > 0) == (y.past > 0) && (x.past > 0) != (x.future > 0) {
        let word = |grammar: &Grammar| if grammar.past > 0 { "did" } else { "will" };
        return Some(Veto::new(Rule::Modality, word(&x), word(&y)));
    }
    if x.persons != y.persons && !x.persons.is_empty() && !y.persons.is_empty() {
        return Some(Veto::new(Rule::Pronoun, persons(&x.persons), persons(&y.persons)));
    }
    // "How does one improve his or her writing?" is about anybody.
    let third = |own: &Grammar, other: &Grammar| {
        own.persons.len() == 1
            && !own.first_person
            && other.persons.is_empty()
            && other.first_person
            && a.tokens.len() == b.tokens.len()
    };
    if third(&x, &y) || third(&y, &x) {
        let who = |grammar: &Grammar| if grammar.first_person { "I".into() } else { persons(&grammar.persons) };
        return Some(Veto::new(Rule::Pronoun, who(&x), who(&y)));
    }
    exchanged(a, b, difference).then(|| Veto::new(Rule::Order, outline(a), outline(b)))
}

fn persons(list: &[u8]) -> String {
    list.iter().take(4).map(|person| if *person == b'h' { "he" } else { "she" }).collect::<Vec<_>>().join(", ")
}

/// The content words in their order.
fn outline(reading: &Reading) -> String {
    reading.by_key.first().map_or_else(String::new, |_| {
        let content = reading.tokens.iter().filter(|token| token.role != super::reading::Role::Function);
        content.take(6).map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
    })
}

/// Words without counterpart, in texts that agree otherwise.
fn words(a: &Reading, b: &Reading, difference: &Difference, frame: &Frame) -> Option<Veto> {
    let x = Rest::new(a, &difference.only[0]);
    let y = Rest::new(b, &difference.only[1]);
    let agree = frame.front + frame.back;
    // A word more leaves these what they are: the most spoken language, the least spoken national language.
    let sure = |pair: &(&str, &str)| matches!(pair.0, "most" | "least" | "before" | "after" | "on" | "off");
    let few = difference.only.iter().all(|rest| rest.len() <= 1);
    let near = frame.between.iter().all(|between| *between <= MAX_TURNED);
    if let Some((x, y)) = opposed(a, b).filter(|pair| few && (near || sure(pair))) {
        return Some(Veto::new(Rule::Direction, x, y));
    }
    if restricted(a, b, difference) {
        return Some(Veto::new(Rule::Modifier, x.shown(), y.shown()));
    }
    if x.heavy.is_empty() && y.heavy.is_empty() {
        return if agree == 0 { None } else { structure(a, b, difference) };
    }
    let slack = if agree >= MIN_NEAR || (sentences(a) && sentences(b) && agree >= MIN_BESIDE) { MAX_LINKS } else { 0 };
    // What stands between are the words without counterpart and, in texts that agree much, few that link them.
    let minimal = [&x, &y].iter().zip(frame.between).all(|(rest, between)| {
        let words = rest.heavy.len() + rest.light;
        between >= words && between <= words + slack && words > 0 && (1..=MAX_NAMED + slack).contains(&between)
    });
    if !x.heavy.is_empty() && !y.heavy.is_empty() {
        let copies = || a.tokens.len() >= MIN_VERBATIM && verbatim(a, b, difference) >= MIN_VERBATIM;
        let minimal = minimal || linked(frame, [a, b], [&x, &y]) || copies();
        return minimal.then(|| Veto::new(Rule::Substitution, x.shown(), y.shown()));
    }
    let (rest, longer) = if x.heavy.is_empty() { (&y, b) } else { (&x, a) };
    // A word of little weight is a counterpart to none that no list knows: "find the table", "varnish the table".
    if minimal && rest.heavy.iter().any(|(_, token)| is_term(token) || undoes(token)) {
        return Some(Veto::new(Rule::Substitution, x.shown(), y.shown()));
    }
    if narrows(rest, longer, frame, x.light + y.light) {
        return Some(Veto::new(Rule::Modifier, x.shown(), y.shown()));
    }
    nuance(a, b, [a, b].map(|reading| grammar(reading).asks), difference)
}

/// Whether only one text has a word that leaves out what is asked or all else, and few others: only one exception.
fn restricted(a: &Reading, b: &Reading, difference: &Difference) -> bool {
    let has = |side: usize, reading: &Reading, listed: &[&str]| {
        difference.only[side].iter().filter(|&&at| listed.contains(&reading.tokens[at as usize].text.as_str())).count()
    };
    let other = |listed: &[&str]| has(0, a, listed) != has(1, b, listed);
    let few = difference.only.iter().all(|rest| rest.len() <= MAX_BESIDE);
    few && difference.shared > 1 && (other(&["only", "solely", "exclusively"]) || other(&["except"]))
}

/// A verb and a particle: gifts I receive from my parents, gifts I make to my parents.
const MAX_TURNED: usize = 2;

/// Words beside "only" that may differ too.
const MAX_BESIDE: usize = 2;

/// Whether each text has, in the place of the other's, a preposition with words of its own: at home, during pregnancy.
fn linked(frame: &Frame, readings: [&Reading; 2], rests: [&Rest<'_>; 2]) -> bool {
    let has = |side: usize| {
        let words = rests[side].heavy.len() + rests[side].light;
        let mut counting = readings[side].tokens.iter().filter(|token| !is_auxiliary(token));
        let link = counting.nth(frame.front);
        frame.between[side] == words + 1 && words <= MAX_NAMED && link.is_some_and(is_preposition)
    };
    frame.front + frame.back >= MIN_BESIDE && has(0) && has(1)
}

/// Texts that have so many words in common, in runs, are copies of one another, and what differs was changed.
const MIN_VERBATIM: usize = 16;

/// Whether a word names one thing, as far as the lists know.
fn is_term(token: &Token) -> bool {
    !token.known || token.scale == Scale::Term
}

/// Whether a word is the end of a scale that undoes the other: selling, deleting, stopping.
fn undoes(token: &Token) -> bool {
    token.scale == Scale::Converse && token.pole > 0
}

/// Texts that agree in so many words are nearly the same.
const MIN_NEAR: usize = 8;
/// So are those of several sentences that agree in so many.
const MIN_BESIDE: usize = 3;
/// How many linking words a phrase may have more than its words of meaning: "in advance of".
const MAX_LINKS: usize = 2;

fn sentences(reading: &Reading) -> bool {
    // A greeting that was dropped was no sentence.
    reading.tokens.first().zip(reading.tokens.last()).is_some_and(|(first, last)| last.sentence > first.sentence)
}

/// Names have at most this many words.
const MAX_NAMED: usize = 3;

/// The words of one reading without counterpart.
struct Rest<'r> {
    heavy: Vec<(u32, &'r Token)>,
    light: usize,
}

impl<'r> Rest<'r> {
    fn new(reading: &'r Reading, places: &[u32]) -> Self {
        let all = places.iter().map(|&at| (at, &reading.tokens[at as usize]));
        let heavy: Vec<_> = all.filter(|(_, token)| is_name(reading, token) || !is_light(token)).collect();
        let light = places.len() - heavy.len();
        Self { heavy, light }
    }

    fn shown(&self) -> String {
        self.heavy.iter().take(3).map(|(_, token)| token.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// Whether a word is another one for its neighbour: periods/menstruation.
fn is_alternative(reading: &Reading, token: &Token) -> bool {
    let word = token.text.as_str();
    let letter = |c: char| c.is_alphanumeric();
    let text = reading.folded.to_lowercase();
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let (slash, behind) = (before.strip_suffix('/'), after.strip_prefix('/'));
        let whole = !before.ends_with(letter) && !after.starts_with(letter);
        whole
            && (slash.is_some_and(|before| before.ends_with(letter))
                || behind.is_some_and(|after| after.starts_with(letter)))
    })
}

/// Whether words that one text has more narrow its question.
fn narrows(rest: &Rest<'_>, longer: &Reading, frame: &Frame, light: usize) -> bool {
    let between = frame.between[0].max(frame.between[1]);
    let inserted = frame.between[0].min(frame.between[1]) == 0;
    let [(at, token)] = rest.heavy[..] else { return false };
    if is_alternative(longer, token) {
        return false;
    }
    if is_weighty(token) && between <= 3 {
        return true;
    }
    let next = longer.tokens.get(at as usize + 1);
    if is_name(longer, token) {
        // Donald Trump is Trump.
        let forename = next.is_some_and(|next| next.clause == token.clause && is_name(longer, next));
        return between <= 2 && !forename;
    }
    if light > 0 || !inserted || between > 2 {
        return false;
    }
    let attribute = next.is_some_and(|next| next.role == Role::Content);
    match grammar(longer).asks {
        Asks::Other | Asks::Whether | Asks::Can => attribute && between == 1,
        Asks::How | Asks::Why => false,
        // Lists and facts are asked for: "… in India", "… gaming laptops".
        _ if between == 2 => next.is_none() || is_term(token),
        _ => (next.is_none() || attribute) && is_term(token),
    }
}
