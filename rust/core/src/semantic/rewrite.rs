//! Brings English into one form: short forms written out, turns of phrase replaced, courtesies dropped.

use super::count::Counted;
use super::frequent::is_frequent;
use super::lexicon::{Lexicon, Template, Use};
use super::scan::{Case, Raw, Shape, Word};

/// A word like `raw` with another text.
fn like(raw: &Raw, text: &str) -> Raw {
    Raw { text: text.into(), shape: Shape::Word, first: false, case: Case::Lower, ..raw.clone() }
}

/// Writes short forms out: "don't" is "do not", "what's" "what is".
pub(super) fn expand(tokens: Vec<Raw>, english: bool, lexicon: &Lexicon) -> Vec<Raw> {
    let mut out = Vec::with_capacity(tokens.len() + 4);
    let cased = tokens.iter().any(|raw| raw.case == Case::Lower && raw.shape == Shape::Word);
    for mut raw in tokens {
        // "the US": no pronoun.
        if english && cased && raw.case == Case::Upper && raw.text == "us" {
            raw.text = Word::from("usa");
        }
        if raw.shape != Shape::Word {
            out.push(raw);
            continue;
        }
        // "non-refundable" is one word.
        if english && raw.glued && out.last().is_some_and(|last: &Raw| last.text == "non") {
            raw.text.insert_str(0, "non");
            out.pop();
        }
        if !english {
            // French elision: l'argent, n'est.
            if let Some((_, rest)) =
                raw.text.split_once('\'').filter(|(before, rest)| before.len() <= 2 && !rest.is_empty())
            {
                raw.text = Word::from(rest);
            }
            out.push(raw);
            continue;
        }
        let apostrophe = raw.text.bytes().position(|byte| byte == b'\'');
        let bare = apostrophe.map(|_| Word::from(raw.text.replace('\'', "")));
        if let Some(long) = lexicon.contraction(bare.as_ref().unwrap_or(&raw.text)) {
            let capital = (raw.case, raw.first);
            out.extend(long.iter().map(|word| like(&raw, word)));
            let at = out.len() - long.len();
            (out[at].case, out[at].first) = capital;
            continue;
        }
        let (Some(at), Some(bare)) = (apostrophe, bare) else {
            out.push(raw);
            continue;
        };
        let (base, tail) = (&raw.text[..at], &raw.text[at + 1..]);
        let tail = match tail {
            "re" => "are",
            "ve" => "have",
            "ll" => "will",
            "d" => "would",
            "m" => "am",
            "s" => "",
            _ => {
                raw.text = bare;
                out.push(raw);
                continue;
            }
        };
        let (base, tail) = (Word::from(base), (!tail.is_empty()).then(|| like(&raw, tail)));
        raw.text = base;
        out.push(raw);
        out.extend(tail);
    }
    out
}

/// What ends a clause and leaves the answer open: "... or not?", "Why or why not?"; the longest first.
const TAGS: [&[&str]; 8] = [
    &["is", "not", "it"],
    &["does", "not", "it"],
    &["and", "why", "or", "why", "not"],
    &["why", "or", "why", "not"],
    &["why", "or", "not"],
    &["or", "why", "not"],
    &["or", "no"],
    OR_NOT,
];
const OR_NOT: &[&str] = &["or", "not"];

/// Words with which a question goes on behind an "or not".
const BEHIND_TAG: [&str; 15] = [
    "i", "please", "thanks", "thank", "in", "on", "at", "for", "with", "when", "if", "because", "during", "after",
    "before",
];

/// Clauses that ask on, whatever the answer: "Is it safe? If not, why?".
const FOLLOWING: [&[&str]; 4] =
    [&["if", "not", "why"], &["if", "not", "then", "why"], &["if", "not", "why", "not"], &["why", "not"]];

/// Drops what asks for the contrary too, and so negates nothing.
pub(super) fn open_ends(tokens: Vec<Counted>) -> Vec<Counted> {
    if !tokens.iter().any(|(raw, _)| matches!(raw.text.as_str(), "not" | "no")) {
        return tokens;
    }
    let is = |words: &[&str], part: &[Counted]| {
        words.len() == part.len() && words.iter().zip(part).all(|(word, (raw, _))| raw.text == *word)
    };
    let mut out: Vec<Counted> = Vec::with_capacity(tokens.len());
    let mut clauses = tokens.chunk_by(|(x, _), (y, _)| x.clause == y.clause).peekable();
    while let Some(clause) = clauses.next() {
        let mut asks_why = || clauses.peek().is_none_or(|next| next.iter().take(2).any(|(raw, _)| raw.text == "why"));
        let follows = FOLLOWING.iter().any(|words| is(words, clause)) || (is(&["if", "not"], clause) && asks_why());
        // "It is safe, no?"
        let tag = is(&["no"], clause) && clauses.peek().is_none();
        if (follows || tag) && !out.is_empty() {
            continue;
        }
        let ends = |words: &&&[&str]| clause.len().checked_sub(words.len()).is_some_and(|at| is(words, &clause[at..]));
        let clause = &clause[..clause.len() - TAGS.iter().find(ends).map_or(0, |words| words.len())];
        // "Is it open or not on Sundays?" asks what "Is it open on Sundays?" does; "to stay or not to stay" has two sides.
        let goes_on = |three: &[Counted]| is(OR_NOT, &three[..2]) && BEHIND_TAG.contains(&three[2].0.text.as_str());
        let inner = clause.windows(3).position(goes_on);
        let (before, behind) = inner.map_or((clause, &[][..]), |at| (&clause[..at], &clause[at + 2..]));
        out.extend_from_slice(before);
        out.extend_from_slice(behind);
    }
    out
}

/// Replaces turns of phrase.
pub(super) fn phrases(tokens: Vec<Counted>, lexicon: &Lexicon) -> Vec<Counted> {
    let mut found = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let template = template(&tokens[at..], lexicon);
        at += template.map_or(1, |template| template.words.len());
        found.push(template);
    }
    if found.iter().all(Option::is_none) {
        return tokens;
    }
    let mut rest = tokens.into_iter();
    let mut out: Vec<Counted> = Vec::with_capacity(found.len() + 4);
    // The clause of words that went from the beginning of a sentence: behind it the sentence begins anew.
    let mut gone = None;
    for template in found {
        let Some(mut head) = rest.next() else { break };
        let clause = head.0.clause;
        head.0.first |= gone.take().is_some_and(|gone| gone != clause);
        let Some(template) = template else {
            out.push(head);
            continue;
        };
        rest.by_ref().take(template.words.len() - 1).for_each(drop);
        gone = (head.0.first && template.means.is_empty()).then_some(clause);
        let mut first = head.0.first;
        for word in &template.means {
            out.push((Raw { first: std::mem::take(&mut first), ..like(&head.0, word) }, None));
        }
    }
    out
}

/// The longest template that the tokens begin with, inside of one clause.
fn template<'l>(tokens: &[Counted], lexicon: &'l Lexicon) -> Option<&'l Template> {
    let [(head, None), (next, None), ..] = tokens else { return None };
    let same = |template: &&Template| {
        template.words.len() <= tokens.len()
            && template
                .words
                .iter()
                .zip(tokens)
                .all(|(word, (raw, number))| number.is_none() && raw.clause == head.clause && raw.text == *word)
    };
    lexicon.templates(&head.text, &next.text).iter().find(same)
}

/// Longer clauses are no mere courtesy.
const MAX_COURTESY: usize = 9;

/// Words that a courtesy may hold and that make none by themselves: this week, per day, how soon.
const PERIPHERAL: [&str; 20] = [
    "morning",
    "afternoon",
    "evening",
    "day",
    "week",
    "weekend",
    "minute",
    "sec",
    "second",
    "time",
    "much",
    "soon",
    "support",
    "customer",
    "service",
    "bunch",
    "lot",
    "team",
    "everyone",
    "everybody",
];

/// Thanks that end a text without a mark before them.
const CLOSINGS: [&str; 5] = ["tia", "ty", "tysm", "thx", "cheers"];

/// Takes clauses off both ends that hold nothing but politeness.
pub(super) fn polite(mut tokens: Vec<Counted>, lexicon: &Lexicon) -> Vec<Counted> {
    let empty = |tokens: &[Counted]| courtesy(tokens, lexicon);
    let clause_end = |from: usize| {
        let clause = tokens[from].0.clause;
        from + tokens[from..].iter().take_while(|(raw, _)| raw.clause == clause).count()
    };
    let mut from = 0;
    while from < tokens.len() {
        let end = clause_end(from);
        if end == tokens.len() || !(empty(&tokens[from..end]) || salutation(&tokens[from..end], lexicon)) {
            break;
        }
        from = end;
    }
    let mut to = tokens.len();
    let clause_start = |to: usize| {
        let clause = tokens[to - 1].0.clause;
        to - tokens[..to].iter().rev().take_while(|(raw, _)| raw.clause == clause).count()
    };
    if to > from && signature(&tokens[from..to], clause_start(to) - from) {
        to = clause_start(to);
    }
    while to > from {
        let start = clause_start(to);
        if start <= from || !empty(&tokens[start..to]) {
            break;
        }
        to = start;
    }
    // "... in rome tia": no mark sets it off.
    while to > from + 2 && tokens[to - 1].1.is_none() && CLOSINGS.contains(&tokens[to - 1].0.text.as_str()) {
        to -= 1;
    }
    tokens.truncate(to);
    tokens.drain(..from);
    if let Some((raw, _)) = tokens.first_mut() {
        raw.first |= from > 0;
    }
    tokens
}

/// What begins a salutation.
const GREETINGS: [&str; 8] = ["hi", "hello", "hey", "hiya", "howdy", "dear", "greetings", "morning"];

/// "Hi Anna": a greeting and whom it is for.
fn salutation(clause: &[Counted], lexicon: &Lexicon) -> bool {
    let [(greeting, _), rest @ ..] = clause else { return false };
    let name = |(raw, number): &Counted| {
        let unknown = || !lexicon.lists(&raw.text) && !is_frequent(&raw.text);
        number.is_none() && raw.shape == Shape::Word && (raw.case != Case::Lower || unknown())
    };
    let known = |(raw, _): &Counted| lexicon.is_courtesy(&raw.text) || lexicon.use_of(&raw.text) == Some(Use::Filler);
    GREETINGS.contains(&greeting.text.as_str()) && rest.len() <= 3 && rest.iter().all(|part| name(part) || known(part))
}

/// What ends a letter, before the name.
const VALEDICTIONS: [&str; 8] = ["thanks", "thank", "thx", "regards", "cheers", "sincerely", "best", "you"];

/// Whether the last clause, from `start`, is the name under a letter: "Thanks, John".
fn signature(tokens: &[Counted], start: usize) -> bool {
    let (before, name) = tokens.split_at(start);
    let Some((last, _)) = before.last() else { return false };
    let closing = before.iter().rev().take_while(|(raw, _)| raw.clause == last.clause);
    let (words, polite) = closing.fold((0, false), |(words, polite), (raw, _)| {
        (words + 1, polite || VALEDICTIONS[..6].contains(&raw.text.as_str()))
    });
    let signed = |(raw, number): &Counted| number.is_none() && raw.shape == Shape::Word && raw.case != Case::Lower;
    polite && words <= 4 && VALEDICTIONS.contains(&last.text.as_str()) && name.len() <= 2 && name.iter().all(signed)
}

/// Whether a clause holds words of courtesy and such that connect them, or nothing but fillers; nothing of third parties. "Is that not possible?" asks
/// something, "if it is not too much trouble" does not.
fn courtesy(clause: &[Counted], lexicon: &Lexicon) -> bool {
    let uses = |what: Use| clause.iter().any(|(raw, _)| lexicon.use_of(&raw.text) == Some(what));
    let listed = |(raw, number): &Counted| {
        number.is_none()
            && raw.shape == Shape::Word
            && (lexicon.is_courtesy(&raw.text) || lexicon.use_of(&raw.text).is_some())
    };
    // "In the morning": a time, and no politeness.
    let says = |(raw, _): &Counted| lexicon.is_courtesy(&raw.text) && !PERIPHERAL.contains(&raw.text.as_str());
    let polite = clause.iter().any(says)
        || (!uses(Use::Function) && !clause.iter().any(|(raw, _)| PERIPHERAL.contains(&raw.text.as_str())));
    let conditional = clause.first().is_some_and(|(raw, _)| raw.text == "if");
    let asks = |(raw, _): &Counted| {
        matches!(
            raw.text.as_str(),
            "who" | "what" | "which" | "where" | "why" | "or" | "he" | "him" | "his" | "she" | "her" | "they" | "them"
        )
    };
    clause.len() <= MAX_COURTESY
        && !clause.iter().any(asks)
        && clause.iter().all(listed)
        && polite
        && (conditional || !uses(Use::Negator))
}
