//! FNV-1a, a hash for short words: the same on every machine, a few nanoseconds a word. The tables that use it hold the
//! lists of the guards only, so that nobody can choose keys that collide.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A table of listed words.
pub(super) type Table<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;
/// A set of listed words.
pub(super) type Set<K> = HashSet<K, BuildHasherDefault<Fnv>>;

/// The state of a hash.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        // The tables look at the highest bits, into which the last letters have not been mixed.
        (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// The hash of a value.
pub(super) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = Fnv::default();
    value.hash(&mut hasher);
    hasher.finish()
}
