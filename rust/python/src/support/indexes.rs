//! What the bindings of all indexes have in common.

/// A score below every cosine, however it is rounded.
pub(crate) const ANY_SCORE: f64 = -2.0;

/// The methods of a class around an index of the core, the same in all of them. Names are those of the file that asks for
/// them: `PathBuf`, `Bound` and the like, `ANY_SCORE`, `to_py`, `detached`, `vectors`, `PyHit`, `hits`.
macro_rules! index_methods {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            /// Add a row; DuplicateIdError when the index has the id, in any partition.
            #[pyo3(signature = (id, vector, *, partition = 0))]
            fn add(&self, py: Python<'_>, id: u64, vector: &Bound<'_, PyAny>, partition: u128) -> PyResult<()> {
                let vector = vectors::vector(vector, self.0.dim())?;
                detached(py, || self.0.add(id, &vector, partition)).map_err(to_py)
            }

            /// Add the rows of `matrix`, shape (len(ids), dim): all of them or, with an error, none.
            #[pyo3(signature = (ids, matrix, *, partition = 0))]
            fn add_many(
                &self,
                py: Python<'_>,
                ids: &Bound<'_, PyAny>,
                matrix: &Bound<'_, PyAny>,
                partition: u128,
            ) -> PyResult<()> {
                let matrix = vectors::matrix(matrix, self.0.dim())?;
                let ids = vectors::ids(ids, matrix.len() / self.0.dim())?;
                detached(py, || self.0.add_many(&ids, &matrix, partition)).map_err(to_py)
            }

            /// Replace the vector of a row, which stays in its partition; UnknownIdError when there is none.
            fn update(&self, py: Python<'_>, id: u64, vector: &Bound<'_, PyAny>) -> PyResult<()> {
                let vector = vectors::vector(vector, self.0.dim())?;
                detached(py, || self.0.update(id, &vector)).map_err(to_py)
            }

            /// Return the at most `k` rows of the largest cosine of at least `min_score` (None: any), best first.
            ///
            /// ConfigError for k = 0 or a `min_score` of NaN.
            #[pyo3(signature = (vector, k = 1, *, min_score = None, partition = 0))]
            fn search(
                &self,
                py: Python<'_>,
                vector: &Bound<'_, PyAny>,
                k: usize,
                min_score: Option<f64>,
                partition: u128,
            ) -> PyResult<Vec<PyHit>> {
                let query = vectors::vector(vector, self.0.dim())?;
                let min_score = min_score.unwrap_or(ANY_SCORE);
                detached(py, || self.0.search(&query, k, min_score, partition)).map(hits).map_err(to_py)
            }

            /// Search for every row of `matrix`, shape (n, dim), in one state of the index; return n lists.
            #[pyo3(signature = (matrix, k = 1, *, min_score = None, partition = 0))]
            fn search_many(
                &self,
                py: Python<'_>,
                matrix: &Bound<'_, PyAny>,
                k: usize,
                min_score: Option<f64>,
                partition: u128,
            ) -> PyResult<Vec<Vec<PyHit>>> {
                let queries = vectors::matrix(matrix, self.0.dim())?;
                let min_score = min_score.unwrap_or(ANY_SCORE);
                let found = detached(py, || self.0.search_many(&queries, k, min_score, partition)).map_err(to_py)?;
                Ok(found.into_iter().map(hits).collect())
            }

            /// Write all rows to a file, replacing it in one step; OSError when the system refuses.
            ///
            /// The new file may be read by those who could read the old one; a symbolic link stays, and is followed.
            fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
                detached(py, || self.0.save(&path)).map_err(to_py)
            }

            /// Components of a vector.
            #[getter]
            fn dim(&self) -> usize {
                self.0.dim()
            }

            /// Bytes on the heap; what is mapped from a file is not among them.
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
