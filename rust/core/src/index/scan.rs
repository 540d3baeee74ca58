//! An exact search: f32 finds the few rows that can be among the best, f64 decides between them.

use super::Hit;
use super::block::Block;
use crate::kernel::{Kernel, UNIT_ROUNDOFF, dot_error};

/// Rows that are multiplied before their products are looked at.
const ROWS_AT_ONCE: usize = 256;
/// Rows that may be undecided before the first cut.
const FIRST_CUT: usize = 64;

/// A vector to search for.
pub(super) struct Query<'a> {
    kernel: Kernel,
    given: &'a [f32],
    square: f64,
    /// The vector scaled to length 1 and rounded.
    unit: Vec<f32>,
}

impl<'a> Query<'a> {
    /// Takes a vector and the square of its length, which is not zero.
    pub(super) fn new(kernel: Kernel, given: &'a [f32], square: f64) -> Self {
        let scale = 1.0 / square.sqrt();
        Self { kernel, given, square, unit: given.iter().map(|x| (f64::from(*x) * scale) as f32).collect() }
    }

    /// The at most `k` best rows of at least `min_score`, best first.
    pub(super) fn scan(&self, block: &Block, k: usize, min_score: f64) -> Vec<Hit> {
        let undecided = self.undecided(block, k, min_score);
        let score = |slot: u32| Hit { id: block.ids()[slot as usize], score: self.score(block, slot as usize) };
        let mut hits: Vec<Hit> = undecided.into_iter().map(score).filter(|hit| hit.score >= min_score).collect();
        hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        hits.truncate(k);
        hits
    }

    /// The cosine in f64. √(x·x) is x, so that a row equal to the query, or to a power of two times it, scores 1.
    fn score(&self, block: &Block, slot: usize) -> f64 {
        let dot = self.kernel.dot_f64(self.given, block.row(slot));
        // −0 and 0 are one score, and so equal rows stay in the order of their ids.
        (dot / (self.square * block.square(slot)).sqrt()).clamp(-1.0, 1.0) + 0.0
    }

    /// The slots of all rows that may be among the `k` best of at least `min_score`.
    fn undecided(&self, block: &Block, k: usize, min_score: f64) -> Vec<u32> {
        let mut candidates = Candidates::new(k, min_score, cosine_error(self.unit.len()));
        let mut dots = [0.0; ROWS_AT_ONCE];
        let values = block.values().chunks(ROWS_AT_ONCE * self.unit.len());
        let mut slot = 0;
        for (values, inverses) in values.zip(block.inverses().chunks(ROWS_AT_ONCE)) {
            let dots = &mut dots[..inverses.len()];
            self.kernel.dot_rows(&self.unit, values, dots);
            for (dot, inverse) in dots.iter().zip(inverses) {
                candidates.offer(dot * inverse, slot);
                slot += 1;
            }
        }
        candidates.finish()
    }
}

/// How far an f32 cosine can be from the f64 one.
///
/// The query's components are rounded once (relative error u), the dot product is off by `dot_error` of the product of
/// the lengths, 1 / length is rounded and multiplied (2 u). The hundredth covers products of these, f64's own roundings
/// and lengths that are not quite 1; the constant covers underflow.
fn cosine_error(dim: usize) -> f64 {
    1.01 * (dot_error(dim) + 3.0 * UNIT_ROUNDOFF) + f64::EPSILON
}

/// Rows that may be among the best, with a bar that rises as better ones are found.
struct Candidates {
    k: usize,
    error: f64,
    /// A row whose f32 cosine is below this is not among the best.
    bar: f64,
    /// How many rows may be undecided before the bar is raised.
    limit: usize,
    rows: Vec<(f32, u32)>,
}

impl Candidates {
    fn new(k: usize, min_score: f64, error: f64) -> Self {
        Self { k, error, bar: min_score - error, limit: k.saturating_mul(2).max(FIRST_CUT), rows: Vec::new() }
    }

    /// Keeps a row unless it cannot be among the best. NaN, of which nothing is known, is kept.
    fn offer(&mut self, cosine: f32, slot: u32) {
        if f64::from(cosine) < self.bar {
            return;
        }
        self.rows.push((cosine, slot));
        if self.rows.len() >= self.limit {
            self.raise();
            self.limit = self.limit.max(2 * self.rows.len());
        }
    }

    /// The k-th best f32 cosine is at most one error above its f64 one; rows that are two errors below it are out.
    fn raise(&mut self) {
        if self.rows.len() <= self.k {
            return;
        }
        let (_, (kth, _), _) = self.rows.select_nth_unstable_by(self.k - 1, |a, b| known(b.0).total_cmp(&known(a.0)));
        self.bar = self.bar.max(f64::from(known(*kth)) - 2.0 * self.error);
        let bar = self.bar;
        self.rows.retain(|(cosine, _)| cosine.is_nan() || f64::from(*cosine) >= bar);
    }

    fn finish(mut self) -> Vec<u32> {
        self.raise();
        self.rows.into_iter().map(|(_, slot)| slot).collect()
    }
}

/// A row of which nothing is known raises no bar.
fn known(cosine: f32) -> f32 {
    if cosine.is_nan() { f32::NEG_INFINITY } else { cosine }
}
