//! How a batch is formed.

use super::clock::Ready;
use super::item::{BatchId, Formed, Reason, Ticket, Tickets};
use super::keyed::pair;
use super::queue::Order;
use super::scheduler::{Running, Scheduler};

/// Places that a batch in the making has from the start; a larger one grows.
const MOST_AT_ONCE: u32 = 1024;

/// A batch in the making.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) worker: u32,
    pub(super) tickets: Tickets,
    pub(super) tokens: u64,
    pub(super) largest: u32,
    /// The earliest deadline of its items.
    pub(super) deadline: u64,
    /// Why nothing more goes in.
    pub(super) full: Option<Reason>,
    /// What every tenant may use beside its credit, since there is room.
    advanced: i64,
    /// Items that would miss their deadlines in this batch: queue, order, slot.
    aside: Vec<(u32, Order, u32)>,
}

/// Whether an item goes into a batch in the making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Goes,
    /// It would miss its deadline, which it need not in the next batch.
    Waits,
    /// Nothing more goes in.
    Full(Reason),
}

impl Draft {
    fn new(worker: u32, room: u32) -> Self {
        Self {
            worker,
            tickets: Tickets::with_capacity(room.min(MOST_AT_ONCE) as usize),
            tokens: 0,
            largest: 0,
            deadline: u64::MAX,
            full: None,
            advanced: 0,
            aside: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.tickets.len() as u64
    }

    pub(super) fn add(&mut self, ticket: Ticket, cost: u32, deadline: u64) {
        self.tickets.push(ticket);
        self.tokens += u64::from(cost);
        self.largest = self.largest.max(cost);
        self.deadline = self.deadline.min(deadline);
    }
}

impl Scheduler {
    /// Forms a batch. A worker is free and something waits.
    pub(super) fn form(&mut self) -> Option<Formed> {
        let worker = self.free_worker();
        if let Some((ticket, cost)) = self.waiting.pop_lone(worker) {
            let mut draft = Draft::new(worker, 1);
            draft.add(ticket, cost, u64::MAX);
            return Some(self.launch(draft, Ready::Free));
        }
        let (queue, ready) = self.lead()?;
        let mut draft = Draft::new(worker, self.limits.max_items.min(self.waiting.items));
        if self.limits.windowed() {
            self.fill_window(&mut draft, queue);
        } else {
            self.fill_in_line(&mut draft, queue);
        }
        Some(self.launch(draft, ready))
    }

    fn free_worker(&mut self) -> u32 {
        let free = self.workers.iter().position(|worker| worker.running.is_none());
        free.unwrap_or_else(|| {
            self.workers.push(super::scheduler::Worker::default());
            self.workers.len() - 1
        }) as u32
    }

    /// The queue that gives the first item: of the tenant whose turn it is the one whose first item goes first.
    fn lead(&mut self) -> Option<(u32, Ready)> {
        if !self.holds_back() {
            let tenant = self.waiting.tenants.turn(|_| true)?;
            return Some((self.most_urgent(tenant, |_| true)?, Ready::Free));
        }
        let ready = self.ready_lanes()?;
        let of = |queue: u32| ready[self.waiting.queues[queue].lane as usize];
        let tenant = self.waiting.tenants.turn(|tenant| tenant.queues.iter().any(|&queue| of(queue).is_some()))?;
        let queue = self.most_urgent(tenant, |queue| of(queue).is_some())?;
        Some((queue, of(queue)?))
    }

    /// Whether each lane may give a batch, by its index; None if none may.
    fn ready_lanes(&self) -> Option<Vec<Option<Ready>>> {
        let lanes = &self.waiting.lanes;
        let mut may = lanes.indices().filter_map(|lane| Some((lane, self.ready(&lanes[lane])?))).peekable();
        may.peek()?;
        let mut ready = vec![None; lanes.capacity()];
        for (lane, why) in may {
            ready[lane as usize] = Some(why);
        }
        Some(ready)
    }

    fn most_urgent(&self, tenant: u32, can: impl Fn(u32) -> bool) -> Option<u32> {
        match self.waiting.tenants.get(tenant).queues[..] {
            [queue] => can(queue).then_some(queue),
            ref queues => queues
                .iter()
                .copied()
                .filter(|&queue| can(queue))
                .min_by_key(|&queue| self.waiting.queues[queue].queue.peek().map(|(order, _)| order)),
        }
    }

    /// Fills a batch with the first item of a queue and those that come next.
    fn fill_in_line(&mut self, draft: &mut Draft, queue: u32) {
        let lane = &self.waiting.lanes[self.waiting.queues[queue].lane];
        let (key, bin) = (lane.key, lane.bin);
        self.try_head(draft, queue);
        self.fill(draft, key, bin);
        self.put_back(draft);
    }

    /// Fills a batch from the lane of its first item, then from shorter ones of the key, nearest first, then longer ones.
    fn fill(&mut self, draft: &mut Draft, key: u32, bin: u32) {
        for bin in (0..=bin).rev().chain(bin + 1..self.bins()) {
            if draft.full.is_some() {
                return;
            }
            if let Some(lane) = self.waiting.lanes.find(pair(key, bin)) {
                self.fill_from(draft, lane);
            }
        }
    }

    fn fill_from(&mut self, draft: &mut Draft, lane: u32) {
        if self.waiting.tenants.is_one() {
            let tenant = self.waiting.tenants.at(0);
            if let Some(queue) = self.waiting.queues.find(pair(lane, tenant)) {
                while self.try_head(draft, queue) {}
            }
            return;
        }
        // Each round: everybody who has credit uses it, in the order of turns; then everybody may use more.
        while let Some(credit) = self.round(draft, lane) {
            draft.advanced += self.waiting.tenants.advance(credit);
        }
    }

    /// Lets all tenants with credit put their items of a lane into a batch. Returns the credit of the one who needs least
    /// to go on; None if nobody could, or nothing more goes in.
    fn round(&mut self, draft: &mut Draft, lane: u32) -> Option<i64> {
        let (mut place, mut most) = (0, None);
        while place < self.waiting.tenants.len() {
            let tenant = self.waiting.tenants.at(place);
            let items = self.waiting.tenants.len();
            if let Some(queue) = self.waiting.queues.find(pair(lane, tenant)) {
                let has_more = self.spend(draft, queue, tenant);
                if draft.full.is_some() {
                    return None;
                }
                if has_more {
                    most = most.max(Some(self.waiting.tenants.credit(tenant) + draft.advanced));
                }
            }
            // Who has nothing left is out of the ring, and the next one in its place.
            place += usize::from(items == self.waiting.tenants.len());
        }
        most
    }

    /// Lets a tenant use its credit; whether it has more items that could go.
    fn spend(&mut self, draft: &mut Draft, queue: u32, tenant: u32) -> bool {
        while self.waiting.tenants.credit(tenant) + draft.advanced > 0 {
            if !self.try_head(draft, queue) {
                return false;
            }
        }
        self.waiting.queues[queue].queue.peek().is_some()
    }

    /// Puts the first item of a queue into a batch if it goes in, or aside; false if the queue is empty or nothing more
    /// goes in.
    fn try_head(&mut self, draft: &mut Draft, queue: u32) -> bool {
        let Some((order, slot)) = self.waiting.queues[queue].queue.peek() else { return false };
        let cost = self.waiting.slots.get(slot).cost;
        match self.verdict(draft, cost, order.deadline) {
            Verdict::Goes => {
                draft.add(self.waiting.slots.ticket(slot), cost, order.deadline);
                self.waiting.pop(slot, draft.worker);
                true
            }
            Verdict::Waits => {
                draft.aside.push((queue, order, slot));
                self.waiting.queues[queue].queue.pop(&self.waiting.slots);
                true
            }
            Verdict::Full(reason) => {
                draft.full = Some(reason);
                false
            }
        }
    }

    fn verdict(&self, draft: &Draft, cost: u32, deadline: u64) -> Verdict {
        if draft.tickets.is_empty() {
            return Verdict::Goes;
        }
        let items = draft.len() + 1;
        if items > u64::from(self.limits.max_items) {
            return Verdict::Full(Reason::Items);
        }
        let (tokens, largest) = (draft.tokens + u64::from(cost), draft.largest.max(cost));
        if self.limits.max_tokens.is_some_and(|max| self.limits.charged(items, tokens, largest) > max) {
            return Verdict::Full(Reason::Tokens);
        }
        if draft.deadline.min(deadline) == u64::MAX || self.probes {
            return Verdict::Goes;
        }
        let end = self.now.saturating_add(self.fitter.fit().predict(self.limits.work(items, tokens, largest)));
        if end > draft.deadline {
            Verdict::Full(Reason::Deadline)
        } else if end > deadline {
            Verdict::Waits
        } else {
            Verdict::Goes
        }
    }

    /// Puts back what was set aside, the last one first, so that each one is the first of its queue again.
    fn put_back(&mut self, draft: &mut Draft) {
        if !draft.aside.is_empty() {
            draft.full = draft.full.or(Some(Reason::Deadline));
        }
        while let Some((queue, order, slot)) = draft.aside.pop() {
            self.waiting.queues[queue].queue.put_back(order, slot);
        }
    }

    /// Starts a batch on its worker.
    fn launch(&mut self, draft: Draft, ready: Ready) -> Formed {
        let padded = self.limits.charged(draft.len(), draft.tokens, draft.largest);
        let reason = self.reason(&draft, padded, ready);
        for ticket in &draft.tickets {
            self.stats.queue_time.record(self.now - self.waiting.slots.get(ticket.slot() as u32).arrived);
        }
        let worker = &mut self.workers[draft.worker as usize];
        worker.running = Some(Running {
            tickets: draft.tickets.clone(),
            wanted: draft.tickets.len(),
            since: self.now,
            work: self.limits.work(draft.len(), draft.tokens, draft.largest),
        });
        self.running += 1;
        let id = BatchId::new(draft.worker, worker.generation);
        Formed { id, tickets: draft.tickets, reason, tokens: draft.tokens, padded }
    }

    fn reason(&self, draft: &Draft, charged: u64, ready: Ready) -> Reason {
        if draft.len() >= u64::from(self.limits.max_items) {
            return Reason::Items;
        }
        if self.limits.max_tokens.is_some_and(|max| charged >= max) {
            return Reason::Tokens;
        }
        draft.full.unwrap_or(match ready {
            Ready::Waited => Reason::Wait,
            Ready::LatestStart => Reason::Deadline,
            Ready::Free if self.waiting.items == 0 => Reason::Worker,
            Ready::Free => Reason::Compatible,
        })
    }
}
