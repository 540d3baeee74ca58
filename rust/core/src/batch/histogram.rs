//! Counts by size, in buckets that grow with what they hold.

/// Values below 4 have a bucket each; every octave above has four.
const BUCKETS: usize = 252;

/// A histogram of integers with four buckets an octave, each of one width.
///
/// What is read from a bucket is at most a quarter too large. **Cost:** `record` O(1), no allocation; 2 kB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    sum: u128,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0, sum: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// The buckets that hold something: the largest value that belongs to it, and how many it holds.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bucket, count)| (upper(bucket), *count))
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The largest one; 0 if there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that the share `q` of the values does not exceed, at most a quarter too large; 0 if there is none.
    pub fn quantile(&self, q: f64) -> u64 {
        // A NaN becomes rank 1, as anything below 0 does.
        let rank = ((q * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (upper, count) in self.buckets() {
            seen += count;
            if seen >= rank {
                return upper.min(self.max);
            }
        }
        self.max
    }

    /// Counts what another one has counted as well.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }
}

fn bucket(value: u64) -> usize {
    if value < 4 {
        return value as usize;
    }
    let octave = value.ilog2() as usize;
    4 * (octave - 1) + (value >> (octave - 2) & 3) as usize
}

fn upper(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (octave, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    // The next bucket's first value less one; written so that the last one does not overflow.
    ((4 + quarter) << (octave - 2)) + ((1 << (octave - 2)) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other_and_hold_what_belongs_to_them() {
        for bucket_number in 0..BUCKETS {
            assert_eq!(bucket(upper(bucket_number)), bucket_number);
            if bucket_number + 1 < BUCKETS {
                assert_eq!(bucket(upper(bucket_number) + 1), bucket_number + 1);
            }
        }
        assert_eq!(upper(BUCKETS - 1), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_quantile_is_at_most_a_quarter_too_large(
            values in prop::collection::vec((0u32..64, any::<u64>()).prop_map(|(shift, value)| value >> shift), 1..200),
            q in 0.0..=1.0f64,
        ) {
            let mut histogram = Histogram::default();
            let (mut left, mut right) = (Histogram::default(), Histogram::default());
            for (number, &value) in values.iter().enumerate() {
                histogram.record(value);
                if number % 2 == 0 { &mut left } else { &mut right }.record(value);
            }
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
            let (exact, got) = (sorted[rank - 1], histogram.quantile(q));
            prop_assert!(got >= exact && got - exact <= exact / 4, "exact {exact}, got {got}");
            prop_assert_eq!(histogram.count(), values.len() as u64);
            prop_assert_eq!(histogram.max(), sorted[sorted.len() - 1]);
            prop_assert_eq!(histogram.sum(), values.iter().map(|&value| u128::from(value)).sum::<u128>());
            left.merge(&right);
            prop_assert_eq!(left, histogram);
        }
    }
}
