//! How threads share a cache, and when what was unlinked is destroyed.
//!
//! **Considered and not taken.** crossbeam's epochs, which were here before: entries were boxed for them, so that a
//! lookup had one miss more and an insertion an allocation, freed by whichever thread collected; a batch of few slots
//! (a small shard has no more) cost a queue of 64 closures each time; and epochs cannot be asked "have those stopped",
//! which is all that is needed. `membarrier`, which would spare readers their one locked instruction: 5 µs a call with
//! a second thread running, more than the insertions between two calls take.

mod grace;
mod limbo;

use std::cell::{RefCell, RefMut};
use std::ops::DerefMut;

use super::table::{Entry, Found, Memory, Position, View};
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock, try_lock};
pub use grace::GracePeriods;
pub use limbo::Limbo;

mod sealed {
    pub trait Sealed {}
}

/// How the threads that use a cache are kept apart: [`Concurrent`] or [`Serialized`].
pub trait Threading: sealed::Sealed + 'static {
    /// Keeps what was removed until nobody looks at it any more.
    #[doc(hidden)]
    type Reclaim<K: Clone + Send + 'static, V: Clone + Send + 'static>: Reclaim<K, V>;
    /// What keeps writers of a shard apart.
    #[doc(hidden)]
    type Lock<S: Send + 'static>: Lock<S>;
    /// Aligned as what must not share a cache line with anything else.
    #[doc(hidden)]
    type Line;
    /// Whether several threads may be using a cache line at the same time.
    #[doc(hidden)]
    const SHARES_LINES: bool;
    /// Locks to spread the writers over, where there are enough entries.
    #[doc(hidden)]
    const MIN_SHARDS: usize;
    /// Sets of counters to spread the readers over; a power of two.
    #[doc(hidden)]
    const STRIPES: usize;

    /// Adds to a number that other threads may be adding to.
    #[doc(hidden)]
    fn add(number: &AtomicU64, amount: u64) -> u64;
    /// Sets a number to `new` if it is still `old`.
    #[doc(hidden)]
    fn replace(number: &AtomicU64, old: u64, new: u64) -> bool;
}

/// Keeps writers apart.
#[doc(hidden)]
pub trait Lock<S> {
    type Guard<'a>: DerefMut<Target = S>
    where
        Self: 'a;

    fn new(state: S) -> Self;
    /// Waits until it is free.
    fn lock(&self) -> Self::Guard<'_>;
    /// None if it is taken.
    fn try_lock(&self) -> Option<Self::Guard<'_>>;
}

impl<S> Lock<S> for Mutex<S> {
    type Guard<'a>
        = MutexGuard<'a, S>
    where
        S: 'a;

    fn new(state: S) -> Self {
        Mutex::new(state)
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, S> {
        lock(self)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, S>> {
        try_lock(self)
    }
}

/// One thread at a time has nobody to wait for.
impl<S> Lock<S> for RefCell<S> {
    type Guard<'a>
        = RefMut<'a, S>
    where
        S: 'a;

    fn new(state: S) -> Self {
        RefCell::new(state)
    }

    #[inline]
    fn lock(&self) -> RefMut<'_, S> {
        self.borrow_mut()
    }

    fn try_lock(&self) -> Option<RefMut<'_, S>> {
        self.try_borrow_mut().ok()
    }
}

/// Keeps what was removed until nobody looks at it any more.
///
/// The lock-free table trusts it: what could be found while a guard of this reclaimer was held stays as it is until that
/// guard is dropped. Therefore it is implemented in this module only.
#[doc(hidden)]
pub trait Reclaim<K, V> {
    type Guard<'a>
    where
        Self: 'a;
    /// What is known of the slots of one shard that are kept; under that shard's lock.
    type Bag: Default + Send + 'static;

    /// What was freed and is still to be dropped.
    type Freed: Default;

    /// A reclaimer that aims at no more than `budget` bytes of garbage, with bags of `share` bytes.
    fn new(budget: u64, share: u64) -> Self;
    /// Holds on to whatever can be found from now on.
    fn pin(&self) -> Self::Guard<'_>;
    /// Holds on to whatever can be found in one shard, while its lock is held: only its holder has anything destroyed.
    fn pin_locked(&self) -> Self::Guard<'_>;
    /// Whether this thread may change something: where others cannot be looking, it must not be looking itself, from
    /// another operation that holds a guard.
    fn is_alone(&self, guard: &Self::Guard<'_>) -> bool;
    /// A number of the thread that holds the guard, small if there are few.
    fn thread(guard: &Self::Guard<'_>) -> usize;
    /// Takes care of the pair in a slot that was unlinked and holds this many bytes.
    fn retire(&self, guard: &Self::Guard<'_>, bag: &mut Self::Bag, view: View<'_, K, V>, at: Position, bytes: u64);
    /// Puts an entry in the place of one with the same key.
    ///
    /// # Errors
    /// The entry back, where somebody may be looking at the old one.
    fn replace(&self, view: View<'_, K, V>, at: Position, mark: u16, entry: Entry<K, V>) -> Result<(), Entry<K, V>>;
    /// Takes care of the sets, and what is filled in them, that were replaced; the entries in them hold this many bytes.
    fn retire_table(&self, guard: &Self::Guard<'_>, bag: &mut Self::Bag, memory: Memory<K, V>, bytes: u64);
    /// Whether slots that were unlinked may be kept.
    fn keeps() -> bool;
    /// The pair of an entry, for another table.
    fn hand_over<'g>(view: View<'g, K, V>, found: Found<'g, K, V>) -> (K, V);
    /// The slots of a set that are kept.
    fn kept(bag: &Self::Bag, set: u32) -> u32;
    /// Has the next [`Self::free`] do all that it can.
    fn hurry(bag: &mut Self::Bag);
    /// Frees what is kept and nobody looks at any more, if enough is; what was in it goes to `freed`, to be dropped when the
    /// lock is released.
    fn free(&self, bag: &mut Self::Bag, view: View<'_, K, V>, freed: &mut Self::Freed);
    /// Whether so much is kept that somebody should see to it.
    fn is_over_budget(&self) -> bool;
    /// Has everything freed that can be, and waits for readers if that is not enough. The caller holds neither a guard nor
    /// a lock.
    fn relieve(&self, free_everywhere: impl FnMut());
}

/// What nobody looks at any more, to be dropped.
#[doc(hidden)]
#[allow(dead_code, reason = "it is kept to be dropped")]
pub enum Garbage<K, V> {
    Pair((K, V)),
    Table(Memory<K, V>),
}

/// Processors fetch cache lines in pairs.
#[doc(hidden)]
#[repr(align(128))]
pub struct TwoLines;

/// Any number of threads at a time. Reads lock nothing; what they may still look at is dropped later, by a writer of the
/// same shard. A table that grows or shrinks clones its keys and values, with its shard's lock held: they should be cheap
/// to clone.
pub struct Concurrent;

impl sealed::Sealed for Concurrent {}

impl Threading for Concurrent {
    type Reclaim<K: Clone + Send + 'static, V: Clone + Send + 'static> = GracePeriods;
    type Lock<S: Send + 'static> = Mutex<S>;
    type Line = TwoLines;
    const SHARES_LINES: bool = true;
    const MIN_SHARDS: usize = if cfg!(loom) { 2 } else { 16 };
    const STRIPES: usize = 32;

    #[inline]
    fn add(number: &AtomicU64, amount: u64) -> u64 {
        number.fetch_add(amount, Ordering::Relaxed)
    }

    fn replace(number: &AtomicU64, old: u64, new: u64) -> bool {
        number.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// One thread at a time, which something outside sees to (such a cache is not `Sync`); for keys and values that only
/// some threads may drop. Nothing is left to others: what an operation removes is dropped when it ends.
pub struct Serialized;

impl sealed::Sealed for Serialized {}

impl Threading for Serialized {
    type Reclaim<K: Clone + Send + 'static, V: Clone + Send + 'static> = Limbo<K, V>;
    type Lock<S: Send + 'static> = RefCell<S>;
    // An object of Python is aligned to 16 bytes, and a cache lies in one.
    type Line = ();
    const SHARES_LINES: bool = false;
    const MIN_SHARDS: usize = 1;
    const STRIPES: usize = 1;

    #[inline]
    fn add(number: &AtomicU64, amount: u64) -> u64 {
        let old = number.load(Ordering::Relaxed);
        number.store(old.wrapping_add(amount), Ordering::Relaxed);
        old
    }

    fn replace(number: &AtomicU64, _old: u64, new: u64) -> bool {
        number.store(new, Ordering::Relaxed);
        true
    }
}
