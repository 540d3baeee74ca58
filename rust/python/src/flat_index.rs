//! Bindings of the exact vector index.

use std::path::PathBuf;
use std::sync::Arc;

use llmfast_core::index::{FlatIndex, Hit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::to_py;
use crate::support::forks::detached;
use crate::support::indexes::{ANY_SCORE, index_methods};
use crate::support::vectors;

/// A row that a search found. Unpacks as `id, score = hit`; equal hits compare and hash equal.
#[pyclass(module = "llmfast", name = "Hit", frozen, eq, from_py_object)]
#[derive(Clone, PartialEq)]
pub(crate) struct PyHit(Hit);

#[pymethods]
impl PyHit {
    #[new]
    fn new(id: u64, score: f64) -> Self {
        Self(Hit { id, score })
    }

    /// The id it was added under, 0 to 2**64 - 1.
    #[getter]
    fn id(&self) -> u64 {
        self.0.id
    }

    /// Its cosine with the query, -1 to 1, computed in float64.
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

/// The rows nearest to a query by cosine, found exactly.
///
/// A search returns what a full scan in float64 over the rows as they were given (in float32) would return, at any
/// `min_score`; equal scores are ordered by id. Ids are unique over all partitions, 0 to 2**64 - 1; partitions are 0 to
/// 2**128 - 1, and a search reads no rows of another. `dim`: components of a vector, 1 to 4096, else ConfigError.
///
/// A vector has shape (dim,), a matrix (n, dim): float32 buffers and arrays, contiguous or not; float64 ones and
/// sequences of numbers are rounded to float32. DimensionMismatchError for another shape, InvalidVectorError for NaN,
/// infinity or zeros alone, TypeError for a set or what is not numbers.
///
/// Each row is kept in one, four and eight bits a component as well, and a search stops at a row as soon as these prove
/// that it is not among the best: the higher `min_score`, the fewer bytes are read (3 % at .9). Results do not depend
/// on that. In memory 5.1 bytes a component and about 60 a row (2 kB for 384 components), and 4 bytes a component for
/// each partition; after `load` or `compact` 1.1 and about 60 (0.5 kB) of what is read often, and the rest stays on
/// disk.
///
/// Safe from any thread; searches run side by side without the interpreter, and wait for a writer only while it puts
/// prepared rows in their places.
#[pyclass(module = "llmfast", name = "FlatIndex", frozen)]
pub(crate) struct PyFlatIndex(pub(crate) Arc<FlatIndex>);

#[pymethods]
impl PyFlatIndex {
    #[new]
    fn new(dim: usize) -> PyResult<Self> {
        FlatIndex::with_kernel(dim, vectors::kernel()?).map(|index| Self(Arc::new(index))).map_err(to_py)
    }

    /// Remove a row; return whether it was there. A row in a file is passed by until `compact`.
    fn remove(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        detached(py, || self.0.remove(id)).map_err(to_py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("FlatIndex(dim={}, rows={})", self.0.dim(), detached(py, || self.0.len()))
    }

    fn __contains__(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        detached(py, || self.0.contains(id)).map_err(to_py)
    }

    /// `save`, and from then on read the rows from the file instead of keeping them in memory.
    fn compact(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        detached(py, || self.0.compact(&path)).map_err(to_py)
    }

    /// Open what `save` wrote, in milliseconds whatever its size; FileNotFoundError when there is no such file.
    ///
    /// CorruptFileError for any other content: at once where it can be seen from the header, else from the call that
    /// touches it first. The file must not be written to while the index lives; `save` to the same path replaces it and
    /// leaves this index with the old one.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let kernel = vectors::kernel()?;
        py.detach(|| FlatIndex::load_with_kernel(&path, kernel)).map(|index| Self(Arc::new(index))).map_err(to_py)
    }
}

index_methods!(PyFlatIndex);

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyHit>()?;
    module.add_class::<PyFlatIndex>()
}
