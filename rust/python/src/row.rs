//! Bindings of stored rows.

use llmfast_core::row::{Codec, Row, Usage};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyString};

use crate::errors::to_py;
use crate::support::rows::{codec_named, milliseconds, seconds};

#[pyclass(name = "Row", module = "llmfast", frozen, eq)]
pub(crate) struct PyRow {
    pub(crate) row: Row,
    /// The payload as a Python object, made once: `str` and `bytes` cannot change and may be shared.
    payload: PyOnceLock<Py<PyAny>>,
}

impl PartialEq for PyRow {
    fn eq(&self, other: &Self) -> bool {
        self.row == other.row
    }
}

impl From<Row> for PyRow {
    fn from(row: Row) -> Self {
        Self { row, payload: PyOnceLock::new() }
    }
}

#[pymethods]
impl PyRow {
    #[new]
    #[pyo3(signature = (
        *, key, partition, payload, codec, created_at, expires_at = None, usage = None, model = String::new(),
        version = String::new(), tags = Vec::new(), kind = String::new(), principal = None, cluster = None,
        scope = 0, question = String::new(), stale_for = 0.0, estimated = false
    ))]
    #[allow(clippy::too_many_arguments)] // keywords, one for each field of a row
    fn new(
        key: [u8; 32],
        partition: u128,
        payload: &[u8],
        codec: &str,
        created_at: f64,
        expires_at: Option<f64>,
        usage: Option<(u64, u64)>,
        model: String,
        version: String,
        tags: Vec<String>,
        kind: String,
        principal: Option<u128>,
        cluster: Option<u64>,
        scope: u128,
        question: String,
        stale_for: f64,
        estimated: bool,
    ) -> PyResult<Self> {
        let codec = codec_named(codec)?;
        let usage = usage.map(|(input_tokens, output_tokens)| Usage { input_tokens, output_tokens, estimated });
        let (created_at_ms, expires_at_ms) = (milliseconds(created_at), expires_at.map(milliseconds));
        let payload = payload.to_vec();
        let row = Row {
            key,
            partition,
            scope,
            question,
            payload,
            codec,
            usage,
            model,
            created_at_ms,
            expires_at_ms,
            stale_for_ms: milliseconds(stale_for),
            version,
            tags,
            kind,
            principal,
            cluster,
        };
        Ok(row.into())
    }

    /// The answer: `bytes` for the codec "bytes", else `str`.
    #[getter]
    fn payload(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let object = self.payload.get_or_try_init(py, || match self.row.codec {
            Codec::Bytes => Ok(PyBytes::new(py, &self.row.payload).into_any().unbind()),
            _ => PyString::from_bytes(py, &self.row.payload).map(|text| text.into_any().unbind()),
        })?;
        Ok(object.clone_ref(py))
    }

    #[getter]
    fn shared(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        matches!(self.row.codec, Codec::Text | Codec::Bytes).then(|| self.payload(py)).transpose()
    }

    fn seal<'py>(&self, py: Python<'py>, key: [u8; 32]) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.row.seal(&key))
    }

    #[staticmethod]
    fn open(sealed: &[u8], key: [u8; 32]) -> PyResult<Self> {
        Row::open(sealed, &key).map(Self::from).map_err(to_py)
    }

    fn is_expired(&self, now: f64) -> bool {
        self.row.is_expired(milliseconds(now))
    }

    fn lies_in(&self, partition: [u8; 16]) -> bool {
        self.row.partition == u128::from_le_bytes(partition)
    }

    fn is_gone(&self, now: f64) -> bool {
        self.row.is_gone(milliseconds(now))
    }

    fn answers(&self, key: [u8; 32], now: f64, kind: Option<&str>, limit: Option<f64>) -> Option<f64> {
        if self.row.key == key { self.fresh_age(now, kind, limit) } else { None }
    }

    #[pyo3(signature = (now, kind, limit))]
    fn fresh_age(&self, now: f64, kind: Option<&str>, limit: Option<f64>) -> Option<f64> {
        self.row.fresh_age_ms(milliseconds(now), kind, limit.map(milliseconds)).map(seconds)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyRow>()
}
