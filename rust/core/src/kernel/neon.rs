//! NEON, for 64-bit Arm processors: what the index scans with.
//!
//! All else is plain arithmetic, which the compiler turns into NEON as well.
#![allow(unsafe_code)]

mod codes;

use super::codes::{FourProducts, Nibbles, SignTable, dot_nibbles, dot_nibbles_of};
use super::scalar::Scalar;
use super::{Operations, Packed, PackedBf16, PackedInt8, PackedInt16, Rows, RowsBf16, RowsInt8, RowsInt16, RowsMut};

/// Kernel of 128-bit registers. A value exists only where the processor has them.
pub(super) struct Neon(());

static NEON: Neon = Neon(());

impl Neon {
    /// The kernel, when this processor can run it.
    pub(super) fn detect() -> Option<&'static Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(&NEON)
    }
}

impl Operations for Neon {
    fn name(&self) -> &'static str {
        "neon"
    }

    fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        Scalar.dot(a, b)
    }

    fn dot_rows(&self, query: &[f32], rows: &[f32], out: &mut [f32]) {
        Scalar.dot_rows(query, rows, out);
    }

    fn dot_f64(&self, a: &[f32], b: &[f32]) -> f64 {
        Scalar.dot_f64(a, b)
    }

    fn scan_signs(&self, table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has NEON.
        unsafe { codes::scan_signs(table, signs, levels, masks) }
    }

    fn dot_nibbles(&self, queries: &[&[i8]], rows: &[u8], out: &mut [i32]) {
        dot_nibbles(self, queries, rows, out);
    }

    fn dot_nibbles_of(&self, query: &[i8], rows: &[&[u8]], out: &mut [i32]) {
        dot_nibbles_of(self, query, rows, out);
    }

    fn mix(&self, values: &mut [f32], signs: &[f32], from: usize, scratch: &mut [f32]) {
        Scalar.mix(values, signs, from, scratch);
    }

    fn quantise(&self, values: &[f32], step: f32, high: &mut [u8], low: &mut [u8]) -> Nibbles {
        Scalar.quantise(values, step, high, low)
    }

    fn matmul(&self, a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, out: RowsMut<'_>) {
        Scalar.matmul(a, b, bias, out);
    }

    fn matmul_bf16(&self, a: Rows<'_>, b: &PackedBf16, bias: Option<&[f32]>, rounded: &mut RowsBf16, out: RowsMut<'_>) {
        Scalar.matmul_bf16(a, b, bias, rounded, out);
    }

    fn quantise_rows_int16(&self, rows: Rows<'_>, out: &mut RowsInt16) {
        Scalar.quantise_rows_int16(rows, out);
    }

    fn matmul_int16(&self, a: &RowsInt16, b: &PackedInt16, bias: Option<&[f32]>, out: RowsMut<'_>) {
        Scalar.matmul_int16(a, b, bias, out);
    }

    fn quantise_rows(&self, rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8) {
        Scalar.quantise_rows(rows, factors, out);
    }

    fn matmul_int8(&self, a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, out: RowsMut<'_>) {
        Scalar.matmul_int8(a, b, bias, out);
    }

    fn exp(&self, x: &mut [f32]) {
        Scalar.exp(x);
    }

    fn softmax(&self, rows: &mut [f32], width: usize, scale: f32) {
        Scalar.softmax(rows, width, scale);
    }

    fn gelu(&self, x: &mut [f32]) {
        Scalar.gelu(x);
    }

    fn layer_norm(&self, rows: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
        Scalar.layer_norm(rows, gamma, beta, epsilon);
    }
}

impl FourProducts for Neon {
    fn of_queries(&self, queries: &[&[i8]; 4], rows: &[&[u8]; 2]) -> [[i32; 4]; 2] {
        // SAFETY: `self` comes from `detect` alone, so the processor has NEON.
        unsafe { codes::of_queries(queries, rows) }
    }

    fn of_rows(&self, query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4] {
        // SAFETY: `self` comes from `detect` alone, so the processor has NEON.
        unsafe { codes::of_rows(query, rows) }
    }
}
