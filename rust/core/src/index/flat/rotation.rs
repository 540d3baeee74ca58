//! A rotation that makes all vectors look alike: components of about the same size, with random signs.
//!
//! That makes the fit of the signs nearly the same for all rows, .80 ± .011 at 384 dimensions, so that a level of
//! sixteen a row, looked up like everything else, is enough to know it. It takes about a microsecond.

use crate::kernel::codes::padded;
use crate::kernel::{Kernel, gamma};

const ROUNDS: usize = 3;
/// Of the generator of signs.
const SEED: u64 = 0x6c6c_6d66_6173_7400;

/// A fixed orthogonal map into the padded space, as fast as a few sums a component.
///
/// Rounds of random signs and a Hadamard transform of the first or the last power of two of components, by turns (Ailon and
/// Chazelle, The fast Johnson-Lindenstrauss transform, 2009). Every step keeps lengths and angles, whatever the signs are.
#[derive(Debug)]
pub(super) struct Rotation {
    /// Components that a transform takes: the largest power of two that there is room for.
    span: usize,
    signs: [Vec<f32>; ROUNDS],
}

impl Rotation {
    pub(super) fn new(dim: usize) -> Self {
        let padded = padded(dim);
        let mut state = SEED ^ padded as u64;
        let mut sign = || {
            // SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014).
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            if (mixed ^ (mixed >> 31)) >> 63 == 0 { 1.0 } else { -1.0 }
        };
        let signs = std::array::from_fn(|_| (0..padded).map(|_| sign()).collect());
        Self { span: 1 << padded.ilog2(), signs }
    }

    /// Components of a rotated vector.
    pub(super) fn padded(&self) -> usize {
        self.signs[0].len()
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        ROUNDS * self.padded() * size_of::<f32>()
    }

    /// How long the difference can be between a rotated vector of length 1 and what arithmetic without rounding gives: one
    /// rounding for the scaling, in each round one for each doubling of the transform and two for its scale.
    pub(super) fn error(&self) -> f64 {
        gamma(1 + ROUNDS * (self.span.ilog2() as usize + 2))
    }

    /// The vector times `scale`, rotated.
    pub(super) fn apply(&self, kernel: Kernel, vector: &[f32], scale: f64) -> Vec<f32> {
        let (mut rotated, mut scratch) = (vec![0.0; self.padded()], vec![0.0; self.span]);
        for (rotated, x) in rotated.iter_mut().zip(vector) {
            *rotated = (f64::from(*x) * scale) as f32;
        }
        for (round, signs) in self.signs.iter().enumerate() {
            let from = if round % 2 == 0 { 0 } else { rotated.len() - self.span };
            kernel.mix(&mut rotated, signs, from, &mut scratch);
        }
        rotated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(vector: &[f32]) -> f64 {
        vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn lengths_and_angles_stay() {
        for dim in [1, 2, 63, 64, 65, 100, 384, 768, 1000, 4096] {
            let rotation = Rotation::new(dim);
            let vector = |seed: usize| (0..dim).map(|i| ((i * 7 + seed * 13) % 19) as f32 - 8.5).collect::<Vec<_>>();
            let (a, b) = (vector(1), vector(2));
            let (unit_a, unit_b) = (1.0 / length(&a), 1.0 / length(&b));
            let (ra, rb) = (rotation.apply(Kernel::best(), &a, unit_a), rotation.apply(Kernel::best(), &b, unit_b));
            assert!((length(&ra) - 1.0).abs() <= rotation.error(), "dim {dim}");
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let (before, after) = (dot(&a, &b) * unit_a * unit_b, dot(&ra, &rb));
            assert!((before - after).abs() <= 2.1 * rotation.error(), "dim {dim}: {before} and {after}");
        }
    }

    #[test]
    fn a_single_component_is_spread_over_all() {
        for dim in [64, 100, 384, 1536] {
            let rotation = Rotation::new(dim);
            for at in [0, dim / 2, dim - 1] {
                let mut vector = vec![0.0; dim];
                vector[at] = 1.0;
                let rotated = rotation.apply(Kernel::best(), &vector, 1.0);
                let mean = rotated.iter().map(|x| f64::from(x.abs())).sum::<f64>() / (rotated.len() as f64).sqrt();
                assert!(mean > 0.6, "dim {dim} component {at}: {mean}");
            }
        }
    }
}
