//! Bindings of what a router decides.

use llmfast_core::router::{Decision, Fired, ONE, Thousandths};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyTuple};

fn fraction(thousandths: Thousandths) -> f64 {
    f64::from(thousandths) / f64::from(ONE)
}

/// The model for a question, and why. Unpacks as `model, tier`.
#[pyclass(name = "Decision", module = "llmfast", frozen, eq, get_all)]
#[derive(PartialEq)]
pub(crate) struct PyDecision {
    /// The model that serves the tier.
    model: String,
    /// Name of the tier.
    tier: String,
    /// Sum of the weights of `signals`, also where an exception decided; a multiple of 0.001.
    score: f64,
    /// Why, in one line.
    reason: String,
    /// The rules that fired, in the order of the table.
    signals: Vec<PySignal>,
}

#[pymethods]
impl PyDecision {
    #[new]
    fn new(model: String, tier: String, score: f64, reason: String, signals: Vec<PySignal>) -> Self {
        Self { model, tier, score, reason, signals }
    }

    /// For pickle and copy.
    fn __getnewargs__(&self) -> (&str, &str, f64, &str, Vec<PySignal>) {
        (&self.model, &self.tier, self.score, &self.reason, self.signals.clone())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyTuple::new(py, [&self.model, &self.tier])?.try_iter()
    }

    fn __repr__(&self) -> String {
        let Self { model, tier, score, reason, .. } = self;
        format!("Decision(model={model:?}, tier={tier:?}, score={score}, reason={reason:?})")
    }
}

impl From<Decision> for PyDecision {
    fn from(Decision { model, tier, score, reason, signals }: Decision) -> Self {
        let signals = signals.into_iter().map(PySignal::from).collect();
        Self { model, tier, score: fraction(score), reason, signals }
    }
}

/// A rule of the router that fired, and why.
#[pyclass(name = "Signal", module = "llmfast", frozen, eq, get_all, from_py_object)]
#[derive(Clone, PartialEq)]
struct PySignal {
    /// Name of the rule.
    name: String,
    /// What it adds to the score.
    weight: f64,
    /// The rule's words that occur, in the order of their first occurrence; empty for a rule of length.
    words: Vec<String>,
    /// Estimated tokens of the text, for a rule of length; None for a rule of words.
    tokens: Option<u64>,
}

#[pymethods]
impl PySignal {
    #[new]
    #[pyo3(signature = (name, weight, words, tokens = None))]
    fn new(name: String, weight: f64, words: Vec<String>, tokens: Option<u64>) -> Self {
        Self { name, weight, words, tokens }
    }

    /// For pickle and copy.
    fn __getnewargs__(&self) -> (&str, f64, Vec<String>, Option<u64>) {
        (&self.name, self.weight, self.words.clone(), self.tokens)
    }

    fn __repr__(&self) -> String {
        let Self { name, weight, words, tokens } = self;
        let why = tokens.map_or_else(|| format!("words={words:?}"), |tokens| format!("tokens={tokens}"));
        format!("Signal({name:?}, {weight}, {why})")
    }
}

impl From<Fired> for PySignal {
    fn from(Fired { name, weight, words, tokens }: Fired) -> Self {
        Self { name, weight: fraction(weight), words, tokens }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyDecision>()?;
    module.add_class::<PySignal>()
}
