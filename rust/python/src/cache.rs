//! Bindings of the cache.

use llmfast_core::cache::{Limits, LruCache, NewEntry};
use llmfast_core::{Error, ErrorKind};
use llmfast_runtime::clock::monotonic;
use pyo3::prelude::*;

use crate::cache_stats::CacheStats;
use crate::errors::to_py;
use crate::support::durations;
use crate::support::keys::{Probe, PyKey, size_of};

type Any<'py> = Bound<'py, PyAny>;

#[pyclass(name = "LruCache", module = "llmfast", frozen, mapping, weakref)]
pub(crate) struct PyLruCache(pub(crate) LruCache<PyKey, Py<PyAny>>);

#[pymethods]
impl PyLruCache {
    #[new]
    #[pyo3(signature = (capacity, *, max_bytes = None, time_to_live = None, policy = "lru"))]
    fn new(capacity: usize, max_bytes: Option<u64>, time_to_live: Option<f64>, policy: &str) -> PyResult<Self> {
        if policy != "lru" {
            let message = format!("policy must be 'lru', got '{policy}'");
            return Err(to_py(Error::new(ErrorKind::Config, message)));
        }
        let time_to_live = durations::positive("time_to_live", time_to_live)?;
        LruCache::new(Limits { capacity, max_bytes, time_to_live }).map(Self).map_err(to_py)
    }

    #[pyo3(signature = (key, default = None))]
    pub(crate) fn get(&self, key: &Any<'_>, default: Option<Py<PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        let found = Probe::new(key)?.resolve(|probe| self.0.get(probe.hash, monotonic(), |other| probe.test(other)))?;
        Ok(found.or(default))
    }

    #[pyo3(signature = (key, default = None))]
    pub(crate) fn peek(&self, key: &Any<'_>, default: Option<Py<PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        let found =
            Probe::new(key)?.resolve(|probe| self.0.peek(probe.hash, monotonic(), |other| probe.test(other)))?;
        Ok(found.or(default))
    }

    #[pyo3(signature = (key, value, *, time_to_live = None, weight = None))]
    pub(crate) fn insert(
        &self,
        key: &Any<'_>,
        value: Py<PyAny>,
        time_to_live: Option<f64>,
        weight: Option<u64>,
    ) -> PyResult<()> {
        self.insert_evicting(key, value, time_to_live, weight).map(drop)
    }

    #[pyo3(name = "_insert_evicting", signature = (key, value, *, time_to_live = None, weight = None))]
    fn insert_evicting(
        &self,
        key: &Any<'_>,
        value: Py<PyAny>,
        time_to_live: Option<f64>,
        weight: Option<u64>,
    ) -> PyResult<(bool, Vec<Py<PyAny>>)> {
        let mut probe = Probe::new(key)?;
        let time_to_live = durations::positive("time_to_live", time_to_live)?;
        let weight = self.weigh(key, &value, weight)?;
        let mut entry = NewEntry { hash: probe.hash, key: probe.to_key(), value, weight, time_to_live };
        loop {
            match self.0.insert(entry, monotonic(), |other| probe.test(other)) {
                Ok(done) => return Ok((done.accepted, done.evicted.into_iter().map(|(key, _)| key.0).collect())),
                Err((others, back)) => (entry, ()) = (back, probe.decide(others)?),
            }
        }
    }

    fn remove(&self, key: &Any<'_>) -> PyResult<bool> {
        self.take(key).map(|value| value.is_some())
    }

    fn get_or_insert_with(&self, key: &Any<'_>, factory: &Any<'_>) -> PyResult<Py<PyAny>> {
        if let Some(value) = self.get(key, None)? {
            return Ok(value);
        }
        let value = factory.call0()?.unbind();
        self.insert(key, value.clone(), None, None)?;
        Ok(value)
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn stats(&self) -> CacheStats {
        CacheStats::from(self.0.stats())
    }

    #[getter]
    fn capacity(&self) -> usize {
        self.0.limits().capacity
    }
}

impl PyLruCache {
    pub(crate) fn take(&self, key: &Any<'_>) -> PyResult<Option<Py<PyAny>>> {
        Probe::new(key)?.resolve(|probe| self.0.remove(probe.hash, monotonic(), |other| probe.test(other)))
    }

    /// The weight of an entry: as given, else, where bytes are bounded, what `sys.getsizeof` says.
    fn weigh(&self, key: &Any<'_>, value: &Py<PyAny>, weight: Option<u64>) -> PyResult<u64> {
        match weight {
            Some(weight) => Ok(weight),
            None if self.0.limits().max_bytes.is_none() => Ok(0),
            None => Ok(size_of(key)? + size_of(value.bind(key.py()))?),
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyLruCache>()?;
    module.add_class::<CacheStats>()
}
