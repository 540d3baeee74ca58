//! What asyncio has for each event loop: the futures and variables of those who run on it.

#![allow(unsafe_code)]

use std::ffi::c_ulong;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyTuple};

static COPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static FUTURE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static SET_RESULT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static CANCELLED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

unsafe extern "C" {
    // Of the stable interface, but not among pyo3's declarations.
    fn PyThread_get_thread_ident() -> c_ulong;
}

fn attribute<'a>(
    cell: &'a PyOnceLock<Py<PyAny>>,
    py: Python<'a>,
    module: &str,
    name: &str,
) -> PyResult<&'a Bound<'a, PyAny>> {
    let found = cell.get_or_try_init(py, || py.import(module)?.getattr(name).map(Bound::unbind))?;
    Ok(found.bind(py))
}

/// A copy of the variables that code sees here; None if there are none.
pub(crate) fn variables(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let context = attribute(&COPY, py, "contextvars", "copy_context")?.call0()?;
    Ok(if context.len()? == 0 { None } else { Some(context) })
}

/// What `future` needs to make futures of an event loop.
pub(crate) fn keywords<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let keywords = PyDict::new(event_loop.py());
    keywords.set_item(pyo3::intern!(event_loop.py(), "loop"), event_loop)?;
    Ok(keywords)
}

/// A future of an event loop: one of asyncio's own, as every loop makes them.
pub(crate) fn future<'py>(keywords: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let py = keywords.py();
    attribute(&FUTURE, py, "asyncio", "Future")?.call(PyTuple::empty(py), Some(keywords))
}

/// Gives a result to a future that `future` made; an error if it was done.
pub(crate) fn set_result(future: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    let method = method(&SET_RESULT, py, "set_result")?;
    let end: *mut ffi::PyObject = std::ptr::null_mut();
    // SAFETY: three objects that are alive as long as the call, and the null that ends the arguments.
    let made = unsafe { ffi::PyObject_CallFunctionObjArgs(method.as_ptr(), future.as_ptr(), value.as_ptr(), end) };
    // SAFETY: a new reference, or null with an error set.
    unsafe { Bound::from_owned_ptr_or_err(py, made) }.map(drop)
}

/// Whether a future that `future` made was cancelled.
pub(crate) fn is_cancelled(future: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = future.py();
    let method = method(&CANCELLED, py, "cancelled")?;
    let end: *mut ffi::PyObject = std::ptr::null_mut();
    // SAFETY: two objects that are alive as long as the call, and the null that ends the arguments.
    let made = unsafe { ffi::PyObject_CallFunctionObjArgs(method.as_ptr(), future.as_ptr(), end) };
    // SAFETY: a new reference, or null with an error set.
    let cancelled = unsafe { Bound::from_owned_ptr_or_err(py, made) }?;
    Ok(cancelled.is(PyBool::new(py, true)))
}

fn method<'a>(cell: &'a PyOnceLock<Py<PyAny>>, py: Python<'a>, name: &str) -> PyResult<&'a Bound<'a, PyAny>> {
    let future = attribute(&FUTURE, py, "asyncio", "Future")?;
    Ok(cell.get_or_try_init(py, || future.getattr(name).map(Bound::unbind))?.bind(py))
}

/// The event loop that runs in this thread; `RuntimeError` if none does.
pub(crate) fn running(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    attribute(&RUNNING, py, "asyncio", "get_running_loop")?.call0()
}

/// Whether an event loop knows the thread that it runs in.
pub(crate) fn knows_thread(event_loop: &Bound<'_, PyAny>) -> bool {
    event_loop.hasattr(pyo3::intern!(event_loop.py(), "_thread_id")).unwrap_or(false)
}

/// Whether an event loop is the one that runs in this thread.
///
/// `get_running_loop` asks the system for the process (up to Python 3.11), which takes as long as queueing an item. A
/// loop of asyncio's own knows its thread while it runs.
pub(crate) fn is_here(event_loop: &Bound<'_, PyAny>, knows_thread: bool) -> bool {
    let py = event_loop.py();
    if !knows_thread {
        return running(py).is_ok_and(|running| running.is(event_loop));
    }
    let thread = event_loop.getattr(pyo3::intern!(py, "_thread_id"));
    // SAFETY: any thread may ask.
    let here = unsafe { PyThread_get_thread_ident() };
    thread.and_then(|thread| thread.extract::<c_ulong>()).is_ok_and(|thread| thread == here)
}
