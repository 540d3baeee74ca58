//! Comparing the tags of a set all at once.
//!
//! A tag has 16 bits, the top one set; an empty slot has 0. Each function returns one bit for each slot.

#![allow(unsafe_code)]

use super::WAYS;

/// Tags in a word.
pub(super) const LANES: usize = 4;
/// Words of a set.
pub(super) const WORDS: usize = WAYS.div_ceil(LANES);
/// The tag's bit that says that the slot is taken.
pub(super) const TAKEN: u64 = 0x8000;
#[cfg(any(test, loom, not(target_arch = "x86_64")))]
const EVERY_LANE: u64 = 0x0001_0001_0001_0001;

/// The slots that are taken.
#[inline]
pub(super) fn taken(tags: [u64; WORDS]) -> u32 {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    // SAFETY: every x86-64 processor has SSE2.
    return unsafe { sse2::taken(tags) };
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    return gather(tags);
}

/// The slots with this tag, and perhaps one more behind each.
#[inline]
pub(super) fn equal(tags: [u64; WORDS], tag: u64) -> u32 {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    // SAFETY: every x86-64 processor has SSE2.
    return unsafe { sse2::equal(tags, tag) };
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    return equal_in_words(tags, tag);
}

/// Subtracting 1 from a lane that is 0 sets its top bit; it may borrow from the lane behind.
#[cfg(any(test, loom, not(target_arch = "x86_64")))]
fn equal_in_words(tags: [u64; WORDS], tag: u64) -> u32 {
    gather(tags.map(|tags| {
        let difference = tags ^ (EVERY_LANE * tag);
        difference.wrapping_sub(EVERY_LANE) & !difference
    }))
}

/// The top bits of the lanes, side by side.
#[cfg(any(test, loom, not(target_arch = "x86_64")))]
fn gather(words: [u64; WORDS]) -> u32 {
    let words = words.iter().enumerate().map(|(word, lanes)| {
        let tops = (lanes & (EVERY_LANE * TAKEN)) >> 15;
        (tops.wrapping_mul((1 << 60) | (1 << 45) | (1 << 30) | (1 << 15)) >> 60) << (LANES * word)
    });
    words.fold(0, |all, word| all | word) as u32
}

#[cfg(all(target_arch = "x86_64", not(loom)))]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi16, _mm_cvtsi64_si128, _mm_movemask_epi8, _mm_packs_epi16, _mm_set_epi64x, _mm_set1_epi16,
    };

    use super::WORDS;

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(tags: [u64; WORDS]) -> (__m128i, __m128i) {
        (_mm_set_epi64x(tags[1] as i64, tags[0] as i64), _mm_cvtsi64_si128(tags[2] as i64))
    }

    /// The signs of the lanes, side by side: packing keeps them.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn signs(low: __m128i, high: __m128i) -> u32 {
        _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn taken(tags: [u64; WORDS]) -> u32 {
        let (low, high) = load(tags);
        signs(low, high)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn equal(tags: [u64; WORDS], tag: u64) -> u32 {
        let ((low, high), wanted) = (load(tags), _mm_set1_epi16(tag as i16));
        signs(_mm_cmpeq_epi16(low, wanted), _mm_cmpeq_epi16(high, wanted))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_to_compare_agrees_with_the_plain_one(
            lanes in prop::array::uniform12(prop_oneof![Just(0u16), 0x8000..0x8004u16, 0x8000..=u16::MAX]),
            wanted in 0x8000..0x8004u16,
        ) {
            let words: [u64; WORDS] =
                std::array::from_fn(|word| (0..LANES).map(|lane| u64::from(lanes[word * LANES + lane]) << (16 * lane)).sum());
            let plain = |test: &dyn Fn(u16) -> bool| {
                lanes.iter().enumerate().map(|(way, &tag)| u32::from(test(tag)) << way).sum::<u32>()
            };
            let (is_taken, is_equal) = (plain(&|tag| tag != 0), plain(&|tag| tag == wanted));
            prop_assert_eq!(taken(words), is_taken);
            prop_assert_eq!(gather(words), is_taken);
            for found in [equal(words, wanted.into()), equal_in_words(words, wanted.into())] {
                prop_assert_eq!(found & is_equal, is_equal, "one is missed");
                prop_assert_eq!(found & !is_equal & !((is_equal << 1) | (found << 1)), 0, "one more than behind each");
                prop_assert_eq!(found & !is_taken, 0, "an empty slot");
            }
        }
    }
}
