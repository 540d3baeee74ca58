//! The items that wait or run, in slots that are used again.

use super::item::Ticket;
use super::queue::Order;

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    Waiting,
    /// In the batch of this worker.
    Running(u32),
    /// The same, and nobody wants it any more.
    Unwanted(u32),
}

/// An item, as far as it is needed after it was queued.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) order: Order,
    pub(super) arrived: u64,
    pub(super) cost: u32,
    /// The queue that it waits in.
    pub(super) queue: u32,
    pub(super) place: Place,
    pub(super) generation: u32,
}

impl Slot {
    /// An item that waits; its generation is its slot's.
    pub(super) fn new(order: Order, arrived: u64, cost: u32, queue: u32) -> Self {
        Self { order, arrived, cost, queue, place: Place::Waiting, generation: 0 }
    }
}

/// A table of slots; the lowest free one is given first.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    /// A bit for each slot that is free, and above each level of more than one word another with one for each word that
    /// is not zero.
    free: Vec<Vec<u64>>,
}

impl Slots {
    /// Puts an item into the lowest free slot.
    pub(super) fn insert(&mut self, item: Slot) -> Ticket {
        let slot = self.lowest_free().unwrap_or_else(|| self.grow(item));
        self.mark(slot, false);
        let generation = self.slots[slot].generation;
        self.slots[slot] = Slot { generation, ..item };
        Ticket::new(slot as u32, generation)
    }

    /// Frees a slot; whoever holds its ticket finds nothing any more.
    pub(super) fn remove(&mut self, slot: u32) {
        let freed = &mut self.slots[slot as usize];
        freed.place = Place::Free;
        freed.generation = freed.generation.wrapping_add(1);
        self.mark(slot as usize, true);
    }

    /// The item of a ticket; None if it is gone.
    pub(super) fn find(&self, ticket: Ticket) -> Option<&Slot> {
        let found = self.slots.get(ticket.slot())?;
        (found.generation == ticket.generation() && found.place != Place::Free).then_some(found)
    }

    pub(super) fn get(&self, slot: u32) -> &Slot {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    pub(super) fn ticket(&self, slot: u32) -> Ticket {
        Ticket::new(slot, self.get(slot).generation)
    }

    /// Whether what a queue remembers of a slot is still so: its item waits, and is the one of this number.
    pub(super) fn waits(&self, slot: u32, number: u64) -> bool {
        let found = self.get(slot);
        found.order.number == number && found.place == Place::Waiting
    }

    /// The slots of all that wait, ascending.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.slots).filter(|(_, found)| found.place == Place::Waiting).map(|(slot, _)| slot)
    }

    /// Walks down from the one word on top.
    fn lowest_free(&self) -> Option<usize> {
        self.free.last()?;
        let mut word = 0;
        for level in self.free.iter().rev() {
            let bits = level[word];
            if bits == 0 {
                return None;
            }
            word = word * 64 + bits.trailing_zeros() as usize;
        }
        Some(word)
    }

    /// Adds a slot when none is free: all words are zero.
    fn grow(&mut self, item: Slot) -> usize {
        let slot = self.slots.len();
        self.slots.push(item);
        let mut words = slot / 64 + 1;
        for level in &mut self.free {
            level.resize(words, 0);
            words = words.div_ceil(64);
        }
        if self.free.last().is_none_or(|top| top.len() > 1) {
            self.free.push(vec![0]);
        }
        slot
    }

    fn mark(&mut self, slot: usize, free: bool) {
        let mut bit = slot;
        for level in &mut self.free {
            let word = &mut level[bit / 64];
            let before = *word;
            if free {
                *word |= 1 << (bit % 64);
            } else {
                *word &= !(1 << (bit % 64));
            }
            // The levels above know only whether the word is zero.
            if (before == 0) == (*word == 0) {
                return;
            }
            bit /= 64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn item(number: u64) -> Slot {
        let order = Order { rank: 0, deadline: u64::MAX, number };
        Slot::new(order, 0, 1, 0)
    }

    proptest! {
        #[test]
        fn the_lowest_free_slot_is_given_and_old_tickets_find_nothing(
            steps in prop::collection::vec((0usize..3, 0usize..10_000), 1..3000),
        ) {
            let mut slots = Slots::default();
            let (mut taken, mut gone) = (Vec::<(Ticket, u64)>::new(), Vec::new());
            let mut free = BTreeSet::new();
            for (number, (action, which)) in (0u64..).zip(steps) {
                if action == 0 && !taken.is_empty() {
                    let (ticket, _) = taken.swap_remove(which % taken.len());
                    slots.remove(ticket.slot() as u32);
                    free.insert(ticket.slot());
                    gone.push(ticket);
                } else {
                    let lowest = free.pop_first().unwrap_or(taken.len());
                    let ticket = slots.insert(item(number));
                    prop_assert_eq!(ticket.slot(), lowest);
                    taken.push((ticket, number));
                }
            }
            for (ticket, number) in taken {
                prop_assert_eq!(slots.find(ticket).map(|found| found.order.number), Some(number));
                prop_assert!(slots.waits(ticket.slot() as u32, number));
            }
            prop_assert!(gone.into_iter().all(|ticket| slots.find(ticket).is_none()));
        }
    }
}
