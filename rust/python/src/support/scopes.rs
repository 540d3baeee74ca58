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
pub(crate) enum ScopeArg {
    Single,
    Public,
    Named(String),
}

impl ScopeArg {
    pub(crate) fn scope(&self) -> Scope<'_> {
        match self {
            Self::Single => Scope::Single,
            Self::Public => Scope::Public,
            Self::Named(name) => Scope::Named(name),
        }
    }
}

impl<'py> FromPyObject<'_, 'py> for ScopeArg {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Self::Single);
        }
        if object.is_instance_of::<Public>() {
            return Ok(Self::Public);
        }
        if !object.is_instance_of::<pyo3::types::PyString>() {
            let got = object.get_type().name()?;
            return Err(PyTypeError::new_err(format!("scope must be a str, None or llmfast.PUBLIC, got {got}")));
        }
        super::values::utf8(&object, "scope").map(Self::Named)
    }
}
