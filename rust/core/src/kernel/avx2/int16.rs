//! The product of whole numbers of sixteen bits: tiles of up to 6 rows by 16 columns.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_ps, _mm256_cvtepi32_ps, _mm256_madd_epi16, _mm256_mul_ps, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256,
};
use std::hint::black_box;

use super::super::int16::{self, PackedInt16, RowsInt16, check_product, lane};
use super::super::pack::{Pairs, panel_bias};
use super::super::{PANEL, Rows, RowsMut};
use super::bf16::load_pairs;
use super::matmul::{Ahead, Tile, store_panel, tiles};
use super::reduce::load;

/// Rows of a tile at most.
const TILE: usize = 6;
/// Left-hand bytes that are used with every panel before the next rows come: half of a 512 KiB second-level cache.
const BLOCK_BYTES: usize = 256 * 1024;

/// One panel of the right-hand matrix and where its columns go.
struct Panel<'a> {
    strips: &'a [Pairs],
    steps: [f32; PANEL],
    bias: [f32; PANEL],
    first: usize,
    width: usize,
}

#[target_feature(enable = "avx2,fma")]
pub(in super::super) fn matmul(a: &RowsInt16, b: &PackedInt16, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    check_product(a, b, bias, &out);
    let block = (BLOCK_BYTES / (2 * b.depth()).max(1)).max(TILE);
    for start in (0..a.count()).step_by(block) {
        let end = a.count().min(start + block);
        for (first, width) in b.panels.panels() {
            let (strips, steps) = (b.panels.panel(first / PANEL), b.steps[first / PANEL]);
            let panel = Panel { strips, steps, bias: panel_bias(bias, first, width), first, width };
            for tile in tiles(start, end, TILE) {
                match tile.rows {
                    1 => multiply::<1>(a, &panel, tile, &mut out),
                    2 => multiply::<2>(a, &panel, tile, &mut out),
                    3 => multiply::<3>(a, &panel, tile, &mut out),
                    4 => multiply::<4>(a, &panel, tile, &mut out),
                    5 => multiply::<5>(a, &panel, tile, &mut out),
                    _ => multiply::<6>(a, &panel, tile, &mut out),
                }
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(in super::super) fn quantise_rows(rows: Rows<'_>, out: &mut RowsInt16) {
    int16::quantise_rows(rows, out);
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply<const R: usize>(a: &RowsInt16, panel: &Panel<'_>, tile: Tile, out: &mut RowsMut<'_>) {
    let mut rows: [&[[i16; 2]]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = black_box(a.row(tile.row + i));
    }
    let (steps, bias) = (panel.steps.as_chunks().0, panel.bias.as_chunks().0);
    for (i, sums) in products(rows, panel.strips, tile).into_iter().enumerate() {
        let row_step = _mm256_set1_ps(a.steps[tile.row + i]);
        let mut values = [_mm256_setzero_ps(); 2];
        for (half, value) in values.iter_mut().enumerate() {
            let step = _mm256_mul_ps(row_step, load(&steps[half]));
            *value = _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sums[half]), step), load(&bias[half]));
        }
        store_panel(&mut out.row(tile.row + i)[panel.first..panel.first + panel.width], values);
    }
}

/// The sums over the depth, 16 for each row. Meanwhile asks for this tile's share of the next panel.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn products<const R: usize>(rows: [&[[i16; 2]]; R], strips: &[Pairs], tile: Tile) -> [[__m256i; 2]; R] {
    assert!(rows.iter().all(|row| row.len() == strips.len()), "depth of the rows");
    let mut ahead = Ahead::of(strips, tile);
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for (k, strip) in strips.iter().enumerate() {
        ahead.fetch();
        let weights = load_pairs(strip);
        for (sums, row) in sums.iter_mut().zip(&rows) {
            // SAFETY: `k` is below the panel's height, which is the length of every row, as asserted above.
            let inputs = _mm256_set1_epi32(lane(*unsafe { row.get_unchecked(k) }));
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(inputs, weights[0]));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(inputs, weights[1]));
        }
    }
    sums
}
