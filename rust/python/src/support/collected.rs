//! What the cyclic garbage collector has to be shown.
//!
//! A full collection goes through all that every object in its lists refers to, while nothing else runs: for a cache of
//! 100,000 rows that took 200 ms, and nothing that it looked at could have been part of a cycle.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;

use crate::row::PyRow;

/// Whether a container was ever given something that the collector looks at. Until then it need not be gone through.
#[derive(Default)]
pub(crate) struct Collected(AtomicBool);

impl Collected {
    /// To be called for what is put into the container, before it is.
    #[inline]
    pub(crate) fn note(&self, object: &Bound<'_, PyAny>) {
        if has_header(object) {
            self.note_collected(object);
        }
    }

    /// The same for a key and its value.
    pub(crate) fn note_both(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) {
        self.note(key);
        self.note(value);
    }

    #[inline(never)]
    fn note_collected(&self, object: &Bound<'_, PyAny>) {
        // Objects of the extension's classes are in the lists, but a row refers to nothing.
        if object.is_exact_instance_of::<PyRow>() {
            // SAFETY: it is alive, has the header that the call asks for, and may be in no list already.
            unsafe { ffi::PyObject_GC_UnTrack(object.as_ptr().cast()) };
        } else {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether the collector looks at objects of its type.
#[inline]
fn has_header(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive.
    let class = unsafe { ffi::Py_TYPE(object.as_ptr()) };
    // SAFETY: so is its type.
    let flags = unsafe { ffi::PyType_GetFlags(class) };
    flags & ffi::Py_TPFLAGS_HAVE_GC != 0
}
