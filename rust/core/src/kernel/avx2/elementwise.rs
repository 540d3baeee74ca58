//! Exponential, softmax and GELU.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256, _CMP_GE_OQ, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT, _mm_cvtss_f32, _mm_max_ps,
    _mm_max_ss, _mm_movehdup_ps, _mm_movehl_ps, _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps, _mm256_andnot_ps,
    _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cvtps_epi32, _mm256_extractf128_ps,
    _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_round_ps, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_sub_ps,
};

use super::super::scalar::{TAIL, TAIL_END};
use super::reduce::{WIDTH, load, load_part, store, store_part, sum};

/// Below this e^x is not a normal f32; the result is 0.
pub(in super::super) const EXP_MIN: f32 = -87.336_54;
/// Above this 2ⁿ would overflow; the result stays at e^88.37.
pub(in super::super) const EXP_MAX: f32 = 88.37;
/// ln 2 in two parts; the first has nine bits, so that its product with n is exact.
pub(in super::super) const LN_2_HIGH: f32 = 0.693_359_4;
pub(in super::super) const LN_2_LOW: f32 = -2.121_944_4e-4;
/// 1/7!, …, 1/1!, 1/0!: what is left out of the series is below r⁸/8! ≤ 5.2e-9 for |r| ≤ ln 2 / 2.
pub(in super::super) const TAYLOR: [f32; 8] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

/// e^x = 2ⁿ·e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn exp8(x: __m256) -> __m256 {
    let normal = _mm256_cmp_ps::<_CMP_GE_OQ>(x, _mm256_set1_ps(EXP_MIN));
    let x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(EXP_MIN)), _mm256_set1_ps(EXP_MAX));
    let n = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm256_mul_ps(
        x,
        _mm256_set1_ps(std::f32::consts::LOG2_E),
    ));
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN_2_HIGH), x);
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN_2_LOW), r);
    let mut series = _mm256_set1_ps(TAYLOR[0]);
    for coefficient in &TAYLOR[1..] {
        series = _mm256_fmadd_ps(series, r, _mm256_set1_ps(*coefficient));
    }
    // −126 ≤ n ≤ 127, so n + 127 is the exponent field of a normal number, which is 2ⁿ.
    let power = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)));
    _mm256_and_ps(normal, _mm256_mul_ps(series, _mm256_castsi256_ps(power)))
}

/// x·Φ(x), as the scalar kernel has it.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn gelu8(x: __m256) -> __m256 {
    let z = _mm256_andnot_ps(_mm256_set1_ps(-0.0), x);
    let mut root = _mm256_set1_ps(TAIL[8]);
    for coefficient in TAIL[..8].iter().rev() {
        root = _mm256_fmadd_ps(root, z, _mm256_set1_ps(*coefficient));
    }
    let square = _mm256_mul_ps(root, root);
    let fourth = _mm256_mul_ps(square, square);
    let near = _mm256_cmp_ps::<_CMP_LT_OQ>(z, _mm256_set1_ps(TAIL_END));
    let tail = _mm256_and_ps(near, _mm256_mul_ps(fourth, fourth));
    _mm256_fnmadd_ps(z, tail, _mm256_max_ps(x, _mm256_setzero_ps()))
}

/// Replaces every value by `f` of it.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn map(x: &mut [f32], f: impl Fn(__m256) -> __m256) {
    let (blocks, rest) = x.as_chunks_mut::<WIDTH>();
    for x in blocks {
        store(x, f(load(x)));
    }
    if !rest.is_empty() {
        store_part(rest, f(load_part(rest, 0.0)));
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn exp(x: &mut [f32]) {
    map(x, |x| exp8(x));
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn gelu(x: &mut [f32]) {
    map(x, |x| gelu8(x));
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn softmax(rows: &mut [f32], width: usize, scale: f32) {
    let scale = _mm256_set1_ps(scale);
    match width {
        16 => softmax_registers::<2>(rows, scale),
        32 => softmax_registers::<4>(rows, scale),
        48 => softmax_registers::<6>(rows, scale),
        64 => softmax_registers::<8>(rows, scale),
        _ => {
            for row in rows.chunks_exact_mut(width.max(1)) {
                softmax_row(row, scale);
            }
        }
    }
}

/// Rows of `N` registers, of which the processor works on several at a time.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn softmax_registers<const N: usize>(rows: &mut [f32], scale: __m256) {
    for row in rows.as_chunks_mut::<WIDTH>().0.as_chunks_mut::<N>().0 {
        let mut x = [_mm256_setzero_ps(); N];
        for (x, values) in x.iter_mut().zip(&*row) {
            *x = load(values);
        }
        let mut max = x[0];
        for x in &x[1..] {
            max = _mm256_max_ps(max, *x);
        }
        let max = _mm256_set1_ps(horizontal_max(max));
        let mut total = _mm256_setzero_ps();
        for x in &mut x {
            *x = exp8(_mm256_mul_ps(_mm256_sub_ps(*x, max), scale));
            total = _mm256_add_ps(total, *x);
        }
        let inverse = _mm256_set1_ps(1.0 / sum(total));
        for (x, values) in x.iter().zip(row) {
            store(values, _mm256_mul_ps(*x, inverse));
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn softmax_row(x: &mut [f32], scale: __m256) {
    let (blocks, rest) = x.as_chunks_mut::<WIDTH>();
    let mut max = load_part(rest, f32::NEG_INFINITY);
    for x in &*blocks {
        max = _mm256_max_ps(max, load(x));
    }
    let max = _mm256_set1_ps(horizontal_max(max));
    // The lanes past the end are e^−∞ = 0.
    let tail = exp8(_mm256_mul_ps(_mm256_sub_ps(load_part(rest, f32::NEG_INFINITY), max), scale));
    store_part(rest, tail);
    let mut total = tail;
    for x in &mut *blocks {
        let value = exp8(_mm256_mul_ps(_mm256_sub_ps(load(x), max), scale));
        store(x, value);
        total = _mm256_add_ps(total, value);
    }
    let inverse = _mm256_set1_ps(1.0 / sum(total));
    map(x, |x| _mm256_mul_ps(x, inverse));
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn horizontal_max(register: __m256) -> f32 {
    let four = _mm_max_ps(_mm256_castps256_ps128(register), _mm256_extractf128_ps::<1>(register));
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
}
