//! How long the scheduler itself takes; run with `cargo test --release -- --ignored --nocapture speed`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::*;

/// Nanoseconds an item, from `submit` to `finish`, with so many waiting: the best of some rounds.
fn nanoseconds_an_item(limits: &Limits, waiting: u32, mut item: impl FnMut() -> Item) -> f64 {
    let mut scheduler = Scheduler::new(limits.clone()).expect("limits");
    let (mut now, mut late, mut best) = (0, Vec::new(), Duration::MAX);
    let items: Vec<Item> = (0..waiting).map(|_| item()).collect();
    for _ in 0..30 {
        let start = clock();
        for &item in &items {
            now += 1;
            black_box(scheduler.submit(now, item)).expect("room");
        }
        while let Some(batch) = scheduler.next(now, &mut late) {
            now += 1;
            assert!(scheduler.finish(now, batch.id, Ended::Served));
            black_box(batch);
        }
        best = best.min(start.elapsed());
    }
    best.as_nanos() as f64 / f64::from(waiting)
}

/// The longest that forming one batch took.
fn slowest_batch(limits: &Limits, waiting: u32, mut item: impl FnMut() -> Item) -> Duration {
    let mut scheduler = Scheduler::new(limits.clone()).expect("limits");
    let (mut late, mut slowest) = (Vec::new(), Duration::ZERO);
    for _ in 0..waiting {
        scheduler.submit(0, item()).expect("room");
    }
    loop {
        let start = clock();
        let Some(batch) = scheduler.next(0, &mut late) else { return slowest };
        slowest = slowest.max(start.elapsed());
        scheduler.finish(0, batch.id, Ended::Failed);
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is the time that the code takes")]
fn clock() -> Instant {
    Instant::now()
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let mut numbers = Numbers(1);
    let plain = Limits::default();
    println!("plain: {:.1} ns an item", nanoseconds_an_item(&plain, 10_000, Item::default));
    let waits = Limits { max_wait: 1_000_000, ..Limits::default() };
    println!("max_wait: {:.1} ns an item", nanoseconds_an_item(&waits, 9984, Item::default));
    let several = nanoseconds_an_item(&plain, 10_000, || Item { tenant: numbers.below(8) as u32, ..Item::default() });
    println!("8 tenants: {several:.1} ns an item");
    let keys = nanoseconds_an_item(&plain, 10_000, || Item { key: numbers.below(8) as u32, ..Item::default() });
    println!("8 keys: {keys:.1} ns an item");
    let urgent = || Item { priority: numbers.below(3) as i32, deadline: Some(1 << 62), ..Item::default() };
    println!("priorities and deadlines: {:.1} ns an item", nanoseconds_an_item(&plain, 10_000, urgent));
    let window = Limits { max_tokens: Some(8192), padded: true, ..Limits::default() };
    let mut lengths = |max| Item { cost: numbers.lognormal(4.0, 1.0, max), ..Item::default() };
    println!("window: {:.1} ns an item", nanoseconds_an_item(&window, 10_000, || lengths(512)));
    println!("window, slowest batch of 10,000: {:?}", slowest_batch(&window, 10_000, || lengths(512)));
    let large = Limits { max_items: u32::MAX, max_tokens: Some(1 << 30), padded: true, ..Limits::default() };
    let distinct = || Item { cost: numbers.below(1 << 20) as u32, ..Item::default() };
    println!("window, distinct costs, large budget: {:?}", slowest_batch(&large, 10_000, distinct));
    let tenants = || Item { tenant: numbers.below(1 << 30) as u32, ..Item::default() };
    println!("10,000 tenants, slowest batch: {:?}", slowest_batch(&plain, 10_000, tenants));
    let pairs = || Item { tenant: numbers.below(5000) as u32, key: numbers.below(5000) as u32, ..Item::default() };
    println!("5,000 tenants, 5,000 keys, slowest batch: {:?}", slowest_batch(&plain, 10_000, pairs));
}
