//! What is searched for, and what is true about a row.

use crate::index::Hit;
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
    /// The cosine with a row in f64. √(x·x) is x, so that a row equal to the query, or to a power of two times it, scores 1.
    pub(super) fn score(&self, row: &[f32], square: f64) -> f64 {
        // −0 and 0 are one score, and so equal rows stay in the order of their ids.
        (self.kernel.dot_f64(self.given, row) / (self.square * square).sqrt()).clamp(-1.0, 1.0) + 0.0
    }

    /// The best of `hits` in order.
    pub(super) fn best(&self, mut hits: Vec<Hit>) -> Vec<Hit> {
        hits.retain(|hit| hit.score >= self.min_score);
        let order = |a: &Hit, b: &Hit| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id));
        if hits.len() > self.k {
            hits.select_nth_unstable_by(self.k, order);
            hits.truncate(self.k);
        }
        hits.sort_unstable_by(order);
        hits
    }
}
