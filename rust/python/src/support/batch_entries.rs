//! Items of a batched function on their way to a result: what waits for it, and how it is given.

use std::sync::atomic::{AtomicBool, Ordering};

use llmfast_core::batch::Ticket;
use pyo3::exceptions::PyBaseException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::batch_groups::Group;
use super::loops;

/// What waits for the result of an item.
pub(crate) enum Place {
    /// A future of its own, which may be cancelled without anybody's saying so.
    Future(Py<PyAny>),
    /// A future of its own, which is awaited by somebody who says when they leave.
    Awaited(Py<PyAny>),
    /// A place in a group of items that are answered together.
    Part(Py<Group>, usize),
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// It was waited for.
    Taken,
    /// Nobody waited for it any more.
    Unwanted,
}

/// An item and what belongs to it.
pub(crate) struct Entry {
    pub(crate) item: Py<PyAny>,
    pub(crate) place: Place,
    /// The variables of whoever submitted it; None if there were none.
    pub(crate) context: Option<Py<PyAny>>,
    pub(crate) ticket: Ticket,
    /// As the scheduler knows them.
    pub(crate) tenant: u32,
    pub(crate) key: u32,
    /// Whether it got its result or its error, and was counted.
    settled: AtomicBool,
}

impl Entry {
    pub(crate) fn new(item: Py<PyAny>, place: Place, context: Option<Py<PyAny>>, tenant: u32, key: u32) -> Self {
        let (ticket, settled) = (Ticket::from_number(0), AtomicBool::new(false));
        Self { item, place, context, ticket, tenant, key, settled }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    fn note(&self, given: Given) -> Given {
        self.settled.fetch_or(given == Given::Taken, Ordering::Relaxed);
        given
    }

    /// Gives the result. Must be called without a lock: what a loop of another make does meanwhile is its own.
    pub(crate) fn give(&self, result: &Bound<'_, PyAny>) -> Given {
        let outcome = match &self.place {
            Place::Future(future) | Place::Awaited(future) => {
                let future = future.bind(result.py());
                given(future, loops::set_result(future, result))
            }
            Place::Part(group, place) => group.get().give(*place, result),
        };
        self.note(outcome)
    }

    /// Gives an error; the group that fails with it, if it is one's that has others to give up.
    pub(crate) fn fail<'py>(&self, error: &Bound<'py, PyAny>) -> (Given, Option<Bound<'py, Group>>) {
        let py = error.py();
        let (outcome, group) = match &self.place {
            Place::Future(future) | Place::Awaited(future) => {
                (set(future.bind(py), pyo3::intern!(py, "set_exception"), error), None)
            }
            Place::Part(group, place) if group.get().keeps_errors() => (group.get().give(*place, error), None),
            Place::Part(group, place) => (group.get().fail(*place, error), Some(group.bind(py).clone())),
        };
        (self.note(outcome), group)
    }

    /// Whether nobody waits for it although it has no result, which nobody may have said, or not yet.
    pub(crate) fn is_given_up(&self, py: Python<'_>) -> bool {
        match &self.place {
            Place::Future(future) | Place::Awaited(future) => loops::is_cancelled(future.bind(py)).unwrap_or(false),
            Place::Part(group, place) => group.get().is_given_up(py, *place),
        }
    }

    /// Whether it is this future that waits for it.
    pub(crate) fn is_for(&self, other: &Bound<'_, PyAny>) -> bool {
        match &self.place {
            Place::Future(future) | Place::Awaited(future) => future.is(other),
            Place::Part(..) => false,
        }
    }

    /// The future, if nobody else says when it is cancelled.
    pub(crate) fn unwatched(&self) -> Option<&Py<PyAny>> {
        match &self.place {
            Place::Future(future) => Some(future),
            _ => None,
        }
    }

    /// Whether it belongs to a list that has errors among its results.
    pub(crate) fn keeps_errors(&self) -> bool {
        matches!(&self.place, Place::Part(group, _) if group.get().keeps_errors())
    }

    /// Whether anybody waits for it.
    pub(crate) fn is_wanted(&self, py: Python<'_>) -> bool {
        if self.is_settled() {
            return false;
        }
        match &self.place {
            Place::Future(future) | Place::Awaited(future) => is_pending(future.bind(py)),
            Place::Part(group, place) => group.get().is_wanted(py, *place),
        }
    }

    /// Cancels what waits for it.
    pub(crate) fn cancel(&self, py: Python<'_>) {
        let future = match &self.place {
            Place::Future(future) | Place::Awaited(future) => Some(future.clone_ref(py)),
            Place::Part(group, _) => group.get().future(py),
        };
        if let Some(Err(error)) = future.map(|future| future.call_method0(py, pyo3::intern!(py, "cancel"))) {
            error.write_unraisable(py, None);
        }
    }

    /// Shows what it holds to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.item)?;
        visit.call(&self.context)?;
        match &self.place {
            Place::Future(future) | Place::Awaited(future) => visit.call(future),
            Place::Part(group, _) => visit.call(group),
        }
    }
}

/// Whether a result fails its item.
pub(crate) fn is_error(result: &Bound<'_, PyAny>) -> bool {
    result.is_instance_of::<PyBaseException>()
}

pub(crate) fn is_pending(future: &Bound<'_, PyAny>) -> bool {
    let done = future.call_method0(pyo3::intern!(future.py(), "done"));
    !done.and_then(|done| done.is_truthy()).unwrap_or(true)
}

/// Calls a method of a future with one argument. A future that was done before is left as it is.
pub(crate) fn set(future: &Bound<'_, PyAny>, method: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> Given {
    given(future, future.call_method1(method, (value,)).map(drop))
}

fn given(future: &Bound<'_, PyAny>, outcome: PyResult<()>) -> Given {
    match outcome {
        Ok(()) => Given::Taken,
        Err(error) => {
            if is_pending(future) {
                error.write_unraisable(future.py(), Some(future));
            }
            Given::Unwanted
        }
    }
}
