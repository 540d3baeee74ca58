//! The memory of a table.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ptr;

use super::WAYS;
#[cfg(not(loom))]
use super::chunks;
use super::entry::Terms;
use super::set::Set;
use super::view::View;

/// The memory of a table, and the pairs in it: sets, and what is kept apart behind them.
///
/// One word says where it lies and, in the bits that its alignment leaves free, how many sets there are, so that a reader
/// sees both or neither of a replacement.
pub struct Memory<K, V> {
    pub(super) word: *mut Set<K, V>,
    pub(super) owns: PhantomData<(K, V)>,
}

// SAFETY: it owns its memory and the pairs in it.
unsafe impl<K: Send, V: Send> Send for Memory<K, V> {}

/// The memory is aligned to cache lines, which leaves six bits: five for the number of sets, and one that says whose it is.
const ALIGN: usize = 64;
const IN_CHUNK: usize = 32;
/// Smaller tables are on their way to grow.
const CHUNKS_FROM: u32 = 6;

impl<K, V> Memory<K, V> {
    /// An empty table of 2^log sets, in a chunk that it shares with others if it is one of many.
    pub(super) fn new(log: u32, one_of_many: bool) -> Self {
        let (start, in_chunk) = Self::allocate(Self::layout(log), one_of_many && log >= CHUNKS_FROM);
        #[allow(clippy::cast_ptr_alignment, reason = "the layout is aligned to the sets")]
        let start = start.cast::<Set<K, V>>();
        for set in 0..1 << log {
            // SAFETY: the layout has room for so many sets at its start.
            let set = unsafe { start.add(set) };
            // SAFETY: likewise.
            unsafe { set.write(Set::new()) };
        }
        // What is kept apart may stay uninitialised: that is what its type says.
        let bits = log as usize | if in_chunk { IN_CHUNK } else { 0 };
        Self { word: start.map_addr(|address| address | bits), owns: PhantomData }
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

    /// Where the hashes begin, and the rest of what is kept apart, in bytes from the start.
    #[inline]
    pub(super) fn apart_at(sets: usize) -> (usize, usize) {
        const { assert!(align_of::<u64>() <= align_of::<Set<K, V>>() && align_of::<Terms>() <= align_of::<u64>()) };
        let hashes = size_of::<Set<K, V>>() * sets;
        (hashes, hashes + WAYS * size_of::<u64>() * sets)
    }

    fn layout(log: u32) -> Layout {
        const { assert!(align_of::<Set<K, V>>() >= ALIGN && size_of::<Set<K, V>>() > 0) };
        debug_assert!((log as usize) < IN_CHUNK);
        let size = Self::apart_at(1 << log).1 + ((WAYS * size_of::<Terms>()) << log);
        Layout::from_size_align(size, align_of::<Set<K, V>>()).expect("a table's size is one that a layout can say")
    }

    /// # Safety
    /// `word` is that of memory which is not freed as long as 'g lasts.
    #[inline]
    pub(super) unsafe fn view<'g>(word: *mut Set<K, V>) -> View<'g, K, V> {
        View { start: Self::start(word), mask: !(u32::MAX << Self::log(word)), lasts: PhantomData }
    }

    #[inline(always)]
    pub(super) fn start(word: *mut Set<K, V>) -> *const Set<K, V> {
        word.map_addr(|address| address & !(ALIGN - 1))
    }

    #[inline]
    pub(super) fn log(word: *mut Set<K, V>) -> u32 {
        (word.addr() & (IN_CHUNK - 1)) as u32
    }

    pub(super) fn into_word(self) -> *mut Set<K, V> {
        ManuallyDrop::new(self).word
    }

    pub(in crate::cache) fn bytes(&self) -> u64 {
        Self::layout(Self::log(self.word)).size() as u64
    }
}

impl<K, V> Drop for Memory<K, V> {
    fn drop(&mut self) {
        let (start, log) = (self.word.map_addr(|address| address & !(ALIGN - 1)), Self::log(self.word));
        // Also if dropping a pair panics.
        let _freed = Freed(start, Self::layout(log), self.word.addr() & IN_CHUNK != 0);
        if mem::needs_drop::<(K, V)>() {
            // SAFETY: the memory begins with so many sets, and nobody looks at them any more.
            unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(start, 1 << log)) };
        }
    }
}

/// Frees memory when it goes out of scope: where it begins, its layout, and whether it lies in a chunk.
struct Freed<K, V>(*mut Set<K, V>, Layout, bool);

impl<K, V> Drop for Freed<K, V> {
    fn drop(&mut self) {
        #[cfg(not(loom))]
        if self.2 {
            return chunks::free(self.0.cast());
        }
        // SAFETY: it was allocated with this layout.
        unsafe { dealloc(self.0.cast(), self.1) };
    }
}
