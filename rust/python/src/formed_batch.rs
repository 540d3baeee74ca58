//! Bindings of a batch that is called.

use llmfast_core::batch::Reason;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::support::batch_formed::Batch;

/// A batch, its number if it is to be called, whether a certain item leads it, and whether there is more.
pub(crate) type Next = (PyBatch, Option<u64>, bool, bool);

#[pyclass(module = "llmfast._llmfast", name = "FormedBatch", frozen)]
pub(crate) struct PyBatch(pub(crate) Batch);

#[pymethods]
impl PyBatch {
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.0.reason.map(Reason::name)
    }

    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.0.entries.first()?.context.as_ref().map(|context| context.clone_ref(py))
    }

    #[pyo3(signature = (places = None))]
    fn items<'py>(&self, py: Python<'py>, places: Option<Vec<usize>>) -> PyResult<Bound<'py, PyList>> {
        self.0.items(py, places)
    }

    fn cancel(&self, py: Python<'_>, places: Vec<usize>) {
        self.0.cancel(py, &places);
    }

    /// Whether the item in this place belongs to a list that has errors among its results.
    fn keeps_errors(&self, place: usize) -> bool {
        self.0.entries[place].keeps_errors()
    }

    fn watch(&self, callback: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.watch(callback)
    }

    fn wanted<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.0.wanted(py)
    }

    fn __len__(&self) -> usize {
        self.0.entries.len()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.entries.iter().try_for_each(|entry| entry.visit(&visit))
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyBatch>()
}
