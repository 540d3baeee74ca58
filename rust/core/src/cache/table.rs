//! The lock-free part of the cache: sets of slots that readers walk while one writer at a time changes them.
//!
//! A table is a power of two of *sets*. The low bits of a hash name its home set; an entry lies in one of the 12 slots
//! (*ways*) of its home, or, where those are taken, of one of the next seven sets. Fifteen other bits of the hash are the
//! slot's *tag*, so that a lookup touches the tags, the right slot and the right entry alone. An entry never moves to
//! another slot of the same table; a larger or smaller table takes its place as a whole.
//!
//! The *mark* of a slot says when or how often it was used. Marks lie beside the tags: a hit writes to a cache line that
//! it has read already, and a victim is looked for among the marks of whole sets.
//!
//! How a slot holds its entry is the [`Body`]'s business: behind a pointer that readers may follow while a writer
//! replaces it, or right there, where nobody else can be looking.
//!
//! **Why a lookup is linearisable.** At any time a key lies in at most one slot of the current table. A hit returns an
//! entry that was reachable when its slot was read. A lookup that misses has read every slot where the key may lie, one
//! after another: had the key stayed in one of them all the time it would have been seen, so it came later or left
//! earlier than its slot was read, and at that moment it was nowhere. A table that was replaced meanwhile does not
//! change any more: it shows the moment of its replacement, which lies within the lookup.
//!
//! **Why memory is safe.** Entries and tables are reached under a guard of the cache's reclaimer only, and go to that
//! reclaimer when they are unlinked, each by the one step that unlinked it.

#![allow(unsafe_code)]

mod body;
#[cfg(not(loom))]
mod chunks;
mod inline;
mod marks;
mod memory;
mod set;
mod shared;
mod tags;
mod view;

use std::marker::PhantomData;

pub use body::{About, Body, Entry, Held};
pub use inline::Inline;
pub use memory::Memory;
use set::Set;
pub use shared::Shared;
pub(super) use view::{Found, Position, View};

use super::reclaim::Reclaim;
use crate::sync::{AtomicPtr, Ordering};

/// Slots of a set: as many as have their tags, and pointers to their entries, on two cache lines.
pub(super) const WAYS: usize = if cfg!(loom) { 2 } else { 12 };
/// Sets that an entry may lie in.
pub(super) const MAX_REACH: usize = if cfg!(loom) { 2 } else { 8 };

/// Where a writer puts garbage: the reclaimer, the writer's guard, its shard's bag.
pub(super) struct Bin<'b, 'g, 'c, G, R: Reclaim<G> + 'c> {
    pub(super) reclaim: &'g R,
    pub(super) guard: &'g R::Guard<'c>,
    pub(super) bag: &'b mut R::Bag,
}

impl<G, R: Reclaim<G>> Bin<'_, '_, '_, G, R> {
    #[inline(always)]
    fn put(&mut self, garbage: Option<G>, weight: u64) {
        if let Some(garbage) = garbage {
            self.reclaim.retire(self.guard, self.bag, garbage, weight + 64);
        }
    }
}

/// Owns the sets of a shard and the entries in them.
pub(super) struct Table<K, V, B: Body<K, V>> {
    /// The word of its memory.
    word: AtomicPtr<Set<B>>,
    owned: PhantomData<(K, V)>,
}

impl<K, V, B: Body<K, V>> Table<K, V, B> {
    /// A table with one set.
    pub(super) fn new() -> Self {
        Self { word: AtomicPtr::new(Memory::<K, V, B>::new(0, false).into_word()), owned: PhantomData }
    }

    /// The table as it is now.
    #[inline]
    pub(super) fn view<'g, G>(&'g self, _guard: &'g G) -> View<'g, K, V, B> {
        // SAFETY: the memory is freed by the reclaimer, after it was replaced and the guard, under which it was
        // reachable, is dropped; or with `self`, which is borrowed for as long.
        unsafe { Memory::<K, V, B>::view(self.word.load(Ordering::Acquire)) }
    }

    /// Replaces the sets by `count` others, a power of two, with the same entries, but for those that find no place there, which are
    /// shown to `homeless`. The lock of the shard is held.
    pub(super) fn rebuild<R: Reclaim<B::Garbage>>(
        &self,
        count: usize,
        one_of_many: bool,
        bin: &mut Bin<'_, '_, '_, B::Garbage, R>,
        mut homeless: impl FnMut(B::Held<'_>),
    ) {
        let (old, memory) = (self.view(bin.guard), Memory::<K, V, B>::new(count.trailing_zeros(), one_of_many));
        // SAFETY: it lives until the end of this function at least: it is published, and the guard is held.
        let new = unsafe { Memory::<K, V, B>::view(memory.word) };
        let mut left = Vec::new();
        for Found { at, held } in old.entries() {
            let about = held.about();
            if let Some(to) = new.vacancy(about.hash) {
                let (from_body, to_body) = (&old.set(at.set).body, &new.set(to.set).body);
                // SAFETY: one slot is taken, the other vacant, and the lock is held.
                unsafe { from_body.hand_over(at.way as usize, old.apart(at), to_body, to.way as usize, new.apart(to)) };
                new.link(to, old.mark(at), about);
            } else {
                homeless(held);
                left.push((at, about.weight));
            }
        }
        let old_memory = self.swap(memory);
        for (at, weight) in left {
            // SAFETY: the slot is taken, nothing else was done with its entry, and the lock is held.
            bin.put(unsafe { old.set(at.set).body.take(at.way as usize) }, weight);
        }
        let bytes = old_memory.bytes();
        bin.put(Some(B::garbage(old_memory)), bytes);
    }

    /// Removes everything, showing each entry to `gone` first. The lock of the shard is held.
    pub(super) fn clear<R: Reclaim<B::Garbage>>(
        &self,
        bin: &mut Bin<'_, '_, '_, B::Garbage, R>,
        mut gone: impl FnMut(About),
    ) {
        let old = self.view(bin.guard);
        let old_memory = self.swap(Memory::new(0, false));
        for Found { at, held } in old.entries() {
            let about = held.about();
            gone(about);
            // SAFETY: the slot is taken and is looked at once here; the lock is held.
            bin.put(unsafe { old.set(at.set).body.take(at.way as usize) }, about.weight);
        }
        let bytes = old_memory.bytes();
        bin.put(Some(B::garbage(old_memory)), bytes);
    }

    /// Publishes other memory; returns the old one, which readers may still be looking at.
    fn swap(&self, memory: Memory<K, V, B>) -> Memory<K, V, B> {
        Memory { word: self.word.swap(memory.into_word(), Ordering::AcqRel), entries: PhantomData }
    }
}

impl<K, V, B: Body<K, V>> Drop for Table<K, V, B> {
    fn drop(&mut self) {
        let memory = Memory::<K, V, B> { word: self.word.load(Ordering::Relaxed), entries: PhantomData };
        // SAFETY: it is freed at the end of this function, and nobody else can reach it: `self` is borrowed mutably.
        let view = unsafe { Memory::<K, V, B>::view(memory.word) };
        for set in (0..view.len() as u32).map(|set| view.set(set)) {
            for way in set.taken() {
                // SAFETY: the slot is taken, and nobody else looks at it.
                drop(unsafe { set.body.take(way) });
            }
        }
    }
}
