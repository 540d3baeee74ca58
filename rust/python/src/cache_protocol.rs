//! Bindings of the cache: the mapping protocol, what is refused, cyclic garbage collection.

use llmfast_runtime::clock::monotonic;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyType};

use crate::cache::PyLruCache;

type Any<'py> = Bound<'py, PyAny>;

#[pymethods]
impl PyLruCache {
    pub(crate) fn keys(&self) -> Vec<Py<PyAny>> {
        self.0.snapshot(monotonic()).into_iter().map(|(key, _)| key.0).collect()
    }

    fn values(&self) -> Vec<Py<PyAny>> {
        self.0.snapshot(monotonic()).into_iter().map(|(_, value)| value).collect()
    }

    fn items(&self) -> Vec<(Py<PyAny>, Py<PyAny>)> {
        self.0.snapshot(monotonic()).into_iter().map(|(key, value)| (key.0, value)).collect()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __contains__(&self, key: &Any<'_>) -> PyResult<bool> {
        self.peek(key, None).map(|value| value.is_some())
    }

    fn __getitem__(&self, key: &Any<'_>) -> PyResult<Py<PyAny>> {
        self.get(key, None)?.ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
    }

    fn __setitem__(&self, key: &Any<'_>, value: Py<PyAny>) -> PyResult<()> {
        self.insert(key, value, None, None)
    }

    fn __delitem__(&self, key: &Any<'_>) -> PyResult<()> {
        self.take(key)?.map(drop).ok_or_else(|| PyKeyError::new_err(key.clone().unbind()))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.keys())?.try_iter()
    }

    #[classmethod]
    fn __class_getitem__<'py>(cls: &Bound<'py, PyType>, parameters: &Any<'py>) -> PyResult<Any<'py>> {
        cls.py().import("types")?.call_method1("GenericAlias", (cls, parameters))
    }

    fn __copy__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a LruCache cannot be copied: make a new one and insert cache.items()"))
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a LruCache cannot be pickled: its entries belong to this process"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.visit(|key, value| visit.call(&key.0).and_then(|()| visit.call(value)))
    }

    fn __clear__(&self) {
        self.0.clear();
    }
}
