//! One lock's share of a cache: a hash table of slot numbers, the slots, and their order of use.

use std::time::Duration;

use hashbrown::HashTable;

use super::recency::{Linked, Links, NIL, Recency};
use super::{NewEntry, Stats};

struct Slot<K, V> {
    hash: u64,
    links: Links,
    weight: u64,
    expires_at: Option<Duration>,
    /// None while the slot is free.
    content: Option<(K, V)>,
}

struct Slots<K, V>(Vec<Slot<K, V>>);

impl<K, V> Linked for Slots<K, V> {
    fn links(&mut self, slot: u32) -> &mut Links {
        &mut self.0[slot as usize].links
    }

    fn older(&self, slot: u32) -> u32 {
        self.0[slot as usize].links.older()
    }
}

pub(super) struct Shard<K, V> {
    table: HashTable<u32>,
    slots: Slots<K, V>,
    free: Vec<u32>,
    recency: Recency,
    bytes: u64,
    pub(super) stats: Stats,
}

impl<K, V> Default for Shard<K, V> {
    fn default() -> Self {
        Self {
            table: HashTable::new(),
            slots: Slots(Vec::new()),
            free: Vec::new(),
            recency: Recency::default(),
            bytes: 0,
            stats: Stats::default(),
        }
    }
}

impl<K: Clone, V: Clone> Shard<K, V> {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The slot whose key passes `test`, or, if some key is undecided and none passes, the undecided keys.
    pub(super) fn find(&self, hash: u64, mut test: impl FnMut(&K) -> Option<bool>) -> Result<Option<u32>, Vec<K>> {
        let mut undecided = Vec::new();
        let found = self.table.find(hash, |&slot| {
            let slot = &self.slots.0[slot as usize];
            let Some((key, _)) = slot.content.as_ref().filter(|_| slot.hash == hash) else { return false };
            test(key).unwrap_or_else(|| {
                undecided.push(key.clone());
                false
            })
        });
        match found {
            Some(&slot) => Ok(Some(slot)),
            None if undecided.is_empty() => Ok(None),
            None => Err(undecided),
        }
    }

    pub(super) fn is_expired(&self, slot: u32, now: Duration) -> bool {
        self.slots.0[slot as usize].expires_at.is_some_and(|at| at <= now)
    }

    /// The value of an occupied slot.
    pub(super) fn value(&self, slot: u32) -> V {
        let (_, value) = self.slots.0[slot as usize].content.as_ref().expect("the table names occupied slots only");
        value.clone()
    }

    pub(super) fn touch(&mut self, slot: u32) -> V {
        self.recency.touch(&mut self.slots, slot);
        self.value(slot)
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        self.recency.oldest()
    }

    /// Adds an entry whose key is not there as the newest and returns its slot.
    pub(super) fn push(&mut self, entry: NewEntry<K, V>, expires_at: Option<Duration>) -> u32 {
        let slot = Slot {
            hash: entry.hash,
            links: Links::DETACHED,
            weight: entry.weight,
            expires_at,
            content: Some((entry.key, entry.value)),
        };
        let number = if let Some(number) = self.free.pop() {
            self.slots.0[number as usize] = slot;
            number
        } else {
            self.slots.0.push(slot);
            (self.slots.0.len() - 1) as u32
        };
        debug_assert_ne!(number, NIL);
        self.bytes += entry.weight;
        let slots = &self.slots;
        self.table.insert_unique(entry.hash, number, |&slot| slots.0[slot as usize].hash);
        self.recency.push(&mut self.slots, number);
        number
    }

    /// Empties an occupied slot.
    pub(super) fn take(&mut self, slot: u32) -> (K, V, u64) {
        let hash = self.slots.0[slot as usize].hash;
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == slot) {
            entry.remove();
        }
        self.recency.unlink(&mut self.slots, slot);
        self.free.push(slot);
        let emptied = &mut self.slots.0[slot as usize];
        self.bytes -= emptied.weight;
        let (key, value) = emptied.content.take().expect("the table names occupied slots only");
        (key, value, emptied.weight)
    }

    pub(super) fn collect_live(&self, now: Duration, into: &mut Vec<(K, V)>) {
        let mut next = self.recency.newest();
        while let Some(slot) = next {
            if !self.is_expired(slot, now) {
                into.extend(self.slots.0[slot as usize].content.clone());
            }
            next = Some(self.slots.older(slot)).filter(|&older| older != NIL);
        }
    }

    pub(super) fn visit<E>(&self, visit: &mut impl FnMut(&K, &V) -> Result<(), E>) -> Result<(), E> {
        self.slots.0.iter().filter_map(|slot| slot.content.as_ref()).try_for_each(|(key, value)| visit(key, value))
    }
}
