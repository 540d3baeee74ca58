//! The state machine.

use super::bins::Binner;
use super::fit::{Fit, Fitter};
use super::item::{BatchId, Ended, Formed, Item, Left, Refusal, Ticket, Tickets};
use super::limits::Limits;
use super::queue::Order;
use super::slots::Place;
use super::stats::Stats;
use super::waiting::Waiting;
use crate::Result;

/// A batch that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) tickets: Tickets,
    /// Items that somebody still wants.
    pub(super) wanted: usize,
    pub(super) since: u64,
    pub(super) work: u64,
}

/// A worker, and how many batches it had.
#[derive(Debug, Default)]
pub(super) struct Worker {
    pub(super) generation: u32,
    pub(super) running: Option<Running>,
}

/// Forms batches out of single items.
///
/// It holds no clock, task or channel: time, in nanoseconds of any clock that does not go back, is an argument, so that
/// every decision can be replayed from a log. Its owner calls `next` after each event until it gives nothing more, and
/// again when `wake` says.
///
/// **Order.** Tenants share by deficit round-robin over costs. The items of a tenant go by priority, then by deadline
/// (earliest first), then by arrival; a step of priority is worth [`Limits::ageing`] of waiting, so that nothing starves.
/// The first in line names key and bin of its batch, which is filled with more of the same.
///
/// **Cost:** without priorities, deadlines, bins and other tenants O(1) an item and no allocation but two a batch; about
/// 100 bytes an item. With them O(log n), and what several tenants, keys or deadlines ask for is looked at batch by batch.
#[derive(Debug)]
pub struct Scheduler {
    pub(super) limits: Limits,
    pub(super) now: u64,
    pub(super) waiting: Waiting,
    pub(super) workers: Vec<Worker>,
    pub(super) running: u32,
    pub(super) fitter: Fitter,
    pub(super) hurries: bool,
    /// Whether all that waits is predicted to miss its deadline, and is served to see whether that is still so.
    pub(super) probes: bool,
    pub(super) stats: Stats,
    binner: Binner,
    submitted: u64,
    /// The step of ageing that `now` is in, and when it ends.
    step: i64,
    step_ends: u64,
}

impl Scheduler {
    /// A scheduler in which nothing waits.
    ///
    /// # Errors
    ///
    /// `Config`, as [`Limits::check`] says.
    pub fn new(limits: Limits) -> Result<Self> {
        limits.check()?;
        Ok(Self {
            now: 0,
            waiting: Waiting::new(&limits),
            workers: Vec::new(),
            running: 0,
            fitter: Fitter::default(),
            hurries: false,
            probes: false,
            stats: Stats::default(),
            binner: Binner::new(&limits.bins),
            submitted: 0,
            step: 0,
            step_ends: limits.ageing,
            limits,
        })
    }

    /// Queues an item.
    ///
    /// # Errors
    ///
    /// Why it was not taken.
    pub fn submit(&mut self, now: u64, item: Item) -> Result<Ticket, Refusal> {
        self.advance(now);
        if let Some(refusal) = self.refusal(&item) {
            self.stats.refuse(refusal);
            return Err(refusal);
        }
        let order = self.order(&item);
        let bin = self.binner.place(item.cost);
        self.stats.submitted += 1;
        Ok(self.waiting.insert(item.key, bin, item.tenant, order, self.now, item.cost))
    }

    /// Takes note of the time. A clock that goes back stands still.
    fn advance(&mut self, now: u64) {
        self.now = self.now.max(now);
        if self.now >= self.step_ends {
            self.step = (self.now / self.limits.ageing) as i64;
            self.step_ends = (self.now - self.now % self.limits.ageing).saturating_add(self.limits.ageing);
        }
    }

    fn order(&mut self, item: &Item) -> Order {
        self.submitted += 1;
        Order {
            rank: self.step - i64::from(item.priority),
            deadline: item.deadline.unwrap_or(u64::MAX),
            number: self.submitted,
        }
    }

    fn refusal(&self, item: &Item) -> Option<Refusal> {
        let (cost, largest) = (item.cost, self.limits.largest());
        if u64::from(cost) > largest {
            return Some(Refusal::TooLarge { cost, max: largest });
        }
        if let Some(refusal) = self.no_room(cost) {
            return Some(refusal);
        }
        let (left, needed) = (item.deadline?.saturating_sub(self.now), self.alone(cost));
        // What is known of service is not held against an item that finds nothing running, as `drop_late` says.
        let is_late = item.deadline? < self.now || (needed > left && self.running > 0);
        is_late.then_some(Refusal::TooLate { left, needed })
    }

    /// Refuses an item that waited for room in the queue until its deadline was over.
    pub fn refuse_if_over(&mut self, now: u64, item: &Item) -> Option<Refusal> {
        self.advance(now);
        let is_over = item.deadline? < self.now;
        let refusal = is_over.then(|| Refusal::TooLate { left: 0, needed: self.alone(item.cost) })?;
        self.stats.refuse(refusal);
        Some(refusal)
    }

    fn no_room(&self, cost: u32) -> Option<Refusal> {
        let (waiting, max) = (self.waiting.items, self.limits.queue_items);
        if waiting >= max {
            return Some(Refusal::Items { waiting, max });
        }
        let (waiting, max) = (self.waiting.tokens, self.limits.queue_tokens?);
        (waiting + u64::from(cost) > max).then_some(Refusal::Tokens { waiting, cost, max })
    }

    /// The predicted service time of an item that is alone in its batch, in nanoseconds.
    pub(super) fn alone(&self, cost: u32) -> u64 {
        self.fitter.fit().predict(self.limits.work_alone(cost))
    }

    /// Takes an item out if it waits. If it is running it keeps its place, and nobody wants it any more.
    pub fn cancel(&mut self, ticket: Ticket) -> Left {
        match self.waiting.slots.find(ticket).map(|found| found.place) {
            None | Some(Place::Free) => Left::Unknown,
            Some(Place::Waiting) => {
                self.stats.cancelled_waiting += 1;
                self.waiting.drop_item(ticket.slot() as u32);
                Left::Waiting
            }
            Some(Place::Unwanted(worker)) => Left::Running { batch: self.batch_of(worker), last: false },
            Some(Place::Running(worker)) => {
                self.stats.cancelled_running += 1;
                self.waiting.slots.get_mut(ticket.slot() as u32).place = Place::Unwanted(worker);
                Left::Running { batch: self.batch_of(worker), last: self.is_last(worker) }
            }
        }
    }

    fn batch_of(&self, worker: u32) -> BatchId {
        BatchId::new(worker, self.workers[worker as usize].generation)
    }

    /// Whether nobody is left who wants the batch, now that one more does not.
    fn is_last(&mut self, worker: u32) -> bool {
        self.workers[worker as usize].running.as_mut().is_some_and(|running| {
            running.wanted -= 1;
            running.wanted == 0
        })
    }

    /// Forms the batch that is to be served now, which takes a worker until it is finished.
    ///
    /// None if no worker is free, nothing waits, or all of it waits for `max_wait`. Items that cannot meet their
    /// deadlines any more are dropped and added to `late`, in either case.
    pub fn next(&mut self, now: u64, late: &mut Vec<Ticket>) -> Option<Formed> {
        self.advance(now);
        self.drop_late(late);
        if self.free_workers() == 0 || self.waiting.items == 0 {
            return None;
        }
        let formed = self.form()?;
        self.stats.form(&formed);
        Some(formed)
    }

    /// Ends a batch, which frees its worker and the slots of its items; false if it is unknown.
    pub fn finish(&mut self, now: u64, batch: BatchId, ended: Ended) -> bool {
        self.advance(now);
        let Some(worker) = self.workers.get_mut(batch.worker()) else { return false };
        if BatchId::new(batch.worker() as u32, worker.generation) != batch {
            return false;
        }
        let Some(running) = worker.running.take() else { return false };
        worker.generation = worker.generation.wrapping_add(1);
        self.running -= 1;
        for ticket in &running.tickets {
            self.waiting.slots.remove(ticket.slot() as u32);
        }
        if ended == Ended::Served {
            let time = self.now - running.since;
            self.fitter.observe(running.work, time);
            self.stats.service_time.record(time);
        }
        true
    }

    /// While it is on, nothing waits for `max_wait`.
    pub fn hurry(&mut self, on: bool) {
        self.hurries = on;
    }

    /// Drops everything that waits, and returns it by arrival. It counts as cancelled.
    pub fn drop_waiting(&mut self) -> Vec<Ticket> {
        let slots = self.waiting.all();
        self.stats.cancelled_waiting += slots.len() as u64;
        slots.into_iter().map(|slot| self.drop_slot(slot)).collect()
    }

    pub(super) fn drop_slot(&mut self, slot: u32) -> Ticket {
        let ticket = self.waiting.slots.ticket(slot);
        self.waiting.drop_item(slot);
        ticket
    }

    /// Whether an item of this cost would be taken, were it not for its deadline.
    pub fn has_room(&self, cost: u32) -> bool {
        u64::from(cost) <= self.limits.largest() && self.no_room(cost).is_none()
    }

    /// Items that wait.
    pub fn waiting(&self) -> u32 {
        self.waiting.items
    }

    /// Tokens that wait.
    pub fn waiting_tokens(&self) -> u64 {
        self.waiting.tokens
    }

    /// Batches that run.
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Batches that could run beside them.
    pub fn free_workers(&self) -> u32 {
        self.limits.workers - self.running
    }

    /// Whether nothing waits and nothing runs.
    pub fn is_idle(&self) -> bool {
        self.waiting.items == 0 && self.running == 0
    }

    /// How long service takes, as far as it is known.
    pub fn fit(&self) -> Fit {
        *self.fitter.fit()
    }

    /// What happened since the scheduler was made.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Its bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn bins(&self) -> u32 {
        self.binner.bins()
    }
}
