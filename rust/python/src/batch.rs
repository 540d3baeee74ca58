//! Bindings of the batch scheduler, for tests and simulations on a virtual clock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use llmfast_core::batch::{BatchId, Item, Left, Scheduler, Ticket};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::to_py;
use crate::support::batches::{Options, ended_named, nanoseconds, seconds, stats_dict};

struct State {
    scheduler: Scheduler,
    late: Vec<Ticket>,
}

/// No method lets go of the interpreter while it holds the lock, so that a fork never catches it locked.
#[pyclass(module = "llmfast", frozen)]
struct BatchScheduler(Mutex<State>);

impl BatchScheduler {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl BatchScheduler {
    #[new]
    #[pyo3(signature = (
        *, max_batch_size = 64, max_batch_tokens = None, padded = false, max_wait = 0.0, concurrency = 1,
        max_queue = 10_000, max_queue_tokens = None, bins = None, ageing = 1.0
    ))]
    #[allow(clippy::too_many_arguments)] // one for each bound
    fn new(
        max_batch_size: i64,
        max_batch_tokens: Option<i64>,
        padded: bool,
        max_wait: f64,
        concurrency: i64,
        max_queue: i64,
        max_queue_tokens: Option<i64>,
        bins: Option<Bound<'_, PyAny>>,
        ageing: f64,
    ) -> PyResult<Self> {
        #[rustfmt::skip]
        let options = Options {
            max_batch_size, max_batch_tokens, padded, max_wait, concurrency, max_queue, max_queue_tokens, bins, ageing,
        };
        let scheduler = Scheduler::new(options.limits()?).map_err(to_py)?;
        Ok(Self(Mutex::new(State { scheduler, late: Vec::new() })))
    }

    #[pyo3(signature = (now, *, cost = 1, priority = 0, deadline = None, tenant = 0, key = 0))]
    #[allow(clippy::too_many_arguments)] // one for each field of an item
    fn submit(
        &self,
        now: f64,
        cost: u32,
        priority: i32,
        deadline: Option<f64>,
        tenant: u32,
        key: u32,
    ) -> PyResult<u64> {
        let now = nanoseconds("now", now)?;
        let deadline = deadline.map(|deadline| nanoseconds("deadline", deadline)).transpose()?;
        let item = Item { cost, priority, deadline, tenant, key };
        self.lock().scheduler.submit(now, item).map(Ticket::number).map_err(|refusal| to_py(refusal.into()))
    }

    fn cancel(&self, ticket: u64) -> &'static str {
        match self.lock().scheduler.cancel(Ticket::from_number(ticket)) {
            Left::Waiting => "waiting",
            Left::Running { last: false, .. } => "running",
            Left::Running { last: true, .. } => "last",
            Left::Unknown => "unknown",
        }
    }

    fn next(&self, now: f64) -> PyResult<Option<(u64, Vec<u64>, &'static str)>> {
        let now = nanoseconds("now", now)?;
        let State { scheduler, late } = &mut *self.lock();
        Ok(scheduler.next(now, late).map(|formed| {
            let tickets = formed.tickets.into_iter().map(Ticket::number).collect();
            (formed.id.number(), tickets, formed.reason.name())
        }))
    }

    fn late(&self) -> Vec<u64> {
        self.lock().late.drain(..).map(Ticket::number).collect()
    }

    fn wake(&self) -> Option<f64> {
        self.lock().scheduler.wake().map(seconds)
    }

    #[pyo3(signature = (now, batch, ended = "served"))]
    fn finish(&self, now: f64, batch: u64, ended: &str) -> PyResult<bool> {
        let (now, ended) = (nanoseconds("now", now)?, ended_named(ended)?);
        Ok(self.lock().scheduler.finish(now, BatchId::from_number(batch), ended))
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats_dict(py, self.lock().scheduler.stats())
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BatchScheduler>()
}
