//! The items of a tenant that may go together, in the order that they go in.

use std::collections::{BTreeMap, VecDeque};

use super::slots::Slots;

/// What decides which of two items of a tenant goes first: the lesser one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// Arrival in steps of ageing, less the priority: it never changes while an item waits, and yet nothing starves.
    pub(super) rank: i64,
    /// `u64::MAX` if there is none.
    pub(super) deadline: u64,
    /// Counts the items that were taken.
    pub(super) number: u64,
}

/// A queue of items by [`Order`].
///
/// Items that come in order, as all do without priorities and deadlines, are appended to a ring; the others go to a tree.
/// What leaves the ring from its middle stays until it comes to the front or makes up more than half of it.
///
/// **Cost:** `push` and `pop` O(1) in order, else O(log n); `remove` O(log n), amortised.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ring: VecDeque<(Order, u32)>,
    /// Entries of the ring whose items have left.
    gone: usize,
    tree: BTreeMap<Order, u32>,
}

impl Queue {
    pub(super) fn push(&mut self, order: Order, slot: u32) {
        if self.ring.back().is_none_or(|(last, _)| *last < order) {
            self.ring.push_back((order, slot));
        } else {
            self.tree.insert(order, slot);
        }
    }

    /// The first item; its order and slot.
    pub(super) fn peek(&self) -> Option<(Order, u32)> {
        // The front of the ring is always one that waits.
        let (ring, tree) = (self.ring.front(), self.tree.first_key_value());
        match (ring, tree) {
            (Some(ring), Some((order, slot))) if *order < ring.0 => Some((*order, *slot)),
            (Some(ring), _) => Some(*ring),
            (None, tree) => tree.map(|(order, slot)| (*order, *slot)),
        }
    }

    /// Takes the first item out. To be called before its slot changes.
    pub(super) fn pop(&mut self, slots: &Slots) {
        let from_tree = match (self.ring.front(), self.tree.first_key_value()) {
            (Some((ring, _)), Some((tree, _))) => tree < ring,
            (ring, _) => ring.is_none(),
        };
        if from_tree {
            self.tree.pop_first();
        } else {
            self.ring.pop_front();
            self.clean_front(slots);
        }
    }

    /// Puts back an item that was the first one when it was popped, and is before all others again.
    pub(super) fn put_back(&mut self, order: Order, slot: u32) {
        self.ring.push_front((order, slot));
    }

    /// Takes an item out, wherever it is. Its slot must have changed already.
    pub(super) fn remove(&mut self, order: Order, slots: &Slots) {
        if self.tree.remove(&order).is_some() {
            return;
        }
        self.gone += 1;
        self.clean_front(slots);
        if self.gone > self.ring.len() / 2 {
            self.ring.retain(|(order, slot)| slots.waits(*slot, order.number));
            self.gone = 0;
        }
    }

    /// Keeps the promise that the front of the ring waits.
    fn clean_front(&mut self, slots: &Slots) {
        while self.gone > 0
            && let Some((order, slot)) = self.ring.front()
            && !slots.waits(*slot, order.number)
        {
            self.ring.pop_front();
            self.gone -= 1;
        }
    }
}
