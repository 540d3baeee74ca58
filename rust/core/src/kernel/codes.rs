//! Rows in a few bits a component, and queries that they are compared with.
//!
//! Dimensions are padded to a multiple of [`BLOCK`].
//!
//! **Signs**, one bit a component, in groups of [`GROUP`] rows: byte `32 · c + r` of a group holds components `8 · c` to
//! `8 · c + 7` of row `r`, the first in the lowest bit. A register of 32 such bytes looks up 32 rows at once in the two
//! tables of these components (the fast scan of André, Kermarrec, Le Scouarnec: Cache locality is not enough, VLDB 2015).
//!
//! **Nibbles**, four bits a component, row by row: byte `32 · b + j` of a row holds component `64 · b + j` in its low half
//! and component `64 · b + 32 + j` in its high half.

use bytemuck::{Pod, Zeroable};

/// Dimensions are padded to a multiple of this.
pub const BLOCK: usize = 64;
/// Rows whose signs lie together.
pub const GROUP: usize = 32;
/// The components of a query that is multiplied with nibbles are at most this. So the products of six blocks add up in
/// sixteen bits, four of them in each lane of a block: 6 · 4 · 15 · 91 < 2¹⁵.
pub const LARGEST_NUMBER: i8 = 91;
/// Kinds of rows that a limit can be given for.
pub const LEVELS: usize = 16;

/// Bytes that a scan of signs fetches ahead of what it reads.
#[cfg(target_arch = "x86_64")]
pub(super) const FETCH_AHEAD: usize = 8192;

/// Two table entries must add up in a byte.
const MAX_ENTRY: usize = 127;
/// All entries of a row must add up in sixteen bits.
const MAX_SUM: usize = u16::MAX as usize;
/// Weights are rounded to parts of an entry's step before they are added.
const PARTS: i16 = 16;
/// Weights that add up to less are all the same, so that the division by a step does not overflow.
const SMALLEST_REACH: f32 = 1e-30;
/// f32 arithmetic rounds to whole numbers when this is added and taken away: 1.5 · 2²³.
const ROUNDER: f32 = 12_582_912.0;

/// `dim` padded to whole blocks.
pub fn padded(dim: usize) -> usize {
    dim.next_multiple_of(BLOCK)
}

/// What a scan of signs needs to know of a query: for each four components the sums that their signs can give, in steps.
#[derive(Debug, Clone)]
pub struct SignTable {
    entries: Vec<[u8; 16]>,
    limits: [u16; LEVELS],
    /// Parts that a weight of 1 has.
    scale: f64,
    /// Parts that all entries are too large by, and that they can be off by.
    offset: f64,
    error: f64,
}

impl SignTable {
    /// The table for Σ ±wᵢ.
    ///
    /// # Panics
    ///
    /// Unless `weights.len()` is a multiple of [`BLOCK`].
    pub fn new(weights: &[f32]) -> Self {
        assert!(weights.len().is_multiple_of(BLOCK), "whole blocks");
        let fours = weights.as_chunks::<4>().0;
        let reach = |four: &[f32; 4]| (four[0].abs() + four[1].abs()) + (four[2].abs() + four[3].abs());
        let largest = fours.iter().map(reach).fold(SMALLEST_REACH, f32::max);
        let entry = MAX_ENTRY.min(MAX_SUM / fours.len()) as f32;
        // Half a step less than there is room for, because each of the four is rounded.
        let scale = (entry - 0.5) * f32::from(PARTS) / (2.0 * largest);
        let (mut entries, mut offset) = (vec![[0; 16]; fours.len()], 0.0);
        for (four, entries) in fours.iter().zip(&mut entries) {
            let parts = |i: usize| (four[i] * scale + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()) as i16;
            let four = [parts(0), parts(1), parts(2), parts(3)];
            let reach = (four[0].abs() + four[1].abs()) + (four[2].abs() + four[3].abs());
            for (entry, sum) in entries.iter_mut().zip(sums(four)) {
                *entry = ((sum + reach + PARTS / 2) / PARTS) as u8;
            }
            offset += f64::from(reach);
        }
        // A weight is off by half a part (f32's roundings of the product are a thousandth), an entry by half a step.
        let error = weights.len() as f64 * 0.501 + fours.len() as f64 * f64::from(PARTS) / 2.0;
        Self { entries, limits: [0; LEVELS], scale: f64::from(scale), offset, error }
    }

    /// Lets a row of level `l` pass when Σ ±wᵢ may be `sums[l]` or more.
    pub fn set_limits(&mut self, sums: &[f64; LEVELS]) {
        for (limit, sum) in self.limits.iter_mut().zip(sums) {
            // A negative or infinite one is brought into range by `as`; a hundredth of a step covers f64's roundings.
            let steps = (sum * self.scale + self.offset - self.error) / f64::from(PARTS) - 0.01;
            *limit = steps.ceil() as u16;
        }
    }

    pub(super) fn entries(&self) -> &[[u8; 16]] {
        &self.entries
    }

    pub(super) fn limits(&self) -> &[u16; LEVELS] {
        &self.limits
    }

    /// Groups in `signs`, which hold rows of as many components as the table has weights.
    pub(super) fn check(&self, signs: &[u8], levels: &[u8], masks: &[u32]) {
        assert_eq!(signs.len(), masks.len() * self.entries.len() / 2 * GROUP, "bytes of the signs");
        assert_eq!(levels.len(), masks.len() * GROUP, "levels of the rows");
    }
}

/// Σ ±wᵢ for the sixteen combinations of signs; bit i of the place says that wᵢ counts as it is.
fn sums(four: [i16; 4]) -> [i16; 16] {
    let pair = |a: i16, b: i16| [-a - b, a - b, b - a, a + b];
    let (low, high) = (pair(four[0], four[1]), pair(four[2], four[3]));
    std::array::from_fn(|place| low[place % 4] + high[place / 4])
}

/// Puts the signs of a row, given as numbers, into place `row` of its group; a set bit says "not negative".
///
/// # Panics
///
/// Unless the group has as many bytes as 32 such rows need.
pub fn pack_signs(values: &[f32], group: &mut [u8], row: usize) {
    assert_eq!(group.len(), values.len() / 8 * GROUP, "bytes of the group");
    for (eight, column) in values.as_chunks::<8>().0.iter().zip(group.as_chunks_mut::<GROUP>().0) {
        column[row] = eight.iter().rev().fold(0, |bits, value| bits << 1 | u8::from(value.to_bits() >> 31 == 0));
    }
}

/// Copies a row's signs into another place.
pub fn move_signs(from: &[u8], row: usize, to: &mut [u8], place: usize) {
    for (from, to) in from.as_chunks::<GROUP>().0.iter().zip(to.as_chunks_mut::<GROUP>().0) {
        to[place] = from[row];
    }
}

/// Packs numbers of 0 to 15, a multiple of [`BLOCK`] of them, two a byte.
///
/// # Panics
///
/// Unless there are half as many bytes as numbers.
pub fn pack_nibbles(numbers: &[u8], packed: &mut [u8]) {
    assert_eq!(packed.len() * 2, numbers.len(), "bytes of the nibbles");
    for (block, packed) in numbers.as_chunks::<BLOCK>().0.iter().zip(packed.as_chunks_mut::<{ BLOCK / 2 }>().0) {
        let (low, high) = block.split_at(BLOCK / 2);
        for ((packed, low), high) in packed.iter_mut().zip(low).zip(high) {
            *packed = low | high << 4;
        }
    }
}

/// Added to both nibbles of a component, so that they are not negative.
pub const NIBBLE_OFFSET: i32 = 8;
/// Sums of [`Nibbles`] that are kept at once, so that they do not wait for each other.
const LANES: usize = 4;

/// What the nibbles of some values say of them: the nearest whole number of steps is c = 16 h + l with h and l of −8 to 7,
/// and the nibbles are h + 8 and l + 8.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Nibbles {
    /// Σx²
    pub square: f64,
    /// Σ|x|
    pub magnitude: f64,
    /// Σxh
    pub high_product: f64,
    /// Σh²
    pub high_square: i32,
    /// Σ(x − step · c)²
    pub off: f64,
}

/// [`super::Operations::quantise`], to be compiled for each kernel's instructions.
// A function that is compiled for a kernel has to take it in.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn quantise(values: &[f32], step: f32, high: &mut [u8], low: &mut [u8]) -> Nibbles {
    assert!(values.len() == high.len() && values.len() == low.len(), "a nibble for each value");
    let inverse = 1.0 / step;
    for ((x, high), low) in values.iter().zip(&mut *high).zip(&mut *low) {
        let c = (x * inverse + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()) as i32;
        // floor((c + 8) / 16) and what is left, both raised by 8.
        let raised = c + NIBBLE_OFFSET + 16 * NIBBLE_OFFSET;
        (*high, *low) = ((raised >> 4) as u8 & 15, (raised & 15) as u8);
    }
    let mut lanes = [Nibbles::default(); LANES];
    let nibbles = high.as_chunks::<LANES>().0.iter().zip(low.as_chunks::<LANES>().0);
    for (values, (high, low)) in values.as_chunks::<LANES>().0.iter().zip(nibbles) {
        for (lane, sums) in lanes.iter_mut().enumerate() {
            let (h, l) = (i32::from(high[lane]) - NIBBLE_OFFSET, i32::from(low[lane]) - NIBBLE_OFFSET);
            let x = f64::from(values[lane]);
            let error = x - f64::from(step) * f64::from(16 * h + l);
            sums.square += x * x;
            sums.magnitude += x.abs();
            sums.high_product += x * f64::from(h);
            sums.high_square += h * h;
            sums.off += error * error;
        }
    }
    lanes.into_iter().fold(Nibbles::default(), |all, lane| Nibbles {
        square: all.square + lane.square,
        magnitude: all.magnitude + lane.magnitude,
        high_product: all.high_product + lane.high_product,
        high_square: all.high_square + lane.high_square,
        off: all.off + lane.off,
    })
}

/// How well the high nibbles of a row fit it: h is nibble − 8, as in [`Nibbles`].
#[derive(Debug, Clone, Copy, Zeroable, Pod)]
#[repr(C)]
pub struct HighShape {
    /// 1 / the length of the vector of all h.
    pub scale: f32,
    /// ⟨u, x⟩ for u = h / length of h and x the row with length 1.
    pub alignment: f32,
    /// √(1 − ⟨u, x⟩²)
    pub distance: f32,
}

/// Decides which rows may reach a score, by the products of a query with their high nibbles.
#[derive(Debug, Clone, Copy)]
pub struct HighFilter {
    /// What the products are too large by because nibbles are not negative.
    pub offset: i32,
    /// What the query's components count.
    pub step: f32,
    /// How far a cosine can be off; infinite where all rows pass.
    pub slack: f32,
    /// The score.
    pub score: f32,
    /// √(1 − score²)
    pub distance: f32,
}

impl HighFilter {
    /// Whether a row passes: the bound of the angles, see the index.
    #[inline]
    pub fn passes(&self, product: i32, shape: HighShape) -> bool {
        let cosine = (product - self.offset) as f32 * self.step * shape.scale;
        cosine + self.slack >= shape.alignment * self.score - shape.distance * self.distance
    }

    /// Which of at most 32 rows pass.
    pub(super) fn mask(&self, products: &[i32], shapes: &[HighShape]) -> u32 {
        let passes = products.iter().zip(shapes).map(|(product, shape)| self.passes(*product, *shape));
        passes.enumerate().fold(0, |mask, (row, passes)| mask | u32::from(passes) << row)
    }
}

/// Rows that stay in the nearest cache while queries take turns on them.
const ROWS_AT_ONCE: usize = 64;

/// Four products of nibbles at once, the part of [`super::Operations::dot_nibbles`] that kernels differ in.
pub(super) trait FourProducts {
    /// For each of two rows, the products with four queries.
    fn of_queries(&self, queries: &[&[i8]; 4], rows: &[&[u8]; 2]) -> [[i32; 4]; 2];
    /// The products of a query with four rows.
    fn of_rows(&self, query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4];
}

/// [`super::Operations::dot_nibbles`]: queries are taken by fours with rows by twos, those that are left with rows by fours.
// A function that is compiled for a kernel has to take it in.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn dot_nibbles(four: &impl FourProducts, queries: &[&[i8]], rows: &[u8], out: &mut [i32]) {
    let Some(dim) = queries.first().map(|query| query.len()).filter(|dim| *dim > 0) else {
        return assert!(rows.is_empty() && out.is_empty(), "rows without components");
    };
    let (width, count) = (dim / 2, rows.len() / (dim / 2));
    assert!(dim.is_multiple_of(BLOCK) && queries.iter().all(|query| query.len() == dim), "lengths of the queries");
    assert_eq!(rows.len(), count * width, "bytes of the rows");
    assert_eq!(out.len(), count * queries.len(), "places for the products");
    let (fours, rest) = queries.as_chunks::<4>();
    let (out_fours, out_rest) = out.split_at_mut(4 * fours.len() * count);
    for (first, rows) in (0..).step_by(ROWS_AT_ONCE).zip(rows.chunks(ROWS_AT_ONCE * width)) {
        for (queries, out) in fours.iter().zip(out_fours.chunks_exact_mut(4 * count)) {
            let (a, b) = out.split_at_mut(2 * count);
            let ((a, b), (c, d)) = (a.split_at_mut(count), b.split_at_mut(count));
            for (row, rows) in (first..).step_by(2).zip(rows.chunks(2 * width)) {
                // At the end the last row stands in for one that is not there.
                let last = row + rows.len() / width - 1;
                let sums = four.of_queries(queries, &[&rows[..width], &rows[rows.len() - width..]]);
                (a[row], b[row], c[row], d[row]) = (sums[0][0], sums[0][1], sums[0][2], sums[0][3]);
                (a[last], b[last], c[last], d[last]) = (sums[1][0], sums[1][1], sums[1][2], sums[1][3]);
            }
        }
    }
    for (query, out) in rest.iter().zip(out_rest.chunks_exact_mut(count.max(1))) {
        for (rows, out) in rows.chunks(4 * width).zip(out.chunks_mut(4)) {
            // At the end the last row stands in for those that are not there.
            let row = |i: usize| &rows[i.min(out.len() - 1) * width..][..width];
            let sums = four.of_rows(query, &[row(0), row(1), row(2), row(3)]);
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// [`super::Operations::dot_nibbles_of`] by fours.
// A function that is compiled for a kernel has to take it in.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn dot_nibbles_of(four: &impl FourProducts, query: &[i8], rows: &[&[u8]], out: &mut [i32]) {
    assert!(
        query.len().is_multiple_of(BLOCK) && rows.iter().all(|row| row.len() * 2 == query.len()),
        "lengths of the rows"
    );
    assert_eq!(rows.len(), out.len(), "places for the products");
    for (rows, out) in rows.chunks(4).zip(out.chunks_mut(4)) {
        let sums = four.of_rows(query, &std::array::from_fn(|i| rows[i.min(rows.len() - 1)]));
        out.copy_from_slice(&sums[..out.len()]);
    }
}
