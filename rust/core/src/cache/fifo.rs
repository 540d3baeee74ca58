//! The policy `s3-fifo`: three queues that are never reordered by a lookup.
//!
//! Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction" (SOSP 2023). New entries wait in a
//! *small* queue, a tenth of the cache; the ones used there go on to the *main* queue, the others leave, and their hashes
//! are remembered (*ghosts*) so that one that comes back goes to main at once. A slot's mark counts uses, three at most.

use std::collections::{HashSet, VecDeque};

use super::table::{Found, Position, View};

/// Uses that count.
pub(super) const MOST_USES: u16 = 3;
/// Uses in the small queue that lead to the main one.
const USES_TO_STAY: u16 = 1;
/// The small queue's share of the cache is one in this many.
const SMALL_SHARE: usize = 10;
/// Entries that are passed over at most before one is taken whatever its uses, so that no insertion takes long.
const PATIENCE: usize = 256;

/// The queues of one shard, of hashes. They may name entries that were removed since, and are cleaned now and then.
#[derive(Default)]
pub(super) struct Queues {
    small: VecDeque<u64>,
    main: VecDeque<u64>,
    ghosts: Ghosts,
}

impl Queues {
    /// Hashes in both queues.
    pub(super) fn len(&self) -> usize {
        self.small.len() + self.main.len()
    }

    /// Notes a new entry.
    pub(super) fn push(&mut self, hash: u64) {
        if self.ghosts.remove(hash) { self.main.push_back(hash) } else { self.small.push_back(hash) }
    }

    /// The entry to remove; None if there is none but the one at `newcomer`. The lock of the shard is held.
    pub(super) fn victim<'g, K, V>(
        &mut self,
        view: View<'g, K, V>,
        newcomer: Option<Position>,
    ) -> Option<Found<'g, K, V>> {
        let mut passed = 0;
        for _ in 0..2 * self.len() + PATIENCE {
            let from_small = self.main.is_empty() || self.small.len() * SMALL_SHARE > self.len();
            let queue = if from_small { &mut self.small } else { &mut self.main };
            let Some(hash) = queue.pop_front() else { break };
            let Some(found) = view.with_hash(hash) else { continue };
            if newcomer == Some(found.at) {
                queue.push_back(hash);
                continue;
            }
            let uses = view.mark(found.at);
            passed += 1;
            if passed > PATIENCE || uses < if from_small { USES_TO_STAY } else { 1 } {
                if from_small {
                    self.ghosts.insert(hash, self.main.len());
                }
                return Some(found);
            }
            view.set_mark(found.at, if from_small { 0 } else { uses - 1 });
            self.main.push_back(hash);
        }
        // Entries of equal hashes share their places in the queues, so the queues may know too few.
        view.entries().find(|found| newcomer != Some(found.at))
    }

    /// Forgets hashes without an entry, if there are more of them than of entries.
    pub(super) fn clean<K, V>(&mut self, view: View<'_, K, V>, entries: usize) {
        if self.len() > 2 * entries + 64 {
            let mut seen = HashSet::new();
            let mut keep = |hash: &u64| view.with_hash(*hash).is_some() && seen.insert(*hash);
            self.main.retain(&mut keep);
            self.small.retain(&mut keep);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Ghosts of one line.
const LINE: usize = 8;

/// The hashes that left the small queue last: lines of eight, in each of which the oldest makes room.
#[derive(Default)]
struct Ghosts {
    /// A power of two of lines. A ghost is the upper half of its hash and the time of its leaving; 0 is none.
    lines: Vec<[(u32, u32); LINE]>,
    time: u32,
    capacity: usize,
}

impl Ghosts {
    fn insert(&mut self, hash: u64, capacity: usize) {
        self.fit(capacity);
        self.time = self.time.wrapping_add(1);
        let (time, fingerprint) = (self.time, fingerprint(hash));
        let line = self.line(hash);
        let oldest =
            line.iter_mut().max_by_key(|(print, left)| if *print == 0 { u32::MAX } else { time.wrapping_sub(*left) });
        if let Some(place) = oldest {
            *place = (fingerprint, time);
        }
    }

    /// Whether this hash left not long ago; it is forgotten.
    fn remove(&mut self, hash: u64) -> bool {
        if self.lines.is_empty() {
            return false;
        }
        let (time, capacity, fingerprint) = (self.time, self.capacity, fingerprint(hash));
        let mut ghosts = self.line(hash).iter_mut();
        let Some(ghost) = ghosts.find(|(print, _)| *print == fingerprint) else { return false };
        let left = std::mem::take(ghost).1;
        time.wrapping_sub(left) as usize <= capacity
    }

    fn fit(&mut self, capacity: usize) {
        let lines = capacity.div_ceil(LINE).next_power_of_two();
        // Twice too many are kept: a bound by bytes lets the number of entries go up and down.
        if lines > self.lines.len() || lines * 4 < self.lines.len() {
            self.lines = vec![[(0, 0); LINE]; lines];
        }
        self.capacity = capacity.max(1);
    }

    fn line(&mut self, hash: u64) -> &mut [(u32, u32); LINE] {
        let line = hash as usize & (self.lines.len() - 1);
        &mut self.lines[line]
    }
}

fn fingerprint(hash: u64) -> u32 {
    (hash >> 32) as u32 | 1
}
