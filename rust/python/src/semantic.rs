//! Bindings of the semantic cache's guards.

use llmfast_core::semantic::{self, Veto, veto};
use pyo3::prelude::*;

use crate::support::values::utf8;

/// From this many bytes on texts are compared without holding the interpreter: it takes some tens of microseconds.
const DETACH_FROM: usize = 16 * 1024;

#[pyclass(module = "llmfast._llmfast", frozen)]
struct Reading {
    inner: semantic::Reading,
    bytes: usize,
}

#[pymethods]
impl Reading {
    #[new]
    fn new(py: Python<'_>, text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let text = utf8(text, "text")?;
        let bytes = text.len();
        let read = || semantic::Reading::new(&text);
        let inner = if bytes < DETACH_FROM { read() } else { py.detach(read) };
        Ok(Self { inner, bytes })
    }

    fn veto(&self, py: Python<'_>, stored_text: &Bound<'_, PyAny>) -> PyResult<Option<(&'static str, String)>> {
        let stored = utf8(stored_text, "stored_text")?;
        let compare = || veto(&self.inner, &semantic::Reading::new(&stored));
        let short = self.bytes + stored.len() < DETACH_FROM;
        let found: Option<Veto> = if short { compare() } else { py.detach(compare) };
        Ok(found.map(|veto| (veto.name(), veto.to_string())))
    }
}

#[pyfunction]
fn guard_words() -> Vec<&'static str> {
    semantic::guard_words()
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Reading>()?;
    module.add_function(wrap_pyfunction!(guard_words, module)?)
}
