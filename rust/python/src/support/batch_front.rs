//! The way of an item into the queue of the event loop that runs.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use llmfast_core::batch::Ticket;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefMethods, PyWeakrefReference};

use super::batch_queue::Queue;
use super::batch_wishes::Wishes;
use super::loops;
use crate::batch_queue::PyBatchQueue;

/// The loop that was used last, and its queue.
#[derive(Default)]
pub(crate) struct Entrance(Mutex<Option<Last>>);

struct Last {
    reference: Py<PyWeakrefReference>,
    queue: Py<PyBatchQueue>,
    knows_thread: bool,
    /// The loop, and what futures of it are made with, while its queue holds items: their futures hold it too.
    held: Option<(Py<PyAny>, Py<PyDict>)>,
}

/// A loop, what futures of it are made with, and its queue.
struct Here<'py> {
    event_loop: Bound<'py, PyAny>,
    keywords: Bound<'py, PyDict>,
    queue: Bound<'py, PyBatchQueue>,
}

/// A function and where its queues are.
pub(crate) struct Front {
    pub(crate) function: Py<PyAny>,
    /// Has a method `of` that gives the queue of a loop.
    pub(crate) queues: Py<PyAny>,
}

impl Entrance {
    fn take(&self) -> Option<Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, last: Last) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(last);
        drop(before);
    }

    /// The loop that was used last, if it is the one that runs.
    fn last<'py>(&self, py: Python<'py>) -> PyResult<Option<Here<'py>>> {
        let (held, queue, knows_thread) = {
            let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(Last { reference, queue, knows_thread, held }) = last.as_ref() else { return Ok(None) };
            let held = match held {
                Some((event_loop, keywords)) => Ok((event_loop.clone_ref(py), keywords.clone_ref(py))),
                None => Err(reference.clone_ref(py)),
            };
            (held, queue.clone_ref(py), *knows_thread)
        };
        let (event_loop, keywords) = match held {
            Ok((event_loop, keywords)) => (event_loop.into_bound(py), Some(keywords.into_bound(py))),
            Err(reference) => match reference.bind(py).upgrade() {
                Some(event_loop) => (event_loop, None),
                None => return Ok(None),
            },
        };
        if !loops::is_here(&event_loop, knows_thread) {
            return Ok(None);
        }
        let queue = queue.into_bound(py);
        match keywords {
            Some(keywords) => Ok(Some(Here { event_loop, keywords, queue })),
            // The first of several: an item alone is answered before it pays.
            None if queue.get().0.armed.load(Ordering::Relaxed) => self.hold(event_loop, queue).map(Some),
            None => Ok(Some(Here { keywords: loops::keywords(&event_loop)?, event_loop, queue })),
        }
    }

    fn hold<'py>(&self, event_loop: Bound<'py, PyAny>, queue: Bound<'py, PyBatchQueue>) -> PyResult<Here<'py>> {
        let keywords = loops::keywords(&event_loop)?;
        let reference = PyWeakrefReference::new(&event_loop)?.unbind();
        let held = Some((event_loop.clone().unbind(), keywords.clone().unbind()));
        let knows_thread = loops::knows_thread(&event_loop);
        self.put(Last { reference, queue: queue.clone().unbind(), knows_thread, held });
        Ok(Here { event_loop, keywords, queue })
    }

    /// Lets go of the loop, but remembers it: nothing waits there.
    pub(crate) fn release(&self) {
        let held = {
            let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            last.as_mut().and_then(|last| last.held.take())
        };
        drop(held);
    }

    /// Forgets the loop.
    pub(crate) fn forget(&self) {
        drop(self.take());
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(last) = self.0.try_lock() else { return Ok(()) };
        let Some(Last { reference, queue, held, .. }) = last.as_ref() else { return Ok(()) };
        visit.call(reference)?;
        visit.call(queue)?;
        let Some((event_loop, keywords)) = held else { return Ok(()) };
        visit.call(event_loop)?;
        visit.call(keywords)
    }
}

impl Front {
    /// Queues an item on the running loop: the future of its result, and its ticket.
    pub(crate) fn submit<'py>(
        &self,
        entrance: &Entrance,
        item: &Bound<'py, PyAny>,
        wishes: Option<&Wishes<'py>>,
        awaited: bool,
    ) -> PyResult<(Bound<'py, PyAny>, Ticket)> {
        let py = item.py();
        let Here { event_loop, keywords, queue } = match entrance.last(py)? {
            Some(here) => here,
            None => self.look_up(entrance, py)?,
        };
        let inner = &queue.get().0;
        inner.check_open()?;
        let context = loops::variables(py)?;
        let nested = inner.nested(&queue, context.as_ref())?;
        let future = loops::future(&keywords)?;
        let ticket = inner.submit(item, &future, context, wishes, awaited)?;
        for call in nested.into_iter().flatten() {
            call.call_method1(pyo3::intern!(py, "waits_for"), (&future,))?;
        }
        inner.arm(&queue, &event_loop, self.function.bind(py), (&future, ticket))?;
        if wishes.is_some_and(|wishes| wishes.deadline.is_some()) {
            queue.call_method0(pyo3::intern!(py, "_has_deadline"))?;
        }
        Ok((future, ticket))
    }

    fn look_up<'py>(&self, entrance: &Entrance, py: Python<'py>) -> PyResult<Here<'py>> {
        let event_loop = loops::running(py)?;
        let queue = self.queues.bind(py).call_method1(pyo3::intern!(py, "of"), (&event_loop,))?;
        let here = entrance.hold(event_loop, queue.cast_into::<PyBatchQueue>()?);
        entrance.release();
        here
    }
}

impl Queue {
    /// The calls of this queue that wait for an item that is submitted now, as the Python object `owner` knows them.
    fn nested<'py>(
        &self,
        owner: &Bound<'py, PyBatchQueue>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Vec<Bound<'py, PyAny>>>> {
        match context {
            Some(context) if context.contains(&self.inside)? => {
                owner.call_method1(pyo3::intern!(owner.py(), "_inside"), (context,))?.extract().map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Sees to it that a free worker looks at the queue, when all that is submitted now is there.
    fn arm(
        &self,
        owner: &Bound<'_, PyBatchQueue>,
        event_loop: &Bound<'_, PyAny>,
        function: &Bound<'_, PyAny>,
        (future, ticket): (&Bound<'_, PyAny>, Ticket),
    ) -> PyResult<()> {
        if self.armed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let armed = owner.call_method1(pyo3::intern!(owner.py(), "_arm"), (event_loop, function, future));
        armed.map(drop).inspect_err(|_| {
            self.armed.store(false, Ordering::Relaxed);
            self.cancel(owner.py(), ticket);
        })
    }
}
