//! Products of signs and of nibbles.
//!
//! Arrays are not mapped here: a closure with these instructions is not inlined into `map`, which was compiled without.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _CMP_GE_OQ, _mm_add_epi32, _mm_loadu_si128, _mm_storeu_si128, _mm256_add_epi8,
    _mm256_add_epi16, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_blend_ps, _mm256_blendv_epi8,
    _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cmpeq_epi16, _mm256_cvtepi32_ps,
    _mm256_extracti128_si256, _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_max_epu16, _mm256_movemask_epi8, _mm256_movemask_ps, _mm256_mul_ps, _mm256_permutevar8x32_ps,
    _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16, _mm256_sub_epi16, _mm256_sub_epi32, _mm256_sub_ps,
};

use super::super::codes::{self, BLOCK, FETCH_AHEAD, FourProducts, GROUP, HighFilter, HighShape, Nibbles, SignTable};
use super::super::prefetch::prefetch_line;
use super::super::scalar;
use super::reduce;

/// Blocks whose products add up in sixteen bits: see [`codes::LARGEST_NUMBER`].
const BLOCKS_AT_ONCE: usize = 6;

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_signed(bytes: &[i8; 32]) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// A table of 16 bytes in both halves of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(table: &[u8; 16]) -> __m256i {
    // SAFETY: the reference is to 16 readable bytes, and `loadu` asks for no alignment.
    let half: __m128i = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(half)
}

#[target_feature(enable = "avx2")]
pub(super) fn scan_signs(table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]) {
    table.check(signs, levels, masks);
    let columns = table.entries().as_chunks::<2>().0;
    let limits = limits(table);
    let nibble = _mm256_set1_epi8(15);
    let groups = signs.chunks_exact(columns.len().max(1) * GROUP).zip(levels.as_chunks::<GROUP>().0);
    for ((group, levels), mask) in groups.zip(masks) {
        // Two rows a lane of sixteen bits: see `passing`.
        let (mut both, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        for (column, entries) in group.as_chunks::<GROUP>().0.iter().zip(columns) {
            // The processor's own prefetching stops at each page.
            prefetch_line(column.as_ptr().wrapping_add(FETCH_AHEAD));
            let bytes = load(column);
            let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
            let sum = look_up(entries, _mm256_and_si256(bytes, nibble), upper);
            both = _mm256_add_epi16(both, sum);
            odd = _mm256_add_epi16(odd, _mm256_srli_epi16::<8>(sum));
        }
        *mask = passing(both, odd, &limits, levels);
    }
}

#[target_feature(enable = "avx2")]
pub(super) fn scan_signs_of_four(tables: [&SignTable; 4], signs: &[u8], levels: &[u8], masks: [&mut [u32]; 4]) {
    let count = tables[0].entries().len() / 2;
    let mut columns = [tables[0].entries().as_chunks::<2>().0; 4];
    let mut all_limits = [limits(tables[0]); 4];
    for (at, table) in tables.into_iter().enumerate() {
        table.check(signs, levels, masks[at]);
        columns[at] = &table.entries().as_chunks().0[..count];
        all_limits[at] = limits(table);
    }
    let mut masks = masks.map(<[u32]>::iter_mut);
    let nibble = _mm256_set1_epi8(15);
    let groups = signs.chunks_exact(count.max(1) * GROUP).zip(levels.as_chunks::<GROUP>().0);
    for (signs, levels) in groups {
        // As in `scan_signs`, for each table.
        let (mut both, mut odd) = ([_mm256_setzero_si256(); 4], [_mm256_setzero_si256(); 4]);
        for (at, column) in signs.as_chunks::<GROUP>().0.iter().enumerate().take(count) {
            let bytes = load(column);
            let lower = _mm256_and_si256(bytes, nibble);
            let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
            for ((both, odd), columns) in both.iter_mut().zip(&mut odd).zip(&columns) {
                let sum = look_up(&columns[at], lower, upper);
                *both = _mm256_add_epi16(*both, sum);
                *odd = _mm256_add_epi16(*odd, _mm256_srli_epi16::<8>(sum));
            }
        }
        for (at, mask) in masks.iter_mut().filter_map(Iterator::next).enumerate() {
            *mask = passing(both[at], odd[at], &all_limits[at], levels);
        }
    }
}

/// What the tables of eight components say of their signs in 32 rows.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up([low, high]: &[[u8; 16]; 2], lower: __m256i, upper: __m256i) -> __m256i {
    _mm256_add_epi8(_mm256_shuffle_epi8(broadcast(low), lower), _mm256_shuffle_epi8(broadcast(high), upper))
}

/// The low and the high bytes of the limits.
#[inline]
#[target_feature(enable = "avx2")]
pub(in super::super) fn limits(table: &SignTable) -> [__m256i; 2] {
    let (mut low, mut high) = ([0; 16], [0; 16]);
    for ((limit, low), high) in table.limits().iter().zip(&mut low).zip(&mut high) {
        [*low, *high] = limit.to_le_bytes();
    }
    [broadcast(&low), broadcast(&high)]
}

/// Which rows reach their limits. `odd` has the sums of the odd rows, `both` those of the even rows and 256 times the others.
#[inline]
#[target_feature(enable = "avx2")]
pub(in super::super) fn passing(both: __m256i, odd: __m256i, limits: &[__m256i; 2], levels: &[u8; GROUP]) -> u32 {
    let even = _mm256_sub_epi16(both, _mm256_slli_epi16::<8>(odd));
    let levels = _mm256_and_si256(load(levels), _mm256_set1_epi8(15));
    let (low, high) = (_mm256_shuffle_epi8(limits[0], levels), _mm256_shuffle_epi8(limits[1], levels));
    let first = _mm256_set1_epi16(0x00ff);
    let even_limit = _mm256_blendv_epi8(_mm256_slli_epi16::<8>(high), low, first);
    let odd_limit = _mm256_blendv_epi8(high, _mm256_srli_epi16::<8>(low), first);
    let pass = _mm256_blendv_epi8(at_least(odd, odd_limit), at_least(even, even_limit), first);
    _mm256_movemask_epi8(pass) as u32
}

/// All bits of the lanes where `a >= b`, unsigned.
#[inline]
#[target_feature(enable = "avx2")]
fn at_least(a: __m256i, b: __m256i) -> __m256i {
    _mm256_cmpeq_epi16(_mm256_max_epu16(a, b), a)
}

/// [`super::super::Operations::dot_nibbles`], compiled as a whole for these instructions.
#[target_feature(enable = "avx2")]
pub(super) fn dot_nibbles(four: &impl FourProducts, queries: &[&[i8]], rows: &[u8], out: &mut [i32]) {
    codes::dot_nibbles(four, queries, rows, out);
}

/// [`super::super::Operations::dot_nibbles_of`], compiled as a whole for these instructions.
#[target_feature(enable = "avx2")]
pub(super) fn dot_nibbles_of(four: &impl FourProducts, query: &[i8], rows: &[&[u8]], out: &mut [i32]) {
    codes::dot_nibbles_of(four, query, rows, out);
}

/// Σ nᵢqᵢ of four queries and two rows.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn of_queries(queries: &[&[i8]; 4], rows: &[&[u8]; 2]) -> [[i32; 4]; 2] {
    let first_row = rows[0].as_chunks().0;
    let count = first_row.len();
    let second_row = blocks(rows[1], count);
    let [a, b, c, d] = queries;
    let (a, b, c, d) = (blocks(a, count), blocks(b, count), blocks(c, count), blocks(d, count));
    let mut sums = [[_mm256_setzero_si256(); 4]; 2];
    for first in (0..count).step_by(BLOCKS_AT_ONCE) {
        let mut short = [[_mm256_setzero_si256(); 4]; 2];
        for at in first..(first + BLOCKS_AT_ONCE).min(count) {
            let rows = [nibbles(&first_row[at]), nibbles(&second_row[at])];
            for (query, numbers) in [&a[at], &b[at], &c[at], &d[at]].into_iter().enumerate() {
                let numbers = halves(numbers);
                short[0][query] = _mm256_add_epi16(short[0][query], pairs(rows[0], numbers));
                short[1][query] = _mm256_add_epi16(short[1][query], pairs(rows[1], numbers));
            }
        }
        widen(&mut sums[0], &short[0]);
        widen(&mut sums[1], &short[1]);
    }
    [add_up(&sums[0]), add_up(&sums[1])]
}

/// Σ nᵢqᵢ of one query and four rows.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn of_rows(query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4] {
    let query = query.as_chunks().0;
    let [a, b, c, d] = rows;
    let (a, b, c, d) = (blocks(a, query.len()), blocks(b, query.len()), blocks(c, query.len()), blocks(d, query.len()));
    let mut sums = [_mm256_setzero_si256(); 4];
    for first in (0..query.len()).step_by(BLOCKS_AT_ONCE) {
        let mut short = [_mm256_setzero_si256(); 4];
        for at in first..(first + BLOCKS_AT_ONCE).min(query.len()) {
            let numbers = halves(&query[at]);
            for (short, row) in short.iter_mut().zip([&a[at], &b[at], &c[at], &d[at]]) {
                *short = _mm256_add_epi16(*short, pairs(nibbles(row), numbers));
            }
        }
        widen(&mut sums, &short);
    }
    add_up(&sums)
}

/// The first `count` blocks of `N` numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn blocks<T, const N: usize>(numbers: &[T], count: usize) -> &[[T; N]] {
    &numbers.as_chunks().0[..count]
}

/// Adds sums of sixteen bits to sums of 32.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(sums: &mut [__m256i; 4], short: &[__m256i; 4]) {
    for (sum, short) in sums.iter_mut().zip(short) {
        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(*short, _mm256_set1_epi16(1)));
    }
}

/// The low and the high halves of bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn nibbles(bytes: &[u8; BLOCK / 2]) -> (__m256i, __m256i) {
    let (bytes, nibble) = (load(bytes), _mm256_set1_epi8(15));
    (_mm256_and_si256(bytes, nibble), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble))
}

/// The numbers of a block that belong to the low halves of bytes, and those that belong to the high ones.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(query: &[i8; BLOCK]) -> (__m256i, __m256i) {
    let halves = query.as_chunks().0;
    (load_signed(&halves[0]), load_signed(&halves[1]))
}

/// Products of a block, four of them in each lane of sixteen bits.
#[inline]
#[target_feature(enable = "avx2")]
fn pairs((low, high): (__m256i, __m256i), (first, second): (__m256i, __m256i)) -> __m256i {
    _mm256_add_epi16(_mm256_maddubs_epi16(low, first), _mm256_maddubs_epi16(high, second))
}

/// The sum of the lanes of each of four registers.
#[inline]
#[target_feature(enable = "avx2")]
pub(in super::super) fn add_up(lanes: &[__m256i; 4]) -> [i32; 4] {
    let pairs = [_mm256_hadd_epi32(lanes[0], lanes[1]), _mm256_hadd_epi32(lanes[2], lanes[3])];
    let all = _mm256_hadd_epi32(pairs[0], pairs[1]);
    let four = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
    let mut sums = [0; 4];
    // SAFETY: the reference is to 16 writable bytes, and `storeu` asks for no alignment.
    unsafe { _mm_storeu_si128(sums.as_mut_ptr().cast(), four) }
    sums
}

/// Without FMA, which would round once where the others round twice.
#[target_feature(enable = "avx2")]
pub(super) fn mix(values: &mut [f32], signs: &[f32], from: usize, scratch: &mut [f32]) {
    scalar::mix(values, signs, from, scratch);
}

#[target_feature(enable = "avx2")]
pub(super) fn quantise(values: &[f32], step: f32, high: &mut [u8], low: &mut [u8]) -> Nibbles {
    codes::quantise(values, step, high, low)
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn sieve_high(filter: &HighFilter, products: &[i32], shapes: &[HighShape], masks: &mut [u32]) {
    for ((products, shapes), mask) in products.chunks(GROUP).zip(shapes.chunks(GROUP)).zip(masks) {
        *mask = match (products.as_chunks().0, shapes.as_chunks().0) {
            ([products], [shapes]) => sieve_group(filter, products, shapes),
            _ => filter.mask(products, shapes),
        };
    }
}

/// Which of 32 rows pass: [`HighFilter::passes`] for eight at a time.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sieve_group(filter: &HighFilter, products: &[i32; GROUP], shapes: &[HighShape; GROUP]) -> u32 {
    let (score, distance) = (_mm256_set1_ps(filter.score), _mm256_set1_ps(filter.distance));
    let (step, slack) = (_mm256_set1_ps(filter.step), _mm256_set1_ps(filter.slack));
    let mut mask = 0;
    for (at, (products, shapes)) in products.as_chunks::<8>().0.iter().zip(shapes.as_chunks::<8>().0).enumerate() {
        // SAFETY: the reference is to 32 readable bytes, and `loadu` asks for no alignment.
        let products = unsafe { _mm256_loadu_si256(products.as_ptr().cast()) };
        let products = _mm256_sub_epi32(products, _mm256_set1_epi32(filter.offset));
        let [scales, alignments, distances] = by_field(shapes);
        let cosines = _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(products), step), scales);
        let least = _mm256_sub_ps(_mm256_mul_ps(alignments, score), _mm256_mul_ps(distances, distance));
        let passes = _mm256_cmp_ps::<_CMP_GE_OQ>(_mm256_add_ps(cosines, slack), least);
        mask |= (_mm256_movemask_ps(passes) as u32) << (8 * at);
    }
    mask
}

/// The scales, alignments and distances of eight rows.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn by_field(shapes: &[HighShape; 8]) -> [__m256; 3] {
    let numbers: &[[f32; 8]; 3] = bytemuck::cast_ref(shapes);
    let [a, b, c] = [reduce::load(&numbers[0]), reduce::load(&numbers[1]), reduce::load(&numbers[2])];
    // Numbers 0 to 23 lie in a, b, c; field f of row r is number 3 r + f, in lane (3 r + f) mod 8 of one of them. Blending
    // takes each lane from the register that has it, a permutation brings them into the order of the rows.
    let first = _mm256_blend_ps::<0b0010_0100>(_mm256_blend_ps::<0b1001_0010>(a, b), c);
    let second = _mm256_blend_ps::<0b0100_1001>(_mm256_blend_ps::<0b0010_0100>(a, b), c);
    let third = _mm256_blend_ps::<0b1001_0010>(_mm256_blend_ps::<0b0100_1001>(a, b), c);
    [
        _mm256_permutevar8x32_ps(first, _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5)),
        _mm256_permutevar8x32_ps(second, _mm256_setr_epi32(1, 4, 7, 2, 5, 0, 3, 6)),
        _mm256_permutevar8x32_ps(third, _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7)),
    ]
}
