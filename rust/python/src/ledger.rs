//! Bindings of the ledger.

use llmfast_core::ledger::{Dimension, Entry, Ledger, Money, Outcome, Price, Split, Tokens, Totals};
use llmfast_core::{Error, ErrorKind, Result};
use pyo3::intern;
use pyo3::prelude::*;

use crate::errors::to_py;
use crate::support::forks::detached;
use crate::support::values::integer;

const OUTCOMES: [(&str, Outcome); 5] = [
    ("exact_hit", Outcome::ExactHit),
    ("semantic_hit", Outcome::SemanticHit),
    ("coalesced", Outcome::Coalesced),
    ("llm_call", Outcome::LlmCall),
    ("renewal", Outcome::Renewal),
];

const DIMENSIONS: [(&str, Dimension); 3] =
    [("model", Dimension::Model), ("user", Dimension::User), ("feature", Dimension::Feature)];

/// Requests, input and output tokens by outcome; baseline; actual; saved by outcome; unpriced; estimated; renewals.
type TotalsTuple = ([u64; 4], [u64; 4], [u64; 4], i128, i128, [i128; 4], u64, u64, u64);

/// What a model asks for a token read (`input`) and a token written (`output`), in pico-dollars (1e-12 USD).
///
/// 2.50 USD per million tokens are 2_500_000. Raises ConfigError for a negative amount, TypeError for no int.
#[pyclass(name = "Price", module = "llmfast", frozen, eq, hash)]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PyPrice(Price);

#[pymethods]
impl PyPrice {
    #[new]
    fn new(input: &Bound<'_, PyAny>, output: &Bound<'_, PyAny>) -> PyResult<Self> {
        let input = Money::from_pico(integer(input, "input price", ErrorKind::Config)?);
        let output = Money::from_pico(integer(output, "output price", ErrorKind::Config)?);
        Price::new(input, output).map(Self).map_err(to_py)
    }

    /// Pico-dollars per token read.
    #[getter]
    fn input(&self) -> i128 {
        self.0.input().pico()
    }

    /// Pico-dollars per token written.
    #[getter]
    fn output(&self) -> i128 {
        self.0.output().pico()
    }

    /// For pickle and copy.
    fn __getnewargs__(&self) -> (i128, i128) {
        (self.input(), self.output())
    }

    /// Return what `usage` costs in pico-dollars.
    ///
    /// Raises LedgerError for a count that is negative or above 2**53, or an amount that does not fit 128 bits.
    fn cost(&self, usage: UsageArg) -> PyResult<i128> {
        self.0.cost(usage.0).map(Money::pico).map_err(to_py)
    }

    fn __repr__(&self) -> String {
        format!("Price(input={}, output={})", self.input(), self.output())
    }
}

/// Any object with `input_tokens` and `output_tokens`.
struct UsageArg(Tokens);

impl<'py> FromPyObject<'_, 'py> for UsageArg {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let input = object.getattr(intern!(py, "input_tokens"))?;
        let output = object.getattr(intern!(py, "output_tokens"))?;
        let count = |tokens, name| integer(tokens, name, ErrorKind::Ledger);
        Tokens::new(count(&input, "input_tokens")?, count(&output, "output_tokens")?).map(Self).map_err(to_py)
    }
}

#[pyclass(module = "llmfast", frozen)]
struct LedgerState(Ledger);

#[pymethods]
impl LedgerState {
    #[new]
    fn new() -> Self {
        Self(Ledger::new())
    }

    #[pyo3(signature = (outcome, model, baseline, served, usage, estimated, user, feature))]
    #[allow(clippy::too_many_arguments)] // one for each field of an entry
    fn record(
        &self,
        outcome: &str,
        model: &str,
        baseline: Option<PyRef<'_, PyPrice>>,
        served: Option<PyRef<'_, PyPrice>>,
        usage: Option<UsageArg>,
        estimated: bool,
        user: Option<&str>,
        feature: Option<&str>,
    ) -> PyResult<()> {
        let outcome = named(&OUTCOMES, "outcome", outcome).map_err(to_py)?;
        let (baseline, served) = (baseline.map(|price| price.0), served.map(|price| price.0));
        let tokens = usage.map(|usage| usage.0);
        let entry = Entry { outcome, model, baseline, served, tokens, estimated, user, feature };
        self.0.record(&entry).map_err(to_py)
    }

    fn summary(&self, py: Python<'_>) -> (TotalsTuple, Vec<(Option<String>, TotalsTuple)>) {
        let (total, models) = detached(py, || self.0.summary());
        (tuple(&total), tuples(models))
    }

    fn split(&self, py: Python<'_>, by: &str) -> PyResult<Vec<(Option<String>, TotalsTuple)>> {
        let by = named(&DIMENSIONS, "by", by).map_err(to_py)?;
        Ok(tuples(detached(py, || self.0.split(by))))
    }
}

fn named<T: Copy>(table: &[(&str, T)], what: &str, name: &str) -> Result<T> {
    let found = table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known = table.iter().map(|(known, _)| format!("'{known}'")).collect::<Vec<_>>().join(", ");
        Error::new(ErrorKind::Config, format!("{what} must be one of {known}, got '{name}'"))
    })
}

fn tuples(split: Split) -> Vec<(Option<String>, TotalsTuple)> {
    split.into_iter().map(|(name, totals)| (name, tuple(&totals))).collect()
}

fn tuple(totals: &Totals) -> TotalsTuple {
    let Totals { requests, tokens, baseline, actual, saved, unpriced, estimated, renewals } = totals;
    let (input, output) = (tokens.map(|tokens| tokens.input), tokens.map(|tokens| tokens.output));
    let saved = saved.map(Money::pico);
    (*requests, input, output, baseline.pico(), actual.pico(), saved, *unpriced, *estimated, *renewals)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyPrice>()?;
    module.add_class::<LedgerState>()
}
