//! Dot products and layer norm.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256, __m256d, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_ps, _mm_movehdup_ps, _mm_movehl_ps,
    _mm256_add_ps, _mm256_castps256_ps128, _mm256_cvtps_pd, _mm256_extractf128_ps, _mm256_fmadd_pd, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_pd, _mm256_setzero_ps, _mm256_storeu_pd,
    _mm256_storeu_ps, _mm256_sub_ps,
};

use super::super::{LANES, LANES_F64, scalar};

/// Values of a register.
pub(super) const WIDTH: usize = 8;

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn load(values: &[f32; WIDTH]) -> __m256 {
    // SAFETY: the reference is to eight readable values, and `loadu` asks for no alignment.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn store(values: &mut [f32; WIDTH], register: __m256) {
    // SAFETY: the reference is to eight writable values, and `storeu` asks for no alignment.
    unsafe { _mm256_storeu_ps(values.as_mut_ptr(), register) }
}

/// Loads up to eight values, `fill` in the lanes that are left.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn load_part(values: &[f32], fill: f32) -> __m256 {
    let mut padded = [fill; WIDTH];
    padded[..values.len()].copy_from_slice(values);
    load(&padded)
}

/// Stores the first lanes of `register`, as many as `values` holds.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn store_part(values: &mut [f32], register: __m256) {
    let mut all = [0.0; WIDTH];
    store(&mut all, register);
    values.copy_from_slice(&all[..values.len()]);
}

/// The sum of the eight lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn sum(register: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(register), _mm256_extractf128_ps::<1>(register));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "lengths of the factors");
    dot_inline(a, b)
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn dot_rows(query: &[f32], rows: &[f32], out: &mut [f32]) {
    assert_eq!(rows.len(), query.len() * out.len(), "values of the rows");
    for (row, out) in rows.chunks_exact(query.len().max(1)).zip(out) {
        *out = dot_inline(query, row);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn dot_inline(a: &[f32], b: &[f32]) -> f32 {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [_mm256_setzero_ps(); LANES / WIDTH];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for ((sum, a), b) in sums.iter_mut().zip(a.as_chunks().0).zip(b.as_chunks().0) {
            *sum = _mm256_fmadd_ps(load(a), load(b), *sum);
        }
    }
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a_rest.as_chunks(), b_rest.as_chunks());
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        sums[0] = _mm256_fmadd_ps(load(a), load(b), sums[0]);
    }
    if !a_rest.is_empty() {
        sums[0] = _mm256_fmadd_ps(load_part(a_rest, 0.0), load_part(b_rest, 0.0), sums[0]);
    }
    add_up(sums)
}

/// The sum of all lanes of four registers.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_up(sums: [__m256; 4]) -> f32 {
    sum(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])))
}

/// Four f32 values as f64.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn widen(values: &[f32; 4]) -> __m256d {
    // SAFETY: the reference is to four readable values, and `loadu` asks for no alignment.
    _mm256_cvtps_pd(unsafe { _mm_loadu_ps(values.as_ptr()) })
}

/// Fused or not, the sums are the same: a product of two f32 has at most 48 bits and is exact in f64.
#[target_feature(enable = "avx2,fma")]
pub(super) fn dot_f64(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "lengths of the factors");
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES_F64>(), b.as_chunks::<LANES_F64>());
    let mut sums = [_mm256_setzero_pd(); LANES_F64 / 4];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for ((sum, a), b) in sums.iter_mut().zip(a.as_chunks().0).zip(b.as_chunks().0) {
            *sum = _mm256_fmadd_pd(widen(a), widen(b), *sum);
        }
    }
    let mut lanes = [0.0; LANES_F64];
    for (lanes, sum) in lanes.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
        // SAFETY: the reference is to four writable values, and `storeu` asks for no alignment.
        unsafe { _mm256_storeu_pd(lanes.as_mut_ptr(), sum) }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += f64::from(*a) * f64::from(*b);
    }
    scalar::join(&lanes)
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn layer_norm(rows: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
    for row in rows.chunks_exact_mut(gamma.len().max(1)) {
        normalise(row, gamma, beta, epsilon);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn normalise(x: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32) {
    let (blocks, rest) = x.as_chunks::<WIDTH>();
    let scale = 1.0 / x.len() as f32;
    // Four sums at once, so that none waits for the one before.
    let zero = _mm256_setzero_ps();
    let mut sums = [load_part(rest, 0.0), zero, zero, zero];
    let (fours, few) = blocks.as_chunks::<4>();
    for four in fours {
        for (sum, x) in sums.iter_mut().zip(four) {
            *sum = _mm256_add_ps(*sum, load(x));
        }
    }
    for x in few {
        sums[0] = _mm256_add_ps(sums[0], load(x));
    }
    let mean = add_up(sums) * scale;
    let means = _mm256_set1_ps(mean);
    // The lanes past the end hold the mean, so that their deviation is zero.
    let deviation = _mm256_sub_ps(load_part(rest, mean), means);
    let mut squares = [_mm256_mul_ps(deviation, deviation), zero, zero, zero];
    for four in fours {
        for (square, x) in squares.iter_mut().zip(four) {
            let deviation = _mm256_sub_ps(load(x), means);
            *square = _mm256_fmadd_ps(deviation, deviation, *square);
        }
    }
    for x in few {
        let deviation = _mm256_sub_ps(load(x), means);
        squares[0] = _mm256_fmadd_ps(deviation, deviation, squares[0]);
    }
    let inverse = _mm256_set1_ps(1.0 / (add_up(squares) * scale + epsilon).sqrt());
    let (blocks, rest) = x.as_chunks_mut::<WIDTH>();
    let ((gammas, gamma_rest), (betas, beta_rest)) = (gamma.as_chunks(), beta.as_chunks());
    for ((x, gamma), beta) in blocks.iter_mut().zip(gammas).zip(betas) {
        let unit = _mm256_mul_ps(_mm256_sub_ps(load(x), means), inverse);
        store(x, _mm256_fmadd_ps(unit, load(gamma), load(beta)));
    }
    let unit = _mm256_mul_ps(_mm256_sub_ps(load_part(rest, mean), means), inverse);
    store_part(rest, _mm256_fmadd_ps(unit, load_part(gamma_rest, 0.0), load_part(beta_rest, 0.0)));
}
