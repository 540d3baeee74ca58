//! Memory in huge pages, for weights that are streamed from front to back with every product.
//!
//! With 4 KiB pages such a stream misses the translation buffer at every page, and the processor's prefetcher stops there.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::Deref;
use std::ptr::NonNull;
use std::slice;

use super::pack::Strip;

/// The size of a huge page on x86-64, and on aarch64 with 4 KiB pages.
const HUGE: usize = 2 << 20;

/// Strips that do not change any more, aligned to huge pages, and in huge pages where the system grants them.
#[derive(Debug)]
pub(super) struct Pages {
    start: NonNull<Strip>,
    len: usize,
}

// SAFETY: the memory belongs to this value alone, and after construction it is only read.
unsafe impl Send for Pages {}
// SAFETY: as above: shared references only read.
unsafe impl Sync for Pages {}

impl Pages {
    /// The strips of `parts`, one part after the other.
    pub(super) fn copy_of(parts: &[&[Strip]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let layout = layout(len);
        // SAFETY: `layout` is never of size zero.
        let memory = unsafe { alloc(layout) };
        #[allow(clippy::cast_ptr_alignment)] // the layout asks for far more than a strip's 64 bytes
        let Some(start) = NonNull::new(memory.cast::<Strip>()) else { handle_alloc_error(layout) };
        advise(memory, layout.size());
        let mut filled = 0;
        for part in parts {
            // SAFETY: `filled` plus the parts that are still to come is `len`, for which there is room.
            let to = unsafe { start.add(filled) };
            // SAFETY: there is room for the part at `to`, and fresh memory overlaps nothing.
            unsafe { to.copy_from_nonoverlapping(NonNull::from(*part).cast(), part.len()) };
            filled += part.len();
        }
        Self { start, len }
    }
}

impl Deref for Pages {
    type Target = [Strip];

    fn deref(&self) -> &[Strip] {
        // SAFETY: all `len` strips were written at construction and live as long as this value.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the memory was allocated with the same layout, and a strip has nothing to drop.
        unsafe { dealloc(self.start.as_ptr().cast(), layout(self.len)) };
    }
}

/// Whole huge pages that hold `len` strips, at least one.
fn layout(len: usize) -> Layout {
    let bytes = (len.max(1) * size_of::<Strip>()).next_multiple_of(HUGE);
    Layout::from_size_align(bytes, HUGE).expect("strips that exist in memory have a size that a layout can say")
}

/// Asks for huge pages. The answer does not matter: without them the same bytes are read, only slower.
#[cfg(target_os = "linux")]
fn advise(memory: *mut u8, bytes: usize) {
    // SAFETY: the range was allocated just now, and the advice changes no byte of it.
    unsafe { libc::madvise(memory.cast(), bytes, libc::MADV_HUGEPAGE) };
}

/// Huge pages are asked for on Linux alone.
#[cfg(not(target_os = "linux"))]
fn advise(_memory: *mut u8, _bytes: usize) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::PANEL;

    #[test]
    fn parts_lie_one_after_the_other() {
        let strip = |value: u8| Strip([f32::from(value); PANEL]);
        let (one, two) = (vec![strip(1); 3], vec![strip(2); 40_000]);
        let pages = Pages::copy_of(&[&one, &[], &two]);
        assert_eq!(pages.start.as_ptr() as usize % HUGE, 0);
        assert_eq!(pages.len(), 40_003);
        let bits = |strip: &Strip| strip.0.map(f32::to_bits);
        assert!(pages[..3].iter().all(|copy| bits(copy) == bits(&strip(1))));
        assert!(pages[3..].iter().all(|copy| bits(copy) == bits(&strip(2))));
        assert!(Pages::copy_of(&[]).is_empty());
    }
}
