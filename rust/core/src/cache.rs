//! A concurrent cache bounded by entries and by bytes, whose lookups lock nothing.

// A lookup takes 20 ns. What it consists of is small, generic and called from other crates.
#![allow(clippy::inline_always)]

mod counters;
mod evict;
mod fifo;
mod home;
mod insert;
mod lookup;
mod recency;
mod reclaim;
mod shard;
mod table;

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::{AtomicU64, Ordering};
use counters::Counters;
use recency::Clock;
pub use reclaim::{Concurrent, Serialized, Threading};
use reclaim::{Lock, Reclaim};
use shard::{Shard, State, Writer};
pub use table::Home;
use table::{About, Found, Table};

/// Entries of a shard in a full cache, as long as there are not too many shards. So many are moved at once when a table
/// grows; 256 sets hold them, and chance seldom brings a shard so many more that it needs 512.
const SHARD_ENTRIES: usize = 2048;
const MAX_SHARDS: usize = 2048;
/// And no fewer only to have more locks: small tables are less even, and keep more of their slots for readers.
const LEAST_SHARD_ENTRIES: usize = if cfg!(loom) { 1 } else { 96 };
/// The tables for so many entries are likely to lie in the processor's second cache, from where nothing needs to be fetched
/// ahead.
const FIT_A_CACHE: usize = 4096;

/// Which entry goes when the cache is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// The least recently used of about ten drawn at random; of all, up to a capacity of 64.
    #[default]
    Lru,
    /// New entries prove themselves in a queue of a tenth of the cache (S3-FIFO). Better than `Lru` where many keys are
    /// asked for once; worse in caches so small that a tenth of them holds next to nothing.
    S3Fifo,
}

/// What a cache may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries at most; at least 1.
    pub capacity: usize,
    /// Sum of the weights at most, in bytes.
    pub max_bytes: Option<u64>,
    /// How long an entry lives that says nothing itself.
    pub time_to_live: Option<Duration>,
    /// Which entry goes when the cache is full.
    pub policy: Policy,
}

impl Default for Limits {
    /// One entry of any weight that lives for ever.
    fn default() -> Self {
        Self { capacity: 1, max_bytes: None, time_to_live: None, policy: Policy::Lru }
    }
}

/// An entry on its way into the cache.
#[derive(Debug)]
pub struct NewEntry<K, V> {
    /// Hash of `key`; equal keys have equal hashes. All of its bits are used, so they should be well mixed.
    pub hash: u64,
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// Its share of `max_bytes`.
    pub weight: u64,
    /// How long it lives, a nanosecond at least; None: as [`Limits::time_to_live`] says.
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

/// A lookup takes more than the short way: a clock, a lock, a key that only the caller can compare, or another look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPlain;

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
    /// Entries held, expired ones that nobody has come across since included.
    pub entries: u64,
    /// Sum of their weights.
    pub bytes: u64,
}

type ReclaimOf<K, V, T> = <T as Threading>::Reclaim<K, V>;
/// A hold on what can be reached from the cache.
type Pin<'c, K, V, T> = <ReclaimOf<K, V, T> as Reclaim<K, V>>::Guard<'c>;
type FreedBy<K, V, T> = <ReclaimOf<K, V, T> as Reclaim<K, V>>::Freed;
type BagOf<K, V, T> = <ReclaimOf<K, V, T> as Reclaim<K, V>>::Bag;
type LockOf<K, V, T> = <T as Threading>::Lock<State<BagOf<K, V, T>>>;
type Shards<K, V, T> = Box<[Apart<Shard<LockOf<K, V, T>>, T>]>;
type StateGuard<'g, K, V, T> = <LockOf<K, V, T> as Lock<State<BagOf<K, V, T>>>>::Guard<'g>;

/// What many threads write, on cache lines of its own, if there are many.
#[repr(C)]
struct Apart<X, T: Threading>(X, [T::Line; 0]);

impl<X, T: Threading> Apart<X, T> {
    fn new(inside: X) -> Self {
        Self(inside, [])
    }
}

/// A concurrent cache bounded by entries and by bytes, approximately least recently used or S3-FIFO.
///
/// **Bounds.** The accepted entries never exceed a bound by more than the one item that each writer is just inserting; an
/// item heavier than the whole cache may be is refused. An entry may go before the cache is full only where more than 192
/// hashes agree in the bits that choose a place.
///
/// **Recency** is approximate: the victim is an expired one, or the oldest of the entries in two sets of twelve slots
/// (three, below a capacity of 4,096) that are drawn at random; as `Concurrent`, in two sets of the shard that the new
/// entry comes to. On the recorded traces that stays within half a percentage point of strict LRU (`benches/results/`).
/// Up to a capacity of 64 it is strict.
///
/// **Keys and values** lie in the tables, of which up to two thirds may be empty: large ones should be boxed. As
/// `Concurrent`, a table that grows or shrinks clones them, with the lock of its shard held, so they should be cheap to
/// clone (an `Arc`) and must not use the cache when they are.
///
/// **Keys** are compared by a closure that may answer "cannot tell here" (None), so that comparisons that run foreign code
/// happen outside of the lock; see [`Lookup::Undecided`]. The closure must not use the cache itself.
///
/// **Progress.** `get` and `peek` take no lock and allocate nothing (but for what a thread is known by, once). They look at 192 slots at most, and again if they found
/// nothing while a key of the same home was inserted anew: lock-free, and wait-free but for that. `get` writes one mark,
/// if it is not there already. (Up to a capacity of 64 it writes a clock as well, and once in 65,535 times tries a lock.)
/// A `get` that meets an expired entry removes it if the lock is free. `insert` and `remove` hold the lock of one shard at
/// a time, for a bounded number of steps, except when its table is replaced; `clear` and `snapshot` lock one shard after
/// another.
///
/// **Destruction.** What is removed as `Concurrent` is dropped by a later writer, when everybody who might be looking at
/// it has stopped; until then each shard may keep twice 64 entries, and a table that was replaced. Writers that find more
/// than 1 % of the cache's bytes kept (64 KiB, if that is more) free what they can in all shards, and past four times that
/// they give way to the reader that holds it up. `clear` drops all that nobody is looking at.
///
/// **Cost.** O(1); once a cache is full, an insertion allocates nothing as a rule. Memory: `benches/results/`.
pub struct LruCache<K, V, T: Threading = Concurrent>
where
    K: Clone + Send + 'static,
    V: Clone + Send + 'static,
{
    /// What readers need of the shards, close together.
    tables: Box<[Table<K, V>]>,
    /// The locks of the shards, and what only writers need.
    shards: Shards<K, V, T>,
    limits: Limits,
    /// Whether entries come and go without a clock, weights or queues, unless one brings its own.
    plain: bool,
    /// Whether the mark of an entry that is used is the clock's time.
    ticking: bool,
    clock: Clock,
    counters: Counters<T>,
    /// Entries held, as two's complement: an entry may be removed before its insertion was counted.
    entries: Apart<AtomicU64, T>,
    bytes: Apart<AtomicU64, T>,
    /// Entries held that will expire.
    expiring: Apart<AtomicU64, T>,
    reclaim: Apart<ReclaimOf<K, V, T>, T>,
}

impl<K, V, T> LruCache<K, V, T>
where
    K: Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    T: Threading,
{
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
        let clock = Clock::new(limits.capacity);
        let least = if clock.strict { 1 } else { T::MIN_SHARDS.min(limits.capacity.div_ceil(LEAST_SHARD_ENTRIES)) };
        let shards = limits.capacity.div_ceil(SHARD_ENTRIES).clamp(least, MAX_SHARDS);
        let (budget, share) = shard::garbage_budget(&limits, shards);
        Ok(Self {
            tables: (0..shards).map(|_| Table::new()).collect(),
            shards: (0..shards).map(|_| Apart::new(Shard::new(limits.policy))).collect(),
            limits,
            plain: limits.policy == Policy::Lru
                && !clock.strict
                && limits.max_bytes.is_none()
                && limits.time_to_live.is_none(),
            ticking: limits.policy == Policy::Lru && !clock.strict,
            clock,
            counters: Counters::new(),
            entries: Apart::new(AtomicU64::new(0)),
            bytes: Apart::new(AtomicU64::new(0)),
            expiring: Apart::new(AtomicU64::new(0)),
            reclaim: Apart::new(T::Reclaim::new(budget, share)),
        })
    }

    /// What the cache may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Entries held, expired ones that nobody has come across since included.
    pub fn len(&self) -> usize {
        (self.entries.0.load(Ordering::Relaxed) as i64).max(0) as usize
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes an entry, and takes what it returns from its value; an expired one counts as absent. A lock is held
    /// meanwhile: `take` must not use the cache.
    pub fn remove_with<R>(
        &self,
        hash: u64,
        now: impl FnOnce() -> Duration,
        test: impl FnMut(&K) -> Option<bool>,
        take: impl FnOnce(&V) -> R,
    ) -> Lookup<K, R> {
        let pin = self.reclaim.0.pin();
        let mut writer = Writer::lock(self, self.shard_of(hash), &pin);
        writer.free();
        let found = match writer.view().find(hash, test) {
            Ok(Some(found)) => found,
            Ok(None) => return Lookup::Miss,
            Err(keys) => return Lookup::Undecided(keys),
        };
        let expired = found.held.is_expired(now);
        let outcome = if expired { Lookup::Miss } else { Lookup::Hit(take(found.held.value())) };
        writer.remove(found, expired);
        drop(writer);
        drop(pin);
        self.settle();
        outcome
    }

    /// Removes everything; the counters stay.
    pub fn clear(&self) {
        let pin = self.reclaim.0.pin();
        for shard in 0..self.shards.len() {
            Writer::lock(self, shard, &pin).clear();
        }
        drop(pin);
        self.free_everywhere();
    }

    /// Takes something from each live entry; under `Lru` from the most recently used ones first, as far as that is known.
    /// Each shard is shown as it is at one moment, under its lock: `take` must not use the cache.
    pub fn snapshot<R>(&self, now: Duration, take: impl Fn(&K, &V) -> R) -> Vec<R> {
        let pin = self.reclaim.0.pin();
        let mut entries = Vec::with_capacity(self.len());
        for shard in 0..self.shards.len() {
            let writer = Writer::lock(self, shard, &pin);
            let view = writer.view();
            for Found { at, held } in view.entries().filter(|found| !found.held.is_expired(|| now)) {
                entries.push((self.clock.age(view.mark(at)), take(held.key(), held.value())));
            }
        }
        if self.limits.policy == Policy::Lru {
            entries.sort_by_key(|(age, _)| *age);
        }
        entries.into_iter().map(|(_, taken)| taken).collect()
    }

    /// Counters since the cache was made, and what it holds now.
    pub fn stats(&self) -> Stats {
        let mut sum = self.shards.iter().fold(Stats::default(), |mut sum, shard| {
            let counts = shard.0.lock.lock().counts;
            sum.insertions += counts.insertions;
            sum.evictions += counts.evictions;
            sum.expirations += counts.expirations;
            sum.rejections += counts.rejections;
            sum
        });
        (sum.hits, sum.misses) = self.counters.sums();
        sum.entries = self.len() as u64;
        sum.bytes = self.bytes.0.load(Ordering::Relaxed);
        sum
    }

    /// Shows every entry to `visit`, without a lock; for garbage collectors.
    ///
    /// # Errors
    /// The first one that `visit` returns.
    pub fn visit<E>(&self, mut visit: impl FnMut(&K, &V) -> Result<(), E>) -> Result<(), E> {
        let pin = self.reclaim.0.pin();
        let mut entries = self.tables.iter().flat_map(|table| table.view(&pin).entries());
        entries.try_for_each(|found| visit(found.held.key(), found.held.value()))
    }

    /// Sees to what was removed; without a guard or a lock.
    #[inline]
    fn settle(&self) {
        if self.reclaim.0.is_over_budget() {
            self.reclaim.0.relieve(|| self.free_everywhere());
        }
    }

    /// Frees what shards keep that nobody writes to.
    #[cold]
    fn free_everywhere(&self) {
        // Under the locks; reading ourselves we would wait for ourselves.
        let pin = self.reclaim.0.pin_locked();
        for shard in 0..self.shards.len() {
            if let Some(mut writer) = Writer::try_lock(self, shard, &pin) {
                writer.free_all();
            }
        }
    }

    #[inline]
    fn shard_of(&self, hash: u64) -> usize {
        // The table in the shard uses the low and the top bits of the hash, so the shard is chosen by others.
        let bits = (hash >> 16) & 0xFFFF_FFFF;
        ((bits * self.tables.len() as u64) >> 32) as usize
    }

    /// Books the newcomer's weight and whether it will expire; before it can be found, so that it cannot be booked out
    /// earlier.
    fn count_weight(&self, entry: About) {
        if entry.weight() != 0 {
            T::add(&self.bytes.0, entry.weight());
        }
        if entry.expires() {
            T::add(&self.expiring.0, 1);
        }
    }

    fn uncount_weight(&self, entry: About) {
        if entry.weight() != 0 {
            T::add(&self.bytes.0, entry.weight().wrapping_neg());
        }
        if entry.expires() {
            T::add(&self.expiring.0, 1u64.wrapping_neg());
        }
    }

    fn count_entry_if_there_is_room(&self) -> bool {
        loop {
            let entries = self.entries.0.load(Ordering::Relaxed);
            if entries as i64 >= self.limits.capacity.min(i64::MAX as usize) as i64 {
                return false;
            }
            if T::replace(&self.entries.0, entries, entries.wrapping_add(1)) {
                return true;
            }
        }
    }

    /// Whether an insertion will have to look for a victim that is drawn.
    fn is_full(&self) -> bool {
        self.limits.policy == Policy::Lru && !self.clock.strict && self.len() >= self.limits.capacity
    }

    fn uncount_entry(&self) {
        T::add(&self.entries.0, 1u64.wrapping_neg());
    }

    fn is_over(&self) -> bool {
        self.len() > self.limits.capacity
            || self.limits.max_bytes.is_some_and(|limit| self.bytes.0.load(Ordering::Relaxed) > limit)
    }
}

#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;
