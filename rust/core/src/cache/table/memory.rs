//! The memory of a table.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use super::WAYS;
use super::body::Body;
#[cfg(not(loom))]
use super::chunks;
use super::set::Set;
use super::view::View;

/// The memory of a table: sets, and what is kept apart behind them. It owns no entry.
///
/// One word says where it lies and, in the bits that its alignment leaves free, how many sets there are, so that a reader
/// sees both or neither of a replacement.
pub struct Memory<K, V, B: Body<K, V>> {
    pub(super) word: *mut Set<B>,
    pub(super) entries: PhantomData<(K, V)>,
}

// SAFETY: it owns memory whose entries, if any, belong to somebody else.
unsafe impl<K, V, B: Body<K, V>> Send for Memory<K, V, B> {}

/// The memory is aligned to cache lines, which leaves six bits: five for the number of sets, and one that says whose it is.
const ALIGN: usize = 64;
const IN_CHUNK: usize = 32;
/// Smaller tables are on their way to grow.
const CHUNKS_FROM: u32 = 8;

impl<K, V, B: Body<K, V>> Memory<K, V, B> {
    /// An empty table of 2^log sets, in a chunk that it shares with others if it is one of many.
    pub(super) fn new(log: u32, one_of_many: bool) -> Self {
        let (layout, slots) = (Self::layout(log), WAYS << log);
        let (start, in_chunk) = Self::allocate(layout, one_of_many && log >= CHUNKS_FROM);
        #[allow(clippy::cast_ptr_alignment, reason = "the layout is aligned to cache lines")]
        let start = start.cast::<Set<B>>();
        // SAFETY: what is kept apart begins there.
        let apart = unsafe { start.byte_add(Self::apart_at(log)) }.cast::<B::Apart>();
        for set in 0..1 << log {
            // SAFETY: the layout has room for so many sets at its start.
            let set = unsafe { start.add(set) };
            // SAFETY: likewise.
            unsafe { set.write(Set::new()) };
        }
        for slot in 0..slots {
            // SAFETY: the layout has room for so many of these.
            let apart = unsafe { apart.add(slot) };
            // SAFETY: likewise.
            unsafe { apart.write(B::empty_apart()) };
        }
        let bits = log as usize | if in_chunk { IN_CHUNK } else { 0 };
        Self { word: start.map_addr(|address| address | bits), entries: PhantomData }
    }

    #[cfg(not(loom))]
    fn allocate(layout: Layout, one_of_many: bool) -> (*mut u8, bool) {
        if one_of_many && chunks::suit(layout) {
            return (chunks::allocate(layout), true);
        }
        (Self::allocate_alone(layout), false)
    }

    #[cfg(loom)]
    fn allocate(layout: Layout, _one_of_many: bool) -> (*mut u8, bool) {
        (Self::allocate_alone(layout), false)
    }

    fn allocate_alone(layout: Layout) -> *mut u8 {
        // SAFETY: the layout is not of size zero.
        let start = unsafe { alloc(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        start
    }

    #[inline]
    pub(super) fn apart_at(log: u32) -> usize {
        const { assert!(align_of::<B::Apart>() <= align_of::<Set<B>>()) };
        size_of::<Set<B>>() << log
    }

    fn layout(log: u32) -> Layout {
        const { assert!(align_of::<Set<B>>() <= ALIGN && size_of::<Set<B>>() > 0) };
        debug_assert!((log as usize) < IN_CHUNK);
        let size = Self::apart_at(log) + ((WAYS * size_of::<B::Apart>()) << log);
        Layout::from_size_align(size, ALIGN).expect("a table's size is one that a layout can say")
    }

    /// # Safety
    /// `word` is that of memory which is not freed as long as 'g lasts.
    #[inline]
    pub(super) unsafe fn view<'g>(word: *mut Set<B>) -> View<'g, K, V, B> {
        let start = word.map_addr(|address| address & !(ALIGN - 1)).cast_const();
        View { start, log: Self::log(word), lasts: PhantomData }
    }

    #[inline]
    pub(super) fn log(word: *mut Set<B>) -> u32 {
        (word.addr() & (IN_CHUNK - 1)) as u32
    }

    pub(super) fn into_word(self) -> *mut Set<B> {
        ManuallyDrop::new(self).word
    }

    pub(super) fn bytes(&self) -> u64 {
        Self::layout(Self::log(self.word)).size() as u64
    }
}

impl<K, V, B: Body<K, V>> Drop for Memory<K, V, B> {
    fn drop(&mut self) {
        let start = self.word.map_addr(|address| address & !(ALIGN - 1));
        // Nothing in it needs to be dropped: sets and what is kept apart are atomics and memory that may be
        // uninitialised, and the entries are somebody else's.
        #[cfg(not(loom))]
        if self.word.addr() & IN_CHUNK != 0 {
            return chunks::free(start.cast());
        }
        // SAFETY: it was allocated with the same layout.
        unsafe { dealloc(start.cast(), Self::layout(Self::log(self.word))) };
    }
}
