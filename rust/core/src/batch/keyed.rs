//! Things that are found by a number and named by an index as long as they are there.

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Index, IndexMut};

use hashbrown::HashMap;

/// Multiplies by 2⁶⁴ over the golden ratio (Knuth, volume 3, 6.4): numbers in a row go to places far apart.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        // The table takes its places from the low bits.
        self.0.rotate_left(32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// A table of things by number. One that is taken out leaves its memory to the next one.
#[derive(Debug, Default)]
pub(super) struct Keyed<T> {
    by_number: HashMap<u64, u32, BuildHasherDefault<Spread>>,
    things: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Keyed<T> {
    pub(super) fn find(&self, number: u64) -> Option<u32> {
        self.by_number.get(&number).copied()
    }

    /// What is or was at an index; None if nothing ever was.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.things.get(index as usize)
    }

    /// The index of a new thing, which is as the last one at this index was left.
    pub(super) fn insert(&mut self, number: u64) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.things.push(T::default());
            self.things.len() as u32 - 1
        });
        self.by_number.insert(number, index);
        index
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(index) = self.by_number.remove(&number) {
            self.free.push(index);
        }
    }

    /// No index is as large.
    pub(super) fn capacity(&self) -> usize {
        self.things.len()
    }

    /// The indices of all that are there, in no order.
    pub(super) fn indices(&self) -> impl Iterator<Item = u32> {
        self.by_number.values().copied()
    }
}

impl<T> Index<u32> for Keyed<T> {
    type Output = T;

    fn index(&self, index: u32) -> &T {
        &self.things[index as usize]
    }
}

impl<T> IndexMut<u32> for Keyed<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.things[index as usize]
    }
}

/// Two numbers as one.
pub(super) fn pair(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
