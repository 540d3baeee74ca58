//! Bindings of the cache.

use llmfast_core::cache::{Limits, LruCache, NewEntry, Policy, Serialized};
use llmfast_core::{Error, ErrorKind};
use llmfast_runtime::clock::monotonic;
use pyo3::prelude::*;

use crate::cache_stats::CacheStats;
use crate::errors::to_py;
use crate::support::attached::Attached;
use crate::support::collected::Collected;
use crate::support::durations;
use crate::support::fast_calls;
use crate::support::flights::Flights;
use crate::support::keys::{Probe, PyKey, size_of};
use crate::support::stocked::Stocked;
use crate::support::strings;

type Any<'py> = Bound<'py, PyAny>;

// What all calls of a cache but the fastest need; `LruCache` derives from it, and takes its docstrings.
/// A cache bounded by entries and by bytes.
///
/// `capacity`: entries at most. `max_bytes`: sum of the weights at most; an entry's weight is what `insert` is given,
/// else `sys.getsizeof` of key and value. `time_to_live`: seconds an entry lives that says nothing itself.
///
/// `policy="lru"`: the entry that goes is an expired one, or the least recently used of some ten drawn at random (of
/// all, up to a capacity of 64). `"s3-fifo"` (Yang et al., SOSP 2023): new entries prove themselves in a tenth of the
/// cache first. It is better where many keys are asked for once only, and worse in caches so small (some dozens of
/// entries) that a tenth of them holds next to nothing.
///
/// Values are held and handed back by reference; any hashable key works, and keys of exact type `str`, `bytes`, `int`,
/// `float` and `bool` are compared without Python code. Values of these types have up to six references more than one
/// sees (`sys.getrefcount`) while they are held: they are counted ahead. Expired entries go when they are come across:
/// by a lookup, by a later insertion that sweeps some slots or needs room. No thread is started.
///
/// Safe from any thread; no lock is held while Python code runs. Mapping protocol included; iteration goes over a
/// snapshot. Raises ConfigError for a limit of 0 or an unknown policy.
///
/// Before Python 3.14 the process aborts if it ends while a daemon thread is in Python code that the cache called: a
/// factory, what compares or hashes a key of another type than those, what deletes a value. End such threads first.
#[pyclass(name = "LruCacheBase", module = "llmfast._llmfast", frozen, mapping, weakref, subclass)]
pub(crate) struct PyLruCache {
    pub(crate) cache: Attached<PyCache>,
    /// What is being computed for `get_or_insert_with`.
    pub(crate) flights: Flights,
    pub(crate) collected: Collected,
}

/// What Python allocates is aligned to no more.
const _: () = assert!(align_of::<PyLruCache>() <= 16);

pub(crate) type PyCache = LruCache<PyKey, Stocked, Serialized>;

#[pymethods]
impl PyLruCache {
    #[new]
    #[pyo3(signature = (capacity, *, max_bytes = None, time_to_live = None, policy = "lru"))]
    fn new(capacity: usize, max_bytes: Option<u64>, time_to_live: Option<f64>, policy: &str) -> PyResult<Self> {
        let policy = policy_named(policy)?;
        let time_to_live = durations::positive("time_to_live", time_to_live)?;
        let cache = LruCache::new(Limits { capacity, max_bytes, time_to_live, policy }).map_err(to_py)?;
        Ok(Self { cache: Attached::new(cache), flights: Flights::new(), collected: Collected::default() })
    }

    /// Return the value of `key` and mark it as used; `default` if it is absent or its time is over.
    #[pyo3(signature = (key, default = None))]
    pub(crate) fn get(&self, key: &Any<'_>, default: Option<Py<PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        let (py, cache) = (key.py(), self.cache.get(key.py()));
        let found = Probe::new(key)?.resolve(|probe| {
            cache.get_with(probe.hash, monotonic, |other| probe.test(other), |value| value.to_py(py))
        })?;
        Ok(found.or(default))
    }

    /// Return the value of `key` and leave its recency and the counters as they are.
    #[pyo3(signature = (key, default = None))]
    pub(crate) fn peek(&self, key: &Any<'_>, default: Option<Py<PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        let (py, cache) = (key.py(), self.cache.get(key.py()));
        let found = Probe::new(key)?.resolve(|probe| {
            cache.peek_with(probe.hash, monotonic, |other| probe.test(other), |value| value.to_py(py))
        })?;
        Ok(found.or(default))
    }

    /// Insert or replace an entry; it lives `time_to_live` seconds and counts `weight` bytes.
    ///
    /// An entry that weighs more than `max_bytes` is not stored (and counted in `stats().rejections`); an older value
    /// of the key is removed all the same.
    #[pyo3(signature = (key, value, *, time_to_live = None, weight = None))]
    pub(crate) fn insert(
        &self,
        key: &Any<'_>,
        value: Py<PyAny>,
        time_to_live: Option<f64>,
        weight: Option<u64>,
    ) -> PyResult<()> {
        self.insert_noting(key, value, time_to_live, weight, |_, _| {}).map(drop)
    }

    #[pyo3(name = "_insert_evicting", signature = (key, value, *, time_to_live = None, weight = None))]
    fn insert_evicting(
        &self,
        key: &Any<'_>,
        value: Py<PyAny>,
        time_to_live: Option<f64>,
        weight: Option<u64>,
    ) -> PyResult<(bool, Vec<Py<PyAny>>)> {
        let (py, mut gone) = (key.py(), Vec::new());
        let note = |key: &PyKey, _: &Stocked| gone.push(key.0.to_py(py));
        let accepted = self.insert_noting(key, value, time_to_live, weight, note)?;
        Ok((accepted, gone))
    }

    /// Remove an entry; return whether it was there.
    fn remove(&self, key: &Any<'_>) -> PyResult<bool> {
        self.take(key).map(|value| value.is_some())
    }
}

impl PyLruCache {
    fn insert_noting(
        &self,
        key: &Any<'_>,
        value: Py<PyAny>,
        time_to_live: Option<f64>,
        weight: Option<u64>,
        mut gone: impl FnMut(&PyKey, &Stocked),
    ) -> PyResult<bool> {
        let probe = Probe::new(key)?;
        let time_to_live = durations::positive("time_to_live", time_to_live)?;
        let weight = self.weigh(key, &value, weight)?;
        self.collected.note_both(key, value.bind(key.py()));
        let (cache, value) = (self.cache.get(key.py()), Stocked::new(value.bind(key.py())));
        let entry = NewEntry { hash: probe.hash, key: probe.to_key(), value, weight, time_to_live };
        probe.settle(entry, |probe, entry| cache.insert_noting(entry, monotonic, |other| probe.test(other), &mut gone))
    }

    pub(crate) fn take(&self, key: &Any<'_>) -> PyResult<Option<Py<PyAny>>> {
        let (py, cache) = (key.py(), self.cache.get(key.py()));
        Probe::new(key)?.resolve(|probe| {
            cache.remove_with(probe.hash, monotonic, |other| probe.test(other), |value| value.to_py(py))
        })
    }

    /// The weight of an entry: as given, else, where bytes are bounded, what `sys.getsizeof` says.
    fn weigh(&self, key: &Any<'_>, value: &Py<PyAny>, weight: Option<u64>) -> PyResult<u64> {
        match weight {
            Some(weight) => Ok(weight),
            None if self.cache.get(key.py()).limits().max_bytes.is_none() => Ok(0),
            None => Ok(size_of(key)? + size_of(value.bind(key.py()))?),
        }
    }
}

fn policy_named(name: &str) -> PyResult<Policy> {
    match name {
        "lru" => Ok(Policy::Lru),
        "s3-fifo" => Ok(Policy::S3Fifo),
        _ => {
            let message = format!("policy must be 'lru' or 's3-fifo', got '{name}'");
            Err(to_py(Error::new(ErrorKind::Config, message)))
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("LruCache", fast_calls::derive(module.py())?)?;
    module.setattr("_STRINGS_ARE_KNOWN", strings::learn(module.py()))?;
    module.add_class::<CacheStats>()
}
