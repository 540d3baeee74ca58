//! Any hashable Python object as a key of a core cache.
//!
//! Two keys of exact type `str`, `bytes`, `int`, `float` or `bool` are compared under the cache's lock: the interpreter
//! does so without running Python code or letting go of the interpreter. Every other comparison may run an `__eq__` that
//! does all of that, so it happens after the lock is released and the lookup is tried again with its answer.

#![allow(unsafe_code)]

use llmfast_core::cache::Lookup;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

use super::objects::Object;
use super::strings;

/// A key as the cache holds it.
#[derive(Clone)]
pub(crate) struct PyKey(pub(crate) Object);

/// A key being looked up, and what was found out about others with its hash.
pub(crate) struct Probe<'a, 'py> {
    key: &'a Bound<'py, PyAny>,
    plain: bool,
    decided: &'a [Decided],
    pub(crate) hash: u64,
}

/// Another key of the same hash and whether it is equal. It is kept alive, so that no other object can come to lie at its
/// address.
pub(crate) type Decided = (PyKey, bool);

impl<'a, 'py> Probe<'a, 'py> {
    #[inline]
    pub(crate) fn new(key: &'a Bound<'py, PyAny>) -> PyResult<Self> {
        // SAFETY: the object is alive, and this thread is attached.
        let hash = unsafe { ffi::PyObject_Hash(key.as_ptr()) };
        if hash == -1 {
            return Err(PyErr::fetch(key.py()));
        }
        Ok(Self { key, plain: is_plain(key), decided: &[], hash: spread(hash as u64) })
    }

    /// A key that compares and hashes without Python code; None if it is not of such a type.
    #[inline]
    pub(crate) fn plain(key: &'a Bound<'py, PyAny>) -> Option<Self> {
        if !is_plain(key) {
            return None;
        }
        // SAFETY: the object is alive, and this thread is attached. A builtin type's hash does not fail.
        let hash = unsafe { ffi::PyObject_Hash(key.as_ptr()) };
        Some(Self { key, plain: true, decided: &[], hash: spread(hash as u64) })
    }

    /// The key, to be stored.
    pub(crate) fn to_key(&self) -> PyKey {
        PyKey(Object::new(self.key))
    }

    /// Whether `other` is this key; None if only Python code can tell.
    #[inline]
    pub(crate) fn test(&self, other: &PyKey) -> Option<bool> {
        let py = self.key.py();
        if other.0.as_ptr() == self.key.as_ptr() {
            return Some(true);
        }
        if self.plain && self.key.is_exact_instance_of::<PyString>() {
            // SAFETY: both are alive, the key is a string, and this thread is attached.
            let equal = unsafe { equals_string(py, self.key.as_ptr(), other.0.as_ptr()) };
            if equal.is_some() {
                return equal;
            }
        } else if self.plain && is_plain(other.0.bind(py)) {
            if is_bytes(self.key) != is_bytes(other.0.bind(py)) {
                // Never equal. Comparing them may run Python code, which warns of it (`python -b`).
                return Some(false);
            }
            // SAFETY: both are objects that are alive, and this thread is attached.
            let equal = unsafe { ffi::PyObject_RichCompareBool(other.0.as_ptr(), self.key.as_ptr(), ffi::Py_EQ) };
            if equal < 0 {
                // Out of memory, at worst: then they count as different.
                drop(PyErr::take(py));
            }
            return Some(equal == 1);
        }
        self.decided.iter().find(|(key, _)| key.0.as_ptr() == other.0.as_ptr()).map(|&(_, equal)| equal)
    }

    /// Compares the key with `others`; call it without a lock.
    fn decide(&self, others: Vec<PyKey>, decided: &mut Vec<Decided>) -> PyResult<()> {
        for other in others {
            let equal = other.0.bind(self.key.py()).eq(self.key)?;
            decided.push((other, equal));
        }
        Ok(())
    }

    /// Repeats `attempt`, which hands `entry` back, until every comparison that it needs is decided.
    pub(crate) fn settle<E, V>(
        &self,
        mut entry: E,
        mut attempt: impl FnMut(&Probe<'_, 'py>, E) -> Result<V, (Vec<PyKey>, E)>,
    ) -> PyResult<V> {
        let mut decided = Vec::new();
        loop {
            match attempt(&self.knowing(&decided), entry) {
                Ok(done) => return Ok(done),
                Err((others, back)) => {
                    self.decide(others, &mut decided)?;
                    entry = back;
                }
            }
        }
    }

    /// The same key, knowing more.
    fn knowing<'b>(&'b self, decided: &'b [Decided]) -> Probe<'b, 'py> {
        Probe { decided, ..*self }
    }

    /// Repeats `attempt` until every comparison that it needs is decided.
    #[inline]
    pub(crate) fn resolve<V>(&self, attempt: impl Fn(&Probe<'_, 'py>) -> Lookup<PyKey, V>) -> PyResult<Option<V>> {
        match attempt(self) {
            Lookup::Hit(value) => Ok(Some(value)),
            Lookup::Miss => Ok(None),
            Lookup::Undecided(others) => self.resolve_undecided(others, attempt),
        }
    }

    #[cold]
    fn resolve_undecided<V>(
        &self,
        mut others: Vec<PyKey>,
        attempt: impl Fn(&Probe<'_, 'py>) -> Lookup<PyKey, V>,
    ) -> PyResult<Option<V>> {
        let mut decided = Vec::new();
        loop {
            self.decide(others, &mut decided)?;
            others = match attempt(&self.knowing(&decided)) {
                Lookup::Hit(value) => return Ok(Some(value)),
                Lookup::Miss => return Ok(None),
                Lookup::Undecided(others) => others,
            };
        }
    }
}

/// Whether another key is the same as one that is a string; None if only Python code can tell.
///
/// # Safety
/// Both are alive, the first is exactly a string, and this thread is attached.
#[inline(never)]
pub(crate) unsafe fn equals_string(py: Python<'_>, string: *mut PyObject, other: *mut PyObject) -> Option<bool> {
    // SAFETY: the caller's.
    if unsafe { ffi::PyUnicode_CheckExact(other) } != 0 {
        // SAFETY: the caller's.
        return Some(unsafe { strings::equal(other, string) });
    }
    // Numbers and bytes are no strings. Comparing bytes may run Python code, which warns of it (`python -b`).
    // SAFETY: the caller's.
    let other = unsafe { Borrowed::from_ptr(py, other) };
    is_plain(&other).then_some(false)
}

#[inline]
pub(crate) fn is_plain(key: &Bound<'_, PyAny>) -> bool {
    key.is_exact_instance_of::<PyString>() || is_plain_but_no_string(key)
}

/// Apart, so that strings are asked for first.
#[cold]
fn is_plain_but_no_string(key: &Bound<'_, PyAny>) -> bool {
    key.is_exact_instance_of::<PyInt>()
        || key.is_exact_instance_of::<PyBytes>()
        || key.is_exact_instance_of::<PyFloat>()
        || key.is_exact_instance_of::<PyBool>()
}

#[inline]
fn is_bytes(key: &Bound<'_, PyAny>) -> bool {
    key.is_exact_instance_of::<PyBytes>()
}

/// Spreads Python's hashes, which are the numbers themselves for small integers, over the whole word.
#[inline]
pub(crate) fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

/// What `sys.getsizeof` says, in bytes.
pub(crate) fn size_of(object: &Bound<'_, PyAny>) -> PyResult<u64> {
    object.py().import("sys")?.call_method1("getsizeof", (object,))?.extract()
}
