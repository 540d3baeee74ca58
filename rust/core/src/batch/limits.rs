//! What a scheduler is bound by.

use crate::{Error, ErrorKind, Result};

/// The bounds of a scheduler. Times are nanoseconds, costs tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Items of a batch at most.
    pub max_items: u32,
    /// Tokens of a batch at most: the sum of its items' costs or, with `padded`, their number times the largest cost.
    pub max_tokens: Option<u64>,
    /// Whether every item of a batch costs as much as its largest one. Without `max_tokens` it is counted, and no more.
    pub padded: bool,
    /// How long the oldest item of a batch waits for more at most, in nanoseconds; 0: not at all.
    pub max_wait: u64,
    /// Batches that run at a time.
    pub workers: u32,
    /// Items that wait at most.
    pub queue_items: u32,
    /// Tokens that wait at most.
    pub queue_tokens: Option<u64>,
    /// Which items go together.
    pub bins: Bins,
    /// The waiting time that a step of priority is worth, in nanoseconds.
    pub ageing: u64,
}

/// Which items of a key go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bins {
    /// With `padded` and `max_tokens` those of like cost, chosen anew for each batch; else as they come.
    Adaptive,
    /// As many bins, each of which gets as many items of those that came lately.
    Quantiles(u32),
    /// The largest costs of all bins but the last one, ascending.
    Bounds(Vec<u32>),
}

impl Default for Limits {
    /// Batches of at most 64 items, one at a time, at once, with 10,000 waiting; a step of priority is worth a second.
    fn default() -> Self {
        Self {
            max_items: 64,
            max_tokens: None,
            padded: false,
            max_wait: 0,
            workers: 1,
            queue_items: 10_000,
            queue_tokens: None,
            bins: Bins::Adaptive,
            ageing: 1_000_000_000,
        }
    }
}

/// More bins than this would hold next to nothing each.
const MAX_BINS: u32 = 1024;

impl Limits {
    /// Whether they can be kept.
    ///
    /// # Errors
    ///
    /// `Config` if a bound is 0, if there are more than 1,024 bins, or if the bounds of bins do not ascend.
    pub fn check(&self) -> Result<()> {
        at_least_one("max_items", u64::from(self.max_items))?;
        at_least_one("max_tokens", self.max_tokens.unwrap_or(1))?;
        at_least_one("workers", u64::from(self.workers))?;
        at_least_one("queue_items", u64::from(self.queue_items))?;
        at_least_one("queue_tokens", self.queue_tokens.unwrap_or(1))?;
        at_least_one("ageing", self.ageing)?;
        match &self.bins {
            Bins::Adaptive => Ok(()),
            Bins::Quantiles(bins) if (1..=MAX_BINS).contains(bins) => Ok(()),
            Bins::Quantiles(bins) => Err(config(format!("expected 1 to {MAX_BINS} bins, got {bins}"))),
            Bins::Bounds(bounds) => check_bounds(bounds),
        }
    }

    /// The largest item that can ever be taken.
    pub fn largest(&self) -> u64 {
        self.max_tokens.unwrap_or(u64::MAX).min(self.queue_tokens.unwrap_or(u64::MAX))
    }

    /// The tokens that a batch of these is charged for.
    pub(super) fn charged(&self, items: u64, tokens: u64, largest: u32) -> u64 {
        if self.padded { items * u64::from(largest) } else { tokens }
    }

    /// The work of such a batch, in the unit that its service time is predicted from: charged tokens, or items if
    /// tokens are not bounded.
    pub(super) fn work(&self, items: u64, tokens: u64, largest: u32) -> u64 {
        if self.max_tokens.is_none() { items } else { self.charged(items, tokens, largest) }
    }

    /// The work of an item that is alone in its batch.
    pub(super) fn work_alone(&self, cost: u32) -> u64 {
        self.work(1, u64::from(cost), cost)
    }

    /// Whether each batch is built around its first item by costs.
    pub(super) fn windowed(&self) -> bool {
        self.padded && self.max_tokens.is_some() && self.bins == Bins::Adaptive
    }
}

fn at_least_one(name: &str, bound: u64) -> Result<()> {
    if bound == 0 { Err(config(format!("{name} must be at least 1, got 0"))) } else { Ok(()) }
}

fn check_bounds(bounds: &[u32]) -> Result<()> {
    if bounds.is_empty() || bounds.len() >= MAX_BINS as usize {
        return Err(config(format!("expected 1 to {} bounds of bins, got {}", MAX_BINS - 1, bounds.len())));
    }
    match bounds.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(config(format!("the bounds of bins must ascend, got {} before {}", pair[0], pair[1]))),
        None => Ok(()),
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
