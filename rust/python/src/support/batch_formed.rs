//! The items of one batch, from when it is formed until it has ended.

use llmfast_core::batch::{BatchId, Reason};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use smallvec::SmallVec;

use super::batch_entries::{Entry, is_pending};

/// One of them needs no memory of its own.
pub(crate) type Entries = SmallVec<[Entry; 1]>;

/// Items that are called together, or that are too late.
pub(crate) struct Batch {
    /// None if they are too late.
    pub(crate) id: Option<BatchId>,
    pub(crate) entries: Entries,
    pub(crate) reason: Option<Reason>,
}

impl Batch {
    /// A new list of its items, or of those in `places`.
    pub(crate) fn items<'py>(&self, py: Python<'py>, places: Option<Vec<usize>>) -> PyResult<Bound<'py, PyList>> {
        match places {
            None => PyList::new(py, self.entries.iter().map(|entry| &entry.item)),
            Some(places) => PyList::new(py, places.into_iter().map(|place| &self.entries[place].item)),
        }
    }

    /// Whether its first item has this future.
    pub(crate) fn is_led_by(&self, future: Option<&Bound<'_, PyAny>>) -> bool {
        future.is_some_and(|future| self.entries.first().is_some_and(|entry| entry.is_for(future)))
    }

    /// Cancels what waits for items.
    pub(crate) fn cancel(&self, py: Python<'_>, places: &[usize]) {
        for &place in places {
            self.entries[place].cancel(py);
        }
    }

    /// Has a call's method `watched` called as `watch` does.
    pub(crate) fn watch_for(&self, call: &Bound<'_, PyAny>) {
        if self.entries.iter().all(|entry| entry.unwatched().is_none()) {
            return;
        }
        let watched = call.getattr(pyo3::intern!(call.py(), "watched")).and_then(|watched| self.watch(&watched));
        if let Err(error) = watched {
            // Its items get their results all the same.
            error.write_unraisable(call.py(), Some(call));
        }
    }

    /// Has `callback` called when one of its items is done, namely one whose future may be cancelled without anybody's
    /// saying so: as long as it is not, somebody waits for the batch.
    pub(crate) fn watch(&self, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = callback.py();
        let mut futures = self.entries.iter().filter_map(Entry::unwatched);
        match futures.find(|future| is_pending(future.bind(py))) {
            Some(future) => future.bind(py).call_method1(pyo3::intern!(py, "add_done_callback"), (callback,)).map(drop),
            None => Ok(()),
        }
    }

    /// The places that somebody waits for.
    pub(crate) fn wanted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let wanted = (0..self.entries.len()).filter(|&place| self.entries[place].is_wanted(py));
        PyTuple::new(py, wanted.collect::<Vec<_>>())
    }
}
