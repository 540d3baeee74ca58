//! AVX-512 with BW and VNNI, for x86-64 servers since 2019 (Ice Lake, Zen 4): matrix products, what is around them in an
//! encoder, and what the index scans with; with AMX, products by tiles.
//!
//! All else is the AVX2 kernel's.
#![allow(unsafe_code)]

mod codes;
mod elementwise;
mod matmul;
mod tiles;

use super::avx2::Avx2;
use super::codes::{FourProducts, HighFilter, HighShape, Nibbles, SignTable, dot_nibbles, dot_nibbles_of};
use super::{
    Operations, Packed, PackedBf16, PackedInt8, PackedInt16, Rows, RowsBf16, RowsInt8, RowsInt16, RowsMut, check_norm,
    check_rows,
};

/// Kernel of 512-bit registers. A value exists only where the processor has what it uses.
pub(super) struct Avx512(Level);

/// What there is beside F, BW and VNNI.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    /// Nothing: weights in bf16 are widened to f32.
    Plain,
    /// AVX512-BF16: weights in bf16 are multiplied by pairs, with inputs rounded to bf16 too.
    Pairs,
    /// That and AMX: bytes and pairs of bf16 are multiplied by tiles, where the depth is a multiple of a tile's.
    Tiles,
}

static PLAIN: Avx512 = Avx512(Level::Plain);
static PAIRS: Avx512 = Avx512(Level::Pairs);
static TILES: Avx512 = Avx512(Level::Tiles);

impl Avx512 {
    /// The kernels that this processor can run, the one to prefer last. For that one, if it is asked for, the system is.
    ///
    /// Pairs of bf16 are for who names them. A prototype took half of f32's time with them on Zen 5; this code takes as long
    /// as f32 on Emerald Rapids.
    pub(super) fn detect() -> impl Iterator<Item = &'static Self> {
        let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        let plain = Avx2::detect().is_some() && wide && is_x86_feature_detected!("avx512vnni");
        let pairs = plain && is_x86_feature_detected!("avx512bf16");
        let tiles = move || (pairs && tiles::permitted()).then_some(&TILES);
        let plainer = pairs.then_some(&PAIRS).into_iter().chain(plain.then_some(&PLAIN));
        plainer.chain(std::iter::once_with(tiles).flatten())
    }

    fn narrow() -> &'static Avx2 {
        Avx2::detect().unwrap_or_else(|| unreachable!("`detect` saw AVX2"))
    }
}

impl Operations for Avx512 {
    fn name(&self) -> &'static str {
        match self.0 {
            Level::Plain => "avx512",
            Level::Pairs => "avx512bf16",
            Level::Tiles => "amx",
        }
    }

    fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        Self::narrow().dot(a, b)
    }

    fn dot_rows(&self, query: &[f32], rows: &[f32], out: &mut [f32]) {
        Self::narrow().dot_rows(query, rows, out);
    }

    fn dot_f64(&self, a: &[f32], b: &[f32]) -> f64 {
        Self::narrow().dot_f64(a, b)
    }

    fn scan_signs(&self, table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F and BW.
        unsafe { codes::scan_signs(table, signs, levels, masks) }
    }

    fn dot_nibbles(&self, queries: &[&[i8]], rows: &[u8], out: &mut [i32]) {
        dot_nibbles(self, queries, rows, out);
    }

    fn dot_nibbles_of(&self, query: &[i8], rows: &[&[u8]], out: &mut [i32]) {
        dot_nibbles_of(self, query, rows, out);
    }

    fn sieve_high(&self, filter: &HighFilter, products: &[i32], shapes: &[HighShape], masks: &mut [u32]) {
        Self::narrow().sieve_high(filter, products, shapes, masks);
    }

    fn mix(&self, values: &mut [f32], signs: &[f32], from: usize, scratch: &mut [f32]) {
        Self::narrow().mix(values, signs, from, scratch);
    }

    fn quantise(&self, values: &[f32], step: f32, high: &mut [u8], low: &mut [u8]) -> Nibbles {
        Self::narrow().quantise(values, step, high, low)
    }

    fn matmul(&self, a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, out: RowsMut<'_>) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F.
        unsafe { matmul::matmul(a, b, bias, out) }
    }

    fn pack_columns(&self, columns: Rows<'_>, packed: &mut Packed) {
        Self::narrow().pack_columns(columns, packed);
    }

    fn matmul_bf16(&self, a: Rows<'_>, b: &PackedBf16, bias: Option<&[f32]>, rounded: &mut RowsBf16, out: RowsMut<'_>) {
        match self.0 {
            // SAFETY: `self` comes from `detect` alone, so the processor has AVX512-BF16 and this process may use tiles.
            Level::Tiles if tiles::fit(2 * b.depth()) => unsafe { tiles::matmul_bf16(a, b, bias, rounded, out) },
            // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F and AVX512-BF16.
            Level::Tiles | Level::Pairs => unsafe { matmul::matmul_pairs(a, b, bias, rounded, out) },
            // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F.
            Level::Plain => unsafe { matmul::matmul_bf16(a, b, bias, out) },
        }
    }

    fn quantise_rows_int16(&self, rows: Rows<'_>, out: &mut RowsInt16) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F and BW.
        unsafe { elementwise::quantise_rows_int16(rows, out) }
    }

    fn matmul_int16(&self, a: &RowsInt16, b: &PackedInt16, bias: Option<&[f32]>, out: RowsMut<'_>) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F and VNNI.
        unsafe { matmul::matmul_int16(a, b, bias, out) }
    }

    fn quantise_rows(&self, rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F.
        unsafe { elementwise::quantise_rows(rows, factors, out) }
    }

    fn matmul_int8(&self, a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, out: RowsMut<'_>) {
        if self.0 == Level::Tiles && tiles::fit(a.row_bytes()) {
            // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F and this process may use tiles.
            unsafe { tiles::matmul_int8(a, b, bias, out) }
        } else {
            // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F and VNNI.
            unsafe { matmul::matmul_int8(a, b, bias, out) }
        }
    }

    fn exp(&self, x: &mut [f32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F.
        unsafe { elementwise::exp(x) }
    }

    fn softmax(&self, rows: &mut [f32], width: usize, scale: f32) {
        check_rows(rows.len(), width);
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F.
        unsafe { elementwise::softmax(rows, width, scale) }
    }

    fn gelu(&self, x: &mut [f32]) {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F.
        unsafe { elementwise::gelu(x) }
    }

    fn layer_norm(&self, rows: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
        check_norm(rows, gamma, beta);
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F.
        unsafe { elementwise::layer_norm(rows, gamma, beta, epsilon) }
    }
}

impl FourProducts for Avx512 {
    fn of_queries(&self, queries: &[&[i8]; 4], rows: &[&[u8]; 2]) -> [[i32; 4]; 2] {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F, BW and VNNI.
        unsafe { codes::of_queries(queries, rows) }
    }

    fn of_rows(&self, query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4] {
        // SAFETY: `self` comes from `detect` alone, so the processor has AVX-512 F, BW and VNNI.
        unsafe { codes::of_rows(query, rows) }
    }
}
