//! What is around the products: exponential, softmax, GELU, layer norm, and the rounding of rows to whole numbers.
//!
//! The functions are those of the AVX2 kernel, on registers twice as wide.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, __m512, __mmask16, _CMP_GE_OQ, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm_storeu_si128,
    _mm512_abs_ps, _mm512_add_epi32, _mm512_add_ps, _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_epi8,
    _mm512_cvtps_epi32, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_mask_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_maskz_mul_ps, _mm512_max_epi32, _mm512_max_ps, _mm512_min_epi32, _mm512_min_ps, _mm512_mul_ps,
    _mm512_reduce_add_ps, _mm512_reduce_max_ps, _mm512_roundscale_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_epi32, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_epi32, _mm512_sub_ps,
};

use super::super::avx2::elementwise::{EXP_MAX, EXP_MIN, LN_2_HIGH, LN_2_LOW, TAYLOR};
use super::super::int8::{self, LARGEST_INPUT, RowsInt8};
use super::super::int16::{self, RowsInt16};
use super::super::scalar::{TAIL, TAIL_END};
use super::super::{PANEL, Rows};
use super::matmul::load;

/// Values of a register.
const WIDTH: usize = PANEL;
/// Sums that are kept at once, so that none waits for the one before.
const SUMS: usize = 4;

/// The lanes of `count` values, fewer than a register's.
fn lanes(count: usize) -> __mmask16 {
    (1 << count) - 1
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(values: &mut [f32; WIDTH], register: __m512) {
    // SAFETY: the reference is to 16 writable values, and `storeu` asks for no alignment.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), register) }
}

/// Loads fewer values than a register has, `fill` in the lanes that are left.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_part(values: &[f32], fill: __m512) -> __m512 {
    // SAFETY: the lanes that are loaded are those of the slice.
    unsafe { _mm512_mask_loadu_ps(fill, lanes(values.len()), values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_part(values: &mut [f32], register: __m512) {
    // SAFETY: the lanes that are stored are those of the slice.
    unsafe { _mm512_mask_storeu_ps(values.as_mut_ptr(), lanes(values.len()), register) }
}

/// e^x = 2ⁿ·e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp16(x: __m512) -> __m512 {
    let normal = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(x, _mm512_set1_ps(EXP_MIN));
    let x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(EXP_MIN)), _mm512_set1_ps(EXP_MAX));
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm512_mul_ps(
        x,
        _mm512_set1_ps(std::f32::consts::LOG2_E),
    ));
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_HIGH), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN_2_LOW), r);
    let mut series = _mm512_set1_ps(TAYLOR[0]);
    for coefficient in &TAYLOR[1..] {
        series = _mm512_fmadd_ps(series, r, _mm512_set1_ps(*coefficient));
    }
    // −126 ≤ n ≤ 127, so n + 127 is the exponent field of a normal number, which is 2ⁿ.
    let power = _mm512_slli_epi32::<23>(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)));
    _mm512_maskz_mul_ps(normal, series, _mm512_castsi512_ps(power))
}

/// x·Φ(x), as the scalar kernel has it.
#[inline]
#[target_feature(enable = "avx512f")]
fn gelu16(x: __m512) -> __m512 {
    let z = _mm512_abs_ps(x);
    let mut root = _mm512_set1_ps(TAIL[8]);
    for coefficient in TAIL[..8].iter().rev() {
        root = _mm512_fmadd_ps(root, z, _mm512_set1_ps(*coefficient));
    }
    let square = _mm512_mul_ps(root, root);
    let fourth = _mm512_mul_ps(square, square);
    let near = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(z, _mm512_set1_ps(TAIL_END));
    let tail = _mm512_maskz_mul_ps(near, fourth, fourth);
    _mm512_fnmadd_ps(z, tail, _mm512_max_ps(x, _mm512_setzero_ps()))
}

#[target_feature(enable = "avx512f")]
pub(super) fn exp(x: &mut [f32]) {
    let (blocks, rest) = x.as_chunks_mut::<WIDTH>();
    for x in blocks {
        store(x, exp16(load(x)));
    }
    store_part(rest, exp16(load_part(rest, _mm512_setzero_ps())));
}

#[target_feature(enable = "avx512f")]
pub(super) fn gelu(x: &mut [f32]) {
    let (blocks, rest) = x.as_chunks_mut::<WIDTH>();
    for x in blocks {
        store(x, gelu16(load(x)));
    }
    store_part(rest, gelu16(load_part(rest, _mm512_setzero_ps())));
}

#[target_feature(enable = "avx512f")]
pub(super) fn softmax(rows: &mut [f32], width: usize, scale: f32) {
    let scale = _mm512_set1_ps(scale);
    match width {
        16 => softmax_registers::<1>(rows, scale),
        32 => softmax_registers::<2>(rows, scale),
        48 => softmax_registers::<3>(rows, scale),
        64 => softmax_registers::<4>(rows, scale),
        _ => {
            for row in rows.chunks_exact_mut(width.max(1)) {
                softmax_row(row, scale);
            }
        }
    }
}

/// Rows of `N` registers, of which the processor works on several at a time.
#[inline]
#[target_feature(enable = "avx512f")]
fn softmax_registers<const N: usize>(rows: &mut [f32], scale: __m512) {
    for row in rows.as_chunks_mut::<WIDTH>().0.as_chunks_mut::<N>().0 {
        let mut x = [_mm512_setzero_ps(); N];
        for (x, values) in x.iter_mut().zip(&*row) {
            *x = load(values);
        }
        let mut max = x[0];
        for x in &x[1..] {
            max = _mm512_max_ps(max, *x);
        }
        let max = _mm512_set1_ps(_mm512_reduce_max_ps(max));
        let mut total = _mm512_setzero_ps();
        for x in &mut x {
            *x = exp16(_mm512_mul_ps(_mm512_sub_ps(*x, max), scale));
            total = _mm512_add_ps(total, *x);
        }
        let inverse = _mm512_set1_ps(1.0 / _mm512_reduce_add_ps(total));
        for (x, values) in x.iter().zip(row) {
            store(values, _mm512_mul_ps(*x, inverse));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn softmax_row(row: &mut [f32], scale: __m512) {
    let (blocks, rest) = row.as_chunks_mut::<WIDTH>();
    let least = _mm512_set1_ps(f32::NEG_INFINITY);
    let last = load_part(rest, least);
    let mut max = last;
    for x in &*blocks {
        max = _mm512_max_ps(max, load(x));
    }
    let max = _mm512_set1_ps(_mm512_reduce_max_ps(max));
    // The lanes past the end are e^−∞ = 0.
    let last = exp16(_mm512_mul_ps(_mm512_sub_ps(last, max), scale));
    let mut total = last;
    for x in &mut *blocks {
        let value = exp16(_mm512_mul_ps(_mm512_sub_ps(load(x), max), scale));
        store(x, value);
        total = _mm512_add_ps(total, value);
    }
    let inverse = _mm512_set1_ps(1.0 / _mm512_reduce_add_ps(total));
    for x in blocks {
        store(x, _mm512_mul_ps(load(x), inverse));
    }
    store_part(rest, _mm512_mul_ps(last, inverse));
}

#[target_feature(enable = "avx512f")]
pub(super) fn layer_norm(rows: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
    for row in rows.chunks_exact_mut(gamma.len().max(1)) {
        normalise(row, gamma, beta, epsilon);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn normalise(row: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
    let scale = 1.0 / row.len() as f32;
    let (blocks, rest) = row.as_chunks_mut::<WIDTH>();
    let zero = _mm512_setzero_ps();
    let mut sums = [load_part(rest, zero), zero, zero, zero];
    let (fours, few) = blocks.as_chunks::<SUMS>();
    for four in fours {
        for (sum, x) in sums.iter_mut().zip(four) {
            *sum = _mm512_add_ps(*sum, load(x));
        }
    }
    for x in few {
        sums[0] = _mm512_add_ps(sums[0], load(x));
    }
    let mean = _mm512_set1_ps(add_up(sums) * scale);
    // The lanes past the end hold the mean, so that their deviation is zero.
    let last = _mm512_sub_ps(load_part(rest, mean), mean);
    let mut squares = [_mm512_mul_ps(last, last), zero, zero, zero];
    for four in fours {
        for (square, x) in squares.iter_mut().zip(four) {
            let deviation = _mm512_sub_ps(load(x), mean);
            *square = _mm512_fmadd_ps(deviation, deviation, *square);
        }
    }
    for x in few {
        let deviation = _mm512_sub_ps(load(x), mean);
        squares[0] = _mm512_fmadd_ps(deviation, deviation, squares[0]);
    }
    let inverse = _mm512_set1_ps(1.0 / (add_up(squares) * scale + epsilon).sqrt());
    let ((gammas, gamma_rest), (betas, beta_rest)) = (gamma.as_chunks(), beta.as_chunks());
    for ((x, gamma), beta) in blocks.iter_mut().zip(gammas).zip(betas) {
        let unit = _mm512_mul_ps(_mm512_sub_ps(load(x), mean), inverse);
        store(x, _mm512_fmadd_ps(unit, load(gamma), load(beta)));
    }
    let (gamma, beta) = (load_part(gamma_rest, zero), load_part(beta_rest, zero));
    store_part(rest, _mm512_fmadd_ps(_mm512_mul_ps(last, inverse), gamma, beta));
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_up(sums: [__m512; SUMS]) -> f32 {
    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3])))
}

// ---- whole numbers ---------------------------------------------------------------------------------------------------

#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn quantise_rows_int16(rows: Rows<'_>, out: &mut RowsInt16) {
    int16::quantise_rows(rows, out);
}

#[target_feature(enable = "avx512f")]
pub(super) fn quantise_rows(rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8) {
    assert_eq!(factors.len(), rows.width(), "a factor for each component");
    for (index, (bytes, out)) in out.reset(rows.count(), rows.width()).enumerate() {
        let row = rows.row(index);
        let (scale, inverse) = int8::row_scale(row, factors);
        let ((blocks, rest), (factor_blocks, factor_rest)) = (row.as_chunks(), factors.as_chunks());
        let (byte_blocks, byte_rest) = bytes.as_chunks_mut();
        for ((values, factors), bytes) in blocks.iter().zip(factor_blocks).zip(byte_blocks) {
            quantise_values(values, factors, scale.zero, inverse, bytes);
        }
        int8::quantise_values(rest, factor_rest, (scale, inverse), byte_rest);
        *out = scale;
    }
}

/// [`int8::quantise_values`] for a register of values.
#[inline]
#[target_feature(enable = "avx512f")]
fn quantise_values(values: &[f32; WIDTH], factors: &[f32; WIDTH], zero: i32, inverse: f32, bytes: &mut [u8; WIDTH]) {
    let scaled = _mm512_mul_ps(_mm512_mul_ps(load(values), load(factors)), _mm512_set1_ps(inverse));
    let whole = _mm512_sub_epi32(_mm512_cvtps_epi32(scaled), _mm512_set1_epi32(zero));
    let inside =
        _mm512_min_epi32(_mm512_max_epi32(whole, _mm512_setzero_epi32()), _mm512_set1_epi32(i32::from(LARGEST_INPUT)));
    let narrow: __m128i = _mm512_cvtepi32_epi8(inside);
    // SAFETY: the reference is to 16 writable bytes, and `storeu` asks for no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), narrow) }
}
