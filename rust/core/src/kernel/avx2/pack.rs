//! The packing of columns, eight by eight.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256, _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

use super::super::pack::Strip;
use super::super::{PANEL, Packed, Rows};
use super::reduce::{WIDTH, load, store};

#[target_feature(enable = "avx2,fma")]
pub(super) fn pack_columns(columns: Rows<'_>, packed: &mut Packed) {
    let (depth, padded) = (columns.width(), columns.count().next_multiple_of(PANEL));
    let strips = packed.room(depth, padded);
    for first in (0..padded).step_by(WIDTH) {
        let strips = &mut strips[first / PANEL * depth..][..depth];
        let mut rows: [&[f32]; WIDTH] = [&[]; WIDTH];
        let there = columns.count().saturating_sub(first).min(WIDTH);
        for (column, row) in rows[..there].iter_mut().enumerate() {
            *row = columns.row(first + column);
        }
        let at = first % PANEL;
        let (squares, rest) = strips.as_chunks_mut::<WIDTH>();
        for (index, strips) in squares.iter_mut().enumerate() {
            let mut square = [_mm256_setzero_ps(); WIDTH];
            for (column, row) in square.iter_mut().zip(&rows[..there]) {
                *column = load(&row.as_chunks().0[index]);
            }
            store_rows(transpose(square), strips, at);
        }
        let done = depth - rest.len();
        for (row, strip) in rest.iter_mut().enumerate() {
            for (column, value) in strip.0[at..at + WIDTH].iter_mut().enumerate() {
                *value = rows[column].get(done + row).copied().unwrap_or(0.0);
            }
        }
    }
}

/// Writes registers to their half of eight strips.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn store_rows(rows: [__m256; WIDTH], strips: &mut [Strip; WIDTH], at: usize) {
    for (row, strip) in rows.into_iter().zip(strips) {
        store(&mut strip.0.as_chunks_mut().0[at / WIDTH], row);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn transpose(columns: [__m256; WIDTH]) -> [__m256; WIDTH] {
    let [a, b, c, d, e, f, g, h] = columns;
    // Pairs of columns, then fours: each register has such parts of two rows, which lie four apart.
    let (ab, cd) =
        ([_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)], [_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)]);
    let (ef, gh) =
        ([_mm256_unpacklo_ps(e, f), _mm256_unpackhi_ps(e, f)], [_mm256_unpacklo_ps(g, h), _mm256_unpackhi_ps(g, h)]);
    let low = [
        _mm256_shuffle_ps::<0b01_00_01_00>(ab[0], cd[0]),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab[0], cd[0]),
        _mm256_shuffle_ps::<0b01_00_01_00>(ab[1], cd[1]),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab[1], cd[1]),
    ];
    let high = [
        _mm256_shuffle_ps::<0b01_00_01_00>(ef[0], gh[0]),
        _mm256_shuffle_ps::<0b11_10_11_10>(ef[0], gh[0]),
        _mm256_shuffle_ps::<0b01_00_01_00>(ef[1], gh[1]),
        _mm256_shuffle_ps::<0b11_10_11_10>(ef[1], gh[1]),
    ];
    let mut rows = [_mm256_setzero_ps(); WIDTH];
    for row in 0..4 {
        rows[row] = _mm256_permute2f128_ps::<0x20>(low[row], high[row]);
        rows[row + 4] = _mm256_permute2f128_ps::<0x31>(low[row], high[row]);
    }
    rows
}
