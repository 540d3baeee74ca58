//! What a scheduler did since it was made.

use super::histogram::Histogram;
use super::item::{Formed, Reason, Refusal};

/// Counts and distributions. Times are nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Items that were taken.
    pub submitted: u64,
    /// Items that were refused because as many waited as may.
    pub refused_items: u64,
    /// Items that were refused because more tokens would have waited than may.
    pub refused_tokens: u64,
    /// Items that were refused because no batch could hold them.
    pub refused_too_large: u64,
    /// Items that were refused because they would have missed their deadline.
    pub refused_too_late: u64,
    /// Items that were cancelled while they waited, those dropped all at once among them.
    pub cancelled_waiting: u64,
    /// Items that were cancelled while they were running.
    pub cancelled_running: u64,
    /// Items that were dropped because they could not meet their deadline any more.
    pub late: u64,
    /// Batches that were formed.
    pub batches: u64,
    /// Items of these.
    pub formed: u64,
    /// Batches by [`Reason`], in the order of [`Reason::ALL`].
    pub reasons: [u64; Reason::ALL.len()],
    /// Tokens of the formed items.
    pub tokens: u64,
    /// Tokens that the batches were charged for.
    pub padded: u64,
    /// Items of the largest batch.
    pub largest: u64,
    /// How long items waited until their batch was formed.
    pub queue_time: Histogram,
    /// How long batches took that were served.
    pub service_time: Histogram,
    /// Items a batch.
    pub sizes: Histogram,
}

impl Stats {
    /// Batches that are no larger for this reason.
    pub fn batches_by(&self, reason: Reason) -> u64 {
        self.reasons[reason as usize]
    }

    /// Adds what another scheduler did.
    pub fn merge(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.refused_items += other.refused_items;
        self.refused_tokens += other.refused_tokens;
        self.refused_too_large += other.refused_too_large;
        self.refused_too_late += other.refused_too_late;
        self.cancelled_waiting += other.cancelled_waiting;
        self.cancelled_running += other.cancelled_running;
        self.late += other.late;
        self.batches += other.batches;
        self.formed += other.formed;
        for (count, more) in self.reasons.iter_mut().zip(other.reasons) {
            *count += more;
        }
        self.tokens += other.tokens;
        self.padded += other.padded;
        self.largest = self.largest.max(other.largest);
        self.queue_time.merge(&other.queue_time);
        self.service_time.merge(&other.service_time);
        self.sizes.merge(&other.sizes);
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Items { .. } => self.refused_items += 1,
            Refusal::Tokens { .. } => self.refused_tokens += 1,
            Refusal::TooLarge { .. } => self.refused_too_large += 1,
            Refusal::TooLate { .. } => self.refused_too_late += 1,
        }
    }

    pub(super) fn form(&mut self, batch: &Formed) {
        let items = batch.tickets.len() as u64;
        self.batches += 1;
        self.formed += items;
        self.reasons[batch.reason as usize] += 1;
        self.tokens += batch.tokens;
        self.padded += batch.padded;
        self.largest = self.largest.max(items);
        self.sizes.record(items);
    }
}
