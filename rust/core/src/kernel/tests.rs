//! Every kernel against f64, at every length and alignment, within bounds that follow from the number of roundings.

// Values that must come out to the bit are compared as such.
#![allow(clippy::float_cmp)]

mod codes;
mod narrow;

use super::*;

/// Of functions that take time in proportion to the length, and of the others.
const LENGTHS: std::ops::RangeInclusive<usize> = 0..=1100;
const SHORT_LENGTHS: std::ops::RangeInclusive<usize> = 0..=130;
const OFFSETS: std::ops::Range<usize> = 0..4;
/// Of functions that take several rows.
const ROWS: usize = 3;

/// Values in (−scale, scale) from a 64-bit generator.
fn values(seed: usize, len: usize, scale: f32) -> Vec<f32> {
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale
    };
    next();
    (0..len).map(|_| next()).collect()
}

/// Runs `check` for every kernel, length and offset.
fn everywhere(check: impl Fn(Kernel, usize, usize)) {
    everywhere_in(LENGTHS, check);
}

fn everywhere_in(lengths: std::ops::RangeInclusive<usize>, check: impl Fn(Kernel, usize, usize)) {
    for kernel in Kernel::available() {
        for len in lengths.clone() {
            for offset in OFFSETS {
                check(kernel, len, offset);
            }
        }
    }
}

/// Σ aᵢbᵢ and Σ|aᵢbᵢ| in f64, one after the other.
fn oracle_dot(a: &[f32], b: &[f32]) -> (f64, f64) {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.fold((0.0, 0.0), |(sum, magnitude), product| (sum + product, magnitude + product.abs()))
}

#[track_caller]
fn assert_within(got: f32, expected: f64, bound: f64, what: &str) {
    let error = (f64::from(got) - expected).abs();
    assert!(error <= bound, "{what}: got {got:e}, expected {expected:e}, error {error:e}, bound {bound:e}");
}

#[test]
fn dot_matches_the_oracle() {
    everywhere(|kernel, len, offset| {
        let (a, b) = (values(len, len + offset, 1.0), values(len + 7, len + offset, 3.0));
        let (a, b) = (&a[offset..], &b[offset..]);
        let (expected, magnitude) = oracle_dot(a, b);
        // One f64 rounding a term on the oracle's side.
        let bound = dot_error(len) * magnitude + len as f64 * f64::EPSILON * magnitude;
        assert_within(kernel.dot(a, b), expected, bound, &format!("{kernel:?} len {len} offset {offset}"));
    });
}

#[test]
fn dot_error_covers_sums_that_cancel() {
    for kernel in Kernel::available() {
        for seed in 0..500 {
            let a = values(seed, 384, 1.0);
            let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
            let b: Vec<f32> = a.iter().enumerate().map(|(i, a)| sign(i) / (a + 1.5)).collect();
            let a: Vec<f32> = a.iter().map(|a| a + 1.5).collect();
            let (expected, magnitude) = oracle_dot(&a, &b);
            assert_within(kernel.dot(&a, &b), expected, dot_error(384) * magnitude, &format!("{kernel:?} seed {seed}"));
        }
    }
}

#[test]
fn dot_rows_is_dot_of_every_row() {
    everywhere(|kernel, len, offset| {
        let (query, rows) = (values(1, len, 1.0), values(2, 3 * len + offset, 1.0));
        let rows = &rows[offset..];
        let mut out = [0.0; 3];
        kernel.dot_rows(&query, rows, &mut out);
        for (i, out) in out.iter().enumerate() {
            assert_eq!(out.to_bits(), kernel.dot(&query, &rows[i * len..(i + 1) * len]).to_bits(), "len {len} row {i}");
        }
    });
}

#[test]
fn dot_f64_has_the_same_bits_in_every_kernel() {
    everywhere(|kernel, len, offset| {
        let (a, b) = (values(len, len + offset, 1e-20), values(len + 9, len + offset, 1e30));
        let (a, b) = (&a[offset..], &b[offset..]);
        let (got, (expected, magnitude)) = (kernel.dot_f64(a, b), oracle_dot(a, b));
        assert_eq!(got.to_bits(), scalar::Scalar.dot_f64(a, b).to_bits(), "{kernel:?} len {len} offset {offset}");
        assert!((got - expected).abs() <= len as f64 * f64::EPSILON * magnitude, "{kernel:?} len {len}");
    });
}

/// Multiplies `(m, k)` by `(k, n)` with every way of packing and compares every element.
fn check_matmul(kernel: Kernel, (m, k, n): (usize, usize, usize), offset: usize) {
    let (lda, ldc) = (k + offset, n + 3);
    let a = values(m + n, m * lda + offset, 1.0);
    let (weights, bias) = (values(k + 1, n * k, 2.0), values(5, n, 1.0));
    let transposed: Vec<f32> = (0..k * n).map(|i| weights[i % n * k + i / n]).collect();
    let by_columns = Packed::from_columns(Rows::new(&weights, n, k, k));
    let mut by_rows = Packed::from_columns(Rows::new(&[1.0; 40], 20, 2, 2));
    by_rows.pack_rows(Rows::new(&transposed, k, n, n));
    let a = Rows::new(&a[offset..], m, k, lda);
    let mut out = vec![7.0; m * ldc];
    let mut plain = vec![7.0; m * ldc];
    kernel.matmul(a, &by_columns, Some(&bias), RowsMut::new(&mut out, m, n, ldc));
    kernel.matmul(a, &by_rows, None, RowsMut::new(&mut plain, m, n, ldc));
    for (at, (got, plain)) in out.iter().zip(&plain).enumerate() {
        let (i, j) = (at / ldc, at % ldc);
        let what = format!("{kernel:?} ({m}, {k}, {n}) offset {offset} at ({i}, {j})");
        if j >= n {
            assert!(*got == 7.0 && *plain == 7.0, "{what}: wrote between the rows");
            continue;
        }
        let (expected, magnitude) = oracle_dot(a.row(i), &weights[j * k..(j + 1) * k]);
        let bias = f64::from(bias[j]);
        assert_within(*plain, expected, matmul_error(k) * magnitude * 1.001, &what);
        assert_within(*got, expected + bias, matmul_error(k) * (magnitude + bias.abs()) * 1.001, &what);
    }
}

#[test]
fn matmul_matches_the_oracle_in_every_dimension() {
    everywhere_in(SHORT_LENGTHS, |kernel, len, offset| {
        check_matmul(kernel, (7, len, 19), offset);
        check_matmul(kernel, (5, 7, len), offset);
        check_matmul(kernel, (len, 9, 17), offset);
    });
}

#[test]
fn matmul_blocks_of_rows_do_not_change_a_row() {
    let (m, k, n) = (300, 1536, 16);
    let (a, weights) = (values(3, m * k, 1.0), values(4, n * k, 1.0));
    let packed = Packed::from_columns(Rows::new(&weights, n, k, k));
    for kernel in Kernel::available() {
        let (mut all, mut one) = (vec![0.0; m * n], vec![0.0; n]);
        kernel.matmul(Rows::new(&a, m, k, k), &packed, None, RowsMut::new(&mut all, m, n, n));
        for row in [0, 41, 42, 43, 299] {
            kernel.matmul(Rows::new(&a[row * k..], 1, k, k), &packed, None, RowsMut::new(&mut one, 1, n, n));
            assert_eq!(one, all[row * n..(row + 1) * n], "{kernel:?} row {row}");
        }
    }
}

#[test]
fn exp_matches_the_oracle() {
    everywhere(|kernel, len, offset| {
        for scale in [1.0, 20.0, 87.0] {
            let before = values(len, len + offset, scale);
            let mut x = before.clone();
            kernel.exp(&mut x[offset..]);
            assert_eq!(x[..offset], before[..offset]);
            for (got, x) in x[offset..].iter().zip(&before[offset..]) {
                let expected = f64::from(*x).exp();
                assert_within(*got, expected, 4.0 * UNIT_ROUNDOFF * expected, &format!("{kernel:?} len {len} x {x}"));
            }
        }
    });
}

#[test]
fn exp_far_out_is_zero_or_large() {
    for kernel in Kernel::available() {
        let mut x = [f32::NEG_INFINITY, -1e30, -104.0, 88.0, 0.0, -0.0];
        kernel.exp(&mut x);
        assert_eq!(x[..3], [0.0; 3], "{kernel:?}");
        assert_eq!(x[4..], [1.0; 2], "{kernel:?}");
        assert!(x[3] > 1.6e38, "{kernel:?}");
    }
}

#[test]
fn softmax_matches_the_oracle() {
    everywhere(|kernel, len, offset| {
        // Rows that have nothing to do with each other.
        let (before, scale) = (values(len, ROWS * len + offset, 30.0), 0.25);
        let mut x = before.clone();
        kernel.softmax(&mut x[offset..], len, scale);
        for (x, before) in x[offset..].chunks(len.max(1)).zip(before[offset..].chunks(len.max(1))) {
            let max = before.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exps: Vec<f64> = before.iter().map(|x| (f64::from(*x - max) * f64::from(scale)).exp()).collect();
            let total: f64 = exps.iter().sum();
            for (got, exp) in x.iter().zip(&exps) {
                // The argument is at most 15 in magnitude and rounded twice; exp 4, inverse and product 2 roundings; the
                // sum's.
                let bound = gamma(len + 15 + 4 + 4 + 2) * exp / total + f64::from(f32::MIN_POSITIVE);
                assert_within(*got, exp / total, bound, &format!("{kernel:?} len {len} offset {offset}"));
            }
        }
    });
}

#[test]
fn packed_columns_are_the_columns_and_zeros() {
    for kernel in Kernel::available() {
        // Memory of a larger matrix: what it left behind is gone.
        let mut packed = Packed::from_columns(Rows::new(&[7.0; 40 * 50], 50, 40, 40));
        for (depth, count) in (0..=40).flat_map(|depth| (0..=50).map(move |count| (depth, count))) {
            let columns = values(depth + count, count * (depth + 3), 1.0);
            kernel.pack_columns(Rows::new(&columns, count, depth, depth + 3), &mut packed);
            assert_eq!((packed.depth(), packed.columns()), (depth, count.next_multiple_of(PANEL)));
            for (column, row) in (0..packed.columns()).flat_map(|column| (0..depth).map(move |row| (column, row))) {
                let expected = if column < count { columns[column * (depth + 3) + row] } else { 0.0 };
                let got = packed.panel(column / PANEL)[row].0[column % PANEL];
                assert_eq!(got, expected, "{kernel:?} {depth} x {count} at {row}, {column}");
            }
        }
    }
}

#[test]
fn softmax_of_values_far_apart_is_one_hot() {
    for kernel in Kernel::available() {
        let mut x = [-1e30, 3.0, -1e30, f32::NEG_INFINITY, -200.0, 3.0 - 120.0, -1e9, -5e5, -1e4, -1e3];
        kernel.softmax(&mut x, 10, 1.0);
        assert_eq!(x, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "{kernel:?}");
    }
}

/// erfc by its series below 2 and by Lentz' continued fraction above.
fn erfc(x: f64) -> f64 {
    if x.abs() < 2.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..80 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return 1.0 - sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let fraction = (1..200).rev().fold(0.0, |tail, n| f64::from(n) / 2.0 / (x + tail));
    (-x * x).exp() / (x + fraction) * std::f64::consts::FRAC_2_SQRT_PI / 2.0
}

#[test]
fn the_oracle_knows_erfc() {
    // Abramowitz and Stegun, table 7.1 and 7.3.
    for (x, expected) in [(0.0, 1.0), (0.5, 0.479_500_122_2), (1.5, 0.033_894_853_5), (2.5, 4.069_520_17e-4)] {
        assert!((erfc(x) - expected).abs() < 1e-9, "erfc({x}) = {}", erfc(x));
    }
    assert!((erfc(-1.5) + erfc(1.5) - 2.0).abs() < 1e-15);
}

#[test]
fn gelu_matches_the_oracle() {
    everywhere(|kernel, len, offset| {
        for scale in [0.01, 1.0, 6.0] {
            let before = values(len + 3, len + offset, scale);
            let mut x = before.clone();
            kernel.gelu(&mut x[offset..]);
            for (got, x) in x[offset..].iter().zip(&before[offset..]) {
                let expected = f64::from(*x) / 2.0 * erfc(-f64::from(*x) / std::f64::consts::SQRT_2);
                let bound = f64::from(x.abs()) / 2.0 * (1e-8 + 16.0 * UNIT_ROUNDOFF);
                assert_within(*got, expected, bound, &format!("{kernel:?} len {len} x {x}"));
            }
        }
    });
}

#[test]
fn gelu_far_out_is_zero_or_the_value() {
    for kernel in Kernel::available() {
        let mut x = [-1e30, -50.0, 50.0, 1e30];
        kernel.gelu(&mut x);
        assert_eq!(x, [0.0, 0.0, 50.0, 1e30], "{kernel:?}");
    }
}

#[test]
fn layer_norm_matches_the_oracle() {
    everywhere(|kernel, len, offset| {
        let (before, epsilon) = (values(len, ROWS * len + offset, 2.0), 1e-6_f32);
        let (weight, bias) = (values(11, len, 1.5), values(12, len, 0.5));
        let mut x = before.clone();
        kernel.layer_norm(&mut x[offset..], &weight, &bias, epsilon);
        for (x, before) in x[offset..].chunks(len.max(1)).zip(before[offset..].chunks(len.max(1))) {
            let input: Vec<f64> = before.iter().map(|x| f64::from(*x)).collect();
            let mean = input.iter().sum::<f64>() / len as f64;
            let variance = input.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / len as f64;
            let deviation = (variance + f64::from(epsilon)).sqrt();
            // The mean is off by `shift`, which adds shift² to the variance; sums pass at most `len` roundings.
            let shift = gamma(len + 2) * input.iter().map(|x| x.abs()).sum::<f64>() / len.max(1) as f64 / deviation;
            let relative = gamma(len + 8) / 2.0 + shift * shift / 2.0 + gamma(6);
            for (((got, x), weight), bias) in x.iter().zip(&input).zip(&weight).zip(&bias) {
                let (unit, weight, bias) = ((x - mean) / deviation, f64::from(*weight), f64::from(*bias));
                let bound =
                    weight.abs() * (unit.abs() * relative + shift) + gamma(2) * (bias.abs() + (unit * weight).abs());
                assert_within(*got, unit * weight + bias, bound, &format!("{kernel:?} len {len} offset {offset}"));
            }
        }
    });
}

#[test]
fn kernels_are_found_by_name() {
    for kernel in Kernel::available() {
        assert_eq!(Kernel::by_name(kernel.name()).unwrap().name(), kernel.name());
    }
    assert_eq!(Kernel::available().last().unwrap().name(), Kernel::best().name());
    let error = Kernel::by_name("mmx").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("\"mmx\"") && error.to_string().contains("scalar"), "{error}");
}

#[test]
#[should_panic(expected = "lengths of the factors")]
fn factors_of_different_lengths_panic() {
    Kernel::best().dot(&[1.0], &[1.0, 2.0]);
}

#[test]
#[should_panic(expected = "width of the left-hand rows")]
fn matrices_that_do_not_fit_panic() {
    let packed = Packed::from_columns(Rows::new(&[1.0; 6], 2, 3, 3));
    Kernel::best().matmul(Rows::new(&[1.0; 4], 2, 2, 2), &packed, None, RowsMut::new(&mut [0.0; 4], 2, 2, 2));
}
