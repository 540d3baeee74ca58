//! A concurrent least-recently-used cache bounded by entries and by bytes.

mod recency;
mod shard;

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering, lock};
use shard::Shard;

/// From this capacity on the entries are spread over several locks; below it the order of eviction is strictly LRU.
const SHARDED_FROM: usize = 4096;
const SHARDS: usize = 16;

/// What a cache may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries at most; at least 1.
    pub capacity: usize,
    /// Sum of the weights at most, in bytes.
    pub max_bytes: Option<u64>,
    /// How long an entry lives that says nothing itself.
    pub time_to_live: Option<Duration>,
}

/// An entry on its way into the cache.
#[derive(Debug)]
pub struct NewEntry<K, V> {
    /// Hash of `key`; equal keys have equal hashes.
    pub hash: u64,
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// Its share of `max_bytes`.
    pub weight: u64,
    /// How long it lives; None: as [`Limits::time_to_live`] says.
    pub time_to_live: Option<Duration>,
}

/// What a lookup found.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup<K, V> {
    /// The value of the entry.
    Hit(V),
    /// There is no such entry, or it has expired.
    Miss,
    /// These keys have the same hash, and only the caller can tell, without our lock, whether one is equal.
    Undecided(Vec<K>),
}

/// What an insertion did.
#[derive(Debug)]
pub struct Inserted<K, V> {
    /// False if the entry was heavier than the whole cache may be.
    pub accepted: bool,
    /// The previous value of the key.
    pub replaced: Option<V>,
    /// What had to go to make room.
    pub evicted: Vec<(K, V)>,
}

/// Counters since the cache was made, and what it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lookups that found a live entry.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Entries accepted, replacements included.
    pub insertions: u64,
    /// Entries removed to make room.
    pub evictions: u64,
    /// Entries removed because their time was over.
    pub expirations: u64,
    /// Entries refused because they weigh more than `max_bytes`.
    pub rejections: u64,
    /// Entries held, expired ones that nobody has asked for since included.
    pub entries: u64,
    /// Sum of their weights.
    pub bytes: u64,
}

/// A concurrent least-recently-used cache bounded by entries and by bytes.
///
/// The bounds are strict: at no time do the accepted entries exceed them by more than the ones being inserted. Below 4,096
/// entries the victim is the least recently used one; above, the entries lie in 16 shards and the victim is the least
/// recently used one of the shard that takes the new entry.
///
/// Keys are compared by a closure that may answer "cannot tell here" (None), so that comparisons that run foreign code
/// happen outside of the lock; see [`Lookup::Undecided`]. Keys and values that leave the cache are dropped after the lock
/// is released.
///
/// **Concurrency:** every operation locks one shard for a bounded time; an insertion that finds nothing to evict there
/// visits the others one after another. **Cost:** O(1); beside key and value a slot of 40 bytes and 5 to 12 bytes of the
/// table, both of which grow by doubling.
pub struct LruCache<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    limits: Limits,
    entries: AtomicUsize,
    bytes: AtomicU64,
}

impl<K: Clone, V: Clone> LruCache<K, V> {
    /// Makes an empty cache.
    ///
    /// # Errors
    /// `Config` if a limit is zero.
    pub fn new(limits: Limits) -> Result<Self> {
        if limits.capacity == 0 {
            return Err(Error::new(ErrorKind::Config, "capacity must be at least 1, got 0"));
        }
        if limits.max_bytes == Some(0) {
            return Err(Error::new(ErrorKind::Config, "max_bytes must be at least 1, got 0"));
        }
        if limits.time_to_live == Some(Duration::ZERO) {
            return Err(Error::new(ErrorKind::Config, "time_to_live must be above 0 seconds, got 0"));
        }
        let shards = if limits.capacity < SHARDED_FROM { 1 } else { SHARDS };
        let shards = (0..shards).map(|_| Mutex::new(Shard::default())).collect();
        Ok(Self { shards, limits, entries: AtomicUsize::new(0), bytes: AtomicU64::new(0) })
    }

    /// What the cache may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Entries held, expired ones that nobody has asked for since included.
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks an entry up and marks it as used.
    pub fn get(&self, hash: u64, now: Duration, test: impl FnMut(&K) -> Option<bool>) -> Lookup<K, V> {
        let mut expired = None;
        let mut shard = lock(self.shard(hash));
        let found = match shard.find(hash, test) {
            Err(keys) => return Lookup::Undecided(keys),
            Ok(Some(slot)) if shard.is_expired(slot, now) => {
                expired = Some(self.take(&mut shard, slot));
                shard.stats.expirations += 1;
                None
            }
            Ok(found) => found,
        };
        let outcome = if let Some(slot) = found {
            shard.stats.hits += 1;
            Lookup::Hit(shard.touch(slot))
        } else {
            shard.stats.misses += 1;
            Lookup::Miss
        };
        drop(shard);
        drop(expired);
        outcome
    }

    /// Looks an entry up and leaves its recency and the counters as they are.
    pub fn peek(&self, hash: u64, now: Duration, test: impl FnMut(&K) -> Option<bool>) -> Lookup<K, V> {
        let shard = lock(self.shard(hash));
        match shard.find(hash, test) {
            Err(keys) => Lookup::Undecided(keys),
            Ok(Some(slot)) if !shard.is_expired(slot, now) => Lookup::Hit(shard.value(slot)),
            Ok(_) => Lookup::Miss,
        }
    }

    /// Inserts or replaces an entry and makes room for it.
    ///
    /// # Errors
    /// The keys that the caller must compare first, and the entry back.
    #[allow(clippy::type_complexity)]
    pub fn insert(
        &self,
        entry: NewEntry<K, V>,
        now: Duration,
        test: impl FnMut(&K) -> Option<bool>,
    ) -> Result<Inserted<K, V>, (Vec<K>, NewEntry<K, V>)> {
        let home = self.shard_number(entry.hash);
        let mut shard = lock(&self.shards[home]);
        let old = match shard.find(entry.hash, test) {
            Err(keys) => return Err((keys, entry)),
            Ok(found) => found.map(|slot| self.take(&mut shard, slot)),
        };
        let accepted = self.limits.max_bytes.is_none_or(|limit| entry.weight <= limit);
        let mut evicted = Vec::new();
        if accepted {
            let lives = entry.time_to_live.or(self.limits.time_to_live);
            self.entries.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(entry.weight, Ordering::Relaxed);
            let newest = shard.push(entry, lives.map(|lives| now.saturating_add(lives)));
            shard.stats.insertions += 1;
            self.make_room(&mut shard, Some(newest), &mut evicted);
        } else {
            shard.stats.rejections += 1;
        }
        drop(shard);
        if self.is_over() {
            self.make_room_elsewhere(home, &mut evicted);
        }
        Ok(Inserted { accepted, replaced: old.map(|(_, value)| value), evicted })
    }

    /// Removes an entry and returns its value; an expired one counts as absent.
    pub fn remove(&self, hash: u64, now: Duration, test: impl FnMut(&K) -> Option<bool>) -> Lookup<K, V> {
        let mut shard = lock(self.shard(hash));
        let slot = match shard.find(hash, test) {
            Err(keys) => return Lookup::Undecided(keys),
            Ok(None) => return Lookup::Miss,
            Ok(Some(slot)) => slot,
        };
        let expired = shard.is_expired(slot, now);
        shard.stats.expirations += u64::from(expired);
        let (key, value) = self.take(&mut shard, slot);
        drop(shard);
        drop(key);
        if expired { Lookup::Miss } else { Lookup::Hit(value) }
    }

    /// Removes everything; the counters stay.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut guard = lock(shard);
            let stats = guard.stats;
            let old = std::mem::take(&mut *guard);
            guard.stats = stats;
            self.entries.fetch_sub(old.len(), Ordering::Relaxed);
            self.bytes.fetch_sub(old.bytes(), Ordering::Relaxed);
            drop(guard);
            drop(old);
        }
    }

    /// The live entries, each shard's most recently used ones first.
    pub fn snapshot(&self, now: Duration) -> Vec<(K, V)> {
        let mut entries = Vec::with_capacity(self.len());
        for shard in &self.shards {
            lock(shard).collect_live(now, &mut entries);
        }
        entries
    }

    /// Counters since the cache was made, and what it holds now.
    pub fn stats(&self) -> Stats {
        let mut sum = self.shards.iter().fold(Stats::default(), |mut sum, shard| {
            let stats = lock(shard).stats;
            sum.hits += stats.hits;
            sum.misses += stats.misses;
            sum.insertions += stats.insertions;
            sum.evictions += stats.evictions;
            sum.expirations += stats.expirations;
            sum.rejections += stats.rejections;
            sum
        });
        sum.entries = self.len() as u64;
        sum.bytes = self.bytes.load(Ordering::Relaxed);
        sum
    }

    /// Shows every entry to `visit`, skipping shards that are locked at the moment; for garbage collectors.
    ///
    /// # Errors
    /// The first one that `visit` returns.
    pub fn visit<E>(&self, mut visit: impl FnMut(&K, &V) -> Result<(), E>) -> Result<(), E> {
        for shard in &self.shards {
            if let Ok(shard) = shard.try_lock() {
                shard.visit(&mut visit)?;
            }
        }
        Ok(())
    }

    fn shard_number(&self, hash: u64) -> usize {
        // The table in the shard uses the low and the top seven bits of the hash, so the shard is chosen by others.
        (hash >> 40) as usize % self.shards.len()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K, V>> {
        &self.shards[self.shard_number(hash)]
    }

    fn is_over(&self) -> bool {
        self.entries.load(Ordering::Relaxed) > self.limits.capacity
            || self.limits.max_bytes.is_some_and(|limit| self.bytes.load(Ordering::Relaxed) > limit)
    }

    fn take(&self, shard: &mut Shard<K, V>, slot: u32) -> (K, V) {
        let (key, value, weight) = shard.take(slot);
        self.entries.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(weight, Ordering::Relaxed);
        (key, value)
    }

    fn make_room(&self, shard: &mut Shard<K, V>, keep: Option<u32>, evicted: &mut Vec<(K, V)>) {
        while self.is_over() {
            let Some(victim) = shard.oldest().filter(|&slot| Some(slot) != keep) else { return };
            evicted.push(self.take(shard, victim));
            shard.stats.evictions += 1;
        }
    }

    fn make_room_elsewhere(&self, home: usize, evicted: &mut Vec<(K, V)>) {
        for step in 1..self.shards.len() {
            let shard = &self.shards[(home + step) % self.shards.len()];
            self.make_room(&mut lock(shard), None, evicted);
        }
    }
}

#[cfg(test)]
mod tests;
