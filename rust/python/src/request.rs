//! Bindings of request identity.

use llmfast_core::request::{Request, Secret};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_py;
use crate::support::scopes::{Public, ScopeArg};
use crate::support::values::{utf8, value};

type Any<'py> = Bound<'py, PyAny>;

#[pyclass(module = "llmfast", frozen)]
struct Identifier(Secret);

#[pymethods]
impl Identifier {
    #[new]
    fn new(secret: &[u8]) -> Self {
        Self(Secret::new(secret))
    }

    #[pyo3(signature = (*, model, system, messages, params, context, version, router = "", stream = false))]
    #[allow(clippy::too_many_arguments)] // keywords, one for each field of a request
    fn fingerprint<'py>(
        &self,
        model: &Any<'py>,
        system: &Any<'py>,
        messages: &Any<'py>,
        params: &Any<'py>,
        context: &Any<'py>,
        version: &Any<'py>,
        router: &str,
        stream: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (model, system, version) = (utf8(model, "model")?, utf8(system, "system")?, utf8(version, "version")?);
        let request = Request {
            query: "",
            model: &model,
            system: &system,
            history: value(messages, "messages")?,
            params: value(params, "params")?,
            context: value(context, "context")?,
            version: &version,
            router,
            stream,
        };
        let print = self.0.fingerprint(&request).map_err(to_py)?;
        Ok(PyBytes::new(params.py(), &print))
    }

    fn exact_key<'py>(
        &self,
        scope: ScopeArg,
        fingerprint: [u8; 32],
        query: &Any<'py>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let key = self.0.exact_key(scope.scope(), &fingerprint, &utf8(query, "query")?);
        Ok(PyBytes::new(query.py(), &key))
    }

    fn partition(&self, scope: ScopeArg, encoder: &str, fingerprint: [u8; 32]) -> u128 {
        self.0.partition(scope.scope(), encoder, &fingerprint)
    }

    #[pyo3(signature = (scope, user = None))]
    fn principal(&self, scope: ScopeArg, user: Option<&Any<'_>>) -> PyResult<Option<u128>> {
        let user = user.map(|user| utf8(user, "user")).transpose()?;
        Ok(self.0.principal(scope.scope(), user.as_deref()))
    }

    fn scope(&self, scope: ScopeArg) -> u128 {
        self.0.scope(scope.scope())
    }

    #[getter]
    fn row_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.row_key())
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Identifier>()?;
    module.add_class::<Public>()?;
    module.add("PUBLIC", Py::new(module.py(), Public)?)
}
