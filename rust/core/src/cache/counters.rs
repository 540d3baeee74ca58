//! Hits and misses, counted without readers getting into each other's way.

use std::marker::PhantomData;

use super::reclaim::Threading;
use crate::sync::{AtomicU64, Ordering};

/// Counters of the threads that share a stripe, on cache lines of their own.
#[repr(align(128))]
#[derive(Default)]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Hits and misses.
///
/// Adding is a load and a store, not one atomic step: exact as long as no two threads that use a stripe count at the same
/// moment, which takes more threads than stripes.
pub(super) struct Counters<T> {
    stripes: Box<[Stripe]>,
    threading: PhantomData<fn() -> T>,
}

impl<T: Threading> Counters<T> {
    pub(super) fn new() -> Self {
        Self { stripes: (0..T::STRIPES).map(|_| Stripe::default()).collect(), threading: PhantomData }
    }

    #[inline]
    pub(super) fn hit(&self, thread: usize) {
        add_one(&self.stripe(thread).hits);
    }

    #[inline]
    pub(super) fn miss(&self, thread: usize) {
        add_one(&self.stripe(thread).misses);
    }

    /// Hits and misses of all threads.
    pub(super) fn sums(&self) -> (u64, u64) {
        let sum = |counter: fn(&Stripe) -> &AtomicU64| {
            self.stripes.iter().map(|stripe| counter(stripe).load(Ordering::Relaxed)).sum()
        };
        (sum(|stripe| &stripe.hits), sum(|stripe| &stripe.misses))
    }

    #[inline]
    fn stripe(&self, thread: usize) -> &Stripe {
        &self.stripes[thread & (T::STRIPES - 1)]
    }
}

#[inline]
fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}
