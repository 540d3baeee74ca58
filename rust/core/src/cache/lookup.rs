//! Looking entries up.

use std::time::Duration;

use super::fifo::MOST_USES;
use super::reclaim::{Reclaim, Threading};
use super::shard::Writer;
use super::table::{Found, Position, View};
use super::{FIT_A_CACHE, Lookup, LruCache, NotPlain, Pin, Policy, ReclaimOf};

impl<K, V, T> LruCache<K, V, T>
where
    K: Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    T: Threading,
{
    /// Looks an entry up and marks it as used. `now` is asked only if the entry can expire.
    #[inline]
    pub fn get(&self, hash: u64, now: impl FnOnce() -> Duration, test: impl FnMut(&K) -> Option<bool>) -> Lookup<K, V>
    where
        V: Clone,
    {
        self.get_with(hash, now, test, V::clone)
    }

    /// Like [`Self::get`], and takes what it returns from the value while that is held; `take` must not use the cache.
    #[inline]
    pub fn get_with<R>(
        &self,
        hash: u64,
        now: impl FnOnce() -> Duration,
        mut test: impl FnMut(&K) -> Option<bool>,
        take: impl FnOnce(&V) -> R,
    ) -> Lookup<K, R> {
        let shard = self.shard_of(hash);
        if T::SHARES_LINES && self.limits.capacity > FIT_A_CACHE {
            // To begin to read holds back every load that follows.
            self.tables[shard].prefetch_home(hash);
        }
        let pin = self.reclaim.0.pin();
        let view = self.tables[shard].view(&pin);
        let found = match view.find_plainly(hash, &mut test) {
            Ok(found) => Some(found),
            Err(false) => None,
            Err(true) => match self.find(view, shard, hash, now, test, &pin) {
                Ok(found) => found,
                Err(keys) => return Lookup::Undecided(keys),
            },
        };
        let Some(found) = found else {
            self.counters.miss(ReclaimOf::<K, V, T>::thread(&pin));
            return Lookup::Miss;
        };
        self.touch(view, found.at, &pin);
        self.counters.hit(ReclaimOf::<K, V, T>::thread(&pin));
        Lookup::Hit(take(found.held.value()))
    }

    /// Like [`Self::get_with`], where the answer takes neither a clock nor a lock, nor a key that only the caller can
    /// compare: what was taken from the value, or None where there is no entry.
    ///
    /// # Errors
    /// Where it does take one of them; nothing is counted then.
    #[inline]
    pub fn get_plainly<R>(
        &self,
        hash: u64,
        test: impl FnMut(&K) -> Option<bool>,
        take: impl FnOnce(&V) -> R,
    ) -> Result<Option<R>, NotPlain> {
        let pin = self.reclaim.0.pin();
        let view = self.tables[self.shard_of(hash)].view(&pin);
        match view.find_plainly(hash, test) {
            Ok(found) => Ok(Some(take(self.hit(view, found.at, found.held.value(), &pin)))),
            Err(false) => Ok(self.miss(&pin)),
            Err(true) => Err(NotPlain),
        }
    }

    /// Looks an entry up like [`Self::get_with`], and leaves its recency and the counters as they are.
    pub fn peek_with<R>(
        &self,
        hash: u64,
        now: impl FnOnce() -> Duration,
        test: impl FnMut(&K) -> Option<bool>,
        take: impl FnOnce(&V) -> R,
    ) -> Lookup<K, R> {
        let pin = self.reclaim.0.pin();
        match self.tables[self.shard_of(hash)].view(&pin).find(hash, test) {
            Ok(Some(found)) if !found.held.is_expired(now) => Lookup::Hit(take(found.held.value())),
            Ok(_) => Lookup::Miss,
            Err(keys) => Lookup::Undecided(keys),
        }
    }

    /// Marks an entry as used, and counts that.
    #[inline(always)]
    fn hit<'g>(&self, view: View<'_, K, V>, at: Position, value: &'g V, pin: &Pin<'_, K, V, T>) -> &'g V {
        self.touch(view, at, pin);
        self.counters.hit(ReclaimOf::<K, V, T>::thread(pin));
        value
    }

    /// Counts a lookup that found nothing.
    #[inline(always)]
    fn miss<R>(&self, pin: &Pin<'_, K, V, T>) -> Option<R> {
        self.counters.miss(ReclaimOf::<K, V, T>::thread(pin));
        None
    }

    /// Marks an entry as used.
    #[inline(always)]
    fn touch(&self, view: View<'_, K, V>, at: Position, pin: &Pin<'_, K, V, T>) {
        if !self.ticking {
            return self.touch_otherwise(view, at, pin);
        }
        let now = self.clock.now();
        // A cache line that others read too is written only if it must be; else writing is faster than looking.
        if !T::SHARES_LINES || now != view.mark(at) {
            view.set_mark(at, now);
        }
    }

    /// Where the mark of an entry is not the time at which it was used last, or each use has a time of its own.
    #[inline(never)]
    fn touch_otherwise(&self, view: View<'_, K, V>, at: Position, pin: &Pin<'_, K, V, T>) {
        let new = match self.limits.policy {
            Policy::Lru => self.clock.next::<T>(),
            Policy::S3Fifo => (view.mark(at) + 1).min(MOST_USES),
        };
        if new != view.mark(at) {
            view.set_mark(at, new);
        }
        if self.clock.strict && self.clock.is_worn() {
            self.renumber(pin);
        }
    }

    #[cold]
    fn renumber(&self, pin: &Pin<'_, K, V, T>) {
        // A strict cache has one shard. If its lock is taken, another operation will do it.
        if let Some(writer) = Writer::try_lock(self, 0, pin) {
            self.clock.renumber(writer.view());
        }
    }

    /// Finds a live entry; removes one whose time is over, if the lock is free.
    #[inline(never)]
    #[allow(clippy::type_complexity)]
    fn find<'g>(
        &'g self,
        view: View<'g, K, V>,
        shard: usize,
        hash: u64,
        now: impl FnOnce() -> Duration,
        test: impl FnMut(&K) -> Option<bool>,
        pin: &'g Pin<'_, K, V, T>,
    ) -> Result<Option<Found<'g, K, V>>, Vec<K>> {
        let Some(found) = view.find(hash, test)? else { return Ok(None) };
        if !found.held.is_expired(now) {
            return Ok(Some(found));
        }
        if let Some(mut writer) = Writer::try_lock(self, shard, pin).filter(|writer| writer.holds(found)) {
            writer.remove(found, true);
        }
        Ok(None)
    }
}
