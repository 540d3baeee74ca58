//! The items that wait: in one queue for each tenant and lane.

use std::collections::{BTreeSet, VecDeque};

use super::item::Ticket;
use super::keyed::{Keyed, pair};
use super::limits::Limits;
use super::queue::{Order, Queue};
use super::slots::{Place, Slot, Slots};
use super::tenants::Tenants;

/// Items that go together: those of one key and bin.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) key: u32,
    pub(super) bin: u32,
    pub(super) items: u32,
    pub(super) tokens: u64,
    /// By cost, where batches are built by it or padded to it: cost, number and slot.
    pub(super) by_cost: BTreeSet<(u32, u64, u32)>,
    /// By deadline, where lanes wait to be filled.
    pub(super) deadlines: BTreeSet<(u64, u32)>,
    /// By arrival, where lanes wait to be filled; the first one waits, others may have left.
    pub(super) arrivals: VecDeque<(u64, u32)>,
}

impl Lane {
    pub(super) fn largest(&self) -> u32 {
        self.by_cost.last().map_or(0, |(cost, ..)| *cost)
    }
}

/// The items of a tenant in a lane.
#[derive(Debug, Default)]
pub(super) struct TenantQueue {
    pub(super) queue: Queue,
    pub(super) lane: u32,
    pub(super) tenant: u32,
    /// Those that were set aside while a batch is in the making among them.
    pub(super) items: u32,
}

/// An item that is the only one that waits.
#[derive(Debug, Clone, Copy)]
struct Lone {
    slot: u32,
    key: u32,
    bin: u32,
    tenant: u32,
}

/// All items that wait, and the slots of those that run.
///
/// An item that comes when nothing waits is mostly taken before another one comes. It is kept by itself until then, as
/// long as no decision depends on more than its being there: to open and close lane, queue and tenant for it alone would
/// double what the scheduler touches, which counts after a pause.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) slots: Slots,
    /// While it is there, nothing else waits, and no lane, queue and tenant is open.
    lone: Option<Lone>,
    pub(super) lanes: Keyed<Lane>,
    pub(super) queues: Keyed<TenantQueue>,
    pub(super) tenants: Tenants,
    /// By deadline, those that have one.
    pub(super) deadlines: BTreeSet<(u64, u32)>,
    /// No item with a deadline costs more.
    pub(super) costliest: u32,
    pub(super) items: u32,
    pub(super) tokens: u64,
    /// The queue that the last item went to.
    last: u32,
    keeps_costs: bool,
    keeps_arrivals: bool,
    counts_tokens: bool,
}

impl Waiting {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            slots: Slots::default(),
            lone: None,
            lanes: Keyed::default(),
            queues: Keyed::default(),
            tenants: Tenants::new(limits.max_tokens.unwrap_or(u64::from(limits.max_items))),
            deadlines: BTreeSet::new(),
            costliest: 0,
            items: 0,
            tokens: 0,
            last: 0,
            keeps_costs: limits.windowed() || (limits.padded && limits.max_wait > 0),
            keeps_arrivals: limits.max_wait > 0,
            counts_tokens: limits.max_tokens.is_some(),
        }
    }

    /// What a tenant is charged for an item.
    fn charge(&self, cost: u32) -> u64 {
        if self.counts_tokens { u64::from(cost.max(1)) } else { 1 }
    }

    pub(super) fn insert(&mut self, key: u32, bin: u32, tenant: u32, order: Order, arrived: u64, cost: u32) -> Ticket {
        let ticket = self.slots.insert(Slot::new(order, arrived, cost, 0));
        let lone = Lone { slot: ticket.slot() as u32, key, bin, tenant };
        self.tenants.count(self.charge(cost));
        self.tokens += u64::from(cost);
        self.items += 1;
        if self.items == 1 && order.deadline == u64::MAX && !self.keeps_costs && !self.keeps_arrivals {
            self.lone = Some(lone);
        } else {
            self.settle();
            self.enqueue(lone, order, cost);
        }
        ticket
    }

    /// Takes out the item that is alone; None if others wait, or its queue has to be looked at.
    pub(super) fn pop_lone(&mut self, worker: u32) -> Option<(Ticket, u32)> {
        let slot = self.lone.take()?.slot;
        let item = self.slots.get_mut(slot);
        item.place = Place::Running(worker);
        self.items -= 1;
        self.tokens -= u64::from(item.cost);
        Some((Ticket::new(slot, item.generation), item.cost))
    }

    /// Queues the item that was alone.
    pub(super) fn settle(&mut self) {
        if let Some(lone) = self.lone.take() {
            let Slot { order, cost, .. } = *self.slots.get(lone.slot);
            self.enqueue(lone, order, cost);
        }
    }

    fn enqueue(&mut self, Lone { slot, key, bin, tenant }: Lone, order: Order, cost: u32) {
        let queue =
            if self.is_queue_of(self.last, key, bin, tenant) { self.last } else { self.queue_of(key, bin, tenant) };
        self.last = queue;
        self.slots.get_mut(slot).queue = queue;
        let found = &mut self.queues[queue];
        found.items += 1;
        found.queue.push(order, slot);
        self.tenants.add(found.tenant);
        let lane = found.lane;
        self.enter(lane, slot, order, cost);
    }

    /// Whether a queue is open and that of these. What one item was, the next one mostly is, and that is quickly seen.
    fn is_queue_of(&self, index: u32, key: u32, bin: u32, tenant: u32) -> bool {
        self.queues.get(index).is_some_and(|queue| {
            let lane = &self.lanes[queue.lane];
            queue.items > 0 && (lane.key, lane.bin) == (key, bin) && self.tenants.get(queue.tenant).number == tenant
        })
    }

    fn queue_of(&mut self, key: u32, bin: u32, tenant: u32) -> u32 {
        let tenant = self.tenants.find_or_join(tenant);
        let lane = self.lanes.find(pair(key, bin)).unwrap_or_else(|| self.open_lane(key, bin));
        self.queues.find(pair(lane, tenant)).unwrap_or_else(|| self.open_queue(lane, tenant))
    }

    fn open_lane(&mut self, key: u32, bin: u32) -> u32 {
        let index = self.lanes.insert(pair(key, bin));
        let lane = &mut self.lanes[index];
        (lane.key, lane.bin) = (key, bin);
        index
    }

    fn open_queue(&mut self, lane: u32, tenant: u32) -> u32 {
        let index = self.queues.insert(pair(lane, tenant));
        let queue = &mut self.queues[index];
        (queue.lane, queue.tenant) = (lane, tenant);
        self.tenants.get_mut(tenant).queues.push(index);
        index
    }

    fn enter(&mut self, lane: u32, slot: u32, order: Order, cost: u32) {
        let lane = &mut self.lanes[lane];
        lane.items += 1;
        lane.tokens += u64::from(cost);
        if self.keeps_costs {
            lane.by_cost.insert((cost, order.number, slot));
        }
        if self.keeps_arrivals {
            lane.arrivals.push_back((order.number, slot));
        }
        if order.deadline != u64::MAX {
            self.deadlines.insert((order.deadline, slot));
            self.costliest = self.costliest.max(cost);
            if self.keeps_arrivals {
                lane.deadlines.insert((order.deadline, slot));
            }
        }
    }

    /// Takes the first item of a queue out, to run in the batch of this worker.
    pub(super) fn pop(&mut self, slot: u32, worker: u32) {
        let item = self.start(slot, worker);
        self.queues[item.queue].queue.pop(&self.slots);
        self.leave(slot, &item);
    }

    /// Takes any item out, to run in the batch of this worker.
    pub(super) fn pick(&mut self, slot: u32, worker: u32) {
        let item = self.start(slot, worker);
        self.queues[item.queue].queue.remove(item.order, &self.slots);
        self.leave(slot, &item);
    }

    /// Drops an item.
    pub(super) fn drop_item(&mut self, slot: u32) {
        self.settle();
        let item = *self.slots.get(slot);
        self.slots.get_mut(slot).place = Place::Free;
        self.queues[item.queue].queue.remove(item.order, &self.slots);
        self.leave(slot, &item);
        self.slots.remove(slot);
    }

    /// Has an item run, at its tenant's expense.
    fn start(&mut self, slot: u32, worker: u32) -> Slot {
        let found = self.slots.get_mut(slot);
        found.place = Place::Running(worker);
        let item = *found;
        self.tenants.charge(self.queues[item.queue].tenant, self.charge(item.cost));
        item
    }

    /// Settles the counts for an item that is out of its queue; closes what it leaves empty.
    fn leave(&mut self, slot: u32, item: &Slot) {
        self.items -= 1;
        self.tokens -= u64::from(item.cost);
        let queue = &mut self.queues[item.queue];
        let (lane, tenant) = (queue.lane, queue.tenant);
        queue.items -= 1;
        if queue.items == 0 {
            self.queues.remove(pair(lane, tenant));
            self.tenants.get_mut(tenant).queues.retain(|&other| other != item.queue);
        }
        self.leave_lane(lane, slot, item.order, item.cost);
        self.tenants.remove(tenant);
    }

    fn leave_lane(&mut self, index: u32, slot: u32, order: Order, cost: u32) {
        let lane = &mut self.lanes[index];
        lane.items -= 1;
        lane.tokens -= u64::from(cost);
        if self.keeps_costs {
            lane.by_cost.remove(&(cost, order.number, slot));
        }
        if self.keeps_arrivals {
            lane.deadlines.remove(&(order.deadline, slot));
            tidy(&mut lane.arrivals, lane.items as usize, &self.slots);
        }
        if order.deadline != u64::MAX {
            self.deadlines.remove(&(order.deadline, slot));
            if self.deadlines.is_empty() {
                self.costliest = 0;
            }
        }
        if lane.items == 0 {
            let number = pair(lane.key, lane.bin);
            self.lanes.remove(number);
        }
    }

    /// The slots of all items, by arrival.
    pub(super) fn all(&self) -> Vec<u32> {
        let mut waiting: Vec<u32> = self.slots.waiting().collect();
        waiting.sort_unstable_by_key(|&slot| self.slots.get(slot).order.number);
        waiting
    }
}

/// Keeps the promise that the first one waits, and that not more than half of the others have left.
fn tidy(arrivals: &mut VecDeque<(u64, u32)>, items: usize, slots: &Slots) {
    while arrivals.front().is_some_and(|(number, slot)| !slots.waits(*slot, *number)) {
        arrivals.pop_front();
    }
    if arrivals.len() > 2 * items + 64 {
        arrivals.retain(|(number, slot)| slots.waits(*slot, *number));
    }
}
