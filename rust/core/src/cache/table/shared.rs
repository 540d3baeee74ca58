//! Slots that many threads look at.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use super::body::{About, Body, Entry, Held, prefetch};
use super::{Memory, WAYS};
use crate::sync::{AtomicPtr, Ordering};

/// Slots that point to entries, which many threads may follow.
pub struct Shared<K, V>([AtomicPtr<Entry<K, V>>; WAYS]);

impl<'g, K, V> Held<'g, K, V> for &'g Entry<K, V> {
    #[inline]
    fn key(self) -> &'g K {
        &self.key
    }

    #[inline]
    fn value(self) -> &'g V {
        &self.value
    }

    #[inline]
    fn about(self) -> About {
        self.about
    }

    #[inline]
    fn expires(self) -> bool {
        self.about.expires()
    }
}

impl<K: Send + 'static, V: Send + 'static> Body<K, V> for Shared<K, V> {
    type Held<'g> = &'g Entry<K, V>;
    type Apart = ();
    type Garbage = SharedGarbage<K, V>;
    const EXCLUSIVE: bool = false;

    fn empty() -> Self {
        Self(std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())))
    }

    fn empty_apart() {}

    #[inline]
    fn prefetch(&self) {
        prefetch(&raw const self.0[WAYS - 1]);
    }

    #[inline]
    fn prefetch_slot(&self, way: usize) {
        prefetch(&raw const self.0[way]);
    }

    #[inline]
    unsafe fn look<'g>(&'g self, way: usize, _apart: &'g (), _expires: bool) -> Option<&'g Entry<K, V>> {
        // SAFETY: the slot was reached under a guard, and read under it now. An entry that is unlinked afterwards goes to
        // the same reclaimer, which keeps it until that guard is dropped; the borrow of `self` lasts no longer.
        unsafe { self.0[way].load(Ordering::Acquire).as_ref() }
    }

    unsafe fn fill(&self, way: usize, _apart: &(), entry: Entry<K, V>) {
        self.0[way].store(Box::into_raw(Box::new(entry)), Ordering::Release);
    }

    unsafe fn replace(&self, way: usize, _apart: &(), entry: Entry<K, V>) -> Option<SharedGarbage<K, V>> {
        let entry = Box::into_raw(Box::new(entry));
        NonNull::new(self.0[way].swap(entry, Ordering::AcqRel)).map(SharedGarbage::Entry)
    }

    unsafe fn take(&self, way: usize) -> Option<SharedGarbage<K, V>> {
        NonNull::new(self.0[way].swap(ptr::null_mut(), Ordering::AcqRel)).map(SharedGarbage::Entry)
    }

    unsafe fn hand_over(&self, way: usize, _apart: &(), to: &Self, to_way: usize, _to_apart: &()) {
        // The old slot stays as it is, for those who are still looking at it.
        to.0[to_way].store(self.0[way].load(Ordering::Relaxed), Ordering::Release);
    }

    fn garbage(memory: Memory<K, V, Self>) -> SharedGarbage<K, V> {
        SharedGarbage::Table(memory)
    }
}

/// What was unlinked from a shared table and waits until nobody can look at it any more; destroyed when dropped.
///
/// Pointers, not boxes: a box claims that nobody else can be looking.
pub enum SharedGarbage<K: Send + 'static, V: Send + 'static> {
    Entry(NonNull<Entry<K, V>>),
    #[allow(dead_code, reason = "it is kept to be dropped")]
    Table(Memory<K, V, Shared<K, V>>),
}

// SAFETY: it owns what it points to, and that is keys and values.
unsafe impl<K: Send, V: Send> Send for SharedGarbage<K, V> {}

impl<K: Send + 'static, V: Send + 'static> Drop for SharedGarbage<K, V> {
    fn drop(&mut self) {
        if let Self::Entry(entry) = *self {
            // SAFETY: it came out of a box, and the swap that unlinked it gave it to this piece of garbage alone.
            drop(unsafe { Box::from_raw(entry.as_ptr()) });
        }
    }
}
