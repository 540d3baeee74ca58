//! Promises that are about many batches.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A scheduler, the items that it holds, and a clock.
struct Run {
    scheduler: Scheduler,
    items: BTreeMap<Ticket, (Item, u64)>,
    now: u64,
}

impl Run {
    fn new(limits: Limits) -> Self {
        Self { scheduler: Scheduler::new(limits).expect("limits"), items: BTreeMap::new(), now: 0 }
    }

    fn submit(&mut self, item: Item) {
        let ticket = self.scheduler.submit(self.now, item).expect("room");
        assert_eq!(self.items.insert(ticket, (item, self.now)), None, "two items have one ticket");
    }

    /// Serves one batch in `time`; its items and when they came. Empty if there is none.
    fn serve(&mut self, time: u64) -> (Vec<(Item, u64)>, Option<Formed>) {
        let Some(formed) = self.scheduler.next(self.now, &mut Vec::new()) else { return (Vec::new(), None) };
        self.now += time;
        assert!(self.scheduler.finish(self.now, formed.id, Ended::Served));
        let items = formed.tickets.iter().map(|ticket| self.items.remove(ticket).expect("an item is in two batches"));
        (items.collect(), Some(formed))
    }
}

proptest! {
    #[test]
    fn a_window_holds_its_first_item_keeps_its_budget_and_loses_nothing(
        costs in prop::collection::vec((0u32..400, 0u32..3, 0u32..3, 0i32..2, prop::option::of(0u64..100_000)), 1..300),
        max_tokens in 400u64..4000,
        max_items in 1u32..100,
        (a, b) in (0u64..20, 0u64..10_000),
    ) {
        let limits = Limits { max_items, max_tokens: Some(max_tokens), padded: true, ..Limits::default() };
        let mut run = Run::new(limits);
        let all = costs.len();
        let mut refused = 0;
        for (cost, tenant, key, priority, deadline) in costs {
            run.now += 1;
            let item = Item { cost, tenant, key, priority, deadline: deadline.map(|deadline| run.now + deadline) };
            run.submit(item);
        }
        let mut served = 0;
        while run.scheduler.waiting() > 0 {
            let mut late = Vec::new();
            let Some(formed) = run.scheduler.next(run.now, &mut late) else {
                refused += late.len();
                break;
            };
            refused += late.len();
            let items: Vec<Item> = formed.tickets.iter().map(|ticket| run.items[ticket].0).collect();
            prop_assert!(items.len() <= max_items as usize && formed.padded <= max_tokens);
            let largest = items.iter().map(|item| item.cost).max().unwrap_or(0);
            prop_assert_eq!(formed.padded, items.len() as u64 * u64::from(largest));
            prop_assert_eq!(formed.tokens, items.iter().map(|item| u64::from(item.cost)).sum::<u64>());
            prop_assert!(items.iter().all(|item| item.key == items[0].key));
            let rank = |item: &Item| (-item.priority, item.deadline.unwrap_or(u64::MAX));
            let own = run.items.iter().filter(|(ticket, (item, _))| item.tenant == items[0].tenant && !late.contains(ticket));
            let first = own.map(|(_, (item, _))| rank(item)).min();
            prop_assert_eq!(first, Some(rank(&items[0])), "the first item is not the first in line");
            let end = run.now + run.scheduler.fit().predict(formed.padded);
            // But for those that tell whether it is still so.
            let is_late = |item: &Item| {
                let work = run.scheduler.limits().work_alone(item.cost);
                item.deadline.is_some_and(|deadline| run.now + run.scheduler.fit().predict(work) > deadline)
            };
            let met = items.iter().all(|item| item.deadline.is_none_or(|deadline| end <= deadline));
            prop_assert!(met || items.iter().all(is_late));
            run.now += a * formed.padded + b;
            prop_assert!(run.scheduler.finish(run.now, formed.id, Ended::Served));
            for ticket in formed.tickets.iter().chain(&late) {
                prop_assert!(run.items.remove(ticket).is_some(), "an item is in two batches");
            }
            served += items.len();
        }
        prop_assert_eq!(served + refused, all);
        prop_assert!(run.scheduler.is_idle());
    }

    #[test]
    fn each_backlogged_tenant_gets_its_share(
        costs in prop::collection::vec(1u64..200, 2..6),
        max_items in 1u32..40,
        max_tokens in prop::option::of(200u64..4000),
        keys in 1u64..3,
        seed in any::<u64>(),
    ) {
        let tenants = costs.len();
        let mut run = Run::new(Limits { max_items, max_tokens, ..Limits::default() });
        let mut numbers = Numbers(seed);
        let mut served = vec![0i64; tenants];
        let mut waiting = vec![0; tenants];
        let (mut largest, mut widest) = (0, 0i64);
        for _ in 0..400 {
            for (tenant, &cost) in costs.iter().enumerate() {
                while waiting[tenant] < 100 {
                    waiting[tenant] += 1;
                    let cost = numbers.below(cost) as u32 + 1;
                    // A greedy one claims priority, which counts among its own items alone.
                    let item = Item { cost, tenant: tenant as u32, key: numbers.below(keys) as u32, priority: tenant as i32, ..Item::default() };
                    run.submit(item);
                }
            }
            let (items, formed) = run.serve(1);
            let charge = |item: &Item| if max_tokens.is_some() { i64::from(item.cost) } else { 1 };
            widest = widest.max(items.iter().map(|(item, _)| charge(item)).sum());
            for (item, _) in items {
                waiting[item.tenant as usize] -= 1;
                served[item.tenant as usize] += charge(&item);
                largest = largest.max(charge(&item));
            }
            prop_assert!(formed.is_some());
            let (least, most) = (served.iter().min().unwrap_or(&0), served.iter().max().unwrap_or(&0));
            // A quantum is a mean cost, and no mean is above the largest cost that there can be; who has items of another
            // key than the batch's waits for its own.
            let quantum = if max_tokens.is_some() { *costs.iter().max().unwrap_or(&0) as i64 } else { 1 };
            let others = if keys == 1 { 0 } else { 2 * widest };
            prop_assert!(most - least <= quantum + largest + others, "{served:?}");
        }
    }

    #[test]
    fn who_has_a_key_of_its_own_gets_its_share(
        tenants in prop::collection::vec((1u32..100, 1u32..50), 2..5),
        max_items in 1u32..20,
    ) {
        let max_tokens = 400;
        let mut run = Run::new(Limits { max_items, max_tokens: Some(max_tokens), ..Limits::default() });
        let (mut served, mut waiting) = (vec![0i64; tenants.len()], vec![0; tenants.len()]);
        for _ in 0..300 {
            for (tenant, &(cost, waits)) in tenants.iter().enumerate() {
                while waiting[tenant] < max_items + waits {
                    waiting[tenant] += 1;
                    run.submit(Item { cost, tenant: tenant as u32, key: tenant as u32, ..Item::default() });
                }
            }
            for (item, _) in run.serve(1).0 {
                waiting[item.tenant as usize] -= 1;
                served[item.tenant as usize] += i64::from(item.cost);
            }
            let (least, most) = (served.iter().min().unwrap_or(&0), served.iter().max().unwrap_or(&0));
            // However much larger its batches are, nobody is ahead by more than one of them.
            prop_assert!(most - least <= max_tokens as i64 + 2 * 100, "{served:?}");
        }
    }

    #[test]
    fn a_window_takes_no_more_than_a_batch_of_another_tenants_share(
        costs in prop::collection::vec(20u64..400, 2..5),
        backlogs in prop::collection::vec(65u32..300, 5),
        seed in any::<u64>(),
    ) {
        let budget = 2000;
        let mut run = Run::new(Limits { max_tokens: Some(budget), padded: true, ..Limits::default() });
        let mut numbers = Numbers(seed);
        let (mut served, mut waiting) = (vec![0i64; costs.len()], vec![0; costs.len()]);
        for _ in 0..400 {
            for (tenant, &cost) in costs.iter().enumerate() {
                while waiting[tenant] < backlogs[tenant] {
                    waiting[tenant] += 1;
                    run.submit(Item { cost: numbers.below(cost) as u32 + 1, tenant: tenant as u32, ..Item::default() });
                }
            }
            for (item, _) in run.serve(1).0 {
                waiting[item.tenant as usize] -= 1;
                served[item.tenant as usize] += i64::from(item.cost);
            }
            let (least, most) = (served.iter().min().unwrap_or(&0), served.iter().max().unwrap_or(&0));
            // Who is a batch ahead gives no more items than one batch holds, and is ahead by a quantum of credit at most.
            prop_assert!(most - least <= 2 * budget as i64 + 400, "{served:?}");
        }
    }

    #[test]
    fn nothing_starves(ageing in 1u64..1000, priority in 1i32..20, seed in any::<u64>()) {
        let mut run = Run::new(Limits { max_items: 4, ageing, ..Limits::default() });
        let mut numbers = Numbers(seed);
        run.submit(Item::default());
        // Urgent ones come faster than they are served, and yet only those go first that came while their priority counted.
        let steps = u64::from(priority.unsigned_abs()) + 1;
        for _ in 0..10_000 {
            for _ in 0..=numbers.below(6) + 2 {
                if run.scheduler.has_room(1) {
                    run.submit(Item { priority, deadline: Some(1 << 60), ..Item::default() });
                }
            }
            let (items, _) = run.serve(10);
            for (item, arrived) in items {
                if item.priority == 0 {
                    return Ok(());
                }
                prop_assert!(arrived < steps * ageing, "an item of {arrived} went before one that had waited enough");
            }
        }
        prop_assert!(false, "it starved");
    }

    #[test]
    fn a_replay_decides_the_same(
        steps in prop::collection::vec((0u8..16, 0u64..300, any::<u64>()), 1..400),
        (max_items, max_tokens, padded, max_wait) in (1u32..9, prop::option::of(64u64..200), any::<bool>(), 0u64..2000),
        bins in prop_oneof![Just(Bins::Adaptive), (1u32..5).prop_map(Bins::Quantiles), Just(Bins::Bounds(vec![5, 20]))],
    ) {
        let limits = Limits { max_items, max_tokens, padded, max_wait, bins, workers: 2, queue_items: 60, ageing: 500, ..Limits::default() };
        let mut recorder = Recorder::new(limits.clone()).expect("limits");
        let (mut now, mut tickets, mut batches) = (0, Vec::new(), Vec::new());
        for (action, passed, number) in steps {
            now += passed;
            let mut numbers = Numbers(number);
            let item = Item {
                cost: numbers.below(64) as u32,
                priority: numbers.below(3) as i32,
                deadline: (numbers.below(3) == 0).then(|| now + numbers.below(5000)),
                tenant: numbers.below(3) as u32,
                key: numbers.below(2) as u32,
            };
            let of = |length: usize| (number % length.max(1) as u64) as usize;
            let event = match action {
                0 if !tickets.is_empty() => Event::Cancel { ticket: tickets[of(tickets.len())] },
                1..4 if !batches.is_empty() => {
                    Event::Finish { now, batch: batches[of(batches.len())], ended: Ended::Served }
                }
                4 => Event::Hurry { on: number % 2 == 0 },
                5 if number % 8 == 0 => Event::DropWaiting,
                6..10 => Event::Next { now },
                _ => Event::Submit { now, item },
            };
            match recorder.ask(event) {
                Decision::Submitted(Ok(ticket)) => tickets.push(*ticket),
                Decision::Next { formed: Some(formed), .. } => batches.push(formed.id),
                _ => {}
            }
        }
        let again = replay(limits, recorder.events()).expect("limits");
        prop_assert_eq!(&again[..], recorder.decisions());
    }
}

#[test]
fn limits_are_checked_and_say_what_is_wrong() {
    let refused = |limits: Limits| limits.check().expect_err("refused").to_string();
    assert_eq!(refused(Limits { max_items: 0, ..Limits::default() }), "max_items must be at least 1, got 0");
    assert_eq!(refused(Limits { workers: 0, ..Limits::default() }), "workers must be at least 1, got 0");
    assert_eq!(refused(Limits { max_tokens: Some(0), ..Limits::default() }), "max_tokens must be at least 1, got 0");
    assert_eq!(refused(Limits { ageing: 0, ..Limits::default() }), "ageing must be at least 1, got 0");
    let bins = |bins| refused(Limits { bins, ..Limits::default() });
    assert_eq!(bins(Bins::Quantiles(0)), "expected 1 to 1024 bins, got 0");
    assert_eq!(bins(Bins::Bounds(vec![])), "expected 1 to 1023 bounds of bins, got 0");
    assert_eq!(bins(Bins::Bounds(vec![3, 9, 9])), "the bounds of bins must ascend, got 9 before 9");
    assert!(Limits::default().check().is_ok());
}

#[test]
fn counts_of_two_schedulers_add_up() {
    let run = |seed: u64, items: u64| {
        let mut run = Run::new(Limits { queue_items: 7, max_items: 3, ..Limits::default() });
        let mut numbers = Numbers(seed);
        for _ in 0..items {
            run.now += numbers.below(50);
            match run.scheduler.submit(run.now, Item { cost: numbers.below(9) as u32, ..Item::default() }) {
                Ok(ticket) => assert!(run.items.insert(ticket, (Item::default(), 0)).is_none()),
                Err(refusal) => assert_eq!(refusal, Refusal::Items { waiting: 7, max: 7 }),
            }
            if numbers.below(3) == 0 {
                run.serve(numbers.below(1000));
            }
        }
        run.scheduler.stats().clone()
    };
    let (one, other) = (run(1, 500), run(2, 300));
    let mut both = one.clone();
    both.merge(&other);
    assert_eq!(both.submitted + both.refused_items, 800);
    assert!(both.refused_items > 0 && both.formed > 0);
    assert_eq!(both.batches, one.batches + other.batches);
    assert_eq!(both.tokens, one.tokens + other.tokens);
    assert_eq!(both.reasons.iter().sum::<u64>(), both.batches);
    assert_eq!((both.sizes.count(), both.sizes.sum()), (both.batches, u128::from(both.formed)));
    assert_eq!(both.queue_time.count(), both.formed);
    assert_eq!(both.service_time.sum(), one.service_time.sum() + other.service_time.sum());
    assert_eq!(both.largest, 3);
}
