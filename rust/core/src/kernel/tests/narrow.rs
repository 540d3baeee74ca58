//! Products with weights of sixteen and of eight bits.

use super::super::int8::{LARGEST_INPUT, QUAD, STEP};
use super::super::{bf16, int8, int16, scalar};
use super::*;

/// Rows, depth and columns of products: every tile, part of a panel and end of the depth.
fn shapes() -> impl Iterator<Item = (usize, usize, usize)> {
    let rows = (0..=30).map(|m| (m, 37, 33));
    let depths = (0..=70).map(|k| (5, k, 17));
    let columns = (0..=50).map(|n| (4, 19, n));
    // Depths of whole tiles.
    let tiled = (0..=70).map(|m| (m, 64, 33)).chain((0..=70).map(|n| (17, 128, n)));
    let large = [(14, 384, 48), (3, 1536, 16), (200, 1536, 16), (700, 1536, 48)];
    rows.chain(depths).chain(columns).chain(tiled).chain(large)
}

/// A column's weights and a row's inputs as bytes say them, in f64.
fn meant(packed: &PackedInt8, rows: &RowsInt8, (row, column): (usize, usize), depth: usize) -> (f64, f64) {
    let (height, scale) = (depth.next_multiple_of(STEP) / QUAD, rows.scales[row]);
    let panel = packed.panels.panel(column / PANEL);
    assert_eq!(panel.len(), height);
    let mut sums = (0.0, 0.0);
    for k in 0..depth {
        let weight = f64::from(panel[k / QUAD].0[column % PANEL][k % QUAD])
            * f64::from(packed.steps[column / PANEL][column % PANEL]);
        let input = f64::from(i32::from(rows.row(row)[k]) + scale.zero) * f64::from(scale.step);
        sums = (sums.0 + weight * input, sums.1 + (weight * input).abs());
    }
    sums
}

#[test]
fn products_of_whole_numbers_are_those_of_the_oracle_to_the_bit() {
    for (m, k, n) in shapes() {
        let (a, weights, bias) = (values(m + n, m * k, 3.0), values(k + 1, n * k, 2.0), values(5, n, 1.0));
        let factors: Vec<f32> = values(9, k, 0.9).iter().map(|x| 1.0 + x).collect();
        let packed = PackedInt8::from_columns(Rows::new(&weights, n, k, k), factors);
        let a = Rows::new(&a, m, k, k);
        let mut expected_rows = RowsInt8::default();
        scalar::Scalar.quantise_rows(a, packed.factors(), &mut expected_rows);
        let mut expected = vec![7.0; m * (n + 3)];
        int8::matmul(&expected_rows, &packed, Some(&bias), RowsMut::new(&mut expected, m, n, n + 3));
        for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))).step_by(7) {
            let (sum, magnitude) = meant(&packed, &expected_rows, (row, column), k);
            let (got, bias) = (expected[row * (n + 3) + column], f64::from(bias[column]));
            assert_within(got, sum + bias, gamma(5) * (magnitude + bias.abs()), &format!("({m}, {k}, {n})"));
        }
        for kernel in Kernel::available() {
            let (mut rows, mut out) = (RowsInt8::default(), vec![7.0; m * (n + 3)]);
            // Memory of a larger product: what it left behind counts nowhere.
            let used = vec![9.0; (m + 20) * (k + 9)];
            kernel.quantise_rows(Rows::new(&used, m + 20, k + 9, k + 9), &vec![1.0; k + 9], &mut rows);
            kernel.quantise_rows(a, packed.factors(), &mut rows);
            let bytes = |rows: &RowsInt8| (0..m).flat_map(|row| rows.row(row)[..k].to_vec()).collect::<Vec<_>>();
            assert!(
                bytes(&rows) == bytes(&expected_rows) && rows.scales == expected_rows.scales,
                "{kernel:?} ({m}, {k})"
            );
            kernel.matmul_int8(&rows, &packed, Some(&bias), RowsMut::new(&mut out, m, n, n + 3));
            assert_eq!(out, expected, "{kernel:?} ({m}, {k}, {n})");
        }
    }
}

#[test]
fn the_largest_inputs_and_weights_do_not_overflow() {
    // All inputs 127 and all weights of one sign: what the bound on a lane is for.
    for k in [1, 2, 15, 16, 17, 384] {
        for sign in [1.0, -1.0] {
            let packed = PackedInt8::from_columns(Rows::new(&vec![sign; 16 * k], 16, k, k), vec![1.0; k]);
            for kernel in Kernel::available() {
                let (mut rows, mut out) = (RowsInt8::default(), [0.0; 16]);
                kernel.quantise_rows(Rows::new(&vec![1.0; k], 1, k, k), packed.factors(), &mut rows);
                assert!(rows.row(0)[..k].iter().all(|byte| *byte == LARGEST_INPUT));
                kernel.matmul_int8(&rows, &packed, None, RowsMut::new(&mut out, 1, 16, 16));
                for got in out {
                    assert_within(got, f64::from(sign) * k as f64, 0.01 * k as f64, &format!("{kernel:?} depth {k}"));
                }
            }
        }
    }
}

#[test]
fn a_quantised_row_is_off_by_half_a_step() {
    for len in 0..=70 {
        for (scale, shift) in [(1.0, 0.0), (1e-20, 0.0), (1e20, 0.0), (0.1, 5.0), (0.1, -5.0), (0.0, 0.0), (0.0, 3.0)] {
            let row: Vec<f32> = values(len, len, scale).iter().map(|x| x + shift).collect();
            let mut rows = RowsInt8::default();
            Kernel::best().quantise_rows(Rows::new(&row, 1, len, len), &vec![1.0; len], &mut rows);
            let scale = rows.scales[0];
            let largest = row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
            for (x, byte) in row.iter().zip(rows.row(0)) {
                let meant = f64::from(scale.step) * f64::from(i32::from(*byte) + scale.zero);
                // A whole step where the ends are rounded towards each other.
                assert_within(
                    *x,
                    meant,
                    f64::from(scale.step) * 1.001 + f64::from(largest) * 1e-6,
                    &format!("{row:?}"),
                );
            }
        }
    }
}

/// A column's weights and a row's inputs as their sixteen bits say them, in f64.
fn meant_int16(packed: &PackedInt16, rows: &RowsInt16, (row, column): (usize, usize), depth: usize) -> (f64, f64) {
    let panel = packed.panels.panel(column / PANEL);
    let step = f64::from(packed.steps[column / PANEL][column % PANEL]) * f64::from(rows.steps[row]);
    let mut sums = (0.0, 0.0);
    for k in 0..depth {
        let weight = (panel[k / 2].0[column % PANEL] >> (k % 2 * 16)) as i16;
        let product = f64::from(weight) * f64::from(rows.row(row)[k / 2][k % 2]) * step;
        sums = (sums.0 + product, sums.1 + product.abs());
    }
    sums
}

#[test]
fn products_of_sixteen_bits_are_those_of_the_oracle_to_the_bit() {
    for (m, k, n) in shapes() {
        let (a, weights, bias) = (values(m + n, m * (k + 3), 3.0), values(k + 1, n * k, 2.0), values(5, n, 1.0));
        let packed = PackedInt16::from_columns(Rows::new(&weights, n, k, k));
        let a = Rows::new(&a, m, k, k + 3);
        // Memory of a larger product: what it left behind counts nowhere.
        let used = || {
            let mut rows = RowsInt16::default();
            scalar::Scalar
                .quantise_rows_int16(Rows::new(&vec![9.0; (m + 1) * (k + 9)], m + 1, k + 9, k + 9), &mut rows);
            rows
        };
        let mut expected_rows = used();
        scalar::Scalar.quantise_rows_int16(a, &mut expected_rows);
        let mut expected = vec![7.0; m * (n + 3)];
        int16::matmul(&expected_rows, &packed, Some(&bias), RowsMut::new(&mut expected, m, n, n + 3));
        for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column))).step_by(7) {
            let (sum, magnitude) = meant_int16(&packed, &expected_rows, (row, column), k);
            let (got, bias) = (expected[row * (n + 3) + column], f64::from(bias[column]));
            assert_within(got, sum + bias, gamma(5) * (magnitude + bias.abs()), &format!("({m}, {k}, {n})"));
        }
        for kernel in Kernel::available() {
            let (mut rows, mut out) = (used(), vec![7.0; m * (n + 3)]);
            kernel.quantise_rows_int16(a, &mut rows);
            for row in 0..m {
                let [got, wanted] = [&rows, &expected_rows].map(|rows| &rows.row(row).as_flattened()[..k]);
                assert!(got == wanted && rows.steps[row] == expected_rows.steps[row], "{kernel:?} ({m}, {k})");
            }
            kernel.matmul_int16(&rows, &packed, Some(&bias), RowsMut::new(&mut out, m, n, n + 3));
            assert_eq!(out, expected, "{kernel:?} ({m}, {k}, {n})");
        }
    }
}

#[test]
fn a_product_of_sixteen_bits_is_nearer_than_one_of_bf16() {
    let (m, k, n) = (5, 384, 32);
    let (a, weights) = (values(1, m * k, 1.0), values(2, n * k, 1.0));
    let a = Rows::new(&a, m, k, k);
    let (mut rows, mut fine, mut coarse) = (RowsInt16::default(), vec![0.0; m * n], vec![0.0; m * n]);
    let kernel = Kernel::best();
    kernel.quantise_rows_int16(a, &mut rows);
    let columns = Rows::new(&weights, n, k, k);
    kernel.matmul_int16(&rows, &PackedInt16::from_columns(columns), None, RowsMut::new(&mut fine, m, n, n));
    kernel.matmul_bf16(
        a,
        &PackedBf16::from_columns(columns),
        None,
        &mut RowsBf16::default(),
        RowsMut::new(&mut coarse, m, n, n),
    );
    let error = |got: &[f32]| {
        let errors = (0..m * n).map(|at| {
            let (row, column) = (at / n, at % n);
            f64::from(got[at]) - oracle_dot(a.row(row), &weights[column * k..][..k]).0
        });
        errors.map(|error| error * error).sum::<f64>().sqrt()
    };
    assert!(error(&fine) < error(&coarse) / 2.0, "{} and {}", error(&fine), error(&coarse));
}

#[test]
fn the_largest_inputs_and_weights_of_sixteen_bits_do_not_overflow() {
    // All inputs alike and all weights of one sign: what the bound on a column is for.
    for k in [1, 2, 3, 7, 8, 9, 15, 16, 17, 384, 1536, 4096, 20_001] {
        for sign in [1.0, -1.0] {
            // One large weight among small ones, too.
            for largest in [1.0, 1000.0] {
                let mut weights = vec![sign; 16 * k];
                weights.iter_mut().step_by(k).for_each(|w| *w *= largest);
                let packed = PackedInt16::from_columns(Rows::new(&weights, 16, k, k));
                for column in 0..16 {
                    let pairs = packed.panels.panel(0).iter().map(|strip| strip.0[column]);
                    let total: i64 =
                        pairs.map(|p| i64::from((p as i16).abs()) + i64::from(((p >> 16) as i16).abs())).sum();
                    assert!(total * i64::from(int16::LARGEST_INPUT) <= i64::from(i32::MAX), "depth {k}: {total}");
                }
                let expected = f64::from(sign) * (f64::from(largest) + k as f64 - 1.0);
                for kernel in Kernel::available() {
                    let (mut rows, mut out) = (RowsInt16::default(), [0.0; 16]);
                    kernel.quantise_rows_int16(Rows::new(&vec![1.0; k], 1, k, k), &mut rows);
                    assert!(rows.row(0).as_flattened()[..k].iter().all(|x| *x == int16::LARGEST_INPUT));
                    kernel.matmul_int16(&rows, &packed, None, RowsMut::new(&mut out, 1, 16, 16));
                    for got in out {
                        assert_within(got, expected, 0.06 * expected.abs(), &format!("{kernel:?} depth {k}"));
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_of_sixteen_bits_is_off_by_half_a_step() {
    for len in 0..=70 {
        for scale in [1.0, 1e-20, 1e20, 0.0] {
            let row = values(len, len, scale);
            let mut rows = RowsInt16::default();
            Kernel::best().quantise_rows_int16(Rows::new(&row, 1, len, len), &mut rows);
            for (x, value) in row.iter().zip(rows.row(0).as_flattened()) {
                let step = f64::from(rows.steps[0]);
                assert_within(*x, f64::from(*value) * step, step * 0.501, &format!("{row:?}"));
            }
        }
    }
}

#[test]
fn columns_keep_to_the_bound_and_lose_little() {
    let depth = 384;
    for (seed, spread) in (0..40).flat_map(|seed| [1, 3, 40].map(|spread| (seed, spread))) {
        // From even to a few large weights among small ones.
        let weights: Vec<f32> = values(seed, depth, 1.0).iter().map(|w| w.powi(spread)).collect();
        let packed = PackedInt8::from_columns(Rows::new(&weights, 1, depth, depth), vec![1.0; depth]);
        let panel = packed.panels.panel(0);
        let weight = |k: usize| panel[k / QUAD].0[0][k % QUAD];
        for lane in 0..depth / STEP * 2 {
            let places = (0..8).map(|i| lane / 2 * STEP + i / 2 * QUAD + lane % 2 * 2 + i % 2);
            assert!(places.map(|k| i32::from(weight(k)).abs()).sum::<i32>() * 127 <= 32_767, "seed {seed} lane {lane}");
        }
        for (k, w) in weights.iter().enumerate() {
            let step = f64::from(packed.steps[0][0]);
            assert_within(*w, f64::from(weight(k)) * step, step * 0.501, "a weight");
            assert!(step <= 4.0 / 127.0, "seed {seed}: step {step}");
        }
    }
}

#[test]
fn products_with_bf16_weights_match_the_oracle() {
    // One for all: what a product left behind counts nowhere.
    let mut scratch = RowsBf16::default();
    for (m, k, n) in shapes() {
        for offset in [0, 3] {
            let (a, weights, bias) =
                (values(m + n, m * (k + offset) + offset, 1.0), values(k + 1, n * k, 2.0), values(5, n, 1.0));
            let packed = PackedBf16::from_columns(Rows::new(&weights, n, k, k));
            let rounded: Vec<f32> = weights.iter().map(|w| bf16::widen(u32::from(bf16::round(*w)))[0]).collect();
            let a = Rows::new(&a[offset..], m, k, k + offset);
            for kernel in Kernel::available() {
                let mut out = vec![7.0; m * (n + 3)];
                kernel.matmul_bf16(a, &packed, Some(&bias), &mut scratch, RowsMut::new(&mut out, m, n, n + 3));
                for (at, got) in out.iter().enumerate() {
                    let (i, j) = (at / (n + 3), at % (n + 3));
                    if j >= n {
                        assert_eq!(*got, 7.0, "{kernel:?} ({m}, {k}, {n}): wrote between the rows");
                        continue;
                    }
                    let (sum, magnitude) = oracle_dot(a.row(i), &rounded[j * k..(j + 1) * k]);
                    let (expected, magnitude) = (sum + f64::from(bias[j]), magnitude + f64::from(bias[j].abs()));
                    let bound = (matmul_error(k) * 1.001 + 2f64.powi(-8)) * magnitude;
                    assert_within(*got, expected, bound, &format!("{kernel:?} ({m}, {k}, {n}) at ({i}, {j})"));
                }
            }
        }
    }
}

#[test]
fn bf16_is_the_nearest_and_of_two_the_even_one() {
    let widened = |bits: u16| bf16::widen(u32::from(bits))[0];
    for x in
        values(1, 5000, 100.0).into_iter().chain([0.0, -0.0, 1.0, f32::MIN_POSITIVE, 1e-42, f32::MAX, f32::INFINITY])
    {
        let near = bf16::round(x);
        for other in [near.wrapping_sub(1), near.wrapping_add(1)].map(widened).into_iter().filter(|y| y.is_finite()) {
            let (ours, theirs) = ((widened(near) - x).abs(), (other - x).abs());
            assert!(ours < theirs || (ours == theirs && near.is_multiple_of(2)) || widened(near).is_infinite(), "{x}");
        }
    }
    assert_eq!((widened(bf16::round(1.0)), widened(bf16::round(f32::INFINITY))), (1.0, f32::INFINITY));
    assert!(widened(bf16::round(f32::NAN)).is_nan());
    assert_eq!(bf16::widen(0x4000_3f80), [1.0, 2.0]);
}
