//! What a task waits for, and goes on with in the turn of the event loop in which it comes.
//!
//! What is looked at by name instead costs some 180 cache lines, most of which are cold behind an encoder.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyStopIteration;
use pyo3::exceptions::asyncio::{CancelledError, InvalidStateError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::support::attached::Attached;

/// A future as far as asyncio's protocol goes (`_asyncio_future_blocking`, `add_done_callback` with a context, `result`,
/// `cancel`, `get_loop`).
///
/// A future of asyncio's own asks the loop to wake its task in the next turn; this one wakes it where it arrives, for which
/// it has to arrive in a turn of the loop and outside of every task. A turn costs ten calls of Python and a look at all
/// connections.
pub(crate) struct Arrival {
    pub(crate) runs_on: Py<PyAny>,
    /// What a task is told when a value has come: a future of asyncio's that is done. Of that asyncio's task takes the
    /// result without a call; of any other it asks for it by name. The value itself it gets from this arrival.
    done: Option<Py<PyAny>>,
    is_blocking: AtomicBool,
    state: Attached<RefCell<State>>,
}

#[derive(Default)]
struct State {
    outcome: Outcome,
    waiters: Vec<Waiter>,
}

/// What came.
#[derive(Default)]
pub(crate) enum Outcome {
    /// Nothing yet.
    #[default]
    Pending,
    /// An object.
    Value(Py<PyAny>),
    /// An exception: the object, which the garbage collector is to see.
    Error(Py<PyAny>),
    /// Who waited was cancelled, with these arguments.
    Cancelled(Option<Py<PyAny>>),
}

struct Waiter {
    callback: Py<PyAny>,
    context: Option<Py<PyAny>>,
}

impl Arrival {
    pub(crate) fn new(runs_on: Py<PyAny>, done: Option<Py<PyAny>>) -> Self {
        Self { runs_on, done, is_blocking: AtomicBool::new(false), state: Attached::new(RefCell::default()) }
    }

    /// What asyncio's `_asyncio_future_blocking` says: whether it was awaited, and not just yielded.
    pub(crate) fn is_blocking(&self) -> bool {
        self.is_blocking.load(Ordering::Relaxed)
    }

    pub(crate) fn set_blocking(&self, is_blocking: bool) {
        self.is_blocking.store(is_blocking, Ordering::Relaxed);
    }

    pub(crate) fn is_done(&self, py: Python<'_>) -> bool {
        !matches!(self.state.get(py).borrow().outcome, Outcome::Pending)
    }

    pub(crate) fn is_cancelled(&self, py: Python<'_>) -> bool {
        matches!(self.state.get(py).borrow().outcome, Outcome::Cancelled(_))
    }

    /// What came; `InvalidStateError` if nothing has.
    pub(crate) fn result(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.state.get(py).borrow().outcome {
            Outcome::Pending => Err(InvalidStateError::new_err("nothing has arrived yet")),
            Outcome::Value(value) => Ok(value.clone_ref(py)),
            Outcome::Error(error) => Err(PyErr::from_value(error.bind(py).clone())),
            Outcome::Cancelled(None) => Err(CancelledError::new_err(())),
            Outcome::Cancelled(Some(message)) => Err(CancelledError::new_err((message.clone_ref(py),))),
        }
    }

    /// The exception that came; None if a value did.
    pub(crate) fn exception<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Outcome::Error(error) = &self.state.get(py).borrow().outcome {
            return Ok(Some(error.bind(py).clone()));
        }
        self.result(py).map(|_| None)
    }

    /// As an iterator, which is what is awaited: whether it is to be yielded; at the end `StopIteration` with what came.
    pub(crate) fn step(&self, py: Python<'_>) -> PyResult<()> {
        if self.is_done(py) {
            return Err(PyStopIteration::new_err((self.result(py)?,)));
        }
        self.set_blocking(true);
        Ok(())
    }

    /// Takes what came and calls who waits, in its context; the first counts, and what a cancelled one gets is dropped.
    ///
    /// # Errors
    ///
    /// What a task lets out: `KeyboardInterrupt` and `SystemExit`.
    pub(crate) fn arrive(this: &Bound<'_, PyAny>, own: &Self, outcome: Outcome) -> PyResult<()> {
        let py = this.py();
        let told = match (&outcome, &own.done) {
            (Outcome::Value(_), Some(done)) => done.bind(py),
            _ => this,
        };
        let mut all = Ok(());
        for waiter in own.end(py, outcome).unwrap_or_default() {
            let woken = match &waiter.context {
                Some(context) => context.call_method1(py, intern!(py, "run"), (&waiter.callback, told)).map(drop),
                None => own.soon(this, &waiter),
            };
            all = all.and(woken);
        }
        all
    }

    /// Has who waits told in the loop's next turn that nothing will come; whether it was still to come.
    pub(crate) fn cancel(this: &Bound<'_, PyAny>, own: &Self, message: Option<Py<PyAny>>) -> PyResult<bool> {
        let Some(waiters) = own.end(this.py(), Outcome::Cancelled(message)) else {
            return Ok(false);
        };
        waiters.iter().try_for_each(|waiter| own.soon(this, waiter))?;
        Ok(true)
    }

    /// Has `callback` called with this when something arrives, in `context`; in the loop's next turn if it has.
    pub(crate) fn when_done(
        this: &Bound<'_, PyAny>,
        own: &Self,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let waiter = Waiter { callback, context };
        if own.is_done(this.py()) {
            return own.soon(this, &waiter);
        }
        own.state.get(this.py()).borrow_mut().waiters.push(waiter);
        Ok(())
    }

    /// Notes the outcome and returns who waits for it; None if there was one. Nothing is dropped while the state is held:
    /// that may run Python.
    fn end(&self, py: Python<'_>, outcome: Outcome) -> Option<Vec<Waiter>> {
        let mut state = self.state.get(py).borrow_mut();
        if !matches!(state.outcome, Outcome::Pending) {
            drop(state);
            drop(outcome);
            return None;
        }
        state.outcome = outcome;
        Some(mem::take(&mut state.waiters))
    }

    fn soon(&self, this: &Bound<'_, PyAny>, waiter: &Waiter) -> PyResult<()> {
        let py = this.py();
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "context"), waiter.context.as_ref())?;
        self.runs_on.call_method(py, intern!(py, "call_soon"), (&waiter.callback, this), Some(&keywords)).map(drop)
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.runs_on)?;
        visit.call(&self.done)?;
        // Borrowed while a method is at work: then somebody holds this, and it is no garbage.
        let Ok(state) = self.state.get_collecting(visit).try_borrow() else {
            return Ok(());
        };
        for waiter in &state.waiters {
            visit.call(&waiter.callback)?;
            visit.call(&waiter.context)?;
        }
        match &state.outcome {
            Outcome::Value(object) | Outcome::Error(object) | Outcome::Cancelled(Some(object)) => visit.call(object),
            Outcome::Pending | Outcome::Cancelled(None) => Ok(()),
        }
    }

    /// For the garbage collector.
    pub(crate) fn forget(&self, py: Python<'_>) {
        let state = mem::take(&mut *self.state.get(py).borrow_mut());
        drop(state);
    }
}
