//! Matrices as the product wants them.

use std::ops::Range;

use super::pages::Pages;
use crate::sync::Arc;

/// Columns of a panel: two AVX2 registers, one cache line.
pub const PANEL: usize = 16;

/// 16 values of one row of the right-hand matrix, on a cache line of their own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Strip(pub(super) [f32; PANEL]);

/// Two weights of sixteen bits of each of 16 columns, the first in the lower half, on a cache line of their own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Pairs(pub(super) [u32; PANEL]);

/// `count` rows of `width` values, `stride` values apart.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    data: &'a [f32],
    count: usize,
    width: usize,
    stride: usize,
}

impl<'a> Rows<'a> {
    /// Views `data` as rows; panics when it is too short or rows overlap.
    pub fn new(data: &'a [f32], count: usize, width: usize, stride: usize) -> Self {
        check(data.len(), count, width, stride);
        Self { data, count, width, stride }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `index`.
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.data[index * self.stride..][..self.width]
    }
}

/// [`Rows`] to write to.
#[derive(Debug)]
pub struct RowsMut<'a> {
    data: &'a mut [f32],
    count: usize,
    width: usize,
    stride: usize,
}

impl<'a> RowsMut<'a> {
    /// Views `data` as rows; panics when it is too short or rows overlap.
    pub fn new(data: &'a mut [f32], count: usize, width: usize, stride: usize) -> Self {
        check(data.len(), count, width, stride);
        Self { data, count, width, stride }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `index`.
    pub fn row(&mut self, index: usize) -> &mut [f32] {
        &mut self.data[index * self.stride..][..self.width]
    }
}

fn check(len: usize, count: usize, width: usize, stride: usize) {
    let needed = if count == 0 { 0 } else { (count - 1) * stride + width };
    assert!(width <= stride && needed <= len, "{count} rows of {width} at {stride} need {needed} values, got {len}");
}

/// The right-hand matrix of a product, `depth` × `columns`, in panels of 16 columns that are read front to back.
///
/// The columns of the last panel that do not exist are zero. 4 bytes a value, columns rounded up to 16.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    panels: Panels<Strip>,
}

/// Panels of 16 columns, each of the same number of strips, which lie one after the other.
#[derive(Debug, Clone)]
pub(super) struct Panels<S> {
    strips: Strips<S>,
    height: usize,
    columns: usize,
}

/// Where a matrix's strips are.
#[derive(Debug, Clone)]
enum Strips<S> {
    Own(Vec<S>),
    /// In memory that several matrices share and none changes.
    Shared(Arc<Pages<S>>, Range<usize>),
}

impl<S> Default for Panels<S> {
    fn default() -> Self {
        Self { strips: Strips::Own(Vec::new()), height: 0, columns: 0 }
    }
}

impl<S: Copy> Panels<S> {
    /// Panels of `height` strips that are all `empty`, in the memory that was there if it was this matrix's own.
    pub(super) fn reset(&mut self, height: usize, columns: usize, empty: S) -> &mut [S] {
        let strips = self.room(height, columns, empty);
        strips.fill(empty);
        strips
    }

    /// [`Panels::reset`] without the filling of strips that were there.
    fn room(&mut self, height: usize, columns: usize, empty: S) -> &mut [S] {
        (self.height, self.columns) = (height, columns);
        if let Strips::Shared(..) = self.strips {
            self.strips = Strips::Own(Vec::new());
        }
        let Strips::Own(strips) = &mut self.strips else { unreachable!("shared strips were just replaced") };
        strips.resize(height * columns.div_ceil(PANEL), empty);
        strips
    }

    /// Moves matrices that will not change any more into one block of huge pages, in the order in which they are read.
    pub(super) fn gather(matrices: &mut [&mut Self]) {
        let parts: Vec<&[S]> = matrices.iter().map(|matrix| matrix.as_slice()).collect();
        let pages = Arc::new(Pages::copy_of(&parts));
        let mut start = 0;
        for matrix in matrices {
            let end = start + matrix.as_slice().len();
            matrix.strips = Strips::Shared(Arc::clone(&pages), start..end);
            start = end;
        }
    }

    fn as_slice(&self) -> &[S] {
        match &self.strips {
            Strips::Own(strips) => strips,
            Strips::Shared(pages, range) => &pages[range.clone()],
        }
    }

    /// Strips of a panel.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.as_slice())
    }

    pub(super) fn panel(&self, panel: usize) -> &[S] {
        &self.as_slice()[panel * self.height..][..self.height]
    }

    /// The first column of every panel and how many of its columns exist.
    pub(super) fn panels(&self) -> impl Iterator<Item = (usize, usize)> + use<S> {
        let columns = self.columns;
        (0..columns).step_by(PANEL).map(move |first| (first, PANEL.min(columns - first)))
    }
}

impl Packed {
    /// Packs a matrix given by its columns: row j of `columns` becomes column j (a linear layer's `(out, in)` weights).
    pub fn from_columns(columns: Rows<'_>) -> Self {
        let mut packed = Self::default();
        packed.pack_columns(columns);
        packed
    }

    /// [`Packed::from_columns`] into memory that this matrix already has.
    pub fn pack_columns(&mut self, columns: Rows<'_>) {
        self.pack_some_columns(columns, columns.count());
    }

    /// [`Packed::pack_columns`] with columns of zeros up to a multiple of 16, so that a product writes whole panels.
    pub fn pack_columns_padded(&mut self, columns: Rows<'_>) {
        self.pack_some_columns(columns, columns.count().next_multiple_of(PANEL));
    }

    /// Room for panels of `depth` strips and so many columns, a multiple of 16, with anything in it.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn room(&mut self, depth: usize, columns: usize) -> &mut [Strip] {
        self.panels.room(depth, columns, Strip([0.0; PANEL]))
    }

    /// Packs `count` columns, as many of which as are given are not zero.
    fn pack_some_columns(&mut self, columns: Rows<'_>, count: usize) {
        let depth = columns.width();
        let strips = self.panels.reset(depth, count, Strip([0.0; PANEL]));
        for column in 0..columns.count() {
            let first = column / PANEL * depth;
            for (strip, value) in strips[first..].iter_mut().zip(columns.row(column)) {
                strip.0[column % PANEL] = *value;
            }
        }
    }

    /// Packs a matrix given by its rows into memory that this matrix already has.
    pub fn pack_rows(&mut self, rows: Rows<'_>) {
        let depth = rows.count();
        let strips = self.panels.room(depth, rows.width(), Strip([0.0; PANEL]));
        for row in 0..rows.count() {
            let (whole, rest) = rows.row(row).as_chunks();
            for (panel, part) in whole.iter().enumerate() {
                strips[panel * depth + row] = Strip(*part);
            }
            if !rest.is_empty() {
                let last = &mut strips[whole.len() * depth + row].0;
                last[..rest.len()].copy_from_slice(rest);
                last[rest.len()..].fill(0.0);
            }
        }
    }

    /// Moves matrices that will not change any more into one block of huge pages, in the order in which they are read.
    pub fn gather(matrices: &mut [&mut Self]) {
        Panels::gather(&mut matrices.iter_mut().map(|matrix| &mut matrix.panels).collect::<Vec<_>>());
    }

    /// Rows of the matrix: the length of each sum.
    pub fn depth(&self) -> usize {
        self.panels.height()
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.panels.columns()
    }

    /// Bytes of the matrix in memory.
    pub fn memory_bytes(&self) -> usize {
        self.panels.memory_bytes()
    }

    pub(super) fn panel(&self, panel: usize) -> &[Strip] {
        self.panels.panel(panel)
    }

    /// The first column of every panel and how many of its columns exist.
    pub(super) fn panels(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        self.panels.panels()
    }
}

/// The part of `bias` that belongs to a panel, zero where there is none.
pub(super) fn panel_bias(bias: Option<&[f32]>, first: usize, width: usize) -> [f32; PANEL] {
    let Some(bias) = bias else { return [0.0; PANEL] };
    // A copy of a length that is not known is a call.
    if let Some(values) = bias[first..first + width].first_chunk() {
        return *values;
    }
    let mut values = [0.0; PANEL];
    values[..width].copy_from_slice(&bias[first..first + width]);
    values
}

/// Panics when the shapes of a product do not fit together.
pub(super) fn check_product(a: &Rows<'_>, b: &Packed, bias: Option<&[f32]>, out: &RowsMut<'_>) {
    check_shapes([a.count(), a.width()], [b.depth(), b.columns()], bias, out);
}

/// [`check_product`] for matrices of any kind, given by their rows and columns.
pub(super) fn check_shapes(left: [usize; 2], right: [usize; 2], bias: Option<&[f32]>, out: &RowsMut<'_>) {
    assert_eq!(left[1], right[0], "width of the left-hand rows");
    assert_eq!(out.count(), left[0], "rows of the result");
    assert_eq!(out.width(), right[1], "columns of the result");
    assert!(bias.is_none_or(|bias| bias.len() == right[1]), "length of the bias");
}
