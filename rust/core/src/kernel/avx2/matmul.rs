//! The matrix product: tiles of up to 6 rows by 16 columns whose sums stay in 12 of the 16 registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_set1_ps, _mm256_setzero_ps,
};

use super::super::pack::{Strip, check_product, panel_bias};
use super::super::{PANEL, Packed, Rows, RowsMut};
use super::reduce::{WIDTH, load, store};

/// Rows of a tile at most.
const TILE: usize = 6;
/// Left-hand values that are used with every panel before the next rows come: half of a 512 KiB second-level cache.
pub(super) const BLOCK_VALUES: usize = 64 * 1024;

/// One panel of the right-hand matrix and where its columns go.
struct Panel<'a> {
    strips: &'a [Strip],
    bias: [f32; PANEL],
    first: usize,
    width: usize,
}

/// Some rows of the left-hand matrix, as part `index` of `count`.
#[derive(Clone, Copy)]
pub(in super::super) struct Tile {
    pub(in super::super) row: usize,
    pub(in super::super) rows: usize,
    index: usize,
    count: usize,
}

/// A tile's share of the next panel, which it asks for while it multiplies with this one: with few rows a product takes as
/// long as its weights need from memory, and the processor's own prefetching stops at the end of each page.
pub(in super::super) struct Ahead<S> {
    next: *const S,
    /// Bytes for each strip of this panel.
    step: usize,
}

impl<S> Ahead<S> {
    pub(in super::super) fn of(strips: &[S], tile: Tile) -> Self {
        let next = strips.as_ptr().wrapping_add(strips.len() + strips.len() * tile.index / tile.count);
        Self { next, step: size_of::<S>().div_ceil(tile.count) }
    }

    /// Asks for what belongs to the next strip of this panel.
    #[inline]
    pub(in super::super) fn fetch(&mut self) {
        prefetch(self.next);
        self.next = self.next.wrapping_byte_add(self.step);
    }

    /// Asks for what belongs to the next `count` strips.
    #[inline]
    pub(super) fn fetch_some(&mut self, count: usize) {
        for strip in 0..(count * self.step).div_ceil(size_of::<S>()) {
            prefetch(self.next.wrapping_add(strip));
        }
        self.next = self.next.wrapping_byte_add(count * self.step);
    }
}

#[inline]
fn prefetch<S>(strip: *const S) {
    // SAFETY: a prefetch reads nothing that the program can see, and does nothing where no memory is mapped.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(strip.cast()) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn matmul(a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    check_product(&a, b, bias, &out);
    let block = (BLOCK_VALUES / b.depth().max(1)).max(TILE);
    for start in (0..a.count()).step_by(block) {
        let end = a.count().min(start + block);
        for (first, width) in b.panels() {
            let panel = Panel { strips: b.panel(first / PANEL), bias: panel_bias(bias, first, width), first, width };
            for tile in tiles(start, end, TILE) {
                match tile.rows {
                    1 => multiply::<1>(&a, &panel, tile, &mut out),
                    2 => multiply::<2>(&a, &panel, tile, &mut out),
                    3 => multiply::<3>(&a, &panel, tile, &mut out),
                    4 => multiply::<4>(&a, &panel, tile, &mut out),
                    5 => multiply::<5>(&a, &panel, tile, &mut out),
                    _ => multiply::<6>(&a, &panel, tile, &mut out),
                }
            }
        }
    }
}

/// Splits rows into as few tiles of at most `most` rows as can be, of heights as equal as can be: a tile of two rows waits for its own sums.
#[inline]
pub(in super::super) fn tiles(start: usize, end: usize, most: usize) -> impl Iterator<Item = Tile> {
    let count = (end - start).div_ceil(most);
    let mut row = start;
    (0..count).map(move |index| {
        let rows = (end - row).div_ceil(count - index);
        row += rows;
        Tile { row: row - rows, rows, index, count }
    })
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply<const R: usize>(a: &Rows<'_>, panel: &Panel<'_>, tile: Tile, out: &mut RowsMut<'_>) {
    let mut rows: [&[f32]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = &a.row(tile.row + i)[..panel.strips.len()];
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
fn products<const R: usize>(rows: [&[f32]; R], strips: &[Strip], tile: Tile) -> [[__m256; 2]; R] {
    assert!(rows.iter().all(|row| row.len() == strips.len()), "depth of the rows");
    let mut ahead = Ahead::of(strips, tile);
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    for (k, strip) in strips.iter().enumerate() {
        ahead.fetch();
        let (low, high) = halves(&strip.0);
        let (low, high) = (load(low), load(high));
        for (sums, row) in sums.iter_mut().zip(&rows) {
            // SAFETY: `k` is below the panel's depth, which is the length of every row, as asserted above.
            let value = _mm256_set1_ps(*unsafe { row.get_unchecked(k) });
            sums[0] = _mm256_fmadd_ps(value, low, sums[0]);
            sums[1] = _mm256_fmadd_ps(value, high, sums[1]);
        }
    }
    sums
}

#[inline]
pub(super) fn halves(values: &[f32; PANEL]) -> (&[f32; WIDTH], &[f32; WIDTH]) {
    let [low, high] = values.as_chunks().0 else { unreachable!("16 values are two times 8") };
    (low, high)
}

/// Stores as many of 16 values as there is room for.
///
/// Whole panels are stored from the registers: left to a copy, both cases become one call of `memcpy`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn store_panel(out: &mut [f32], [low, high]: [__m256; 2]) {
    if let Some(out) = out.first_chunk_mut::<PANEL>() {
        store_halves(out, low, high);
    } else {
        let mut values = [0.0; PANEL];
        store_halves(&mut values, low, high);
        out.copy_from_slice(&values[..out.len()]);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn store_halves(values: &mut [f32; PANEL], low: __m256, high: __m256) {
    let [first, second] = values.as_chunks_mut().0 else { unreachable!("16 values are two times 8") };
    store(first, low);
    store(second, high);
}
