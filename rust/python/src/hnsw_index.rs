//! Bindings of the approximate vector index.

use std::path::PathBuf;

use llmfast_core::index::HnswIndex;
use pyo3::prelude::*;

use crate::errors::to_py;
use crate::flat_index::{PyHit, hits};
use crate::support::forks::detached;
use crate::support::indexes::{ANY_SCORE, index_methods};
use crate::support::vectors;

/// The rows nearest to a query by cosine, most of them found by a graph: approximate.
///
/// Interface, vectors, errors, ids and partitions are those of FlatIndex. A partition of at most 1,024 rows is compared
/// row by row, exactly as FlatIndex does; a larger one has a graph of its own (HNSW, Malkov and Yashunin, 2016, walked
/// by the usearch library). A search looks at the rows near the query and may miss some: on clustered vectors, as texts
/// give them, few; on vectors without structure most. From which size on it wins over FlatIndex, and by how much, is
/// measured in the README.
///
/// What is returned is true: scores are the float64 cosines of the rows as they were given (in float32), none is below
/// `min_score`, and of the rows that were found and score the same the smaller id comes first. Any number of equal rows
/// is found. Which rows are found may change with the machine, the order of insertion, and `load`.
///
/// `dim`: components of a vector, 1 to 4096. `connectivity`: neighbours of a row in the graph, 2 to 256, twice as many
/// in its lowest layer. `expansion`: candidates that a search keeps, 1 to 65,536; an insertion keeps twice as many.
/// Larger numbers find more rows and take longer. ConfigError outside. OutOfMemoryError when a graph cannot grow.
///
/// Safe from any thread; searches run side by side without the interpreter, as many at a time as there are processors.
/// They wait while rows are added to a graph, not while one is built. 4 bytes a component and about 340 a row.
#[pyclass(module = "llmfast", name = "HnswIndex", frozen)]
struct PyHnswIndex(HnswIndex);

#[pymethods]
impl PyHnswIndex {
    #[new]
    #[pyo3(signature = (dim, *, connectivity = 16, expansion = 64))]
    fn new(dim: usize, connectivity: usize, expansion: usize) -> PyResult<Self> {
        HnswIndex::with_kernel(dim, connectivity, expansion, vectors::kernel()?).map(Self).map_err(to_py)
    }

    /// Remove a row; return whether it was there.
    ///
    /// Its place in the graph is kept for the next row. When half of the places of a partition are such, the graph is
    /// built anew, which takes as long as adding the rows that are left; searches go on meanwhile.
    fn remove(&self, py: Python<'_>, id: u64) -> bool {
        detached(py, || self.0.remove(id))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let (dim, connectivity, expansion) = (self.0.dim(), self.0.connectivity(), self.0.expansion());
        let rows = detached(py, || self.0.len());
        format!("HnswIndex(dim={dim}, rows={rows}, connectivity={connectivity}, expansion={expansion})")
    }

    fn __contains__(&self, py: Python<'_>, id: u64) -> bool {
        detached(py, || self.0.contains(id))
    }

    /// Read what `save` wrote; FileNotFoundError, or CorruptFileError for any other content.
    ///
    /// The file holds rows; the graphs are built again, which takes as long as adding the rows.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let kernel = vectors::kernel()?;
        py.detach(|| HnswIndex::load_with_kernel(&path, kernel)).map(Self).map_err(to_py)
    }

    /// Neighbours of a row in the graph at most, in all layers but the lowest.
    #[getter]
    fn connectivity(&self) -> usize {
        self.0.connectivity()
    }

    /// Candidates that a search keeps at least.
    #[getter]
    fn expansion(&self) -> usize {
        self.0.expansion()
    }
}

index_methods!(PyHnswIndex);

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyHnswIndex>()
}
