//! References to values that are handed out without touching them.
//!
//! To count a reference means to wait for the object's memory, a third of what a hit in a large cache takes, and the
//! caller who only passes the value on would not have to. So a value that is asked for again is counted some
//! times at once, and what was counted ahead is kept in stock, in the bits of its address that alignment leaves free.
//!
//! Only values that the garbage collector never looks at are counted ahead: it takes references that nobody shows it for
//! somebody else's.
//!
//! That took `get` at 100,000 entries from 224 to 180 ns. The price: `sys.getrefcount` of such a value says up to six
//! more, and every seventh lookup counts seven. A caller that keeps the value does not wait for it; one that drops it
//! at once does.

#![allow(unsafe_code)]
// A lookup takes 20 ns.
#![allow(clippy::inline_always)]

use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;

use pyo3::ffi::{self, PyObject};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::keys::is_plain;
use super::objects::prefetch;

/// What is noted in the low bits of an address, which are 0 in that of an object: one more than what is in stock, or 0
/// before the object was handed out.
const MOST: usize = align_of::<PyObject>() - 1;
const HANDED_OUT: usize = 1;

/// A reference to a Python object, and up to six more. Like an [`Object`](super::objects::Object) it must not leave the
/// inside of an [`Attached`](super::attached::Attached).
pub(crate) struct Stocked(Cell<NonNull<PyObject>>);

// SAFETY: it stays inside of an `Attached`, where one thread at a time is: the one that is attached, whichever that is.
unsafe impl Send for Stocked {}
// SAFETY: likewise.
unsafe impl Sync for Stocked {}

impl Stocked {
    #[inline]
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> Self {
        debug_assert_eq!(object.as_ptr().addr() & MOST, 0, "an object is not aligned");
        // SAFETY: the object is alive, and this thread attached.
        Self(Cell::new(unsafe { reference_to(object.as_ptr()) }))
    }

    /// A new reference.
    #[inline(always)]
    pub(crate) fn hand_out(&self) -> NonNull<PyObject> {
        if self.noted() <= HANDED_OUT {
            return self.hand_out_counting();
        }
        let object = self.object();
        // SAFETY: something is in stock, and one less afterwards.
        self.0.set(unsafe { self.0.get().byte_sub(1) });
        object
    }

    /// The same, where nothing is in stock.
    #[inline(never)]
    fn hand_out_counting(&self) -> NonNull<PyObject> {
        let object = self.object();
        // SAFETY: the object is alive, and this thread attached, as the type asks for.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: likewise.
        let value = unsafe { Borrowed::from_ptr(py, object.as_ptr()) };
        if is_plain(&value) {
            // What is asked for once is counted once.
            let noted = if self.noted() == HANDED_OUT { MOST } else { HANDED_OUT };
            // SAFETY: as above.
            (HANDED_OUT..noted).for_each(|_| _ = unsafe { reference_to(object.as_ptr()) });
            // SAFETY: the low bits are 0 in the address of an object, so that this stays inside of it.
            self.0.set(unsafe { object.byte_add(noted) });
        }
        // SAFETY: as above.
        unsafe { reference_to(object.as_ptr()) }
    }

    /// A reference that leaves the stock as it is.
    #[inline]
    pub(crate) fn to_py(&self, py: Python<'_>) -> Py<PyAny> {
        // SAFETY: the object is alive.
        unsafe { Borrowed::from_ptr(py, self.object().as_ptr()) }.to_owned().unbind()
    }

    /// Asks the processor to fetch the object.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(self.object().as_ptr());
    }

    /// Shows it to the garbage collector, which looks at none of those that have a stock.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the object is alive, and the reference to it, which is ours, is not dropped.
        let object = ManuallyDrop::new(unsafe { mem::transmute::<NonNull<PyObject>, Py<PyAny>>(self.object()) });
        visit.call(&*object)
    }

    #[inline]
    fn noted(&self) -> usize {
        self.0.get().addr().get() & MOST
    }

    #[inline]
    fn object(&self) -> NonNull<PyObject> {
        // SAFETY: so much was added to the address of an object.
        unsafe { self.0.get().byte_sub(self.noted()) }
    }
}

/// A new reference to an object.
///
/// # Safety
/// It is alive, and this thread attached.
#[inline]
unsafe fn reference_to(object: *mut PyObject) -> NonNull<PyObject> {
    // SAFETY: the caller's.
    let object = unsafe { ffi::Py_NewRef(object) };
    // SAFETY: it is that object.
    unsafe { NonNull::new_unchecked(object) }
}

impl Clone for Stocked {
    /// Another reference, without a stock.
    fn clone(&self) -> Self {
        // SAFETY: the object is alive, and this thread attached, as the type asks for.
        Self(Cell::new(unsafe { reference_to(self.object().as_ptr()) }))
    }
}

impl Drop for Stocked {
    #[inline]
    fn drop(&mut self) {
        for _ in 0..=self.noted().saturating_sub(HANDED_OUT) {
            // SAFETY: the references are ours, and this thread is attached, as the type asks for.
            unsafe { ffi::Py_DECREF(self.object().as_ptr()) };
        }
    }
}
