//! What a slot holds, and the ways to hold it.

#![allow(unsafe_code)]

use std::ptr;
use std::time::Duration;

use super::Memory;

const NEVER: u64 = u64::MAX;

/// A key, its value and what is known of them.
pub struct Entry<K, V> {
    pub(super) key: K,
    pub(super) value: V,
    pub(super) about: About,
}

/// What is known of an entry.
#[derive(Clone, Copy)]
pub struct About {
    pub(in crate::cache) hash: u64,
    /// In nanoseconds, or [`NEVER`].
    pub(super) expires_at: u64,
    pub(in crate::cache) weight: u64,
}

impl<K, V> Entry<K, V> {
    pub(in crate::cache) fn new(hash: u64, key: K, value: V, weight: u64, expires_at: Option<Duration>) -> Self {
        let about = About { hash, expires_at: expires_at.map_or(NEVER, nanoseconds), weight };
        Self { key, value, about }
    }

    /// An entry that weighs nothing and lives for ever.
    #[inline(always)]
    pub(in crate::cache) fn plain(hash: u64, key: K, value: V) -> Self {
        Self { key, value, about: About { hash, expires_at: NEVER, weight: 0 } }
    }

    pub(in crate::cache) fn about(&self) -> About {
        self.about
    }
}

impl About {
    #[inline]
    pub(in crate::cache) fn expires(self) -> bool {
        self.expires_at != NEVER
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}

/// An entry that is held in a slot.
pub trait Held<'g, K: 'g, V: 'g>: Copy {
    fn key(self) -> &'g K;
    fn value(self) -> &'g V;
    fn about(self) -> About;
    /// Whether it will expire; cheaper than `about`.
    fn expires(self) -> bool;

    /// Whether its time is over; looks at the clock only if there is one to be over.
    #[inline]
    fn is_expired(self, now: impl FnOnce() -> Duration) -> bool {
        self.expires() && self.about().expires_at <= nanoseconds(now())
    }

    /// Whether both are the same entry.
    fn is(self, other: impl Held<'g, K, V>) -> bool {
        ptr::eq(self.key(), other.key())
    }
}

/// The slots of a set.
///
/// # Safety
/// The methods that change something are called by the holder of the shard's lock. `look` and `take` are called for
/// slots that were filled; where threads share the table, a slot may have been emptied meanwhile.
pub trait Body<K, V>: Sized + 'static {
    type Held<'g>: Held<'g, K, V>
    where
        K: 'g,
        V: 'g;
    /// What is kept of a slot apart from the set, because lookups seldom need it.
    type Apart: 'static;
    /// Entries and tables that are not reachable any more.
    type Garbage: Send + 'static;

    /// Whether one thread at a time looks at the table.
    const EXCLUSIVE: bool;

    fn empty() -> Self;
    fn empty_apart() -> Self::Apart;
    /// Asks the processor to fetch the slots.
    fn prefetch(&self);
    /// Asks the processor to fetch one slot.
    fn prefetch_slot(&self, way: usize);
    /// The entry of a slot. `expires` is what `fill` was told of it.
    unsafe fn look<'g>(&'g self, way: usize, apart: &'g Self::Apart, expires: bool) -> Option<Self::Held<'g>>;
    /// Puts an entry into an empty slot.
    unsafe fn fill(&self, way: usize, apart: &Self::Apart, entry: Entry<K, V>);
    /// Puts an entry in the place of another.
    unsafe fn replace(&self, way: usize, apart: &Self::Apart, entry: Entry<K, V>) -> Option<Self::Garbage>;
    /// Empties a slot.
    unsafe fn take(&self, way: usize) -> Option<Self::Garbage>;
    /// Puts the entry of a slot into an empty one of a table that takes the place of this.
    unsafe fn hand_over(&self, way: usize, apart: &Self::Apart, to: &Self, to_way: usize, to_apart: &Self::Apart);
    /// A table that was replaced, and whose entries were handed over or taken. Readers may still look at it.
    fn garbage(memory: Memory<K, V, Self>) -> Self::Garbage;
}

/// Asks the processor to fetch a cache line, where that is known how to.
#[inline]
pub(super) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could see, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}
