//! Batches of items that are alike in cost, where each item costs as much as the largest one.

use super::form::Draft;
use super::item::Reason;
use super::scheduler::Scheduler;
use super::slots::Slot;

/// Items that are looked at on either side of the first one at most.
const REACH: usize = 4096;

/// Items above the first one that are looked at, for each that fits in a batch of its cost.
const TOPS_A_PLACE: usize = 8;

/// The first item of a batch and those that could go with it.
#[derive(Debug)]
struct Candidates {
    pivot: u32,
    /// Costs and slots of the others, ascending.
    others: Vec<(u32, u32)>,
    /// Sums of the costs of as many of the others.
    sums: Vec<u64>,
}

/// Which of the candidates go: the first item, and `items - 1` others below `end`.
#[derive(Debug, Clone, Copy)]
struct Choice {
    items: usize,
    end: usize,
    /// Real tokens a token that is paid for, the call's overhead included.
    yields: f64,
    /// Whether one more would pay, and is left out for the budget's sake.
    cut: bool,
}

impl Candidates {
    /// The best batch of at most `budget` padded tokens and `max_items` items, where a call costs `overhead` tokens more.
    ///
    /// A batch is padded to its top. Below a given top, items pay as long as their share of it is above what the batch
    /// yields so far; since they get shorter and the yield grows until then, that ends once, and the place is found by
    /// bisection. All tops are tried.
    fn best(&self, budget: u64, max_items: usize, overhead: f64) -> Choice {
        let mut best = Choice { items: 1, end: 0, yields: 0.0, cut: false };
        let mut end = self.others.partition_point(|&(cost, _)| cost <= self.pivot);
        let mut top = self.pivot;
        loop {
            let room = ((budget / u64::from(top.max(1))) as usize).min(max_items);
            if room == 0 {
                return best;
            }
            let choice = self.below(top, end, room, overhead);
            if choice.yields > best.yields {
                best = choice;
            }
            let Some(&(next, _)) = self.others.get(end) else { return best };
            top = next;
            end += self.others[end..].partition_point(|&(cost, _)| cost <= top);
        }
    }

    fn below(&self, top: u32, end: usize, room: usize, overhead: f64) -> Choice {
        let top = f64::from(top);
        let pays = |items: usize| {
            let next = f64::from(self.others[end - items].0);
            next * (items as f64 * top + overhead) > self.real(items, end) * top
        };
        let most = room.min(end + 1);
        let (mut items, mut beyond) = (1, most);
        while items < beyond {
            let middle = usize::midpoint(items, beyond);
            if pays(middle) { items = middle + 1 } else { beyond = middle }
        }
        let yields = self.real(items, end) / (items as f64 * top + overhead);
        Choice { items, end, yields, cut: items == room && items <= end && pays(items) }
    }

    /// The tokens of the first item and the `items - 1` largest others below `end`.
    fn real(&self, items: usize, end: usize) -> f64 {
        (u64::from(self.pivot) + self.sums[end] - self.sums[end + 1 - items]) as f64
    }
}

impl Scheduler {
    /// Fills a batch around the first item of a queue with items of the same lane that are like it in cost.
    pub(super) fn fill_window(&mut self, draft: &mut Draft, queue: u32) {
        let Some((order, pivot)) = self.waiting.queues[queue].queue.peek() else { return };
        let cost = self.waiting.slots.get(pivot).cost;
        let max = self.limits.max_tokens.unwrap_or(u64::MAX);
        let in_time = if order.deadline == u64::MAX || self.probes {
            u64::MAX
        } else {
            self.fitter.fit().work_within(order.deadline.saturating_sub(self.now))
        };
        let candidates = self.candidates(self.waiting.queues[queue].lane, pivot, cost, max);
        let budget = max.min(in_time).max(u64::from(cost));
        let choice = candidates.best(budget, self.limits.max_items as usize, self.overhead(max));
        draft.add(self.waiting.slots.ticket(pivot), cost, order.deadline);
        self.waiting.pop(pivot, draft.worker);
        self.pick(draft, &candidates, choice);
        if choice.cut {
            let reason = if in_time < max { Reason::Deadline } else { Reason::Tokens };
            draft.full = draft.full.or(Some(reason));
        }
    }

    /// What a call costs beside its tokens, in tokens. A batch is worth padding as long as that saves a call.
    fn overhead(&self, budget: u64) -> f64 {
        let budget = budget as f64;
        self.fitter.overhead().unwrap_or(budget / 4.0).clamp(budget / 16.0, budget / 3.0)
    }

    fn candidates(&self, lane: u32, pivot: u32, cost: u32, budget: u64) -> Candidates {
        let by_cost = &self.waiting.lanes[lane].by_cost;
        let number = self.waiting.slots.get(pivot).order.number;
        let may = |&&(_, _, slot): &&(u32, u64, u32)| self.may_fill(slot, budget);
        // No batch that holds the first item has room for more.
        let room = (budget / u64::from(cost.max(1))).min(u64::from(self.limits.max_items)) as usize;
        let shorter = by_cost.range(..(cost, number, pivot)).rev().filter(may).take(room.min(REACH));
        let longer =
            by_cost.range((cost, number, pivot + 1)..).filter(may).take(room.saturating_mul(TOPS_A_PLACE).min(REACH));
        let mut others: Vec<(u32, u32)> = shorter.map(|&(cost, _, slot)| (cost, slot)).collect();
        others.reverse();
        others.extend(longer.map(|&(cost, _, slot)| (cost, slot)));
        let mut sums = vec![0; others.len() + 1];
        for (place, (cost, _)) in others.iter().enumerate() {
            sums[place + 1] = sums[place] + u64::from(*cost);
        }
        Candidates { pivot: cost, others, sums }
    }

    /// Whether an item may go with that of another tenant: not if its own has taken a whole batch more than its share.
    fn may_fill(&self, slot: u32, budget: u64) -> bool {
        let tenants = &self.waiting.tenants;
        if tenants.is_one() {
            return true;
        }
        let tenant = self.waiting.queues[self.waiting.slots.get(slot).queue].tenant;
        tenants.credit(tenant).saturating_add_unsigned(budget) > 0
    }

    /// Takes what was chosen, but for items that would miss their deadlines in a batch of this size.
    fn pick(&mut self, draft: &mut Draft, candidates: &Candidates, choice: Choice) {
        let chosen = &candidates.others[choice.end + 1 - choice.items..choice.end];
        let top = chosen.last().map_or(candidates.pivot, |(cost, _)| (*cost).max(candidates.pivot));
        let work = self.limits.work(choice.items as u64, 0, top);
        let end = self.now.saturating_add(self.fitter.fit().predict(work));
        for &(cost, slot) in chosen {
            let Slot { order, .. } = *self.waiting.slots.get(slot);
            if order.deadline < end && !self.probes {
                draft.full = Some(Reason::Deadline);
                continue;
            }
            draft.add(self.waiting.slots.ticket(slot), cost, order.deadline);
            self.waiting.pick(slot, draft.worker);
        }
    }
}
