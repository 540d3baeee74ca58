//! Asking for memory before it is needed.
#![allow(unsafe_code)]

/// Bytes of a cache line.
const LINE: usize = 64;

/// Fetches the lines of `values`, so that reading them soon does not wait. Does nothing where there is no such instruction.
#[inline]
pub(crate) fn prefetch<T>(values: &[T]) {
    lines(values).for_each(prefetch_line);
}

/// Fetches the lines of `values` into the second cache, for later.
#[inline]
pub(crate) fn prefetch_for_later<T>(values: &[T]) {
    for address in lines(values) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: a prefetch reads nothing that the program sees, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = address;
    }
}

/// Fetches the line of an address, whatever it is.
#[inline]
pub(super) fn prefetch_line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program sees, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// An address in each line of `values`.
#[inline]
fn lines<T>(values: &[T]) -> impl Iterator<Item = *const u8> {
    let start = values.as_ptr().cast::<u8>();
    (0..size_of_val(values)).step_by(LINE).map(move |at| start.wrapping_add(at))
}
