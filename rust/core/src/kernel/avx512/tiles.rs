//! Matrix products by AMX: registers of 16 rows by 64 bytes, and instructions that multiply two of them.
//!
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18. A step multiplies 16 rows of 64 bytes,
//! which is how the left-hand rows lie in memory, with 16 strips of a panel, which lie one after the other: nothing is packed
//! in another way than for the other kernels. The intrinsics are not stable, so the inner loops are assembly.
//!
//! A block is two tiles of rows by two panels, so that each tile that is loaded is used twice. Measured on Emerald
//! Rapids, a part that two threads of a core share: products in a loop take the 16 cycles that Intel states when nobody
//! else has the core. In int8 14 rows by 384 × 1,536 take 14 µs where VNNI takes 30 to 54, in bf16 25 where f32 takes
//! 190 and more. Then a question in int8 is bound by its weights, 10.6 MB that come from the third-level cache at 10 to
//! 25 GB/s, and a batch by what is around the products. In bf16 the least cosine with f32 is .99997 over 12,000
//! questions, and .07 % of the decisions differ where it is most.
#![allow(unsafe_code)]

use std::arch::asm;
use std::arch::x86_64::{
    __cpuid, __cpuid_count, __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_castsi512_ps, _mm512_cvtne2ps_pbh,
    _mm512_loadu_si512, _mm512_storeu_si512,
};
use std::marker::PhantomData;

use super::super::bf16::{self, PackedBf16, RowsBf16};
use super::super::int8::{self, PackedInt8, RowsInt8, TILE_ROWS};
use super::super::pack::panel_bias;
use super::super::{PANEL, Rows, RowsMut};
use super::matmul::{BLOCK_BYTES, finish, load, write_panel};
use crate::sync::OnceLock;

/// Rows of a tile.
const ROWS: usize = TILE_ROWS;
/// Bytes of a tile's row: a step over the depth.
const STEP: usize = 64;
/// Rows that are multiplied with two panels at once: two tiles of rows, two of weights and four of sums are all eight.
const BLOCK: usize = 2 * ROWS;

/// Whether this processor has tiles of bytes and of bf16, and the system lets this process use them.
///
/// Linux is asked for it, since each thread that uses tiles takes 8 KiB more to be interrupted: from then on the system refuses
/// alternative signal stacks that have no room for them. Where a thread has such a stack already, it is this that is refused.
pub(super) fn permitted() -> bool {
    static PERMITTED: OnceLock<bool> = OnceLock::new();
    *PERMITTED.get_or_init(|| present() && request())
}

fn present() -> bool {
    const BF16_TILES_BYTES: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & BF16_TILES_BYTES == BF16_TILES_BYTES
}

#[cfg(target_os = "linux")]
fn request() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;
    // SAFETY: this call of the system takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn request() -> bool {
    false
}

/// Whether rows of so many bytes are whole steps.
pub(super) fn fit(bytes: usize) -> bool {
    bytes > 0 && bytes.is_multiple_of(STEP)
}

// ---- tiles -----------------------------------------------------------------------------------------------------------

/// The shape of the tiles: palette 1, eight tiles of 16 rows by 64 bytes.
#[repr(C, align(64))]
struct Shape {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPE: Shape = {
    let (mut row_bytes, mut rows, mut tile) = ([0; 16], [0; 16], 0);
    while tile < 8 {
        (row_bytes[tile], rows[tile]) = (STEP as u16, ROWS as u8);
        tile += 1;
    }
    Shape { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
};

/// This thread's tiles, in use until it is dropped: not longer than needed, since they make changes of threads slower.
struct Tiles(PhantomData<*const ()>);

impl Tiles {
    /// # Safety
    ///
    /// [`permitted`] has to hold.
    unsafe fn new() -> Self {
        // SAFETY: the processor has the instruction, as the caller says, and reads 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPE, options(nostack, readonly, preserves_flags)) }
        Self(PhantomData)
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the processor has the instruction, or there were no tiles to drop.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) }
    }
}

/// The sums of a block: for each of two tiles of rows those of two panels.
#[repr(C, align(64))]
struct Sums([[[i32; PANEL]; ROWS]; 4]);

/// Cache lines that are asked for ahead of their use, some at each step.
#[derive(Clone, Copy)]
struct Fetch {
    next: *const u8,
    lines: usize,
}

impl Fetch {
    /// A block's share of the two panels behind these, when `count` blocks share them.
    fn of(end: *const u8, steps: usize, index: usize, count: usize) -> Self {
        let lines = (2 * ROWS).div_ceil(count);
        Self { next: end.wrapping_add(index * lines * steps * STEP), lines }
    }
}

/// What an inner loop reads: rows `stride` bytes apart, and two panels.
#[derive(Clone, Copy)]
struct Factors {
    rows: *const u8,
    stride: usize,
    panels: [*const u8; 2],
    steps: usize,
}

/// Defines the inner loops for one instruction: over one tile of rows, and over two.
macro_rules! inner_loops {
    ($one:ident, $two:ident, $multiply:literal) => {
        /// # Safety
        ///
        /// Tiles are in use; 16 rows and two panels of `steps` steps, at least one, can be read.
        unsafe fn $one(factors: Factors, fetch: Fetch, sums: &mut Sums) {
            // SAFETY: reads what the caller says can be read, and writes half of `sums`.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "2:",
                    "tileloadd tmm4, [{rows} + {stride}]",
                    "tileloadd tmm6, [{left} + {step}]",
                    concat!($multiply, " tmm0, tmm4, tmm6"),
                    "tileloadd tmm7, [{right} + {step}]",
                    concat!($multiply, " tmm1, tmm4, tmm7"),
                    "mov {line}, {lines}",
                    "3:",
                    "prefetcht1 [{next}]",
                    "add {next}, 64",
                    "dec {line}",
                    "jnz 3b",
                    "add {rows}, 64",
                    "add {left}, 1024",
                    "add {right}, 1024",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{sums} + {step}], tmm0",
                    "tilestored [{sums} + {step} + 1024], tmm1",
                    rows = inout(reg) factors.rows => _,
                    stride = in(reg) factors.stride,
                    left = inout(reg) factors.panels[0] => _,
                    right = inout(reg) factors.panels[1] => _,
                    steps = inout(reg) factors.steps => _,
                    step = in(reg) STEP,
                    next = inout(reg) fetch.next => _,
                    lines = in(reg) fetch.lines,
                    line = out(reg) _,
                    sums = in(reg) sums.0.as_mut_ptr(),
                    out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }

        /// # Safety
        ///
        /// Tiles are in use; 32 rows and two panels of `steps` steps, at least one, can be read.
        unsafe fn $two(factors: Factors, fetch: Fetch, sums: &mut Sums) {
            // SAFETY: reads what the caller says can be read, and writes `sums`.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    "tileloadd tmm4, [{rows} + {stride}]",
                    "tileloadd tmm6, [{left} + {step}]",
                    concat!($multiply, " tmm0, tmm4, tmm6"),
                    "tileloadd tmm7, [{right} + {step}]",
                    concat!($multiply, " tmm1, tmm4, tmm7"),
                    "tileloadd tmm5, [{below} + {stride}]",
                    concat!($multiply, " tmm2, tmm5, tmm6"),
                    concat!($multiply, " tmm3, tmm5, tmm7"),
                    "mov {line}, {lines}",
                    "3:",
                    "prefetcht1 [{next}]",
                    "add {next}, 64",
                    "dec {line}",
                    "jnz 3b",
                    "add {rows}, 64",
                    "add {below}, 64",
                    "add {left}, 1024",
                    "add {right}, 1024",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{sums} + {step}], tmm0",
                    "tilestored [{sums} + {step} + 1024], tmm1",
                    "tilestored [{sums} + {step} + 2048], tmm2",
                    "tilestored [{sums} + {step} + 3072], tmm3",
                    rows = inout(reg) factors.rows => _,
                    below = inout(reg) factors.rows.wrapping_add(ROWS * factors.stride) => _,
                    stride = in(reg) factors.stride,
                    left = inout(reg) factors.panels[0] => _,
                    right = inout(reg) factors.panels[1] => _,
                    steps = inout(reg) factors.steps => _,
                    step = in(reg) STEP,
                    next = inout(reg) fetch.next => _,
                    lines = in(reg) fetch.lines,
                    line = out(reg) _,
                    sums = in(reg) sums.0.as_mut_ptr(),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

inner_loops!(bytes_by_one, bytes_by_two, "tdpbusd");
inner_loops!(pairs_by_one, pairs_by_two, "tdpbf16ps");

/// The blocks of a product, each with two panels: some rows with all panels, then the next rows.
struct Blocks {
    rows: usize,
    columns: usize,
    row_bytes: usize,
    /// Rows that are multiplied with every panel before the next ones come.
    group: usize,
    next: Place,
}

/// Where a block begins.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    row: usize,
    column: usize,
}

impl Blocks {
    fn new(rows: usize, columns: usize, row_bytes: usize) -> Self {
        let group = (BLOCK_BYTES / row_bytes).max(1).next_multiple_of(BLOCK);
        Self { rows, columns, row_bytes, group, next: Place { group: 0, row: 0, column: 0 } }
    }

    /// The next block, or nothing behind the last one.
    #[inline]
    fn next(&mut self) -> Option<Place> {
        let place = self.next;
        if place.group >= self.rows || self.columns == 0 {
            return None;
        }
        self.next.row += BLOCK;
        if self.next.row >= self.end(place) {
            self.next.row = place.group;
            self.next.column += 2 * PANEL;
            if self.next.column >= self.columns {
                let group = place.group + self.group;
                self.next = Place { group, row: group, column: 0 };
            }
        }
        Some(place)
    }

    /// Where the group of a block ends.
    fn end(&self, place: Place) -> usize {
        self.rows.min(place.group + self.group)
    }

    /// The rows of a block that exist.
    fn rows(&self, place: Place) -> usize {
        BLOCK.min(self.end(place) - place.row)
    }

    /// What the inner loop of a block reads. A panel that does not exist is the one before it again.
    fn factors(&self, place: Place, rows: *const u8, panels: [*const u8; 2]) -> (Factors, Fetch) {
        let steps = self.row_bytes / STEP;
        let rows = rows.wrapping_add(place.row * self.row_bytes);
        let end = panels[1].wrapping_add(steps * STEP * ROWS);
        let (index, count) = ((place.row - place.group) / BLOCK, (self.end(place) - place.group).div_ceil(BLOCK));
        (Factors { rows, stride: self.row_bytes, panels, steps }, Fetch::of(end, steps, index, count))
    }
}

/// The numbers of two panels; the last one is its own neighbour.
fn pair(column: usize, columns: usize) -> [usize; 2] {
    let first = column / PANEL;
    [first, (first + 1).min(columns.div_ceil(PANEL) - 1)]
}

// ---- int8 ------------------------------------------------------------------------------------------------------------

/// # Safety
///
/// [`permitted`] and [`fit`] have to hold, the latter for the bytes of a row.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn matmul_int8(a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    int8::check_product(a, b, bias, &out);
    let (columns, row_bytes) = (b.columns(), a.row_bytes());
    let bytes = a.tiled();
    assert!(bytes.len() >= a.count().next_multiple_of(ROWS) * row_bytes, "rows of whole tiles");
    let mut sums = Sums([[[0; PANEL]; ROWS]; 4]);
    // SAFETY: as the caller says.
    let tiles = unsafe { Tiles::new() };
    let mut blocks = Blocks::new(a.count(), columns, row_bytes);
    while let Some(place) = blocks.next() {
        let numbers = pair(place.column, columns);
        let panels = numbers.map(|panel| b.panels.panel(panel));
        assert!(panels.iter().all(|panel| size_of_val(*panel) == row_bytes * PANEL), "depth of the panels");
        let (factors, fetch) = blocks.factors(place, bytes.as_ptr(), panels.map(|panel| panel.as_ptr().cast()));
        let rows = blocks.rows(place);
        let multiply = if rows > ROWS { bytes_by_two } else { bytes_by_one };
        // SAFETY: tiles are in use, and rows and panels are as long as was asserted.
        unsafe { multiply(factors, fetch, &mut sums) }
        for (n, panel) in numbers.into_iter().enumerate().take((columns - place.column).div_ceil(PANEL)) {
            let first = panel * PANEL;
            let width = PANEL.min(columns - first);
            let scales = b.scales(bias, first, width);
            for i in 0..rows {
                let sums = load_sums(&sums.0[i / ROWS * 2 + n][i % ROWS]);
                let row = place.row + i;
                write_panel(finish(sums, &scales, a.scales[row]), &mut out.row(row)[first..first + width]);
            }
        }
    }
    drop(tiles);
}

// ---- bf16 ------------------------------------------------------------------------------------------------------------

/// # Safety
///
/// [`permitted`] and [`fit`] have to hold, the latter for the bytes of a row in bf16.
#[target_feature(enable = "avx512f,avx512bf16")]
pub(super) unsafe fn matmul_bf16(
    a: Rows<'_>,
    b: &PackedBf16,
    bias: Option<&[f32]>,
    rounded: &mut RowsBf16,
    mut out: RowsMut<'_>,
) {
    bf16::check_product(&a, b, bias, &out);
    let (columns, row_bytes) = (b.columns(), 4 * b.panels.height());
    let rounded = rounded.reset(a.count().next_multiple_of(ROWS), b.panels.height());
    for (row, pairs) in rounded.chunks_exact_mut(row_bytes / 4).enumerate().take(a.count()) {
        round_row(a.row(row), pairs);
    }
    let mut sums = Sums([[[0; PANEL]; ROWS]; 4]);
    // SAFETY: as the caller says.
    let tiles = unsafe { Tiles::new() };
    let mut blocks = Blocks::new(a.count(), columns, row_bytes);
    while let Some(place) = blocks.next() {
        let numbers = pair(place.column, columns);
        let panels = numbers.map(|panel| b.panels.panel(panel).as_ptr().cast());
        let (factors, fetch) = blocks.factors(place, rounded.as_ptr().cast(), panels);
        let rows = blocks.rows(place);
        let multiply = if rows > ROWS { pairs_by_two } else { pairs_by_one };
        // SAFETY: tiles are in use, there is room for rows of whole tiles, and panels are of the same height.
        unsafe { multiply(factors, fetch, &mut sums) }
        for (n, panel) in numbers.into_iter().enumerate().take((columns - place.column).div_ceil(PANEL)) {
            let first = panel * PANEL;
            let width = PANEL.min(columns - first);
            let bias = load(&panel_bias(bias, first, width));
            for i in 0..rows {
                let sums: __m512 = _mm512_castsi512_ps(load_sums(&sums.0[i / ROWS * 2 + n][i % ROWS]));
                write_panel(_mm512_add_ps(sums, bias), &mut out.row(place.row + i)[first..first + width]);
            }
        }
    }
    drop(tiles);
}

/// Rounds a row to bf16; its length is a multiple of 32.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn round_row(values: &[f32], pairs: &mut [u32]) {
    for (values, pairs) in values.as_chunks::<{ 2 * PANEL }>().0.iter().zip(pairs.as_chunks_mut::<PANEL>().0) {
        let [low, high] = values.as_chunks().0 else { unreachable!("32 values are two times 16") };
        let both = _mm512_cvtne2ps_pbh(load(high), load(low));
        // SAFETY: both are 512 bits, and all of their values are valid.
        let both = unsafe { std::mem::transmute::<__m512bh, __m512i>(both) };
        // SAFETY: the reference is to 64 writable bytes, and `storeu` asks for no alignment.
        unsafe { _mm512_storeu_si512(pairs.as_mut_ptr().cast(), both) }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_sums(sums: &[i32; PANEL]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and `loadu` asks for no alignment.
    unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::ptr;

    use super::*;

    #[test]
    fn blocks_cover_a_product_once_and_ask_for_what_comes_next() {
        for (rows, columns, row_bytes) in (0..70)
            .flat_map(|rows| [0, 1, 16, 17, 32, 33, 48, 70].map(|columns| (rows, columns, 1536)))
            .chain([(1000, 33, 64), (400, 16, 6144), (90, 48, 1 << 20)])
        {
            let (mut seen, mut fetched) = (HashSet::new(), HashSet::new());
            let mut blocks = Blocks::new(rows, columns, row_bytes);
            while let Some(place) = blocks.next() {
                let panels = pair(place.column, columns);
                assert!(panels[0] == place.column / PANEL && panels[1] < columns.div_ceil(PANEL));
                let starts = panels.map(|panel| ptr::without_provenance(panel * row_bytes * PANEL));
                let (factors, fetch) = blocks.factors(place, ptr::without_provenance(7), starts);
                assert_eq!(factors.rows.addr(), 7 + place.row * row_bytes);
                let here = blocks.rows(place);
                assert!((1..=BLOCK).contains(&here));
                for row in place.row..place.row + here {
                    assert!(seen.insert((row, place.column)), "{rows} x {columns}: row {row} twice");
                }
                // What all blocks of a group ask for is whole: the two panels behind.
                for line in 0..fetch.lines * factors.steps {
                    fetched.insert(fetch.next.addr() + line * STEP);
                }
            }
            assert_eq!(seen.len(), rows * columns.div_ceil(2 * PANEL), "{rows} x {columns} of {row_bytes}");
            for start in (0..columns).step_by(2 * PANEL).take_while(|_| rows > 0) {
                let end = (pair(start, columns)[1] + 1) * row_bytes * PANEL;
                assert!((end..end + 2 * row_bytes * PANEL).step_by(STEP).all(|line| fetched.contains(&line)));
            }
        }
    }

    #[test]
    fn rows_of_whole_steps_fit() {
        assert_eq!([0, 32, 64, 96, 384, 1536].map(fit), [false, false, true, false, true, true]);
        assert_eq!(size_of::<Shape>(), 64);
    }
}
