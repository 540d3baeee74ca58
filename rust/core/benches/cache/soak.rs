//! A hundred million operations from two threads, during which the memory must stay flat.

use std::thread;

use llmfast_core::cache::Policy;

use crate::memory::bytes_in_use;
use crate::numbers::{Numbers, mix};
use crate::peers::{Contender, Ours};

const THREADS: u64 = 2;
const CAPACITY: usize = 100_000;
const KEYS: u64 = 300_000;
/// Operations of a thread in a stage; the first stage fills the cache and is not counted.
const STAGE: u64 = 2_500_000;
const STAGES: u64 = 10;
const GROWTH: f64 = 8.0 * 1024.0 * 1024.0;

/// Prints the resident set after each stage; returns 1 if it grows after the first, 2 where it cannot be read.
pub fn soak() -> i32 {
    let mut status = 0;
    for policy in [Policy::Lru, Policy::S3Fifo] {
        let cache = Ours::new(CAPACITY, policy);
        let mut sizes = Vec::new();
        for stage in 0..=STAGES {
            thread::scope(|scope| {
                for thread in 0..THREADS {
                    let cache = &cache;
                    scope.spawn(move || work(cache, stage * THREADS + thread));
                }
            });
            let Some(bytes) = bytes_in_use() else { return 2 };
            sizes.push(bytes);
            println!(
                "{policy:?}: {:>11} operations, {:6.1} MiB resident",
                THREADS * STAGE * (stage + 1),
                bytes / 1_048_576.0
            );
        }
        let grown = sizes[STAGES as usize] - sizes[1];
        println!(
            "{policy:?}: grown by {:.1} MiB since the second stage, bar <= {:.0} MiB",
            grown / 1_048_576.0,
            GROWTH / 1_048_576.0
        );
        status = status.max(i32::from(grown > GROWTH));
    }
    status
}

/// One operation in four inserts; what is found must be its key's.
fn work(cache: &Ours, seed: u64) {
    let mut numbers = Numbers(seed);
    for _ in 0..STAGE {
        let key = mix(numbers.skewed(KEYS));
        if numbers.below(4) == 0 {
            cache.insert(key, !key);
        } else if let Some(value) = cache.get(key) {
            assert_eq!(value, !key, "the value of another key");
        }
    }
}
