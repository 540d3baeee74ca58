//! Float seconds of the Python API as durations.

use std::time::Duration;

use llmfast_core::{Error, ErrorKind};
use pyo3::PyResult;

use crate::errors::to_py;

/// `seconds` as a duration; an error that names the parameter if it is not a finite number above zero.
#[inline]
pub(crate) fn positive(name: &str, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
        _ => {
            let message = format!("{name} must be a finite number of seconds above 0, got {seconds}");
            Err(to_py(Error::new(ErrorKind::Config, message)))
        }
    }
}
