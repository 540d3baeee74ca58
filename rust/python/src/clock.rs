//! Bindings of the runtime's clock.

use pyo3::prelude::*;

/// Seconds since the Unix epoch by the system's clock.
#[pyfunction]
fn wall_clock() -> f64 {
    llmfast_runtime::clock::wall().as_secs_f64()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(wall_clock, module)?)
}
