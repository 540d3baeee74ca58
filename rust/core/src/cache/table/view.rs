//! A table as readers and writers see it: finding, placing and removing entries.

#![allow(unsafe_code)]

use std::marker::PhantomData;

use super::body::{About, Body, Entry, Held, prefetch};
use super::marks;
use super::set::{Set, tag};
use super::{Bin, MAX_REACH, Memory, WAYS};
use crate::cache::reclaim::Reclaim;
use crate::sync::Ordering;

/// A slot of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) struct Position {
    pub(in crate::cache) set: u32,
    pub(in crate::cache) way: u32,
}

impl Position {
    /// Small enough to travel in a register.
    #[inline]
    pub(super) fn new(set: usize, way: usize) -> Self {
        Self { set: set as u32, way: way as u32 }
    }
}

/// An entry and where it lies.
#[derive(Clone, Copy)]
pub(in crate::cache) struct Found<H> {
    pub(in crate::cache) at: Position,
    pub(in crate::cache) held: H,
}

/// A table as it was reachable under a guard.
pub(in crate::cache) struct View<'g, K, V, B: Body<K, V>> {
    pub(super) start: *const Set<B>,
    /// Of the number of sets.
    pub(super) log: u32,
    pub(super) lasts: PhantomData<(&'g Set<B>, &'g (K, V))>,
}

impl<K, V, B: Body<K, V>> Clone for View<'_, K, V, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V, B: Body<K, V>> Copy for View<'_, K, V, B> {}

impl<'g, K: 'g, V: 'g, B: Body<K, V>> View<'g, K, V, B> {
    /// The logarithm of the number of sets.
    #[inline]
    pub(in crate::cache) fn log(self) -> u32 {
        self.log
    }

    /// Sets of the table.
    #[inline]
    pub(in crate::cache) fn len(self) -> usize {
        1 << self.log
    }

    #[inline]
    pub(super) fn mask(self) -> usize {
        self.len() - 1
    }

    /// A set; the number counts modulo their number.
    #[inline]
    pub(super) fn set(self, set: u32) -> &'g Set<B> {
        // SAFETY: the memory begins with so many sets, and lasts as long as 'g.
        let set = unsafe { self.start.add(set as usize & self.mask()) };
        // SAFETY: likewise.
        unsafe { &*set }
    }

    #[inline]
    pub(super) fn index(self, at: Position) -> usize {
        debug_assert!((at.set as usize) < self.len() && (at.way as usize) < WAYS);
        at.set as usize * WAYS + at.way as usize
    }

    /// What is kept of a slot apart from its set.
    #[inline]
    pub(super) fn apart(self, at: Position) -> &'g B::Apart {
        let start = Memory::<K, V, B>::apart_at(self.log);
        // SAFETY: what is kept apart comes last.
        let apart = unsafe { self.start.byte_add(start).cast::<B::Apart>() };
        // SAFETY: there is one for each slot, and the memory lasts as long as 'g.
        let apart = unsafe { apart.add(self.index(at)) };
        // SAFETY: likewise.
        unsafe { &*apart }
    }

    #[inline]
    pub(super) fn home(self, hash: u64) -> u32 {
        hash as u32 & self.mask() as u32
    }

    /// When or how often a slot was used; the policy's business. 0 where it is empty.
    #[inline]
    pub(in crate::cache) fn mark(self, at: Position) -> u16 {
        self.set(at.set).marks[at.way as usize].load(Ordering::Relaxed)
    }

    #[inline]
    pub(in crate::cache) fn set_mark(self, at: Position, mark: u16) {
        self.set(at.set).marks[at.way as usize].store(mark, Ordering::Relaxed);
    }

    /// How long ago the slot was used that was used least recently at `now`, of the set that a number of 32 bits chooses;
    /// 0 if all of them are empty. And that slot.
    #[inline(always)]
    pub(in crate::cache) fn oldest(self, number: u64, now: u16) -> (i16, Position) {
        let set = self.chosen(number);
        let marks = &self.set(set).marks;
        let (rank, way) = if B::EXCLUSIVE {
            // SAFETY: no other thread writes to them meanwhile.
            let marks = unsafe { &*marks.as_ptr().cast::<[u16; WAYS]>() };
            marks::oldest(marks, now)
        } else {
            marks::oldest(&std::array::from_fn(|way| marks[way].load(Ordering::Relaxed)), now)
        };
        (rank, Position::new(set as usize, way))
    }

    #[inline]
    fn chosen(self, number: u64) -> u32 {
        ((number << self.log) >> 32) as u32
    }

    /// The entries of the set that [`Self::oldest`] looks at.
    pub(in crate::cache) fn sampled(self, number: u64) -> impl Iterator<Item = Found<B::Held<'g>>> {
        self.in_set(self.chosen(number))
    }

    /// The slot with a number below [`Self::slots`].
    #[inline]
    pub(in crate::cache) fn position(number: usize) -> Position {
        Position::new(number / WAYS, number % WAYS)
    }

    /// Asks the processor to fetch the home of this hash.
    #[inline]
    pub(in crate::cache) fn prefetch_home(self, hash: u64) {
        let home = self.set(self.home(hash));
        prefetch(home);
        home.body.prefetch();
    }

    /// Asks the processor to fetch a slot; its tag and its mark are at hand.
    #[inline]
    pub(in crate::cache) fn prefetch_slot(self, at: Position) {
        self.set(at.set).body.prefetch_slot(at.way as usize);
    }

    /// Asks the processor to fetch the marks that [`Self::oldest`] looks at.
    #[inline]
    pub(in crate::cache) fn prefetch_marks(self, number: u64) {
        prefetch(&raw const self.set(self.chosen(number)).marks);
    }

    /// The entry of a slot, if it holds one.
    #[inline(always)]
    pub(in crate::cache) fn entry(self, at: Position) -> Option<Found<B::Held<'g>>> {
        if (at.set as usize) < self.len() && self.set(at.set).is_taken(at.way as usize) {
            self.held(at).map(|held| Found { at, held })
        } else {
            None
        }
    }

    /// The entry of a slot whose mark was not 0 just now. (Where threads meet, a late reader may have marked an empty one.)
    #[inline(always)]
    pub(in crate::cache) fn marked(self, at: Position) -> Option<Found<B::Held<'g>>> {
        debug_assert!(!B::EXCLUSIVE || self.set(at.set).is_taken(at.way as usize));
        self.held(at).map(|held| Found { at, held })
    }

    /// The entry of a slot that is taken.
    #[inline(always)]
    pub(super) fn held(self, at: Position) -> Option<B::Held<'g>> {
        let set = self.set(at.set);
        let expires = set.expiring.load(Ordering::Relaxed) >> at.way & 1 != 0;
        // SAFETY: the slot is taken.
        unsafe { set.body.look(at.way as usize, self.apart(at), expires) }
    }

    /// What is known of an entry that a slot holds; cheaper than [`Held::about`] if that is nothing.
    #[inline]
    pub(in crate::cache) fn about(self, found: Found<B::Held<'g>>) -> Option<About> {
        (!self.set(found.at.set).is_plain(found.at.way as usize)).then(|| found.held.about())
    }

    /// The entry with this hash at its home, if it is there, lives for ever and its key passes `test`; false if the table
    /// holds no such entry at all, and true if that was not found out here.
    #[inline(always)]
    pub(in crate::cache) fn find_plainly(
        self,
        hash: u64,
        mut test: impl FnMut(&K, &V) -> Option<bool>,
    ) -> Result<Found<B::Held<'g>>, bool> {
        let home = self.home(hash);
        let set = self.set(home);
        set.body.prefetch();
        let mut unclear = false;
        for way in set.tagged(tag(hash)) {
            let at = Position::new(home as usize, way);
            let Some(held) = self.held(at) else { continue };
            match test(held.key(), held.value()) {
                Some(true) if !held.expires() => return Ok(Found { at, held }),
                Some(false) => {}
                _ => unclear = true,
            }
        }
        Err(unclear || set.reach.load(Ordering::Acquire) != 0)
    }

    /// The entry with this hash whose key passes `test`, or, where some are undecided and none passes, their keys.
    #[inline]
    pub(in crate::cache) fn find(
        self,
        hash: u64,
        mut test: impl FnMut(&K) -> Option<bool>,
    ) -> Result<Option<Found<B::Held<'g>>>, Vec<K>>
    where
        K: Clone,
    {
        let mut undecided = None;
        let found = self.first(hash, |held| {
            test(held.key()).unwrap_or_else(|| {
                if held.about().hash == hash {
                    note(&mut undecided, held.key());
                }
                false
            })
        });
        match undecided {
            Some(keys) if found.is_none() => Err(keys),
            _ => Ok(found),
        }
    }

    /// Whether there is certainly no entry with this hash whose key passes `test`.
    #[inline(never)]
    pub(in crate::cache) fn lacks(self, hash: u64, mut test: impl FnMut(&K) -> Option<bool>) -> bool {
        self.first(hash, |held| test(held.key()) != Some(false)).is_none()
    }

    /// An entry with this hash.
    pub(in crate::cache) fn with_hash(self, hash: u64) -> Option<Found<B::Held<'g>>> {
        self.first(hash, |held| held.about().hash == hash)
    }

    /// The first entry that passes `test`, of those where one with this hash may lie and whose tags are alike.
    #[inline]
    fn first(self, hash: u64, mut test: impl FnMut(B::Held<'g>) -> bool) -> Option<Found<B::Held<'g>>> {
        let home = self.home(hash);
        let mut distance = 0;
        loop {
            let set = (home + distance) & self.mask() as u32;
            self.set(set).body.prefetch();
            for way in self.set(set).tagged(tag(hash)) {
                let at = Position::new(set as usize, way);
                if let Some(held) = self.held(at).filter(|held| test(*held)) {
                    return Some(Found { at, held });
                }
            }
            // Read after the tags: an entry that was there all the time is within the reach all the time.
            if distance >= u32::from(self.set(home).reach.load(Ordering::Acquire)) {
                return None;
            }
            distance += 1;
        }
    }

    /// The entries in the home set of a hash.
    pub(in crate::cache) fn at_home(self, hash: u64) -> impl Iterator<Item = Found<B::Held<'g>>> {
        self.in_set(self.home(hash))
    }

    /// The entries of the table that are there now.
    pub(in crate::cache) fn entries(self) -> impl Iterator<Item = Found<B::Held<'g>>> {
        (0..self.len() as u32).flat_map(move |set| self.in_set(set))
    }

    pub(in crate::cache) fn in_set(self, set: u32) -> impl Iterator<Item = Found<B::Held<'g>>> {
        let positions = self.set(set).taken().map(move |way| Position::new(set as usize, way));
        positions.filter_map(move |at| self.held(at).map(|held| Found { at, held }))
    }

    /// Where a new entry with this hash may lie. The lock of the shard is held.
    #[inline]
    pub(in crate::cache) fn vacancy(self, hash: u64) -> Option<Position> {
        self.vacant(self.home(hash), hash).or_else(|| self.vacancy_elsewhere(hash))
    }

    /// A free slot of a set. Which one depends on the hash: were it always the first, slots of the same way would have
    /// been filled at about the same time, and a sample of them would be of one age.
    #[inline]
    fn vacant(self, set: u32, hash: u64) -> Option<Position> {
        let free = !self.set(set).taken().0 & ((1 << WAYS) - 1);
        let start = (((hash >> 32) & 0xFFFF) as usize * WAYS) >> 16;
        let way = start + ((free | free << WAYS) >> start).trailing_zeros() as usize;
        (free != 0).then(|| Position::new(set as usize, if way < WAYS { way } else { way - WAYS }))
    }

    #[cold]
    fn vacancy_elsewhere(self, hash: u64) -> Option<Position> {
        let further = 1..MAX_REACH.min(self.len()) as u32;
        further.into_iter().find_map(|distance| self.vacant((self.home(hash) + distance) & self.mask() as u32, hash))
    }

    /// Slots of the table.
    pub(in crate::cache) fn slots(self) -> usize {
        WAYS << self.log
    }

    /// Publishes an entry in a vacant slot. The lock of the shard is held.
    #[inline(always)]
    pub(in crate::cache) fn publish(self, at: Position, mark: u16, entry: Entry<K, V>) {
        let about = entry.about;
        // SAFETY: the slot is vacant, and the lock is held.
        unsafe { self.set(at.set).body.fill(at.way as usize, self.apart(at), entry) };
        self.link(at, mark, about);
    }

    /// Makes the entry that a slot was filled with visible.
    #[inline(always)]
    pub(super) fn link(self, at: Position, mark: u16, about: About) {
        let (set, home) = (self.set(at.set), self.home(about.hash));
        self.set_mark(at, mark);
        set.note(at.way as usize, about, home == at.set);
        set.set_tag(at.way as usize, tag(about.hash));
        if home != at.set {
            let distance = (at.set.wrapping_sub(home) & self.mask() as u32) as u16;
            let home = self.set(home);
            home.displaced.store(home.displaced.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            home.reach.store(home.reach.load(Ordering::Relaxed).max(distance), Ordering::Release);
        }
    }

    /// Puts an entry in the place of one with the same key. The lock of the shard is held.
    pub(in crate::cache) fn replace<R: Reclaim<B::Garbage>>(
        self,
        at: Position,
        entry: Entry<K, V>,
        bin: &mut Bin<'_, '_, '_, B::Garbage, R>,
    ) {
        let (set, about) = (self.set(at.set), entry.about);
        // SAFETY: the slot is taken, and the lock is held.
        let old = unsafe { set.body.replace(at.way as usize, self.apart(at), entry) };
        set.forget(at.way as usize);
        set.note(at.way as usize, about, self.home(about.hash) == at.set);
        bin.put(old, about.weight);
    }

    /// Removes the entry of a slot, which must hold one, of which this is known. The lock of the shard is held.
    #[inline(always)]
    pub(in crate::cache) fn unlink<R: Reclaim<B::Garbage>>(
        self,
        at: Position,
        about: Option<About>,
        bin: &mut Bin<'_, '_, '_, B::Garbage, R>,
    ) {
        let set = self.set(at.set);
        set.set_tag(at.way as usize, 0);
        set.forget(at.way as usize);
        self.set_mark(at, 0);
        let home = about.map_or(at.set, |about| self.home(about.hash));
        if home != at.set {
            let home = self.set(home);
            let displaced = home.displaced.load(Ordering::Relaxed) - 1;
            home.displaced.store(displaced, Ordering::Relaxed);
            if displaced == 0 {
                home.reach.store(0, Ordering::Release);
            }
        }
        // SAFETY: the slot was taken, and the lock is held.
        bin.put(unsafe { set.body.take(at.way as usize) }, about.map_or(0, |about| about.weight));
    }
}

#[cold]
fn note<K: Clone>(keys: &mut Option<Vec<K>>, key: &K) {
    keys.get_or_insert_default().push(key.clone());
}
