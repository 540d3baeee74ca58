//! Plain arithmetic for every processor, and the description of what the other kernels compute.

use super::codes::{self, BLOCK, FourProducts, GROUP, Nibbles, SignTable};
use super::pack::{check_product, panel_bias};
use super::{
    LANES, LANES_F64, Operations, PANEL, Packed, PackedBf16, PackedInt8, PackedInt16, Rows, RowsBf16, RowsInt8,
    RowsInt16, RowsMut, bf16, check_norm, check_rows, int8, int16,
};

/// The eighth root of Φ(−z) for 0 ≤ z < [`TAIL_END`], in powers of z: to the eighth power it is off by at most 2.1e-9.
///
/// Least squares with Lawson's weights; `scripts/fit_gelu.py` prints them.
pub(super) const TAIL: [f32; 9] = [
    9.170_040_5e-1,
    -9.145_789e-2,
    -3.192_594_6e-2,
    -6.763_621e-4,
    1.509_194_7e-3,
    3.132_331e-5,
    -5.923_444_4e-5,
    7.296_285_7e-6,
    -2.826_473_6e-7,
];
/// From here on Φ(−z), less than 1e-9, is taken for zero.
pub(super) const TAIL_END: f32 = 6.0;

/// Kernel without special instructions.
pub(super) struct Scalar;

impl Operations for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }

    fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "lengths of the factors");
        let mut sums = [0.0; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        let mut width = LANES;
        while width > 1 {
            width /= 2;
            let (low, high) = sums[..2 * width].split_at_mut(width);
            low.iter_mut().zip(high).for_each(|(low, high)| *low += *high);
        }
        sums[0]
    }

    fn dot_rows(&self, query: &[f32], rows: &[f32], out: &mut [f32]) {
        assert_eq!(rows.len(), query.len() * out.len(), "values of the rows");
        for (row, out) in rows.chunks_exact(query.len().max(1)).zip(out) {
            *out = self.dot(query, row);
        }
    }

    fn dot_f64(&self, a: &[f32], b: &[f32]) -> f64 {
        assert_eq!(a.len(), b.len(), "lengths of the factors");
        let mut sums = [0.0; LANES_F64];
        for (a, b) in a.chunks(LANES_F64).zip(b.chunks(LANES_F64)) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += f64::from(*a) * f64::from(*b);
            }
        }
        join(&sums)
    }

    fn scan_signs(&self, table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]) {
        table.check(signs, levels, masks);
        let columns = table.entries().as_chunks::<2>().0;
        let groups = signs.chunks_exact(columns.len().max(1) * GROUP).zip(levels.as_chunks::<GROUP>().0);
        for ((group, levels), mask) in groups.zip(masks) {
            let mut sums = [0_u16; GROUP];
            for (column, [low, high]) in group.as_chunks::<GROUP>().0.iter().zip(columns) {
                for (sum, byte) in sums.iter_mut().zip(column) {
                    *sum += u16::from(low[usize::from(byte & 15)]) + u16::from(high[usize::from(byte >> 4)]);
                }
            }
            let pass = |row: usize| sums[row] >= table.limits()[usize::from(levels[row] & 15)];
            *mask = (0..GROUP).fold(0, |mask, row| mask | u32::from(pass(row)) << row);
        }
    }

    fn dot_nibbles(&self, queries: &[&[i8]], rows: &[u8], out: &mut [i32]) {
        codes::dot_nibbles(self, queries, rows, out);
    }

    fn dot_nibbles_of(&self, query: &[i8], rows: &[&[u8]], out: &mut [i32]) {
        codes::dot_nibbles_of(self, query, rows, out);
    }

    fn mix(&self, values: &mut [f32], signs: &[f32], from: usize, scratch: &mut [f32]) {
        mix(values, signs, from, scratch);
    }

    fn quantise(&self, values: &[f32], step: f32, high: &mut [u8], low: &mut [u8]) -> Nibbles {
        codes::quantise(values, step, high, low)
    }

    fn matmul(&self, a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
        check_product(&a, b, bias, &out);
        for (first, width) in b.panels() {
            let (panel, bias) = (b.panel(first / PANEL), panel_bias(bias, first, width));
            for row in 0..a.count() {
                let mut sums = [0.0; PANEL];
                for (value, strip) in a.row(row).iter().zip(panel) {
                    sums.iter_mut().zip(&strip.0).for_each(|(sum, weight)| *sum += value * weight);
                }
                for ((out, sum), bias) in out.row(row)[first..].iter_mut().zip(sums).zip(bias) {
                    *out = sum + bias;
                }
            }
        }
    }

    fn matmul_bf16(
        &self,
        a: Rows<'_>,
        b: &PackedBf16,
        bias: Option<&[f32]>,
        _rounded: &mut RowsBf16,
        out: RowsMut<'_>,
    ) {
        bf16::matmul(a, b, bias, out);
    }

    fn quantise_rows_int16(&self, rows: Rows<'_>, out: &mut RowsInt16) {
        int16::quantise_rows(rows, out);
    }

    fn matmul_int16(&self, a: &RowsInt16, b: &PackedInt16, bias: Option<&[f32]>, out: RowsMut<'_>) {
        int16::matmul(a, b, bias, out);
    }

    fn quantise_rows(&self, rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8) {
        int8::quantise_rows(rows, factors, out);
    }

    fn matmul_int8(&self, a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, out: RowsMut<'_>) {
        int8::matmul(a, b, bias, out);
    }

    fn exp(&self, x: &mut [f32]) {
        for x in x {
            *x = x.exp();
        }
    }

    fn softmax(&self, rows: &mut [f32], width: usize, scale: f32) {
        check_rows(rows.len(), width);
        for x in rows.chunks_exact_mut(width.max(1)) {
            let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for x in &mut *x {
                *x = ((*x - max) * scale).exp();
            }
            let inverse = 1.0 / x.iter().sum::<f32>();
            for x in x {
                *x *= inverse;
            }
        }
    }

    fn gelu(&self, x: &mut [f32]) {
        for x in x {
            *x = gelu(*x);
        }
    }

    fn layer_norm(&self, rows: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
        check_norm(rows, gamma, beta);
        for x in rows.chunks_exact_mut(gamma.len().max(1)) {
            let scale = 1.0 / x.len() as f32;
            let mean = x.iter().sum::<f32>() * scale;
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() * scale;
            let inverse = 1.0 / (variance + epsilon).sqrt();
            for ((x, gamma), beta) in x.iter_mut().zip(gamma).zip(beta) {
                *x = (*x - mean) * inverse * gamma + beta;
            }
        }
    }
}

impl FourProducts for Scalar {
    fn of_queries(&self, queries: &[&[i8]; 4], rows: &[&[u8]; 2]) -> [[i32; 4]; 2] {
        rows.map(|row| queries.map(|query| dot_nibbles(query, row)))
    }

    fn of_rows(&self, query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4] {
        rows.map(|row| dot_nibbles(query, row))
    }
}

fn dot_nibbles(query: &[i8], row: &[u8]) -> i32 {
    let mut sum = 0;
    for (query, bytes) in query.as_chunks::<BLOCK>().0.iter().zip(row.as_chunks::<{ BLOCK / 2 }>().0) {
        let (low, high) = query.split_at(BLOCK / 2);
        for ((byte, low), high) in bytes.iter().zip(low).zip(high) {
            sum += i32::from(byte & 15) * i32::from(*low) + i32::from(byte >> 4) * i32::from(*high);
        }
    }
    sum
}

/// [`Operations::mix`], to be compiled for each kernel's instructions.
// A function that is compiled for a kernel has to take it in.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn mix(values: &mut [f32], signs: &[f32], from: usize, scratch: &mut [f32]) {
    assert_eq!(values.len(), signs.len(), "a sign for each value");
    values.iter_mut().zip(signs).for_each(|(value, sign)| *value *= sign);
    let part = &mut values[from..][..scratch.len()];
    hadamard(part, scratch);
    let scale = 1.0 / (part.len() as f32).sqrt();
    for value in part {
        *value *= scale;
    }
}

/// The Walsh-Hadamard transform without its scale.
///
/// Every stage has the same shape (Pease, An adaptation of the fast Fourier transform for parallel processing, 1968): sums
/// and differences of neighbours go to the two halves. So no stage has strides too short for a register.
#[allow(clippy::inline_always)]
#[inline(always)]
fn hadamard(values: &mut [f32], scratch: &mut [f32]) {
    assert!(
        values.len().is_power_of_two() && values.len() == scratch.len(),
        "a power of two of values, and room for them"
    );
    let (mut from, mut to) = (&mut *values, &mut *scratch);
    let stages = from.len().ilog2();
    for _ in 0..stages {
        let (sums, differences) = to.split_at_mut(from.len() / 2);
        for ((pair, sum), difference) in from.as_chunks::<2>().0.iter().zip(sums).zip(differences) {
            (*sum, *difference) = (pair[0] + pair[1], pair[0] - pair[1]);
        }
        (from, to) = (to, from);
    }
    if stages % 2 == 1 {
        values.copy_from_slice(scratch);
    }
}

/// Joins the sums of [`Operations::dot_f64`] in the one order that every kernel keeps: four registers of four lanes,
/// pairwise, then the lanes of the one that is left.
pub(super) fn join(sums: &[f64; LANES_F64]) -> f64 {
    let lane = |i: usize| (sums[i] + sums[4 + i]) + (sums[8 + i] + sums[12 + i]);
    (lane(0) + lane(2)) + (lane(1) + lane(3))
}

/// x·Φ(x) = max(x, 0) − z·Φ(−z) with z = |x|, which is as exact far below zero as it is near it.
fn gelu(x: f32) -> f32 {
    let z = x.abs();
    let root = TAIL.iter().rev().fold(0.0, |sum, coefficient| sum * z + coefficient);
    let tail = if z < TAIL_END { root.powi(8) } else { 0.0 };
    x.max(0.0) - z * tail
}
