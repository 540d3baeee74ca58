//! Matrix products: tiles of up to 14 rows by 32 columns, whose sums stay in 28 of the 32 registers.
//!
//! A question of 14 tokens goes over the weights once.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512, _mm512_castsi512_ps,
    _mm512_cvtepi32_ps, _mm512_dpbf16_ps, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mul_ps, _mm512_mullo_epi32, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_slli_epi32, _mm512_storeu_ps,
};

use super::super::avx2::matmul::{Ahead, Tile, tiles};
use super::super::bf16::{self, PackedBf16, RowsBf16};
use super::super::int8::{self, ColumnScales, PackedInt8, QUAD, Quads, RowScale, RowsInt8};
use super::super::int16::{self, PackedInt16, RowsInt16, lane};
use super::super::pack::{self, Pairs, Strip, panel_bias};
use super::super::{PANEL, Packed, Rows, RowsMut};

/// Rows of a tile at most.
const TILE: usize = 14;
/// Bytes of the left-hand rows that are used with every panel before the next rows come: half of a second-level cache.
pub(super) const BLOCK_BYTES: usize = 512 * 1024;

/// Calls a function for a tile of 1 to 14 rows and one or two panels.
macro_rules! for_tile {
    ($function:ident, $rows:expr, $panels:literal, $($argument:expr),*) => {
        match $rows {
            1 => $function::<1, $panels>($($argument),*),
            2 => $function::<2, $panels>($($argument),*),
            3 => $function::<3, $panels>($($argument),*),
            4 => $function::<4, $panels>($($argument),*),
            5 => $function::<5, $panels>($($argument),*),
            6 => $function::<6, $panels>($($argument),*),
            7 => $function::<7, $panels>($($argument),*),
            8 => $function::<8, $panels>($($argument),*),
            9 => $function::<9, $panels>($($argument),*),
            10 => $function::<10, $panels>($($argument),*),
            11 => $function::<11, $panels>($($argument),*),
            12 => $function::<12, $panels>($($argument),*),
            13 => $function::<13, $panels>($($argument),*),
            _ => $function::<14, $panels>($($argument),*),
        }
    };
}

/// Goes over all tiles with two panels at a time, and with one at the end where they are odd in number.
macro_rules! for_panels {
    ($function:ident, $rows:expr, $row_bytes:expr, $columns:expr, $panel:expr, $($argument:expr),*) => {
        let block = (BLOCK_BYTES / $row_bytes.max(1)).max(TILE);
        for start in (0..$rows).step_by(block) {
            let end = ($rows).min(start + block);
            for first in (0..$columns).step_by(2 * PANEL) {
                let panel = first / PANEL;
                for tile in tiles(start, end, TILE) {
                    if first + PANEL < $columns {
                        let panels = [$panel(panel), $panel(panel + 1)];
                        for_tile!($function, tile.rows, 2, $($argument),*, &panels, first, tile);
                    } else {
                        for_tile!($function, tile.rows, 1, $($argument),*, &[$panel(panel)], first, tile);
                    }
                }
            }
        }
    };
}

// ---- f32 -------------------------------------------------------------------------------------------------------------

#[target_feature(enable = "avx512f")]
pub(in super::super) fn matmul(a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    pack::check_product(&a, b, bias, &out);
    let (a, out) = (&a, &mut out);
    for_panels!(multiply, a.count(), 4 * b.depth(), b.columns(), |panel| b.panel(panel), a, bias, out);
}

#[target_feature(enable = "avx512f")]
fn multiply<const R: usize, const N: usize>(
    a: &Rows<'_>,
    bias: Option<&[f32]>,
    out: &mut RowsMut<'_>,
    panels: &[&[Strip]; N],
    first: usize,
    tile: Tile,
) {
    let mut rows: [&[f32]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = a.row(tile.row + i);
    }
    let depth = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == depth) && panels.iter().all(|p| p.len() == depth), "depth");
    let mut ahead = Ahead::of(panels[N - 1], tile);
    let mut sums = [[_mm512_setzero_ps(); N]; R];
    for k in 0..depth {
        let mut weights = [_mm512_setzero_ps(); N];
        for (weights, panel) in weights.iter_mut().zip(panels) {
            *weights = load(&panel[k].0);
        }
        for _ in 0..N {
            ahead.fetch();
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            // SAFETY: `k` is below the depth, which is the length of every row, as asserted above.
            let value = _mm512_set1_ps(*unsafe { row.get_unchecked(k) });
            for (sum, weights) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_fmadd_ps(value, *weights, *sum);
            }
        }
    }
    write(&sums, bias, out, first, tile);
}

// ---- bf16 ------------------------------------------------------------------------------------------------------------

/// The weights are widened to f32 as they are loaded.
#[target_feature(enable = "avx512f")]
pub(in super::super) fn matmul_bf16(a: Rows<'_>, b: &PackedBf16, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    bf16::check_product(&a, b, bias, &out);
    let (a, out) = (&a, &mut out);
    for_panels!(multiply_bf16, a.count(), 4 * b.depth(), b.columns(), |panel| b.panels.panel(panel), a, bias, out);
}

#[target_feature(enable = "avx512f")]
fn multiply_bf16<const R: usize, const N: usize>(
    a: &Rows<'_>,
    bias: Option<&[f32]>,
    out: &mut RowsMut<'_>,
    panels: &[&[Pairs]; N],
    first: usize,
    tile: Tile,
) {
    let mut rows: [&[f32]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = a.row(tile.row + i);
    }
    let (pairs, last) = (rows[0].len() / 2, rows[0].len() % 2);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "depth");
    assert!(panels.iter().all(|panel| panel.len() == pairs + last), "depth");
    let mut ahead = Ahead::of(panels[N - 1], tile);
    let mut sums = [[_mm512_setzero_ps(); N]; R];
    for k in 0..pairs + last {
        let (mut even, mut odd) = ([_mm512_setzero_ps(); N], [_mm512_setzero_ps(); N]);
        for ((even, odd), panel) in even.iter_mut().zip(&mut odd).zip(panels) {
            let both = load_pairs(&panel[k]);
            *even = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(both));
            *odd = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(-0x1_0000)));
        }
        for _ in 0..N {
            ahead.fetch();
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let first = _mm512_set1_ps(row[2 * k]);
            // The second weight of a pair that is not whole is zero.
            let second = _mm512_set1_ps(row.get(2 * k + 1).copied().unwrap_or(0.0));
            for ((sum, even), odd) in sums.iter_mut().zip(&even).zip(&odd) {
                *sum = _mm512_fmadd_ps(first, *even, *sum);
                *sum = _mm512_fmadd_ps(second, *odd, *sum);
            }
        }
    }
    write(&sums, bias, out, first, tile);
}

/// The inputs are rounded to bf16 too, and an instruction multiplies pairs.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(in super::super) fn matmul_pairs(
    a: Rows<'_>,
    b: &PackedBf16,
    bias: Option<&[f32]>,
    rounded: &mut RowsBf16,
    mut out: RowsMut<'_>,
) {
    bf16::check_product(&a, b, bias, &out);
    let height = b.panels.height();
    let rounded = rounded.reset(a.count(), height);
    for (row, pairs) in rounded.chunks_exact_mut(height.max(1)).enumerate() {
        for (values, pair) in a.row(row).chunks(2).zip(pairs) {
            let second = values.get(1).copied().unwrap_or(0.0);
            *pair = u32::from(bf16::round(values[0])) | u32::from(bf16::round(second)) << 16;
        }
    }
    let (count, a, out) = (a.count(), &*rounded, &mut out);
    for_panels!(multiply_pairs, count, 4 * height, b.columns(), |panel| b.panels.panel(panel), a, bias, out);
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply_pairs<const R: usize, const N: usize>(
    a: &[u32],
    bias: Option<&[f32]>,
    out: &mut RowsMut<'_>,
    panels: &[&[Pairs]; N],
    first: usize,
    tile: Tile,
) {
    let height = panels[0].len();
    assert!(panels.iter().all(|panel| panel.len() == height), "depth");
    let mut rows: [&[u32]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = &a[(tile.row + i) * height..][..height];
    }
    let mut ahead = Ahead::of(panels[N - 1], tile);
    let mut sums = [[_mm512_setzero_ps(); N]; R];
    for k in 0..height {
        let mut weights = [as_bf16(_mm512_setzero_si512()); N];
        for (weights, panel) in weights.iter_mut().zip(panels) {
            *weights = as_bf16(load_pairs(&panel[k]));
        }
        for _ in 0..N {
            ahead.fetch();
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let pair = as_bf16(_mm512_set1_epi32(row[k] as i32));
            for (sum, weights) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_dpbf16_ps(*sum, pair, *weights);
            }
        }
    }
    write(&sums, bias, out, first, tile);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn as_bf16(bits: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits, and all of their values are valid.
    unsafe { std::mem::transmute(bits) }
}

// ---- int16 -----------------------------------------------------------------------------------------------------------

#[target_feature(enable = "avx512f,avx512vnni")]
pub(in super::super) fn matmul_int16(a: &RowsInt16, b: &PackedInt16, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    int16::check_product(a, b, bias, &out);
    let columns = b.columns();
    let panel = |panel: usize| {
        let first = panel * PANEL;
        (b.panels.panel(panel), b.steps[panel], panel_bias(bias, first, PANEL.min(columns - first)))
    };
    let out = &mut out;
    for_panels!(multiply_int16, a.count(), 2 * b.depth(), columns, panel, a, out);
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply_int16<const R: usize, const N: usize>(
    a: &RowsInt16,
    out: &mut RowsMut<'_>,
    panels: &[(&[Pairs], [f32; PANEL], [f32; PANEL]); N],
    first: usize,
    tile: Tile,
) {
    let mut rows: [&[[i16; 2]]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = a.row(tile.row + i);
    }
    let height = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == height) && panels.iter().all(|p| p.0.len() == height), "depth");
    let mut ahead = Ahead::of(panels[N - 1].0, tile);
    let mut sums = [[_mm512_setzero_si512(); N]; R];
    for k in 0..height {
        let mut weights = [_mm512_setzero_si512(); N];
        for (weights, (panel, ..)) in weights.iter_mut().zip(panels) {
            *weights = load_pairs(&panel[k]);
        }
        for _ in 0..N {
            ahead.fetch();
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let inputs = _mm512_set1_epi32(lane(row[k]));
            for (sum, weights) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_dpwssd_epi32(*sum, inputs, *weights);
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let (row_step, out) = (_mm512_set1_ps(a.steps[tile.row + i]), &mut out.row(tile.row + i)[first..]);
        for ((sum, (_, steps, bias)), out) in sums.iter().zip(panels).zip(out.chunks_mut(PANEL)) {
            let whole = _mm512_cvtepi32_ps(*sum);
            let step = _mm512_mul_ps(row_step, load(steps));
            write_panel(_mm512_add_ps(_mm512_mul_ps(whole, step), load(bias)), out);
        }
    }
}

// ---- int8 ------------------------------------------------------------------------------------------------------------

#[target_feature(enable = "avx512f,avx512vnni")]
pub(in super::super) fn matmul_int8(a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    int8::check_product(a, b, bias, &out);
    let columns = b.columns();
    let panel = |panel: usize| {
        let first = panel * PANEL;
        (b.panels.panel(panel), b.scales(bias, first, PANEL.min(columns - first)))
    };
    let out = &mut out;
    for_panels!(multiply_int8, a.count(), b.depth(), columns, panel, a, out);
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn multiply_int8<const R: usize, const N: usize>(
    a: &RowsInt8,
    out: &mut RowsMut<'_>,
    panels: &[(&[Quads], ColumnScales); N],
    first: usize,
    tile: Tile,
) {
    let mut rows: [&[[u8; QUAD]]; R] = [&[]; R];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = a.row(tile.row + i).as_chunks().0;
    }
    let height = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == height) && panels.iter().all(|p| p.0.len() == height), "depth");
    let mut ahead = Ahead::of(panels[N - 1].0, tile);
    let mut sums = [[_mm512_setzero_si512(); N]; R];
    for k in 0..height {
        let mut weights = [_mm512_setzero_si512(); N];
        for (weights, (panel, _)) in weights.iter_mut().zip(panels) {
            // SAFETY: the reference is to 64 readable bytes, and `loadu` asks for no alignment.
            *weights = unsafe { _mm512_loadu_si512(panel[k].0.as_ptr().cast()) };
        }
        for _ in 0..N {
            ahead.fetch();
        }
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let inputs = _mm512_set1_epi32(i32::from_le_bytes(row[k]));
            for (sum, weights) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_dpbusd_epi32(*sum, inputs, *weights);
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let (scale, out) = (a.scales[tile.row + i], &mut out.row(tile.row + i)[first..]);
        for ((sum, (_, columns)), out) in sums.iter().zip(panels).zip(out.chunks_mut(PANEL)) {
            write_panel(finish(*sum, columns, scale), out);
        }
    }
}

/// [`ColumnScales::element`] for 16 columns.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn finish(sums: __m512i, columns: &ColumnScales, row: RowScale) -> __m512 {
    // SAFETY: the reference is to 16 readable numbers, and `loadu` asks for no alignment.
    let column_sums = unsafe { _mm512_loadu_si512(columns.sums.as_ptr().cast()) };
    let correction = _mm512_mullo_epi32(_mm512_set1_epi32(row.zero), column_sums);
    let whole = _mm512_cvtepi32_ps(_mm512_add_epi32(sums, correction));
    let step = _mm512_mul_ps(_mm512_set1_ps(row.step), load(&columns.steps));
    _mm512_add_ps(_mm512_mul_ps(whole, step), load(&columns.bias))
}

// ---- loading and storing ---------------------------------------------------------------------------------------------

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(values: &[f32; PANEL]) -> __m512 {
    // SAFETY: the reference is to 16 readable values, and `loadu` asks for no alignment.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_pairs(strip: &Pairs) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm512_loadu_si512(strip.0.as_ptr().cast()) }
}

/// Adds the bias to the sums of a tile and writes what exists of their columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn write<const R: usize, const N: usize>(
    sums: &[[__m512; N]; R],
    bias: Option<&[f32]>,
    out: &mut RowsMut<'_>,
    first: usize,
    tile: Tile,
) {
    let columns = out.width();
    for (i, sums) in sums.iter().enumerate() {
        let row = &mut out.row(tile.row + i)[first..];
        for ((n, sum), out) in sums.iter().enumerate().zip(row.chunks_mut(PANEL)) {
            let start = first + n * PANEL;
            let bias = panel_bias(bias, start, PANEL.min(columns - start));
            write_panel(_mm512_add_ps(*sum, load(&bias)), out);
        }
    }
}

/// Writes as many of 16 values as there is room for.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn write_panel(values: __m512, out: &mut [f32]) {
    if let Some(out) = out.first_chunk_mut::<PANEL>() {
        store(out, values);
    } else {
        let mut all = [0.0; PANEL];
        store(&mut all, values);
        out.copy_from_slice(&all[..out.len()]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(out: &mut [f32; PANEL], values: __m512) {
    // SAFETY: the reference is to 16 writable values, and `storeu` asks for no alignment.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), values) }
}
