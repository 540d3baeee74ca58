//! A set: the tags of some slots, and what lies elsewhere but belongs here.

use super::WAYS;
use super::body::{About, Body};
use super::tags::{self, LANES, TAKEN, WORDS};
use crate::sync::{AtomicU16, AtomicU64, Ordering};

/// Slots of one set, one bit each.
pub(super) struct Ways(pub(super) u32);

impl Iterator for Ways {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let way = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (way < WAYS).then_some(way)
    }
}

/// Slots, the tags of their entries, and what lies elsewhere but belongs here.
///
/// All but the slots lies on one cache line.
#[repr(C, align(64))]
pub struct Set<B> {
    pub(super) tags: [AtomicU64; WORDS],
    /// When or how often a slot was used; the policy's business. 0 where it is empty.
    pub(super) marks: [AtomicU16; WAYS],
    /// Entries whose home this is and that lie in a later set.
    pub(super) displaced: AtomicU16,
    /// How many sets further the farthest of them may lie.
    pub(super) reach: AtomicU16,
    /// The slots whose entries will expire, one bit each.
    pub(super) expiring: AtomicU16,
    /// The slots whose entries are at home, weigh nothing and live for ever, so that nothing more need be known of them.
    pub(super) plain: AtomicU16,
    /// Fills the line.
    spare: u64,
    pub(super) body: B,
}

impl<B> Set<B> {
    pub(super) fn new<K, V>() -> Self
    where
        B: Body<K, V>,
    {
        Self {
            tags: std::array::from_fn(|_| AtomicU64::new(0)),
            marks: std::array::from_fn(|_| AtomicU16::new(0)),
            displaced: AtomicU16::new(0),
            reach: AtomicU16::new(0),
            expiring: AtomicU16::new(0),
            plain: AtomicU16::new(0),
            spare: 0,
            body: B::empty(),
        }
    }

    #[inline]
    pub(super) fn is_taken(&self, way: usize) -> bool {
        self.tags[way / LANES].load(Ordering::Acquire) >> (16 * (way % LANES)) & TAKEN != 0
    }

    #[inline]
    pub(super) fn load_tags(&self) -> [u64; WORDS] {
        std::array::from_fn(|word| self.tags[word].load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn taken(&self) -> Ways {
        Ways(tags::taken(self.load_tags()))
    }

    /// The slots with this tag, and now and then one with another.
    #[inline]
    pub(super) fn tagged(&self, tag: u64) -> Ways {
        Ways(tags::equal(self.load_tags(), tag))
    }

    #[inline]
    pub(super) fn set_tag(&self, way: usize, tag: u64) {
        let (word, shift) = (&self.tags[way / LANES], 16 * (way % LANES));
        // Only the writer that holds the shard's lock changes tags.
        let others = word.load(Ordering::Relaxed) & !(0xFFFF << shift);
        word.store(others | (tag << shift), Ordering::Release);
    }

    /// Notes what is known of a slot's entry, of which nothing is noted yet.
    #[inline]
    pub(super) fn note(&self, way: usize, about: About, at_home: bool) {
        let add = |bits: &AtomicU16| bits.store(bits.load(Ordering::Relaxed) | 1 << way, Ordering::Relaxed);
        if about.expires() {
            add(&self.expiring);
        } else if at_home && about.weight == 0 {
            add(&self.plain);
        }
    }

    /// Forgets what was noted.
    #[inline]
    pub(super) fn forget(&self, way: usize) {
        for bits in [&self.plain, &self.expiring] {
            bits.store(bits.load(Ordering::Relaxed) & !(1 << way), Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn is_plain(&self, way: usize) -> bool {
        self.plain.load(Ordering::Relaxed) >> way & 1 != 0
    }
}

#[inline]
pub(super) fn tag(hash: u64) -> u64 {
    (hash >> 49) | TAKEN
}
