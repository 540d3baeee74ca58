//! Bindings of requests in normal form, and of what identifies one.

use llmfast_core::request::{ExactOnly, Identity, Normal};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_py;
use crate::support::requests::api_named;
use crate::support::values::{object, value};

type Bytes<'py> = Bound<'py, PyBytes>;

#[pyclass(name = "Identity", module = "llmfast", frozen)]
pub(crate) struct PyIdentity(pub(crate) Identity);

#[pymethods]
impl PyIdentity {
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, &self.0.key)
    }

    #[getter]
    fn normal_key<'py>(&self, py: Python<'py>) -> Option<Bytes<'py>> {
        self.0.normal_key.map(|key| PyBytes::new(py, &key))
    }

    #[getter]
    fn row_key<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, self.0.normal_key.as_ref().unwrap_or(&self.0.key))
    }

    #[getter]
    fn fingerprint<'py>(&self, py: Python<'py>) -> Bytes<'py> {
        PyBytes::new(py, &self.0.fingerprint)
    }
}

#[pyclass(name = "NormalRequest", module = "llmfast", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PyNormal(pub(crate) Normal);

#[pymethods]
impl PyNormal {
    #[staticmethod]
    fn from_keywords(api: &str, keywords: &Bound<'_, PyAny>) -> PyResult<Self> {
        Normal::from_keywords(api_named(api)?, value(keywords, "keywords")?).map(Self).map_err(to_py)
    }

    #[staticmethod]
    fn from_wire(api: &str, body: &[u8]) -> PyResult<Self> {
        Normal::from_wire(api_named(api)?, body).map(Self).map_err(to_py)
    }

    #[getter]
    fn api(&self) -> &'static str {
        self.0.api.name()
    }

    #[getter]
    fn query(&self) -> Option<&str> {
        self.0.query.as_deref()
    }

    #[getter]
    fn model(&self) -> &str {
        &self.0.model
    }

    #[getter]
    fn system(&self) -> &str {
        &self.0.system
    }

    #[getter]
    fn messages<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.0.history)
    }

    #[getter]
    fn turn<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.0.turn)
    }

    #[getter]
    fn params<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        object(py, &self.0.params)
    }

    #[getter]
    fn stream(&self) -> bool {
        self.0.stream
    }

    #[getter]
    fn exact_only(&self) -> Option<(&'static str, &'static str)> {
        self.0.exact_only.map(|why: ExactOnly| (why.name(), why.sentence()))
    }

    #[getter]
    fn uncacheable(&self) -> Option<&'static str> {
        self.0.uncacheable
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyIdentity>()?;
    module.add_class::<PyNormal>()
}
