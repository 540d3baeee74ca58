//! Questions about what changes: each word or phrase with a horizon, how long an answer holds.

use super::Refusal;
use super::words::{Phrases, Words, is_in};
use crate::sync::OnceLock;

/// What holds for this moment alone.
const NOW: f64 = 60.0;
/// What is "current" or belongs to a day, which may end soon.
const HOUR: f64 = 3_600.0;
/// What belongs to a week.
const HOURS: f64 = 21_600.0;

/// What was found.
pub(super) struct Fresh {
    phrase: &'static str,
    /// How long an answer holds.
    pub(super) horizon_seconds: f64,
}

impl Fresh {
    pub(super) fn refusal(&self, ttl_seconds: Option<f64>) -> Refusal {
        let Self { phrase, horizon_seconds } = self;
        let ttl = ttl_seconds.map_or_else(|| "endless".to_owned(), |ttl| format!("{ttl} s"));
        let sentence =
            format!("\"{phrase}\" asks for what holds for about {horizon_seconds} s, and the time to live is {ttl}");
        Refusal { name: "fresh", sentence }
    }
}

/// Phrases that always ask for something fresh, with their horizons.
const ALWAYS: &[(f64, &str)] = &[
    (
        NOW,
        "right now, at the moment, at this moment, at present, as of now, as we speak, real time, realtime, \
         this minute, this second, this instant, what time is it, live score, live scores, live price, \
         live prices, live rate, live rates, live stream, live streaming, live update, live updates, \
         live results, live traffic, live news, live match, live quote, pending transactions, jetzt, \
         gerade jetzt, im moment, momentan, ahora, ahora mismo, en este momento, maintenant, en ce moment, \
         à l heure actuelle, сейчас, прямо сейчас, в данный момент, на данный момент",
    ),
    (
        HOUR,
        "currently, latest, most recent, up to the minute, so far today, breaking news, news today, \
         weather forecast, stock price, share price, price of bitcoin, bitcoin price, spot price, traffic like, \
         heute, heutige, heutigen, heutiger, gestern, aktuell, aktuelle, aktuellen, aktueller, aktuelles, \
         derzeit, zurzeit, zur zeit, neueste, neuesten, neuester, wetter, wechselkurs, aktienkurs, hoy, ayer, \
         actualmente, más reciente, últimas noticias, tipo de cambio, el tiempo en, el clima, aujourd hui, \
         actuellement, actuel, actuelle, actuels, actuelles, dernières nouvelles, taux de change, météo, \
         сегодня, сегодняшний, сегодняшняя, вчера, завтра, текущий, текущая, текущее, текущие, текущую, \
         последние новости, актуальный, актуальная, актуальные, погода, курс доллара, курс евро, курс валют",
    ),
    (
        HOURS,
        "diese woche, dieser woche, nächste woche, letzte woche, esta semana, la semana pasada, cette semaine, \
         la semaine dernière, на этой неделе, на прошлой неделе",
    ),
];

/// Whether the phrase at a word asks for something fresh there.
type Holds = fn(&Words, usize, Whole) -> bool;

/// What the whole question is.
#[derive(Clone, Copy)]
struct Whole {
    /// Somebody tells what they did or want.
    tells: bool,
    /// The value of something is asked for, not how it came about.
    asks: bool,
}

/// Phrases that ask for something fresh unless the words around them say otherwise.
const SOMETIMES: &[(f64, &str, Holds)] = &[
    (HOUR, "current", is_current),
    (NOW, "now", is_now),
    (NOW, "balance", is_own_balance),
    (HOUR, "exchange rate", is_asked_for),
    (HOUR, "price of", is_asked_for),
    (HOUR, "weather", is_asked_for),
    (NOW, "what is the time", is_clock),
    (NOW, "what s the time", is_clock),
    (HOUR, "today", is_day),
    (HOUR, "todays", is_day),
    (HOUR, "tonight", is_day),
    (HOUR, "tomorrow", is_day),
    (HOUR, "yesterday", is_day),
    (HOUR, "this morning", is_day),
    (HOUR, "this afternoon", is_day),
    (HOUR, "this evening", is_day),
    (HOURS, "this week", is_day),
    (HOURS, "this weekend", is_day),
    (HOURS, "next week", is_day),
    (HOURS, "last week", is_day),
    (HOURS, "past week", is_day),
];

/// All phrases, those of [`ALWAYS`] first.
struct Table {
    phrases: Phrases,
    always: Vec<(f64, &'static str)>,
}

impl Table {
    fn new() -> Self {
        let always: Vec<_> = always().collect();
        let sometimes = SOMETIMES.iter().map(|(_, word, _)| *word);
        Self { phrases: Phrases::new(always.iter().map(|(_, phrase)| *phrase).chain(sometimes)), always }
    }
}

/// The phrase with the shortest horizon.
pub(super) fn find(words: &Words) -> Option<Fresh> {
    static TABLE: OnceLock<Table> = OnceLock::new();
    let Table { phrases, always } = TABLE.get_or_init(Table::new);
    let mut found = phrases.find(words).peekable();
    found.peek()?;
    let whole = Whole { tells: tells(words), asks: asks_for_value(words) };
    let found = found.filter_map(|(number, at)| {
        if let Some(&(horizon_seconds, phrase)) = always.get(number) {
            return Some(Fresh { phrase, horizon_seconds });
        }
        let (horizon_seconds, phrase, holds) = SOMETIMES[number - always.len()];
        holds(words, at, whole).then_some(Fresh { phrase, horizon_seconds })
    });
    found.min_by(|a, b| a.horizon_seconds.total_cmp(&b.horizon_seconds))
}

fn always() -> impl Iterator<Item = (f64, &'static str)> {
    ALWAYS.iter().flat_map(|(horizon, phrases)| phrases.split(", ").map(|phrase| (*horizon, phrase)))
}

/// A day, unless the question only tells when something happened ("the deposit I made this morning is missing") or
/// means an age ("in today's world").
fn is_day(words: &Words, at: usize, whole: Whole) -> bool {
    let noun = if words.get(at + 1) == "s" { words.get(at + 2) } else { words.get(at + 1) };
    !is_in("world, society, age, era, generation, youth, times, economy, scenario, education", noun) && !whole.tells
}

/// Whether somebody tells what they did: "i", neither behind the verb of a question nor before a wish ("I need today's
/// rate").
fn tells(words: &Words) -> bool {
    (0..words.len()).any(|at| {
        is_in("i, ive, im, we", words.get(at))
            && !is_in(BEFORE_A_QUESTION_S_SUBJECT, words.before(at, 1))
            && !is_in("need, want, wanna, d, would, wish, like, gotta, must, m, am", words.get(at + 1))
    })
}

const BEFORE_A_QUESTION_S_SUBJECT: &str = "\
    did, do, does, have, had, can, could, should, will, would, am, was, may, must, shall, if, when";

/// The time of day, not a time frame or difference.
fn is_clock(words: &Words, at: usize, _: Whole) -> bool {
    matches!(words.get(at + 4), "" | "now" | "in" | "right" | "at" | "there" | "here" | "please" | "zone")
}

/// What has a value, if it is that which is asked for.
fn is_asked_for(_: &Words, _: usize, whole: Whole) -> bool {
    whole.asks
}

fn asks_for_value(words: &Words) -> bool {
    let asks = |at| is_in("what, whats, show, tell, give, check, find, get, know, see, need, is, will", words.get(at));
    let how = |at| words.get(at) == "how" && is_in("much, s, is, will", words.get(at + 1));
    let explains = |at| is_in(EXPLAINS, words.get(at));
    (words.len() <= 4 || (0..8).any(|at| asks(at) || how(at))) && !(0..words.len()).any(explains)
}

/// Words of those who ask how a value comes about, or why it is not what they expected.
const EXPLAINS: &str = "\
    wrong, incorrect, right, correct, why, used, use, apply, applied, calculated, determined, based, affect, \
    affects, happens, mean, cause, causes, difference, between, best";

/// "current", unless it is a current account or flows.
fn is_current(words: &Words, at: usize, _: Whole) -> bool {
    !is_in("account, accounts, acct, affairs", words.get(at + 1))
        && !words.get(at + 1).is_empty()
        && !is_in(BEHIND_WHAT_FLOWS, words.get(at + 1))
        && !is_in(KINDS_THAT_FLOW, words.before(at, 1))
}

const BEHIND_WHAT_FLOWS: &str = "\
    through, flow, flows, flowing, density, voltage, divider, transformer, transformers, source, carrying, in, of, \
    is, and, or, when, from, which, that, leakage";

const KINDS_THAT_FLOW: &str = "\
    electric, electrical, alternating, direct, ac, dc, eddy, ocean, water, induced, leakage, saturation, \
    displacement, against, base, collector, short, circuit, drift, conventional";

/// "now", unless it is part of what somebody tells, or marks where a time begins or a reason.
fn is_now(words: &Words, at: usize, whole: Whole) -> bool {
    let (before, after) = (words.before(at, 1), words.get(at + 1));
    !(whole.tells
        || after == "that"
        || matches!(before, "from" | "until" | "till" | "by" | "before" | "up")
        || words.begins(at + 1, "a days"))
}

/// The balance of an account, as opposed to what a balance is or has to be.
fn is_own_balance(words: &Words, at: usize, _: Whole) -> bool {
    let own = (1..=3).any(|back| matches!(words.before(at, back), "my" | "our"));
    let asks = (0..3)
        .any(|first| matches!(words.get(first), "what" | "whats" | "show" | "check" | "tell" | "give" | "see"))
        || (words.get(0) == "how" && words.get(1) == "much");
    own && asks
}
