//! Bindings of the approximate vector index.

use std::path::PathBuf;

use llmfast_core::index::HnswIndex;
use pyo3::prelude::*;

use crate::errors::to_py;
use crate::flat_index::{PyHit, hits};
use crate::support::forks::detached;
use crate::support::indexes::{index_methods, kernel_to_load};
use crate::support::vectors;

#[pyclass(module = "llmfast", name = "HnswIndex", frozen)]
struct PyHnswIndex(HnswIndex);

#[pymethods]
impl PyHnswIndex {
    #[new]
    #[pyo3(signature = (dim, *, connectivity = 16, expansion = 64))]
    fn new(dim: usize, connectivity: usize, expansion: usize) -> PyResult<Self> {
        HnswIndex::with_kernel(dim, connectivity, expansion, vectors::kernel()?).map(Self).map_err(to_py)
    }

    fn remove(&self, py: Python<'_>, id: u64) -> bool {
        detached(py, || self.0.remove(id))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (dim, connectivity, expansion) = (self.0.dim(), self.0.connectivity(), self.0.expansion());
        let rows = py.detach(|| self.0.len());
        format!("HnswIndex(dim={dim}, rows={rows}, connectivity={connectivity}, expansion={expansion})")
    }

    fn __contains__(&self, py: Python<'_>, id: u64) -> bool {
        detached(py, || self.0.contains(id))
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let kernel = kernel_to_load(&path)?;
        py.detach(|| HnswIndex::load_with_kernel(&path, kernel)).map(Self).map_err(to_py)
    }

    #[getter]
    fn connectivity(&self) -> usize {
        self.0.connectivity()
    }

    #[getter]
    fn expansion(&self) -> usize {
        self.0.expansion()
    }
}

index_methods!(PyHnswIndex);

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyHnswIndex>()
}
