//! Bindings of the exact vector index.

use std::path::PathBuf;
use std::sync::Arc;

use llmfast_core::index::{FlatIndex, Hit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::to_py;
use crate::support::forks::detached;
use crate::support::indexes::{index_methods, kernel_to_load};
use crate::support::vectors;

#[pyclass(module = "llmfast", name = "Hit", frozen, eq, from_py_object)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyHit(Hit);

#[pymethods]
impl PyHit {
    #[new]
    fn new(id: u64, score: f64) -> Self {
        Self(Hit { id, score })
    }

    #[getter]
    fn id(&self) -> u64 {
        self.0.id
    }

    #[getter]
    fn score(&self) -> f64 {
        self.0.score
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.pair(py)?.try_iter()?.into_any())
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.pair(py)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Hit(id={}, score={})", self.0.id, self.pair(py)?.get_item(1)?.repr()?))
    }
}

impl PyHit {
    fn pair<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        (self.0.id, self.0.score).into_pyobject(py)
    }
}

/// Rows that were found, as Python gets them.
pub(crate) fn hits(found: Vec<Hit>) -> Vec<PyHit> {
    found.into_iter().map(PyHit).collect()
}

#[pyclass(module = "llmfast", name = "FlatIndex", frozen)]
pub(crate) struct PyFlatIndex(pub(crate) Arc<FlatIndex>);

#[pymethods]
impl PyFlatIndex {
    #[new]
    fn new(dim: usize) -> PyResult<Self> {
        FlatIndex::with_kernel(dim, vectors::kernel()?).map(|index| Self(Arc::new(index))).map_err(to_py)
    }

    fn remove(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        detached(py, || self.0.remove(id)).map_err(to_py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("FlatIndex(dim={}, rows={})", self.0.dim(), py.detach(|| self.0.len()))
    }

    fn __contains__(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        detached(py, || self.0.contains(id)).map_err(to_py)
    }

    fn compact(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        detached(py, || self.0.compact(&path)).map_err(to_py)
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let kernel = kernel_to_load(&path)?;
        py.detach(|| FlatIndex::load_with_kernel(&path, kernel)).map(|index| Self(Arc::new(index))).map_err(to_py)
    }
}

index_methods!(PyFlatIndex);

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyHit>()?;
    module.add_class::<PyFlatIndex>()
}
