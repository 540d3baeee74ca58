//! The caches that are compared, behind one trait: the driver is compiled for each of them, nothing is called through a
//! pointer.
//!
//! Each gets the same bound in entries and, where it takes one, the same hasher; `TinyUFO` brings an equal one.

use std::time::Duration;

use ahash::RandomState;
use llmfast_core::cache::{Limits, Lookup, LruCache, NewEntry, Policy};
use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;

/// A cache that threads share.
pub trait Contender: Sync {
    /// Looks a key up and marks it as used.
    fn get(&self, key: u64) -> Option<u64>;
    /// Inserts or replaces, and makes room.
    fn insert(&self, key: u64, value: u64);
    /// Does what has been put off, so that what was inserted can be found.
    fn settle(&self) {}
}

/// The hasher of all contenders, with the same seeds in every run.
pub fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

/// llmfast's cache, which is handed the hash.
pub struct Ours {
    cache: LruCache<u64, u64>,
    hasher: RandomState,
}

impl Ours {
    pub fn new(capacity: usize, policy: Policy) -> Self {
        let limits = Limits { capacity, policy, ..Limits::default() };
        Self { cache: LruCache::new(limits).expect("the limits are not zero"), hasher: hasher() }
    }

    pub fn len(&self) -> usize {
        self.cache.len()
    }
}

impl Contender for Ours {
    fn get(&self, key: u64) -> Option<u64> {
        match self.cache.get(self.hasher.hash_one(key), || Duration::ZERO, |&other| Some(other == key)) {
            Lookup::Hit(value) => Some(value),
            Lookup::Miss => None,
            Lookup::Undecided(_) => unreachable!("numbers are compared at once"),
        }
    }

    fn insert(&self, key: u64, value: u64) {
        let entry = NewEntry { hash: self.hasher.hash_one(key), key, value, weight: 0, time_to_live: None };
        let done = self.cache.insert(entry, || Duration::ZERO, |&other| Some(other == key));
        assert!(done.is_ok(), "numbers are compared at once");
    }
}

type Quick = quick_cache::sync::Cache<u64, u64, UnitWeighter, RandomState>;

/// `quick_cache`: Clock-PRO in shards behind read-write locks.
pub struct QuickCache(Quick);

impl QuickCache {
    pub fn new(capacity: usize) -> Self {
        Self(Quick::with(capacity, capacity as u64, UnitWeighter, hasher(), DefaultLifecycle::default()))
    }
}

impl Contender for QuickCache {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }

    fn insert(&self, key: u64, value: u64) {
        self.0.insert(key, value);
    }
}

/// `moka`: W-TinyLFU; hits are recorded in a channel and applied later.
pub struct Moka(moka::sync::Cache<u64, u64, RandomState>);

impl Moka {
    pub fn new(capacity: usize) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(capacity as u64).build_with_hasher(hasher()))
    }
}

impl Contender for Moka {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }

    fn insert(&self, key: u64, value: u64) {
        self.0.insert(key, value);
    }

    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

/// `mini-moka`: moka's smaller sibling, over `dashmap`.
pub struct MiniMoka(mini_moka::sync::Cache<u64, u64, RandomState>);

impl MiniMoka {
    pub fn new(capacity: usize) -> Self {
        Self(mini_moka::sync::Cache::builder().max_capacity(capacity as u64).build_with_hasher(hasher()))
    }
}

impl Contender for MiniMoka {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }

    fn insert(&self, key: u64, value: u64) {
        self.0.insert(key, value);
    }

    fn settle(&self) {
        mini_moka::sync::ConcurrentCacheExt::sync(&self.0);
    }
}

/// `TinyUFO`: S3-FIFO with an admission filter over a lock-free map; it keeps the hash of a key, not the key.
pub struct TinyUfo(tinyufo::TinyUfo<u64, u64>);

impl TinyUfo {
    pub fn new(capacity: usize) -> Self {
        Self(tinyufo::TinyUfo::new(capacity, capacity))
    }
}

impl Contender for TinyUfo {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.get(&key)
    }

    fn insert(&self, key: u64, value: u64) {
        self.0.put(key, value, 1);
    }
}
