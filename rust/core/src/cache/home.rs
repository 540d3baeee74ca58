//! The shortest way to an entry, for one thread: one look at the set where it should be, without a hold on what is found.

#![allow(unsafe_code)]

use super::fifo::MOST_USES;
use super::table::Home;
use super::{LruCache, NotPlain, Serialized};

impl<K, V> LruCache<K, V, Serialized>
where
    K: Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Asks the processor to fetch where an entry with this hash lies.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let _fetched = self.home(hash);
    }

    /// Where an entry with this hash lies, if it is there, nearly always. The processor is asked to fetch it.
    #[inline(always)]
    pub fn home(&self, hash: u64) -> Option<Home<K, V>> {
        Some(self.tables.get(self.shard_of(hash))?.home(hash))
    }

    /// Like [`Self::get_plainly`], where one look at the home of the hash is enough.
    ///
    /// `ahead` sees a value before its key is compared, and may have the processor fetch what it points to.
    ///
    /// # Errors
    /// Where it takes more; nothing is counted then.
    ///
    /// # Safety
    /// `home` is what [`Self::home`] said of this hash, and nothing else has been done with the cache since. None of the
    /// closures uses the cache: nothing holds on to the entry that they see.
    #[inline(always)]
    pub unsafe fn get_at_home<R>(
        &self,
        home: Home<K, V>,
        hash: u64,
        test: impl FnOnce(&K) -> Option<bool>,
        take: impl FnOnce(&V) -> R,
        ahead: impl FnOnce(&V),
    ) -> Result<Option<R>, NotPlain> {
        if self.clock.strict {
            // Each use has a time of its own, and once in a while all are renumbered.
            return Err(NotPlain);
        }
        // SAFETY: the caller's; and no other thread uses the cache.
        let set = unsafe { home.set() };
        // SAFETY: likewise.
        let Some(way) = unsafe { set.tagged_alone(hash) }.next() else {
            if set.reaches_behind() {
                return Err(NotPlain);
            }
            self.counters.miss(0);
            return Ok(None);
        };
        // SAFETY: the slot was taken, so it is filled, and the caller sees to it that it stays so.
        let (key, value) = unsafe { set.pair(way) };
        ahead(value);
        if set.expires(way) || test(key) != Some(true) {
            return Err(NotPlain);
        }
        let mark = if self.ticking { self.clock.now() } else { (set.mark(way) + 1).min(MOST_USES) };
        set.set_mark(way, mark);
        self.counters.hit(0);
        Ok(Some(take(value)))
    }
}
