//! Insertion: the usual one, which is most of what there is to do, and the general one.
//!
//! **Where a writer's time goes.** Stores to lines that are not at hand hold up the next locked instruction. So the
//! hashes lie apart from what most entries do not have, and are fetched early: that took an insertion at 100,000
//! entries from 430 to 310 ns. A structure that is built on the stack and moved by 16 bytes after it was written by 8
//! cost 15 ns each time.
//!
//! An insertion into a full cache does not count one out and one in: it takes its victim's place, so that writers do
//! not share a number that changes.

use std::time::Duration;

use super::evict::{Candidate, Insertion};
use super::recency::Random;
use super::reclaim::{Reclaim, Threading};
use super::shard::Writer;
use super::table::Entry;
use super::{FIT_A_CACHE, LruCache, NewEntry};
use crate::error::Result;
use crate::sync::Ordering;

impl<K, V, T> LruCache<K, V, T>
where
    K: Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    T: Threading,
{
    /// Inserts or replaces an entry and makes room for it; false if it weighs more than the whole cache may, in which case
    /// the old value of the key is gone all the same.
    ///
    /// # Errors
    /// The keys that the caller must compare first, and the entry back.
    pub fn insert(
        &self,
        entry: NewEntry<K, V>,
        now: impl FnOnce() -> Duration,
        test: impl FnMut(&K) -> Option<bool>,
    ) -> Result<bool, (Vec<K>, NewEntry<K, V>)> {
        self.insert_noting(entry, now, test, |_, _| {})
    }

    /// Like [`Self::insert`], and calls `gone` with each entry of another key that had to go, evicted or expired. A lock is
    /// held meanwhile: `gone` must neither use the cache nor panic.
    ///
    /// # Errors
    /// The keys that the caller must compare first, and the entry back.
    #[allow(clippy::type_complexity)]
    pub fn insert_noting(
        &self,
        entry: NewEntry<K, V>,
        now: impl FnOnce() -> Duration,
        mut test: impl FnMut(&K) -> Option<bool>,
        mut gone: impl FnMut(&K, &V),
    ) -> Result<bool, (Vec<K>, NewEntry<K, V>)> {
        if entry.weight != 0 || entry.time_to_live.is_some() {
            return self.insert_in_general(entry, now, test, gone);
        }
        let NewEntry { hash, key, value, .. } = entry;
        match self.insert_plainly(hash, key, value, &mut test, |_, _| {}, &mut gone) {
            Ok(()) => Ok(true),
            Err((key, value)) => {
                let entry = NewEntry { hash, key, value, weight: 0, time_to_live: None };
                self.insert_in_general(entry, now, test, gone)
            }
        }
    }

    #[inline(never)]
    #[allow(clippy::type_complexity)]
    fn insert_in_general(
        &self,
        entry: NewEntry<K, V>,
        now: impl FnOnce() -> Duration,
        mut test: impl FnMut(&K) -> Option<bool>,
        mut gone: impl FnMut(&K, &V),
    ) -> Result<bool, (Vec<K>, NewEntry<K, V>)> {
        let pin = self.reclaim.0.pin();
        let home = self.shard_of(entry.hash);
        if self.limits.capacity > FIT_A_CACHE {
            self.tables[home].prefetch_home(entry.hash);
            self.tables[home].prefetch_hashes(entry.hash);
        }
        let (hash, full) = (entry.hash, self.is_full());
        let mut writer = Writer::lock(self, home, &pin);
        writer.free();
        let victim = if full { self.victim(home, &pin, |_, _| {}) } else { None };
        let old = match writer.view().find_plainly(entry.hash, &mut test) {
            Ok(old) => Some(old),
            Err(false) => None,
            Err(true) => match writer.view().find(entry.hash, test) {
                Ok(old) => old,
                Err(keys) => return Err((keys, entry)),
            },
        };
        if self.limits.max_bytes.is_some_and(|limit| entry.weight > limit) {
            writer.reject(old);
            return Ok(false);
        }
        let lives = entry.time_to_live.or(self.limits.time_to_live).map(|lives| lives.max(Duration::from_nanos(1)));
        let expiring = lives.is_some() || self.expiring.0.load(Ordering::Relaxed) != 0;
        // Where nothing expires the time does not matter, and a clock costs as much as a lookup.
        let now = if expiring { now() } else { Duration::ZERO };
        let expires_at = lives.map(|lives| now.saturating_add(lives));
        if self.clock.is_worn() {
            self.clock.renumber(writer.view());
        }
        writer.count_insertion();
        let entry = Entry::new(entry.hash, entry.key, entry.value, entry.weight, expires_at);
        self.count_weight(entry.about());
        let newcomer = match old {
            Some(old) => writer.replace((old.at, old.about()), entry, &mut gone),
            None => writer.add(entry, now, &mut gone),
        };
        if expiring {
            writer.sweep(now, &mut gone);
        }
        drop(writer);
        let random = Random::new(hash, self.clock.ticks());
        let mut insertion = Insertion::new(self, &pin, (home, newcomer), now, random, victim);
        insertion.make_room(old.is_none(), gone);
        if full {
            self.look_ahead(home, hash, &pin);
        }
        drop(pin);
        self.settle();
        Ok(true)
    }

    /// Inserts an entry of weight 0 that lives for ever, where that takes neither a clock nor a table of another size, nor a
    /// key that only the caller can compare. `ahead` sees who may go as early as that is known, and may have the processor
    /// fetch what it points to; it and `gone` are as `gone` of [`Self::insert_noting`].
    ///
    /// # Errors
    /// Key and value back, to be inserted by [`Self::insert_noting`]; nothing was done.
    #[inline(always)]
    pub fn insert_plainly(
        &self,
        hash: u64,
        key: K,
        value: V,
        test: impl FnMut(&K) -> Option<bool>,
        ahead: impl FnOnce(&K, &V),
        gone: impl FnMut(&K, &V),
    ) -> Result<(), (K, V)> {
        if !self.is_plain() {
            return Err((key, value));
        }
        // Nothing is looked at but the home shard, under its lock; and, where there is one thread, the victim's.
        let pin = self.reclaim.0.pin_locked();
        let home = self.shard_of(hash);
        if self.limits.capacity > FIT_A_CACHE {
            self.tables[home].prefetch_home(hash);
            self.tables[home].prefetch_hashes(hash);
        }
        let mut writer = Writer::lock(self, home, &pin);
        writer.free();
        let view = writer.view();
        let full = self.len() >= self.limits.capacity;
        let victim = if full { self.victim(home, &pin, ahead) } else { None };
        match view.find_plainly(hash, test) {
            Ok(old) => {
                writer.count_insertion();
                writer.replace((old.at, old.about()), Entry::plain(hash, key, value), gone);
            }
            Err(unclear) => {
                if unclear || !writer.fits(view) {
                    return Err((key, value));
                }
                let Some(at) = writer.vacancy(view, hash) else { return Err((key, value)) };
                // Who finds the cache full takes the victim's place, and the others one that is free.
                if victim.is_none() && !self.count_entry_if_there_is_room() {
                    return Err((key, value));
                }
                writer.count_insertion();
                writer.publish(view, at, Entry::plain(hash, key, value));
                if let Some(victim) = victim {
                    self.evict_plainly(&mut writer, home, victim, gone);
                    self.look_ahead(home, hash, &pin);
                }
            }
        }
        drop(writer);
        drop(pin);
        self.settle();
        Ok(())
    }

    /// Removes the victim of an insertion into the shard whose writer this is.
    #[inline(always)]
    fn evict_plainly<'g>(
        &'g self,
        writer: &mut Writer<'g, '_, K, V, T>,
        home: usize,
        victim: Candidate,
        mut gone: impl FnMut(&K, &V),
    ) {
        if victim.shard() == home {
            writer.evict_candidate(victim, gone);
        } else {
            let mut other = Writer::lock(self, victim.shard(), writer.pin());
            other.evict_candidate(victim, &mut gone);
            other.shrink(gone);
        }
    }

    /// Whether an entry comes and goes without a clock, weights or queues, if it brings none.
    #[inline]
    fn is_plain(&self) -> bool {
        self.plain && self.expiring.0.load(Ordering::Relaxed) == 0
    }
}
