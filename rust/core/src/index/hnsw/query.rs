//! What is searched for, and what is true about a row.

use crate::index::{Hit, Squared};
use crate::kernel::Kernel;

/// A search: a vector with the square of its length, how many rows at most, of which score at least.
pub(super) struct Query<'a> {
    pub(super) kernel: Kernel,
    pub(super) given: &'a [f32],
    pub(super) square: f64,
    pub(super) k: usize,
    pub(super) min_score: f64,
}

impl Query<'_> {
    /// The cosine with a row in f64.
    pub(super) fn score(&self, row: &[f32], square: f64) -> f64 {
        Squared { vector: self.given, square: self.square }.cosine(self.kernel, Squared { vector: row, square })
    }

    /// The best of `hits` in order.
    pub(super) fn best(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.retain(|hit| hit.score >= self.min_score);
        if hits.len() > self.k {
            hits.select_nth_unstable_by(self.k, Hit::order);
            hits.truncate(self.k);
        }
        hits.sort_unstable_by(Hit::order);
        hits
    }
}
