//! Bindings of the router.

use llmfast_core::router::{Exception, Router, Rule, Signal, Table, Thousandths, Tier};
use pyo3::prelude::*;

use crate::decision::PyDecision;
use crate::errors::to_py;
use crate::support::values::utf8;

/// From this many bytes on a text is routed without holding the interpreter: it takes some tens of microseconds.
const DETACH_FROM: usize = 16 * 1024;

type TierArg = (String, String, Option<Thousandths>);
/// Name, weight, words, and the tokens of a rule without words.
type RuleArg = (String, Thousandths, Vec<String>, u64);

#[pyclass(module = "llmfast._llmfast", frozen)]
struct RouterTable(Router);

#[pymethods]
impl RouterTable {
    #[new]
    #[pyo3(signature = (tiers = None, rules = None, exceptions = None))]
    fn new(
        tiers: Option<Vec<TierArg>>,
        rules: Option<Vec<RuleArg>>,
        exceptions: Option<Vec<(String, String)>>,
    ) -> PyResult<Self> {
        let seed = Table::default();
        let table = Table {
            tiers: tiers.map_or(seed.tiers, |tiers| tiers.into_iter().map(tier).collect()),
            rules: rules.map_or(seed.rules, |rules| rules.into_iter().map(rule).collect()),
            exceptions: exceptions.map_or(seed.exceptions, |all| all.into_iter().map(exception).collect()),
        };
        Router::new(table).map(Self).map_err(to_py)
    }

    #[pyo3(signature = (query, context = None, more_tokens = 0))]
    fn route(
        &self,
        py: Python<'_>,
        query: &Bound<'_, PyAny>,
        context: Option<&Bound<'_, PyAny>>,
        more_tokens: u64,
    ) -> PyResult<PyDecision> {
        let query = utf8(query, "query")?;
        let context = context.map(|context| utf8(context, "context")).transpose()?;
        let texts: Vec<&str> = [Some(query.as_str()), context.as_deref()].into_iter().flatten().collect();
        let short = texts.iter().map(|text| text.len()).sum::<usize>() < DETACH_FROM;
        let route = || self.0.route(&texts, more_tokens);
        Ok(if short { route() } else { py.detach(route) }.into())
    }

    #[getter]
    fn generation(&self) -> &str {
        self.0.generation()
    }

    fn table(&self) -> (Vec<TierArg>, Vec<RuleArg>, Vec<(String, String)>) {
        let Table { tiers, rules, exceptions } = self.0.table().clone();
        let tiers = tiers.into_iter().map(|tier| (tier.name, tier.model, tier.below)).collect();
        let exceptions = exceptions.into_iter().map(|exception| (exception.phrase, exception.tier)).collect();
        (tiers, rules.into_iter().map(rule_arg).collect(), exceptions)
    }

    /// For pickle and copy.
    fn __getnewargs__(&self) -> (Vec<TierArg>, Vec<RuleArg>, Vec<(String, String)>) {
        self.table()
    }
}

fn tier((name, model, below): TierArg) -> Tier {
    Tier { name, model, below }
}

fn rule((name, weight, words, min_tokens): RuleArg) -> Rule {
    let signal = if words.is_empty() { Signal::MinTokens(min_tokens) } else { Signal::Words(words) };
    Rule { name, weight, signal }
}

fn rule_arg(Rule { name, weight, signal }: Rule) -> RuleArg {
    match signal {
        Signal::Words(words) => (name, weight, words, 0),
        Signal::MinTokens(tokens) => (name, weight, Vec::new(), tokens),
    }
}

fn exception((phrase, tier): (String, String)) -> Exception {
    Exception { phrase, tier }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RouterTable>()
}
