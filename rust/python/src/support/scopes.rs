//! Scopes: None, a name, or `PUBLIC`.

use llmfast_core::request::Scope;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// The scope whose rows every other scope may see.
#[pyclass(module = "llmfast", frozen)]
pub(crate) struct Public;

#[pymethods]
impl Public {
    fn __repr__(&self) -> &'static str {
        "llmfast.PUBLIC"
    }
}

/// A scope as Python gives it.
pub(crate) struct ScopeArg<'a>(pub(crate) Scope<'a>);

impl<'a, 'py> FromPyObject<'a, 'py> for ScopeArg<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Self(Scope::Single));
        }
        if object.is_instance_of::<Public>() {
            return Ok(Self(Scope::Public));
        }
        if !object.is_instance_of::<pyo3::types::PyString>() {
            let got = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!("scope must be a str, None or llmfast.PUBLIC, got {got}")));
        }
        super::values::str_utf8(object, "scope").map(|name| Self(Scope::Named(name)))
    }
}
