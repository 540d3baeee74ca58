//! Bindings of what is never compared by meaning.

use llmfast_core::request::Value;
use llmfast_core::semantic::refusal::{Asked, MAX_TEMPERATURE, Refusal, Terms, horizon_seconds};
use pyo3::prelude::*;

use crate::request_identity::PyNormal;
use crate::support::requests::optional;
use crate::support::values::utf8;

type Why = Option<(&'static str, String)>;

#[pyfunction]
#[pyo3(signature = (
    query, messages = None, params = None, ttl = None, public = false, max_temperature = MAX_TEMPERATURE,
    read_only_tools = Vec::new()
), text_signature = "(query, messages=None, params=None, ttl=None, public=False, max_temperature=1.0, read_only_tools=())")]
fn refusal(
    query: Option<&Bound<'_, PyAny>>,
    messages: Option<&Bound<'_, PyAny>>,
    params: Option<&Bound<'_, PyAny>>,
    ttl: Option<f64>,
    public: bool,
    max_temperature: f64,
    read_only_tools: Vec<String>,
) -> PyResult<Why> {
    let query = query.map(|query| utf8(query, "query")).transpose()?;
    let (history, params) = (&optional(messages, "messages")?, &optional(params, "params")?);
    let asked = Asked { query: query.as_deref(), history, turn: &Value::Null, params };
    let terms = Terms { ttl_seconds: ttl, public, max_temperature, read_only_tools: &read_only_tools };
    Ok(why(asked, terms))
}

#[pyfunction]
fn horizon(query: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    Ok(horizon_seconds(&utf8(query, "query")?))
}

#[pymethods]
impl PyNormal {
    #[pyo3(
        signature = (ttl = None, public = false, max_temperature = MAX_TEMPERATURE, read_only_tools = Vec::new()),
        text_signature = "($self, ttl=None, public=False, max_temperature=1.0, read_only_tools=())"
    )]
    fn refusal(&self, ttl: Option<f64>, public: bool, max_temperature: f64, read_only_tools: Vec<String>) -> Why {
        let request = &self.0;
        let (query, history, turn) = (request.query.as_deref(), &request.history, &request.turn);
        let asked = Asked { query, history, turn, params: &request.params };
        why(asked, Terms { ttl_seconds: ttl, public, max_temperature, read_only_tools: &read_only_tools })
    }
}

fn why(asked: Asked<'_>, terms: Terms<'_>) -> Why {
    llmfast_core::semantic::refusal::refusal(asked, terms).map(|Refusal { name, sentence }| (name, sentence))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(horizon, module)?)?;
    module.add_function(wrap_pyfunction!(refusal, module)?)
}
