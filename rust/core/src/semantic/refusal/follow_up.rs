//! Questions that only earlier turns make whole.

use super::words::{Words, is_in};

/// A question of so few words says little by itself.
const SHORT: usize = 3;

/// Words and phrases with which somebody goes on from what was said.
const GOES_ON: &str = "\
    and, but, or, so, then, also, because, instead, what about, how about, what else, anything else, why not, \
    how so, how come, which one, which ones, what if, yes, yeah, yep, no, nope, ok, okay, sure, another, same, \
    more, go on, continue, tell me more, can you elaborate, in that case, thanks, explain more, elaborate, und, \
    oder, aber, warum, was ist mit, y, pero, entonces, qué tal, qué pasa con, et, mais, donc, et si, а, и, но, \
    почему, тогда, как насчет, как насчёт";

/// Words that point to something, unless the question named it before.
const POINTS: &str = "he, him, his, she, her, hers, they, them, their, theirs, its";

/// Words that point back whatever else the question names. Of other languages all are here: what names nothing in them
/// is not known.
const POINTS_BACK: &str = "\
    this, these, those, former, latter, aforementioned, above, previous, earlier, again, instead, davon, dazu, \
    dafür, damit, darüber, daran, darauf, eso, esto, ello, aquello, él, ellos, cela, ça, celui, celle, ceux, \
    celles, ils, elles, он, она, оно, они, его, её, ее, ему, ей, их, этот, эта, это, этого, этому";

/// After "the second", "the other" and the like: something out of a list that was given.
const OF_A_LIST: &str = "one, ones, option, point, step, answer, choice, example, part, paragraph, item";

/// Why the question leans on earlier turns; None if it stands alone.
pub(super) fn find(words: &Words) -> Option<String> {
    if words.len() <= SHORT {
        return Some(format!("it has {} words", words.len()));
    }
    if let Some(phrase) = GOES_ON.split(", ").find(|phrase| words.begins(0, phrase)) {
        return Some(format!("it begins with {phrase:?}"));
    }
    let mut named = 0;
    for at in 0..words.len() {
        let word = words.get(at);
        if points(words, at, named >= 2) {
            return Some(format!("it says {word:?}"));
        }
        // Whether two things were named is all that is asked, and the list is long.
        named += usize::from(named < 2 && !is_in(GRAMMAR, word));
    }
    None
}

/// Whether word `at` points to something that the question does not name. `named`: things enough were named before it.
fn points(words: &Words, at: usize, named: bool) -> bool {
    let word = words.get(at);
    match word {
        "it" => !named && !is_impersonal(words, at),
        "that" => is_pointing_that(words, at),
        "one" | "ones" => matches!(
            words.before(at, 1),
            "that" | "this" | "which" | "second" | "first" | "third" | "last" | "other" | "next"
        ),
        "first" | "second" | "third" | "last" | "other" | "next" => {
            words.before(at, 1) == "the" && (words.get(at + 1).is_empty() || is_in(OF_A_LIST, words.get(at + 1)))
        }
        "this"
            if matches!(words.get(at + 1), "week" | "weekend" | "month" | "year" | "morning" | "evening" | "time") =>
        {
            false
        }
        "too" => at + 1 == words.len(),
        _ => is_in(POINTS_BACK, word) || (!named && is_in(POINTS, word)),
    }
}

/// "is it safe to …", "how long does it take to …": nothing is pointed to.
fn is_impersonal(words: &Words, at: usize) -> bool {
    let near = (at + 1..at + 4).map(|near| words.get(near));
    let judged = near.into_iter().any(|word| is_in(JUDGED, word));
    let weather = matches!(words.get(at + 1), "rain" | "rains" | "raining" | "snow" | "snowing" | "true");
    let goes_on = (at + 2..at + 16).any(|later| matches!(words.get(later), "to" | "that" | "for" | "if" | "when"));
    weather || (judged && goes_on)
}

const JUDGED: &str = "\
    safe, possible, ok, okay, legal, illegal, normal, necessary, worth, true, better, good, bad, best, hard, easy, \
    difficult, important, mandatory, required, free, cheaper, allowed, rude, wrong, right, likely, common, \
    advisable, healthy, dangerous, smart, wise, take, takes, cost, costs, matter, make, mean";

/// "that" alone or with a thing that was named before, not "the card that I lost" and not "I think that".
fn is_pointing_that(words: &Words, at: usize) -> bool {
    let (before, after) = (words.before(at, 1), words.get(at + 1));
    at + 1 == words.len()
        || at == 0
        || matches!(
            after,
            "one" | "mean" | "means" | "work" | "happen" | "in" | "again" | "please" | "too" | "also" | "for" | "with"
        )
        || is_in(BEFORE_THAT, before)
}

const BEFORE_THAT: &str = "\
    about, of, with, for, like, to, on, by, after, before, than, from, do, does, is, was, did, can, will, would, \
    could, why, how, what, s";

/// Words that name nothing.
const GRAMMAR: &str = "\
    a, an, the, i, you, we, me, us, my, your, our, what, which, who, whom, whose, where, when, why, how, is, are, \
    was, were, am, be, been, do, does, did, done, have, has, had, can, could, will, would, shall, should, may, \
    might, must, not, no, of, in, on, at, by, for, with, about, to, from, as, into, if, there, here, please, tell, \
    show, explain, give, s, t, re, ll, ve, d, m, don, doesn, didn, isn, won, much, many, long, often, just, really, \
    then, now, still, want, need, like, know, say, get, make, use, work, works, more, some, any, all, it, that";
