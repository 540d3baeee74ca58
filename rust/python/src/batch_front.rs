//! Bindings of the way into the queues of a batched function.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::support::batch_front::{Entrance, Front};
use crate::support::batch_wishes::{Priority, Seconds, Wishes};

#[pyclass(module = "llmfast._llmfast", name = "BatchEntrance", frozen)]
struct PyEntrance(Entrance);

#[pymethods]
impl PyEntrance {
    #[new]
    fn new() -> Self {
        Self(Entrance::default())
    }

    fn forget(&self) {
        self.0.forget();
    }

    fn release(&self) {
        self.0.release();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.visit(&visit)
    }

    fn __clear__(&self) {
        self.0.forget();
    }
}

#[pyclass(module = "llmfast._llmfast", name = "BatchFront", frozen, subclass)]
struct PyFront {
    front: Front,
    entrance: Py<PyEntrance>,
}

#[pymethods]
impl PyFront {
    #[new]
    fn new(function: Py<PyAny>, queues: Py<PyAny>, entrance: Py<PyEntrance>) -> Self {
        Self { front: Front { function, queues }, entrance }
    }

    /// Queue one item and return its future. Cancelling the future drops the item. Parameters and errors are those of a
    /// call.
    #[pyo3(
        signature = (item, *, priority = Priority(0), deadline = None, tenant = None, key = None),
        text_signature = "($self, item, *, priority=0, deadline=None, tenant=None, key=None)"
    )]
    fn submit<'py>(
        &self,
        item: &Bound<'py, PyAny>,
        priority: Priority,
        deadline: Option<Seconds>,
        tenant: Option<Bound<'py, PyAny>>,
        key: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let wishes = Wishes::new(priority, deadline, tenant, key);
        let (future, _) = self.front.submit(&self.entrance.get().0, item, wishes.as_ref(), false)?;
        Ok(future)
    }

    #[pyo3(
        signature = (item, priority = Priority(0), deadline = None, tenant = None, key = None),
        text_signature = "($self, item, priority=0, deadline=None, tenant=None, key=None)"
    )]
    fn _enter<'py>(
        &self,
        item: &Bound<'py, PyAny>,
        priority: Priority,
        deadline: Option<Seconds>,
        tenant: Option<Bound<'py, PyAny>>,
        key: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyAny>, u64)> {
        let wishes = Wishes::new(priority, deadline, tenant, key);
        let (future, ticket) = self.front.submit(&self.entrance.get().0, item, wishes.as_ref(), true)?;
        Ok((future, ticket.number()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.front.function)?;
        visit.call(&self.front.queues)?;
        visit.call(&self.entrance)
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyEntrance>()?;
    module.add_class::<PyFront>()
}
