//! How much garbage a cache gathers. In a process of its own: who reads in one cache is waited for in all, and a thread of
//! another test that the system stops in the middle of a lookup would hold up all destruction.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use llmfast_core::cache::{Limits, Lookup, LruCache, NewEntry, Policy};

/// Nobody else reads during a test.
static ALONE: Mutex<()> = Mutex::new(());

/// Counts how many of it there are.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(alive.clone())
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn insert(cache: &LruCache<u64, Counted>, key: u64, alive: &Arc<AtomicUsize>) {
    insert_weighing(cache, key, alive, 0);
}

fn insert_weighing(cache: &LruCache<u64, Counted>, key: u64, alive: &Arc<AtomicUsize>, weight: u64) {
    let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let entry = NewEntry { hash, key, value: Counted::new(alive), weight, time_to_live: None };
    assert!(cache.insert(entry, || Duration::ZERO, |other| Some(*other == key)).is_ok());
}

#[test]
fn garbage_is_bounded() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (policy, capacity) in [(Policy::Lru, 1000), (Policy::Lru, 200_000), (Policy::S3Fifo, 20_000)] {
        let alive = Arc::new(AtomicUsize::new(0));
        let cache = LruCache::new(Limits { capacity, policy, ..Limits::default() }).unwrap();
        let mut most = 0;
        for key in 0..5 * capacity as u64 {
            insert(&cache, key, &alive);
            most = most.max(alive.load(Ordering::SeqCst));
        }
        // The budget of 1 % or 1,024 entries (64 KiB), what shards gather before they wait for readers, and copies of what lies
        // in a table that is being replaced.
        let budget = (capacity / 100).max(1024);
        assert!(most <= capacity + 3 * budget, "{most} values are alive for a capacity of {capacity}");
        drop(cache);
        assert_eq!(alive.load(Ordering::SeqCst), 0, "garbage outlives its cache");
    }
}

/// What weighs much is not kept for long: here each value is a tenth of all that the cache may hold.
#[test]
fn heavy_garbage_is_dropped_at_once() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (alive, weight) = (Arc::new(AtomicUsize::new(0)), 1 << 20);
    let limits = Limits { capacity: 100_000, max_bytes: Some(10 * weight), ..Limits::default() };
    let cache = LruCache::new(limits).unwrap();
    for key in 0..2000 {
        insert_weighing(&cache, key, &alive, weight);
        // What it holds, what the insertion removed, and what the one before left in a shard that nobody has looked at since.
        assert!(alive.load(Ordering::SeqCst) <= 10 + 2, "{} values are alive", alive.load(Ordering::SeqCst));
    }
    cache.clear();
    assert_eq!(alive.load(Ordering::SeqCst), 0, "clearing drops everything");
}

/// A writer does not wait for ever for a reader that stands still.
#[test]
fn a_reader_that_stands_still_stops_nobody() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let alive = Arc::new(AtomicUsize::new(0));
    let cache = LruCache::new(Limits { capacity: 1000, ..Limits::default() }).unwrap();
    insert(&cache, 1, &alive);
    let hash = 0x9E37_79B9_7F4A_7C15;
    let looked = cache.get_with(
        hash,
        || Duration::ZERO,
        |_| Some(true),
        |value| {
            std::thread::scope(|scope| {
                scope.spawn(|| (2..20_000).for_each(|key| insert(&cache, key, &alive)));
            });
            value.0.load(Ordering::SeqCst)
        },
    );
    assert!(matches!(looked, Lookup::Hit(alive) if alive > 10_000), "while it stood still nothing was destroyed");
}
