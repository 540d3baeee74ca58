//! Bindings of the exact vector index.

use std::path::PathBuf;

use llmfast_core::index::{FlatIndex, Hit};
use pyo3::exceptions::PyFileNotFoundError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::to_py;
use crate::support::vectors;

#[pyclass(module = "llmfast", name = "Hit", frozen, eq, from_py_object)]
#[derive(Clone, PartialEq)]
struct PyHit(Hit);

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

fn hits(found: Vec<Hit>) -> Vec<PyHit> {
    found.into_iter().map(PyHit).collect()
}

#[pyclass(module = "llmfast", name = "FlatIndex", frozen)]
struct PyFlatIndex(FlatIndex);

#[pymethods]
impl PyFlatIndex {
    #[new]
    fn new(dim: usize) -> PyResult<Self> {
        FlatIndex::with_kernel(dim, vectors::kernel()?).map(Self).map_err(to_py)
    }

    #[pyo3(signature = (id, vector, *, partition = 0))]
    fn add(&self, py: Python<'_>, id: u64, vector: &Bound<'_, PyAny>, partition: u128) -> PyResult<()> {
        let vector = vectors::vector(vector)?;
        py.detach(|| self.0.add(id, &vector, partition)).map_err(to_py)
    }

    #[pyo3(signature = (ids, matrix, *, partition = 0))]
    fn add_many(&self, py: Python<'_>, ids: Vec<u64>, matrix: &Bound<'_, PyAny>, partition: u128) -> PyResult<()> {
        let matrix = vectors::matrix(matrix, self.0.dim())?;
        py.detach(|| self.0.add_many(&ids, &matrix, partition)).map_err(to_py)
    }

    fn update(&self, py: Python<'_>, id: u64, vector: &Bound<'_, PyAny>) -> PyResult<()> {
        let vector = vectors::vector(vector)?;
        py.detach(|| self.0.update(id, &vector)).map_err(to_py)
    }

    fn remove(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        py.detach(|| self.0.remove(id)).map_err(to_py)
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
        py.detach(|| self.0.search(&query, k, min_score, partition)).map(hits).map_err(to_py)
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
        let found = py.detach(|| self.0.search_many(&queries, k, min_score, partition)).map_err(to_py)?;
        Ok(found.into_iter().map(hits).collect())
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(&path)).map_err(to_py)
    }

    fn compact(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.compact(&path)).map_err(to_py)
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        if !path.exists() {
            return Err(PyFileNotFoundError::new_err((2, "no such file", path)));
        }
        let kernel = vectors::kernel()?;
        py.detach(|| FlatIndex::load_with_kernel(&path, kernel)).map(Self).map_err(to_py)
    }

    #[getter]
    fn dim(&self) -> usize {
        self.0.dim()
    }

    #[getter]
    fn memory_bytes(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.memory_bytes())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        py.detach(|| self.0.len())
    }

    fn __contains__(&self, py: Python<'_>, id: u64) -> PyResult<bool> {
        py.detach(|| self.0.contains(id)).map_err(to_py)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyHit>()?;
    module.add_class::<PyFlatIndex>()
}
