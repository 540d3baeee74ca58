//! Bindings of request identity: keys and partitions.

use llmfast_core::request::{Added, Fields, Secret};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::to_py;
use crate::request_identity::{PyIdentity, PyNormal};
use crate::support::requests::{api_named, optional, text};
use crate::support::scopes::{Public, ScopeArg};
use crate::support::values::{str_utf8, utf8, value};

type Any<'py> = Bound<'py, PyAny>;

#[pyclass(module = "llmfast", frozen)]
struct Identifier(Secret);

#[pymethods]
impl Identifier {
    #[new]
    fn new(secret: &[u8]) -> Self {
        Self(Secret::new(secret))
    }

    #[pyo3(signature = (
        scope, query, model = None, system = None, messages = None, params = None, context = None, version = None,
        router = "", stream = false, fold_case = false, *, api = ""
    ))]
    #[allow(clippy::too_many_arguments)] // one for each field of a request
    fn identify(
        &self,
        scope: ScopeArg<'_>,
        query: &Any<'_>,
        model: Option<&Any<'_>>,
        system: Option<&Any<'_>>,
        messages: Option<&Any<'_>>,
        params: Option<&Any<'_>>,
        context: Option<&Any<'_>>,
        version: Option<&Any<'_>>,
        router: &str,
        stream: bool,
        fold_case: bool,
        api: &str,
    ) -> PyResult<PyIdentity> {
        let (model, system, version) = (text(model, "model")?, text(system, "system")?, text(version, "version")?);
        let query = str_utf8(query.as_borrowed(), "query")?;
        let fields = Fields { api: api_named(api)?, query, model, system, version, router, stream };
        let (messages, params) = (optional(messages, "messages")?, optional(params, "params")?);
        let context = optional(context, "context")?;
        let identity = self.0.identify_fields(scope.0, fields, messages, params, context, fold_case);
        identity.map(PyIdentity).map_err(to_py)
    }

    #[pyo3(signature = (
        scope, request, *, context = None, version = "", router = "", stream = None, fold_case = false
    ))]
    #[allow(clippy::too_many_arguments)] // keywords, one for each field that is added
    fn identify_request(
        &self,
        scope: ScopeArg<'_>,
        request: &PyNormal,
        context: Option<&Any<'_>>,
        version: &str,
        router: &str,
        stream: Option<bool>,
        fold_case: bool,
    ) -> PyResult<PyIdentity> {
        let (context, added) = (optional(context, "context")?, Added { version, router, stream });
        let identity = self.0.identify_normal(scope.0, &request.0, context, added, fold_case);
        identity.map(PyIdentity).map_err(to_py)
    }

    #[pyo3(signature = (*, model, system, messages, params, context, version, router = "", stream = false))]
    #[allow(clippy::too_many_arguments)] // keywords, one for each field of a request
    fn fingerprint<'py>(
        &self,
        py: Python<'py>,
        model: &Any<'py>,
        system: &Any<'py>,
        messages: &Any<'py>,
        params: &Any<'py>,
        context: &Any<'py>,
        version: &Any<'py>,
        router: &str,
        stream: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (model, system) = (text(Some(model), "model")?, text(Some(system), "system")?);
        let version = text(Some(version), "version")?;
        let fields = Fields { model, system, version, router, stream, ..Fields::default() };
        let (messages, params) = (value(messages, "messages")?, value(params, "params")?);
        let print = self.0.fingerprint_fields(fields, messages, params, value(context, "context")?);
        print.map(|print| PyBytes::new(py, &print)).map_err(to_py)
    }

    fn exact_key<'py>(
        &self,
        scope: ScopeArg<'_>,
        fingerprint: [u8; 32],
        query: &Any<'py>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let key = self.0.exact_key(scope.0, &fingerprint, str_utf8(query.as_borrowed(), "query")?);
        Ok(PyBytes::new(query.py(), &key))
    }

    #[pyo3(signature = (scope, fingerprint, query, *, fold_case = false))]
    fn normal_key<'py>(
        &self,
        scope: ScopeArg<'_>,
        fingerprint: [u8; 32],
        query: &Any<'py>,
        fold_case: bool,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let key = self.0.normal_key(scope.0, &fingerprint, str_utf8(query.as_borrowed(), "query")?, fold_case);
        Ok(key.map(|key| PyBytes::new(query.py(), &key)))
    }

    fn partition<'py>(
        &self,
        py: Python<'py>,
        scope: ScopeArg<'_>,
        encoder: &str,
        fingerprint: [u8; 32],
    ) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.partition(scope.0, encoder, &fingerprint).to_le_bytes())
    }

    #[pyo3(signature = (scope, user = None))]
    fn principal(&self, scope: ScopeArg<'_>, user: Option<&Any<'_>>) -> PyResult<Option<u128>> {
        let user = user.map(|user| utf8(user, "user")).transpose()?;
        Ok(self.0.principal(scope.0, user.as_deref()))
    }

    fn scope(&self, scope: ScopeArg<'_>) -> u128 {
        self.0.scope(scope.0)
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
