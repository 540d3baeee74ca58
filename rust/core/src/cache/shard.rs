//! One lock's share of a cache, and what its holder does: adding, replacing, removing, sweeping.

use std::time::Duration;

use super::evict::Foresight;
use super::fifo::{MOST_USES, Queues};
use super::reclaim::{Lock, Reclaim, Threading};
use super::table::{About, Bin, Entry, Found, Held, Position, WAYS};
use super::{GarbageOf, HeldIn, Limits, LruCache, Pin, Policy, ReclaimOf, StateGuard, Stats, ViewOf};

/// From so many shards on their tables lie in memory that they share.
const MANY_SHARDS: usize = 8;
const NOT_ALONE: &str = "a comparison or callback of the cache tried to change it";
/// Slots looked at for expired entries with each insertion.
const SWEEP: usize = 4;

/// A share of a cache.
pub(super) struct Shard<L> {
    pub(super) lock: L,
    pub(super) foresight: Foresight,
}

impl<L> Shard<L> {
    pub(super) fn new<B: Default>(policy: Policy) -> Self
    where
        L: Lock<State<B>>,
    {
        Self { lock: L::new(State::new(policy)), foresight: Foresight::default() }
    }
}

/// What a shard's lock guards, beside the right to change its table.
pub(super) struct State<B> {
    /// Entries in the table.
    entries: usize,
    /// The number of the slot that is swept next.
    sweep_at: usize,
    /// Garbage that the reclaimer was not given yet.
    bag: B,
    /// The queues of the policy that needs some.
    pub(super) queues: Option<Box<Queues>>,
    pub(super) stats: Stats,
}

impl<B: Default> State<B> {
    pub(super) fn new(policy: Policy) -> Self {
        let queues = (policy == Policy::S3Fifo).then(Box::default);
        Self { entries: 0, sweep_at: 0, bag: B::default(), queues, stats: Stats::default() }
    }
}

/// The right to change a shard: its lock, and a hold on what is unlinked meanwhile.
pub(super) struct Writer<'g, 'c, K, V, T: Threading>
where
    K: Send + 'static,
    V: Send + 'static,
{
    cache: &'g LruCache<K, V, T>,
    shard: usize,
    pub(super) state: StateGuard<'g, K, V, T>,
    pin: &'g Pin<'c, K, V, T>,
}

impl<'g, 'c, K, V, T> Writer<'g, 'c, K, V, T>
where
    K: Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    T: Threading,
{
    /// Waits for the lock of a shard.
    ///
    /// # Panics
    /// If an operation on a cache of one thread is under way, from inside of which this is called.
    #[inline]
    pub(super) fn lock(cache: &'g LruCache<K, V, T>, shard: usize, pin: &'g Pin<'c, K, V, T>) -> Self {
        assert!(cache.reclaim.is_alone(pin), "{NOT_ALONE}");
        Self { cache, shard, state: cache.shards[shard].0.lock.lock(), pin }
    }

    /// Also after a comparison: one may have let another operation in that is still looking.
    #[inline]
    fn assert_alone(&self) {
        assert!(self.cache.reclaim.is_alone(self.pin), "{NOT_ALONE}");
    }

    /// Takes the lock of a shard if that is possible at once.
    pub(super) fn try_lock(cache: &'g LruCache<K, V, T>, shard: usize, pin: &'g Pin<'c, K, V, T>) -> Option<Self> {
        let state = cache.reclaim.is_alone(pin).then(|| cache.shards[shard].0.lock.try_lock())??;
        Some(Self { cache, shard, state, pin })
    }

    #[inline]
    pub(super) fn view(&self) -> ViewOf<'g, K, V, T> {
        self.cache.tables[self.shard].view(self.pin)
    }

    /// Whether `found` still lies where it was found.
    pub(super) fn holds(&self, found: Found<HeldIn<'g, K, V, T>>) -> bool {
        self.view().entry(found.at).is_some_and(|here| here.held.is(found.held))
    }

    /// Removes an entry that is there, and counts it out.
    pub(super) fn remove(&mut self, found: Found<HeldIn<'g, K, V, T>>, expired: bool) {
        self.state.stats.expirations += u64::from(expired);
        self.unlink(self.view(), found);
        self.cache.uncount_entry();
    }

    #[inline(always)]
    fn unlink(&mut self, view: ViewOf<'g, K, V, T>, found: Found<HeldIn<'g, K, V, T>>) {
        let about = view.about(found);
        self.forget(about);
        view.unlink(found.at, about, &mut self.bin());
    }

    /// Counts an entry that is too heavy, and removes the old one of its key.
    pub(super) fn reject(mut self, old: Option<Found<HeldIn<'g, K, V, T>>>) {
        self.state.stats.rejections += 1;
        if let Some(old) = old {
            self.remove(old, false);
        }
    }

    /// A number that grows by one with each insertion. The shards are out of step, so that they do not all tick at once.
    #[inline]
    fn insertions(&self) -> u64 {
        self.state.stats.insertions.wrapping_add((self.shard as u64).wrapping_mul(0x9E37_79B9))
    }

    /// Counts an insertion.
    pub(super) fn count_insertion(&mut self) {
        self.state.stats.insertions += 1;
    }

    /// Removes an entry of the shard to make room, or because its time is over, after showing it to `gone`. What the
    /// cache counts is left to the caller. `view` is that of the shard as it is now.
    #[inline(always)]
    pub(super) fn evict(
        &mut self,
        view: ViewOf<'g, K, V, T>,
        found: Found<HeldIn<'g, K, V, T>>,
        now: Duration,
        mut gone: impl FnMut(&K, &V),
    ) {
        let expired = found.held.is_expired(|| now);
        self.state.stats.expirations += u64::from(expired);
        self.state.stats.evictions += u64::from(!expired);
        gone(found.held.key(), found.held.value());
        self.unlink(view, found);
    }

    /// Puts an entry in the place of one with the same key; returns where.
    pub(super) fn replace(&mut self, old: Found<HeldIn<'g, K, V, T>>, entry: Entry<K, V>) -> Position {
        self.forget(self.view().about(old));
        self.state.entries += 1;
        let (at, view) = (old.at, self.view());
        let mark = match self.state.queues {
            Some(_) => (view.mark(at) + 1).min(MOST_USES),
            None => self.cache.clock.inserted::<T>(self.cache.len(), self.insertions()),
        };
        view.set_mark(at, mark);
        view.replace(at, entry, &mut self.bin());
        at
    }

    /// Adds an entry whose key is not there; returns where. Where its hash finds no place, an entry at its home goes.
    #[inline]
    pub(super) fn add(&mut self, entry: Entry<K, V>, now: Duration, mut gone: impl FnMut(&K, &V)) -> Position {
        let hash = entry.about().hash;
        self.assert_alone();
        self.fit(&mut gone);
        let at = self.view().vacancy(hash).unwrap_or_else(|| self.make_vacancy(hash, now, &mut gone));
        self.publish(self.view(), at, entry);
        at
    }

    /// Puts an entry in a vacant slot of the shard's table.
    #[inline(always)]
    pub(super) fn publish(&mut self, view: ViewOf<'g, K, V, T>, at: Position, entry: Entry<K, V>) {
        self.assert_alone();
        self.state.entries += 1;
        let entries = self.state.entries;
        let mark = if let Some(queues) = &mut self.state.queues {
            queues.clean(view, entries);
            queues.push(entry.about().hash);
            0
        } else {
            self.cache.clock.inserted::<T>(self.cache.len(), self.insertions())
        };
        view.publish(at, mark, entry);
    }

    /// Whether the table has the right size for one entry more.
    #[inline]
    pub(super) fn fits(&self, view: ViewOf<'g, K, V, T>) -> bool {
        let (sets, entries) = (view.len(), self.state.entries + 1);
        entries * 4 <= sets * WAYS * 3 && entries >= sets
    }

    /// Doubles a table that is so full that hashes crowd by chance; else too many of them are alike, and one must go.
    #[cold]
    fn make_vacancy(&mut self, hash: u64, now: Duration, mut gone: impl FnMut(&K, &V)) -> Position {
        let sets = self.view().len();
        if self.state.entries * 4 > sets * WAYS {
            self.rebuild(sets * 2, &mut gone);
            if let Some(at) = self.view().vacancy(hash) {
                return at;
            }
        }
        let view = self.view();
        let (lru, clock) = (self.state.queues.is_none(), &self.cache.clock);
        let worth = |found: &Found<HeldIn<'g, K, V, T>>| {
            let mark = view.mark(found.at);
            if lru { u16::MAX - clock.age(mark) } else { mark }
        };
        let found = view.at_home(hash).min_by_key(worth).expect("a set without a vacancy is full");
        self.evict(view, found, now, gone);
        self.cache.uncount_entry();
        found.at
    }

    /// Doubles a table that one entry more would fill by over three quarters, or makes one smaller that is nearly empty.
    #[inline]
    fn fit(&mut self, mut gone: impl FnMut(&K, &V)) {
        if !self.fits(self.view()) {
            let sets = self.view().len();
            if self.state.entries >= sets {
                self.rebuild(sets * 2, &mut gone);
            } else {
                self.shrink();
            }
        }
    }

    /// Quarters a table with fewer entries than sets: draws for a victim would find it empty.
    #[inline]
    pub(super) fn shrink(&mut self) {
        let sets = self.view().len();
        if self.state.entries + 1 < sets {
            // So few entries find a place, but for ones whose hashes agree.
            self.rebuild((sets / 4).max(1), |_, _| {});
        }
    }

    /// Moves the entries to a table of another size. The few that find no place there are evicted.
    #[cold]
    fn rebuild(&mut self, sets: usize, mut gone: impl FnMut(&K, &V)) {
        let (cache, mut homeless) = (self.cache, Vec::new());
        let many = cache.tables.len() >= MANY_SHARDS;
        cache.tables[self.shard].rebuild(sets, many, &mut self.bin(), |held| {
            homeless.push(held.about());
            gone(held.key(), held.value());
        });
        for about in homeless {
            self.state.stats.evictions += 1;
            self.forget(Some(about));
            cache.uncount_entry();
        }
    }

    /// Removes what has expired among the next few slots.
    pub(super) fn sweep(&mut self, now: Duration, mut gone: impl FnMut(&K, &V)) {
        let view = self.view();
        for _ in 0..SWEEP {
            let slot = self.state.sweep_at % view.slots();
            self.state.sweep_at = slot + 1;
            if let Some(found) =
                view.entry(ViewOf::<K, V, T>::position(slot)).filter(|found| found.held.is_expired(|| now))
            {
                self.evict(view, found, now, &mut gone);
                self.cache.uncount_entry();
            }
        }
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        let (cache, mut removed) = (self.cache, Vec::new());
        cache.tables[self.shard].clear(&mut self.bin(), |about| removed.push(about));
        for about in removed {
            self.forget(Some(about));
            cache.uncount_entry();
        }
        if let Some(queues) = &mut self.state.queues {
            queues.clear();
        }
    }

    #[inline]
    fn bin(&mut self) -> Bin<'_, 'g, 'c, GarbageOf<K, V, T>, ReclaimOf<K, V, T>> {
        self.assert_alone();
        Bin { reclaim: &self.cache.reclaim, guard: self.pin, bag: &mut self.state.bag }
    }

    /// Books that an entry leaves the table.
    #[inline]
    fn forget(&mut self, about: Option<About>) {
        self.state.entries -= 1;
        if let Some(about) = about {
            self.cache.uncount_weight(about);
        }
    }
}

/// How much garbage a cache aims at, in bytes, and how much of it a shard gathers before it hands it over: 1 % of what
/// the cache may hold, and 64 KiB at least, of which the shards gather no more than a half.
pub(super) fn garbage_budget(limits: &Limits, shards: usize) -> (u64, u64) {
    const ENTRY: u64 = 64;
    let whole = limits.max_bytes.unwrap_or(0).max((limits.capacity as u64).saturating_mul(ENTRY));
    let budget = (whole / 100).max(64 << 10);
    (budget, (budget / 2 / shards as u64).clamp(ENTRY, 64 * ENTRY))
}
