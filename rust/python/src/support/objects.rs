//! References to Python objects that only attached threads may hold.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

/// A reference like `Py<PyAny>`, which does not ask whether its thread is attached when it is dropped: that costs a call,
/// and whoever holds one of these is attached. So it must not leave the inside of an [`Attached`](super::attached::Attached).
pub(crate) struct Object(ManuallyDrop<Py<PyAny>>);

impl Object {
    #[inline]
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> Self {
        Self(ManuallyDrop::new(object.clone().unbind()))
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.0.as_ptr()
    }

    /// Another reference.
    #[inline]
    pub(crate) fn to_py(&self, py: Python<'_>) -> Py<PyAny> {
        self.0.clone_ref(py)
    }

    #[inline]
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.0.bind(py)
    }

    /// Asks the processor to fetch the object, whose count of references is about to change.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(self.as_ptr());
    }

    /// Asks the processor to fetch what lies on the cache line behind that where the object begins.
    #[inline]
    pub(crate) fn prefetch_next_line(&self) {
        prefetch(self.as_ptr().wrapping_byte_add(64));
    }

    /// Shows it to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&*self.0)
    }
}

#[inline]
pub(crate) fn prefetch(address: *const ffi::PyObject) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could see, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

impl Clone for Object {
    /// Another reference.
    fn clone(&self) -> Self {
        // SAFETY: the object is alive, and this thread is attached, as the type asks for.
        unsafe { ffi::Py_INCREF(self.as_ptr()) };
        // SAFETY: the reference was counted just now.
        let reference = unsafe { std::ptr::read(&raw const self.0) };
        Self(reference)
    }
}

impl Drop for Object {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the reference is ours, and this thread is attached, as the type asks for.
        unsafe { ffi::Py_DECREF(self.as_ptr()) };
    }
}
