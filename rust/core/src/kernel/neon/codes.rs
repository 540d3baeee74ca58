//! Products of signs and of nibbles.
#![allow(unsafe_code)]

use std::arch::aarch64::{
    int8x16_t, int32x4_t, uint8x16_t, vaddq_u8, vaddvq_s32, vaddw_high_u8, vaddw_u8, vandq_u8, vdupq_n_s32, vdupq_n_u8,
    vdupq_n_u16, vget_low_s8, vget_low_u8, vld1q_s8, vld1q_u8, vmlal_high_s8, vmlal_s8, vmull_high_s8, vmull_s8,
    vpadalq_s16, vqtbl1q_u8, vreinterpretq_s8_u8, vshrq_n_u8, vst1q_u16,
};

use super::super::codes::{BLOCK, GROUP, SignTable};

#[inline]
#[target_feature(enable = "neon")]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference is to 16 readable bytes.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_signed(bytes: &[i8; 16]) -> int8x16_t {
    // SAFETY: the reference is to 16 readable bytes.
    unsafe { vld1q_s8(bytes.as_ptr()) }
}

#[target_feature(enable = "neon")]
pub(super) fn scan_signs(table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]) {
    table.check(signs, levels, masks);
    let columns = table.entries().as_chunks::<2>().0;
    let groups = signs.chunks_exact(columns.len().max(1) * GROUP).zip(levels.as_chunks::<GROUP>().0);
    for ((group, levels), mask) in groups.zip(masks) {
        let mut sums = [vdupq_n_u16(0); GROUP / 8];
        for (column, [low, high]) in group.as_chunks::<GROUP>().0.iter().zip(columns) {
            let (low, high) = (load(low), load(high));
            for (bytes, sums) in column.as_chunks().0.iter().zip(sums.as_chunks_mut::<2>().0) {
                let bytes = load(bytes);
                let lower = vqtbl1q_u8(low, vandq_u8(bytes, vdupq_n_u8(15)));
                let sum = vaddq_u8(lower, vqtbl1q_u8(high, vshrq_n_u8::<4>(bytes)));
                *sums = [vaddw_u8(sums[0], vget_low_u8(sum)), vaddw_high_u8(sums[1], sum)];
            }
        }
        let mut all = [0_u16; GROUP];
        for (all, sum) in all.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
            // SAFETY: the reference is to eight writable values.
            unsafe { vst1q_u16(all.as_mut_ptr(), sum) }
        }
        let pass = |row: usize| all[row] >= table.limits()[usize::from(levels[row] & 15)];
        *mask = (0..GROUP).fold(0, |mask, row| mask | u32::from(pass(row)) << row);
    }
}

/// Adds the products of a block: sixteen bits hold two of 15 · 91 each.
#[inline]
#[target_feature(enable = "neon")]
fn add_block(sum: int32x4_t, query: &[i8; BLOCK], bytes: &[u8; BLOCK / 2]) -> int32x4_t {
    let (query, bytes) = (query.as_chunks::<16>().0, bytes.as_chunks::<16>().0);
    let mut sum = sum;
    for half in 0..2 {
        let packed = load(&bytes[half]);
        let low = vreinterpretq_s8_u8(vandq_u8(packed, vdupq_n_u8(15)));
        let high = vreinterpretq_s8_u8(vshrq_n_u8::<4>(packed));
        let (first, second) = (load_signed(&query[half]), load_signed(&query[2 + half]));
        let near = vmlal_s8(vmull_s8(vget_low_s8(low), vget_low_s8(first)), vget_low_s8(high), vget_low_s8(second));
        let far = vmlal_high_s8(vmull_high_s8(low, first), high, second);
        sum = vpadalq_s16(vpadalq_s16(sum, near), far);
    }
    sum
}

/// Σ nᵢqᵢ.
#[inline]
#[target_feature(enable = "neon")]
fn product(query: &[i8], row: &[u8]) -> i32 {
    let blocks = query.as_chunks::<BLOCK>().0.iter().zip(row.as_chunks::<{ BLOCK / 2 }>().0);
    let mut sum = vdupq_n_s32(0);
    for (query, bytes) in blocks {
        sum = add_block(sum, query, bytes);
    }
    vaddvq_s32(sum)
}

/// Σ nᵢqᵢ of four queries and two rows.
#[target_feature(enable = "neon")]
pub(super) fn of_queries(queries: &[&[i8]; 4], [first, second]: &[&[u8]; 2]) -> [[i32; 4]; 2] {
    [of_four(queries, first), of_four(queries, second)]
}

#[inline]
#[target_feature(enable = "neon")]
fn of_four(queries: &[&[i8]; 4], row: &[u8]) -> [i32; 4] {
    [product(queries[0], row), product(queries[1], row), product(queries[2], row), product(queries[3], row)]
}

/// Σ nᵢqᵢ of one query and four rows.
#[target_feature(enable = "neon")]
pub(super) fn of_rows(query: &[i8], rows: &[&[u8]; 4]) -> [i32; 4] {
    [product(query, rows[0]), product(query, rows[1]), product(query, rows[2]), product(query, rows[3])]
}
