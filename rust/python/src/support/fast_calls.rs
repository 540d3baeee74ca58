//! `LruCache` for the interpreter: a type whose commonest calls go straight to the cache.
//!
//! Reading the arguments of a call in general (keywords, defaults, conversions) and noting that a thread is attached cost
//! as much as the lookup itself. So the type that Python sees derives from the one with all methods, and answers
//! `get(key)`, `insert(key, value)`, `cache[key]` and `cache[key] = value` itself where the key is of a builtin type and
//! nothing unusual is asked for. Everything else it passes on, with the same arguments.
//!
//! **Two waits of a hit.** From 100,000 entries on a hit waits for the home of the hash and then for the value, up to
//! 200 ns each. A processor goes on while it waits, as far as it can keep count: Zen 3 counts 72 loads in flight, and
//! stopped there (with 68 in between the waits overlapped, with 73 they did not; 40 more instructions that load nothing
//! made no difference). So nothing comes before the fetch of the home but what it takes to know it: nine loads, no
//! register saved, the hash read where the string keeps it. That brought `cache[key]`, with 60 loads of the interpreter
//! between the value of one call and the home of the next, below the 72 (0.6 of its time), and not `get` with 71.
//! Fetching only the line of the home that holds the entry in two of three cases, instead of all four, made a hit
//! slower.
//!
//! A `get` is 330 instructions (CPython 3.12), of which 230 are the interpreter's loop; an insertion 1,060.

#![allow(unsafe_code)]
// A lookup takes 20 ns.
#![allow(clippy::inline_always)]

use std::ffi::{CStr, CString, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};
use std::slice;

use llmfast_core::cache::{Home, NewEntry, NotPlain};
use llmfast_runtime::clock::monotonic;
use pyo3::exceptions::{PyKeyError, PySystemError, PyTypeError};
use pyo3::ffi::{self, Py_ssize_t, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::keys::{Probe, PyKey, equals_string, spread};
use super::stocked::Stocked;
use super::strings;
use crate::cache::{PyCache, PyLruCache};

/// What calls are passed on to.
struct Base {
    get: Py<PyAny>,
    insert: Py<PyAny>,
    subscript: ffi::binaryfunc,
    assign: ffi::objobjargproc,
}

static BASE: PyOnceLock<Base> = PyOnceLock::new();

/// The type `LruCache`. Its memory is that of the base; it adds nothing but ways in.
pub(crate) fn derive(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
    let base = py.get_type::<PyLruCache>();
    BASE.get_or_try_init(py, || Base::of(&base))?;
    let doc = docstring("LruCache", &base)?;
    let mut slots = [
        ffi::PyType_Slot { slot: ffi::Py_tp_doc, pfunc: doc.as_ptr().cast_mut().cast() },
        ffi::PyType_Slot { slot: ffi::Py_tp_methods, pfunc: methods(&base)?.cast() },
        ffi::PyType_Slot { slot: ffi::Py_mp_subscript, pfunc: subscript as ffi::binaryfunc as *mut c_void },
        ffi::PyType_Slot { slot: ffi::Py_mp_ass_subscript, pfunc: assign as ffi::objobjargproc as *mut c_void },
        ffi::PyType_Slot { slot: 0, pfunc: ptr::null_mut() },
    ];
    let mut spec = ffi::PyType_Spec {
        name: c"llmfast.LruCache".as_ptr(),
        basicsize: 0,
        itemsize: 0,
        flags: ffi::Py_TPFLAGS_DEFAULT as _,
        slots: slots.as_mut_ptr(),
    };
    let bases = PyTuple::new(py, [base])?;
    // SAFETY: the interpreter copies what the specification says, but for methods and names, which live for ever.
    let made = unsafe { ffi::PyType_FromSpecWithBases(&raw mut spec, bases.as_ptr()) };
    // SAFETY: it is a new reference, or null with an error set.
    let made = unsafe { Bound::from_owned_ptr_or_err(py, made)? };
    Ok(made.cast_into::<PyType>()?)
}

/// The methods that the type has itself, described as those of the base are.
fn methods(base: &Bound<'_, PyType>) -> PyResult<*mut ffi::PyMethodDef> {
    let method = |name: &'static CStr, call| {
        let doc = docstring(&name.to_string_lossy(), &base.getattr(name)?)?;
        PyResult::Ok(ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: call },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: doc.into_raw(),
        })
    };
    let methods = [method(c"get", get)?, method(c"insert", insert)?, ffi::PyMethodDef::zeroed()];
    // Types keep pointing to their methods, and these to their descriptions.
    Ok(Box::leak(Box::new(methods)).as_mut_ptr())
}

/// Signature and docstring of a class or a method, in the form from which the interpreter takes both for `name`.
fn docstring(name: &str, of: &Bound<'_, PyAny>) -> PyResult<CString> {
    let signature: Option<String> = of.getattr("__text_signature__")?.extract()?;
    let doc: Option<String> = of.getattr("__doc__")?.extract()?;
    let signature = signature.map(|signature| format!("{name}{signature}\n--\n\n"));
    Ok(CString::new(signature.unwrap_or_default() + &doc.unwrap_or_default())?)
}

impl Base {
    fn of(base: &Bound<'_, PyType>) -> PyResult<Self> {
        let slot = |slot| {
            // SAFETY: the type is a heap type, as all of pyo3's are, and alive.
            let found = unsafe { ffi::PyType_GetSlot(base.as_type_ptr(), slot) };
            if found.is_null() { Err(PyTypeError::new_err("LruCacheBase lacks a slot")) } else { Ok(found) }
        };
        // SAFETY: the slot holds a function of this type.
        let subscript = unsafe { std::mem::transmute::<*mut c_void, ffi::binaryfunc>(slot(ffi::Py_mp_subscript)?) };
        let assign = slot(ffi::Py_mp_ass_subscript)?;
        // SAFETY: the slot holds a function of this type.
        let assign = unsafe { std::mem::transmute::<*mut c_void, ffi::objobjargproc>(assign) };
        let (get, insert) = (base.getattr("get")?.unbind(), base.getattr("insert")?.unbind());
        Ok(Self { get, insert, subscript, assign })
    }
}

/// The cache in an object of the type, and proof that this thread is attached.
///
/// # Safety
/// Called by the interpreter with an object of the type.
#[inline]
unsafe fn cache<'a>(slf: *mut PyObject) -> (Python<'a>, &'a PyCache) {
    // SAFETY: the caller's.
    let (py, whole) = unsafe { whole(slf) };
    (py, whole.cache.get(py))
}

/// All of an object of the type.
///
/// # Safety
/// As for `cache`.
#[inline]
unsafe fn whole<'a>(slf: *mut PyObject) -> (Python<'a>, &'a PyLruCache) {
    // SAFETY: the interpreter calls attached.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: an object is no null pointer.
    unsafe { std::hint::assert_unchecked(!slf.is_null()) };
    // SAFETY: the object is alive as long as the call.
    let slf = unsafe { Borrowed::from_ptr(py, slf) };
    // SAFETY: its type derives from the base and adds nothing.
    let slf = unsafe { slf.cast_unchecked::<PyLruCache>() };
    let cache: *const PyLruCache = slf.get();
    // SAFETY: it lies in the object, and does not move.
    (py, unsafe { &*cache })
}

/// A new reference to the value of a key, if it is there.
///
/// # Safety
/// As for `cache`, with a key that is alive.
#[inline]
unsafe fn look_up(slf: *mut PyObject, key: *mut PyObject) -> Result<Option<NonNull<PyObject>>, NotPlain> {
    // SAFETY: the caller's.
    let (py, cache) = unsafe { cache(slf) };
    // SAFETY: the key is alive, and this thread attached.
    let key = unsafe { Borrowed::from_ptr(py, key) };
    let probe = Probe::plain(&key).ok_or(NotPlain)?;
    cache.prefetch(probe.hash);
    cache.get_plainly(probe.hash, |other| probe.test(other), Stocked::hand_out)
}

/// A string as a key, its hash, and where its entry lies.
type Foreseen = (u64, Home<PyKey, Stocked>);

/// The hash and the home of a string that knows its hash; what a lookup of it will look at is being fetched when this
/// returns.
///
/// What a lookup waits for should be on its way before anything else is done: the processor can have this call's home
/// fetched while the caller still waits for the value of the call before, if no more than some 70 loads lie between the
/// two. So what begins with this function saves no registers first, and ends with a call of the rest.
///
/// # Safety
/// As for `look_up`.
#[inline(always)]
unsafe fn foresee(slf: *mut PyObject, key: *mut PyObject) -> Option<Foreseen> {
    // SAFETY: the caller's.
    let hash = spread(unsafe { strings::known_hash(key) }? as u64);
    // SAFETY: the caller's.
    Some((hash, unsafe { cache(slf) }.1.home(hash)?))
}

/// Like `look_up`, for a string of which this was foreseen.
///
/// # Safety
/// As for `look_up`; and nothing has happened since.
#[inline(always)]
unsafe fn look_up_string(
    slf: *mut PyObject,
    key: *mut PyObject,
    (hash, home): Foreseen,
) -> Result<Option<NonNull<PyObject>>, NotPlain> {
    // SAFETY: the caller's.
    let (py, cache) = unsafe { cache(slf) };
    let test = move |other: &PyKey| {
        if ptr::eq(other.0.as_ptr(), key) {
            return Some(true);
        }
        // The interpreter finds out where the characters are by what it reads before them.
        other.0.prefetch_next_line();
        // SAFETY: both are alive, and this thread attached.
        unsafe { equals_string(py, key, other.0.as_ptr()) }
    };
    // SAFETY: the caller's, and strings are compared without Python code.
    unsafe { cache.get_at_home(home, hash, test, Stocked::hand_out, Stocked::prefetch) }
}

/// Whether the entry was inserted.
///
/// # Safety
/// As for `cache`, with a key and a value that are alive.
#[inline]
unsafe fn put(slf: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> bool {
    // SAFETY: the caller's.
    let (py, whole) = unsafe { whole(slf) };
    let cache = whole.cache.get(py);
    // SAFETY: the key is alive, and this thread attached.
    let key = unsafe { Borrowed::from_ptr(py, key) };
    // SAFETY: likewise.
    let value = unsafe { Borrowed::from_ptr(py, value) };
    let Some(probe) = Probe::plain(&key).filter(|_| cache.limits().max_bytes.is_none()) else { return false };
    // A plain key is none that the collector looks at.
    whole.collected.note(&value);
    let (hash, key, value) = (probe.hash, probe.to_key(), Stocked::new(&value));
    // What goes is dropped in the end; by then it should be at hand.
    let ahead = |key: &PyKey, value: &Stocked| {
        key.0.prefetch();
        value.prefetch();
    };
    match cache.insert_plainly(hash, key, value, |other| probe.test(other), ahead, |_, _| {}) {
        Ok(()) => true,
        Err((key, value)) => {
            let entry = NewEntry { hash, key, value, weight: 0, time_to_live: None };
            cache.insert(entry, monotonic, |other| probe.test(other)).is_ok()
        }
    }
}

/// Runs what must not panic into the interpreter; what it fails with is set as an error by then.
fn guarded<R>(failed: R, call: impl FnOnce(Python<'_>) -> R) -> R {
    // SAFETY: the interpreter calls attached.
    let py = unsafe { Python::assume_attached() };
    catch_unwind(AssertUnwindSafe(|| call(py))).unwrap_or_else(|_| {
        PySystemError::new_err("llmfast panicked; please report this").restore(py);
        failed
    })
}

/// The positional arguments of a call.
///
/// # Safety
/// They are what the interpreter gave.
unsafe fn arguments<'a>(args: *const *mut PyObject, count: Py_ssize_t) -> &'a [*mut PyObject] {
    if count == 0 {
        return &[];
    }
    // SAFETY: there are so many, and they are alive as long as the call.
    unsafe { slice::from_raw_parts(args, count as usize) }
}

unsafe extern "C" fn get(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    if count == 1 {
        // SAFETY: there is one.
        let key = unsafe { *args };
        // SAFETY: the interpreter gave an object of the type and a key.
        let foreseen = unsafe { foresee(slf, key) };
        if let Some((hash, home)) = foreseen.filter(|_| names.is_null()) {
            // SAFETY: likewise.
            return unsafe { get_string(slf, key, hash, home) };
        }
    }
    // SAFETY: these are the arguments that the interpreter gave.
    unsafe { get_in_general(slf, args, count, names) }
}

#[inline(never)]
unsafe extern "C" fn get_string(
    slf: *mut PyObject,
    key: *mut PyObject,
    hash: u64,
    home: Home<PyKey, Stocked>,
) -> *mut PyObject {
    // SAFETY: the interpreter gave an object of the type and a key.
    match guarded(None, |_| Some(unsafe { look_up_string(slf, key, (hash, home)) })) {
        Some(Ok(Some(value))) => value.as_ptr(),
        Some(Ok(None)) => none(),
        // SAFETY: the interpreter gave an object of the type and a key.
        Some(Err(NotPlain)) => unsafe { get_one_in_general(slf, key) },
        None => ptr::null_mut(),
    }
}

/// A reference to `None`.
fn none() -> *mut PyObject {
    // SAFETY: there is one, as long as there is an interpreter.
    let none = unsafe { ffi::Py_None() };
    // SAFETY: likewise.
    unsafe { ffi::Py_NewRef(none) }
}

/// Apart, since this key has an address.
#[inline(never)]
unsafe fn get_one_in_general(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller's.
    unsafe { get_in_general(slf, &raw const key, 1, ptr::null_mut()) }
}

#[inline(never)]
unsafe extern "C" fn get_in_general(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), |_| {
        // SAFETY: the interpreter gave them.
        let positional = unsafe { arguments(args, count) };
        if let ([key] | [key, _], true) = (positional, names.is_null()) {
            // SAFETY: the interpreter gave an object of the type and a key.
            if let Ok(found) = unsafe { look_up(slf, *key) } {
                // SAFETY: the argument is alive.
                let default = || positional.get(1).map_or_else(none, |default| unsafe { ffi::Py_NewRef(*default) });
                return found.map_or_else(default, NonNull::as_ptr);
            }
        }
        // SAFETY: these are the arguments that the interpreter gave.
        unsafe { pass_on(|base| &base.get, slf, args, count, names) }
    })
}

unsafe extern "C" fn insert(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), |py| {
        // SAFETY: the interpreter gave them.
        let positional = unsafe { arguments(args, count) };
        if let ([key, value], true) = (positional, names.is_null()) {
            // SAFETY: the interpreter gave an object of the type, a key and a value.
            if unsafe { put(slf, *key, *value) } {
                return py.None().into_ptr();
            }
        }
        // SAFETY: these are the arguments that the interpreter gave.
        unsafe { pass_on(|base| &base.insert, slf, args, count, names) }
    })
}

unsafe extern "C" fn subscript(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: the interpreter gives an object of the type and a key.
    match unsafe { foresee(slf, key) } {
        // SAFETY: likewise.
        Some((hash, home)) => unsafe { subscript_string(slf, key, hash, home) },
        // SAFETY: likewise.
        None => unsafe { subscript_in_general(slf, key) },
    }
}

#[inline(never)]
unsafe extern "C" fn subscript_string(
    slf: *mut PyObject,
    key: *mut PyObject,
    hash: u64,
    home: Home<PyKey, Stocked>,
) -> *mut PyObject {
    // SAFETY: the interpreter gave an object of the type and a key.
    match guarded(None, |_| Some(unsafe { look_up_string(slf, key, (hash, home)) })) {
        Some(Ok(Some(value))) => value.as_ptr(),
        // SAFETY: the key is alive.
        Some(Ok(None)) => guarded(ptr::null_mut(), |_| unsafe { absent(key) }),
        // SAFETY: the interpreter gave an object of the type and a key.
        Some(Err(NotPlain)) => unsafe { subscript_in_general(slf, key) },
        None => ptr::null_mut(),
    }
}

/// Says that a key is absent.
///
/// # Safety
/// It is alive, and this thread attached.
#[cold]
unsafe fn absent(key: *mut PyObject) -> *mut PyObject {
    // Noted as attached, so that what making the error drops is dropped at once, and not kept for a later call to see to.
    Python::attach(|py| {
        // SAFETY: the caller's.
        let key = unsafe { Bound::from_borrowed_ptr(py, key) };
        PyKeyError::new_err((key.unbind(),)).restore(py);
    });
    ptr::null_mut()
}

#[inline(never)]
unsafe extern "C" fn subscript_in_general(slf: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    guarded(ptr::null_mut(), |_| {
        // SAFETY: the interpreter gives an object of the type and a key.
        match unsafe { look_up(slf, key) } {
            Ok(Some(value)) => value.as_ptr(),
            // SAFETY: the key is alive.
            Ok(None) => unsafe { absent(key) },
            Err(NotPlain) => {
                // SAFETY: the interpreter calls attached.
                let base = unsafe { base() };
                // SAFETY: what the interpreter gave.
                unsafe { (base.subscript)(slf, key) }
            }
        }
    })
}

unsafe extern "C" fn assign(slf: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    guarded(-1, |_| {
        // SAFETY: the interpreter gives an object of the type, a key, and a value unless one is to be removed.
        if !value.is_null() && unsafe { put(slf, key, value) } {
            return 0;
        }
        // SAFETY: the interpreter calls attached.
        let base = unsafe { base() };
        // SAFETY: what the interpreter gave.
        unsafe { (base.assign)(slf, key, value) }
    })
}

/// # Safety
/// This thread is attached.
unsafe fn base() -> &'static Base {
    // SAFETY: the caller's.
    let py = unsafe { Python::assume_attached() };
    BASE.get(py).expect("the type exists, and so does what it derives from")
}

/// # Safety
/// Called with what the interpreter gave.
#[cold]
unsafe fn pass_on(
    method: impl FnOnce(&'static Base) -> &'static Py<PyAny>,
    slf: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter calls attached.
    let method = method(unsafe { base() });
    Python::attach(|py| {
        // SAFETY: objects that are alive as long as the call.
        let object = |pointer: &*mut PyObject| unsafe { Bound::from_borrowed_ptr(py, *pointer) };
        let call = || {
            let names = if names.is_null() { Vec::new() } else { object(&names).extract::<Vec<String>>()? };
            // SAFETY: the values of the keywords follow the positional arguments.
            let all = unsafe { arguments(args, count + names.len() as Py_ssize_t) };
            let (positional, named) = all.split_at(count as usize);
            let positional = PyTuple::new(py, [&slf].into_iter().chain(positional).map(object).collect::<Vec<_>>())?;
            let keywords = PyDict::new(py);
            for (name, value) in names.iter().zip(named) {
                keywords.set_item(name, object(value))?;
            }
            method.call(py, positional, Some(&keywords))
        };
        let failed = |error: PyErr| {
            error.restore(py);
            ptr::null_mut()
        };
        call().map_or_else(failed, Py::into_ptr)
    })
}
