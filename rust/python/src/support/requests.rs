//! Requests as Python gives them.

use llmfast_core::request::{Api, Value};
use llmfast_core::{Error, ErrorKind};
use pyo3::prelude::*;

use super::values::{str_utf8, value};
use crate::errors::to_py;

/// The API of a name.
pub(crate) fn api_named(name: &str) -> PyResult<Api> {
    Api::named(name).ok_or_else(|| {
        let names: Vec<&str> = Api::ALL.into_iter().map(Api::name).filter(|name| !name.is_empty()).collect();
        let message = format!("api must be empty or one of {}, got '{name}'", names.join(", "));
        to_py(Error::new(ErrorKind::Config, message))
    })
}

/// Data of an argument that may be left out.
pub(crate) fn optional(object: Option<&Bound<'_, PyAny>>, name: &str) -> PyResult<Value> {
    object.map_or(Ok(Value::Null), |object| value(object, name))
}

/// A text that may be left out.
pub(crate) fn text<'a>(object: Option<&'a Bound<'_, PyAny>>, name: &str) -> PyResult<&'a str> {
    object.map_or(Ok(""), |object| str_utf8(object.as_borrowed(), name))
}
