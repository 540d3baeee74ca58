//! Bindings of the worker thread and of the queues that it answers to; `llmfast._bridge` ties them to event loops.

use std::sync::Arc;
use std::time::Duration;

use llmfast_runtime::bridge::Completions;
use llmfast_runtime::fork;
use llmfast_runtime::lookup::{Failure, Found, Lookup};
use llmfast_runtime::worker::{Completion, Refused, Ticket, Worker};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::encoder::PyBertEncoder;
use crate::errors::{overloaded, to_py};
use crate::flat_index::{PyFlatIndex, PyHit, hits};
use crate::support::vectors::Encoding;
use crate::support::{bridges, texts};

/// A ticket, either what was found or why nothing was: (vector, hits), a str, or an exception; and whether more wait.
type Taken<'py> = (Ticket, Option<(Encoding, Vec<PyHit>)>, Option<String>, Option<Bound<'py, PyAny>>, bool);

/// What `submit` takes: encoder, index, text, its vector if known, rows at most, least cosine, partition, and how long it may
/// wait.
#[derive(FromPyObject)]
struct Asked<'py>(
    Bound<'py, PyBertEncoder>,
    Bound<'py, PyFlatIndex>,
    Bound<'py, PyAny>,
    Option<Bound<'py, Encoding>>,
    usize,
    f64,
    [u8; 16],
    f64,
);

impl Asked<'_> {
    /// The lookup, and how long it may wait if there is a bound.
    fn lookup(self) -> PyResult<(Lookup, Option<Duration>)> {
        let Self(encoder, index, text, vector, k, min_score, partition, max_wait) = self;
        let text = texts::text(&text, "the text")?.to_string();
        let vector = vector.map(|vector| Arc::clone(&vector.get().0));
        let (encoder, index) = (Arc::clone(&encoder.get().0) as _, Arc::clone(&index.get().0) as _);
        let lookup = Lookup { encoder, index, text, vector, k, min_score, partition: u128::from_le_bytes(partition) };
        // Neither infinity nor anything near it is a duration.
        Ok((lookup, Duration::try_from_secs_f64(max_wait.max(0.0)).ok()))
    }
}

#[pyclass(module = "llmfast._llmfast", name = "CompletionQueue", frozen)]
struct PyCompletions(Completions<Completion>);

#[pymethods]
impl PyCompletions {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Completions::new()?))
    }

    /// None where event loops watch no descriptors.
    fn fileno(&self) -> Option<i32> {
        bridges::fileno(&self.0)
    }

    fn take<'py>(&self, py: Python<'py>) -> Option<Taken<'py>> {
        self.0.take().map(|(completion, more)| taken(py, completion, more))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

fn taken(py: Python<'_>, (ticket, outcome): Completion, more: bool) -> Taken<'_> {
    match outcome {
        Ok(Found::Near { vector, hits: near }) => (ticket, Some((Encoding(vector), hits(near))), None, None, more),
        Ok(Found::Unread(why)) => (ticket, None, Some(why), None, more),
        Err(failure) => (ticket, None, None, Some(failed(failure).into_value(py).into_bound(py).into_any()), more),
    }
}

fn failed(failure: Failure) -> PyErr {
    match failure {
        Failure::Core(error) => to_py(error),
        Failure::Late => overloaded(&failure.to_string()),
        other => PyRuntimeError::new_err(other.to_string()),
    }
}

fn refused(refused: Refused) -> PyErr {
    match refused {
        Refused::Full | Refused::Busy => overloaded(&refused.to_string()),
        Refused::NoThread(_) => PyRuntimeError::new_err(refused.to_string()),
    }
}

#[pyclass(module = "llmfast._llmfast", name = "LookupWorker", frozen)]
struct PyWorker(Worker);

#[pymethods]
impl PyWorker {
    #[new]
    fn new() -> Self {
        Self(Worker::new())
    }

    // Both stay attached: a thread that forks is attached, so that no fork comes in between.
    fn submit(&self, queue: &PyCompletions, asked: Asked<'_>) -> PyResult<Ticket> {
        let (lookup, max_wait) = asked.lookup()?;
        self.0.submit(lookup, max_wait, queue.0.outbox()).map_err(refused)
    }

    fn cancel(&self, ticket: Ticket) -> bool {
        self.0.cancel(ticket)
    }
}

/// For `os.register_at_fork`: waits for what holds locks without the interpreter, and holds up what follows.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    py.detach(fork::before);
}

/// For `os.register_at_fork`, in the parent and in the child.
#[pyfunction]
fn after_fork() {
    fork::after();
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyCompletions>()?;
    module.add_class::<PyWorker>()?;
    module.add_function(wrap_pyfunction!(before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork, module)?)
}
