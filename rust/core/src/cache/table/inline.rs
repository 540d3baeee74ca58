//! Slots that one thread at a time looks at.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use super::body::{About, Body, Entry, Held, prefetch};
use super::{Memory, WAYS};

/// Slots that hold keys and values themselves, which one thread at a time may look at: a lookup saves a cache line.
pub struct Inline<K, V>([UnsafeCell<MaybeUninit<(K, V)>>; WAYS]);

type AboutCell = UnsafeCell<MaybeUninit<About>>;

/// An entry in a slot of its own.
pub struct InlineHeld<'g, K, V> {
    pair: &'g (K, V),
    about: &'g AboutCell,
    expires: bool,
}

impl<K, V> Clone for InlineHeld<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for InlineHeld<'_, K, V> {}

impl<'g, K, V> Held<'g, K, V> for InlineHeld<'g, K, V> {
    #[inline]
    fn key(self) -> &'g K {
        &self.pair.0
    }

    #[inline]
    fn value(self) -> &'g V {
        &self.pair.1
    }

    fn about(self) -> About {
        // SAFETY: nobody holds a reference, and it is written only when the pair is.
        let about = unsafe { *self.about.get() };
        // SAFETY: it was written with the pair.
        unsafe { about.assume_init() }
    }

    #[inline]
    fn expires(self) -> bool {
        self.expires
    }
}

impl<K: Send + 'static, V: Send + 'static> Body<K, V> for Inline<K, V> {
    type Held<'g> = InlineHeld<'g, K, V>;
    type Apart = AboutCell;
    type Garbage = InlineGarbage<K, V>;
    const EXCLUSIVE: bool = true;

    fn empty() -> Self {
        Self(std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())))
    }

    fn empty_apart() -> AboutCell {
        UnsafeCell::new(MaybeUninit::uninit())
    }

    #[inline]
    fn prefetch(&self) {
        for way in (0..WAYS).step_by(64 / size_of::<(K, V)>().clamp(1, 64)) {
            prefetch(&raw const self.0[way]);
        }
    }

    #[inline]
    fn prefetch_slot(&self, way: usize) {
        prefetch(&raw const self.0[way]);
    }

    #[inline]
    unsafe fn look<'g>(&'g self, way: usize, about: &'g AboutCell, expires: bool) -> Option<InlineHeld<'g, K, V>> {
        // SAFETY: the slot was filled. A writer changes it only while no other operation of this thread holds a guard
        // (`Reclaim::is_alone`), and after its own last look; no reference outlives its operation's guard.
        let pair = unsafe { &*self.0[way].get() };
        // SAFETY: the slot was filled.
        let pair = unsafe { pair.assume_init_ref() };
        Some(InlineHeld { pair, about, expires })
    }

    #[inline(always)]
    unsafe fn fill(&self, way: usize, about: &AboutCell, entry: Entry<K, V>) {
        let pair = self.0[way].get();
        // SAFETY: no operation looks at the slot: it is empty.
        unsafe { pair.write(MaybeUninit::new((entry.key, entry.value))) };
        // SAFETY: likewise.
        unsafe { about.get().write(MaybeUninit::new(entry.about)) };
    }

    unsafe fn replace(&self, way: usize, about: &AboutCell, entry: Entry<K, V>) -> Option<InlineGarbage<K, V>> {
        // SAFETY: the caller's.
        let old = unsafe { self.take(way) };
        // SAFETY: the slot is empty now.
        unsafe { self.fill(way, about, entry) };
        old
    }

    #[inline(always)]
    unsafe fn take(&self, way: usize) -> Option<InlineGarbage<K, V>> {
        // SAFETY: the slot was filled, and its tag is removed or another pair put there before it is read again.
        let pair = unsafe { &*self.0[way].get() };
        // SAFETY: it is initialised, and will not be read from here again.
        let pair = unsafe { pair.assume_init_read() };
        Some(InlineGarbage::Entry(pair))
    }

    unsafe fn hand_over(&self, way: usize, about: &AboutCell, to: &Self, to_way: usize, to_about: &AboutCell) {
        // SAFETY: the slot was filled; this table is not looked at any more, and does not drop its pairs.
        let pair = unsafe { &*self.0[way].get() };
        // SAFETY: it is initialised, and will not be read from here again.
        let (key, value) = unsafe { pair.assume_init_read() };
        // SAFETY: nobody holds a reference.
        let about = unsafe { *about.get() };
        // SAFETY: it was written with the pair.
        let about = unsafe { about.assume_init() };
        // SAFETY: the other slot is empty.
        unsafe { to.fill(to_way, to_about, Entry { key, value, about }) };
    }

    fn garbage(memory: Memory<K, V, Self>) -> InlineGarbage<K, V> {
        InlineGarbage::Table(memory)
    }
}

/// What was unlinked from an inline table.
#[allow(dead_code, reason = "it is kept to be dropped")]
pub enum InlineGarbage<K: Send + 'static, V: Send + 'static> {
    Entry((K, V)),
    Table(Memory<K, V, Inline<K, V>>),
}
