//! What the fastest calls do with keys that are strings: hashing and comparing them without the interpreter's detours.
//!
//! With a key that is equal to the stored one but another object, the wait is for the stored key as well: CPython
//! computes from a string's first cache line where its characters lie, so the second line is fetched by us. Its general
//! comparison, which looks at both types again, costs 40 instructions more than that of strings.

#![allow(unsafe_code)]
// A lookup takes 20 ns.
#![allow(clippy::inline_always)]

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Where the interpreter's strings keep their hash, in bytes from the start: behind count, type and length. That is so
/// since Python 3.3, but no part of the stable interface, so it is tried out ([`learn`]) before it is relied upon.
const HASH_AT: usize = 3 * size_of::<usize>();
/// What stands there while the hash is not known; no hash has this value.
const UNKNOWN: isize = -1;

/// The type of exact strings, if their layout is the known one; else null, which is no object's type.
static KNOWN_LAYOUT: AtomicPtr<PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// Finds out whether strings are laid out as expected, and says so; if not, lookups take a longer way.
pub(crate) fn learn(py: Python<'_>) -> bool {
    let samples = ["llmfast", "a string that is not interned, of more characters", "schön", "日本語", "🦀 and others"];
    let known = samples.iter().all(|sample| is_known(&PyString::new(py, sample)));
    if known {
        KNOWN_LAYOUT.store(&raw mut ffi::PyUnicode_Type, Ordering::Relaxed);
    }
    known
}

/// Whether a string that was made just now keeps its hash where it should.
fn is_known(string: &Bound<'_, PyString>) -> bool {
    // SAFETY: the string is alive.
    let field = || unsafe { hash_field(string.as_ptr()) };
    let before = field();
    string.hash().is_ok_and(|hash| before == UNKNOWN && field() == hash)
}

/// What stands where the hash should be.
///
/// # Safety
/// The object is a string that is alive.
#[inline(always)]
unsafe fn hash_field(string: *mut PyObject) -> isize {
    // SAFETY: a string has a count, a type, a length and more, so it is longer than that.
    let field = unsafe { string.byte_add(HASH_AT) };
    // SAFETY: likewise.
    unsafe { field.cast::<isize>().read() }
}

/// The hash of a string that has been asked for its hash before, as all have that were a key of something.
///
/// # Safety
/// The object is alive, and this thread attached.
#[inline(always)]
pub(crate) unsafe fn known_hash(object: *mut PyObject) -> Option<isize> {
    // SAFETY: the caller's.
    if unsafe { ffi::Py_TYPE(object) } != KNOWN_LAYOUT.load(Ordering::Relaxed) {
        return None;
    }
    // SAFETY: it is a string, and its layout is the known one.
    let hash = unsafe { hash_field(object) };
    (hash != UNKNOWN).then_some(hash)
}

/// Whether two strings are equal. Where the interpreter runs out of memory they count as different.
///
/// # Safety
/// Both are strings that are alive, and this thread is attached.
#[inline]
pub(crate) unsafe fn equal(one: *mut PyObject, other: *mut PyObject) -> bool {
    // SAFETY: the caller's.
    let answer = unsafe { ffi::PyUnicode_RichCompare(one, other, ffi::Py_EQ) };
    let Some(answer) = NonNull::new(answer) else {
        // SAFETY: the caller's.
        unsafe { ffi::PyErr_Clear() };
        return false;
    };
    // SAFETY: the reference is ours; `True` outlives it.
    unsafe { ffi::Py_DECREF(answer.as_ptr()) };
    // SAFETY: there is one such object.
    answer.as_ptr() == unsafe { ffi::Py_True() }
}
