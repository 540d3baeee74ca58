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

/// Each overwriting keeps a slot for a while; that must not drive the entry out of its table.
///
/// How long depends on whoever reads meanwhile, in other tests as well, and who reads may lose the processor. So it is to
/// succeed at one of some attempts; if it is not so, it fails at all of them.
#[test]
fn a_key_that_is_inserted_again_and_again_needs_no_new_table() {
    let keeps_its_tables = || {
        let cache = LruCache::<u64, u64>::new(limits(4000, None)).unwrap();
        let insert = |key: u64, value| {
            cache.insert(entry(mix(key), key, value, 0), || NOW, |other| Some(*other == key)).unwrap();
        };
        (0..4000).for_each(|key| insert(key, 0));
        let tables = || cache.tables.iter().map(Table::word).collect::<Vec<_>>();
        let before = tables();
        (0..5000).for_each(|value| insert(7, value));
        assert_eq!(cache.get(mix(7), || NOW, |key| Some(*key == 7)), Lookup::Hit(4999));
        tables() == before
    };
    assert!((0..20).any(|_| keeps_its_tables()), "a table was replaced at every attempt");
}

/// The first insertion of a shard into a full cache knows no victim, and must not look for one in another shard, whose
/// table may be going.
#[test]
fn first_insertions_of_a_shard_while_all_tables_go() {
    for round in 0..if cfg!(miri) { 2 } else { 200 } {
        let cache = LruCache::<u64, u64>::new(limits(2000, None)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3u64 {
                let cache = &cache;
                scope.spawn(move || {
                    for step in 0..2500 {
                        let key = round << 32 | thread << 16 | step;
                        cache.insert(entry(mix(key), key, key, 0), || NOW, |other| Some(*other == key)).unwrap();
                    }
                });
            }
            scope.spawn(|| (0..20).for_each(|_| cache.clear()));
        });
        let stats = cache.stats();
        assert!(stats.entries <= 2000);
        assert_eq!(cache.snapshot(NOW, |key, _| *key).len() as u64, stats.entries);
    }
}
