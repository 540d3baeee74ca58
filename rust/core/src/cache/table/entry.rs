//! What a slot holds: a key, its value, and what is known of them.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

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
    pub(super) terms: Terms,
}

/// What is known of an entry beside its hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// In nanoseconds, or [`NEVER`].
    expires_at: u64,
    weight: u64,
}

/// Of an entry that lives for ever and weighs nothing.
const PLAIN: Terms = Terms { expires_at: NEVER, weight: 0 };

/// What is kept of a slot apart from its set, because lookups seldom need it: the hash of its entry, and, unless the set
/// says that the entry is plain, its terms.
#[derive(Clone, Copy)]
pub(super) struct Apart<'g> {
    pub(super) hash: &'g UnsafeCell<MaybeUninit<u64>>,
    pub(super) terms: &'g UnsafeCell<MaybeUninit<Terms>>,
}

impl<K, V> Entry<K, V> {
    pub(in crate::cache) fn new(hash: u64, key: K, value: V, weight: u64, expires_at: Option<Duration>) -> Self {
        let terms = Terms { expires_at: expires_at.map_or(NEVER, nanoseconds), weight };
        Self { key, value, about: About { hash, terms } }
    }

    /// An entry that weighs nothing and lives for ever.
    #[inline(always)]
    pub(in crate::cache) fn plain(hash: u64, key: K, value: V) -> Self {
        Self { key, value, about: About { hash, terms: PLAIN } }
    }

    pub(in crate::cache) fn about(&self) -> About {
        self.about
    }
}

impl About {
    #[inline]
    pub(super) fn is_plain(self) -> bool {
        self.terms == PLAIN
    }

    #[inline]
    pub(in crate::cache) fn expires(self) -> bool {
        self.terms.expires_at != NEVER
    }

    #[inline]
    pub(in crate::cache) fn weight(self) -> u64 {
        self.terms.weight
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}

/// An entry in its slot, as long as the guard is held under which it was found.
pub struct Held<'g, K, V> {
    pub(super) pair: &'g (K, V),
    pub(super) apart: Apart<'g>,
    pub(super) expires: bool,
    /// Whether all that is known of it is its hash.
    pub(super) plain: bool,
}

impl<K, V> Clone for Held<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Held<'_, K, V> {}

impl<'g, K, V> Held<'g, K, V> {
    #[inline]
    pub(in crate::cache) fn key(self) -> &'g K {
        &self.pair.0
    }

    #[inline]
    pub(in crate::cache) fn value(self) -> &'g V {
        &self.pair.1
    }

    pub(in crate::cache) fn hash(self) -> u64 {
        // SAFETY: it is written before the slot can be found, and not again before nobody holds the slot any more.
        let hash = unsafe { *self.apart.hash.get() };
        // SAFETY: it was written with the pair.
        unsafe { hash.assume_init() }
    }

    pub(in crate::cache) fn about(self) -> About {
        if self.plain {
            return About { hash: self.hash(), terms: PLAIN };
        }
        // SAFETY: as for the hash.
        let terms = unsafe { *self.apart.terms.get() };
        // SAFETY: they were written with the pair, because the entry is not plain.
        About { hash: self.hash(), terms: unsafe { terms.assume_init() } }
    }

    /// Whether it will expire; cheaper than `about`.
    #[inline]
    pub(in crate::cache) fn expires(self) -> bool {
        self.expires
    }

    /// Whether its time is over; looks at the clock only if there is one to be over.
    #[inline]
    pub(in crate::cache) fn is_expired(self, now: impl FnOnce() -> Duration) -> bool {
        self.expires && self.about().terms.expires_at <= nanoseconds(now())
    }

    /// Whether both are the same entry.
    pub(in crate::cache) fn is(self, other: Self) -> bool {
        ptr::eq(self.pair, other.pair)
    }
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
