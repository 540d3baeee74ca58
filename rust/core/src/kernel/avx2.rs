//! AVX2 and FMA, for x86-64 processors since 2013.
//!
//! **What bounds batches** are the four ports for vectors of Zen 3. int16 needs two operations for 16 products (94 a
//! nanosecond at 2.95 GHz), int8 nine for 128 (168). Loops with nothing else reach 77 and 122, batches of texts about
//! 70 and 110. Unrolling by two or four, barriers against the moving of loads, and tiles of 3, 4 or 6 rows by 16
//! columns changed nothing or lost; so did parts of the depth, since a panel from the second-level cache costs nothing.
//! VNNI needs one operation where AVX2 needs two, on registers twice as wide.
//!
//! Five times sentence-transformers' rate in batches would take 80 to 90 % of what the ports can do in int16; ten times
//! in int8 is more than they can.
#![allow(unsafe_code)]

mod bf16;
pub(super) mod codes;
pub(super) mod elementwise;
mod int16;
mod int8;
pub(super) mod matmul;
mod pack;
mod reduce;

use super::codes::{FourProducts, HighFilter, HighShape, Nibbles, SignTable};
use super::{
    Operations, Packed, PackedBf16, PackedInt8, PackedInt16, Rows, RowsBf16, RowsInt8, RowsInt16, RowsMut, check_norm,
    check_rows,
};

/// Kernel of 256-bit registers with fused multiplication. A value exists only where the processor has both.
pub(super) struct Avx2(());

static AVX2: Avx2 = Avx2(());

impl Avx2 {
    /// The kernel, when this processor can run it.
    pub(super) fn detect() -> Option<&'static Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(&AVX2)
    }
}

impl Operations for Avx2 {
    fn name(&self) -> &'static str {
        "avx2"
    }

    fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { reduce::dot(a, b) }
    }

    fn dot_rows(&self, query: &[f32], rows: &[f32], out: &mut [f32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { reduce::dot_rows(query, rows, out) }
    }

    fn dot_f64(&self, a: &[f32], b: &[f32]) -> f64 {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { reduce::dot_f64(a, b) }
    }

    fn scan_signs(&self, table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::scan_signs(table, signs, levels, masks) }
    }

    fn scan_signs_of_four(&self, tables: [&SignTable; 4], signs: &[u8], levels: &[u8], masks: [&mut [u32]; 4]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::scan_signs_of_four(tables, signs, levels, masks) }
    }

    fn dot_nibbles(&self, queries: &[&[i8]], rows: &[u8], out: &mut [i32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::dot_nibbles(self, queries, rows, out) }
    }

    fn dot_nibbles_of(&self, query: &[i8], rows: &[&[u8]], out: &mut [i32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::dot_nibbles_of(self, query, rows, out) }
    }

    fn sieve_high(&self, filter: &HighFilter, products: &[i32], shapes: &[HighShape], masks: &mut [u32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { codes::sieve_high(filter, products, shapes, masks) }
    }

    fn mix(&self, values: &mut [f32], signs: &[f32], from: usize, scratch: &mut [f32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::mix(values, signs, from, scratch) }
    }

    fn quantise(&self, values: &[f32], step: f32, high: &mut [u8], low: &mut [u8]) -> Nibbles {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::quantise(values, step, high, low) }
    }

    fn matmul(&self, a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, out: RowsMut<'_>) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { matmul::matmul(a, b, bias, out) }
    }

    fn pack_columns(&self, columns: Rows<'_>, packed: &mut Packed) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { pack::pack_columns(columns, packed) }
    }

    fn matmul_bf16(
        &self,
        a: Rows<'_>,
        b: &PackedBf16,
        bias: Option<&[f32]>,
        _rounded: &mut RowsBf16,
        out: RowsMut<'_>,
    ) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { bf16::matmul(a, b, bias, out) }
    }

    fn quantise_rows_int16(&self, rows: Rows<'_>, out: &mut RowsInt16) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { int16::quantise_rows(rows, out) }
    }

    fn matmul_int16(&self, a: &RowsInt16, b: &PackedInt16, bias: Option<&[f32]>, out: RowsMut<'_>) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { int16::matmul(a, b, bias, out) }
    }

    fn quantise_rows(&self, rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { int8::quantise_rows(rows, factors, out) }
    }

    fn matmul_int8(&self, a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, out: RowsMut<'_>) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { int8::matmul(a, b, bias, out) }
    }

    fn exp(&self, x: &mut [f32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { elementwise::exp(x) }
    }

    fn softmax(&self, rows: &mut [f32], width: usize, scale: f32) {
        check_rows(rows.len(), width);
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { elementwise::softmax(rows, width, scale) }
    }

    fn gelu(&self, x: &mut [f32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { elementwise::gelu(x) }
    }

    fn layer_norm(&self, rows: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
        check_norm(rows, gamma, beta);
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2 and FMA.
        unsafe { reduce::layer_norm(rows, gamma, beta, epsilon) }
    }
}

// Taken into `codes::dot_nibbles` and `codes::dot_nibbles_of`, so that no call is left in their loops.
#[allow(clippy::inline_always)]
impl FourProducts for Avx2 {
    #[inline(always)]
    fn of_queries(&self, queries: &[&[i8]; 4], rows: &[&[u8]; 2]) -> [[i32; 4]; 2] {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::of_queries(queries, rows) }
    }

    #[inline(always)]
    fn of_rows(&self, query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4] {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX2.
        unsafe { codes::of_rows(query, rows) }
    }
}
