//! Any hashable Python object as a key of a core cache.
//!
//! Two keys of exact type `str`, `bytes`, `int`, `float` or `bool` are compared under the cache's lock: the interpreter
//! does so without running Python code, allocating or letting go of the interpreter. Every other comparison may run an `__eq__` that
//! does all of that, so it happens after the lock is released and the lookup is tried again with its answer.

use llmfast_core::cache::Lookup;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

/// A key as the cache holds it.
#[derive(Clone)]
pub(crate) struct PyKey(pub(crate) Py<PyAny>);

/// A key being looked up, and what was found out about others with its hash.
pub(crate) struct Probe<'py> {
    key: Bound<'py, PyAny>,
    plain: bool,
    /// The keys are kept alive, so that no other object can come to lie at their address.
    decided: Vec<(PyKey, bool)>,
    pub(crate) hash: u64,
}

impl<'py> Probe<'py> {
    pub(crate) fn new(key: &Bound<'py, PyAny>) -> PyResult<Self> {
        let hash = spread(key.hash()? as u64);
        Ok(Self { key: key.clone(), plain: is_plain(key), decided: Vec::new(), hash })
    }

    /// The key, to be stored.
    pub(crate) fn to_key(&self) -> PyKey {
        PyKey(self.key.clone().unbind())
    }

    /// Whether `other` is this key; None if only Python code can tell.
    pub(crate) fn test(&self, other: &PyKey) -> Option<bool> {
        let py = self.key.py();
        if other.0.is(&self.key) {
            return Some(true);
        }
        if self.plain && is_plain(other.0.bind(py)) {
            // Plain objects compare without an error; were there one, they would not be equal.
            return Some(self.key.eq(&other.0).unwrap_or(false));
        }
        self.decided.iter().find(|(key, _)| key.0.is(&other.0)).map(|&(_, equal)| equal)
    }

    /// Compares the key with `others`; call it without a lock.
    pub(crate) fn decide(&mut self, others: Vec<PyKey>) -> PyResult<()> {
        for other in others {
            let equal = other.0.bind(self.key.py()).eq(&self.key)?;
            self.decided.push((other, equal));
        }
        Ok(())
    }

    /// Repeats `attempt` until every comparison that it needs is decided.
    pub(crate) fn resolve<V>(&mut self, attempt: impl Fn(&Self) -> Lookup<PyKey, V>) -> PyResult<Option<V>> {
        loop {
            match attempt(self) {
                Lookup::Hit(value) => return Ok(Some(value)),
                Lookup::Miss => return Ok(None),
                Lookup::Undecided(others) => self.decide(others)?,
            }
        }
    }
}

fn is_plain(key: &Bound<'_, PyAny>) -> bool {
    key.is_exact_instance_of::<PyString>()
        || key.is_exact_instance_of::<PyInt>()
        || key.is_exact_instance_of::<PyBytes>()
        || key.is_exact_instance_of::<PyFloat>()
        || key.is_exact_instance_of::<PyBool>()
}

/// Spreads Python's hashes, which are the numbers themselves for small integers, over the whole word.
fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// What `sys.getsizeof` says, in bytes.
pub(crate) fn size_of(object: &Bound<'_, PyAny>) -> PyResult<u64> {
    object.py().import("sys")?.call_method1("getsizeof", (object,))?.extract()
}
