//! Rounds in turn, their medians, and ratios of medians with an interval.

use std::time::Duration;

use crate::load::{Load, Places, Round, fill, run};
use crate::numbers::Numbers;
use crate::peers::Contender;

const RESAMPLES: usize = 2_000;

/// How long and how often everything is measured.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    pub length: Duration,
}

/// A contender, filled, with its load.
pub struct Entrant<'a> {
    name: &'static str,
    round: Box<dyn Fn(Duration) -> Round + 'a>,
}

impl<'a> Entrant<'a> {
    /// Fills `contender` with the first `entries` keys. The one call through a pointer is that of a whole round.
    pub fn new<C: Contender + 'a>(name: &'static str, contender: C, load: &'a Load, entries: u64) -> Self {
        fill(&contender, entries);
        let places = Places::after(entries, load.threads());
        Self { name, round: Box::new(move |length| run(&contender, load, &places, length)) }
    }
}

/// What the rounds of one contender came to.
pub struct Series {
    pub name: &'static str,
    /// Operations per second, round by round.
    pub rates: Vec<f64>,
    lookups: u64,
    hits: u64,
    queued: f64,
}

impl Series {
    pub fn median(&self) -> f64 {
        median(self.rates.clone())
    }

    /// The share of lookups that found something; None if nothing was looked up.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.lookups > 0).then(|| self.hits as f64 / self.lookups as f64)
    }

    /// How much of the time a thread of it waited for a processor.
    pub fn queued(&self) -> f64 {
        self.queued / self.rates.len() as f64
    }

    fn record(&mut self, round: Round) {
        self.rates.push(round.rate);
        self.lookups += round.lookups;
        self.hits += round.hits;
        self.queued += round.queued;
    }
}

/// The mean of [`Series::queued`]. Two threads that take turns do not get into each other's way: where this is not near
/// zero, a figure for two threads says little.
pub fn mean_queued(series: &[Series]) -> f64 {
    series.iter().map(Series::queued).sum::<f64>() / series.len() as f64
}

/// Lets the entrants run in turn, each round starting with the next one, after one round that is not recorded.
pub fn compare(entrants: &[Entrant<'_>], effort: Effort) -> Vec<Series> {
    let series =
        |entrant: &Entrant<'_>| Series { name: entrant.name, rates: Vec::new(), lookups: 0, hits: 0, queued: 0.0 };
    let mut all: Vec<Series> = entrants.iter().map(series).collect();
    for entrant in entrants {
        (entrant.round)(effort.length);
    }
    for first in 0..effort.rounds {
        for turn in 0..entrants.len() {
            let number = (first + turn) % entrants.len();
            all[number].record((entrants[number].round)(effort.length));
        }
    }
    all
}

/// A ratio of two medians, with the 95 % interval of a paired bootstrap over the rounds.
#[derive(Clone, Copy)]
pub struct Ratio {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// How many times the rate of `peer` the rate of `ours` is.
pub fn ratio(ours: &Series, peer: &Series) -> Ratio {
    let rounds = ours.rates.len();
    let mut numbers = Numbers(1);
    let mut resample = || {
        let drawn: Vec<usize> = (0..rounds).map(|_| numbers.below(rounds as u64) as usize).collect();
        let of = |series: &Series| median(drawn.iter().map(|&round| series.rates[round]).collect());
        of(ours) / of(peer)
    };
    let mut ratios: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    ratios.sort_by(f64::total_cmp);
    let tail = RESAMPLES / 40;
    Ratio { value: ours.median() / peer.median(), low: ratios[tail], high: ratios[RESAMPLES - 1 - tail] }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
