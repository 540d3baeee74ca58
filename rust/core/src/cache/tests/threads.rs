//! What many threads see: bounds, values of the right key, destruction of everything exactly once.

use std::hash::{BuildHasher, RandomState};

use super::*;
use crate::sync::{Arc, AtomicU64, Ordering};

/// Steps of each thread; miri interprets every one.
const STEPS: u32 = if cfg!(miri) { 300 } else { 40_000 };

fn entry<K, V>(hash: u64, key: K, value: V, weight: u64) -> NewEntry<K, V> {
    NewEntry { hash, key, value, weight, time_to_live: None }
}

#[test]
fn the_bounds_hold_and_no_value_is_of_another_key() {
    for policy in [Policy::Lru, Policy::S3Fifo] {
        let limits = Limits { policy, ..limits(4096, Some(3000)) };
        let cache = LruCache::<u32, u32>::new(limits).unwrap();
        let hasher = RandomState::new();
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let (cache, hasher) = (&cache, &hasher);
                scope.spawn(move || {
                    for step in 0..STEPS {
                        let key = step.wrapping_mul(2_654_435_761).wrapping_add(thread) % 5000;
                        let hash = hasher.hash_one(key);
                        if let Lookup::Hit(value) = cache.get(hash, || NOW, |other| Some(*other == key)) {
                            assert_eq!(value, key);
                        }
                        cache.insert(entry(hash, key, key, 1), || NOW, |other| Some(*other == key)).unwrap();
                        assert!(cache.stats().bytes <= 3000 + 4, "more than one item over for each writer");
                    }
                });
            }
        });
        let stats = cache.stats();
        assert!(stats.entries <= 3000);
        assert_eq!(stats.bytes, stats.entries, "every entry weighs 1");
        assert_eq!(cache.snapshot(NOW, |key, _| *key).len() as u64, stats.entries);
        assert_eq!(stats.hits + stats.misses, 4 * u64::from(STEPS), "fewer threads than stripes count exactly");
    }
}

/// Counts how many of it are alive; dropping one twice, or reading a dropped one, shows.
struct Tracked {
    alive: Arc<AtomicU64>,
    content: [u64; 4],
}

impl Tracked {
    fn new(alive: &Arc<AtomicU64>, content: u64) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self { alive: alive.clone(), content: [content; 4] }
    }

    fn content(&self) -> u64 {
        assert_eq!(self.content, [self.content[0]; 4], "torn or freed");
        self.content[0]
    }
}

impl Clone for Tracked {
    fn clone(&self) -> Self {
        Self::new(&self.alive, self.content())
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.content();
        self.content = [u64::MAX, 0, u64::MAX, 0];
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Every operation at once: readers, writers, removals, growth, shrinking and clearing.
#[test]
fn what_goes_is_destroyed_once() {
    const CAPACITY: usize = 2000;
    let alive = Arc::new(AtomicU64::new(0));
    let cache = LruCache::<u64, Tracked>::new(limits(CAPACITY, None)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let (cache, alive) = (&cache, &alive);
            scope.spawn(move || {
                let mut random = Draws(thread);
                for _ in 0..STEPS {
                    let draw = random.next();
                    let (key, what) = (draw >> 32 & 0xFFF, draw % 1000);
                    let (hash, same) = (mix(key), |other: &u64| Some(*other == key));
                    match what {
                        0 if draw >> 44 & 0xF < 2 => cache.clear(),
                        0..50 => _ = cache.remove_with(hash, || NOW, same, Tracked::content),
                        50..400 => _ = cache.insert(entry(hash, key, Tracked::new(alive, key), 0), || NOW, same),
                        _ => {
                            if let Lookup::Hit(content) = cache.get_with(hash, || NOW, same, Tracked::content) {
                                assert_eq!(content, key);
                            }
                        }
                    }
                }
            });
        }
    });
    drop(cache);
    assert_eq!(alive.load(Ordering::SeqCst), 0, "values were never destroyed");
}
