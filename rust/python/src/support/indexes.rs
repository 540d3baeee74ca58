//! What the bindings of all indexes have in common.

use std::path::Path;

use llmfast_core::kernel::Kernel;
use pyo3::exceptions::PyFileNotFoundError;
use pyo3::prelude::*;

/// The kernel for an index that is read from `path`; `FileNotFoundError` when there is no such file.
pub(crate) fn kernel_to_load(path: &Path) -> PyResult<Kernel> {
    if path.exists() {
        super::vectors::kernel()
    } else {
        Err(PyFileNotFoundError::new_err((2, "no such file", path.to_owned())))
    }
}

/// The methods of a class around an index of the core, the same in all of them. Names are those of the file that asks for
/// them: `PathBuf`, `Bound` and the like, `to_py`, `detached`, `vectors`, `PyHit`, `hits`.
macro_rules! index_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            #[pyo3(signature = (id, vector, *, partition = 0))]
            fn add(&self, py: Python<'_>, id: u64, vector: &Bound<'_, PyAny>, partition: u128) -> PyResult<()> {
                let vector = vectors::vector(vector)?;
                detached(py, || self.0.add(id, &vector, partition)).map_err(to_py)
            }

            #[pyo3(signature = (ids, matrix, *, partition = 0))]
            fn add_many(
                &self,
                py: Python<'_>,
                ids: &Bound<'_, PyAny>,
                matrix: &Bound<'_, PyAny>,
                partition: u128,
            ) -> PyResult<()> {
                let (ids, matrix) = (vectors::ids(ids)?, vectors::matrix(matrix, self.0.dim())?);
                detached(py, || self.0.add_many(&ids, &matrix, partition)).map_err(to_py)
            }

            fn update(&self, py: Python<'_>, id: u64, vector: &Bound<'_, PyAny>) -> PyResult<()> {
                let vector = vectors::vector(vector)?;
                detached(py, || self.0.update(id, &vector)).map_err(to_py)
            }

            #[pyo3(signature = (vector, k = 1, *, min_score = -1.0, partition = 0))]
            fn search(
                &self,
                py: Python<'_>,
                vector: &Bound<'_, PyAny>,
                k: usize,
                min_score: f64,
                partition: u128,
            ) -> PyResult<Vec<PyHit>> {
                let query = vectors::vector(vector)?;
                detached(py, || self.0.search(&query, k, min_score, partition)).map(hits).map_err(to_py)
            }

            #[pyo3(signature = (matrix, k = 1, *, min_score = -1.0, partition = 0))]
            fn search_many(
                &self,
                py: Python<'_>,
                matrix: &Bound<'_, PyAny>,
                k: usize,
                min_score: f64,
                partition: u128,
            ) -> PyResult<Vec<Vec<PyHit>>> {
                let queries = vectors::matrix(matrix, self.0.dim())?;
                let found = detached(py, || self.0.search_many(&queries, k, min_score, partition)).map_err(to_py)?;
                Ok(found.into_iter().map(hits).collect())
            }

            fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
                detached(py, || self.0.save(&path)).map_err(to_py)
            }

            #[getter]
            fn dim(&self) -> usize {
                self.0.dim()
            }

            #[getter]
            fn memory_bytes(&self, py: Python<'_>) -> usize {
                detached(py, || self.0.memory_bytes())
            }

            fn __len__(&self, py: Python<'_>) -> usize {
                detached(py, || self.0.len())
            }
        }
    };
}
pub(crate) use index_methods;
