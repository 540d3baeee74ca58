//! Bindings of the queues of batched functions.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use llmfast_core::batch::{BatchId, Scheduler, Ticket};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::batch_totals::PyTotals;
use crate::formed_batch::{Next, PyBatch};
use crate::support::batch_groups::Group;
use crate::support::batch_queue::{Queue, Wishes};
use crate::support::batches::{self, Options};

#[pyclass(module = "llmfast._llmfast", name = "BatchQueue", frozen, subclass)]
pub(crate) struct PyBatchQueue(pub(crate) Queue);

#[pymethods]
impl PyBatchQueue {
    #[new]
    fn new(
        py: Python<'_>,
        totals: &PyTotals,
        cost: Option<Py<PyAny>>,
        inside: Py<PyAny>,
        limits: Options<'_>,
    ) -> PyResult<Self> {
        Ok(Self(Queue::new(py, limits.limits()?, cost, inside, Arc::clone(&totals.0))?))
    }

    #[pyo3(signature = (items, future, context, wishes, *, return_exceptions))]
    fn group(
        &self,
        items: &Bound<'_, PyList>,
        future: Py<PyAny>,
        context: Option<Py<PyAny>>,
        wishes: Wishes<'_>,
        return_exceptions: bool,
    ) -> PyResult<Group> {
        self.0.group(items, future, context, &wishes, return_exceptions)
    }

    fn feed(&self, group: &Bound<'_, Group>, most: usize) -> PyResult<Option<bool>> {
        self.0.feed(group, most)
    }

    fn next(&self, call: &Bound<'_, PyAny>, future: Option<&Bound<'_, PyAny>>) -> Option<Next> {
        let (batch, more) = self.0.next(call)?;
        let (number, own) = (batch.id.map(BatchId::number), batch.is_led_by(future));
        Some((PyBatch(batch), number, own, more))
    }

    fn cancel(&self, py: Python<'_>, ticket: u64) -> Option<u64> {
        self.0.cancel(py, Ticket::from_number(ticket)).map(BatchId::number)
    }

    fn abandon(&self, group: &Bound<'_, Group>) -> Vec<u64> {
        self.0.abandon(group.py(), group.get()).into_iter().map(BatchId::number).collect()
    }

    fn hand_out(&self, batch: &PyBatch, results: &Bound<'_, PyAny>) -> Option<bool> {
        self.0.hand_out(&batch.0, results)
    }

    fn rest(&self) -> bool {
        self.0.rest()
    }

    fn deliver(&self, batch: &PyBatch, results: &Bound<'_, PyList>, places: Option<Vec<usize>>) -> Vec<usize> {
        self.0.deliver(&batch.0, results, places.as_deref())
    }

    #[pyo3(signature = (batch, places, error, *, counted = true))]
    fn fail<'py>(
        &self,
        batch: &PyBatch,
        places: Vec<usize>,
        error: &Bound<'py, PyAny>,
        counted: bool,
    ) -> Vec<Bound<'py, Group>> {
        self.0.fail(&batch.0, &places, error, counted)
    }

    fn finish(&self, batch: &PyBatch, ended: &str) -> PyResult<bool> {
        let ended = batches::ended_named(ended)?;
        Ok(batch.0.id.is_some_and(|id| self.0.finish(id, ended)))
    }

    fn drop_waiting(&self, py: Python<'_>) -> PyBatch {
        PyBatch(self.0.drop_waiting(py))
    }

    fn sweep(&self, py: Python<'_>) -> usize {
        self.0.sweep(py)
    }

    fn sweep_running(&self, py: Python<'_>, batch: &PyBatch) -> bool {
        self.0.sweep_running(py, &batch.0)
    }

    fn hurry(&self, on: bool) {
        self.0.hurry(on);
    }

    fn wake(&self) -> Option<f64> {
        self.0.wake()
    }

    #[getter]
    fn armed(&self) -> bool {
        self.0.armed.load(Relaxed)
    }

    #[setter]
    fn set_armed(&self, armed: bool) {
        self.0.armed.store(armed, Relaxed);
    }

    fn shut(&self) {
        self.0.closed.store(true, Relaxed);
    }

    fn check_open(&self) -> PyResult<()> {
        self.0.check_open()
    }

    #[getter]
    fn waiting(&self) -> u32 {
        self.0.read(Scheduler::waiting)
    }

    fn load(&self) -> (u32, u64, u32) {
        self.0.read(|scheduler| (scheduler.waiting(), scheduler.waiting_tokens(), scheduler.running()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.visit(&visit)
    }

    fn __clear__(&self) {
        self.0.clear();
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Group>()?;
    module.add_class::<PyBatchQueue>()
}
