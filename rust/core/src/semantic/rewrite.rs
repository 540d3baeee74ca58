//! Brings English into one form: short forms written out, turns of phrase replaced, courtesies dropped.

use super::entry::List;
use super::frequent::is_frequent;
use super::lexicon::{Lexicon, Template, Use};
use super::scan::{Case, Raw, Shape, Word};

/// A word like `raw` with another text.
fn like(raw: &Raw, text: &str) -> Raw {
    let mut out = Raw { shape: Shape::Word, first: false, case: Case::Lower, ..raw.clone() };
    out.rewrite(text.into());
    out
}

/// Writes short forms out: "don't" is "do not", "what's" "what is". `cased`: whether capital letters say something.
pub(super) fn expand(tokens: Vec<Raw>, english: bool, cased: bool, lexicon: &Lexicon) -> Vec<Raw> {
    let stays = |raw: &Raw| {
        raw.shape != Shape::Word
            || english
                && !(raw.glued || raw.case == Case::Upper || raw.is_in(List::Contraction) || raw.apostrophe().is_some())
    };
    // Most texts have no short forms.
    if tokens.iter().all(stays) {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 4);
    for mut raw in tokens {
        // "the US": no pronoun.
        if english && cased && raw.case == Case::Upper && raw.text == "us" {
            raw.rewrite(Word::from("usa"));
        }
        if raw.shape != Shape::Word {
            out.push(raw);
            continue;
        }
        // "non-refundable" is one word.
        if english && raw.glued && out.last().is_some_and(|last: &Raw| last.text == "non") {
            raw.rewrite(["non", &raw.text].concat().into());
            out.pop();
        }
        if !english {
            // French elision: l'argent, n'est.
            if let Some((_, rest)) =
                raw.text.split_once('\'').filter(|(before, rest)| before.len() <= 2 && !rest.is_empty())
            {
                raw.rewrite(Word::from(rest));
            }
            out.push(raw);
            continue;
        }
        let apostrophe = raw.apostrophe();
        let bare = apostrophe.map(|_| Word::from(raw.text.replace('\'', "")));
        let long = match &bare {
            Some(bare) => lexicon.contraction(bare),
            None if raw.is_in(List::Contraction) => lexicon.contraction(&raw.text),
            None => None,
        };
        if let Some(long) = long {
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
                raw.rewrite(bare);
                out.push(raw);
                continue;
            }
        };
        let (base, tail) = (Word::from(base), (!tail.is_empty()).then(|| like(&raw, tail)));
        raw.rewrite(base);
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
pub(super) fn open_ends(tokens: Vec<Raw>) -> Vec<Raw> {
    let negates = |raw: &Raw| raw.used() == Some(Use::Negator) && matches!(raw.text.as_str(), "not" | "no");
    if !tokens.iter().any(negates) {
        return tokens;
    }
    let is = |words: &[&str], part: &[Raw]| {
        words.len() == part.len() && words.iter().zip(part).all(|(word, raw)| raw.text == *word)
    };
    let mut out: Vec<Raw> = Vec::with_capacity(tokens.len());
    let mut clauses = tokens.chunk_by(|x, y| x.clause == y.clause).peekable();
    while let Some(clause) = clauses.next() {
        let mut asks_why = || clauses.peek().is_none_or(|next| next.iter().take(2).any(|raw| raw.text == "why"));
        let follows = FOLLOWING.iter().any(|words| is(words, clause)) || (is(&["if", "not"], clause) && asks_why());
        // "It is safe, no?"
        let tag = is(&["no"], clause) && clauses.peek().is_none();
        if (follows || tag) && !out.is_empty() {
            continue;
        }
        let ends = |words: &&&[&str]| clause.len().checked_sub(words.len()).is_some_and(|at| is(words, &clause[at..]));
        let clause = &clause[..clause.len() - TAGS.iter().find(ends).map_or(0, |words| words.len())];
        // "Is it open or not on Sundays?" asks what "Is it open on Sundays?" does; "to stay or not to stay" has two sides.
        let goes_on = |three: &[Raw]| is(OR_NOT, &three[..2]) && BEHIND_TAG.contains(&three[2].text.as_str());
        let inner = clause.windows(3).position(goes_on);
        let (before, behind) = inner.map_or((clause, &[][..]), |at| (&clause[..at], &clause[at + 2..]));
        out.extend_from_slice(before);
        out.extend_from_slice(behind);
    }
    out
}

/// What has a number: "the account no of a customer", "phone no.: 555".
const NUMBERED: &str = "account acct card phone telephone mobile cell whatsapp contact helpline fax care free order \
     invoice bill ticket flight booking reservation reference ref tracking serial model part roll registration policy \
     passport license licence pan aadhaar id customer member employee house room page pin";
/// What may stand behind it.
const BEHIND_NUMBERED: &str = "of for on in to from with by at through via is are was and or when if";

/// Writes "no" out where it stands for "number". Elsewhere it negates: "my phone no longer rings".
pub(super) fn numbered(mut tokens: Vec<Raw>) -> Vec<Raw> {
    let listed = |list: &str, raw: &Raw| list.split_ascii_whitespace().any(|word| raw.text == word);
    for at in 1..tokens.len() {
        let (before, [no, behind @ ..]) = (&tokens[at - 1], &tokens[at..]) else { break };
        let ends = || match behind.first().filter(|next| next.clause == no.clause) {
            None => true,
            Some(next) => next.number.is_some() || listed(BEHIND_NUMBERED, next),
        };
        if no.text == "no" && no.clause == before.clause && listed(NUMBERED, before) && ends() {
            tokens[at].rewrite(Word::from("number"));
        }
    }
    tokens
}

/// Replaces turns of phrase.
pub(super) fn phrases(tokens: Vec<Raw>, lexicon: &Lexicon) -> Vec<Raw> {
    let Some(first) = (0..tokens.len()).find(|&at| template(&tokens[at..], lexicon).is_some()) else { return tokens };
    let mut found = vec![None; first];
    let mut at = first;
    while at < tokens.len() {
        let template = template(&tokens[at..], lexicon);
        at += template.map_or(1, |template| template.words.len());
        found.push(template);
    }
    let mut rest = tokens.into_iter();
    let mut out: Vec<Raw> = Vec::with_capacity(found.len() + 4);
    // The clause of words that went from the beginning of a sentence: behind it the sentence begins anew.
    let mut gone = None;
    for template in found {
        let Some(mut head) = rest.next() else { break };
        let clause = head.clause;
        head.first |= gone.take().is_some_and(|gone| gone != clause);
        let Some(template) = template else {
            out.push(head);
            continue;
        };
        rest.by_ref().take(template.words.len() - 1).for_each(drop);
        gone = (head.first && template.means.is_empty()).then_some(clause);
        let mut first = head.first;
        for word in &template.means {
            out.push(Raw { first: std::mem::take(&mut first), ..like(&head, word) });
        }
    }
    out
}

/// The longest template that the tokens begin with, inside of one clause.
fn template<'l>(tokens: &[Raw], lexicon: &'l Lexicon) -> Option<&'l Template> {
    let [head, next, ..] = tokens else { return None };
    if !(head.is_in(List::Head) && next.is_in(List::Second)) || head.number.or(next.number).is_some() {
        return None;
    }
    if next.clause != head.clause {
        return None;
    }
    // The first two words are known to be those.
    let same = |template: &&Template| {
        template.words.len() <= tokens.len()
            && template.words[2..]
                .iter()
                .zip(&tokens[2..])
                .all(|(word, raw)| raw.number.is_none() && raw.clause == head.clause && raw.text == *word)
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
pub(super) fn polite(mut tokens: Vec<Raw>, lexicon: &Lexicon) -> Vec<Raw> {
    let clause_end = |from: usize| {
        let clause = tokens[from].clause;
        from + tokens[from..].iter().take_while(|raw| raw.clause == clause).count()
    };
    let mut from = 0;
    while from < tokens.len() {
        let end = clause_end(from);
        if end == tokens.len() || !(courtesy(&tokens[from..end]) || salutation(&tokens[from..end], lexicon)) {
            break;
        }
        from = end;
    }
    let mut to = tokens.len();
    let clause_start = |to: usize| {
        let clause = tokens[to - 1].clause;
        to - tokens[..to].iter().rev().take_while(|raw| raw.clause == clause).count()
    };
    if to > from && signature(&tokens[from..to], clause_start(to) - from) {
        to = clause_start(to);
    }
    while to > from {
        let start = clause_start(to);
        if start <= from || !courtesy(&tokens[start..to]) {
            break;
        }
        to = start;
    }
    // "... in rome tia": no mark sets it off.
    while to > from + 2 && tokens[to - 1].number.is_none() && CLOSINGS.contains(&tokens[to - 1].text.as_str()) {
        to -= 1;
    }
    tokens.truncate(to);
    tokens.drain(..from);
    if let Some(raw) = tokens.first_mut() {
        raw.first |= from > 0;
    }
    tokens
}

/// What begins a salutation.
const GREETINGS: [&str; 8] = ["hi", "hello", "hey", "hiya", "howdy", "dear", "greetings", "morning"];

/// "Hi Anna": a greeting and whom it is for.
fn salutation(clause: &[Raw], lexicon: &Lexicon) -> bool {
    let [greeting, rest @ ..] = clause else { return false };
    let name = |raw: &Raw| {
        let unknown = || !lexicon.lists(&raw.text) && !is_frequent(&raw.text);
        raw.number.is_none() && raw.shape == Shape::Word && (raw.case != Case::Lower || unknown())
    };
    let known = |raw: &Raw| raw.is_in(List::Courtesy) || raw.used() == Some(Use::Filler);
    GREETINGS.contains(&greeting.text.as_str()) && rest.len() <= 3 && rest.iter().all(|part| name(part) || known(part))
}

/// What ends a letter, before the name.
const VALEDICTIONS: [&str; 8] = ["thanks", "thank", "thx", "regards", "cheers", "sincerely", "best", "you"];

/// Whether the last clause, from `start`, is the name under a letter: "Thanks, John".
fn signature(tokens: &[Raw], start: usize) -> bool {
    let (before, name) = tokens.split_at(start);
    let Some(last) = before.last() else { return false };
    let closing = before.iter().rev().take_while(|raw| raw.clause == last.clause);
    let (words, polite) = closing
        .fold((0, false), |(words, polite), raw| (words + 1, polite || VALEDICTIONS[..6].contains(&raw.text.as_str())));
    let signed = |raw: &Raw| raw.number.is_none() && raw.shape == Shape::Word && raw.case != Case::Lower;
    polite && words <= 4 && VALEDICTIONS.contains(&last.text.as_str()) && name.len() <= 2 && name.iter().all(signed)
}

/// Whether a clause holds words of courtesy and such that connect them, or nothing but fillers; nothing of third parties. "Is that not possible?" asks
/// something, "if it is not too much trouble" does not.
fn courtesy(clause: &[Raw]) -> bool {
    let listed = |raw: &Raw| {
        raw.number.is_none() && raw.shape == Shape::Word && (raw.is_in(List::Courtesy) || raw.used().is_some())
    };
    if clause.len() > MAX_COURTESY || !clause.iter().all(listed) {
        return false;
    }
    let uses = |what: Use| clause.iter().any(|raw| raw.used() == Some(what));
    // "In the morning": a time, and no politeness.
    let says = |raw: &Raw| raw.is_in(List::Courtesy) && !PERIPHERAL.contains(&raw.text.as_str());
    let polite = || {
        clause.iter().any(says)
            || (!uses(Use::Function) && !clause.iter().any(|raw| PERIPHERAL.contains(&raw.text.as_str())))
    };
    let conditional = || clause.first().is_some_and(|raw| raw.text == "if");
    let asks = |raw: &Raw| {
        matches!(
            raw.text.as_str(),
            "who" | "what" | "which" | "where" | "why" | "or" | "he" | "him" | "his" | "she" | "her" | "they" | "them"
        )
    };
    !clause.iter().any(asks) && polite() && (conditional() || !uses(Use::Negator))
}
