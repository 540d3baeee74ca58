//! Binding of a cache's counters.

use llmfast_core::cache::Stats;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What a LruCache did since it was made, and what it holds now.
///
/// What a `Cache` tells of itself is `TierStats`.
#[pyclass(module = "llmfast", frozen, get_all, eq)]
#[derive(PartialEq)]
pub(crate) struct CacheStats {
    /// Lookups that found a live entry.
    hits: u64,
    /// Lookups that found none.
    misses: u64,
    /// Entries stored, replacements included.
    insertions: u64,
    /// Entries removed to make room.
    evictions: u64,
    /// Entries removed because their time was over.
    expirations: u64,
    /// Entries refused because they weigh more than `max_bytes`.
    rejections: u64,
    /// Entries held, expired ones that nobody has asked for since included.
    entries: u64,
    /// Sum of their weights.
    bytes: u64,
}

impl From<Stats> for CacheStats {
    fn from(stats: Stats) -> Self {
        let Stats { hits, misses, insertions, evictions, expirations, rejections, entries, bytes } = stats;
        Self { hits, misses, insertions, evictions, expirations, rejections, entries, bytes }
    }
}

type Counts = (u64, u64, u64, u64, u64, u64, u64, u64);

#[pymethods]
impl CacheStats {
    #[new]
    #[allow(clippy::too_many_arguments)] // one for each count
    fn new(
        hits: u64,
        misses: u64,
        insertions: u64,
        evictions: u64,
        expirations: u64,
        rejections: u64,
        entries: u64,
        bytes: u64,
    ) -> Self {
        Self { hits, misses, insertions, evictions, expirations, rejections, entries, bytes }
    }

    /// For pickle and copy.
    fn __getnewargs__(&self) -> Counts {
        let Self { hits, misses, insertions, evictions, expirations, rejections, entries, bytes } = *self;
        (hits, misses, insertions, evictions, expirations, rejections, entries, bytes)
    }

    fn _asdict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let fields = PyDict::new(slf.py());
        for name in ["hits", "misses", "insertions", "evictions", "expirations", "rejections", "entries", "bytes"] {
            fields.set_item(name, slf.getattr(name)?)?;
        }
        Ok(fields)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        Ok(format!("CacheStats({})", Self::_asdict(slf)?.repr()?))
    }
}
