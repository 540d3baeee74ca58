//! Waiting for readers where threads meet.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::mem;

use super::{Garbage, Reclaim};
use crate::cache::table::{Entry, Found, Memory, Position, View};
use crate::sync::readers::{self, Guard, Present};
use crate::sync::{AtomicU64, Ordering};

/// Keeps the slots that were unlinked. When a shard has gathered some, its next writer notes who is reading; those have
/// stopped, as a rule, when as many are gathered again, and the first slots are free. If nobody is reading they are free at
/// once.
///
/// A reader that the system stops in the middle of a lookup holds up all of that, and more and more is kept. So what is kept
/// is counted, and writers that find too much of it give way to the reader.
#[doc(hidden)]
pub struct GracePeriods {
    /// Bytes that wait for readers, or to be freed afterwards.
    waiting: AtomicU64,
    /// Whether more has begun to wait since somebody last looked whether it is too much.
    grown: AtomicU64,
    budget: u64,
    share: u64,
}

/// Budgets of garbage from which on a writer waits for readers, and how often it gives way at most.
const PATIENT_UP_TO: u64 = 4;
const MAX_YIELDS: usize = 128;
const YIELDS_PER_LOOK: usize = 16;
/// A shard gathers one in this many of its slots, before it notes who is reading.
const GATHERED_SHARE: usize = 16;
const GATHERED: usize = 64;
const GATHERED_IN_SET: u32 = 3;

/// What is kept of a shard's table; what each removal needs first.
#[doc(hidden)]
#[repr(C)]
pub struct Kept<K, V> {
    /// Whether there is something to do: enough is gathered, or there are tables.
    due: bool,
    /// Whether enough is gathered.
    full: bool,
    /// By set, one bit for each slot.
    slots: Vec<u16>,
    gathered: Batch,
    waiting: VecDeque<Batch>,
    tables: VecDeque<OldTable<K, V>>,
    /// Memory for the next batch.
    spare: Batch,
}

#[derive(Default)]
#[repr(C)]
struct Batch {
    slots: Vec<Position>,
    bytes: u64,
    /// How many of them are counted as waiting.
    counted: u64,
    readers: Present,
}

struct OldTable<K, V> {
    memory: Memory<K, V>,
    bytes: u64,
    readers: Present,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        let (gathered, spare) = (Batch::default(), Batch::default());
        let (slots, waiting, tables) = (Vec::new(), VecDeque::new(), VecDeque::new());
        Self { slots, gathered, waiting, tables, spare, due: false, full: false }
    }
}

impl<K: Clone + Send + 'static, V: Clone + Send + 'static> Reclaim<K, V> for GracePeriods {
    type Guard<'a> = Guard;
    type Bag = Kept<K, V>;
    type Freed = Vec<Garbage<K, V>>;

    fn new(budget: u64, share: u64) -> Self {
        Self { waiting: AtomicU64::new(0), grown: AtomicU64::new(0), budget, share }
    }

    #[inline]
    fn pin(&self) -> Guard {
        readers::pin()
    }

    #[inline]
    fn pin_locked(&self) -> Guard {
        readers::unprotected()
    }

    #[inline]
    fn is_alone(&self, _guard: &Guard) -> bool {
        true
    }

    #[inline]
    fn thread(guard: &Guard) -> usize {
        guard.thread()
    }

    #[inline]
    fn retire(&self, _guard: &Guard, bag: &mut Kept<K, V>, view: View<'_, K, V>, at: Position, bytes: u64) {
        if bag.slots.is_empty() {
            bag.slots = vec![0; view.len()];
        }
        let of_set = &mut bag.slots[at.set as usize];
        *of_set |= 1 << at.way;
        // A key that is inserted again and again must not fill the sets around its home.
        let crowded = of_set.count_ones() > GATHERED_IN_SET;
        bag.gathered.slots.push(at);
        bag.gathered.bytes += bytes;
        let most = (view.slots() / GATHERED_SHARE).clamp(1, GATHERED);
        bag.full |= crowded || bag.gathered.slots.len() >= most || bag.gathered.bytes >= self.share;
        if bag.full {
            bag.due = true;
            self.count(&mut bag.gathered);
        }
    }

    fn replace(&self, _view: View<'_, K, V>, _at: Position, _mark: u16, entry: Entry<K, V>) -> Result<(), Entry<K, V>> {
        Err(entry)
    }

    fn retire_table(&self, _guard: &Guard, bag: &mut Kept<K, V>, memory: Memory<K, V>, bytes: u64) {
        // What is kept in the table goes with it.
        self.count(&mut bag.gathered);
        let of_batches: u64 = bag.waiting.iter().map(|batch| batch.counted).sum();
        let of_batches = of_batches + mem::take(&mut bag.gathered).counted;
        let more = memory.bytes() + bytes;
        let mut readers = Present::default();
        readers.note();
        let tables = mem::take(&mut bag.tables);
        *bag = Kept { tables, due: true, ..Kept::default() };
        bag.tables.push_back(OldTable { memory, bytes: of_batches + more, readers });
        self.add(more);
    }

    fn hand_over<'g>(_view: View<'g, K, V>, found: Found<'g, K, V>) -> (K, V) {
        (found.held.key().clone(), found.held.value().clone())
    }

    fn keeps() -> bool {
        true
    }

    #[inline]
    fn kept(bag: &Kept<K, V>, set: u32) -> u32 {
        bag.slots.get(set as usize).map_or(0, |slots| u32::from(*slots))
    }

    fn hurry(bag: &mut Kept<K, V>) {
        (bag.due, bag.full) = (true, true);
    }

    #[inline]
    fn free(&self, bag: &mut Kept<K, V>, view: View<'_, K, V>, freed: &mut Vec<Garbage<K, V>>) {
        if bag.due {
            self.free_some(bag, view, freed);
        }
    }

    #[inline]
    fn is_over_budget(&self) -> bool {
        // The model checker destroys nothing, and would wait for ever.
        !cfg!(loom) && self.grown.load(Ordering::Relaxed) != 0 && self.waiting.load(Ordering::Relaxed) > self.budget
    }

    fn relieve(&self, mut free_everywhere: impl FnMut()) {
        self.grown.store(0, Ordering::Relaxed);
        for turn in 0..MAX_YIELDS {
            if turn % YIELDS_PER_LOOK == 0 {
                free_everywhere();
            }
            if self.waiting.load(Ordering::Relaxed) <= PATIENT_UP_TO * self.budget {
                break;
            }
            std::thread::yield_now();
        }
    }
}

impl GracePeriods {
    /// Counts what a batch holds as waiting.
    fn count(&self, batch: &mut Batch) {
        if batch.bytes > batch.counted {
            self.add(batch.bytes - batch.counted);
            batch.counted = batch.bytes;
        }
    }

    fn add(&self, bytes: u64) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.grown.store(1, Ordering::Relaxed);
    }

    #[cold]
    fn free_some<K, V>(&self, bag: &mut Kept<K, V>, view: View<'_, K, V>, freed: &mut Vec<Garbage<K, V>>) {
        if mem::take(&mut bag.full) && !bag.gathered.slots.is_empty() {
            let spare = mem::take(&mut bag.spare);
            let mut batch = mem::replace(&mut bag.gathered, spare);
            batch.readers.note();
            self.count(&mut batch);
            bag.waiting.push_back(batch);
        }
        let mut bytes = 0;
        while bag.waiting.front_mut().is_some_and(|batch| batch.readers.is_gone()) {
            let Some(mut batch) = bag.waiting.pop_front() else { break };
            for at in batch.slots.drain(..) {
                bag.slots[at.set as usize] &= !(1 << at.way);
                if mem::needs_drop::<(K, V)>() {
                    // SAFETY: the slot was unlinked, and all guards under which it could be found are dropped. It was not
                    // used since, because it is kept in this table.
                    freed.push(Garbage::Pair(unsafe { view.empty(at) }));
                }
            }
            bytes += mem::take(&mut batch.counted);
            batch.bytes = 0;
            bag.spare = batch;
        }
        while bag.tables.front_mut().is_some_and(|table| table.readers.is_gone()) {
            let Some(table) = bag.tables.pop_front() else { break };
            bytes += table.bytes;
            freed.push(Garbage::Table(table.memory));
        }
        if bytes != 0 {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
        bag.due = !bag.tables.is_empty();
    }
}
