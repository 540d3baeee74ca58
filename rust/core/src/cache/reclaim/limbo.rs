//! Garbage where one thread at a time looks.

#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};

use super::{Garbage, Reclaim};
use crate::cache::table::{Entry, Found, Memory, Position, View};

/// Garbage of a cache that one thread at a time uses. It is dropped when the outermost operation has ended, and so after
/// every lock is released: dropping may run foreign code that uses the cache again.
#[doc(hidden)]
pub struct Limbo<K, V> {
    /// Operations under way: more than one where a comparison uses the cache.
    depth: Cell<usize>,
    /// Most operations bring one pair, or none.
    first: Cell<Option<(K, V)>>,
    more: RefCell<Vec<Garbage<K, V>>>,
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
pub struct LimboGuard<'a, K, V>(&'a Limbo<K, V>);

impl<K, V> Reclaim<K, V> for Limbo<K, V> {
    type Guard<'a>
        = LimboGuard<'a, K, V>
    where
        Self: 'a;
    type Bag = ();
    type Freed = ();

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
    fn pin(&self) -> LimboGuard<'_, K, V> {
        // So that an operation which brings no garbage drops none when it ends.
        let pending = self.holds.get() != Holds::Nothing;
        debug_assert!(self.depth.get() > 0 || !pending || self.emptying.get(), "an operation left garbage behind");
        self.depth.set(self.depth.get() + 1);
        LimboGuard(self)
    }

    #[inline]
    fn pin_locked(&self) -> LimboGuard<'_, K, V> {
        self.pin()
    }

    #[inline]
    fn is_alone(&self, _guard: &LimboGuard<'_, K, V>) -> bool {
        self.depth.get() == 1
    }

    #[inline]
    fn thread(_guard: &LimboGuard<'_, K, V>) -> usize {
        0
    }

    #[inline(always)]
    fn retire(&self, _guard: &LimboGuard<'_, K, V>, _bag: &mut (), view: View<'_, K, V>, at: Position, _bytes: u64) {
        // SAFETY: the slot was filled and is unlinked. A writer changes something only while no other operation of this
        // thread holds a guard (`is_alone`), and looks at nothing that it has unlinked.
        self.keep(unsafe { view.empty(at) });
    }

    fn replace(&self, view: View<'_, K, V>, at: Position, mark: u16, entry: Entry<K, V>) -> Result<(), Entry<K, V>> {
        // SAFETY: as in `retire`.
        self.keep(unsafe { view.replace(at, mark, entry) });
        Ok(())
    }

    fn retire_table(&self, _guard: &LimboGuard<'_, K, V>, _bag: &mut (), memory: Memory<K, V>, _bytes: u64) {
        self.keep_more(Garbage::Table(memory));
    }

    fn keeps() -> bool {
        false
    }

    fn hand_over<'g>(view: View<'g, K, V>, found: Found<'g, K, V>) -> (K, V) {
        // SAFETY: as in `retire`; the table is replaced before anything is looked for in it again.
        unsafe { view.empty(found.at) }
    }

    #[inline]
    fn kept(_bag: &(), _set: u32) -> u32 {
        0
    }

    fn hurry(_bag: &mut ()) {}

    #[inline]
    fn free(&self, _bag: &mut (), _view: View<'_, K, V>, _freed: &mut ()) {}

    #[inline]
    fn is_over_budget(&self) -> bool {
        false
    }

    fn relieve(&self, _free_everywhere: impl FnMut()) {}
}

impl<K, V> Drop for LimboGuard<'_, K, V> {
    #[inline(always)]
    fn drop(&mut self) {
        let depth = self.0.depth.get() - 1;
        self.0.depth.set(depth);
        if depth == 0 && self.0.holds.get() != Holds::Nothing {
            self.0.empty();
        }
    }
}

impl<K, V> Limbo<K, V> {
    #[inline(always)]
    fn keep(&self, pair: (K, V)) {
        if self.holds.get() == Holds::Nothing {
            self.holds.set(Holds::First);
            self.first.set(Some(pair));
        } else {
            self.keep_more(Garbage::Pair(pair));
        }
    }

    #[cold]
    fn keep_more(&self, garbage: Garbage<K, V>) {
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
struct Emptying<'a, K, V>(&'a Limbo<K, V>);

impl<K, V> Drop for Emptying<'_, K, V> {
    #[inline]
    fn drop(&mut self) {
        self.0.emptying.set(false);
    }
}
