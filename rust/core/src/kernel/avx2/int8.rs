//! The product of whole numbers: tiles of up to 3 rows by 16 columns.
//!
//! One instruction multiplies 32 pairs of bytes and adds the products by twos, into sixteen bits. As many of these are added
//! up there as fit, before one more instruction brings them to 32 bits.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_add_ps, _mm256_cvtepi32_ps, _mm256_cvtps_epi32,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_min_epu8, _mm256_mul_ps, _mm256_mullo_epi32,
    _mm256_packs_epi32, _mm256_packus_epi16, _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_storeu_si256,
    _mm256_sub_epi32,
};
use std::hint::black_box;

use super::super::int8::{
    self, ColumnScales, LARGEST_INPUT, PackedInt8, QUAD, QUADS_AT_ONCE, Quads, RowScale, RowsInt8, STEP, check_product,
};
use super::super::{PANEL, Rows, RowsMut};
use super::matmul::{Ahead, Tile, store_panel, tiles};
use super::reduce::load;

/// Rows of a tile at most: with 3 their sums, in sixteen and in 32 bits, take 12 of the 16 registers.
const TILE: usize = 3;
/// Bytes of a register.
const BYTES: usize = 32;
/// Left-hand bytes that are used with every panel before the next rows come: half of a 512 KiB second-level cache.
const BLOCK_BYTES: usize = 256 * 1024;

/// One panel of the right-hand matrix and where its columns go.
struct Panel<'a> {
    strips: &'a [Quads],
    scales: ColumnScales,
    first: usize,
    width: usize,
}

#[target_feature(enable = "avx2,fma")]
pub(in super::super) fn matmul(a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    check_product(a, b, bias, &out);
    let block = (BLOCK_BYTES / b.depth().max(1)).max(TILE);
    for start in (0..a.count()).step_by(block) {
        let end = a.count().min(start + block);
        for (first, width) in b.panels.panels() {
            let strips = b.panels.panel(first / PANEL);
            let panel = Panel { strips, scales: b.scales(bias, first, width), first, width };
            for tile in tiles(start, end, TILE) {
                match tile.rows {
                    1 => multiply::<1>(a, &panel, tile, &mut out),
                    2 => multiply::<2>(a, &panel, tile, &mut out),
                    _ => multiply::<3>(a, &panel, tile, &mut out),
                }
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(in super::super) fn quantise_rows(rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8) {
    assert_eq!(factors.len(), rows.width(), "a factor for each component");
    for (index, (bytes, out)) in out.reset(rows.count(), rows.width()).enumerate() {
        let row = rows.row(index);
        let (scale, inverse) = int8::row_scale(row, factors);
        let whole = row.len() / BYTES * BYTES;
        let (chunks, ends) = bytes.as_chunks_mut::<BYTES>();
        for ((values, factors), bytes) in row.as_chunks().0.iter().zip(factors.as_chunks().0).zip(chunks) {
            quantise_values(values, factors, scale.zero, inverse, bytes);
        }
        int8::quantise_values(&row[whole..], &factors[whole..], (scale, inverse), ends);
        *out = scale;
    }
}

/// [`int8::quantise_values`] for a register of bytes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn quantise_values(values: &[f32; BYTES], factors: &[f32; BYTES], zero: i32, inverse: f32, bytes: &mut [u8; BYTES]) {
    let mut whole = [_mm256_setzero_si256(); 4];
    for ((whole, values), factors) in whole.iter_mut().zip(values.as_chunks().0).zip(factors.as_chunks().0) {
        let scaled = _mm256_mul_ps(_mm256_mul_ps(load(values), load(factors)), _mm256_set1_ps(inverse));
        *whole = _mm256_sub_epi32(_mm256_cvtps_epi32(scaled), _mm256_set1_epi32(zero));
    }
    // Narrowing interleaves the halves of registers, and stops at the ends of what is narrower.
    let short = [_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3])];
    let narrow = _mm256_min_epu8(_mm256_packus_epi16(short[0], short[1]), _mm256_set1_epi8(LARGEST_INPUT as i8));
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let ordered = _mm256_permutevar8x32_epi32(narrow, order);
    // SAFETY: the reference is to 32 writable bytes, and `storeu` asks for no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), ordered) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply<const R: usize>(a: &RowsInt8, panel: &Panel<'_>, tile: Tile, out: &mut RowsMut<'_>) {
    let mut rows: [&[[u8; STEP]]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = black_box(a.row(tile.row + i).as_chunks().0);
    }
    for (i, sums) in products(rows, panel.strips, tile).into_iter().enumerate() {
        let values = finish(sums, &panel.scales, a.scales[tile.row + i]);
        store_panel(&mut out.row(tile.row + i)[panel.first..panel.first + panel.width], values);
    }
}

/// The sums over the depth, 16 for each row. Meanwhile asks for this tile's share of the next panel.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn products<const R: usize>(rows: [&[[u8; STEP]]; R], strips: &[Quads], tile: Tile) -> [[__m256i; 2]; R] {
    let steps = strips.as_chunks::<QUADS_AT_ONCE>().0;
    assert!(rows.iter().all(|row| row.len() == steps.len()), "depth of the rows");
    let mut ahead = Ahead::of(strips, tile);
    // Not known to the compiler, which would else load the weights of four quads before it uses them, and spill: 10 % slower.
    let quads = black_box(QUADS_AT_ONCE);
    let mut sums = [[_mm256_setzero_si256(); 2]; R];
    for (at, strips) in steps.iter().enumerate() {
        ahead.fetch_some(QUADS_AT_ONCE);
        let mut short = [[_mm256_setzero_si256(); 2]; R];
        let weights = halves(&strips[0]);
        for (short, row) in short.iter_mut().zip(&rows) {
            // SAFETY: `at` is below the number of steps, which is the length of every row, as asserted above.
            let inputs = broadcast(unsafe { row.get_unchecked(at) }, 0);
            *short = [_mm256_maddubs_epi16(inputs, weights[0]), _mm256_maddubs_epi16(inputs, weights[1])];
        }
        // An iterator that skips the first quad would be called, not taken in.
        #[allow(clippy::needless_range_loop)]
        for quad in 1..quads {
            let weights = halves(&strips[quad]);
            for (short, row) in short.iter_mut().zip(&rows) {
                // SAFETY: as above.
                let inputs = broadcast(unsafe { row.get_unchecked(at) }, quad);
                short[0] = _mm256_add_epi16(short[0], _mm256_maddubs_epi16(inputs, weights[0]));
                short[1] = _mm256_add_epi16(short[1], _mm256_maddubs_epi16(inputs, weights[1]));
            }
        }
        for (sums, short) in sums.iter_mut().zip(&short) {
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(short[0], _mm256_set1_epi16(1)));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(short[1], _mm256_set1_epi16(1)));
        }
    }
    sums
}

/// Four inputs in every lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn broadcast(step: &[u8; STEP], quad: usize) -> __m256i {
    _mm256_set1_epi32(i32::from_le_bytes(step.as_chunks::<QUAD>().0[quad]))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn halves(strip: &Quads) -> [__m256i; 2] {
    let [low, high] = strip.0.as_chunks().0 else { unreachable!("16 quads are two times 8") };
    [load_half(low), load_half(high)]
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn load_half(quads: &[[i8; QUAD]; PANEL / 2]) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(quads.as_ptr().cast()) }
}

/// [`ColumnScales::element`] for 16 columns.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn finish(sums: [__m256i; 2], columns: &ColumnScales, row: RowScale) -> [__m256; 2] {
    let (steps, biases) = (columns.steps.as_chunks().0, columns.bias.as_chunks().0);
    let zero = _mm256_set1_epi32(row.zero);
    let column_sums = columns.sums.as_chunks::<8>().0;
    let mut values = [_mm256_setzero_ps(); 2];
    for (at, value) in values.iter_mut().enumerate() {
        // SAFETY: the reference is to eight readable numbers, and `loadu` asks for no alignment.
        let column_sums = unsafe { _mm256_loadu_si256(column_sums[at].as_ptr().cast()) };
        let whole = _mm256_cvtepi32_ps(_mm256_add_epi32(sums[at], _mm256_mullo_epi32(zero, column_sums)));
        let step = _mm256_mul_ps(_mm256_set1_ps(row.step), load(&steps[at]));
        *value = _mm256_add_ps(_mm256_mul_ps(whole, step), load(&biases[at]));
    }
    values
}
