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
    // Nothing known of the service, and calls that cost 500 and 2,000 tokens each; first come, first served pads 3.9-fold.
    for known in [None, Some((1000.0, 500_000.0)), Some((1000.0, 2_000_000.0))] {
        for seed in 0..8 {
            let (standing, drained) = (padding(seed, Some(400), known), padding(seed, None, known));
            println!("{known:?} seed {seed}: standing {standing:.3}, drained {drained:.3}");
            assert!(standing <= 1.45 && drained <= 1.45, "{known:?} seed {seed}: {standing:.3}, {drained:.3}");
        }
    }
}

#[test]
fn quantile_bins_take_as_long_as_theory_says() {
    // Uniform lengths, batches of B that take as long as their longest item, and k bins of the same share (multi-bin
    // batching, Guldogan et al. 2024): E[T] = (lmin + lmax) / 2 + (lmax - lmin) (B - 1) / (2 k (B + 1)).
    let (least, most, size) = (1u32, 1000u32, 16u32);
    for bins in [1u32, 2, 3, 4, 8, 16, 32] {
        for seed in 0..3 {
            let mut numbers = Numbers(seed);
            let standing = 40 * bins * size;
            let limits =
                Limits { max_items: size, queue_items: standing, bins: Bins::Quantiles(bins), ..Limits::default() };
            let mut scheduler = Scheduler::new(limits).expect("limits");
            let mut costs = vec![0; standing as usize + size as usize];
            let (mut sum, mut counted) = (0, 0);
            for round in 0..4000 {
                while scheduler.waiting() < standing {
                    let cost = least + numbers.below(u64::from(most - least + 1)) as u32;
                    let ticket = scheduler.submit(round, Item { cost, ..Item::default() }).expect("room");
                    costs[ticket.slot()] = cost;
                }
                let batch = scheduler.next(round, &mut Vec::new()).expect("a batch");
                assert_eq!(batch.tickets.len(), size as usize);
                // The items that came before there were good bins are gone by then.
                if round > 4 * u64::from(standing / size) || round >= 3000 {
                    sum += batch.tickets.iter().map(|ticket| u64::from(costs[ticket.slot()])).max().unwrap_or(0);
                    counted += 1;
                }
                scheduler.finish(round, batch.id, Ended::Served);
            }
            let (b, k, range) = (f64::from(size), f64::from(bins), f64::from(most - least));
            let expected = f64::from(least + most) / 2.0 + range * (b - 1.0) / (2.0 * k * (b + 1.0));
            let ratio = sum as f64 / f64::from(counted) / expected;
            println!("{bins} bins, seed {seed}: {:+.2} %", 100.0 * (ratio - 1.0));
            assert!((ratio - 1.0).abs() < 0.02, "{bins} bins, seed {seed}: {ratio:.4} of the expected time");
        }
    }
}
