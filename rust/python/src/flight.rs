//! Bindings of single flight.

use std::sync::{Mutex, MutexGuard, PoisonError};

use llmfast_core::flight::{Counts, Fate, FlightId, Flights, OnAbandon, Outcome, Role};
use llmfast_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_py;

/// No method lets go of the interpreter while it holds the lock, so that a fork never catches it locked.
#[pyclass(module = "llmfast", frozen)]
struct FlightState(Mutex<Flights<Vec<u8>>>);

impl FlightState {
    fn lock(&self) -> MutexGuard<'_, Flights<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl FlightState {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(Flights::new()))
    }

    fn join(&self, key: &[u8]) -> (u64, bool) {
        let (id, role) = self.lock().join(key);
        (id.number(), role == Role::Lead)
    }

    fn solo(&self) -> u64 {
        self.lock().solo().number()
    }

    fn announce(&self, id: u64) -> Option<u32> {
        self.lock().announce(FlightId::from_number(id))
    }

    fn land(&self, id: u64, outcome: &str) -> PyResult<Option<u32>> {
        let outcome = outcome_named(outcome)?;
        Ok(self.lock().land(FlightId::from_number(id), outcome))
    }

    #[pyo3(signature = (id, *, drain))]
    fn leave(&self, id: u64, drain: bool) -> &'static str {
        let on_abandon = if drain { OnAbandon::Drain } else { OnAbandon::Cancel };
        name(self.lock().leave(FlightId::from_number(id), on_abandon))
    }

    fn detach(&self, id: u64) -> &'static str {
        name(self.lock().detach(FlightId::from_number(id)))
    }

    fn waiters(&self, id: u64) -> Option<u32> {
        self.lock().waiters(FlightId::from_number(id))
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Counts { led, followed, answered, failed, abandoned, detached } = self.lock().counts();
        let counts = [("led", led), ("followed", followed), ("answered", answered), ("failed", failed)];
        let fields = PyDict::new(py);
        for (name, count) in counts.into_iter().chain([("abandoned", abandoned), ("detached", detached)]) {
            fields.set_item(name, count)?;
        }
        Ok(fields)
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }
}

fn outcome_named(name: &str) -> PyResult<Outcome> {
    match name {
        "answered" => Ok(Outcome::Answered),
        "failed" => Ok(Outcome::Failed),
        "abandoned" => Ok(Outcome::Abandoned),
        _ => Err(to_py(Error::new(ErrorKind::Config, format!("no flight ends as '{name}'")))),
    }
}

fn name(fate: Fate) -> &'static str {
    match fate {
        Fate::GoesOn => "goes on",
        Fate::Cancel => "cancel",
        Fate::Over => "over",
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<FlightState>()
}
