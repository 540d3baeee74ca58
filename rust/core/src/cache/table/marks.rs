//! Finding the oldest of the marks of a set.
//!
//! A mark is the low half of a clock's ticks when a slot was used, or 0 where the slot is empty.

#![allow(unsafe_code)]

use super::WAYS;
use super::tags::{LANES, WORDS};

/// How old a mark is at `now`: 1 for what is new, more for what is older, 0 for an empty slot. What is older than 2^15
/// ticks counts as new, like what was marked after `now` was read.
#[cfg(any(test, loom, not(target_arch = "x86_64")))]
#[inline]
fn rank(now: u16, mark: u16) -> i16 {
    let age = (now.wrapping_sub(mark) as i16).max(0).saturating_add(1);
    if mark == 0 { 0 } else { age }
}

/// The marks of a set, four in a word, the first of them lowest.
pub(super) type Marks = [u64; WORDS];

/// Puts marks together.
#[inline(always)]
pub(super) fn gather(mark: impl Fn(usize) -> u16) -> Marks {
    let mut words = [0; WORDS];
    for way in 0..WAYS {
        words[way / LANES] |= u64::from(mark(way)) << (16 * (way % LANES));
    }
    words
}

/// The rank and the place of the oldest, the first of several; rank 0 if all slots are empty.
#[inline(always)]
pub(super) fn oldest(marks: Marks, now: u16) -> (i16, usize) {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    return sse2::oldest(marks, now);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    return oldest_one_by_one(marks, now);
}

#[cfg(any(test, loom, not(target_arch = "x86_64")))]
fn oldest_one_by_one(marks: Marks, now: u16) -> (i16, usize) {
    let mark = |way: usize| (marks[way / LANES] >> (16 * (way % LANES))) as u16;
    let ranks = (0..WAYS).map(|way| (rank(now, mark(way)), way));
    ranks.fold((0, 0), |best, next| if next.0 > best.0 { next } else { best })
}

#[cfg(all(target_arch = "x86_64", not(loom)))]
mod sse2 {
    // Not functions with a target feature, which cannot be inlined at will: every x86-64 processor has this one.
    #![allow(clippy::multiple_unsafe_ops_per_block, reason = "each is an instruction that touches no memory")]

    use std::arch::x86_64::{
        __m128i, _mm_adds_epi16, _mm_andnot_si128, _mm_cmpeq_epi16, _mm_cvtsi64_si128, _mm_cvtsi128_si32,
        _mm_max_epi16, _mm_movemask_epi8, _mm_packs_epi16, _mm_set_epi64x, _mm_set1_epi16, _mm_setzero_si128,
        _mm_shuffle_epi32, _mm_shufflelo_epi16, _mm_sub_epi16,
    };

    use super::{Marks, WAYS};

    #[inline(always)]
    fn ranks(marks: __m128i, now: __m128i) -> __m128i {
        // SAFETY: every x86-64 processor has SSE2.
        unsafe {
            let zero = _mm_setzero_si128();
            let age = _mm_adds_epi16(_mm_max_epi16(_mm_sub_epi16(now, marks), zero), _mm_set1_epi16(1));
            _mm_andnot_si128(_mm_cmpeq_epi16(marks, zero), age)
        }
    }

    #[inline(always)]
    pub(super) fn oldest(marks: Marks, now: u16) -> (i16, usize) {
        const { assert!(WAYS == 12) };
        // SAFETY: every x86-64 processor has SSE2.
        unsafe {
            let now = _mm_set1_epi16(now as i16);
            let low = ranks(_mm_set_epi64x(marks[1] as i64, marks[0] as i64), now);
            // The other half of the register is 0: empty slots.
            let high = ranks(_mm_cvtsi64_si128(marks[2] as i64), now);
            let mut best = _mm_max_epi16(low, high);
            best = _mm_max_epi16(best, _mm_shuffle_epi32::<0b_01_00_11_10>(best));
            best = _mm_max_epi16(best, _mm_shuffle_epi32::<0b_00_00_00_01>(best));
            best = _mm_max_epi16(best, _mm_shufflelo_epi16::<0b_00_00_00_01>(best));
            let best = _mm_cvtsi128_si32(best) as i16;
            let wanted = _mm_set1_epi16(best);
            let places = _mm_packs_epi16(_mm_cmpeq_epi16(low, wanted), _mm_cmpeq_epi16(high, wanted));
            (best, _mm_movemask_epi8(places).trailing_zeros() as usize)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_at_once_is_the_same_as_one_by_one(
            marks in prop::array::uniform12(prop_oneof![Just(0u16), any::<u16>(), 1000..1010u16]),
            now in prop_oneof![any::<u16>(), 1000..1010u16],
        ) {
            let words = gather(|way| marks[way]);
            let (rank, place) = oldest(words, now);
            prop_assert_eq!(rank, oldest_one_by_one(words, now).0);
            prop_assert_eq!(rank, super::rank(now, marks[place]));
        }
    }

    #[test]
    fn the_clock_may_wrap_around() {
        let mut marks = [0; WAYS];
        assert_eq!(oldest(gather(|way| marks[way]), 5).0, 0, "all empty");
        (marks[3], marks[7], marks[9]) = (4, 65_530, 8);
        assert_eq!(
            oldest(gather(|way| marks[way]), 5),
            (12, 7),
            "eleven ticks ago; 8 was marked just now by somebody else"
        );
    }
}
