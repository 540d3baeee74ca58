//! The policy `lru`: a coarse clock, a mark on each slot, and a victim that is the oldest of a few drawn at random.
//!
//! Sampling instead of a list is what lets a lookup write nothing but one mark; Redis does it too. The oldest
//! of ten drawn from the whole cache is among the oldest fifth, nine times in ten.

use super::reclaim::Threading;
use super::table::{Position, View};
use crate::sync::{AtomicU64, Ordering};

/// Up to this capacity every lookup and every insertion has a time of its own, and the victim is the oldest of all.
const STRICT_UP_TO: usize = if cfg!(loom) { 1 } else { 64 };
/// The strict clock stops here, until the marks are renumbered.
const LAST_TICK: u64 = u16::MAX as u64;
/// The clock of a large cache ticks about this often while the cache is filled once; less often where threads meet, since
/// after each tick the first to use an entry writes to a cache line that the others read.
const TICKS_PER_FILL: usize = 256;
const SHARED_TICKS_PER_FILL: usize = 16;
/// When things were used, in ticks. Large caches tick once in many insertions, so that a lookup finds its mark made
/// already, mostly, and the marks wrap around; small ones tick with every operation and renumber.
pub(super) struct Clock {
    ticks: AtomicU64,
    pub(super) strict: bool,
}

impl Clock {
    pub(super) fn new(capacity: usize) -> Self {
        Self { ticks: AtomicU64::new(0), strict: capacity <= STRICT_UP_TO }
    }

    /// The mark of what is inserted now, into so many entries, by a shard that has inserted as often as this.
    #[inline(always)]
    pub(super) fn inserted<T: Threading>(&self, entries: usize, insertions: u64) -> u16 {
        if self.strict {
            return self.next::<T>();
        }
        // Once in about so many insertions; a power of two.
        let ticks = if T::SHARES_LINES { SHARED_TICKS_PER_FILL } else { TICKS_PER_FILL };
        let every = 1 << (entries / ticks).checked_ilog2().unwrap_or(0);
        if insertions & (every - 1) == 0 {
            T::add(&self.ticks, 2);
        }
        // 0 marks an empty slot.
        match self.ticks.load(Ordering::Relaxed) as u16 {
            0 => u16::MAX,
            mark => mark,
        }
    }

    /// The mark of what is used or inserted now in a small cache.
    pub(super) fn next<T: Threading>(&self) -> u16 {
        if self.is_worn() { LAST_TICK as u16 } else { (T::add(&self.ticks, 1) + 1).min(LAST_TICK) as u16 }
    }

    /// Whether the strict clock has stopped.
    #[inline]
    pub(super) fn is_worn(&self) -> bool {
        self.strict && self.ticks.load(Ordering::Relaxed) >= LAST_TICK
    }

    /// Gives the entries of a strict cache the smallest marks that keep their order. The lock of its shard is held.
    pub(super) fn renumber<K, V>(&self, view: View<'_, K, V>) {
        let mut order: Vec<(u16, Position)> = view.entries().map(|found| (view.mark(found.at), found.at)).collect();
        order.sort_by_key(|&(mark, _)| mark);
        for (mark, (_, at)) in (1..).zip(&order) {
            view.set_mark(*at, mark);
        }
        self.ticks.store(order.len() as u64, Ordering::Relaxed);
    }

    /// How many ticks ago something was used that has this mark.
    #[inline]
    pub(super) fn age(&self, mark: u16) -> u16 {
        if self.strict {
            return u16::MAX - mark;
        }
        (self.now().wrapping_sub(mark) as i16).max(0) as u16
    }

    /// The time itself.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// The newest mark there can be: that of what is used now in a large cache. Odd, so later than what was inserted at this
    /// tick.
    #[inline]
    pub(super) fn now(&self) -> u16 {
        self.ticks.load(Ordering::Relaxed) as u16 | 1
    }
}

/// A sequence of 32-bit numbers that look random, at a multiplication each: the upper halves of a congruential generator
/// (Knuth).
pub(super) struct Random(u64);

impl Random {
    /// Seeded by a hash, whose bits are well mixed, and by a number that is not.
    #[inline]
    pub(super) fn new(hash: u64, number: u64) -> Self {
        Self(hash ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    #[inline]
    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    #[inline]
    pub(super) fn next(&mut self) -> u64 {
        self.next_seed() >> 32
    }

    /// What seeds another sequence; 64 bits, of which the lower ones are less random.
    #[inline]
    pub(super) fn next_seed(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }
}
