//! Finding items whose futures were cancelled without anybody's saying so.
//!
//! To be told by each future would cost as much as queueing it. So they are asked when it matters: those of a batch when
//! it is formed, and all that wait when there is no room, when many of a batch were cancelled, or when somebody counts.

use std::sync::PoisonError;

use llmfast_core::batch::{Left, Ticket};
use pyo3::prelude::*;

use super::batch_formed::{Batch, Entries};
use super::batch_queue::Queue;

/// A queue of so many items is always asked, a longer one once in as many refusals as an eighth of it.
const SMALL: usize = 64;
const SHARE: usize = 8;
/// All that wait are asked when one in so many of a batch was cancelled.
const MANY: usize = 4;

/// Refusals since all that wait were asked.
#[derive(Default)]
pub(crate) struct Sweeps {
    refusals: usize,
}

impl Queue {
    /// Drops what waits and was cancelled: how many.
    pub(crate) fn sweep(&self, py: Python<'_>) -> usize {
        let tickets: Vec<Ticket> = {
            let state = self.lock();
            // Asking a future of asyncio's runs nobody's code.
            let cancelled = state.entries.iter().flatten().filter(|entry| entry.is_given_up(py));
            cancelled.map(|entry| entry.ticket).collect()
        };
        for &ticket in &tickets {
            self.cancel(py, ticket);
        }
        tickets.len()
    }

    /// The same where a full queue refuses an item, but not so often that refusing gets slow: whether there is room now.
    pub(super) fn sweep_when_full(&self, py: Python<'_>) -> bool {
        let waiting = self.read(|scheduler| scheduler.waiting() as usize);
        {
            let mut sweeps = self.sweeps.lock().unwrap_or_else(PoisonError::into_inner);
            sweeps.refusals += 1;
            if waiting > SMALL && sweeps.refusals * SHARE < waiting {
                return false;
            }
            sweeps.refusals = 0;
        }
        self.sweep(py) > 0
    }

    /// Takes what was cancelled out of a batch: whether that was all of it.
    pub(super) fn sweep_formed(&self, py: Python<'_>, batch: &mut Batch) -> bool {
        if !batch.entries.iter().any(|entry| entry.is_given_up(py)) {
            return false;
        }
        let (cancelled, wanted) = batch.entries.drain(..).partition::<Entries, _>(|entry| entry.is_given_up(py));
        batch.entries = wanted;
        let all = self.tell(&cancelled.iter().map(|entry| entry.ticket).collect::<Vec<_>>());
        if cancelled.len() * MANY >= cancelled.len() + batch.entries.len() {
            self.sweep(py);
        }
        all
    }

    /// Tells the scheduler which items of a batch that runs nobody waits for: whether that leaves none.
    pub(crate) fn sweep_running(&self, py: Python<'_>, batch: &Batch) -> bool {
        let cancelled = batch.entries.iter().filter(|entry| entry.is_given_up(py));
        self.tell(&cancelled.map(|entry| entry.ticket).collect::<Vec<_>>())
    }

    /// Tells the scheduler that nobody waits for these: whether that leaves none in their batch.
    pub(super) fn tell(&self, tickets: &[Ticket]) -> bool {
        if tickets.is_empty() {
            return false;
        }
        let mut state = self.lock();
        let mut none_left = false;
        for &ticket in tickets {
            none_left |= matches!(state.scheduler.cancel(ticket), Left::Running { last: true, .. });
        }
        none_left
    }
}
