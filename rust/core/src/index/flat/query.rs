//! A vector to search for, in the forms that rows are compared with.

use super::bound::{Levels, least};
use super::code::WholeShape;
use super::rotation::Rotation;
use crate::index::Squared;
use crate::kernel::codes::{HighFilter, LARGEST_NUMBER, LEVELS, NIBBLE_OFFSET, SignTable};
use crate::kernel::{Kernel, UNIT_ROUNDOFF};

const LARGEST: f32 = LARGEST_NUMBER as f32;

/// A query. Its rotated form is about `steps[0] · coarse + steps[1] · fine`.
#[derive(Debug)]
pub(super) struct Query<'a> {
    given: Squared<'a>,
    levels: Levels,
    table: SignTable,
    /// The score that the table's limits are for.
    table_score: f64,
    numbers: [Vec<i8>; 2],
    steps: [f64; 2],
    /// The sum of each of `numbers`.
    sums: [i32; 2],
    /// How long the difference is between the rotated query and `coarse` alone, and both.
    errors: [f64; 2],
    /// How far the cosine of two rotated vectors can be from that of the given ones.
    rotation_error: f64,
}

impl<'a> Query<'a> {
    /// Takes a vector and the square of its length, which is not zero.
    pub(super) fn new(kernel: Kernel, given: &'a [f32], square: f64, rotation: &Rotation, levels: Levels) -> Self {
        let rotated = rotation.apply(kernel, given, 1.0 / square.sqrt());
        let largest = rotated.iter().fold(f32::MIN_POSITIVE, |largest, x| largest.max(x.abs()));
        let step = f64::from(largest / LARGEST * (1.0 + 2.0 * f32::EPSILON));
        // What is left is at most half a step: less than the largest number of the smaller steps and a half.
        let steps = [step, step / f64::from(2 * i32::from(LARGEST_NUMBER) - 1)];
        let mut rest: Vec<f64> = rotated.iter().map(|x| f64::from(*x)).collect();
        let [(coarse, first), (fine, second)] = steps.map(|step| take_out(&mut rest, step));
        Self {
            given: Squared { vector: given, square },
            levels,
            table: SignTable::new(&rotated),
            table_score: f64::NAN,
            sums: [sum(&coarse), sum(&fine)],
            numbers: [coarse, fine],
            steps,
            errors: [first, second],
            // Both vectors are off, and are compared as if their lengths were exactly 1; roundings of f64 beside that.
            rotation_error: 4.1 * rotation.error() + 1e-12,
        }
    }

    /// The cosine with a row in f64.
    pub(super) fn score(&self, kernel: Kernel, row: &[f32]) -> f64 {
        self.given.cosine(kernel, Squared { vector: row, square: kernel.dot_f64(row, row) })
    }

    /// Sets the table's limits for rows that may reach `score`.
    pub(super) fn limit(&mut self, score: f64) {
        if self.table_score.total_cmp(&score).is_eq() {
            return;
        }
        self.table_score = score;
        let root = (self.numbers[0].len() as f64).sqrt();
        let limit =
            |level| root * (least(self.levels.alignment(level), score - self.rotation_error) - self.rotation_error);
        self.table.set_limits(&std::array::from_fn::<f64, LEVELS, _>(limit));
    }

    /// The table of signs, with the limits set last.
    pub(super) fn table(&self) -> &SignTable {
        &self.table
    }

    /// The coarse numbers, to be multiplied with rows' high nibbles.
    pub(super) fn coarse(&self) -> &[i8] {
        &self.numbers[0]
    }

    /// The numbers that are left.
    pub(super) fn fine(&self) -> &[i8] {
        &self.numbers[1]
    }

    /// What decides about rows by their high nibbles, for rows that may reach `score`.
    pub(super) fn by_high(&self, score: f64) -> HighFilter {
        let score = score - self.rotation_error;
        // f32 rounds the sides of the comparison ten times together, on numbers of at most about 1.
        let slack = self.errors[0] + self.rotation_error + 16.0 * UNIT_ROUNDOFF;
        HighFilter {
            offset: self.sums[0] * NIBBLE_OFFSET,
            step: self.steps[0] as f32,
            // Below zero the bound has another branch; such scores are too low to tell rows apart anyway.
            slack: if score > 0.0 { slack as f32 } else { f32::INFINITY },
            score: score.clamp(0.0, 1.0) as f32,
            distance: (1.0 - score.clamp(0.0, 1.0).powi(2)).max(0.0).sqrt() as f32,
        }
    }

    /// What the cosine is at most, by the products of the coarse numbers with the high and the low nibbles of a row.
    pub(super) fn upper_end(&self, products: [i32; 2], shape: WholeShape) -> f64 {
        let dot = f64::from(shape.step) * self.steps[0] * self.whole(0, products);
        dot + self.error(0, shape)
    }

    /// The cosine by the products of both query vectors with the high and the low nibbles of a row, and how far it can be
    /// off.
    pub(super) fn estimate(&self, products: [[i32; 2]; 2], shape: WholeShape) -> (f64, f64) {
        let [coarse, fine] = products;
        let dot = f64::from(shape.step) * (self.steps[0] * self.whole(0, coarse) + self.steps[1] * self.whole(1, fine));
        (dot, self.error(1, shape))
    }

    /// The product of a query vector and a row in steps of both.
    fn whole(&self, number: usize, [high, low]: [i32; 2]) -> f64 {
        f64::from(16 * high + low - 17 * NIBBLE_OFFSET * self.sums[number])
    }

    /// How far a cosine can be off that is computed with the query vectors up to `number`.
    fn error(&self, number: usize, shape: WholeShape) -> f64 {
        // The approximation of the row is at most as long as the row and the difference.
        let error = f64::from(shape.error);
        error + self.errors[number] * (1.0 + error) + self.rotation_error
    }
}

/// Takes whole steps out of `rest`: their numbers, and the length of what is left.
fn take_out(rest: &mut [f64], step: f64) -> (Vec<i8>, f64) {
    let inverse = 1.0 / step;
    let mut numbers = vec![0; rest.len()];
    for (x, number) in rest.iter_mut().zip(&mut numbers) {
        let nearest = (*x * inverse + 0.5f64.copysign(*x)) as i32;
        *number = nearest as i8;
        *x -= f64::from(nearest) * step;
    }
    // A millionth more than it is covers the roundings of the sum.
    (numbers, rest.iter().map(|x| x * x).sum::<f64>().sqrt() * (1.0 + 1e-6))
}

fn sum(numbers: &[i8]) -> i32 {
    numbers.iter().map(|number| i32::from(*number)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_vectors_of_small_numbers_are_the_query() {
        for dim in [1, 100, 384, 4096] {
            let given: Vec<f32> = (0..dim).map(|i| ((i * 31 + 5) % 97) as f32 - 40.0).collect();
            let square = given.iter().map(|x| f64::from(x * x)).sum::<f64>();
            let (rotation, levels) = (Rotation::new(dim), Levels::new(dim.next_multiple_of(64)));
            let query = Query::new(Kernel::best(), &given, square, &rotation, levels);
            let rotated = rotation.apply(Kernel::best(), &given, 1.0 / square.sqrt());
            let off = |parts: usize| {
                let part = |at: usize| (0..parts).map(move |n| (n, at));
                let sum = |at| part(at).map(|(n, at)| query.steps[n] * f64::from(query.numbers[n][at])).sum::<f64>();
                rotated.iter().enumerate().map(|(at, x)| (f64::from(*x) - sum(at)).powi(2)).sum::<f64>().sqrt()
            };
            assert!(off(1) <= query.errors[0] && query.errors[0] < 0.02, "{dim}: {} {}", off(1), query.errors[0]);
            assert!(off(2) <= query.errors[1] && query.errors[1] < 1e-4, "{dim}: {} {}", off(2), query.errors[1]);
        }
    }
}
