//! Bindings of the counters of batched functions.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::support::batch_totals::Totals;

#[pyclass(module = "llmfast._llmfast", name = "BatchTotals", frozen)]
pub(crate) struct PyTotals(pub(crate) Arc<Totals>);

#[pymethods]
impl PyTotals {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    fn add_retry(&self) {
        self.0.add_retry();
    }

    fn read<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.0.to_dict(py)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyTotals>()
}
