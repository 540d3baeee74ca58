//! Whose turn it is.

use std::collections::VecDeque;

use super::keyed::Keyed;

/// A tenant that has items waiting.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    /// The number that its items name.
    pub(super) number: u32,
    /// Its items that wait.
    pub(super) items: u32,
    /// Its queues, in no order.
    pub(super) queues: Vec<u32>,
    /// What it was granted and has not used, negative if it took more; less what everybody was granted.
    unused: i64,
}

/// Deficit round-robin (Shreedhar and Varghese 1996) over the tenants that have items waiting.
///
/// Who has credit may give the first item of a batch, and go on while it has some; its last item may cost more than is
/// left, which is paid back (surplus round-robin, Adiseshu, Parulkar and Varghese 1996). When nobody has any, everybody is
/// granted the same. A batch that has room left when the credit of those is used who have items for it takes more of them,
/// in the same rounds, as debts: who had nothing for it still has its credit, and gives the next one.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    table: Keyed<Tenant>,
    ring: VecDeque<u32>,
    /// What everybody was granted since ever.
    granted: i64,
    /// The sum of the last items' costs and their number: what is granted at a time is their mean.
    costs: u64,
    counted: u64,
    /// What a batch holds at most, which limits debts.
    batch: i64,
}

/// Batches that a tenant owes at most: others left that room to it, and waited no longer for it.
const MOST_OWED: i64 = 4;

impl Tenants {
    /// Nobody waits; a batch is charged with no more than `batch`.
    pub(super) fn new(batch: u64) -> Self {
        Self { batch: i64::try_from(batch).unwrap_or(i64::MAX), ..Self::default() }
    }

    /// The index of a tenant, who joins the ring before its first item is added.
    pub(super) fn find_or_join(&mut self, number: u32) -> u32 {
        self.table.find(u64::from(number)).unwrap_or_else(|| self.join(number))
    }

    /// Has one more item of a tenant wait.
    pub(super) fn add(&mut self, index: u32) {
        self.table[index].items += 1;
    }

    fn join(&mut self, number: u32) -> u32 {
        if self.is_one() {
            // Who was alone took from nobody, and nobody took from it.
            let alone = self.ring[0];
            self.table[alone].unused = -self.granted;
        }
        let index = self.table.insert(u64::from(number));
        self.ring.push_back(index);
        let tenant = &mut self.table[index];
        (tenant.number, tenant.items, tenant.unused) = (number, 0, -self.granted);
        index
    }

    /// Counts one item less; who has none leaves the ring, and what was left of its credit is forgotten.
    pub(super) fn remove(&mut self, index: u32) {
        let tenant = &mut self.table[index];
        tenant.items -= 1;
        if tenant.items == 0 {
            let number = u64::from(tenant.number);
            self.table.remove(number);
            if let Some(place) = self.ring.iter().position(|&other| other == index) {
                self.ring.remove(place);
            }
        }
    }

    /// Takes note of what an item costs. Half of the memory is given up every 65,536 items, so that the mean follows.
    pub(super) fn count(&mut self, cost: u64) {
        (self.costs, self.counted) = (self.costs + cost, self.counted + 1);
        if self.counted == 1 << 16 {
            (self.costs, self.counted) = (self.costs / 2, self.counted / 2);
        }
    }

    fn quantum(&self) -> i64 {
        (self.costs / self.counted.max(1)).max(1) as i64
    }

    pub(super) fn is_one(&self) -> bool {
        self.ring.len() == 1
    }

    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// The tenant at this place from the one whose turn it is.
    pub(super) fn at(&self, place: usize) -> u32 {
        self.ring[place]
    }

    pub(super) fn get(&self, index: u32) -> &Tenant {
        &self.table[index]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Tenant {
        &mut self.table[index]
    }

    /// What a tenant may still use; not above 0 if nothing.
    pub(super) fn credit(&self, index: u32) -> i64 {
        self.granted + self.table[index].unused
    }

    /// Charges a tenant, unless it is alone.
    pub(super) fn charge(&mut self, index: u32, cost: u64) {
        if !self.is_one() {
            let least = self.batch.saturating_mul(-MOST_OWED);
            let credit = (self.credit(index) - cost as i64).max(least);
            self.table[index].unused = credit - self.granted;
        }
    }

    /// As many quanta as are needed to go on from this credit, which is none.
    pub(super) fn advance(&self, credit: i64) -> i64 {
        let quantum = self.quantum();
        (-credit / quantum + 1) * quantum
    }

    /// Gives the turn to the first in the ring who can take it and has credit.
    pub(super) fn turn(&mut self, can: impl Fn(&Tenant) -> bool) -> Option<u32> {
        if self.is_one() {
            return Some(self.ring[0]).filter(|&index| can(&self.table[index]));
        }
        loop {
            let mut most = None;
            for place in 0..self.ring.len() {
                let index = self.ring[place];
                if !can(&self.table[index]) {
                    continue;
                }
                let credit = self.credit(index);
                if credit > 0 {
                    self.ring.rotate_left(place);
                    return Some(index);
                }
                most = most.max(Some(credit));
            }
            self.granted += self.advance(most?);
        }
    }
}
