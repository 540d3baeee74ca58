//! Nearest vectors by cosine.

mod check;
mod flat;
#[cfg(feature = "hnsw")]
mod hnsw;
mod replace;
#[cfg(feature = "hnsw")]
mod sealed;

use std::cmp::Ordering;

use crate::kernel::Kernel;
pub use check::ids as check_ids;
pub use flat::FlatIndex;
#[cfg(feature = "hnsw")]
pub use hnsw::HnswIndex;

/// Largest number of dimensions of an index.
pub const MAX_DIM: usize = 4096;

/// Without hashbrown's default hasher: ids come from callers, so the hash is keyed at random.
type Map<K, V> = hashbrown::HashMap<K, V, std::hash::RandomState>;

/// A row that a search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The id it was added under.
    pub id: u64,
    /// Its cosine with the query, in f64, within [−1, 1].
    pub score: f64,
}

impl Hit {
    /// The better one first, of equal ones the smaller id.
    fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.id.cmp(&other.id))
    }
}

/// A vector and the square of its length, which is not zero.
#[derive(Debug, Clone, Copy)]
struct Squared<'a> {
    vector: &'a [f32],
    square: f64,
}

impl Squared<'_> {
    /// The cosine in f64. √(x·x) is x, so that a vector and a power of two times it score 1.
    fn cosine(self, kernel: Kernel, other: Squared<'_>) -> f64 {
        let dot = kernel.dot_f64(self.vector, other.vector);
        // −0 and 0 are one score, and so equal rows stay in the order of their ids.
        (dot / (self.square * other.square).sqrt()).clamp(-1.0, 1.0) + 0.0
    }
}
