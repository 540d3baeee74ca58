//! A table as readers and writers see it: finding, placing and removing entries.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::{self, MaybeUninit};

use super::entry::{About, Apart, Entry, Held, Terms, prefetch};
use super::marks::{self, Marks};
use super::set::{Set, tag};
use super::tags::LANES;
use super::{MAX_REACH, Memory, WAYS};
use crate::sync::Ordering;

/// A slot of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub(in crate::cache) set: u32,
    pub(in crate::cache) way: u32,
}

impl Position {
    /// Small enough to travel in a register.
    #[inline]
    pub(super) fn new(set: usize, way: usize) -> Self {
        Self { set: set as u32, way: way as u32 }
    }

    /// The slot with a number below [`View::slots`].
    #[inline]
    pub(in crate::cache) fn numbered(number: usize) -> Self {
        Self::new(number / WAYS, number % WAYS)
    }

    /// Its number.
    #[inline]
    pub(in crate::cache) fn number(self) -> usize {
        self.set as usize * WAYS + self.way as usize
    }
}

/// An entry and where it lies.
pub struct Found<'g, K, V> {
    pub(in crate::cache) at: Position,
    pub(in crate::cache) held: Held<'g, K, V>,
}

impl<K, V> Found<'_, K, V> {
    /// What is known of the entry; None, which is cheaper, if that is nothing but its hash, and the entry is at home.
    #[inline(always)]
    pub(in crate::cache) fn about(&self) -> Option<About> {
        (!self.held.plain).then(|| self.held.about())
    }
}

impl<K, V> Clone for Found<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Found<'_, K, V> {}

/// A table as it was reachable under a guard.
pub struct View<'g, K, V> {
    pub(super) start: *const Set<K, V>,
    /// The number of sets, less one.
    pub(super) mask: u32,
    pub(super) lasts: PhantomData<&'g Set<K, V>>,
}

impl<K, V> Clone for View<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for View<'_, K, V> {}

impl<'g, K: 'g, V: 'g> View<'g, K, V> {
    /// Sets of the table.
    #[inline]
    pub(in crate::cache) fn len(self) -> usize {
        self.mask as usize + 1
    }

    /// Slots of the table.
    #[inline]
    pub(in crate::cache) fn slots(self) -> usize {
        WAYS * self.len()
    }

    /// A set; the number counts modulo their number.
    #[inline]
    fn set(self, set: u32) -> &'g Set<K, V> {
        // SAFETY: the memory begins with so many sets, and lasts as long as 'g.
        let set = unsafe { self.start.add((set & self.mask) as usize) };
        // SAFETY: likewise.
        unsafe { &*set }
    }

    /// What is kept of a slot apart from its set.
    #[inline(always)]
    fn apart(self, at: Position) -> Apart<'g> {
        debug_assert!(at.number() < self.slots());
        let (hashes, terms) = Memory::<K, V>::apart_at(self.len());
        // SAFETY: the hashes come after the sets.
        let hash = unsafe { self.start.byte_add(hashes).cast::<UnsafeCell<MaybeUninit<u64>>>() };
        // SAFETY: and the rest after the hashes.
        let terms = unsafe { self.start.byte_add(terms).cast::<UnsafeCell<MaybeUninit<Terms>>>() };
        // SAFETY: there is one for each slot.
        let (hash, terms) = (unsafe { hash.add(at.number()) }, terms.wrapping_add(at.number()));
        // SAFETY: it lies in the memory, which lasts as long as 'g.
        let hash = unsafe { &*hash };
        // SAFETY: likewise.
        Apart { hash, terms: unsafe { &*terms } }
    }

    #[inline]
    fn home(self, hash: u64) -> u32 {
        hash as u32 & self.mask
    }

    /// How many sets behind its home a set lies.
    fn distance(self, home: u32, set: u32) -> u32 {
        set.wrapping_sub(home) & self.mask
    }

    /// When or how often a slot was used; the policy's business. 0 where it is empty.
    #[inline]
    pub(in crate::cache) fn mark(self, at: Position) -> u16 {
        self.set(at.set).mark(at.way as usize)
    }

    #[inline]
    pub(in crate::cache) fn set_mark(self, at: Position, mark: u16) {
        self.set(at.set).set_mark(at.way as usize, mark);
    }

    /// How long ago the slot was used that was used least recently at `now`, of the set that a number of 32 bits chooses;
    /// 0 if all of them are empty. And that slot. `alone`: no other thread writes marks meanwhile.
    #[inline(always)]
    pub(in crate::cache) fn oldest(self, number: u64, now: u16, alone: bool) -> (i16, Position) {
        let set = self.chosen(number);
        let marks = &self.set(set).marks;
        let marks = if alone && cfg!(not(loom)) {
            const { assert!(mem::offset_of!(Set<K, V>, marks).is_multiple_of(align_of::<Marks>())) };
            #[allow(clippy::cast_ptr_alignment, reason = "they are aligned like words")]
            let marks = marks.as_ptr().cast::<Marks>();
            // SAFETY: no other thread writes to them meanwhile.
            unsafe { *marks }
        } else {
            marks::gather(|way| marks[way].load(Ordering::Relaxed))
        };
        let (rank, way) = marks::oldest(marks, now);
        (rank, Position::new(set as usize, way))
    }

    #[inline]
    fn chosen(self, number: u64) -> u32 {
        ((number * self.len() as u64) >> 32) as u32
    }

    /// The entries of the set that [`Self::oldest`] looks at.
    pub(in crate::cache) fn sampled(self, number: u64) -> impl Iterator<Item = Found<'g, K, V>> {
        self.in_set(self.chosen(number))
    }

    /// Asks the processor to fetch where the hashes of the home of this hash lie; looks at nothing.
    #[inline(always)]
    pub(super) fn prefetch_hashes(self, hash: u64) {
        let home = self.home(hash) as usize;
        let first = self.start.cast::<u64>().wrapping_byte_add(Memory::<K, V>::apart_at(self.len()).0);
        prefetch(first.wrapping_add(home * WAYS));
        prefetch(first.wrapping_add(home * WAYS + WAYS - 1));
    }

    /// Asks the processor to fetch a slot whose pair will be dropped; its tag and its mark are at hand.
    #[inline]
    pub(in crate::cache) fn prefetch_slot(self, at: Position) {
        if mem::needs_drop::<(K, V)>() {
            self.set(at.set).prefetch_slot(at.way as usize);
        }
    }

    /// Asks the processor to fetch the marks that [`Self::oldest`] looks at.
    #[inline]
    pub(in crate::cache) fn prefetch_marks(self, number: u64) {
        prefetch(&raw const self.set(self.chosen(number)).marks);
    }

    /// The entry of a slot, if it holds one.
    #[inline(always)]
    pub(in crate::cache) fn entry(self, at: Position) -> Option<Found<'g, K, V>> {
        if at.set <= self.mask && self.set(at.set).is_taken(at.way as usize) { Some(self.found(at)) } else { None }
    }

    /// The entry of a slot whose tag was seen under the guard that this view lives as long as.
    #[inline(always)]
    fn found(self, at: Position) -> Found<'g, K, V> {
        let (set, way) = (self.set(at.set), at.way as usize);
        // SAFETY: the slot was taken, so it is filled, and stays so as long as the guard is held.
        let pair = unsafe { set.pair(way) };
        Found { at, held: Held { pair, apart: self.apart(at), expires: set.expires(way), plain: set.is_plain(way) } }
    }

    /// The entry with this hash, if it lives for ever and its key passes `test`; false if the table holds no such entry, and
    /// true if that was not found out here.
    #[inline(always)]
    pub(in crate::cache) fn find_plainly(
        self,
        hash: u64,
        mut test: impl FnMut(&K) -> Option<bool>,
    ) -> Result<Found<'g, K, V>, bool> {
        let home = self.home(hash);
        let set = self.set(home);
        set.prefetch();
        loop {
            let (moves, mut unclear) = (set.moves(), false);
            if let Some(found) = self.find_in(home, hash, &mut unclear, &mut test) {
                return Ok(found);
            }
            if set.reach.load(Ordering::Acquire) != 0
                && let Some(found) = self.find_behind(home, hash, &mut unclear, &mut test)
            {
                return Ok(found);
            }
            if set.moves() == moves {
                return Err(unclear);
            }
        }
    }

    /// Like [`Self::find_plainly`], in the sets behind the home.
    #[inline(never)]
    fn find_behind(
        self,
        home: u32,
        hash: u64,
        unclear: &mut bool,
        test: &mut impl FnMut(&K) -> Option<bool>,
    ) -> Option<Found<'g, K, V>> {
        let mut distance = 0;
        // Read after the tags of the set before: an entry that was there all the time is within the reach all the time.
        while distance < u32::from(self.set(home).reach.load(Ordering::Acquire)) {
            distance += 1;
            let set = (home + distance) & self.mask;
            if let Some(found) = self.find_in(set, hash, unclear, test) {
                return Some(found);
            }
        }
        None
    }

    #[inline(always)]
    fn find_in(
        self,
        set: u32,
        hash: u64,
        unclear: &mut bool,
        test: &mut impl FnMut(&K) -> Option<bool>,
    ) -> Option<Found<'g, K, V>> {
        for way in self.set(set).tagged(hash) {
            let found = self.found(Position::new(set as usize, way));
            match test(found.held.key()) {
                Some(true) if !found.held.expires() => return Some(found),
                Some(false) => {}
                _ => *unclear = true,
            }
        }
        None
    }

    /// The entry with this hash whose key passes `test`, or, where some are undecided and none passes, their keys.
    #[inline]
    pub(in crate::cache) fn find(
        self,
        hash: u64,
        mut test: impl FnMut(&K) -> Option<bool>,
    ) -> Result<Option<Found<'g, K, V>>, Vec<K>>
    where
        K: Clone,
    {
        let mut undecided = None;
        let found = self.first(hash, |held| {
            test(held.key()).unwrap_or_else(|| {
                if held.hash() == hash {
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

    /// An entry with this hash.
    pub(in crate::cache) fn with_hash(self, hash: u64) -> Option<Found<'g, K, V>> {
        self.first(hash, |held| held.hash() == hash)
    }

    /// The first entry that passes `test`, of those where one with this hash may lie and whose tags are alike.
    #[inline]
    fn first(self, hash: u64, mut test: impl FnMut(Held<'g, K, V>) -> bool) -> Option<Found<'g, K, V>> {
        let home = self.home(hash);
        let set = self.set(home);
        loop {
            let moves = set.moves();
            let mut distance = 0;
            loop {
                let number = (home + distance) & self.mask;
                self.set(number).prefetch();
                for way in self.set(number).tagged(hash) {
                    let found = self.found(Position::new(number as usize, way));
                    if test(found.held) {
                        return Some(found);
                    }
                }
                if distance >= u32::from(set.reach.load(Ordering::Acquire)) {
                    break;
                }
                distance += 1;
            }
            if set.moves() == moves {
                return None;
            }
        }
    }

    /// The entries in the home set of a hash.
    pub(in crate::cache) fn at_home(self, hash: u64) -> impl Iterator<Item = Found<'g, K, V>> {
        self.in_set(self.home(hash))
    }

    /// The entries of the table that are there now.
    pub(in crate::cache) fn entries(self) -> impl Iterator<Item = Found<'g, K, V>> {
        (0..self.len() as u32).flat_map(move |set| self.in_set(set))
    }

    pub(in crate::cache) fn in_set(self, set: u32) -> impl Iterator<Item = Found<'g, K, V>> {
        self.set(set).taken().map(move |way| self.found(Position::new(set as usize, way)))
    }

    /// Where a new entry with this hash may lie. `kept` tells the slots of a set that are not free though no lookup finds
    /// anything there. The lock of the shard is held.
    #[inline]
    pub(in crate::cache) fn vacancy(self, hash: u64, kept: impl Fn(u32) -> u32) -> Option<Position> {
        let home = self.home(hash);
        let way = choose(self.free(home, &kept), hash);
        way.map(|way| Position::new(home as usize, way)).or_else(|| self.vacancy_behind(home, hash, kept))
    }

    /// Where a new entry may lie that takes the place of that with the same key at `at`: at its home, and where one step
    /// gives it the old one's tag, if possible.
    pub(in crate::cache) fn successor(self, at: Position, hash: u64, kept: impl Fn(u32) -> u32) -> Option<Position> {
        let home = self.home(hash);
        if at.set == home {
            let way = (self.free(home, &kept) & Set::<K, V>::beside(at.way as usize)).trailing_zeros() as usize;
            if way < WAYS {
                return Some(Position::new(home as usize, way));
            }
        }
        self.vacancy(hash, kept)
    }

    /// Whether slots are kept that an entry with this hash could have.
    pub(in crate::cache) fn is_kept_from(self, hash: u64, kept: impl Fn(u32) -> u32) -> bool {
        let sets = 0..MAX_REACH.min(self.len()) as u32;
        sets.into_iter().any(|distance| kept((self.home(hash) + distance) & self.mask) != 0)
    }

    #[inline]
    fn free(self, set: u32, kept: impl Fn(u32) -> u32) -> u32 {
        !(self.set(set).taken().0 | kept(set)) & ((1 << WAYS) - 1)
    }

    #[cold]
    fn vacancy_behind(self, home: u32, hash: u64, kept: impl Fn(u32) -> u32) -> Option<Position> {
        (1..MAX_REACH.min(self.len()) as u32).find_map(|distance| {
            let set = (home + distance) & self.mask;
            choose(self.free(set, &kept), hash).map(|way| Position::new(set as usize, way))
        })
    }

    /// Publishes an entry in a vacant slot. The lock of the shard is held.
    #[inline(always)]
    pub(in crate::cache) fn publish(self, at: Position, mark: u16, entry: Entry<K, V>) {
        let about = self.fill(at, mark, entry);
        let home = self.home(about.hash);
        if home != at.set {
            let distance = self.distance(home, at.set) as u16;
            let home = self.set(home);
            home.displaced.store(home.displaced.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            home.reach.store(home.reach.load(Ordering::Relaxed).max(distance), Ordering::Release);
        }
        self.set(at.set).set_tag(at.way as usize, tag(about.hash));
    }

    /// Fills a vacant slot, where no lookup finds it yet.
    #[inline(always)]
    fn fill(self, at: Position, mark: u16, entry: Entry<K, V>) -> About {
        let (set, about) = (self.set(at.set), entry.about);
        let (apart, plain) = (self.apart(at), about.is_plain() && self.home(about.hash) == at.set);
        // SAFETY: the slot is vacant, so nobody holds a reference into it.
        unsafe { (*apart.hash.get()).write(about.hash) };
        if !plain {
            // SAFETY: likewise.
            unsafe { (*apart.terms.get()).write(about.terms) };
        }
        // SAFETY: likewise.
        unsafe { set.fill(at.way as usize, (entry.key, entry.value)) };
        self.set_mark(at, mark);
        set.note(at.way as usize, about.expires(), plain);
        about
    }

    /// Publishes an entry at a [`Self::successor`] of the one with the same key, and removes that from the table. Its slot
    /// stays filled. The lock of the shard is held.
    pub(in crate::cache) fn succeed(
        self,
        old: Position,
        at: Position,
        mark: u16,
        entry: Entry<K, V>,
        about: Option<About>,
    ) {
        if old.set == at.set && old.way as usize / LANES == at.way as usize / LANES {
            let tag = tag(self.fill(at, mark, entry).hash);
            self.set(at.set).move_tag(old.way as usize, at.way as usize, tag);
            self.set_mark(old, 0);
        } else {
            let home = self.set(self.home(entry.about.hash));
            self.publish(at, mark, entry);
            // In between: a lookup that came too early for the new slot and too late for the old one sees it.
            home.count_move();
            self.unlink(old, about);
        }
    }

    /// Puts an entry in the place of one with the same key, which it returns. The lock of the shard is held.
    ///
    /// # Safety
    /// Nobody looks at the old entry.
    pub(in crate::cache) unsafe fn replace(self, at: Position, mark: u16, entry: Entry<K, V>) -> (K, V) {
        // SAFETY: the caller's.
        let old = unsafe { self.empty(at) };
        self.fill(at, mark, entry);
        old
    }

    /// Removes the entry of a slot, which must hold one, of which this is known, from the table. The slot stays filled.
    /// The lock of the shard is held.
    #[inline(always)]
    pub(in crate::cache) fn unlink(self, at: Position, about: Option<About>) {
        self.set(at.set).set_tag(at.way as usize, 0);
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
    }

    /// Takes the pair out of a slot. The lock of the shard is held.
    ///
    /// # Safety
    /// The slot is filled, and nobody looks at it, nor will find it.
    #[inline(always)]
    pub(in crate::cache) unsafe fn empty(self, at: Position) -> (K, V) {
        // SAFETY: the caller's.
        unsafe { self.set(at.set).empty(at.way as usize) }
    }
}

/// One of some free slots. Which one depends on the hash, so that slots of a set are filled at different times.
#[inline]
fn choose(free: u32, hash: u64) -> Option<usize> {
    // Other bits than those that choose the shard and the set.
    let start = (((hash >> 16) & 0xFFFF) as usize * WAYS) >> 16;
    let way = start + ((free | free << WAYS) >> start).trailing_zeros() as usize;
    (free != 0).then(|| if way < WAYS { way } else { way - WAYS })
}

#[cold]
fn note<K: Clone>(keys: &mut Option<Vec<K>>, key: &K) {
    keys.get_or_insert_default().push(key.clone());
}
