//! Batch options of the Python API as bounds of a scheduler, times as nanoseconds, and counts as dicts.

use llmfast_core::batch::{Bins, Ended, Histogram, Limits, Reason, Stats};
use llmfast_core::{Error, ErrorKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_py;

const NANOSECONDS: f64 = 1e9;

/// Bounds, as keywords give them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options<'py> {
    pub(crate) max_batch_size: i64,
    pub(crate) max_batch_tokens: Option<i64>,
    pub(crate) padded: bool,
    /// Seconds.
    pub(crate) max_wait: f64,
    pub(crate) concurrency: i64,
    pub(crate) max_queue: i64,
    pub(crate) max_queue_tokens: Option<i64>,
    /// None, a number of bins, or a sequence of the largest cost of each bin but the last.
    pub(crate) bins: Option<Bound<'py, PyAny>>,
    /// Seconds that a step of priority is worth.
    pub(crate) ageing: f64,
}

impl Options<'_> {
    /// The bounds; `ConfigError` for what is outside what is accepted, with the option's name and the number.
    pub(crate) fn limits(&self) -> PyResult<Limits> {
        Ok(Limits {
            max_items: count("max_batch_size", self.max_batch_size)?,
            max_tokens: tokens("max_batch_tokens", self.max_batch_tokens)?,
            padded: self.padded,
            max_wait: nanoseconds("max_wait", self.max_wait)?,
            workers: count("concurrency", self.concurrency)?,
            queue_items: count("max_queue", self.max_queue)?,
            queue_tokens: tokens("max_queue_tokens", self.max_queue_tokens)?,
            bins: bins(self.bins.as_ref())?,
            ageing: match nanoseconds("ageing", self.ageing)? {
                0 => return Err(config(format!("ageing must be at least 1e-9 seconds, got {}", self.ageing))),
                ageing => ageing,
            },
        })
    }
}

fn config(message: String) -> PyErr {
    to_py(Error::new(ErrorKind::Config, message))
}

fn count(name: &str, number: i64) -> PyResult<u32> {
    match u32::try_from(number) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(config(format!("{name} must be 1 to {}, got {number}", u32::MAX))),
    }
}

fn tokens(name: &str, number: Option<i64>) -> PyResult<Option<u64>> {
    match number {
        Some(number) if number < 1 => Err(config(format!("{name} must be at least 1, got {number}"))),
        number => Ok(number.map(|number| number as u64)),
    }
}

/// Seconds as nanoseconds: `ConfigError` if they are negative, not finite, or beyond 584 years.
pub(crate) fn nanoseconds(name: &str, seconds: f64) -> PyResult<u64> {
    let nanoseconds = (seconds * NANOSECONDS).round();
    // 2⁶⁴; a NaN is in no range.
    if (0.0..18_446_744_073_709_551_616.0).contains(&nanoseconds) {
        return Ok(nanoseconds as u64);
    }
    Err(config(format!("{name} must be 0 or a finite number of seconds above, got {seconds}")))
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / NANOSECONDS
}

fn bins(given: Option<&Bound<'_, PyAny>>) -> PyResult<Bins> {
    let Some(given) = given else { return Ok(Bins::Adaptive) };
    if let Ok(bins) = given.extract::<i64>() {
        // What does not fit is refused by the core, as 0 is.
        return Ok(Bins::Quantiles(u32::try_from(bins).unwrap_or(0)));
    }
    let bounds = given.extract::<Vec<u32>>().map_err(|_| {
        let message = format!("bins must be None, an int or a sequence of int, got {given}");
        PyTypeError::new_err(message)
    })?;
    Ok(Bins::Bounds(bounds))
}

/// How a batch ended, by its name.
pub(crate) fn ended_named(name: &str) -> PyResult<Ended> {
    match name {
        "served" => Ok(Ended::Served),
        "failed" => Ok(Ended::Failed),
        "cancelled" => Ok(Ended::Cancelled),
        _ => Err(config(format!("no batch ends as '{name}'"))),
    }
}

/// All counts by name; times in seconds.
pub(crate) fn stats_dict<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    for (name, count) in [
        ("submitted", stats.submitted),
        ("refused_items", stats.refused_items),
        ("refused_tokens", stats.refused_tokens),
        ("refused_too_large", stats.refused_too_large),
        ("refused_too_late", stats.refused_too_late),
        ("cancelled_waiting", stats.cancelled_waiting),
        ("cancelled_running", stats.cancelled_running),
        ("late", stats.late),
        ("batches", stats.batches),
        ("formed", stats.formed),
        ("tokens", stats.tokens),
        ("padded", stats.padded),
        ("largest", stats.largest),
    ] {
        fields.set_item(name, count)?;
    }
    let reasons = PyDict::new(py);
    for reason in Reason::ALL {
        reasons.set_item(reason.name(), stats.batches_by(reason))?;
    }
    fields.set_item("reasons", reasons)?;
    fields.set_item("queue_time", histogram_dict(py, &stats.queue_time, NANOSECONDS)?)?;
    fields.set_item("service_time", histogram_dict(py, &stats.service_time, NANOSECONDS)?)?;
    fields.set_item("sizes", histogram_dict(py, &stats.sizes, 1.0)?)?;
    Ok(fields)
}

/// Count, sum, max, quantiles, and the buckets as (upper bound, count); values divided by `unit`.
fn histogram_dict<'py>(py: Python<'py>, histogram: &Histogram, unit: f64) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("count", histogram.count())?;
    fields.set_item("sum", histogram.sum() as f64 / unit)?;
    fields.set_item("max", histogram.max() as f64 / unit)?;
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        fields.set_item(name, histogram.quantile(q) as f64 / unit)?;
    }
    let buckets: Vec<(f64, u64)> = histogram.buckets().map(|(upper, count)| (upper as f64 / unit, count)).collect();
    fields.set_item("buckets", buckets)?;
    Ok(fields)
}
