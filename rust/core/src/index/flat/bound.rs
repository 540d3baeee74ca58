//! What the angle to a row's approximation says about the angle to the row.
//!
//! Let x be a row, u its approximation and q a query, all of length 1, a = ⟨u, x⟩, b = ⟨u, q⟩. Angles obey the triangle
//! inequality, so that ⟨q, x⟩ ≥ τ is possible only if arccos b ≤ arccos a + arccos τ, that is
//!
//! > b ≥ aτ − √(1 − a²) √(1 − τ²),
//!
//! or for all b where arccos a + arccos τ ≥ π. For signs, u = sign(x) / √D, a is about √(2/π) = .80 whatever the row is.

use crate::kernel::codes::LEVELS;

/// The least ⟨u, q⟩ of a row of at least `score` whose approximation has the given ⟨u, x⟩.
pub(super) fn least(alignment: f64, score: f64) -> f64 {
    if alignment <= -score {
        return -1.0;
    }
    let score = score.min(1.0);
    alignment * score - (1.0 - alignment * alignment).max(0.0).sqrt() * (1.0 - score * score).max(0.0).sqrt()
}

/// The levels of ⟨u, x⟩ that rows are sorted into: around the mean of a random direction, a fraction of its deviation apart.
///
/// For a direction drawn evenly from the sphere the mean is √(2/π) and the deviation .21/√D (of the sum of |xᵢ|, of which
/// each has the variance (1 − 2/π)/D, and which all together are bound to Σxᵢ² = 1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    first: f64,
    width: f64,
}

impl Levels {
    pub(super) fn new(padded: usize) -> Self {
        let width = 0.085 / (padded as f64).sqrt();
        Self { first: (2.0 / std::f64::consts::PI).sqrt() - width * 8.0, width }
    }

    /// The level of a row with the given ⟨u, x⟩.
    pub(super) fn of(&self, alignment: f64) -> u8 {
        // `as` brings what lies below the first or above the last level into range.
        (((alignment - self.first) / self.width).floor() as u8).min(LEVELS as u8 - 1)
    }

    /// The least ⟨u, x⟩ of a row of this level.
    pub(super) fn alignment(&self, level: usize) -> f64 {
        // The hundredth covers the rounding of the division.
        if level == 0 { 0.0 } else { self.first + self.width * (level as f64 - 0.01) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three vectors in a plane, where the bound is met exactly, and out of it, where it is not.
    #[test]
    fn no_row_that_reaches_the_score_is_below_its_bound() {
        let angles = || (0..=180).step_by(3).map(|degrees| f64::from(degrees).to_radians());
        for (alpha, theta, turn) in angles().flat_map(|a| angles().flat_map(move |t| angles().map(move |p| (a, t, p))))
        {
            // x is the pole; u lies alpha away from it, q theta away, `turn` around.
            let b = alpha.cos() * theta.cos() + alpha.sin() * theta.sin() * turn.cos();
            assert!(b >= least(alpha.cos(), theta.cos()) - 1e-12, "{alpha} {theta} {turn}");
        }
        assert!((least(0.8, 0.9) - 0.458_466).abs() < 1e-6);
        assert_eq!((least(0.8, -1.0), least(0.8, -0.9), least(0.5, f64::NEG_INFINITY)), (-1.0, -1.0, -1.0));
    }

    #[test]
    fn a_level_never_says_more_than_the_row() {
        for padded in [64, 384, 4096] {
            let levels = Levels::new(padded);
            for alignment in (0..=100_000).map(|i| f64::from(i) / 100_000.0) {
                assert!(levels.alignment(usize::from(levels.of(alignment))) <= alignment, "{padded} {alignment}");
            }
        }
    }
}
