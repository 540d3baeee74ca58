//! The lock-free part of the cache: sets of slots that readers walk while one writer at a time changes them.
//!
//! A table is a power of two of *sets*. The low bits of a hash name its home set; an entry lies in one of the 12 slots
//! (*ways*) of its home, or, where those are taken, of one of the next fifteen sets. Fifteen other bits of the hash are the
//! slot's *tag*, so that a lookup touches the tags and the right slot alone. An entry never moves to
//! another slot of the same table; a larger or smaller table takes its place as a whole.
//!
//! The *mark* of a slot says when or how often it was used. Marks lie beside the tags: a hit writes to a cache line that
//! it has read already, and a victim is looked for among the marks of whole sets.
//!
//! Keys and values lie in their slots. A reader may still be looking at an entry that was removed, so a slot is used
//! again only when the cache's reclaimer says that nobody can be; until then it is *kept*: filled, and without a tag.
//!
//! **Why a lookup is linearisable.** At any time a key lies in at most one slot of the current table. A hit returns an
//! entry that was reachable when its slot was read. A lookup that misses has read every slot where the key may lie, one
//! after another: had the key stayed in one of them all the time it would have been seen, so it came later or left
//! earlier than its slot was read, and at that moment it was nowhere. A table that was replaced meanwhile does not
//! change any more: it shows the moment of its replacement, which lies within the lookup.
//!
//! A key that is inserted again moves to another slot: the new entry appears, the home counts a move, the old entry
//! disappears. (Or one step does all, where the tags of both slots lie in one word.) A lookup that came too early for the new
//! slot and too late for the old one finds that its home has counted a move meanwhile, and looks again. Lookups that see both
//! return the one whose slot comes first: if that is the old one, none has missed it yet; if it is the new one, then
//! later lookups see it too.
//!
//! **Why memory is safe.** Entries and tables are reached under a guard of the cache's reclaimer only; or, where there is one
//! thread, by a lookup that is over before anything else happens (`get_at_home`). An entry does not
//! change from the moment its tag appears until the reclaimer has waited for all guards under which the tag may have been
//! seen; a table that was replaced goes to the reclaimer with everything that is filled in it.
//!
//! **One miss of the memory a lookup.** The slots of a set are fetched together with its tags. When marks lay apart, 16
//! neighbours in half a line so that a victim cost one miss, each hit wrote to a line of its own, which took as long as
//! all the rest (sampled at 1,000,000 entries: 42 % of a lookup waited for the tags, 39 % for the mark). Seven further
//! sets for an entry were too few: with slots that are kept one insertion in a thousand found all of them full. A
//! denser table, 81 instead of 66 % full, changed nothing.

#![allow(unsafe_code)]

#[cfg(not(loom))]
mod chunks;
mod entry;
mod marks;
mod memory;
mod set;
mod tags;
mod view;

use std::marker::PhantomData;

pub(super) use entry::About;
pub use entry::Entry;
pub use memory::Memory;
use set::Set;
pub use view::{Found, Position, View};

use crate::sync::{AtomicPtr, AtomicU32, Ordering};

/// Slots of a set: as many as have their tags and marks on one cache line.
pub(super) const WAYS: usize = if cfg!(loom) { 2 } else { 12 };
/// Sets that an entry may lie in.
pub(super) const MAX_REACH: usize = if cfg!(loom) { 2 } else { 16 };

/// Owns the sets of a shard and the entries in them.
pub(super) struct Table<K, V> {
    /// The word of its memory.
    word: AtomicPtr<Set<K, V>>,
    /// The number of its sets, less one, which the word says too, but it takes longer to find out from there. It may belong
    /// to another table than the word, where threads replace it.
    mask: AtomicU32,
    owned: PhantomData<(K, V)>,
}

impl<K, V> Table<K, V> {
    /// A table with one set.
    pub(super) fn new() -> Self {
        let word = AtomicPtr::new(Memory::<K, V>::new(0, false).into_word());
        Self { word, mask: AtomicU32::new(0), owned: PhantomData }
    }

    /// The table as it is now.
    #[inline]
    pub(super) fn view<'g, G>(&'g self, _guard: &'g G) -> View<'g, K, V> {
        // SAFETY: the memory is freed by the reclaimer, after it was replaced and the guard, under which it was
        // reachable, is dropped; or with `self`, which is borrowed for as long.
        unsafe { Memory::<K, V>::view(self.word.load(Ordering::Acquire)) }
    }

    /// Tells this table from the one that takes its place.
    #[cfg(all(test, not(loom)))]
    pub(super) fn word(&self) -> usize {
        self.word.load(Ordering::Relaxed).addr()
    }

    /// Asks the processor to fetch the home of this hash.
    #[inline(always)]
    pub(super) fn prefetch_home(&self, hash: u64) {
        let _fetched = self.home(hash);
    }

    /// The home of this hash, which the processor is asked to fetch.
    #[inline(always)]
    pub(super) fn home(&self, hash: u64) -> Home<K, V> {
        let home = hash as u32 & self.mask.load(Ordering::Relaxed);
        let start = Memory::<K, V>::start(self.word.load(Ordering::Relaxed));
        let set = start.wrapping_add(home as usize);
        for line in 0..size_of::<Set<K, V>>().div_ceil(64).min(4) {
            entry::prefetch(set.wrapping_byte_add(64 * line));
        }
        Home(set)
    }

    /// Asks the processor to fetch where the hashes of that home lie.
    #[inline(always)]
    pub(super) fn prefetch_hashes(&self, hash: u64) {
        // SAFETY: the view is not used but for addresses.
        let view = unsafe { Memory::<K, V>::view(self.word.load(Ordering::Relaxed)) };
        view.prefetch_hashes(hash);
    }

    /// Replaces the sets by `count` others, a power of two, with the newcomer, if there is one, and the same entries, each of
    /// which `hand_over` moves or copies, but for those that find no place there, which go to `homeless` and stay.
    /// Returns the old sets, and where the newcomer lies. The lock of the shard is held.
    pub(super) fn rebuild<'g, G>(
        &'g self,
        guard: &'g G,
        (count, one_of_many): (usize, bool),
        newcomer: Option<Newcomer<K, V>>,
        hand_over: impl Fn(View<'g, K, V>, Found<'g, K, V>) -> (K, V),
        mut homeless: impl FnMut(Found<'g, K, V>),
    ) -> (Memory<K, V>, Option<Position>) {
        let (old, memory) = (self.view(guard), Memory::<K, V>::new(count.trailing_zeros(), one_of_many));
        // SAFETY: it lives until the end of this block at least, and then it is published, and the guard is held.
        let new = unsafe { Memory::<K, V>::view(memory.word) };
        let none_kept = |_| 0;
        let predecessor = newcomer.as_ref().and_then(|newcomer| newcomer.replaces);
        let newcomer = newcomer.map(|Newcomer { mark, entry, .. }| {
            let at = new.vacancy(entry.about.hash, none_kept).expect("an empty table has room");
            new.publish(at, mark, entry);
            at
        });
        for found in old.entries().filter(|found| Some(found.at) != predecessor) {
            let about = found.held.about();
            if let Some(to) = new.vacancy(about.hash, none_kept) {
                let mark = old.mark(found.at);
                let (key, value) = hand_over(old, found);
                new.publish(to, mark, Entry { key, value, about });
            } else {
                homeless(found);
            }
        }
        (self.swap(memory), newcomer)
    }

    /// Removes everything, and returns the old sets. The lock of the shard is held.
    pub(super) fn clear(&self) -> Memory<K, V> {
        self.swap(Memory::new(0, false))
    }

    /// Publishes other memory; returns the old one, which readers may still be looking at.
    fn swap(&self, memory: Memory<K, V>) -> Memory<K, V> {
        self.mask.store(!(u32::MAX << Memory::<K, V>::log(memory.word)), Ordering::Relaxed);
        Memory { word: self.word.swap(memory.into_word(), Ordering::AcqRel), owns: PhantomData }
    }
}

/// The set where the entries with a hash lie, but for those that found no room there.
#[repr(transparent)]
pub struct Home<K, V>(*const Set<K, V>);

impl<K, V> Home<K, V> {
    /// The set itself.
    ///
    /// # Safety
    /// The table that it is a set of is still the table, and stays so as long as 'a lasts; and it was when the home was
    /// asked for, which no other thread disturbed.
    #[inline(always)]
    pub(super) unsafe fn set<'a>(self) -> &'a Set<K, V> {
        // SAFETY: the caller's.
        unsafe { &*self.0 }
    }
}

/// An entry that comes with a table.
pub(super) struct Newcomer<K, V> {
    pub(super) mark: u16,
    pub(super) entry: Entry<K, V>,
    /// The entry with the same key, which does not come along.
    pub(super) replaces: Option<Position>,
}

impl<K, V> Drop for Table<K, V> {
    fn drop(&mut self) {
        drop(Memory::<K, V> { word: self.word.load(Ordering::Relaxed), owns: PhantomData });
    }
}
