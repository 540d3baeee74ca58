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
    /// In nanoseconds, or [`NEVER`].
    expires_at: u64,
    pub(in crate::cache) weight: u64,
}

/// Where [`About`] lies: apart from the sets, because lookups seldom need it.
pub(super) type AboutCell = UnsafeCell<MaybeUninit<About>>;

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

/// An entry in its slot, as long as the guard is held under which it was found.
pub struct Held<'g, K, V> {
    pub(super) pair: &'g (K, V),
    pub(super) about: &'g AboutCell,
    pub(super) expires: bool,
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

    pub(in crate::cache) fn about(self) -> About {
        // SAFETY: it is written before the slot can be found, and not again before nobody holds the slot any more.
        let about = unsafe { *self.about.get() };
        // SAFETY: it was written with the pair.
        unsafe { about.assume_init() }
    }

    /// Whether it will expire; cheaper than `about`.
    #[inline]
    pub(in crate::cache) fn expires(self) -> bool {
        self.expires
    }

    /// Whether its time is over; looks at the clock only if there is one to be over.
    #[inline]
    pub(in crate::cache) fn is_expired(self, now: impl FnOnce() -> Duration) -> bool {
        self.expires && self.about().expires_at <= nanoseconds(now())
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
