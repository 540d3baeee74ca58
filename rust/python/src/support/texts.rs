//! Texts as UTF-8, readable while the interpreter is released.

use llmfast_core::{Error, ErrorKind};
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::errors::to_py;

/// One text, or several.
pub(crate) enum Texts {
    One(PyBackedStr),
    Many(Vec<PyBackedStr>),
}

impl Texts {
    pub(crate) fn as_slice(&self) -> &[PyBackedStr] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// A str, or a list or tuple of str.
pub(crate) fn texts(object: &Bound<'_, PyAny>) -> PyResult<Texts> {
    if object.is_instance_of::<PyString>() {
        return text(object, "the text").map(Texts::One);
    }
    if !object.is_instance_of::<PyList>() && !object.is_instance_of::<PyTuple>() {
        return Err(PyTypeError::new_err(format!("expected str or a list of str, got {}", object.get_type().name()?)));
    }
    let items = object.try_iter()?.enumerate();
    items.map(|(at, item)| text(&item?, &format!("text {at}"))).collect::<PyResult<_>>().map(Texts::Many)
}

/// A str; `name` stands for it in errors.
pub(crate) fn text(object: &Bound<'_, PyAny>, name: &str) -> PyResult<PyBackedStr> {
    let Ok(string) = object.cast::<PyString>() else {
        return Err(PyTypeError::new_err(format!("expected {name} to be str, got {}", object.get_type().name()?)));
    };
    PyBackedStr::try_from(string.clone()).map_err(|error| not_utf8(object.py(), error, name))
}

fn not_utf8(py: Python<'_>, error: PyErr, name: &str) -> PyErr {
    if !error.is_instance_of::<PyUnicodeEncodeError>(py) {
        return error;
    }
    match error.value(py).getattr("start").and_then(|start| start.extract::<usize>()) {
        Ok(start) => {
            let message = format!("{name} has a lone surrogate at position {start}, which is not a character");
            to_py(Error::new(ErrorKind::InvalidText, message))
        }
        Err(error) => error,
    }
}
