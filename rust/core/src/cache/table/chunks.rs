//! Memory for the tables of large caches, in huge pages where the system grants them.
//!
//! A lookup in a large cache goes to a random place. With pages of 4 KiB the processor has to look up where that page lies
//! first, and finds neither that nor the data in its own memories; with pages of 2 MiB it knows. Tables are smaller than
//! that, so several of the same size share a chunk.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

use crate::sync::{Mutex, lock};

/// The size of a huge page on x86-64, and on aarch64 with 4 KiB pages.
const CHUNK: usize = 2 << 20;

struct Chunk {
    start: *mut u8,
    /// Bytes of each block.
    block: usize,
    /// Where blocks begin that nobody has.
    free: Vec<usize>,
}

// SAFETY: it owns the memory, which any thread may free.
unsafe impl Send for Chunk {}

static CHUNKS: Mutex<Vec<Chunk>> = Mutex::new(Vec::new());

/// Whether chunks have room for blocks of this size, and more than one.
pub(super) fn suit(layout: Layout) -> bool {
    layout.size() <= CHUNK / 4
}

fn layout() -> Layout {
    Layout::from_size_align(CHUNK, CHUNK).expect("a power of two is aligned to itself")
}

/// A block of memory, to be given to [`free`].
pub(super) fn allocate(wanted: Layout) -> *mut u8 {
    let block = wanted.size().next_multiple_of(wanted.align());
    let mut chunks = lock(&CHUNKS);
    let with_room = chunks.iter().position(|chunk| chunk.block == block && !chunk.free.is_empty());
    let with_room = with_room.unwrap_or_else(|| {
        chunks.push(Chunk::new(block));
        chunks.len() - 1
    });
    let chunk = &mut chunks[with_room];
    let at = chunk.free.pop().expect("the chunk has room");
    // SAFETY: the block lies in the chunk.
    unsafe { chunk.start.add(at) }
}

/// Takes a block back that [`allocate`] gave.
pub(super) fn free(block: *mut u8) {
    let mut chunks = lock(&CHUNKS);
    let start = block.map_addr(|address| address & !(CHUNK - 1));
    let place = chunks.iter().position(|chunk| chunk.start == start).expect("the block came from a chunk");
    let chunk = &mut chunks[place];
    chunk.free.push(block.addr() - start.addr());
    if chunk.free.len() == CHUNK / chunk.block {
        chunks.swap_remove(place);
    }
}

impl Chunk {
    fn new(block: usize) -> Self {
        // SAFETY: the layout is not of size zero.
        let start = unsafe { alloc(layout()) };
        if start.is_null() {
            handle_alloc_error(layout());
        }
        advise(start);
        Self { start, block, free: (0..CHUNK / block).rev().map(|number| number * block).collect() }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        give_back(self.start);
        // SAFETY: it was allocated with this layout, and all blocks came back.
        unsafe { dealloc(self.start, layout()) };
    }
}

/// Gives the pages back at once: allocators keep large blocks that are freed.
#[cfg(all(target_os = "linux", not(miri)))]
fn give_back(chunk: *mut u8) {
    // SAFETY: the whole range is about to be freed, and nobody reads what is in it.
    unsafe { libc::madvise(chunk.cast(), CHUNK, libc::MADV_DONTNEED) };
}

/// Elsewhere the allocator may keep them.
#[cfg(not(all(target_os = "linux", not(miri))))]
fn give_back(_chunk: *mut u8) {}

/// Asks for a huge page. The answer does not matter.
#[cfg(all(target_os = "linux", not(miri)))]
fn advise(chunk: *mut u8) {
    // SAFETY: the range was allocated just now, and the advice changes no byte of it.
    unsafe { libc::madvise(chunk.cast(), CHUNK, libc::MADV_HUGEPAGE) };
}

/// Huge pages are asked for on Linux alone.
#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise(_chunk: *mut u8) {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn blocks_do_not_overlap_and_chunks_are_given_back() {
        let layout = Layout::from_size_align(300_000, 64).unwrap();
        let blocks: Vec<_> = (0..20).map(|_| allocate(layout)).collect();
        for (number, block) in blocks.iter().enumerate() {
            assert!(block.addr().is_multiple_of(64));
            // SAFETY: the block has so many bytes.
            unsafe { block.write_bytes(number as u8, 300_000) };
        }
        for (number, block) in blocks.iter().enumerate() {
            for at in [0, 150_000, 299_999] {
                // SAFETY: the block has so many bytes.
                let byte = unsafe { block.add(at) };
                // SAFETY: it was written above.
                assert_eq!(unsafe { byte.read() }, number as u8);
            }
            free(*block);
        }
        let chunks = lock(&CHUNKS);
        assert!(chunks.iter().all(|chunk| chunk.block != 300_032), "a chunk is kept though nobody has a block of it");
    }
}
