//! Vectors and matrices from buffers, arrays and lists; the kernel that multiplies them.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use llmfast_core::kernel::{Kernel, prefer_huge_pages};
use llmfast_core::{Error, ErrorKind};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyString};

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
/// another thread may write to a buffer while the interpreter is released.
pub(crate) fn vector<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [f32]>> {
    match object.cast::<Encoding>() {
        Ok(encoding) => Ok(Cow::Borrowed(&encoding.get().0)),
        Err(_) => copied(object).map(Cow::Owned),
    }
}

fn copied(object: &Bound<'_, PyAny>) -> PyResult<Vec<f32>> {
    match buffer(object)? {
        Some((values, shape)) if shape.len() == 1 => Ok(values),
        Some((_, shape)) => Err(wrong_shape("a vector", &shape)),
        None => sequence(object, "a vector of numbers")?.enumerate().map(|(at, item)| number(at, &item?)).collect(),
    }
}

/// The numbers of a two-dimensional buffer with `dim` columns, or of a sequence of vectors, row by row.
pub(crate) fn matrix(object: &Bound<'_, PyAny>, dim: usize) -> PyResult<Vec<f32>> {
    match buffer(object)? {
        Some((values, _)) if values.is_empty() => Ok(values),
        Some((values, shape)) if shape.len() == 2 => check_width(shape[1], dim).map_err(to_py).map(|()| values),
        Some((_, shape)) => Err(wrong_shape("a matrix", &shape)),
        None => rows(object, dim),
    }
}

/// Ids of a buffer of 64-bit integers, or of a sequence of integers.
pub(crate) fn ids(object: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    if let Some((ids, shape)) = typed_buffer::<u64>(object)?
        && shape.len() == 1
    {
        return Ok(ids);
    }
    match typed_buffer::<i64>(object)? {
        // A negative one is left to the conversion of single integers, which says what it thinks of it.
        Some((ids, shape)) if shape.len() == 1 && ids.iter().all(|id| *id >= 0) => {
            Ok(ids.into_iter().map(|id| id as u64).collect())
        }
        _ => object.extract(),
    }
}

fn rows(object: &Bound<'_, PyAny>, dim: usize) -> PyResult<Vec<f32>> {
    let mut values = Vec::new();
    for (at, row) in sequence(object, "a matrix of numbers")?.enumerate() {
        let row = row?;
        let row = vector(&row)?;
        check_width(row.len(), dim).map_err(|e| to_py(Error::new(e.kind(), format!("row {at}: {e}"))))?;
        values.extend_from_slice(&row);
    }
    Ok(values)
}

fn check_width(width: usize, dim: usize) -> Result<(), Error> {
    if width == dim { Ok(()) } else { Err(Error::dimension(dim, width)) }
}

fn wrong_shape(expected: &str, shape: &[usize]) -> PyErr {
    let dimensions = if expected == "a vector" { 1 } else { 2 };
    let message = format!("expected {expected} ({dimensions}-D), got {}-D with shape {shape:?}", shape.len());
    to_py(Error::new(ErrorKind::DimensionMismatch, message))
}

/// The values of a float buffer in row-major order, with its shape; None when there is no such buffer.
fn buffer(object: &Bound<'_, PyAny>) -> PyResult<Option<(Vec<f32>, Vec<usize>)>> {
    if let Some((values, shape)) = typed_buffer::<f32>(object)? {
        return Ok(Some((values, shape)));
    }
    let wide = typed_buffer::<f64>(object)?;
    // Beyond the range of f32 this gives infinity, which the core refuses by its position.
    Ok(wide.map(|(values, shape)| (values.into_iter().map(|x| x as f32).collect(), shape)))
}

fn typed_buffer<T: Element + Default>(object: &Bound<'_, PyAny>) -> PyResult<Option<(Vec<T>, Vec<usize>)>> {
    let Ok(buffer) = PyBuffer::<T>::get(object) else { return Ok(None) };
    // `PyBuffer` looks at the type alone; floats in the other byte order are read one by one.
    let foreign: &[u8] = if cfg!(target_endian = "little") { b">!" } else { b"<" };
    if buffer.format().to_bytes().first().is_some_and(|order| foreign.contains(order)) {
        return Ok(None);
    }
    let mut values = vec![T::default(); buffer.item_count()];
    prefer_huge_pages(&mut values);
    buffer.copy_to_slice(object.py(), &mut values)?;
    Ok(Some((values, buffer.shape().to_vec())))
}

/// An iterator over a sequence that is neither text nor a mapping; one without a length may have no end.
fn sequence<'py>(object: &Bound<'py, PyAny>, what: &str) -> PyResult<Bound<'py, pyo3::types::PyIterator>> {
    let other = object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
        || object.is_instance_of::<PyDict>();
    if other || object.len().is_err() {
        return Err(PyTypeError::new_err(format!("expected {what}, got {}", object.get_type().name()?)));
    }
    object.try_iter()
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
