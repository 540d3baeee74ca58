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
/// A tenant goes on while it has credit, and its last item may cost more than is left of it; that is paid back (surplus
/// round-robin, Adiseshu, Parulkar and Varghese 1996). When nobody who could go on has any, everybody is granted the same,
/// also those whose items cannot go into the batch in the making: they have it for the next one.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    table: Keyed<Tenant>,
    ring: VecDeque<u32>,
    /// What everybody was granted since ever.
    granted: i64,
    /// The sum of the last items' costs and their number: what is granted at a time is their mean.
    costs: u64,
    counted: u64,
}

impl Tenants {
    /// The index of a tenant, who joins the ring before its first item is added.
    pub(super) fn find_or_join(&mut self, number: u32) -> u32 {
        self.table.find(u64::from(number)).unwrap_or_else(|| self.join(number))
    }

    /// Counts one more item of a tenant.
    pub(super) fn add(&mut self, index: u32, cost: u64) {
        self.count(cost);
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

    /// Half of the memory is given up every 65,536 items, so that the mean follows.
    fn count(&mut self, cost: u64) {
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
            self.table[index].unused -= cost as i64;
        }
    }

    /// Grants everybody as many quanta as the tenant with this credit needs to go on.
    pub(super) fn grant(&mut self, credit: i64) {
        let quantum = self.quantum();
        self.granted += (-credit / quantum + 1) * quantum;
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
            self.grant(most?);
        }
    }
}
