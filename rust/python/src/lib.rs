//! The extension module `llmfast._llmfast`: one binding file per core module, no logic.

// pyo3 hands extracted arguments over by value, and methods take `self` whether or not they need it.
#![allow(clippy::needless_pass_by_value, clippy::unused_self)]
// Doc comments are Python's docstrings, in the words of the stub.
#![allow(clippy::doc_markdown)]

mod arrival;
mod batch;
mod batch_front;
mod batch_queue;
mod batch_totals;
mod bridge;
mod cache;
mod cache_protocol;
mod cache_stats;
mod decision;
mod encoder;
mod errors;
mod flat_index;
mod flight;
mod formed_batch;
mod hnsw_index;
mod ledger;
mod refusal;
mod request;
mod request_identity;
mod router;
mod row;
mod row_fields;
mod semantic;
mod support;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
fn _llmfast(module: &Bound<'_, PyModule>) -> PyResult<()> {
    if cfg!(debug_assertions) {
        errors::warn_debug_build(module.py())?;
    }
    module.setattr("__version__", env!("CARGO_PKG_VERSION"))?;
    arrival::register(module)?;
    batch_front::register(module)?;
    batch_queue::register(module)?;
    batch_totals::register(module)?;
    batch::register(module)?;
    bridge::register(module)?;
    cache::register(module)?;
    decision::register(module)?;
    encoder::register(module)?;
    flat_index::register(module)?;
    flight::register(module)?;
    formed_batch::register(module)?;
    hnsw_index::register(module)?;
    ledger::register(module)?;
    refusal::register(module)?;
    request::register(module)?;
    request_identity::register(module)?;
    router::register(module)?;
    row::register(module)?;
    semantic::register(module)
}
