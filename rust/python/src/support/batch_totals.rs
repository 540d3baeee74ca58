//! What a batched function did on all event loops, those that have ended included.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use llmfast_core::batch::{Histogram, Reason, Stats};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::batch_queue::State;

/// Counters of one batched function.
#[derive(Default)]
pub(crate) struct Totals {
    /// What queues that are gone had counted.
    kept: Mutex<Stats>,
    queues: Mutex<Vec<Weak<Mutex<State>>>>,
    completed: AtomicU64,
    failed: AtomicU64,
    retries: AtomicU64,
}

impl Totals {
    /// Counts a queue in, until it is gone.
    pub(super) fn follow(&self, state: State) -> Arc<Mutex<State>> {
        let state = Arc::new(Mutex::new(state));
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(&state));
        state
    }

    /// Keeps what a queue has counted that goes.
    pub(super) fn keep(&self, stats: &Stats) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).merge(stats);
    }

    fn stats(&self) -> Stats {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut stats = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for queue in queues.iter().filter_map(Weak::upgrade) {
            stats.merge(queue.lock().unwrap_or_else(PoisonError::into_inner).scheduler.stats());
        }
        stats
    }

    pub(crate) fn add_completed(&self, count: u64) {
        self.completed.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_failed(&self, count: u64) {
        self.failed.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn add_retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything under its name.
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.stats();
        let fields = PyDict::new(py);
        for (name, count) in [
            ("submitted", stats.submitted),
            ("completed", self.completed.load(Ordering::Relaxed)),
            ("failed", self.failed.load(Ordering::Relaxed)),
            ("cancelled", stats.cancelled_waiting + stats.cancelled_running),
            ("late", stats.late),
            ("refused_items", stats.refused_items),
            ("refused_tokens", stats.refused_tokens),
            ("refused_too_large", stats.refused_too_large),
            ("refused_too_late", stats.refused_too_late),
            ("batches", stats.batches),
            ("retries", self.retries.load(Ordering::Relaxed)),
            ("largest_batch", stats.largest),
            ("tokens", stats.tokens),
            ("padded_tokens", stats.padded),
        ] {
            fields.set_item(name, count)?;
        }
        let fired = PyDict::new(py);
        for reason in Reason::ALL {
            fired.set_item(reason.name(), stats.batches_by(reason))?;
        }
        fields.set_item("fired", fired)?;
        fields.set_item("batch_sizes", buckets(&stats.sizes))?;
        fields.set_item("queue_time", buckets(&stats.queue_time))?;
        fields.set_item("service_time", buckets(&stats.service_time))?;
        Ok(fields)
    }
}

/// Sum, greatest value, and the buckets that are not empty: (upper bound, count).
fn buckets(histogram: &Histogram) -> (u128, u64, Vec<(u64, u64)>) {
    let filled = histogram.buckets().filter(|&(_, count)| count > 0).collect();
    (histogram.sum(), histogram.max(), filled)
}
