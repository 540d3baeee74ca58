//! One lock's share of a cache, and what its holder does: adding, replacing, removing, sweeping.

use std::mem;
use std::time::Duration;

use super::evict::{Candidate, Foresight};
use super::fifo::{MOST_USES, Queues};
use super::reclaim::{Lock, Reclaim, Threading};
use super::table::{About, Entry, Found, Newcomer, Position, View, WAYS};
use super::{FreedBy, Limits, LruCache, Pin, Policy, ReclaimOf, StateGuard};

/// From so many shards on their tables lie in memory that they share.
const MANY_SHARDS: usize = 8;
/// What an entry is taken to hold beside its weight, in bytes.
const ENTRY: u64 = 64;
/// And what it is taken to hold at most, so that sums cannot overflow.
const MOST_HELD: u64 = 1 << 48;
const NOT_ALONE: &str = "a comparison or callback of the cache tried to change it";
/// Slots looked at for expired entries with each insertion.
const SWEEP: usize = 4;

/// A share of a cache.
#[repr(C)]
pub(super) struct Shard<L> {
    pub(super) foresight: Foresight,
    pub(super) lock: L,
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
///
/// What each insertion needs comes first: these lines go from processor to processor.
#[repr(C)]
pub(super) struct State<B> {
    /// Entries in the table.
    entries: usize,
    pub(super) counts: Counts,
    /// The queues of the policy that needs some.
    pub(super) queues: Option<Box<Queues>>,
    /// What the reclaimer knows of this shard.
    bag: B,
    /// The number of the slot that is swept next.
    sweep_at: usize,
}

/// What became of entries; see [`Stats`](super::Stats).
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) insertions: u64,
    pub(super) evictions: u64,
    pub(super) expirations: u64,
    pub(super) rejections: u64,
}

impl<B: Default> State<B> {
    pub(super) fn new(policy: Policy) -> Self {
        let queues = (policy == Policy::S3Fifo).then(Box::default);
        Self { entries: 0, counts: Counts::default(), queues, bag: B::default(), sweep_at: 0 }
    }
}

/// The right to change a shard: its lock, and a hold on what is unlinked meanwhile.
pub(super) struct Writer<'g, 'c, K, V, T: Threading>
where
    K: Clone + Send + 'static,
    V: Clone + Send + 'static,
{
    cache: &'g LruCache<K, V, T>,
    shard: usize,
    pub(super) state: StateGuard<'g, K, V, T>,
    /// What was freed; dropped after the lock is released, since that comes first.
    freed: FreedBy<K, V, T>,
    pin: &'g Pin<'c, K, V, T>,
}

impl<'g, 'c, K, V, T> Writer<'g, 'c, K, V, T>
where
    K: Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    T: Threading,
{
    /// Waits for the lock of a shard.
    ///
    /// # Panics
    /// If an operation on a cache of one thread is under way, from inside of which this is called.
    #[inline(always)]
    pub(super) fn lock(cache: &'g LruCache<K, V, T>, shard: usize, pin: &'g Pin<'c, K, V, T>) -> Self {
        assert!(cache.reclaim.0.is_alone(pin), "{NOT_ALONE}");
        Self { cache, shard, state: cache.shards[shard].0.lock.lock(), freed: FreedBy::<K, V, T>::default(), pin }
    }

    /// Also after a comparison: one may have let another operation in that is still looking.
    #[inline]
    fn assert_alone(&self) {
        assert!(self.cache.reclaim.0.is_alone(self.pin), "{NOT_ALONE}");
    }

    /// Takes the lock of a shard if that is possible at once.
    pub(super) fn try_lock(cache: &'g LruCache<K, V, T>, shard: usize, pin: &'g Pin<'c, K, V, T>) -> Option<Self> {
        let state = cache.reclaim.0.is_alone(pin).then(|| cache.shards[shard].0.lock.try_lock())??;
        Some(Self { cache, shard, state, freed: FreedBy::<K, V, T>::default(), pin })
    }

    /// Frees the slots that nobody looks at any more, if it is time to.
    #[inline]
    pub(super) fn free(&mut self) {
        self.cache.reclaim.0.free(&mut self.state.bag, self.cache.tables[self.shard].view(self.pin), &mut self.freed);
    }

    /// Frees all that nobody looks at any more.
    pub(super) fn free_all(&mut self) {
        ReclaimOf::<K, V, T>::hurry(&mut self.state.bag);
        self.free();
    }

    #[inline]
    pub(super) fn pin(&self) -> &'g Pin<'c, K, V, T> {
        self.pin
    }

    #[inline(always)]
    pub(super) fn view(&self) -> View<'g, K, V> {
        self.cache.tables[self.shard].view(self.pin)
    }

    /// Whether `found` still lies where it was found.
    pub(super) fn holds(&self, found: Found<'g, K, V>) -> bool {
        self.view().entry(found.at).is_some_and(|here| here.held.is(found.held))
    }

    /// Removes an entry that is there, and counts it out.
    pub(super) fn remove(&mut self, found: Found<'g, K, V>, expired: bool) {
        self.state.counts.expirations += u64::from(expired);
        self.unlink(self.view(), found);
        self.cache.uncount_entry();
    }

    #[inline(always)]
    fn unlink(&mut self, view: View<'g, K, V>, found: Found<'g, K, V>) {
        self.assert_alone();
        let about = found.about();
        self.forget(about);
        view.unlink(found.at, about);
        self.cache.reclaim.0.retire(self.pin, &mut self.state.bag, view, found.at, Self::holding(about));
    }

    /// How many bytes an entry is taken to hold until it is dropped: none, if it need not be.
    #[inline(always)]
    fn holding(about: Option<About>) -> u64 {
        let weight = about.map_or(0, About::weight).min(MOST_HELD);
        if mem::needs_drop::<(K, V)>() { weight + ENTRY } else { 0 }
    }

    /// How many bytes the entries of a table are taken to hold that is about to be replaced.
    fn all_hold(view: View<'g, K, V>) -> u64 {
        if mem::needs_drop::<(K, V)>() && ReclaimOf::<K, V, T>::keeps() {
            view.entries().map(|found| Self::holding(found.about())).sum()
        } else {
            0
        }
    }

    /// Where a new entry with this hash may lie.
    #[inline(always)]
    pub(super) fn vacancy(&self, view: View<'g, K, V>, hash: u64) -> Option<Position> {
        view.vacancy(hash, |set| ReclaimOf::<K, V, T>::kept(&self.state.bag, set))
    }

    /// Counts an entry that is too heavy, and removes the old one of its key.
    pub(super) fn reject(mut self, old: Option<Found<'g, K, V>>) {
        self.state.counts.rejections += 1;
        if let Some(old) = old {
            self.remove(old, false);
        }
    }

    /// A number that grows by one with each insertion. The shards are out of step, so that they do not all tick at once.
    #[inline]
    fn insertions(&self) -> u64 {
        self.state.counts.insertions.wrapping_add((self.shard as u64).wrapping_mul(0x9E37_79B9))
    }

    /// Counts an insertion.
    pub(super) fn count_insertion(&mut self) {
        self.state.counts.insertions += 1;
    }

    /// Removes an entry of the shard to make room, or because its time is over, after showing it to `gone`. What the
    /// cache counts is left to the caller. `view` is that of the shard as it is now.
    #[inline(always)]
    pub(super) fn evict(
        &mut self,
        view: View<'g, K, V>,
        found: Found<'g, K, V>,
        now: Duration,
        mut gone: impl FnMut(&K, &V),
    ) {
        let expired = found.held.is_expired(|| now);
        self.state.counts.expirations += u64::from(expired);
        self.state.counts.evictions += u64::from(!expired);
        gone(found.held.key(), found.held.value());
        self.unlink(view, found);
    }

    /// Removes a candidate like [`Self::evict`], which was there when the lock was held already.
    #[inline(always)]
    pub(super) fn evict_candidate(&mut self, candidate: Candidate, gone: impl FnMut(&K, &V)) {
        let view = self.view();
        let found = view.entry(candidate.at()).expect("only who holds the lock removes it");
        self.evict(view, found, Duration::ZERO, gone);
    }

    /// Puts an entry in the place of one with the same key, of which this is known; returns where.
    pub(super) fn replace(
        &mut self,
        (old, about): (Position, Option<About>),
        entry: Entry<K, V>,
        gone: impl FnMut(&K, &V),
    ) -> Position {
        self.assert_alone();
        let view = self.view();
        let mark = match self.state.queues {
            Some(_) => (view.mark(old) + 1).min(MOST_USES),
            None => self.cache.clock.inserted::<T>(self.cache.len(), self.insertions()),
        };
        let at = match self.cache.reclaim.0.replace(view, old, mark, entry) {
            Ok(()) => old,
            Err(entry) => self.succeed((old, about), mark, entry, gone),
        };
        // The shard has as many as before.
        if let Some(about) = about {
            self.cache.uncount_weight(about);
        }
        at
    }

    /// Puts an entry in another slot than that with the same key, which goes.
    fn succeed(
        &mut self,
        (old, about): (Position, Option<About>),
        mark: u16,
        entry: Entry<K, V>,
        gone: impl FnMut(&K, &V),
    ) -> Position {
        let view = self.view();
        let kept = |set| ReclaimOf::<K, V, T>::kept(&self.state.bag, set);
        if let Some(at) = view.successor(old, entry.about().hash, kept) {
            view.succeed(old, at, mark, entry, about);
            self.cache.reclaim.0.retire(self.pin, &mut self.state.bag, view, old, Self::holding(about));
            return at;
        }
        let newcomer = Newcomer { mark, entry, replaces: Some(old) };
        self.rebuild(view.len(), Some(newcomer), gone).expect("there is a newcomer")
    }

    /// Adds an entry whose key is not there; returns where. Where its hash finds no place, an entry at its home goes.
    #[inline]
    pub(super) fn add(&mut self, entry: Entry<K, V>, now: Duration, mut gone: impl FnMut(&K, &V)) -> Position {
        let hash = entry.about().hash;
        self.assert_alone();
        self.fit(&mut gone);
        let Some(at) = self.vacancy(self.view(), hash).or_else(|| self.make_vacancy(hash, &mut gone)) else {
            return self.add_crowding(entry, now, gone);
        };
        self.publish(self.view(), at, entry);
        at
    }

    /// Puts an entry in a vacant slot of the shard's table.
    #[inline(always)]
    pub(super) fn publish(&mut self, view: View<'g, K, V>, at: Position, entry: Entry<K, V>) {
        self.assert_alone();
        let mark = self.admit(view, entry.about().hash);
        view.publish(at, mark, entry);
    }

    /// Books a new entry; returns its mark.
    #[inline(always)]
    fn admit(&mut self, view: View<'g, K, V>, hash: u64) -> u16 {
        self.state.entries += 1;
        let entries = self.state.entries;
        if let Some(queues) = &mut self.state.queues {
            queues.clean(view, entries);
            queues.push(hash);
            0
        } else {
            self.cache.clock.inserted::<T>(self.cache.len(), self.insertions())
        }
    }

    /// Whether the table has the right size for one entry more.
    #[inline]
    pub(super) fn fits(&self, view: View<'g, K, V>) -> bool {
        let (sets, entries) = (view.len(), self.state.entries + 1);
        entries * 4 <= sets * WAYS * 3 && entries >= sets
    }

    /// Makes room for an entry in its home and the sets behind it: by a table without slots that are kept, or by one of
    /// twice the size where hashes crowd by chance. None if too many are alike.
    #[cold]
    fn make_vacancy(&mut self, hash: u64, mut gone: impl FnMut(&K, &V)) -> Option<Position> {
        let sets = self.view().len();
        let crowd_by_chance = self.state.entries * 4 > sets * WAYS;
        let kept = self.view().is_kept_from(hash, |set| ReclaimOf::<K, V, T>::kept(&self.state.bag, set));
        [(kept, sets), (crowd_by_chance, 2 * sets)].into_iter().find_map(|(useful, sets)| {
            if useful {
                self.rebuild(sets, None, &mut gone);
            }
            self.vacancy(self.view(), hash)
        })
    }

    /// Adds an entry where there is no room for it, in the place of one at its home.
    #[cold]
    fn add_crowding(&mut self, entry: Entry<K, V>, now: Duration, mut gone: impl FnMut(&K, &V)) -> Position {
        let (view, hash) = (self.view(), entry.about().hash);
        let (lru, clock) = (self.state.queues.is_none(), &self.cache.clock);
        let worth = |found: &Found<'g, K, V>| {
            let mark = view.mark(found.at);
            if lru { u16::MAX - clock.age(mark) } else { mark }
        };
        let found = view.at_home(hash).min_by_key(worth).expect("a set without a vacancy is full");
        self.evict(view, found, now, &mut gone);
        self.cache.uncount_entry();
        if let Some(at) = self.vacancy(view, hash) {
            self.publish(view, at, entry);
            return at;
        }
        // Its slot is kept. A new table keeps none, and gives the newcomer its place first.
        let mark = self.admit(view, hash);
        self.rebuild(view.len(), Some(Newcomer { mark, entry, replaces: None }), gone).expect("there is a newcomer")
    }

    /// Doubles a table that one entry more would fill by over three quarters, or makes one smaller that is nearly empty.
    #[inline]
    fn fit(&mut self, mut gone: impl FnMut(&K, &V)) {
        if !self.fits(self.view()) {
            let sets = self.view().len();
            if self.state.entries >= sets {
                self.rebuild(sets * 2, None, &mut gone);
            } else {
                self.shrink(gone);
            }
        }
    }

    /// Quarters a table with fewer entries than sets: draws for a victim would find it empty.
    #[inline]
    pub(super) fn shrink(&mut self, gone: impl FnMut(&K, &V)) {
        let sets = self.view().len();
        if self.state.entries + 1 < sets {
            // So few entries find a place, but for ones whose hashes agree.
            self.rebuild((sets / 4).max(1), None, gone);
        }
    }

    /// Moves the entries to another table, to which a newcomer comes first. The few that find no place there are evicted.
    /// Returns where the newcomer lies.
    #[cold]
    fn rebuild(
        &mut self,
        sets: usize,
        newcomer: Option<Newcomer<K, V>>,
        mut gone: impl FnMut(&K, &V),
    ) -> Option<Position> {
        self.assert_alone();
        let (cache, mut homeless) = (self.cache, Vec::new());
        let (many, bytes) = (cache.tables.len() >= MANY_SHARDS, Self::all_hold(self.view()));
        let hand_over = |view, found| ReclaimOf::<K, V, T>::hand_over(view, found);
        let (old, newcomer) =
            cache.tables[self.shard].rebuild(self.pin, (sets, many), newcomer, hand_over, |found| homeless.push(found));
        cache.reclaim.0.retire_table(self.pin, &mut self.state.bag, old, bytes);
        for found in &homeless {
            self.state.counts.evictions += 1;
            self.forget(Some(found.held.about()));
            cache.uncount_entry();
        }
        // Now that all is in its place: the old table is not dropped yet.
        for found in homeless {
            gone(found.held.key(), found.held.value());
        }
        newcomer
    }

    /// Removes what has expired among the next few slots.
    pub(super) fn sweep(&mut self, now: Duration, mut gone: impl FnMut(&K, &V)) {
        let view = self.view();
        for _ in 0..SWEEP {
            let slot = self.state.sweep_at % view.slots();
            self.state.sweep_at = slot + 1;
            if let Some(found) = view.entry(Position::numbered(slot)).filter(|found| found.held.is_expired(|| now)) {
                self.evict(view, found, now, &mut gone);
                self.cache.uncount_entry();
            }
        }
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.assert_alone();
        let (cache, view, bytes) = (self.cache, self.view(), Self::all_hold(self.view()));
        let old = cache.tables[self.shard].clear();
        for found in view.entries() {
            self.forget(Some(found.held.about()));
            cache.uncount_entry();
        }
        cache.reclaim.0.retire_table(self.pin, &mut self.state.bag, old, bytes);
        if let Some(queues) = &mut self.state.queues {
            queues.clear();
        }
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
    let whole = limits.max_bytes.unwrap_or(0).max((limits.capacity as u64).saturating_mul(ENTRY));
    let budget = (whole / 100).max(64 << 10);
    (budget, (budget / 2 / shards as u64).clamp(ENTRY, 64 * ENTRY))
}
