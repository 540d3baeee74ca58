//! What somebody without llmfast writes in an afternoon: a list behind one lock, and a table behind sixteen.
//!
//! On one thread and at 1,000 entries the second is ahead of llmfast's cache: what counts there is the longer way, a
//! locked instruction to begin to read and a victim from two whole sets.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use ahash::RandomState;
use hashbrown::HashTable;

use crate::numbers::Numbers;
use crate::peers::{Contender, hasher};

/// Strict LRU: the `lru` crate's linked list behind one mutex, which every hit takes to move its entry to the front.
pub struct MutexList(Mutex<lru::LruCache<u64, u64, RandomState>>);

impl MutexList {
    pub fn new(capacity: usize) -> Self {
        let capacity = NonZeroUsize::new(capacity).expect("a cache holds something");
        Self(Mutex::new(lru::LruCache::with_hasher(capacity, hasher())))
    }
}

impl Contender for MutexList {
    fn get(&self, key: u64) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }

    fn insert(&self, key: u64, value: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, value);
    }
}

const SHARDS: usize = 16;
const DRAWN: usize = 8;

/// Sampled LRU: sixteen tables behind read-write locks; a hit marks its entry under the read lock, and a full shard loses
/// the oldest of eight entries drawn at random.
pub struct RwLocks {
    shards: Box<[Shard]>,
    hasher: RandomState,
}

/// Aligned so that no lock shares a line, or a pair of lines that are fetched together, with its neighbour.
#[repr(align(128))]
struct Shard(RwLock<Table>);

/// Entries lie in slots beside the table of their numbers, so that a draw always meets one: drawing buckets of a table
/// meets empty ones, which the processor cannot foresee, and took three times as long.
struct Table {
    numbers: HashTable<u32>,
    slots: Vec<Slot>,
    capacity: usize,
    /// Insertions so far: the time that entries are marked with. Reads leave it, so that a hit writes at most once
    /// between two insertions.
    clock: u32,
    random: Numbers,
}

struct Slot {
    key: u64,
    value: u64,
    used: AtomicU32,
}

impl RwLocks {
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.div_ceil(SHARDS);
        let table = |seed| Table {
            // Half empty, so that what removals leave behind seldom fills it.
            numbers: HashTable::with_capacity(2 * capacity),
            slots: Vec::with_capacity(capacity),
            capacity,
            clock: 0,
            random: Numbers(seed as u64),
        };
        Self { shards: (0..SHARDS).map(|seed| Shard(RwLock::new(table(seed)))).collect(), hasher: hasher() }
    }

    fn shard(&self, hash: u64) -> &RwLock<Table> {
        // The table takes the low and the top seven bits.
        &self.shards[(hash >> 48) as usize % SHARDS].0
    }
}

impl Contender for RwLocks {
    fn get(&self, key: u64) -> Option<u64> {
        let hash = self.hasher.hash_one(key);
        let table = self.shard(hash).read().unwrap_or_else(PoisonError::into_inner);
        let slot = &table.slots[table.find(hash, key)?];
        if slot.used.load(Ordering::Relaxed) != table.clock {
            slot.used.store(table.clock, Ordering::Relaxed);
        }
        Some(slot.value)
    }

    fn insert(&self, key: u64, value: u64) {
        let hash = self.hasher.hash_one(key);
        let mut table = self.shard(hash).write().unwrap_or_else(PoisonError::into_inner);
        table.insert(hash, key, value, &self.hasher);
    }
}

impl Table {
    fn find(&self, hash: u64, key: u64) -> Option<usize> {
        self.numbers.find(hash, |&number| self.slots[number as usize].key == key).map(|&number| number as usize)
    }

    fn insert(&mut self, hash: u64, key: u64, value: u64, hasher: &RandomState) {
        self.clock = self.clock.wrapping_add(1);
        let slot = Slot { key, value, used: AtomicU32::new(self.clock) };
        if let Some(number) = self.find(hash, key) {
            self.slots[number] = slot;
            return;
        }
        let number = self.free_slot(hasher);
        if number == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[number] = slot;
        }
        let Self { numbers, slots, .. } = self;
        numbers.insert_unique(hash, number as u32, |&number| hasher.hash_one(slots[number as usize].key));
    }

    /// The slot after the last one, or that of the oldest of the drawn entries, which is removed.
    fn free_slot(&mut self, hasher: &RandomState) -> usize {
        if self.slots.len() < self.capacity {
            return self.slots.len();
        }
        let drawn = [(); DRAWN].map(|()| self.random.below(self.capacity as u64) as usize);
        let age = |&number: &usize| self.clock.wrapping_sub(self.slots[number].used.load(Ordering::Relaxed));
        let oldest = drawn.into_iter().max_by_key(age).expect("some are drawn");
        let hash = hasher.hash_one(self.slots[oldest].key);
        if let Ok(entry) = self.numbers.find_entry(hash, |&number| number as usize == oldest) {
            entry.remove();
        }
        oldest
    }
}
