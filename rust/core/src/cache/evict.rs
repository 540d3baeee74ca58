//! Making room: which entry goes, and how the bounds are kept.

use std::num::NonZeroU64;
use std::time::Duration;

use super::recency::Random;
use super::reclaim::Threading;
use super::shard::Writer;
use super::table::{Found, Held, Position};
use super::{FIT_A_CACHE, HeldIn, LruCache, Pin, Policy};
use crate::sync::Ordering;

/// Samples whose oldest entries compete while there are fewer entries than [`FEW`], and beyond. Where there are few places
/// to draw from, the same neighbours compete again and again, which costs hits.
const SAMPLES: (usize, usize) = (2, 1);
const FEW: usize = 4096;
/// Candidates that are drawn at most, from tables that are nearly empty.
const DRAWS: usize = 16;
/// Victims that another thread may get ahead of, before an insertion gives up; the next one makes up for it.
const ATTEMPTS: usize = 64;

/// An insertion that makes room for what it has added.
pub(super) struct Insertion<'g, 'c, K, V, T: Threading>
where
    K: Send + 'static,
    V: Send + 'static,
{
    cache: &'g LruCache<K, V, T>,
    pin: &'g Pin<'c, K, V, T>,
    /// The newcomer's shard, and where it lies there; if another thread moves it, it may be its own victim.
    home: usize,
    newcomer: Position,
    now: Duration,
    random: Random,
    /// A victim that was found before the newcomer was added.
    candidate: Option<Candidate>,
    /// Shards that were asked for a victim.
    turn: usize,
    /// Where a search through everything goes on: the shard, and the set in it.
    search: (usize, u32),
}

/// An entry and the shard that holds it.
type Place<'g, K, V, T> = (usize, Found<HeldIn<'g, K, V, T>>);

impl<'g, 'c, K, V, T> Insertion<'g, 'c, K, V, T>
where
    K: Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    T: Threading,
{
    /// Makes room for what lies at `newcomer`, its shard and its place there.
    pub(super) fn new(
        cache: &'g LruCache<K, V, T>,
        pin: &'g Pin<'c, K, V, T>,
        (home, newcomer): (usize, Position),
        now: Duration,
        random: Random,
        candidate: Option<Candidate>,
    ) -> Self {
        Self { cache, pin, home, newcomer, now, random, candidate, turn: 0, search: (home, 0) }
    }

    /// Counts the newcomer, if its key is new, in the place of a victim if there is no other place, and removes what is
    /// over the bounds.
    pub(super) fn make_room(&mut self, is_new: bool, mut gone: impl FnMut(&K, &V)) {
        let cache = self.cache;
        if is_new && !cache.count_entry_if_there_is_room() && !self.evict(&mut gone) {
            T::add(&cache.entries.0, 1);
        }
        while cache.is_over() && self.evict(&mut gone) {
            cache.uncount_entry();
        }
    }

    /// Removes one entry other than the newcomer; false if there is none.
    fn evict(&mut self, gone: impl FnMut(&K, &V)) -> bool {
        match self.cache.limits.policy {
            Policy::Lru => self.evict_sampled(gone),
            Policy::S3Fifo => self.evict_queued(gone),
        }
    }

    /// Removes the next one in the queues of the home shard, or of the next shard that has one. The shards take turns: a
    /// heavy newcomer must not empty its own.
    fn evict_queued(&mut self, mut gone: impl FnMut(&K, &V)) -> bool {
        for _ in 0..self.cache.shards.len() {
            let shard = (self.home + self.turn) % self.cache.shards.len();
            self.turn += 1;
            let mut writer = Writer::lock(self.cache, shard, self.pin);
            let (view, newcomer) = (writer.view(), (shard == self.home).then_some(self.newcomer));
            if let Some(found) = writer.state.queues.as_mut().and_then(|queues| queues.victim(view, newcomer)) {
                writer.evict(found, self.now, &mut gone);
                return true;
            }
        }
        false
    }

    /// Removes an expired entry of a sample, or the oldest.
    #[inline]
    fn evict_sampled(&mut self, mut gone: impl FnMut(&K, &V)) -> bool {
        if self.cache.expiring.0.load(Ordering::Relaxed) == 0
            && let Some(candidate) = self.candidate.take()
            && self.evict_candidate(candidate, &mut gone)
        {
            return true;
        }
        self.evict_searching(gone)
    }

    /// Removes a candidate, unless it is gone, or its table replaced.
    #[inline]
    fn evict_candidate(&mut self, candidate: Candidate, gone: impl FnMut(&K, &V)) -> bool {
        let (shard, at, sets) = candidate.unpack();
        let mut writer = Writer::lock(self.cache, shard, self.pin);
        let view = writer.view();
        if view.len() != sets || (shard == self.home && at == self.newcomer) {
            return false;
        }
        let Some(found) = view.entry(at) else { return false };
        writer.evict(found, self.now, gone);
        if shard != self.home {
            writer.shrink();
        }
        true
    }

    #[inline(never)]
    fn evict_searching(&mut self, mut gone: impl FnMut(&K, &V)) -> bool {
        let strict = self.cache.clock.strict;
        if !strict && self.cache.expiring.0.load(Ordering::Relaxed) != 0 {
            let expired = self.expired();
            if expired.is_some_and(|place| self.evict_place(place, &mut gone)) {
                return true;
            }
        }
        for _ in 0..if strict { 0 } else { DRAWS } {
            let candidate = Candidate::draw(self.cache, self.pin, &mut self.random);
            if candidate.is_some_and(|candidate| self.evict_candidate(candidate, &mut gone)) {
                return true;
            }
        }
        // The cache is small, or its tables are nearly empty.
        for _ in 0..ATTEMPTS {
            let place = if strict { self.all().max_by_key(|place| self.loss(place)) } else { self.next() };
            let Some(place) = place else { return false };
            if self.evict_place(place, &mut gone) {
                return true;
            }
        }
        false
    }

    /// Removes an entry, unless it is gone.
    fn evict_place(&self, (shard, found): Place<'g, K, V, T>, gone: impl FnMut(&K, &V)) -> bool {
        let mut writer = Writer::lock(self.cache, shard, self.pin);
        let still_there = writer.holds(found);
        if still_there {
            writer.evict(found, self.now, gone);
            if shard != self.home {
                writer.shrink();
            }
        }
        still_there
    }

    /// An expired entry, if there is one in a sample.
    #[cold]
    fn expired(&mut self) -> Option<Place<'g, K, V, T>> {
        let shard = draw_shard(self.cache, &mut self.random);
        let view = self.cache.tables[shard].view(self.pin);
        let found = view.sampled(self.random.next()).find(|found| found.held.is_expired(|| self.now));
        found.map(|found| (shard, found))
    }

    /// The next entry but the newcomer, from where the last search ended, so that many searches are one way through.
    fn next(&mut self) -> Option<Place<'g, K, V, T>> {
        let (first, start) = self.search;
        let shards = self.cache.tables.len();
        for step in 0..=shards {
            let shard = (first + step) % shards;
            let view = self.cache.tables[shard].view(self.pin);
            for set in if step == 0 { start } else { 0 }..view.len() as u32 {
                let found = view.in_set(set).find(|found| shard != self.home || found.at != self.newcomer);
                if let Some(found) = found {
                    self.search = (shard, set);
                    return Some((shard, found));
                }
            }
        }
        None
    }

    /// All entries but the newcomer.
    fn all(&self) -> impl Iterator<Item = Place<'g, K, V, T>> {
        let (cache, pin, home, newcomer) = (self.cache, self.pin, self.home, self.newcomer);
        let places = (0..cache.tables.len())
            .flat_map(move |shard| cache.tables[shard].view(pin).entries().map(move |found| (shard, found)));
        places.filter(move |(shard, found)| *shard != home || found.at != newcomer)
    }

    /// How little is lost with an entry of a strict cache.
    fn loss(&self, (shard, found): &Place<'g, K, V, T>) -> (bool, u16) {
        let mark = self.cache.tables[*shard].view(self.pin).mark(found.at);
        (found.held.is_expired(|| self.now), self.cache.clock.age(mark))
    }
}

/// A slot that was the oldest of a few, and how many sets its table had by then, in one register.
#[derive(Clone, Copy)]
pub(super) struct Candidate(NonZeroU64);

impl Candidate {
    #[inline]
    fn pack(shard: usize, at: Position, sets: usize) -> Option<Self> {
        let log = u64::from(sets.trailing_zeros());
        // 32 bits for the set, 8 for the way, 6 for the size, 16 for the shard, and one that is never 0.
        let bits = u64::from(at.set) | u64::from(at.way) << 32 | log << 40 | (shard as u64) << 46 | 1 << 63;
        NonZeroU64::new(bits).map(Self)
    }

    /// The shard, the slot, and the sets.
    #[inline]
    fn unpack(self) -> (usize, Position, usize) {
        let bits = self.0.get();
        let at = Position { set: bits as u32, way: (bits >> 32 & 0xFF) as u32 };
        ((bits >> 46 & 0xFFFF) as usize, at, 1 << (bits >> 40 & 0x3F))
    }

    /// The oldest of some samples; None if all of their slots are empty. Its set is being fetched.
    #[inline(always)]
    pub(super) fn draw<K, V, T>(cache: &LruCache<K, V, T>, pin: &Pin<'_, K, V, T>, random: &mut Random) -> Option<Self>
    where
        K: Clone + Send + Sync + 'static,
        V: Send + Sync + 'static,
        T: Threading,
    {
        let now = cache.clock.now();
        let (mut longest, mut oldest) = (0, None);
        for _ in 0..if cache.len() < FEW { SAMPLES.0 } else { SAMPLES.1 } {
            let shard = draw_shard(cache, random);
            let view = cache.tables[shard].view(pin);
            let (age, at) = view.oldest(random.next(), now);
            if age > longest {
                if cache.tables.len() > FIT_A_CACHE {
                    view.prefetch(at.set);
                }
                (longest, oldest) = (age, Self::pack(shard, at, view.len()));
            }
        }
        oldest
    }
}

#[inline]
fn draw_shard<K, V, T>(cache: &LruCache<K, V, T>, random: &mut Random) -> usize
where
    K: Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    T: Threading,
{
    ((random.next() * cache.tables.len() as u64) >> 32) as usize
}
