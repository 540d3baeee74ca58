//! Core errors become the Python classes of `llmfast._errors`.

use std::io;

use llmfast_core::error::Refusal;
use llmfast_core::{Error, ErrorKind};
use pyo3::exceptions::{PyOSError, PyRuntimeWarning};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;

static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// The name of the class in `llmfast._errors` that stands for `kind`; None for errors that Python has a class for.
fn class_name(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::Config => Some("ConfigError"),
        ErrorKind::DimensionMismatch => Some("DimensionMismatchError"),
        ErrorKind::InvalidVector => Some("InvalidVectorError"),
        ErrorKind::DuplicateId => Some("DuplicateIdError"),
        ErrorKind::UnknownId => Some("UnknownIdError"),
        ErrorKind::InvalidText => Some("InvalidTextError"),
        ErrorKind::TextTooLong => Some("TextTooLongError"),
        ErrorKind::EncoderNotFound => Some("EncoderNotFoundError"),
        ErrorKind::CorruptFile => Some("CorruptFileError"),
        ErrorKind::UnsupportedModel => Some("UnsupportedModelError"),
        ErrorKind::CorruptRow => Some("CorruptRowError"),
        ErrorKind::Ledger => Some("LedgerError"),
        ErrorKind::Overloaded => Some("OverloadedError"),
        ErrorKind::ItemTooLarge => Some("ItemTooLargeError"),
        ErrorKind::Deadline => Some("DeadlineError"),
        ErrorKind::OutOfMemory => Some("OutOfMemoryError"),
        _ => None,
    }
}

/// Makes the Python exception for a core error.
pub(crate) fn to_py(error: Error) -> PyErr {
    Python::attach(|py| match (class_name(error.kind()), error.refusal()) {
        (Some(name), _) => instance(py, name, &error.to_string()).unwrap_or_else(|failure| failure),
        (None, Some(refusal)) => refused(py, refusal).unwrap_or_else(|failure| failure),
        (None, None) => PyOSError::new_err(error.to_string()),
    })
}

/// Makes the exception for what the operating system refused, as Python's own functions do: of the class for its number.
fn refused(py: Python<'_>, refusal: &Refusal) -> PyResult<PyErr> {
    let Refusal { code, path } = refusal;
    let message = io::Error::from_raw_os_error(*code).to_string();
    let message = message.strip_suffix(&format!(" (os error {code})")).unwrap_or(&message);
    // Windows has the number in another place; elsewhere that one is ignored.
    let arguments = (*code, message, path.as_os_str(), *code);
    Ok(PyErr::from_value(py.get_type::<PyOSError>().call1(arguments)?))
}

/// Makes the exception for a queue that is full.
pub(crate) fn overloaded(message: &str) -> PyErr {
    Python::attach(|py| instance(py, "OverloadedError", message).unwrap_or_else(|failure| failure))
}

/// Makes the exception for something that was closed.
pub(crate) fn closed(message: &str) -> PyErr {
    Python::attach(|py| instance(py, "ClosedError", message).unwrap_or_else(|failure| failure))
}

fn instance(py: Python<'_>, name: &str, message: &str) -> PyResult<PyErr> {
    let module = CLASSES.get_or_try_init(py, || PyModule::import(py, "llmfast._errors").map(Bound::unbind))?;
    let class = module.bind(py).getattr(name)?;
    Ok(PyErr::from_value(class.call1((message,))?))
}

/// Warns that this build is slow.
pub(crate) fn warn_debug_build(py: Python<'_>) -> PyResult<()> {
    let category = py.get_type::<PyRuntimeWarning>();
    let message = c"llmfast is a debug build, many times slower than a release build: install it with `pip install .`";
    PyErr::warn(py, &category, message, 1)
}
