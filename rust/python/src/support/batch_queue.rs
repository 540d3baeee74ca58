//! The queue of a batched function on one event loop: the scheduler, and the Python objects that it decides about.
//!
//! **What an item may not cost.** A future that is made, gathered and resolved without a batcher takes 2.2 µs. These
//! had to go, per item: a done callback on each future (1.9 µs, a call through the loop), `get_running_loop`, which up
//! to Python 3.11 asks the system for the process each time (0.2), two frames of Python (0.4), a dict for the loop's
//! keyword (0.06), looking methods up (0.04). Per batch: the callback at a task's end, `isinstance` with unions of
//! abstract classes (0.8), `partial` (0.2).
//!
//! After some milliseconds of sleep the way to the function takes several times as long, since its code and data have
//! left the caches. What counts then is neither instructions nor allocations but cache lines that the loop's own waking
//! did not touch, some 65 ns each; callgrind counts them without noise (a cache too large to evict, the counts zeroed
//! where the item comes and read where the function begins). So an item that is alone touches no lane, queue or tenant,
//! and its way is one call into Rust.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use llmfast_core::batch::{BatchId, Ended, Formed, Item, Left, Limits, Refusal, Scheduler, Ticket};
use llmfast_core::{Error, ErrorKind};
use llmfast_runtime::clock::monotonic;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::batch_entries::{Entry, Place};
use super::batch_formed::{Batch, Entries};
use super::batch_groups::{Fed, Group, Order, Stop};
use super::batch_names::Names;
use super::batch_sweeps::Sweeps;
use super::batch_totals::Totals;
pub(crate) use super::batch_wishes::Wishes;
use super::batch_wishes::{after, unhashable};
use crate::errors::{closed, to_py};

/// No method runs Python code while it holds the lock, and none detaches: neither can a finalizer come in between, nor a
/// fork catch it locked.
pub(crate) struct Queue {
    state: Arc<Mutex<State>>,
    names: Names,
    cost: Option<Py<PyAny>>,
    /// The context variable that tells which batches the code runs in.
    pub(super) inside: Py<PyAny>,
    /// Whether somebody sees to it already that a free worker looks at the queue, or none is free.
    pub(crate) armed: AtomicBool,
    pub(crate) closed: AtomicBool,
    pub(super) sweeps: Mutex<Sweeps>,
    /// Tokens of the largest item that can ever be taken.
    largest: u64,
    /// Half of the queue, but a full batch if it can hold one: a list that is longer than the queue must not keep
    /// everybody else out.
    most_of_lists: u32,
    pub(super) totals: Arc<Totals>,
}

pub(super) struct State {
    pub(super) scheduler: Scheduler,
    /// By the slot of their tickets, while they wait.
    pub(super) entries: Vec<Option<Entry>>,
    /// Formed together with items that are too late; those go first.
    formed: Option<Batch>,
    totals: Arc<Totals>,
}

pub(super) fn now() -> u64 {
    monotonic().as_nanos() as u64
}

impl Queue {
    pub(crate) fn new(
        py: Python<'_>,
        limits: Limits,
        cost: Option<Py<PyAny>>,
        inside: Py<PyAny>,
        totals: Arc<Totals>,
    ) -> PyResult<Self> {
        let (largest, queue_items) = (limits.largest(), limits.queue_items);
        let most_of_lists = (queue_items / 2).max(limits.max_items.min(queue_items));
        let scheduler = Scheduler::new(limits).map_err(to_py)?;
        let state = State { scheduler, entries: Vec::new(), formed: None, totals: Arc::clone(&totals) };
        let (armed, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (names, sweeps, state) = (Names::new(py), Mutex::default(), totals.follow(state));
        Ok(Self { state, names, cost, inside, armed, closed, sweeps, largest, most_of_lists, totals })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `get` reads off the scheduler.
    pub(crate) fn read<T>(&self, get: impl FnOnce(&Scheduler) -> T) -> T {
        get(&self.lock().scheduler)
    }

    pub(crate) fn check_open(&self) -> PyResult<()> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(closed("this batched function was closed on this event loop"));
        }
        Ok(())
    }

    /// Queues one item.
    pub(crate) fn submit(
        &self,
        item: &Bound<'_, PyAny>,
        future: &Bound<'_, PyAny>,
        context: Option<Bound<'_, PyAny>>,
        wishes: Option<&Wishes<'_>>,
        awaited: bool,
    ) -> PyResult<Ticket> {
        let future = future.clone().unbind();
        let place = if awaited { Place::Awaited(future) } else { Place::Future(future) };
        let context = context.map(Bound::unbind);
        let cost = self.cost_of(item)?;
        let now = now();
        let asked = match wishes {
            Some(wishes) => self.asked(now, cost, wishes)?,
            None => Item { cost, ..Item::default() },
        };
        let Item { tenant, key, .. } = asked;
        let entry = Entry::new(item.clone().unbind(), place, context, tenant, key);
        self.put(item.py(), now, asked, entry)
    }

    /// Hands an item to the scheduler. If there is no room, those that nobody waits for any more make it.
    fn put(&self, py: Python<'_>, now: u64, asked: Item, entry: Entry) -> PyResult<Ticket> {
        let first = self.lock().submit(now, asked, entry);
        let (refusal, entry) = match first {
            Err((refusal, entry)) if is_for_room(refusal) && self.sweep_when_full(py) => {
                let second = self.lock().submit(now, asked, *entry);
                match second {
                    Ok(ticket) => return Ok(ticket),
                    Err(refused) => refused,
                }
            }
            Err(refused) => refused,
            Ok(ticket) => return Ok(ticket),
        };
        self.release(py, [&*entry]);
        Err(to_py(refusal.into()))
    }

    /// Items that are answered together; nothing is queued yet.
    pub(crate) fn group(
        &self,
        items: &Bound<'_, PyList>,
        future: Py<PyAny>,
        context: Option<Py<PyAny>>,
        wishes: &Wishes<'_>,
        keeps_errors: bool,
    ) -> PyResult<Group> {
        let costs = items.iter().map(|item| self.cost_of(&item)).collect::<PyResult<Vec<u32>>>()?;
        if let Some(&cost) = costs.iter().max()
            && u64::from(cost) > self.largest
        {
            return Err(to_py(Refusal::TooLarge { cost, max: self.largest }.into()));
        }
        let Wishes { priority, deadline, .. } = *wishes;
        let deadline = deadline.map(|seconds| after(now(), seconds)).transpose()?;
        let pattern = Item { cost: 1, priority, deadline, tenant: 0, key: 0 };
        let (tenant, key) = (wishes.tenant.clone().map(Bound::unbind), wishes.key.clone().map(Bound::unbind));
        let items = items.iter().map(Bound::unbind).collect();
        Ok(Group::new(Order { items, costs, pattern, future, tenant, key, context, keeps_errors }))
    }

    /// Queues as much of a group as there is room for, `most` items at most: whether that was all; None if there is
    /// no more room.
    pub(crate) fn feed(&self, group: &Bound<'_, Group>, most: usize) -> PyResult<Option<bool>> {
        let py = group.py();
        let name = |name: &Option<Py<PyAny>>| name.as_ref().map(|name| name.bind(py).clone());
        let names = self.take_names(name(&group.get().tenant).as_ref(), name(&group.get().key).as_ref())?;
        let fed = self.feed_as(group, most, names);
        self.names.release(py, names.0);
        self.names.release(py, names.1);
        let Fed { is_all, refused } = fed?;
        for (place, error) in refused {
            group.get().give(place, error.value(py));
        }
        Ok(is_all)
    }

    fn feed_as(&self, group: &Bound<'_, Group>, most: usize, (tenant, key): (u32, u32)) -> PyResult<Fed<PyErr>> {
        let (py, now) = (group.py(), now());
        group.get().feed(most, |asked, item, place| {
            let over = asked.deadline.and_then(|_| self.lock().scheduler.refuse_if_over(now, &asked));
            if let Some(refusal) = over {
                return Err(Stop::Refused(to_py(refusal.into())));
            }
            if !self.read(|scheduler| scheduler.waiting() < self.most_of_lists && scheduler.has_room(asked.cost)) {
                return Err(Stop::Full(item));
            }
            self.names.again(tenant);
            self.names.again(key);
            let context = group.get().context.as_ref().map(|context| context.clone_ref(py));
            let part = Place::Part(group.clone().unbind(), place);
            let entry = Entry::new(item, part, context, tenant, key);
            let submitted = self.lock().submit(now, Item { tenant, key, ..asked }, entry);
            submitted.map_err(|(refusal, entry)| {
                self.release(py, [&*entry]);
                Stop::Refused(to_py(refusal.into()))
            })
        })
    }

    /// The next batch if a worker is free for one, or items that are too late; and whether there is more of these. It
    /// belongs to the Python object `call`, whose method `watched` is called when one of its items may have been left.
    pub(crate) fn next(&self, call: &Bound<'_, PyAny>) -> Option<(Batch, bool)> {
        let py = call.py();
        loop {
            let mut batch = self.lock().next(now())?;
            self.release(py, &batch.entries);
            if batch.id.is_none() {
                // What was formed with them comes next: it must not look as if nothing were left to do.
                return Some((batch, true));
            }
            if !self.sweep_formed(py, &mut batch) {
                batch.watch_for(call);
                return Some((batch, self.rest()));
            }
            // Nobody waits for any of it.
            self.finish(batch.id?, Ended::Cancelled);
        }
    }

    /// Drops an item; the batch that nobody waits for any more, if it was in one.
    pub(crate) fn cancel(&self, py: Python<'_>, ticket: Ticket) -> Option<BatchId> {
        let (left, entry) = self.lock().cancel(ticket);
        self.release(py, &entry);
        match left {
            Left::Running { batch, last: true } => Some(batch),
            _ => None,
        }
    }

    /// Drops all items of a group; the batches that nobody waits for any more.
    pub(crate) fn abandon(&self, py: Python<'_>, group: &Group) -> Vec<BatchId> {
        group.abandon().into_iter().filter_map(|ticket| self.cancel(py, ticket)).collect()
    }

    /// Nobody needs to see to the queue as long as no worker is free: whether one is, and something to do for it.
    pub(crate) fn rest(&self) -> bool {
        let state = self.lock();
        let free = state.scheduler.free_workers() > 0;
        self.armed.store(!free, Ordering::Relaxed);
        free && state.scheduler.waiting() > 0
    }

    /// Ends a batch and frees its worker.
    pub(crate) fn finish(&self, id: BatchId, ended: Ended) -> bool {
        self.lock().scheduler.finish(now(), id, ended)
    }

    /// Takes all that wait out of the queue.
    pub(crate) fn drop_waiting(&self, py: Python<'_>) -> Batch {
        let entries = {
            let state = &mut *self.lock();
            let tickets = state.scheduler.drop_waiting();
            tickets.into_iter().filter_map(|ticket| state.entries[ticket.slot()].take()).collect::<Entries>()
        };
        self.release(py, &entries);
        Batch { id: None, entries, reason: None }
    }

    pub(crate) fn hurry(&self, on: bool) {
        self.lock().scheduler.hurry(on);
    }

    /// Seconds until something may happen without anybody's doing; None if nothing will.
    pub(crate) fn wake(&self) -> Option<f64> {
        let at = self.read(Scheduler::wake)?;
        Some(at.saturating_sub(now()) as f64 * 1e-9)
    }

    fn release<'a>(&self, py: Python<'_>, entries: impl IntoIterator<Item = &'a Entry>) {
        for entry in entries {
            self.names.release(py, entry.tenant);
            self.names.release(py, entry.key);
        }
    }

    fn cost_of(&self, item: &Bound<'_, PyAny>) -> PyResult<u32> {
        let Some(cost) = &self.cost else { return Ok(1) };
        let cost = cost.bind(item.py()).call1((item,))?;
        cost.extract().map_err(|_| {
            let shown = cost.repr().map_or_else(|_| cost.get_type().to_string(), |text| text.to_string());
            let message = format!("the cost of an item must be an int from 0 to {}, got {shown}", u32::MAX);
            to_py(Error::new(ErrorKind::Config, message))
        })
    }

    fn asked(&self, now: u64, cost: u32, wishes: &Wishes<'_>) -> PyResult<Item> {
        let Wishes { priority, deadline, tenant, key } = wishes;
        let deadline = deadline.map(|seconds| after(now, seconds)).transpose()?;
        let (tenant, key) = self.take_names(tenant.as_ref(), key.as_ref())?;
        Ok(Item { cost, priority: *priority, deadline, tenant, key })
    }

    fn take_names(&self, tenant: Option<&Bound<'_, PyAny>>, key: Option<&Bound<'_, PyAny>>) -> PyResult<(u32, u32)> {
        let tenant = unhashable("tenant", tenant, self.names.take(tenant))?;
        let key = unhashable("key", key, self.names.take(key))
            .inspect_err(|_| Python::attach(|py| self.names.release(py, tenant)))?;
        Ok((tenant, key))
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cost)?;
        visit.call(&self.inside)?;
        self.names.visit(visit)?;
        // Whoever holds the lock uses what it guards, which is alive then.
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        let formed = state.formed.iter().flat_map(|batch| &batch.entries);
        state.entries.iter().flatten().chain(formed).try_for_each(|entry| entry.visit(visit))
    }

    pub(crate) fn clear(&self) {
        let held = {
            let state = &mut *self.lock();
            (std::mem::take(&mut state.entries), state.formed.take())
        };
        drop(held);
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.totals.keep(self.scheduler.stats());
    }
}

impl State {
    /// The refusal comes with the entry, which must not be dropped under the lock.
    fn submit(&mut self, now: u64, item: Item, mut entry: Entry) -> Result<Ticket, (Refusal, Box<Entry>)> {
        let ticket = match self.scheduler.submit(now, item) {
            Ok(ticket) => ticket,
            Err(refusal) => return Err((refusal, Box::new(entry))),
        };
        entry.ticket = ticket;
        let slot = ticket.slot();
        if slot >= self.entries.len() {
            self.entries.resize_with(slot + 1, || None);
        }
        self.entries[slot] = Some(entry);
        Ok(ticket)
    }

    fn next(&mut self, now: u64) -> Option<Batch> {
        if self.formed.is_some() {
            return self.formed.take();
        }
        let mut late = Vec::new();
        let formed = self.scheduler.next(now, &mut late);
        let formed = formed.map(|Formed { id, tickets, reason, .. }| Batch {
            id: Some(id),
            entries: self.taken(&tickets),
            reason: Some(reason),
        });
        if late.is_empty() {
            return formed;
        }
        self.formed = formed;
        Some(Batch { id: None, entries: self.taken(&late), reason: None })
    }

    fn taken(&mut self, tickets: &[Ticket]) -> Entries {
        tickets.iter().filter_map(|ticket| self.entries.get_mut(ticket.slot())?.take()).collect()
    }

    fn cancel(&mut self, ticket: Ticket) -> (Left, Option<Entry>) {
        let left = self.scheduler.cancel(ticket);
        let entry = if left == Left::Waiting { self.entries[ticket.slot()].take() } else { None };
        (left, entry)
    }
}

fn is_for_room(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::Items { .. } | Refusal::Tokens { .. })
}
