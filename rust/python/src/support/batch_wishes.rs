//! What a caller says about an item or a group of them, checked.

use llmfast_core::{Error, ErrorKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::to_py;

/// What a caller says about an item or a group of them.
pub(crate) struct Wishes<'py> {
    pub(crate) priority: i32,
    /// Seconds from now.
    pub(crate) deadline: Option<f64>,
    pub(crate) tenant: Option<Bound<'py, PyAny>>,
    pub(crate) key: Option<Bound<'py, PyAny>>,
}

impl<'py> Wishes<'py> {
    /// None if nothing is wished.
    #[inline]
    pub(crate) fn new(
        priority: Priority,
        deadline: Option<Seconds>,
        tenant: Option<Bound<'py, PyAny>>,
        key: Option<Bound<'py, PyAny>>,
    ) -> Option<Self> {
        let plain = priority.0 == 0 && deadline.is_none() && tenant.is_none() && key.is_none();
        let deadline = deadline.map(|Seconds(seconds)| seconds);
        (!plain).then_some(Self { priority: priority.0, deadline, tenant, key })
    }
}

/// (priority, deadline, tenant, key)
impl<'py> FromPyObject<'_, 'py> for Wishes<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let (priority, deadline, tenant, key) = object.extract::<(Bound<'py, PyAny>, _, _, _)>()?;
        let deadline: Option<Bound<'py, PyAny>> = deadline;
        let deadline = deadline.map(|deadline| deadline.extract::<Seconds>()).transpose()?;
        Ok(Self {
            priority: priority.extract::<Priority>()?.0,
            deadline: deadline.map(|seconds| seconds.0),
            tenant,
            key,
        })
    }
}

/// The argument `priority`.
pub(crate) struct Priority(pub(crate) i32);

impl FromPyObject<'_, '_> for Priority {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let expected = "an int from -2147483648 to 2147483647";
        object.extract().map(Self).map_err(|_| refused("priority", &object, expected))
    }
}

/// The argument `deadline`.
pub(crate) struct Seconds(f64);

impl FromPyObject<'_, '_> for Seconds {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let expected = "a finite number of seconds from now";
        object.extract().map(Self).map_err(|_| refused("deadline", &object, expected))
    }
}

fn refused(name: &str, object: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    let shown = object.repr().map_or_else(|_| object.get_type().to_string(), |text| text.to_string());
    to_py(Error::new(ErrorKind::Config, format!("{name} must be {expected}, got {shown}")))
}

/// Names the argument that has no hash.
pub(crate) fn unhashable<T>(name: &str, object: Option<&Bound<'_, PyAny>>, taken: PyResult<T>) -> PyResult<T> {
    taken.map_err(|error| match object {
        Some(object) if error.is_instance_of::<PyTypeError>(object.py()) => {
            let said = error.value(object.py());
            PyTypeError::new_err(format!("{name} must have a hash, got {}: {said}", object.get_type()))
        }
        _ => error,
    })
}

/// `seconds` from `now`, which may be in the past.
pub(crate) fn after(now: u64, seconds: f64) -> PyResult<u64> {
    if !seconds.is_finite() {
        let message = format!("deadline must be a finite number of seconds from now, got {seconds}");
        return Err(to_py(Error::new(ErrorKind::Config, message)));
    }
    Ok((now as f64 + seconds * 1e9).max(0.0) as u64)
}
