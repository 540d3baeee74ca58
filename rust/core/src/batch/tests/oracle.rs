//! The scheduler once more, as slow and plain as can be: a list of items that is searched for everything.

use std::collections::BTreeMap;

use super::*;
use crate::batch::fit::Fitter;

#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) ticket: Ticket,
    item: Item,
    arrived: u64,
    number: u64,
}

#[derive(Debug)]
struct Batch {
    id: BatchId,
    tickets: Vec<Ticket>,
    unwanted: Vec<Ticket>,
    since: u64,
    work: u64,
}

#[derive(Debug)]
pub(super) struct Oracle {
    limits: Limits,
    bounds: Vec<u32>,
    now: u64,
    pub(super) waiting: Vec<Waiter>,
    /// Tenants that have items waiting, the one whose turn it is first, with their credit.
    ring: Vec<(u32, i64)>,
    batches: Vec<Batch>,
    fitter: Fitter,
    hurries: bool,
    probes: bool,
    taken: u64,
    costs: u64,
    /// How often each slot and each worker was freed.
    slots: BTreeMap<usize, u32>,
    workers: BTreeMap<usize, u32>,
}

/// A batch in the making.
#[derive(Default)]
struct Draft {
    items: Vec<Waiter>,
    aside: Vec<u64>,
    full: Option<Reason>,
    /// What every tenant may use beside its credit.
    advanced: i64,
}

impl Oracle {
    pub(super) fn new(limits: &Limits) -> Self {
        let bounds = if let Bins::Bounds(bounds) = &limits.bins { bounds.clone() } else { Vec::new() };
        Self {
            limits: limits.clone(),
            bounds,
            now: 0,
            waiting: Vec::new(),
            ring: Vec::new(),
            batches: Vec::new(),
            fitter: Fitter::default(),
            hurries: false,
            probes: false,
            taken: 0,
            costs: 0,
            slots: BTreeMap::new(),
            workers: BTreeMap::new(),
        }
    }

    fn bin(&self, item: &Item) -> usize {
        self.bounds.iter().filter(|&&bound| bound < item.cost).count()
    }

    fn charge(&self, item: &Item) -> i64 {
        if self.limits.max_tokens.is_some() { i64::from(item.cost.max(1)) } else { 1 }
    }

    fn order(&self, waiter: &Waiter) -> (i64, u64, u64) {
        let class = i64::from(waiter.item.priority) - (waiter.arrived / self.limits.ageing) as i64;
        (-class, waiter.item.deadline.unwrap_or(u64::MAX), waiter.number)
    }

    fn tokens(&self) -> u64 {
        self.waiting.iter().map(|waiter| u64::from(waiter.item.cost)).sum()
    }

    pub(super) fn submit(&mut self, now: u64, item: Item) -> Result<Ticket, Refusal> {
        self.now = now;
        let largest = self.limits.max_tokens.into_iter().chain(self.limits.queue_tokens).min().unwrap_or(u64::MAX);
        let (waiting, tokens) = (self.waiting.len() as u32, self.tokens());
        if u64::from(item.cost) > largest {
            return Err(Refusal::TooLarge { cost: item.cost, max: largest });
        }
        if waiting == self.limits.queue_items {
            return Err(Refusal::Items { waiting, max: waiting });
        }
        if let Some(max) = self.limits.queue_tokens
            && tokens + u64::from(item.cost) > max
        {
            return Err(Refusal::Tokens { waiting: tokens, cost: item.cost, max });
        }
        if let Some(deadline) = item.deadline {
            let needed = self.service(&[item]);
            if deadline < now || (now + needed > deadline && !self.batches.is_empty()) {
                return Err(Refusal::TooLate { left: deadline.saturating_sub(now), needed });
            }
        }
        self.taken += 1;
        self.costs += self.charge(&item) as u64;
        if !self.ring.iter().any(|(tenant, _)| *tenant == item.tenant) {
            if let [(_, credit)] = &mut self.ring[..] {
                *credit = 0;
            }
            self.ring.push((item.tenant, 0));
        }
        let slot = (0..=self.held().count()).find(|slot| !self.held().any(|ticket| ticket.slot() == *slot));
        let slot = slot.expect("one more than are held");
        let ticket = Ticket::new(slot as u32, self.slots.get(&slot).copied().unwrap_or(0));
        self.waiting.push(Waiter { ticket, item, arrived: now, number: self.taken });
        Ok(ticket)
    }

    fn held(&self) -> impl Iterator<Item = Ticket> {
        let running = self.batches.iter().flat_map(|batch| &batch.tickets);
        self.waiting.iter().map(|waiter| waiter.ticket).chain(running.copied())
    }

    /// The work of a batch of these items.
    fn work(&self, items: &[Item]) -> u64 {
        if self.limits.max_tokens.is_some() { self.charged(items) } else { items.len() as u64 }
    }

    fn charged(&self, items: &[Item]) -> u64 {
        let costs = items.iter().map(|item| u64::from(item.cost));
        if self.limits.padded { items.len() as u64 * costs.max().unwrap_or(0) } else { costs.sum() }
    }

    fn service(&self, items: &[Item]) -> u64 {
        self.fitter.fit().predict(self.work(items))
    }

    pub(super) fn cancel(&mut self, ticket: Ticket) -> Left {
        if let Some(place) = self.waiting.iter().position(|waiter| waiter.ticket == ticket) {
            let gone = self.take(place);
            self.free(gone.ticket);
            return Left::Waiting;
        }
        for batch in &mut self.batches {
            if batch.tickets.contains(&ticket) {
                let again = batch.unwanted.contains(&ticket);
                batch.unwanted.push(ticket);
                batch.unwanted.sort();
                batch.unwanted.dedup();
                let last = !again && batch.unwanted.len() == batch.tickets.len();
                return Left::Running { batch: batch.id, last };
            }
        }
        Left::Unknown
    }

    /// Takes an item off the list, and its tenant off the ring if that was all.
    fn take(&mut self, place: usize) -> Waiter {
        let gone = self.waiting.remove(place);
        let tenant = gone.item.tenant;
        if !self.waiting.iter().any(|waiter| waiter.item.tenant == tenant) {
            self.ring.retain(|(other, _)| *other != tenant);
        }
        gone
    }

    fn free(&mut self, ticket: Ticket) {
        *self.slots.entry(ticket.slot()).or_default() += 1;
    }

    pub(super) fn drop_waiting(&mut self) -> Vec<Ticket> {
        let gone: Vec<Ticket> = self.waiting.iter().map(|waiter| waiter.ticket).collect();
        for &ticket in &gone {
            self.cancel(ticket);
        }
        gone
    }

    pub(super) fn hurry(&mut self, on: bool) {
        self.hurries = on;
    }

    pub(super) fn finish(&mut self, now: u64, id: BatchId, ended: Ended) -> bool {
        self.now = now;
        let Some(place) = self.batches.iter().position(|batch| batch.id == id) else { return false };
        let batch = self.batches.remove(place);
        for ticket in batch.tickets {
            self.free(ticket);
        }
        *self.workers.entry(id.worker()).or_default() += 1;
        if ended == Ended::Served {
            self.fitter.observe(batch.work, now - batch.since);
        }
        true
    }

    fn last_start(&self, waiter: &Waiter) -> Option<i128> {
        let deadline = i128::from(waiter.item.deadline?);
        Some(deadline - i128::from(self.service(&[waiter.item])))
    }

    pub(super) fn wake(&self) -> Option<u64> {
        let late =
            self.waiting.iter().filter_map(|waiter| self.last_start(waiter)).map(|start| start.max(0) as u64 + 1);
        let ready = self.waiting.iter().map(|waiter| self.lane_start(waiter.item.key, self.bin(&waiter.item)).0);
        if self.batches.len() < self.limits.workers as usize { late.chain(ready).min() } else { late.min() }
    }

    /// When a lane may go, and for which reason then.
    fn lane_start(&self, key: u32, bin: usize) -> (u64, Option<Reason>) {
        let lane: Vec<&Waiter> =
            self.waiting.iter().filter(|waiter| waiter.item.key == key && self.bin(&waiter.item) == bin).collect();
        let items: Vec<Item> = lane.iter().map(|waiter| waiter.item).collect();
        let full = items.len() >= self.limits.max_items as usize
            || self.limits.max_tokens.is_some_and(|max| self.charged(&items) >= max);
        if self.limits.max_wait == 0 || self.hurries || full {
            return (0, None);
        }
        let waited = lane.iter().map(|waiter| waiter.arrived + self.limits.max_wait).min().unwrap_or(u64::MAX);
        let deadline = items.iter().filter_map(|item| item.deadline).min();
        let start = deadline.map_or(u64::MAX, |deadline| deadline.saturating_sub(self.service(&items) + 5_000_000));
        let start = if deadline.is_some() && self.fitter.fit().samples == 0 { 0 } else { start };
        if waited <= self.now || waited <= start {
            (waited.min(start), Some(Reason::Wait))
        } else {
            (start, Some(Reason::Deadline))
        }
    }

    pub(super) fn next(&mut self, now: u64, late: &mut Vec<Ticket>) -> Option<Formed> {
        self.now = now;
        let mut gone: Vec<Waiter> = self.waiting.clone();
        gone.retain(|waiter| self.last_start(waiter).is_some_and(|start| i128::from(now) > start));
        self.probes = self.batches.is_empty()
            && gone.len() == self.waiting.len()
            && gone.iter().any(|waiter| waiter.item.deadline >= Some(now));
        if self.probes {
            gone.retain(|waiter| waiter.item.deadline < Some(now));
        }
        gone.sort_by_key(|waiter| (waiter.item.deadline, waiter.ticket.slot()));
        for waiter in gone {
            self.cancel(waiter.ticket);
            late.push(waiter.ticket);
        }
        if self.batches.len() == self.limits.workers as usize {
            return None;
        }
        let ready: Vec<Waiter> = self
            .waiting
            .iter()
            .filter(|waiter| self.lane_start(waiter.item.key, self.bin(&waiter.item)).0 <= now)
            .cloned()
            .collect();
        let tenant = self.turn(&ready)?;
        let first = ready.into_iter().filter(|waiter| waiter.item.tenant == tenant);
        let first = first.min_by_key(|waiter| self.order(waiter))?;
        Some(self.batch(&first))
    }

    /// The tenant whose turn it is among those that have items ready.
    fn turn(&mut self, ready: &[Waiter]) -> Option<u32> {
        if ready.is_empty() {
            return None;
        }
        loop {
            for place in 0..self.ring.len() {
                let (tenant, credit) = self.ring[place];
                let alone = self.ring.len() == 1;
                if (credit > 0 || alone) && ready.iter().any(|waiter| waiter.item.tenant == tenant) {
                    self.ring.rotate_left(place);
                    return Some(tenant);
                }
            }
            let quantum = self.quantum();
            for (_, credit) in &mut self.ring {
                *credit += quantum;
            }
        }
    }

    fn quantum(&self) -> i64 {
        ((self.costs / self.taken) as i64).max(1)
    }

    fn batch(&mut self, first: &Waiter) -> Formed {
        let (key, bin) = (first.item.key, self.bin(&first.item));
        let (_, why) = self.lane_start(key, bin);
        let mut draft = Draft::default();
        self.offer(&mut draft, first.number);
        for bin in (0..=bin).rev().chain(bin + 1..=self.bounds.len()) {
            self.fill(&mut draft, key, bin);
        }
        let items: Vec<Item> = draft.items.iter().map(|waiter| waiter.item).collect();
        let charged = self.charged(&items);
        let fitting = match why {
            Some(why) => why,
            None if self.waiting.is_empty() => Reason::Worker,
            None => Reason::Compatible,
        };
        let reason = if items.len() == self.limits.max_items as usize {
            Reason::Items
        } else if self.limits.max_tokens.is_some_and(|max| charged >= max) {
            Reason::Tokens
        } else {
            draft.full.unwrap_or(if draft.aside.is_empty() { fitting } else { Reason::Deadline })
        };
        let busy: Vec<usize> = self.batches.iter().map(|batch| batch.id.worker()).collect();
        let worker = (0..=busy.len()).find(|worker| !busy.contains(worker)).expect("one more than are busy");
        let id = BatchId::new(worker as u32, self.workers.get(&worker).copied().unwrap_or(0));
        let tickets: Vec<Ticket> = draft.items.iter().map(|waiter| waiter.ticket).collect();
        let work = self.work(&items);
        self.batches.push(Batch { id, tickets: tickets.clone(), unwanted: Vec::new(), since: self.now, work });
        let tokens = items.iter().map(|item| u64::from(item.cost)).sum();
        Formed { id, tickets: tickets.into(), reason, tokens, padded: charged }
    }

    fn head(&self, draft: &Draft, key: u32, bin: usize, tenant: u32) -> Option<u64> {
        let lane = self.waiting.iter().filter(|waiter| waiter.item.key == key && self.bin(&waiter.item) == bin);
        let own = lane.filter(|waiter| waiter.item.tenant == tenant && !draft.aside.contains(&waiter.number));
        own.min_by_key(|waiter| self.order(waiter)).map(|waiter| waiter.number)
    }

    fn fill(&mut self, draft: &mut Draft, key: u32, bin: usize) {
        loop {
            for (tenant, _) in self.ring.clone() {
                while draft.full.is_none()
                    && self.may_go_on(draft, tenant)
                    && let Some(head) = self.head(draft, key, bin, tenant)
                {
                    self.offer(draft, head);
                }
            }
            let left: Vec<u32> = self.ring.iter().map(|(tenant, _)| *tenant).collect();
            let left: Vec<u32> =
                left.into_iter().filter(|tenant| self.head(draft, key, bin, *tenant).is_some()).collect();
            if draft.full.is_some() || left.is_empty() {
                return;
            }
            while !left.iter().any(|&tenant| self.may_go_on(draft, tenant)) {
                draft.advanced += self.quantum();
            }
        }
    }

    fn may_go_on(&self, draft: &Draft, tenant: u32) -> bool {
        let has = |&(other, credit): &(u32, i64)| other == tenant && credit + draft.advanced > 0;
        self.ring.len() == 1 || self.ring.iter().any(has)
    }

    /// Adds an item to a batch, or sets it aside, or closes the batch.
    fn offer(&mut self, draft: &mut Draft, number: u64) {
        let place = self.waiting.iter().position(|waiter| waiter.number == number).expect("it waits");
        let item = self.waiting[place].item;
        let mut items: Vec<Item> = draft.items.iter().map(|waiter| waiter.item).collect();
        let earliest = items.iter().filter_map(|item| item.deadline).min().unwrap_or(u64::MAX);
        let is_first = items.is_empty();
        items.push(item);
        let end = self.now + self.service(&items);
        if !is_first {
            if items.len() > self.limits.max_items as usize {
                draft.full = Some(Reason::Items);
                return;
            }
            if self.limits.max_tokens.is_some_and(|max| self.charged(&items) > max) {
                draft.full = Some(Reason::Tokens);
                return;
            }
            if end > earliest && !self.probes {
                draft.full = Some(Reason::Deadline);
                return;
            }
            if end > item.deadline.unwrap_or(u64::MAX) && !self.probes {
                draft.aside.push(number);
                return;
            }
        }
        let batch = self.limits.max_tokens.unwrap_or(u64::from(self.limits.max_items)) as i64;
        let (charge, several) = (self.charge(&item), self.ring.len() > 1);
        for (tenant, credit) in &mut self.ring {
            if *tenant == item.tenant && several {
                *credit = (*credit - charge).max(-4 * batch);
            }
        }
        let taken = self.take(place);
        draft.items.push(taken);
    }
}
