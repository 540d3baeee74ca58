//! A set: some slots, their tags and marks, and what lies elsewhere but belongs here.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::{self, MaybeUninit};

use super::WAYS;
use super::entry::prefetch;
use super::tags::{self, LANES, TAKEN, WORDS};
use crate::sync::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Slots of one set, one bit each.
pub(in crate::cache) struct Ways(pub(super) u32);

impl Iterator for Ways {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let way = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (way < WAYS).then_some(way)
    }
}

/// Slots, the tags and marks of their entries, and what lies elsewhere but belongs here. All but the slots lies on one
/// cache line.
///
/// Only the holder of the shard's lock writes here, but for marks, which readers write too.
#[repr(C, align(64))]
pub struct Set<K, V> {
    tags: [AtomicU64; WORDS],
    /// When or how often a slot was used; the policy's business. 0 where it is empty.
    pub(super) marks: [AtomicU16; WAYS],
    /// Entries whose home this is and that lie in a later set.
    pub(super) displaced: AtomicU16,
    /// How many sets further the farthest of them may lie.
    pub(super) reach: AtomicU16,
    /// The slots whose entries will expire, one bit each. As long as somebody may look at an entry, its bit stays.
    expiring: AtomicU16,
    /// The slots whose entries are at home, weigh nothing and live for ever, so that nothing more need be known of them.
    plain: AtomicU16,
    /// The slots that hold a pair: those with a tag, and those whose tag is gone while somebody may still look at the
    /// pair. Kept only where pairs need to be dropped.
    filled: AtomicU16,
    /// How often an entry whose home this is has moved from a slot to another.
    moves: AtomicU32,
    slots: [UnsafeCell<MaybeUninit<(K, V)>>; WAYS],
}

impl<K, V> Set<K, V> {
    pub(super) fn new() -> Self {
        Self {
            tags: std::array::from_fn(|_| AtomicU64::new(0)),
            marks: std::array::from_fn(|_| AtomicU16::new(0)),
            displaced: AtomicU16::new(0),
            reach: AtomicU16::new(0),
            expiring: AtomicU16::new(0),
            plain: AtomicU16::new(0),
            filled: AtomicU16::new(0),
            moves: AtomicU32::new(0),
            slots: std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        }
    }

    /// Asks the processor to fetch the slots.
    #[inline(always)]
    pub(super) fn prefetch(&self) {
        for way in (0..WAYS).step_by(64 / size_of::<(K, V)>().clamp(1, 64)) {
            self.prefetch_slot(way);
        }
    }

    #[inline(always)]
    pub(super) fn prefetch_slot(&self, way: usize) {
        prefetch(&raw const self.slots[way]);
    }

    #[inline(always)]
    pub(super) fn is_taken(&self, way: usize) -> bool {
        self.tags[way / LANES].load(Ordering::Acquire) >> (16 * (way % LANES)) & TAKEN != 0
    }

    #[inline(always)]
    fn load_tags(&self) -> [u64; WORDS] {
        std::array::from_fn(|word| self.tags[word].load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(super) fn taken(&self) -> Ways {
        Ways(tags::taken(self.load_tags()))
    }

    /// The slots with the tag of this hash, and now and then one with another.
    #[inline(always)]
    pub(in crate::cache) fn tagged(&self, hash: u64) -> Ways {
        Ways(tags::equal(self.load_tags(), tag(hash)))
    }

    /// Like [`Self::tagged`].
    ///
    /// # Safety
    /// No other thread changes the tags meanwhile.
    #[inline(always)]
    pub(in crate::cache) unsafe fn tagged_alone(&self, hash: u64) -> Ways {
        #[cfg(loom)]
        return self.tagged(hash);
        #[cfg(not(loom))]
        {
            // SAFETY: the caller's; an atomic number is laid out like a number.
            let tags = unsafe { *self.tags.as_ptr().cast::<[u64; WORDS]>() };
            Ways(tags::equal(tags, tag(hash)))
        }
    }

    /// Whether an entry whose home this is may lie in another set.
    #[inline(always)]
    pub(in crate::cache) fn reaches_behind(&self) -> bool {
        self.reach.load(Ordering::Acquire) != 0
    }

    /// When or how often a slot was used; the policy's business. 0 where it is empty.
    #[inline(always)]
    pub(in crate::cache) fn mark(&self, way: usize) -> u16 {
        self.marks[way].load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(in crate::cache) fn set_mark(&self, way: usize, mark: u16) {
        self.marks[way].store(mark, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(super) fn set_tag(&self, way: usize, tag: u64) {
        let (word, shift) = (&self.tags[way / LANES], 16 * (way % LANES));
        let others = word.load(Ordering::Relaxed) & !(0xFFFF << shift);
        word.store(others | (tag << shift), Ordering::Release);
    }

    /// Gives the tag of a slot to another of the same word, in one step.
    pub(super) fn move_tag(&self, from: usize, to: usize, tag: u64) {
        debug_assert!(from / LANES == to / LANES);
        let (from_shift, to_shift) = (16 * (from % LANES), 16 * (to % LANES));
        let word = &self.tags[to / LANES];
        let others = word.load(Ordering::Relaxed) & !(0xFFFF << from_shift) & !(0xFFFF << to_shift);
        word.store(others | (tag << to_shift), Ordering::Release);
    }

    /// The slots whose tags lie in the same word.
    pub(super) fn beside(way: usize) -> u32 {
        ((1 << LANES) - 1) << (way / LANES * LANES)
    }

    /// What a lookup that found nothing compares with what it was before.
    #[inline]
    pub(super) fn moves(&self) -> u32 {
        self.moves.load(Ordering::Acquire)
    }

    pub(super) fn count_move(&self) {
        self.moves.store(self.moves.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// Notes of a slot's entry whether it will expire, and whether it is plain.
    #[inline(always)]
    pub(super) fn note(&self, way: usize, expires: bool, plain: bool) {
        let write = |bits: &AtomicU16, bit: bool| {
            let others = bits.load(Ordering::Relaxed) & !(1 << way);
            bits.store(others | u16::from(bit) << way, Ordering::Relaxed);
        };
        write(&self.expiring, expires);
        write(&self.plain, plain);
    }

    #[inline(always)]
    pub(super) fn is_plain(&self, way: usize) -> bool {
        self.plain.load(Ordering::Relaxed) >> way & 1 != 0
    }

    #[inline(always)]
    pub(in crate::cache) fn expires(&self, way: usize) -> bool {
        self.expiring.load(Ordering::Relaxed) >> way & 1 != 0
    }

    /// The pair of a slot.
    ///
    /// # Safety
    /// The slot is filled, and the guard under which its tag was seen is held as long as the reference; or nothing else is
    /// done with the cache as long, by this thread or another.
    #[inline(always)]
    pub(in crate::cache) unsafe fn pair(&self, way: usize) -> &(K, V) {
        // SAFETY: whoever empties the slot waits until the guard is dropped, and nobody else writes to it.
        let pair = unsafe { &*self.slots[way].get() };
        // SAFETY: the slot is filled.
        unsafe { pair.assume_init_ref() }
    }

    /// # Safety
    /// The slot is not filled, and the lock of the shard is held.
    #[inline(always)]
    pub(super) unsafe fn fill(&self, way: usize, pair: (K, V)) {
        // SAFETY: nobody looks at a slot that is not filled.
        unsafe { self.slots[way].get().write(MaybeUninit::new(pair)) };
        self.set_filled(way, true);
    }

    /// # Safety
    /// The slot is filled, nobody looks at it any more, and the lock of the shard is held.
    #[inline(always)]
    pub(super) unsafe fn empty(&self, way: usize) -> (K, V) {
        self.set_filled(way, false);
        // SAFETY: nobody else looks at it.
        let pair = unsafe { &*self.slots[way].get() };
        // SAFETY: it was filled, and will not be read from here again.
        unsafe { pair.assume_init_read() }
    }

    #[inline(always)]
    fn set_filled(&self, way: usize, filled: bool) {
        if mem::needs_drop::<(K, V)>() {
            let others = self.filled.load(Ordering::Relaxed) & !(1 << way);
            self.filled.store(others | u16::from(filled) << way, Ordering::Relaxed);
        }
    }
}

impl<K, V> Drop for Set<K, V> {
    fn drop(&mut self) {
        for way in Ways(self.filled.load(Ordering::Relaxed).into()) {
            // SAFETY: it is filled, and nobody looks at what is being dropped.
            drop(unsafe { self.empty(way) });
        }
    }
}

#[inline]
pub(super) fn tag(hash: u64) -> u64 {
    (hash >> 49) | TAKEN
}
