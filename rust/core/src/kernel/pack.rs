//! Matrices as the product wants them.

/// Columns of a panel: two AVX2 registers, one cache line.
pub const PANEL: usize = 16;

/// 16 values of one row of the right-hand matrix, on a cache line of their own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Strip(pub(super) [f32; PANEL]);

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
    strips: Vec<Strip>,
    depth: usize,
    columns: usize,
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
        self.reset(columns.width(), columns.count());
        for column in 0..columns.count() {
            let first = column / PANEL * self.depth;
            for (strip, value) in self.strips[first..].iter_mut().zip(columns.row(column)) {
                strip.0[column % PANEL] = *value;
            }
        }
    }

    /// Packs a matrix given by its rows into memory that this matrix already has.
    pub fn pack_rows(&mut self, rows: Rows<'_>) {
        self.reset(rows.count(), rows.width());
        for row in 0..rows.count() {
            for (panel, part) in rows.row(row).chunks(PANEL).enumerate() {
                self.strips[panel * self.depth + row].0[..part.len()].copy_from_slice(part);
            }
        }
    }

    fn reset(&mut self, depth: usize, columns: usize) {
        (self.depth, self.columns) = (depth, columns);
        self.strips.clear();
        self.strips.resize(depth * columns.div_ceil(PANEL), Strip([0.0; PANEL]));
    }

    /// Rows of the matrix: the length of each sum.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        self.strips.capacity() * size_of::<Strip>()
    }

    pub(super) fn panel(&self, panel: usize) -> &[Strip] {
        &self.strips[panel * self.depth..][..self.depth]
    }

    /// The first column of every panel and how many of its columns exist.
    pub(super) fn panels(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let columns = self.columns;
        (0..columns).step_by(PANEL).map(move |first| (first, PANEL.min(columns - first)))
    }
}

/// The part of `bias` that belongs to a panel, zero where there is none.
pub(super) fn panel_bias(bias: Option<&[f32]>, first: usize, width: usize) -> [f32; PANEL] {
    let mut values = [0.0; PANEL];
    if let Some(bias) = bias {
        values[..width].copy_from_slice(&bias[first..first + width]);
    }
    values
}

/// Panics when the shapes of a product do not fit together.
pub(super) fn check_product(a: &Rows<'_>, b: &Packed, bias: Option<&[f32]>, out: &RowsMut<'_>) {
    assert_eq!(a.width(), b.depth(), "width of the left-hand rows");
    assert_eq!(out.count(), a.count(), "rows of the result");
    assert_eq!(out.width(), b.columns(), "columns of the result");
    assert!(bias.is_none_or(|bias| bias.len() == b.columns()), "length of the bias");
}
