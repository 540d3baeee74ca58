//! What the passing of time alone brings: items that are late, lanes that have waited enough.

use super::item::Ticket;
use super::scheduler::Scheduler;
use super::waiting::Lane;

/// How much earlier than at its latest start a lane goes, for timers that come late.
const MARGIN: u64 = 5_000_000;

/// Why a lane may give a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// Nothing holds it back.
    Free,
    /// It waited long enough.
    Waited,
    /// Its latest start has come.
    LatestStart,
}

impl Scheduler {
    /// The earliest time at which `next` could do something without another event, in nanoseconds; in the past if it
    /// could at once. None if it never will.
    pub fn wake(&self) -> Option<u64> {
        let lanes = if self.free_workers() > 0 { self.lanes_wake() } else { None };
        lanes.into_iter().chain(self.next_late()).min()
    }

    fn lanes_wake(&self) -> Option<u64> {
        if !self.holds_back() {
            return (self.waiting.items > 0).then_some(0);
        }
        self.waiting.lanes.indices().map(|lane| self.lane_wake(&self.waiting.lanes[lane])).min()
    }

    /// When a lane may give a batch, if nothing comes.
    fn lane_wake(&self, lane: &Lane) -> u64 {
        if self.is_full(lane) {
            return 0;
        }
        self.waited(lane).min(self.latest_start(lane))
    }

    /// Whether lanes wait to be filled.
    pub(super) fn holds_back(&self) -> bool {
        self.limits.max_wait > 0 && !self.hurries
    }

    /// Whether a lane may give a batch now, and why.
    pub(super) fn ready(&self, lane: &Lane) -> Option<Ready> {
        if !self.holds_back() || self.is_full(lane) {
            Some(Ready::Free)
        } else if self.waited(lane) <= self.now {
            Some(Ready::Waited)
        } else {
            (self.latest_start(lane) <= self.now).then_some(Ready::LatestStart)
        }
    }

    fn is_full(&self, lane: &Lane) -> bool {
        let charged = self.limits.charged(u64::from(lane.items), lane.tokens, lane.largest());
        lane.items >= self.limits.max_items || self.limits.max_tokens.is_some_and(|max| charged >= max)
    }

    /// When the oldest item of a lane has waited long enough.
    fn waited(&self, lane: &Lane) -> u64 {
        let oldest = lane.arrivals.front().map_or(0, |(_, slot)| self.waiting.slots.get(*slot).arrived);
        oldest.saturating_add(self.limits.max_wait)
    }

    /// When a lane has to start to meet all its deadlines, as one batch: at once while it is not known how long service
    /// takes.
    fn latest_start(&self, lane: &Lane) -> u64 {
        let Some((deadline, _)) = lane.deadlines.first() else { return u64::MAX };
        let fit = self.fitter.fit();
        if fit.samples == 0 {
            return 0;
        }
        let work = self.limits.work(u64::from(lane.items), lane.tokens, lane.largest());
        deadline.saturating_sub(fit.predict(work).saturating_add(MARGIN))
    }

    /// When the next item has to be dropped, if it still waits.
    fn next_late(&self) -> Option<u64> {
        let longest = self.alone(self.waiting.costliest);
        let mut earliest = u64::MAX;
        for &(deadline, slot) in &self.waiting.deadlines {
            // None of those that follow starts before this.
            if deadline.saturating_sub(longest) >= earliest {
                break;
            }
            earliest = earliest.min(self.last_start(deadline, slot));
        }
        (earliest < u64::MAX).then(|| earliest + 1)
    }

    /// The last moment at which an item could start to be served, alone, and meet its deadline.
    fn last_start(&self, deadline: u64, slot: u32) -> u64 {
        deadline.saturating_sub(self.alone(self.waiting.slots.get(slot).cost))
    }

    /// Drops the items that could not meet their deadlines even if they were served now and alone.
    ///
    /// If that is so of all that wait, and nothing runs, those whose deadlines are not over stay: their call takes nobody's
    /// place, and tells how long service takes now. Without it one slow call would have all that follow refused.
    pub(super) fn drop_late(&mut self, late: &mut Vec<Ticket>) {
        self.probes = false;
        if self.waiting.deadlines.is_empty() {
            return;
        }
        let end = self.now.saturating_add(self.alone(self.waiting.costliest));
        let due = self.waiting.deadlines.range(..(end, 0));
        let mut gone: Vec<u32> = due
            .filter(|&&(deadline, slot)| {
                self.now.saturating_add(self.alone(self.waiting.slots.get(slot).cost)) > deadline
            })
            .map(|(_, slot)| *slot)
            .collect();
        if self.running == 0 && gone.len() == self.waiting.items as usize {
            let before = gone.len();
            gone.retain(|&slot| self.waiting.slots.get(slot).order.deadline < self.now);
            self.probes = gone.len() < before;
        }
        self.stats.late += gone.len() as u64;
        for slot in gone {
            late.push(self.drop_slot(slot));
        }
    }
}
