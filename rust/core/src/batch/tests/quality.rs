//! How much padding batches hold, and how long they take.

use super::*;

fn lengths(seed: u64) -> impl FnMut() -> Item {
    let mut numbers = Numbers(seed);
    move || Item { cost: numbers.lognormal(4.0, 1.0, 512), ..Item::default() }
}

fn padded_limits() -> Limits {
    Limits { max_items: u32::MAX, max_tokens: Some(8192), padded: true, ..Limits::default() }
}

/// Padded over real tokens when 256 items wait before each of as many batches as asked for, or until all are served.
fn padding(seed: u64, batches: Option<usize>, known: Option<(f64, f64)>) -> f64 {
    let mut scheduler = Scheduler::new(padded_limits()).expect("limits");
    let mut item = lengths(seed);
    let (mut now, mut late) = (0, Vec::new());
    for round in 0.. {
        if round == 0 || batches.is_some() {
            while scheduler.waiting() < 256 {
                scheduler.submit(now, item()).expect("room");
            }
        }
        if batches.is_some_and(|batches| round == batches) {
            break;
        }
        let Some(batch) = scheduler.next(now, &mut late) else { break };
        assert!(batch.padded <= 8192);
        now += known.map_or(1, |(a, b)| (a * batch.padded as f64 + b) as u64);
        let ended = if known.is_some() { Ended::Served } else { Ended::Failed };
        assert!(scheduler.finish(now, batch.id, ended));
    }
    scheduler.stats().padded as f64 / scheduler.stats().tokens as f64
}

#[test]
fn little_is_padded() {
    for known in
        [None, Some((1000.0, 0.0)), Some((1000.0, 500_000.0)), Some((1000.0, 2_000_000.0)), Some((1000.0, 8e6))]
    {
        for seed in 0..8 {
            let (standing, drained) = (padding(seed, Some(400), known), padding(seed, None, known));
            println!("{known:?} seed {seed}: standing {standing:.3}, drained {drained:.3}");
        }
    }
}
