//! Products of signs and of nibbles.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi16, _mm256_add_epi32, _mm256_loadu_si256, _mm512_add_epi8, _mm512_add_epi16,
    _mm512_and_si512, _mm512_broadcast_i64x4, _mm512_castsi512_si256, _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64,
    _mm512_inserti64x4, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi16, _mm512_srlv_epi16,
};

use super::super::avx2::codes::{add_up, limits, passing};
use super::super::codes::{BLOCK, FETCH_AHEAD, GROUP, SignTable};
use super::super::prefetch::prefetch_line;

/// Groups that share the loading of a table.
const GROUPS_AT_ONCE: usize = 2;

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_signed(bytes: &[i8; 64]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx2")]
pub(super) fn scan_signs(table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]) {
    table.check(signs, levels, masks);
    let width = table.entries().len() / 2 * GROUP;
    let levels = levels.as_chunks::<GROUP>().0;
    let (pairs, last) = masks.as_chunks_mut::<GROUPS_AT_ONCE>();
    let whole = pairs.len() * GROUPS_AT_ONCE;
    let groups = signs.chunks_exact((GROUPS_AT_ONCE * width).max(1));
    for ((masks, signs), levels) in pairs.iter_mut().zip(groups).zip(levels.as_chunks::<GROUPS_AT_ONCE>().0) {
        *masks = scan_groups(table, [&signs[..width], &signs[width..]], levels);
    }
    for (mask, levels) in last.iter_mut().zip(&levels[whole..]) {
        [*mask] = scan_groups(table, [&signs[whole * width..]], &[*levels]);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn scan_groups<const N: usize>(table: &SignTable, groups: [&[u8]; N], levels: &[[u8; GROUP]; N]) -> [u32; N] {
    let nibble = _mm512_set1_epi8(15);
    let (mut both, mut odd) = ([_mm512_setzero_si512(); N], [_mm512_setzero_si512(); N]);
    // Two columns of 32 rows a register, each with the two tables of its eight components.
    for (at, tables) in table.entries().as_flattened().as_chunks().0.iter().enumerate() {
        let tables = load(tables);
        let low = _mm512_shuffle_i32x4::<0b10_10_00_00>(tables, tables);
        let high = _mm512_shuffle_i32x4::<0b11_11_01_01>(tables, tables);
        for ((group, both), odd) in groups.iter().zip(&mut both).zip(&mut odd) {
            let bytes = &group.as_chunks::<{ 2 * GROUP }>().0[at];
            // The processor's own prefetching stops at each page.
            prefetch_line(bytes.as_ptr().wrapping_add(FETCH_AHEAD));
            let bytes = load(bytes);
            let upper = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble);
            let lower = _mm512_shuffle_epi8(low, _mm512_and_si512(bytes, nibble));
            let sum = _mm512_add_epi8(lower, _mm512_shuffle_epi8(high, upper));
            *both = _mm512_add_epi16(*both, sum);
            *odd = _mm512_add_epi16(*odd, _mm512_srli_epi16::<8>(sum));
        }
    }
    let (limits, mut masks) = (limits(table), [0; N]);
    for (mask, ((both, odd), levels)) in masks.iter_mut().zip(both.into_iter().zip(odd).zip(levels)) {
        *mask = passing(fold_16(both), fold_16(odd), &limits, levels);
    }
    masks
}

/// The sums of the two halves, by lanes of sixteen bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn fold_16(wide: __m512i) -> __m256i {
    _mm256_add_epi16(_mm512_castsi512_si256(wide), _mm512_extracti64x4_epi64::<1>(wide))
}

/// The sums of the two halves, by lanes of 32 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn fold_32(wide: __m512i) -> __m256i {
    _mm256_add_epi32(_mm512_castsi512_si256(wide), _mm512_extracti64x4_epi64::<1>(wide))
}

/// The sum of the lanes of each of four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn add_up_wide(sums: &[__m512i; 4]) -> [i32; 4] {
    add_up(&[fold_32(sums[0]), fold_32(sums[1]), fold_32(sums[2]), fold_32(sums[3])])
}

/// The nibbles of a block in the order of their components.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn nibbles(bytes: &[u8; BLOCK / 2]) -> __m512i {
    // SAFETY: the reference is to 32 readable bytes, and `loadu` asks for no alignment.
    let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    let shifts = _mm512_inserti64x4::<0>(_mm512_set1_epi16(4), _mm512_castsi512_si256(_mm512_setzero_si512()));
    _mm512_and_si512(_mm512_srlv_epi16(_mm512_broadcast_i64x4(bytes), shifts), _mm512_set1_epi8(15))
}

/// Σ nᵢqᵢ of four queries and two rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(super) fn of_queries(queries: &[&[i8]; 4], rows: &[&[u8]; 2]) -> [[i32; 4]; 2] {
    let first = rows[0].as_chunks().0;
    let second = blocks(rows[1], first.len());
    let [a, b, c, d] = queries;
    let (a, b, c, d) = (blocks(a, first.len()), blocks(b, first.len()), blocks(c, first.len()), blocks(d, first.len()));
    let (mut sums, mut more) = ([_mm512_setzero_si512(); 4], [_mm512_setzero_si512(); 4]);
    for at in 0..first.len() {
        let (first, second) = (nibbles(&first[at]), nibbles(&second[at]));
        for ((sum, more), query) in sums.iter_mut().zip(&mut more).zip([&a[at], &b[at], &c[at], &d[at]]) {
            let numbers = load_signed(query);
            *sum = _mm512_dpbusd_epi32(*sum, first, numbers);
            *more = _mm512_dpbusd_epi32(*more, second, numbers);
        }
    }
    [add_up_wide(&sums), add_up_wide(&more)]
}

/// Σ nᵢqᵢ of one query and four rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2")]
pub(super) fn of_rows(query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4] {
    let query = query.as_chunks().0;
    let [a, b, c, d] = rows;
    let (a, b, c, d) = (blocks(a, query.len()), blocks(b, query.len()), blocks(c, query.len()), blocks(d, query.len()));
    let mut sums = [_mm512_setzero_si512(); 4];
    for at in 0..query.len() {
        let numbers = load_signed(&query[at]);
        for (sum, row) in sums.iter_mut().zip([&a[at], &b[at], &c[at], &d[at]]) {
            *sum = _mm512_dpbusd_epi32(*sum, nibbles(row), numbers);
        }
    }
    add_up_wide(&sums)
}

/// The first `count` blocks of `N` numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn blocks<T, const N: usize>(numbers: &[T], count: usize) -> &[[T; N]] {
    &numbers.as_chunks().0[..count]
}
