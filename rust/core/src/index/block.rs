//! The rows of one partition.

/// Lengths in between let f32 arithmetic on a row neither overflow nor lose more than 2⁻⁷⁸ of it to underflow.
const PLAIN_SQUARES: std::ops::RangeInclusive<f64> = {
    let two_120 = (1_u128 << 120) as f64;
    1.0 / two_120..=two_120
};

/// Rows side by side, as they were given, with what a scan needs to know of each.
#[derive(Debug)]
pub(super) struct Block {
    partition: u128,
    dim: usize,
    ids: Vec<u64>,
    values: Vec<f32>,
    /// The square of each row's length.
    squares: Vec<f64>,
    /// 1 / length of each row; NaN when f32 arithmetic says nothing about the row.
    inverses: Vec<f32>,
}

impl Block {
    pub(super) fn new(partition: u128, dim: usize) -> Self {
        Self { partition, dim, ids: vec![], values: vec![], squares: vec![], inverses: vec![] }
    }

    pub(super) fn partition(&self) -> u128 {
        self.partition
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn ids(&self) -> &[u64] {
        &self.ids
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    pub(super) fn row(&self, slot: usize) -> &[f32] {
        &self.values[slot * self.dim..][..self.dim]
    }

    pub(super) fn square(&self, slot: usize) -> f64 {
        self.squares[slot]
    }

    pub(super) fn inverses(&self) -> &[f32] {
        &self.inverses
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let wide = self.ids.capacity() + self.squares.capacity();
        wide * size_of::<u64>() + (self.values.capacity() + self.inverses.capacity()) * size_of::<f32>()
    }

    pub(super) fn extend(&mut self, ids: &[u64], values: &[f32], squares: &[f64]) {
        self.ids.extend_from_slice(ids);
        self.values.extend_from_slice(values);
        self.squares.extend_from_slice(squares);
        self.inverses.extend(squares.iter().copied().map(inverse));
    }

    pub(super) fn set(&mut self, slot: usize, vector: &[f32], square: f64) {
        self.values[slot * self.dim..][..self.dim].copy_from_slice(vector);
        self.squares[slot] = square;
        self.inverses[slot] = inverse(square);
    }

    /// Removes a row; the last one takes its place. Returns the id of the row that moved.
    pub(super) fn swap_remove(&mut self, slot: usize) -> Option<u64> {
        let last = self.len() - 1;
        self.values.copy_within(last * self.dim.., slot * self.dim);
        self.values.truncate(last * self.dim);
        self.ids.swap_remove(slot);
        self.squares.swap_remove(slot);
        self.inverses.swap_remove(slot);
        self.ids.get(slot).copied()
    }
}

fn inverse(square: f64) -> f32 {
    if PLAIN_SQUARES.contains(&square) { (1.0 / square.sqrt()) as f32 } else { f32::NAN }
}
