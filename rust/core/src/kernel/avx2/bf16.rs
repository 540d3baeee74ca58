//! The product with weights in bf16: tiles as those of f32, the weights widened as they are loaded.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_ps, _mm256_and_si256, _mm256_castsi256_ps, _mm256_fmadd_ps, _mm256_loadu_si256,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32,
};

use super::super::bf16::{PackedBf16, check_product};
use super::super::pack::{Pairs, panel_bias};
use super::super::{PANEL, Rows, RowsMut};
use super::matmul::{Ahead, BLOCK_VALUES, Tile, halves, store_panel, tiles};
use super::reduce::load;

/// Rows of a tile at most: their sums and four registers of widened weights take 14 of the 16 registers.
const TILE: usize = 5;

/// One panel of the right-hand matrix and where its columns go.
struct Panel<'a> {
    strips: &'a [Pairs],
    bias: [f32; PANEL],
    first: usize,
    width: usize,
}

#[target_feature(enable = "avx2,fma")]
pub(in super::super) fn matmul(a: Rows<'_>, b: &PackedBf16, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    check_product(&a, b, bias, &out);
    let block = (BLOCK_VALUES / b.depth().max(1)).max(TILE);
    for start in (0..a.count()).step_by(block) {
        let end = a.count().min(start + block);
        for (first, width) in b.panels.panels() {
            let strips = b.panels.panel(first / PANEL);
            let panel = Panel { strips, bias: panel_bias(bias, first, width), first, width };
            for tile in tiles(start, end, TILE) {
                match tile.rows {
                    1 => multiply::<1>(&a, &panel, tile, &mut out),
                    2 => multiply::<2>(&a, &panel, tile, &mut out),
                    3 => multiply::<3>(&a, &panel, tile, &mut out),
                    4 => multiply::<4>(&a, &panel, tile, &mut out),
                    _ => multiply::<5>(&a, &panel, tile, &mut out),
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply<const R: usize>(a: &Rows<'_>, panel: &Panel<'_>, tile: Tile, out: &mut RowsMut<'_>) {
    let mut rows: [&[f32]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = a.row(tile.row + i);
    }
    let sums = products(rows, panel.strips, tile);
    let (low_bias, high_bias) = halves(&panel.bias);
    for (i, [low, high]) in sums.into_iter().enumerate() {
        let values = [_mm256_add_ps(low, load(low_bias)), _mm256_add_ps(high, load(high_bias))];
        store_panel(&mut out.row(tile.row + i)[panel.first..panel.first + panel.width], values);
    }
}

/// The sums over the depth, 16 for each row.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn products<const R: usize>(rows: [&[f32]; R], strips: &[Pairs], tile: Tile) -> [[__m256; 2]; R] {
    let (pairs, last) = (rows[0].len() / 2, rows[0].len() % 2);
    let mut whole: [&[[f32; 2]]; R] = [&[]; R];
    for (whole, row) in whole.iter_mut().zip(&rows) {
        *whole = row.as_chunks().0;
    }
    assert!(rows.iter().all(|row| row.len() == rows[0].len()) && strips.len() == pairs + last, "depth of the rows");
    let mut ahead = Ahead::of(strips, tile);
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    for (k, strip) in strips[..pairs].iter().enumerate() {
        ahead.fetch();
        let [low, high] = load_pairs(strip);
        let (first, second) = ([even(low), even(high)], [odd(low), odd(high)]);
        for (sums, row) in sums.iter_mut().zip(&whole) {
            // SAFETY: `k` is below the number of whole pairs, which every row has as many of as the first, as asserted above.
            let [a, b] = *unsafe { row.get_unchecked(k) };
            add(sums, a, first);
            add(sums, b, second);
        }
    }
    for strip in &strips[pairs..] {
        let [low, high] = load_pairs(strip);
        for (sums, row) in sums.iter_mut().zip(&rows) {
            add(sums, row[2 * pairs], [even(low), even(high)]);
        }
    }
    sums
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add(sums: &mut [__m256; 2], value: f32, weights: [__m256; 2]) {
    sums[0] = _mm256_fmadd_ps(_mm256_set1_ps(value), weights[0], sums[0]);
    sums[1] = _mm256_fmadd_ps(_mm256_set1_ps(value), weights[1], sums[1]);
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn load_pairs(strip: &Pairs) -> [__m256i; 2] {
    let [low, high] = strip.0.as_chunks().0 else { unreachable!("16 pairs are two times 8") };
    [load_half(low), load_half(high)]
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn load_half(pairs: &[u32; PANEL / 2]) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(pairs.as_ptr().cast()) }
}

/// The first weights of pairs.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn even(pairs: __m256i) -> __m256 {
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs))
}

/// The second weights of pairs.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn odd(pairs: __m256i) -> __m256 {
    _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-0x1_0000)))
}
