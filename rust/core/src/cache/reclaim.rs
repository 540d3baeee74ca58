//! How threads share a cache, and when what was unlinked is destroyed.

use std::cell::{Cell, RefCell, RefMut};
use std::ops::DerefMut;

use super::table::{Body, Inline, Shared};
use crate::sync::epoch;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, lock, try_lock};

mod sealed {
    pub trait Sealed {}
}

/// How the threads that use a cache are kept apart: [`Concurrent`] or [`Serialized`].
pub trait Threading: sealed::Sealed + 'static {
    /// How a slot holds its entry.
    #[doc(hidden)]
    type Body<K: Send + 'static, V: Send + 'static>: Body<K, V>;
    /// Keeps garbage until nobody looks at it any more.
    #[doc(hidden)]
    type Reclaim<G: Send + 'static>: Reclaim<G>;
    /// What keeps writers of a shard apart.
    #[doc(hidden)]
    type Lock<S: Send + 'static>: Lock<S>;
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
    /// The set of counters of this thread, below [`Self::STRIPES`].
    #[doc(hidden)]
    fn stripe() -> usize;
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

/// Keeps garbage until nobody looks at it any more.
///
/// The lock-free table trusts it: what was reachable while a guard of this reclaimer was held is not dropped before that
/// guard is. Therefore it is implemented in this file only.
#[doc(hidden)]
pub trait Reclaim<G> {
    type Guard<'a>
    where
        Self: 'a;
    /// Garbage of one shard that was not handed over yet; under that shard's lock.
    type Bag: Default + Send + 'static;

    /// A reclaimer that aims at no more than `budget` bytes of garbage, with bags of `share` bytes.
    fn new(budget: u64, share: u64) -> Self;
    /// Holds on to whatever is reachable from now on.
    fn pin(&self) -> Self::Guard<'_>;
    /// Whether this thread may change something: where others cannot be looking, it must not be looking itself, from
    /// another operation that holds a guard.
    fn is_alone(&self, guard: &Self::Guard<'_>) -> bool;
    /// Drops `garbage`, which is not reachable any more and holds this many bytes, when no guard taken before is left.
    fn retire(&self, guard: &Self::Guard<'_>, bag: &mut Self::Bag, garbage: G, bytes: u64);
    /// Drops what can be dropped, if there is more than the budget. The caller holds neither a guard nor a lock.
    fn settle(&self);
}

/// Any number of threads at a time. Reads lock nothing; what they may still look at is destroyed later (epochs), by
/// whichever thread gets to it.
pub struct Concurrent;

impl sealed::Sealed for Concurrent {}

impl Threading for Concurrent {
    type Body<K: Send + 'static, V: Send + 'static> = Shared<K, V>;
    type Reclaim<G: Send + 'static> = Epochs;
    type Lock<S: Send + 'static> = Mutex<S>;
    const SHARES_LINES: bool = true;
    const MIN_SHARDS: usize = 16;
    const STRIPES: usize = 32;

    #[inline]
    fn add(number: &AtomicU64, amount: u64) -> u64 {
        number.fetch_add(amount, Ordering::Relaxed)
    }

    fn replace(number: &AtomicU64, old: u64, new: u64) -> bool {
        number.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    #[cfg(loom)]
    fn stripe() -> usize {
        0
    }

    #[cfg(not(loom))]
    #[inline]
    fn stripe() -> usize {
        use crate::sync::AtomicUsize;
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static STRIPE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % Concurrent::STRIPES;
        }
        // A thread that is ending has no thread locals any more.
        STRIPE.try_with(|stripe| *stripe).unwrap_or(0)
    }
}

/// The process's epochs, which destroy what was retired two epochs ago.
///
/// A reader that the system stops in the middle of a lookup stops the epochs too, and garbage gathers behind it. So what
/// is retired and not destroyed is counted, and writers that find too much of it give way to the reader.
#[doc(hidden)]
pub struct Epochs {
    /// Bytes that are handed over and not destroyed.
    waiting: Arc<AtomicU64>,
    budget: u64,
    share: u64,
}

/// Budgets of garbage from which on a writer waits for readers, and how often it gives way at most.
const PATIENT_UP_TO: u64 = 4;
const MAX_YIELDS: usize = 128;

impl<G: Send + 'static> Reclaim<G> for Epochs {
    type Guard<'a> = epoch::Guard;
    type Bag = (Vec<G>, u64);

    fn new(budget: u64, share: u64) -> Self {
        Self { waiting: Arc::new(AtomicU64::new(0)), budget, share }
    }

    #[inline]
    fn pin(&self) -> epoch::Guard {
        epoch::pin()
    }

    fn is_alone(&self, _guard: &epoch::Guard) -> bool {
        true
    }

    fn retire(&self, guard: &epoch::Guard, bag: &mut (Vec<G>, u64), garbage: G, bytes: u64) {
        bag.0.push(garbage);
        bag.1 += bytes;
        if bag.1 >= self.share {
            let (garbage, bytes) = std::mem::take(bag);
            let waiting = self.waiting.clone();
            waiting.fetch_add(bytes, Ordering::Relaxed);
            guard.defer(move || {
                drop(garbage);
                waiting.fetch_sub(bytes, Ordering::Relaxed);
            });
        }
    }

    #[inline]
    fn settle(&self) {
        // The model checker destroys nothing, and would wait for ever.
        if !cfg!(loom) && self.waiting.load(Ordering::Relaxed) > self.budget {
            self.destroy();
        }
    }
}

impl Epochs {
    #[cold]
    fn destroy(&self) {
        // An epoch each.
        for _ in 0..3 {
            epoch::pin().flush();
        }
        for _ in 0..MAX_YIELDS {
            if self.waiting.load(Ordering::Relaxed) <= PATIENT_UP_TO * self.budget {
                return;
            }
            std::thread::yield_now();
            epoch::pin().flush();
        }
    }
}

/// One thread at a time, which something outside sees to (such a cache is not `Sync`); for keys and values that only
/// some threads may drop. Nothing is left to others: what an operation removes is dropped when it ends.
pub struct Serialized;

impl sealed::Sealed for Serialized {}

impl Threading for Serialized {
    type Body<K: Send + 'static, V: Send + 'static> = Inline<K, V>;
    type Reclaim<G: Send + 'static> = Limbo<G>;
    type Lock<S: Send + 'static> = RefCell<S>;
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

    #[inline]
    fn stripe() -> usize {
        0
    }
}

/// Garbage of a cache that one thread at a time uses. It is dropped when the outermost operation has ended, and so after
/// every lock is released: dropping may run foreign code that uses the cache again.
#[doc(hidden)]
pub struct Limbo<G> {
    /// Operations under way: more than one where a comparison uses the cache.
    depth: Cell<usize>,
    /// Most operations bring one piece, or none.
    first: Cell<Option<G>>,
    more: RefCell<Vec<G>>,
    holds: Cell<Holds>,
    /// Whether garbage is being dropped.
    emptying: Cell<bool>,
}

/// What a limbo may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    First,
    More,
}

#[doc(hidden)]
pub struct LimboGuard<'a, G>(&'a Limbo<G>);

impl<G> Reclaim<G> for Limbo<G> {
    type Guard<'a>
        = LimboGuard<'a, G>
    where
        G: 'a;
    type Bag = ();

    fn new(_budget: u64, _share: u64) -> Self {
        Self {
            depth: Cell::new(0),
            first: Cell::new(None),
            more: RefCell::default(),
            holds: Cell::new(Holds::Nothing),
            emptying: Cell::new(false),
        }
    }

    #[inline]
    fn pin(&self) -> LimboGuard<'_, G> {
        self.depth.set(self.depth.get() + 1);
        LimboGuard(self)
    }

    #[inline]
    fn is_alone(&self, _guard: &LimboGuard<'_, G>) -> bool {
        self.depth.get() == 1
    }

    #[inline]
    fn retire(&self, _guard: &LimboGuard<'_, G>, _bag: &mut (), garbage: G, _bytes: u64) {
        if self.holds.get() == Holds::Nothing {
            self.holds.set(Holds::First);
            self.first.set(Some(garbage));
        } else {
            self.retire_more(garbage);
        }
    }

    fn settle(&self) {}
}

impl<G> Drop for LimboGuard<'_, G> {
    #[inline(always)]
    fn drop(&mut self) {
        let depth = self.0.depth.get() - 1;
        self.0.depth.set(depth);
        if depth == 0 && self.0.holds.get() != Holds::Nothing {
            self.0.empty();
        }
    }
}

impl<G> Limbo<G> {
    #[cold]
    fn retire_more(&self, garbage: G) {
        self.holds.set(Holds::More);
        self.more.borrow_mut().push(garbage);
    }

    fn empty(&self) {
        // A drop may use the cache again. What that brings is left to this loop.
        if self.emptying.replace(true) {
            return;
        }
        let _done = Emptying(self);
        loop {
            match self.holds.replace(Holds::Nothing) {
                Holds::Nothing => break,
                Holds::First => drop(self.first.take()),
                Holds::More => self.empty_all(),
            }
        }
    }

    #[cold]
    fn empty_all(&self) {
        drop(self.first.take());
        loop {
            let Some(garbage) = self.more.borrow_mut().pop() else { break };
            drop(garbage);
        }
    }
}

/// Also when a drop panics.
struct Emptying<'a, G>(&'a Limbo<G>);

impl<G> Drop for Emptying<'_, G> {
    #[inline]
    fn drop(&mut self) {
        self.0.emptying.set(false);
    }
}
