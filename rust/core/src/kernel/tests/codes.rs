//! Signs and nibbles: every kernel against plain loops over the components, to the bit.

use super::*;
use crate::kernel::codes::{
    BLOCK, GROUP, HighFilter, HighShape, LEVELS, SignTable, move_signs, pack_nibbles, pack_signs, padded,
};

/// All lengths up to 1,100, padded, and the longest there is.
const DIMS: [usize; 19] =
    [64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960, 1024, 1088, 1152, 4096];

fn signs_of(rows: &[Vec<f32>], dim: usize) -> Vec<u8> {
    let width = dim / 8 * GROUP;
    let mut signs = vec![0; rows.len().div_ceil(GROUP) * width];
    for (at, row) in rows.iter().enumerate() {
        pack_signs(row, &mut signs[at / GROUP * width..][..width], at % GROUP);
    }
    signs
}

fn signed_sum(weights: &[f32], row: &[f32]) -> f64 {
    weights.iter().zip(row).map(|(w, x)| f64::from(if *x < 0.0 { -w } else { *w })).sum()
}

/// Limits around the sums that random rows have, from far below to far above.
fn limits(dim: usize, shift: f64) -> [f64; LEVELS] {
    std::array::from_fn(|level| ((level as f64 - 7.5) * 0.075 + shift) * (dim as f64).sqrt())
}

/// How far from its limit a row passes although it need not: entries are steps of a 127th of the largest.
fn looseness(weights: &[f32]) -> f64 {
    let reach = weights.as_chunks::<4>().0.iter().map(|four| four.iter().map(|w| w.abs()).sum::<f32>());
    let fours = weights.len() / 4;
    let entries = 127.min(usize::from(u16::MAX) / fours);
    f64::from(reach.fold(0.0, f32::max)) * 2.0 / entries as f64 * (1.4 * fours as f64 + 2.0)
}

#[test]
fn rows_that_reach_their_limit_pass() {
    for dim in DIMS {
        let weights = values(dim, dim, 0.2);
        let rows: Vec<_> = (0..70).map(|row| values(dim + row, dim, 1.0)).collect();
        let (signs, levels) = (signs_of(&rows, dim), (0..96).map(|row| row as u8 % 16).collect::<Vec<_>>());
        let mut table = SignTable::new(&weights);
        let (mut passed, mut stopped) = (0, 0);
        for shift in [-0.4, 0.0, 0.3] {
            table.set_limits(&limits(dim, shift));
            let mut masks = [0; 3];
            scalar::Scalar.scan_signs(&table, &signs, &levels, &mut masks);
            for (at, row) in rows.iter().enumerate() {
                let pass = masks[at / GROUP] >> (at % GROUP) & 1 == 1;
                let (sum, limit) = (signed_sum(&weights, row), limits(dim, shift)[usize::from(levels[at])]);
                assert!(pass || sum < limit, "dim {dim} row {at}: {sum} reaches {limit}");
                assert!(!pass || sum >= limit - looseness(&weights), "dim {dim} row {at}: {sum} is far below {limit}");
                passed += usize::from(pass);
                stopped += usize::from(!pass);
            }
        }
        assert!(passed > 5 && stopped > 5, "dim {dim}: {passed} passed, {stopped} did not");
    }
}

#[test]
fn every_kernel_scans_signs_alike() {
    for dim in DIMS {
        for (groups, offset) in [(0, 0), (1, 1), (2, 3), (3, 32), (4, 7), (5, 64)] {
            let rows: Vec<_> = (0..groups * GROUP).map(|row| values(dim + row, dim, 1.0)).collect();
            let signs = [vec![0; offset], signs_of(&rows, dim)].concat();
            let levels: Vec<u8> = (0..offset + rows.len()).map(|row| (row * 7 % 16) as u8).collect();
            let mut table = SignTable::new(&values(dim + groups, dim, 0.2));
            table.set_limits(&limits(dim, 0.0));
            let scan = |kernel: Kernel| {
                let mut masks = vec![0; groups];
                kernel.scan_signs(&table, &signs[offset..], &levels[offset..], &mut masks);
                masks
            };
            let expected = scan(Kernel(&scalar::Scalar));
            for kernel in Kernel::available() {
                assert_eq!(scan(kernel), expected, "{kernel:?} dim {dim} groups {groups} offset {offset}");
                let tables: [SignTable; 4] = std::array::from_fn(|seed| {
                    let mut table = SignTable::new(&values(dim + 9 * seed, dim, 0.2));
                    table.set_limits(&limits(dim, 0.1 * seed as f64));
                    table
                });
                let (signs, levels) = (&signs[offset..], &levels[offset..]);
                let (mut together, mut alone) = ([(); 4].map(|()| vec![7; groups]), [(); 4].map(|()| vec![0; groups]));
                let masks = together.each_mut().map(Vec::as_mut_slice);
                kernel.scan_signs_of_four(tables.each_ref(), signs, levels, masks);
                for (table, masks) in tables.iter().zip(&mut alone) {
                    kernel.scan_signs(table, signs, levels, masks);
                }
                assert_eq!(together, alone, "{kernel:?} dim {dim}: four tables");
            }
        }
    }
}

#[test]
fn limits_out_of_range_let_all_pass_or_none() {
    for dim in [64, 4096] {
        let rows: Vec<_> = (0..GROUP).map(|row| values(row, dim, 1.0)).collect();
        let signs = signs_of(&rows, dim);
        // The largest sum that there can be: all entries at their top.
        for weights in [vec![1.0; dim], vec![0.0; dim], values(3, dim, f32::MIN_POSITIVE)] {
            let mut table = SignTable::new(&weights);
            for (limit, mask) in [(f64::NEG_INFINITY, u32::MAX), (-1e300, u32::MAX), (1e300, 0), (f64::INFINITY, 0)] {
                table.set_limits(&[limit; LEVELS]);
                for kernel in Kernel::available() {
                    let mut masks = [7];
                    kernel.scan_signs(&table, &signs, &[9; GROUP], &mut masks);
                    assert_eq!(masks, [mask], "{kernel:?} dim {dim} limit {limit}");
                }
            }
        }
        let mut table = SignTable::new(&vec![1.0; dim]);
        table.set_limits(&[dim as f64; LEVELS]);
        for kernel in Kernel::available() {
            let mut masks = [0];
            let all = signs_of(&vec![vec![1.0; dim]; GROUP], dim);
            kernel.scan_signs(&table, &all, &[15; GROUP], &mut masks);
            assert_eq!(masks, [u32::MAX], "{kernel:?}: a sum of {dim} ones");
        }
    }
}

#[test]
fn every_kernel_multiplies_nibbles_exactly() {
    for dim in DIMS {
        for (queries, rows, offset) in
            [(1, 1, 0), (1, 4, 1), (1, 7, 5), (2, 3, 0), (4, 2, 32), (7, 9, 3), (9, 0, 0), (0, 0, 0)]
        {
            // The extreme values among them: all at once are what sixteen bits must hold.
            let number =
                |seed: usize, at: usize| (seed * 31 + at * 17 + at / 7) % if seed.is_multiple_of(3) { 1 } else { 16 };
            let nibbles: Vec<Vec<u8>> =
                (0..rows).map(|row| (0..dim).map(|at| 15 - number(row, at) as u8).collect()).collect();
            let weight = |seed: usize, at: usize| if seed == 0 { 91 } else { (at * 37 + seed * 11) as i32 % 183 - 91 };
            let weights: Vec<Vec<i8>> =
                (0..queries).map(|query| (0..dim).map(|at| weight(query, at) as i8).collect()).collect();
            let mut packed = vec![0; offset + rows * dim / 2];
            for (row, packed) in nibbles.iter().zip(packed[offset..].chunks_exact_mut(dim / 2)) {
                pack_nibbles(row, packed);
            }
            let product = |row: &[u8], query: &[i8]| {
                row.iter().zip(query).map(|(n, q)| i32::from(*n) * i32::from(*q)).sum::<i32>()
            };
            let expected: Vec<i32> =
                weights.iter().flat_map(|query| nibbles.iter().map(move |row| product(row, query))).collect();
            let queries: Vec<&[i8]> = weights.iter().map(Vec::as_slice).collect();
            for kernel in Kernel::available() {
                let mut out = vec![i32::MIN; expected.len()];
                kernel.dot_nibbles(&queries, &packed[offset..], &mut out);
                assert_eq!(out, expected, "{kernel:?} dim {dim} queries {} rows {rows}", queries.len());
                let apart: Vec<&[u8]> = packed[offset..].chunks_exact(dim / 2).rev().collect();
                for (at, query) in queries.iter().enumerate() {
                    let mut out = vec![i32::MIN; rows];
                    kernel.dot_nibbles_of(query, &apart, &mut out);
                    let expected = expected[at * rows..][..rows].iter().rev();
                    assert!(out.iter().eq(expected), "{kernel:?} dim {dim} rows {rows} that lie apart");
                }
            }
        }
    }
}

#[test]
fn signs_move_alone() {
    let (rows, dim) = ((0..40).map(|row| values(row, 128, 1.0)).collect::<Vec<_>>(), 128);
    let width = dim / 8 * GROUP;
    let mut signs = signs_of(&rows, dim);
    let (first, second) = signs.split_at_mut(width);
    move_signs(second, 3, first, 17);
    let mut expected = rows.clone();
    expected[17].clone_from(&rows[35]);
    assert_eq!(signs, signs_of(&expected, dim));
}

#[test]
fn padding_is_the_next_block() {
    assert_eq!([1, 63, 64, 65, 384, 4096].map(padded), [64, 64, 64, 128, 384, 4096]);
    assert_eq!(padded(1) % BLOCK, 0);
}

#[test]
fn every_kernel_quantises_and_mixes_alike() {
    for dim in DIMS {
        let row = values(dim, dim, 1.0);
        let signs: Vec<f32> = (0..dim).map(|at| if at % 3 == 0 { -1.0 } else { 1.0 }).collect();
        let span = 1 << dim.ilog2();
        let run = |kernel: Kernel| {
            let (mut high, mut low) = (vec![0; dim], vec![0; dim]);
            let nibbles = kernel.quantise(&row, 1.0 / 119.0, &mut high, &mut low);
            let (mut mixed, mut scratch) = (row.clone(), vec![0.0; span]);
            kernel.mix(&mut mixed, &signs, dim - span, &mut scratch);
            (high, low, nibbles, mixed)
        };
        let expected = run(Kernel(&scalar::Scalar));
        for kernel in Kernel::available() {
            assert_eq!(run(kernel), expected, "{kernel:?} dim {dim}");
        }
        let (high, low, nibbles, mixed) = expected;
        let steps = |at: usize| (i32::from(high[at]) - 8) * 16 + i32::from(low[at]) - 8;
        let off: f64 =
            (0..dim).map(|at| (f64::from(row[at]) - f64::from(steps(at)) * f64::from(1.0_f32 / 119.0)).powi(2)).sum();
        assert!((nibbles.off - off).abs() < 1e-12 && off < dim as f64 / 119.0 / 119.0 / 4.0 * 1.01, "dim {dim}");
        let square = |values: &[f32]| values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        assert!((square(&mixed) / square(&row) - 1.0).abs() < 1e-5, "dim {dim}: lengths stay");
        assert!((nibbles.square - square(&row)).abs() < 1e-9, "dim {dim}");
    }
}

#[test]
fn every_kernel_sieves_alike() {
    for rows in [0, 1, 31, 32, 33, 100] {
        let numbers = values(rows, 3 * rows, 1.0);
        let shapes: Vec<HighShape> = numbers
            .as_chunks()
            .0
            .iter()
            .map(|[scale, alignment, distance]| HighShape { scale: *scale, alignment: *alignment, distance: *distance })
            .collect();
        let products: Vec<i32> = values(rows + 1, rows, 2000.0).into_iter().map(|x| x as i32).collect();
        for slack in [-0.3, 0.0, 0.3, f32::INFINITY] {
            let filter = HighFilter { offset: 77, step: 0.001, slack, score: 0.7, distance: 0.6 };
            let passes = products.iter().zip(&shapes).map(|(product, shape)| filter.passes(*product, *shape));
            let mut expected = vec![0; rows.div_ceil(32)];
            passes.enumerate().filter(|(_, passes)| *passes).for_each(|(row, _)| expected[row / 32] |= 1 << (row % 32));
            for kernel in Kernel::available() {
                let mut masks = vec![7; rows.div_ceil(32)];
                kernel.sieve_high(&filter, &products, &shapes, &mut masks);
                assert_eq!(masks, expected, "{kernel:?} rows {rows} slack {slack}");
            }
        }
    }
}
