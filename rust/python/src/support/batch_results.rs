//! Handing out what comes of a batch.

use std::sync::atomic::Ordering;

use llmfast_core::batch::Ended;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::batch_entries::{Given, is_error};
use super::batch_formed::Batch;
use super::batch_groups::Group;
use super::batch_queue::{Queue, now};

impl Queue {
    /// Gives each item of a batch its result and ends the batch: whether more items wait. None, and nothing done, if
    /// the results are no list of as many, or errors are among them.
    pub(crate) fn hand_out(&self, batch: &Batch, results: &Bound<'_, PyAny>) -> Option<bool> {
        let results = results.cast_exact::<PyList>().ok()?;
        if results.len() != batch.entries.len() || results.iter().any(|result| is_error(&result)) {
            return None;
        }
        self.deliver(batch, results, None);
        let mut state = self.lock();
        state.scheduler.finish(now(), batch.id?, Ended::Served);
        let more = state.scheduler.waiting() > 0;
        self.armed.fetch_and(more, Ordering::Relaxed);
        Some(more)
    }

    /// Gives each item of a batch, or those in `places`, its result; which results are errors.
    pub(crate) fn deliver(&self, batch: &Batch, results: &Bound<'_, PyList>, places: Option<&[usize]>) -> Vec<usize> {
        let (mut taken, mut errors, mut unwanted) = (0, Vec::new(), Vec::new());
        // As many as there are places, whatever another thread does to the list.
        let expected = places.map_or(batch.entries.len(), <[usize]>::len);
        for (index, result) in results.iter().take(expected).enumerate() {
            let place = places.map_or(index, |places| places[index]);
            if batch.entries[place].is_settled() {
                // The queue was closed meanwhile.
            } else if is_error(&result) {
                errors.push(index);
            } else if batch.entries[place].give(&result) == Given::Taken {
                taken += 1;
            } else {
                unwanted.push(batch.entries[place].ticket);
            }
        }
        self.totals.add_completed(taken);
        self.tell(&unwanted);
        errors
    }

    /// Fails items of a batch; the groups that fail with them.
    pub(crate) fn fail<'py>(
        &self,
        batch: &Batch,
        places: &[usize],
        error: &Bound<'py, PyAny>,
        counted: bool,
    ) -> Vec<Bound<'py, Group>> {
        let mut groups = Vec::new();
        for &place in places.iter().filter(|&&place| !batch.entries[place].is_settled()) {
            let (given, group) = batch.entries[place].fail(error);
            if given == Given::Unwanted {
                self.tell(&[batch.entries[place].ticket]);
            } else if counted {
                self.totals.add_failed(1);
            }
            groups.extend(group);
        }
        groups
    }
}
