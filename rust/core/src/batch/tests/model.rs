//! Every decision is that of the oracle.

use proptest::prelude::*;

use super::oracle::Oracle;
use super::*;

fn limits() -> impl Strategy<Value = Limits> {
    let budget = (1u32..9, prop::option::of(1u64..60), any::<bool>());
    let queue = (1u32..40, prop::option::of(1u64..400));
    let bins = prop_oneof![
        Just(Bins::Adaptive),
        prop::collection::btree_set(1u32..20, 1..4).prop_map(|bounds| Bins::Bounds(bounds.into_iter().collect())),
    ];
    let times = (prop_oneof![Just(0u64), 1u64..3000], 1u64..2000);
    (budget, queue, bins, times, 1u32..4).prop_map(|(budget, queue, bins, (max_wait, ageing), workers)| Limits {
        max_items: budget.0,
        max_tokens: budget.1,
        // By cost, the oracle knows of no batches.
        padded: budget.2 && bins != Bins::Adaptive,
        max_wait,
        workers,
        queue_items: queue.0,
        queue_tokens: queue.1,
        bins,
        ageing,
    })
}

/// How varied items are: numbers of tenants, keys and priorities, the largest cost, and deadlines in a hundred.
type Variety = (u64, u64, u64, u64, u64);

fn item(numbers: &mut Numbers, now: u64, variety: Variety) -> Item {
    let (tenants, keys, priorities, cost, deadlines) = variety;
    Item {
        cost: numbers.below(cost) as u32,
        priority: numbers.below(priorities) as i32,
        deadline: (numbers.below(100) < deadlines).then(|| now + numbers.below(4000)),
        tenant: numbers.below(tenants) as u32,
        key: numbers.below(keys) as u32,
    }
}

struct Both {
    scheduler: Scheduler,
    oracle: Oracle,
    numbers: Numbers,
    now: u64,
    tickets: Vec<Ticket>,
    batches: Vec<BatchId>,
    /// Items by what became of them.
    taken: u64,
    left: u64,
}

impl Both {
    fn step(&mut self, variety: Variety) {
        self.now += [0, 0, 1, 50, 400][self.numbers.below(5) as usize];
        match self.numbers.below(200) {
            0..90 => self.submit(variety),
            90..140 => _ = self.next(),
            140..170 => self.finish(),
            170..190 => self.cancel(),
            190..196 => self.sleep(),
            196..199 => {
                let on = self.numbers.below(2) == 0;
                self.scheduler.hurry(on);
                self.oracle.hurry(on);
            }
            _ => {
                let dropped = self.scheduler.drop_waiting();
                assert_eq!(dropped, self.oracle.drop_waiting());
                self.left += dropped.len() as u64;
            }
        }
        self.compare();
    }

    fn submit(&mut self, variety: Variety) {
        let item = item(&mut self.numbers, self.now, variety);
        let has_room = self.scheduler.has_room(item.cost);
        let (got, expected) = (self.scheduler.submit(self.now, item), self.oracle.submit(self.now, item));
        assert_eq!(got, expected);
        assert_eq!(has_room, matches!(got, Ok(_) | Err(Refusal::TooLate { .. })));
        if let Ok(ticket) = got {
            self.taken += 1;
            self.tickets.push(ticket);
        }
    }

    /// Whether anything happened.
    fn next(&mut self) -> bool {
        let (mut late, mut expected_late) = (Vec::new(), Vec::new());
        let formed = self.scheduler.next(self.now, &mut late);
        assert_eq!(formed, self.oracle.next(self.now, &mut expected_late));
        assert_eq!(late, expected_late);
        self.left += late.len() as u64;
        if let Some(formed) = &formed {
            self.left += formed.tickets.len() as u64;
            self.batches.push(formed.id);
        }
        formed.is_some() || !late.is_empty()
    }

    fn finish(&mut self) {
        // Now and then one that is over.
        let Some(batch) =
            self.batches.len().checked_sub(1).map(|last| self.batches[last - last.min(self.numbers.below(4) as usize)])
        else {
            return;
        };
        let ended = [Ended::Served, Ended::Served, Ended::Failed, Ended::Cancelled][self.numbers.below(4) as usize];
        let got = self.scheduler.finish(self.now, batch, ended);
        assert_eq!(got, self.oracle.finish(self.now, batch, ended));
    }

    fn cancel(&mut self) {
        if self.tickets.is_empty() {
            return;
        }
        let back = self.numbers.below(self.tickets.len().min(40) as u64) as usize;
        let ticket = self.tickets[self.tickets.len() - 1 - back];
        let left = self.scheduler.cancel(ticket);
        assert_eq!(left, self.oracle.cancel(ticket));
        self.left += u64::from(left == Left::Waiting);
    }

    /// Nothing happens before `wake` says, and something then.
    fn sleep(&mut self) {
        while self.next() {}
        let Some(wake) = self.scheduler.wake() else { return };
        assert!(wake > self.now, "{wake} has passed, and nothing is done at {}", self.now);
        self.now = wake - 1;
        assert!(!self.next(), "something is done before {wake}");
        self.now = wake;
        assert!(self.next(), "nothing is done at {wake}");
    }

    fn compare(&self) {
        assert_eq!(self.scheduler.wake(), self.oracle.wake());
        assert_eq!(self.scheduler.waiting() as usize, self.oracle.waiting.len());
        let stats = self.scheduler.stats();
        assert_eq!(self.taken, stats.submitted);
        assert_eq!(self.left, stats.formed + stats.late + stats.cancelled_waiting);
        assert_eq!(self.taken - self.left, u64::from(self.scheduler.waiting()), "an item is lost or doubled");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn every_decision_is_that_of_the_oracle(
        limits in limits(),
        variety in (1u64..5, 1u64..4, 1u64..4, 1u64..40, prop_oneof![Just(0u64), 1u64..100]),
        seed in any::<u64>(),
        steps in 1usize..4100,
    ) {
        let mut both = Both {
            scheduler: Scheduler::new(limits.clone()).expect("limits"),
            oracle: Oracle::new(&limits),
            numbers: Numbers(seed),
            now: 0,
            tickets: Vec::new(),
            batches: Vec::new(),
            taken: 0,
            left: 0,
        };
        for _ in 0..steps {
            both.step(variety);
        }
    }
}
