//! Bindings of the cache: the mapping protocol, what is computed once, what is refused, cyclic garbage collection.

use llmfast_runtime::clock::monotonic;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyType};

use crate::cache::PyLruCache;
use crate::cache_stats::CacheStats;
use crate::support::flights;

type Any<'py> = Bound<'py, PyAny>;

#[pymethods]
impl PyLruCache {
    /// Return the value of `key`, else insert what `factory()` returns and return that.
    ///
    /// Threads that ask for the same key meanwhile wait for it, so that it is computed once. If the factory raises, its
    /// caller gets the exception and the next one in line tries. A factory may use the cache: where waiting could last
    /// for ever (for the own thread, or for one that waits for this one), the value is computed once more instead. That
    /// is known of threads alone; a factory must not wait for another thread that asks for the same key. A forked child
    /// waits for no thread of its parent.
    fn get_or_insert_with(&self, key: &Any<'_>, factory: &Any<'_>) -> PyResult<Py<PyAny>> {
        if let Some(value) = self.get(key, None)? {
            return Ok(value);
        }
        let store = |value: &Py<PyAny>| self.insert(key, value.clone_ref(key.py()), None, None);
        flights::once(&self.flights, key, factory, || self.peek(key, None), store)
    }

    /// Remove everything; the counters stay.
    fn clear(&self, py: Python<'_>) {
        self.cache.get(py).clear();
    }

    /// Return the counters, which are exact.
    fn stats(&self, py: Python<'_>) -> CacheStats {
        CacheStats::from(self.cache.get(py).stats())
    }

    /// Entries at most.
    #[getter]
    fn capacity(&self, py: Python<'_>) -> usize {
        self.cache.get(py).limits().capacity
    }

    /// Return the keys; under "lru" most recently used first: exactly, up to a capacity of 64, else roughly.
    pub(crate) fn keys(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.cache.get(py).snapshot(monotonic(), |key, _| key.0.to_py(py))
    }

    /// Return the values, in the order of `keys`.
    fn values(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        self.cache.get(py).snapshot(monotonic(), |_, value| value.to_py(py))
    }

    /// Return keys and values, in the order of `keys`.
    fn items(&self, py: Python<'_>) -> Vec<(Py<PyAny>, Py<PyAny>)> {
        self.cache.get(py).snapshot(monotonic(), |key, value| (key.0.to_py(py), value.to_py(py)))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let cache = self.cache.get(py);
        format!("LruCache(capacity={}, entries={})", cache.limits().capacity, cache.len())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.cache.get(py).len()
    }

    fn __contains__(&self, key: &Any<'_>) -> PyResult<bool> {
        self.peek(key, None).map(|value| value.is_some())
    }

    fn __getitem__(&self, key: &Any<'_>) -> PyResult<Py<PyAny>> {
        self.get(key, None)?.ok_or_else(|| PyKeyError::new_err((key.clone().unbind(),)))
    }

    fn __setitem__(&self, key: &Any<'_>, value: Py<PyAny>) -> PyResult<()> {
        self.insert(key, value, None, None)
    }

    fn __delitem__(&self, key: &Any<'_>) -> PyResult<()> {
        self.take(key)?.map(drop).ok_or_else(|| PyKeyError::new_err((key.clone().unbind(),)))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.keys(py))?.try_iter()
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
        self.flights.visit(&visit)?;
        if !self.collected.any() {
            return Ok(());
        }
        self.cache.get_collecting(&visit).visit(|key, value| key.0.visit(&visit).and_then(|()| value.visit(&visit)))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.flights.clear(py);
        self.cache.get(py).clear();
    }
}
