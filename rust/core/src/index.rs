//! Nearest vectors by cosine.

mod check;
mod flat;

pub use flat::FlatIndex;

/// Largest number of dimensions of an index.
pub const MAX_DIM: usize = 4096;

/// A row that a search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The id it was added under.
    pub id: u64,
    /// Its cosine with the query, in f64, within [−1, 1].
    pub score: f64,
}
