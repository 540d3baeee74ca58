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
    str_utf8(object.as_borrowed(), name).map(str::to_owned)
}

/// The same where it lies: the interpreter keeps the UTF-8 of a string as long as the string.
pub(crate) fn str_utf8<'a>(object: Borrowed<'a, '_, PyAny>, name: &str) -> PyResult<&'a str> {
    let py = object.py();
    object.extract::<&'a str>().map_err(|error| {
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
        json_integer(object)
    } else if let Ok(number) = object.cast::<PyFloat>() {
        Ok(Value::Float(number.value()))
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Ok(Value::Bytes(bytes.as_bytes().to_vec()))
    } else {
        container(object, name, depth)
    }
}

/// The same data as Python objects.
pub(crate) fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Integer(number) => number.into_pyobject(py)?.into_any(),
        Value::BigInteger(digits) => py.get_type::<PyInt>().call1((digits, 16))?,
        Value::Float(number) => PyFloat::new(py, *number).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            items.iter().try_for_each(|item| list.append(object(py, item)?))?;
            list.into_any()
        }
        Value::Map(entries) => {
            let map = PyDict::new(py);
            entries.iter().try_for_each(|(name, value)| map.set_item(name, object(py, value)?))?;
            map.into_any()
        }
    })
}

/// An integer that fits, of Python's type or one that stands for it (`__index__`); `kind` of error otherwise.
pub(crate) fn integer(object: &Bound<'_, PyAny>, name: &str, kind: ErrorKind) -> PyResult<i128> {
    if !object.is_instance_of::<PyInt>() && !object.get_type().hasattr("__index__")? {
        return Err(PyTypeError::new_err(format!("{name} must be an int, got {}", object.get_type().name()?)));
    }
    object.extract().map_err(|_| to_py(Error::new(kind, format!("{name} has more than 127 bits"))))
}

fn json_integer(object: &Bound<'_, PyAny>) -> PyResult<Value> {
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
