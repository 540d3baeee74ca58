//! Bindings of a row's fields.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::row::PyRow;
use crate::support::rows::{codec_name, seconds};

#[pymethods]
impl PyRow {
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.row.key)
    }

    #[getter]
    fn partition(&self) -> u128 {
        self.row.partition
    }

    #[getter]
    fn scope(&self) -> u128 {
        self.row.scope
    }

    #[getter]
    fn question(&self) -> &str {
        &self.row.question
    }

    #[getter]
    fn codec(&self) -> &'static str {
        codec_name(self.row.codec)
    }

    #[getter]
    fn created_at(&self) -> f64 {
        seconds(self.row.created_at_ms)
    }

    #[getter]
    fn expires_at(&self) -> Option<f64> {
        self.row.expires_at_ms.map(seconds)
    }

    #[getter]
    fn stale_for(&self) -> f64 {
        seconds(self.row.stale_for_ms)
    }

    #[getter]
    fn usage(&self) -> Option<(u64, u64)> {
        self.row.usage.map(|usage| (usage.input_tokens, usage.output_tokens))
    }

    #[getter]
    fn estimated(&self) -> bool {
        self.row.usage.is_some_and(|usage| usage.estimated)
    }

    #[getter]
    fn model(&self) -> &str {
        &self.row.model
    }

    #[getter]
    fn version(&self) -> &str {
        &self.row.version
    }

    #[getter]
    fn tags(&self) -> Vec<String> {
        self.row.tags.clone()
    }

    #[getter]
    fn kind(&self) -> &str {
        &self.row.kind
    }

    #[getter]
    fn principal(&self) -> Option<u128> {
        self.row.principal
    }

    #[getter]
    fn cluster(&self) -> Option<u64> {
        self.row.cluster
    }
}
