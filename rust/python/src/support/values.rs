//! JSON-like Python data as core values.

use llmfast_core::request::Value;
use llmfast_core::{Error, ErrorKind};
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::errors::to_py;

/// Deeper data is refused before it can exhaust the stack; the core refuses it at the same depth.
const MAX_DEPTH: usize = 128;

/// A `str` as UTF-8; an error with `name` and the position if it holds a lone surrogate.
pub(crate) fn utf8(object: &Bound<'_, PyAny>, name: &str) -> PyResult<String> {
    let py = object.py();
    object.extract::<String>().map_err(|error| {
        if !error.is_instance_of::<PyUnicodeEncodeError>(py) {
            return error;
        }
        let at = error.value(py).getattr("start").map_or_else(|_| "unknown".into(), |start| start.to_string());
        let message = format!("{name} has a lone surrogate at position {at}, which no encoding can carry");
        to_py(Error::new(ErrorKind::InvalidText, message))
    })
}

/// JSON-like data of exact Python types; dataclasses, models and other objects are refused with the path to them.
pub(crate) fn value(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Value> {
    nested(object, name, MAX_DEPTH)
}

fn nested(object: &Bound<'_, PyAny>, name: &str, depth: usize) -> PyResult<Value> {
    if object.is_none() {
        Ok(Value::Null)
    } else if let Ok(flag) = object.cast::<PyBool>() {
        Ok(Value::Bool(flag.is_true()))
    } else if object.is_instance_of::<PyString>() {
        utf8(object, name).map(Value::Text)
    } else if object.is_instance_of::<PyInt>() {
        integer(object)
    } else if let Ok(number) = object.cast::<PyFloat>() {
        Ok(Value::Float(number.value()))
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Ok(Value::Bytes(bytes.as_bytes().to_vec()))
    } else {
        container(object, name, depth)
    }
}

fn integer(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    match object.extract::<i128>() {
        Ok(number) => Ok(Value::Integer(number)),
        // Hexadecimal digits: Python limits the length of decimal ones.
        Err(_) => Ok(Value::BigInteger(object.call_method1("__format__", ("x",))?.extract()?)),
    }
}

fn container(object: &Bound<'_, PyAny>, name: &str, depth: usize) -> PyResult<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        let message = format!("{name} is nested more than {MAX_DEPTH} levels deep");
        return Err(to_py(Error::new(ErrorKind::Config, message)));
    };
    if let Ok(map) = object.cast::<PyDict>() {
        map.iter().map(|(key, value)| entry(&key, &value, name, depth)).collect::<PyResult<_>>().map(Value::Map)
    } else if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let items = object.try_iter()?.map(|item| nested(&item?, name, depth));
        items.collect::<PyResult<_>>().map(Value::List)
    } else {
        let got = object.get_type().name()?;
        Err(PyTypeError::new_err(format!("{name} must be JSON data (dict, list, str, number, bool, None), got {got}")))
    }
}

fn entry(key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>, name: &str, depth: usize) -> PyResult<(String, Value)> {
    if !key.is_instance_of::<PyString>() {
        let got = key.get_type().name()?;
        return Err(PyTypeError::new_err(format!("{name} must have str as names, got {got}")));
    }
    let key = utf8(key, name)?;
    let value = nested(value, &format!("{name}.{key}"), depth)?;
    Ok((key, value))
}
