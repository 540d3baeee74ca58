//! Access by attached threads only.

#![allow(unsafe_code)]

use pyo3::gc::PyVisit;
use pyo3::prelude::*;

/// Something that one thread at a time may use, namely the one that is attached to the interpreter.
///
/// Builds of Python without the global interpreter lock attach many threads at a time; the module tells them that it uses
/// the lock (`gil_used`), and they switch it on when they import it.
pub(crate) struct Attached<T>(T);

// SAFETY: a shared reference to the inside is handed out against a proof of being attached only, and lives no longer than
// that proof. One thread is attached at a time, and what the inside calls (comparisons of exact builtin types, counting of
// references) does not detach it, so no two threads are inside at the same time. The inside may move between threads.
unsafe impl<T: Send> Sync for Attached<T> {}

impl<T> Attached<T> {
    pub(crate) const fn new(inside: T) -> Self {
        Self(inside)
    }

    pub(crate) fn get<'a>(&'a self, _attached: Python<'a>) -> &'a T {
        &self.0
    }

    /// For `__traverse__`: the garbage collector runs in a thread that is attached, and gives no token.
    pub(crate) fn get_collecting<'a>(&'a self, _collecting: &'a PyVisit<'a>) -> &'a T {
        &self.0
    }
}
