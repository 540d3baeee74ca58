//! Vectors and matrices from buffers, arrays and lists; the kernel that multiplies them.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytemuck::Zeroable;
use bytemuck::allocation::try_zeroed_vec;
use llmfast_core::index::check_ids;
use llmfast_core::kernel::{Kernel, prefer_huge_pages};
use llmfast_core::{Error, ErrorKind};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyFrozenSet, PyIterator, PySet, PyString};

use crate::errors::to_py;

/// The kernel of this process: the fastest, or the one that `LLMFAST_KERNEL` names when it is first asked for.
pub(crate) fn kernel() -> PyResult<Kernel> {
    static CHOICE: OnceLock<Kernel> = OnceLock::new();
    if let Some(kernel) = CHOICE.get() {
        return Ok(*kernel);
    }
    let kernel = match std::env::var("LLMFAST_KERNEL") {
        Ok(name) if !name.is_empty() => Kernel::by_name(&name).map_err(to_py)?,
        _ => Kernel::best(),
    };
    Ok(*CHOICE.get_or_init(|| kernel))
}

/// A vector that an encoder made and an index reads, without numbers of Python's in between.
#[pyclass(module = "llmfast._llmfast", name = "_Encoding", frozen)]
pub(crate) struct Encoding(pub(crate) Arc<[f32]>);

/// The numbers of an [`Encoding`]; or of a one-dimensional float32 or float64 buffer, or of a sequence of numbers, copied:
/// another thread may write to a buffer while the interpreter is released. They are `dim` numbers.
///
/// Here as below shapes are looked at before anything is copied: a wrong one may be of any size.
pub(crate) fn vector<'a>(object: &'a Bound<'_, PyAny>, dim: usize) -> PyResult<Cow<'a, [f32]>> {
    vector_or(object, dim, to_py)
}

/// The same, with what becomes of another number of them.
fn vector_or<'a>(object: &'a Bound<'_, PyAny>, dim: usize, error: impl Fn(Error) -> PyErr) -> PyResult<Cow<'a, [f32]>> {
    let check_width = |width| check_width(width, dim).map_err(&error);
    if let Ok(encoding) = object.cast::<Encoding>() {
        let values = &encoding.get().0;
        return check_width(values.len()).map(|()| Cow::Borrowed(&**values));
    }
    let check = |shape: &[usize]| match *shape {
        [width] => check_width(width),
        _ => Err(wrong_shape("a vector (1-D)", shape)),
    };
    if let Some(values) = buffer(object, check)? {
        return Ok(Cow::Owned(values));
    }
    let (items, width) = sequence(object, "a vector of numbers")?;
    // Of one that is too short, what is no number is said first.
    check_width(width.max(dim))?;
    let values: Vec<f32> = items.enumerate().map(|(at, item)| number(at, &item?)).collect::<PyResult<_>>()?;
    check_width(values.len()).map(|()| Cow::Owned(values))
}

/// The numbers of a two-dimensional buffer with `dim` columns, or of a sequence of vectors, row by row.
pub(crate) fn matrix(object: &Bound<'_, PyAny>, dim: usize) -> PyResult<Vec<f32>> {
    let check = |shape: &[usize]| match *shape {
        [_, width] => check_width(width, dim).map_err(to_py),
        // What numpy makes of a list without vectors.
        [0] => Ok(()),
        _ => Err(wrong_shape("a matrix (2-D)", shape)),
    };
    buffer(object, check)?.map_or_else(|| rows(object, dim), Ok)
}

/// Ids of so many rows, of a buffer of 64-bit integers, or of a sequence of integers.
pub(crate) fn ids(object: &Bound<'_, PyAny>, rows: usize) -> PyResult<Vec<u64>> {
    let check = |shape: &[usize]| match *shape {
        [count] => check_ids(count, rows).map_err(to_py),
        _ => Err(wrong_shape("ids (1-D)", shape)),
    };
    if let Some(ids) = typed_buffer::<u64>(object, check)? {
        return Ok(ids);
    }
    match typed_buffer::<i64>(object, check)? {
        // A negative one is left to the conversion of single integers, which says what it thinks of it.
        Some(ids) if ids.iter().all(|id| *id >= 0) => Ok(ids.into_iter().map(|id| id as u64).collect()),
        _ => {
            let (_, count) = sequence(object, "a sequence of integers")?;
            check_ids(count, rows).map_err(to_py).and_then(|()| object.extract())
        }
    }
}

fn rows(object: &Bound<'_, PyAny>, dim: usize) -> PyResult<Vec<f32>> {
    let mut values = Vec::new();
    for (at, row) in sequence(object, "a matrix of numbers")?.0.enumerate() {
        let named = |error: Error| to_py(Error::new(error.kind(), format!("row {at}: {error}")));
        values.extend_from_slice(&vector_or(&row?, dim, named)?);
    }
    Ok(values)
}

fn check_width(width: usize, dim: usize) -> Result<(), Error> {
    if width == dim { Ok(()) } else { Err(Error::dimension(dim, width)) }
}

fn wrong_shape(expected: &str, shape: &[usize]) -> PyErr {
    let message = format!("expected {expected}, got {}-D with shape {shape:?}", shape.len());
    to_py(Error::new(ErrorKind::DimensionMismatch, message))
}

/// The values of a float buffer in row-major order, if its shape passes; None when there is no such buffer.
fn buffer(object: &Bound<'_, PyAny>, check: impl Fn(&[usize]) -> PyResult<()>) -> PyResult<Option<Vec<f32>>> {
    if let Some(values) = typed_buffer::<f32>(object, &check)? {
        return Ok(Some(values));
    }
    let wide = typed_buffer::<f64>(object, check)?;
    // Beyond the range of f32 this gives infinity, which the core refuses by its position.
    Ok(wide.map(|values| values.into_iter().map(|x| x as f32).collect()))
}

fn typed_buffer<T: Element + Zeroable>(
    object: &Bound<'_, PyAny>,
    check: impl Fn(&[usize]) -> PyResult<()>,
) -> PyResult<Option<Vec<T>>> {
    let Ok(buffer) = PyBuffer::<T>::get(object) else { return Ok(None) };
    // `PyBuffer` looks at the type alone; floats in the other byte order are read one by one.
    let foreign: &[u8] = if cfg!(target_endian = "little") { b">!" } else { b"<" };
    if buffer.format().to_bytes().first().is_some_and(|order| foreign.contains(order)) {
        return Ok(None);
    }
    check(buffer.shape())?;
    let count = buffer.item_count();
    let no_memory = |()| to_py(Error::new(ErrorKind::OutOfMemory, format!("no memory for a copy of {count} numbers")));
    let mut values = try_zeroed_vec(count).map_err(no_memory)?;
    prefer_huge_pages(&mut values);
    buffer.copy_to_slice(object.py(), &mut values)?;
    Ok(Some(values))
}

/// An iterator over a sequence, and the length that it says to have: without one it may have no end. It is no text, no
/// mapping, and no set, whose order says nothing.
fn sequence<'py>(object: &Bound<'py, PyAny>, what: &str) -> PyResult<(Bound<'py, PyIterator>, usize)> {
    let other = object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
        || object.is_instance_of::<PyDict>()
        || object.is_instance_of::<PySet>()
        || object.is_instance_of::<PyFrozenSet>();
    match object.len() {
        Ok(length) if !other => Ok((object.try_iter()?, length)),
        _ => Err(PyTypeError::new_err(format!("expected {what}, got {}", object.get_type().name()?))),
    }
}

fn number(at: usize, item: &Bound<'_, PyAny>) -> PyResult<f32> {
    match item.extract::<f64>() {
        Ok(value) => Ok(value as f32),
        Err(error) if error.is_instance_of::<PyTypeError>(item.py()) => {
            Err(PyTypeError::new_err(format!("expected a number as component {at}, got {}", item.get_type().name()?)))
        }
        Err(error) => Err(error),
    }
}
