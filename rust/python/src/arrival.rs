//! Bindings of what a task waits for: asyncio's protocol of a future, by its names.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::support::arrivals::{Arrival, Outcome};

#[pyclass(module = "llmfast._llmfast", name = "Arrival", frozen)]
struct PyArrival(Arrival);

#[pymethods]
impl PyArrival {
    #[new]
    #[pyo3(signature = (runs_on, done = None))]
    fn new(runs_on: Py<PyAny>, done: Option<Py<PyAny>>) -> Self {
        Self(Arrival::new(runs_on, done))
    }

    #[pyo3(signature = (value, error = None))]
    fn arrive(slf: &Bound<'_, Self>, value: Py<PyAny>, error: Option<Py<PyAny>>) -> PyResult<()> {
        let outcome = error.map_or_else(|| Outcome::Value(value), Outcome::Error);
        Arrival::arrive(slf.as_any(), &slf.get().0, outcome)
    }

    #[pyo3(signature = (msg = None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        Arrival::cancel(slf.as_any(), &slf.get().0, msg)
    }

    #[pyo3(signature = (callback, *, context = None))]
    fn add_done_callback(slf: &Bound<'_, Self>, callback: Py<PyAny>, context: Option<Py<PyAny>>) -> PyResult<()> {
        Arrival::when_done(slf.as_any(), &slf.get().0, callback, context)
    }

    fn done(&self, py: Python<'_>) -> bool {
        self.0.is_done(py)
    }

    fn cancelled(&self, py: Python<'_>) -> bool {
        self.0.is_cancelled(py)
    }

    fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.result(py)
    }

    fn exception<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.0.exception(py)
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.0.runs_on.clone_ref(py)
    }

    #[getter]
    fn _asyncio_future_blocking(&self) -> bool {
        self.0.is_blocking()
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, is_blocking: bool) {
        self.0.set_blocking(is_blocking);
    }

    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        slf.get().0.step(slf.py())?;
        Ok(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.visit(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        self.0.forget(py);
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyArrival>()
}
