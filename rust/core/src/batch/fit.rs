//! How long a batch takes, learned from those that were served.

/// The service time of a batch as a line over its work: `a · work + b`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fit {
    /// Nanoseconds a unit of work.
    pub a: f64,
    /// Nanoseconds a batch, whatever its work.
    pub b: f64,
    /// Batches that were seen.
    pub samples: u64,
}

impl Fit {
    /// The predicted time of this work, in nanoseconds; 0 while nothing is known.
    pub fn predict(&self, work: u64) -> u64 {
        (self.a * work as f64 + self.b).round() as u64
    }

    /// The most work that is predicted to take no longer than `time` nanoseconds; 0 if none does.
    pub(super) fn work_within(&self, time: u64) -> u64 {
        let left = time as f64 - self.b;
        if left < 0.0 {
            return 0;
        }
        if self.a <= 0.0 {
            return u64::MAX;
        }
        let work = (left / self.a) as u64;
        // What rounding brought over the edge.
        work - u64::from(self.predict(work) > time && work > 0)
    }
}

/// Weight of a batch after each later one: the last fifty decide.
const FORGETTING: f64 = 0.98;

/// Least squares over a stream, with exponential forgetting and without negative results.
///
/// Means and co-moments are updated one sample at a time (Welford 1962; West 1979 for weights), which stays exact where
/// plain sums of squares cancel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Fitter {
    weight: f64,
    mean_work: f64,
    mean_time: f64,
    /// Weighted sum of squared deviations of the work, and of products with those of the time.
    spread: f64,
    common: f64,
    fit: Fit,
}

impl Fitter {
    /// Takes note of a batch of this work that took `time` nanoseconds.
    pub(super) fn observe(&mut self, work: u64, time: u64) {
        let (work, time) = (work as f64, time as f64);
        self.weight = FORGETTING * self.weight + 1.0;
        let deviation = work - self.mean_work;
        self.mean_work += deviation / self.weight;
        self.mean_time += (time - self.mean_time) / self.weight;
        self.spread = FORGETTING * self.spread + deviation * (work - self.mean_work);
        self.common = FORGETTING * self.common + deviation * (time - self.mean_time);
        let (a, b) = self.line();
        self.fit = Fit { a, b, samples: self.fit.samples + 1 };
    }

    pub(super) fn fit(&self) -> &Fit {
        &self.fit
    }

    /// What a call costs beside its work, in units of work; None as long as the two cannot be told apart.
    pub(super) fn overhead(&self) -> Option<f64> {
        (self.is_separable() && self.fit.a > 0.0).then(|| self.fit.b / self.fit.a)
    }

    fn line(&self) -> (f64, f64) {
        if !self.is_separable() {
            return self.through_origin();
        }
        let a = self.common / self.spread;
        let b = self.mean_time - a * self.mean_work;
        match (a < 0.0, b < 0.0) {
            (true, _) => (0.0, self.mean_time),
            (_, true) => self.through_origin(),
            _ => (a, b),
        }
    }

    /// Whether the works deviate by more than a twentieth of their mean: else noise decides what the slope is.
    fn is_separable(&self) -> bool {
        self.spread > 2.5e-3 * self.weight * self.mean_work * self.mean_work
    }

    /// All time is for work: a prediction that is too short for small batches refuses nothing that could be served.
    fn through_origin(&self) -> (f64, f64) {
        let square = self.spread / self.weight + self.mean_work * self.mean_work;
        let product = self.common / self.weight + self.mean_work * self.mean_time;
        if square > 0.0 { ((product / square).max(0.0), 0.0) } else { (0.0, self.mean_time) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_line_is_found_again(a in 0.0..1e6f64, b in 0.0..1e9f64, works in prop::collection::vec(1u64..10_000, 20..100)) {
            prop_assume!(works.iter().max() > works.iter().min().map(|least| 2 * least).as_ref());
            let mut fitter = Fitter::default();
            for &work in &works {
                fitter.observe(work, (a * work as f64 + b).round() as u64);
            }
            let largest = works.iter().max().copied().unwrap_or(0);
            for work in [1, largest / 2, largest] {
                let (exact, got) = (a * work as f64 + b, fitter.fit().predict(work) as f64);
                prop_assert!((exact - got).abs() <= 1e-6 * (a * largest as f64 + b) + 2.0, "{work}: {exact}, got {got}");
            }
            prop_assert_eq!(fitter.fit().samples, works.len() as u64);
        }

        #[test]
        fn neither_part_is_negative(samples in prop::collection::vec((0u64..1000, 0u64..1_000_000), 1..50), work in 0u64..2000) {
            let mut fitter = Fitter::default();
            for (work, time) in samples {
                fitter.observe(work, time);
                let fit = fitter.fit();
                prop_assert!(fit.a >= 0.0 && fit.b >= 0.0 && fit.a.is_finite() && fit.b.is_finite(), "{fit:?}");
            }
            let fit = fitter.fit();
            let time = fit.predict(work);
            prop_assert!(fit.work_within(time + 1) >= work);
            let within = fit.work_within(time);
            prop_assert!(within == 0 || within == u64::MAX || fit.predict(within) <= time);
        }
    }

    #[test]
    fn noise_averages_out_and_a_change_is_followed() {
        let mut fitter = Fitter::default();
        let noise = |round: u64| (round.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44) as f64 / f64::from(1 << 20) - 0.5;
        for round in 0..400 {
            // Slope and offset double halfway.
            let factor = if round < 200 { 1.0 } else { 2.0 };
            let work = 10 + round * 37 % 500;
            fitter.observe(work, (factor * (1000.0 * work as f64 + 50_000.0) * (1.0 + 0.1 * noise(round))) as u64);
        }
        let Fit { a, b, .. } = *fitter.fit();
        assert!((a / 2000.0 - 1.0).abs() < 0.1 && (b / 100_000.0 - 1.0).abs() < 0.3, "a {a}, b {b}");
        assert!((fitter.overhead().unwrap_or(0.0) / 50.0 - 1.0).abs() < 0.4);
    }

    #[test]
    fn like_batches_are_all_work() {
        let mut fitter = Fitter::default();
        assert_eq!((fitter.fit().predict(100), fitter.overhead()), (0, None));
        for _ in 0..10 {
            fitter.observe(64, 6400);
        }
        assert_eq!((fitter.fit().predict(1), fitter.fit().predict(64), fitter.overhead()), (100, 6400, None));
    }
}
