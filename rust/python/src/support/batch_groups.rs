//! Items that are answered together, with one list in their order.

use std::sync::{Mutex, MutexGuard, PoisonError};

use llmfast_core::batch::{Item, Ticket};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::batch_entries::{Given, is_pending, set};

/// A list of items, the future of their results, and how far they have come.
#[pyclass(frozen, module = "llmfast._llmfast", name = "BatchGroup")]
pub(crate) struct Group {
    state: Mutex<State>,
    /// The names of tenant and key, held as long as anything of the group may have to be submitted.
    pub(crate) tenant: Option<Py<PyAny>>,
    pub(crate) key: Option<Py<PyAny>>,
    pub(crate) context: Option<Py<PyAny>>,
    keeps_errors: bool,
}

struct State {
    future: Option<Py<PyAny>>,
    items: Vec<Option<Py<PyAny>>>,
    /// Places in the order they are submitted in, and how many of them were.
    order: Vec<usize>,
    fed: usize,
    costs: Vec<u32>,
    /// What all items have in common.
    pattern: Item,
    results: Vec<Option<Py<PyAny>>>,
    missing: usize,
    /// By place, while the item has no result.
    tickets: Vec<Option<Ticket>>,
    abandoned: bool,
}

/// What somebody submits as one.
pub(crate) struct Order {
    pub(crate) items: Vec<Py<PyAny>>,
    pub(crate) costs: Vec<u32>,
    pub(crate) pattern: Item,
    pub(crate) future: Py<PyAny>,
    pub(crate) tenant: Option<Py<PyAny>>,
    pub(crate) key: Option<Py<PyAny>>,
    pub(crate) context: Option<Py<PyAny>>,
    pub(crate) keeps_errors: bool,
}

impl Group {
    /// The longest first, so that what runs together is alike and the last batches are short.
    pub(crate) fn new(order: Order) -> Self {
        let Order { items, costs, pattern, future, tenant, key, context, keeps_errors } = order;
        let count = items.len();
        let mut places: Vec<usize> = (0..count).collect();
        places.sort_by_key(|&place| std::cmp::Reverse(costs[place]));
        let state = State {
            future: Some(future),
            items: items.into_iter().map(Some).collect(),
            order: places,
            fed: 0,
            costs,
            pattern,
            results: (0..count).map(|_| None).collect(),
            missing: count,
            tickets: vec![None; count],
            abandoned: false,
        };
        Self { state: Mutex::new(state), tenant, key, context, keeps_errors }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keeps_errors(&self) -> bool {
        self.keeps_errors
    }

    /// Hands the next items and their places to `submit`, `most` at most, until that hands one back or there is none.
    /// Without `keeps_errors` the first refusal ends it.
    pub(crate) fn feed<E>(
        &self,
        most: usize,
        mut submit: impl FnMut(Item, Py<PyAny>, usize) -> Result<Ticket, Stop<E>>,
    ) -> Result<Fed<E>, E> {
        let (state, mut refused) = (&mut *self.lock(), Vec::new());
        for _ in 0..most {
            let Some(&place) = state.order.get(state.fed) else { break };
            let Some(item) = state.items[place].take() else { break };
            match submit(Item { cost: state.costs[place], ..state.pattern }, item, place) {
                Ok(ticket) => state.tickets[place] = Some(ticket),
                Err(Stop::Full(item)) => {
                    state.items[place] = Some(item);
                    return Ok(Fed { is_all: None, refused });
                }
                Err(Stop::Refused(error)) if self.keeps_errors => refused.push((place, error)),
                Err(Stop::Refused(error)) => return Err(error),
            }
            state.fed += 1;
        }
        Ok(Fed { is_all: Some(state.fed >= state.order.len()), refused })
    }

    /// Puts a result in its place. The last one ends the group.
    pub(crate) fn give(&self, place: usize, result: &Bound<'_, PyAny>) -> Given {
        let mut state = self.lock();
        if let Some(given) = state.settle(place) {
            return given;
        }
        state.results[place] = Some(result.clone().unbind());
        state.missing -= 1;
        if state.missing == 0 {
            let future = state.future.take();
            let results = std::mem::take(&mut state.results);
            drop(state);
            return end(result.py(), future, results);
        }
        Given::Taken
    }

    /// Fails all of it with the error of one item; the first error is what counts.
    pub(crate) fn fail(&self, place: usize, error: &Bound<'_, PyAny>) -> Given {
        let mut state = self.lock();
        if let Some(given) = state.settle(place) {
            return given;
        }
        let future = state.future.take();
        drop(state);
        let py = error.py();
        future.map_or(Given::Unwanted, |future| set(future.bind(py), pyo3::intern!(py, "set_exception"), error))
    }

    /// Whether an item has no result, and somebody waits for it.
    pub(crate) fn is_wanted(&self, py: Python<'_>, place: usize) -> bool {
        self.is_missing(place) && self.is_pending(py)
    }

    fn is_missing(&self, place: usize) -> bool {
        self.lock().tickets[place].is_some()
    }

    fn is_pending(&self, py: Python<'_>) -> bool {
        self.future(py).is_some_and(|future| is_pending(future.bind(py)))
    }

    /// Whether an item was submitted, has no result, and nobody waits for it.
    pub(crate) fn is_given_up(&self, py: Python<'_>, place: usize) -> bool {
        self.is_missing(place) && !self.is_pending(py)
    }

    /// The future, unless it has its result.
    pub(crate) fn future(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.lock().future.as_ref().map(|future| future.clone_ref(py))
    }

    /// Gives up what is not submitted yet; the tickets of what was.
    pub(crate) fn abandon(&self) -> Vec<Ticket> {
        let (tickets, future, items) = {
            let state = &mut *self.lock();
            state.abandoned = true;
            state.fed = state.order.len();
            let tickets = state.tickets.iter_mut().filter_map(Option::take).collect();
            (tickets, state.future.take(), std::mem::take(&mut state.items))
        };
        // Not under the lock: what they are may run code of its own when it goes.
        drop((future, items));
        tickets
    }
}

impl State {
    /// Notes that an item has its result; what becomes of that, if nobody will see it.
    fn settle(&mut self, place: usize) -> Option<Given> {
        self.tickets[place] = None;
        if self.abandoned {
            return Some(Given::Unwanted);
        }
        // A sibling has failed in the same batch.
        self.future.is_none().then_some(Given::Taken)
    }
}

/// What came of handing on items of a group.
pub(crate) struct Fed<E> {
    /// Whether all are handed on; None if one was handed back.
    pub(crate) is_all: Option<bool>,
    /// Places of those that were refused, with the errors.
    pub(crate) refused: Vec<(usize, E)>,
}

/// Why no further item of a group is submitted.
pub(crate) enum Stop<E> {
    /// There is no room for it now.
    Full(Py<PyAny>),
    /// It can never be.
    Refused(E),
}

fn end(py: Python<'_>, future: Option<Py<PyAny>>, results: Vec<Option<Py<PyAny>>>) -> Given {
    let Some(future) = future else { return Given::Unwanted };
    match PyList::new(py, results) {
        Ok(list) => set(future.bind(py), pyo3::intern!(py, "set_result"), &list),
        Err(error) => set(future.bind(py), pyo3::intern!(py, "set_exception"), error.value(py)),
    }
}

#[pymethods]
impl Group {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        for held in [&self.tenant, &self.key, &self.context] {
            visit.call(held)?;
        }
        // Whoever holds the lock uses what it guards, which is alive then.
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        visit.call(&state.future)?;
        state.items.iter().chain(&state.results).try_for_each(|object| visit.call(object))
    }

    fn __clear__(&self) {
        let (future, items, results) = {
            let state = &mut *self.lock();
            (state.future.take(), std::mem::take(&mut state.items), std::mem::take(&mut state.results))
        };
        drop((future, items, results));
    }
}
