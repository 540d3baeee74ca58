//! Products of whole numbers: weights of eight bits a column, inputs of seven bits a row.
//!
//! Both are quantised with a step of their own, columns around zero, rows between their least and their largest value
//! (Jacob et al., Quantization and Training of Neural Networks for Integer-Arithmetic-Only Inference, 2018). Seven bits and a
//! bound on eight neighbouring weights are what sixteen bits can add up: see [`LANE`]. Where the processor adds up in 32 bits
//! anyway the numbers are the same, so that all kernels give the same bits.
//!
//! Inputs are divided by a number a component, and the weights multiplied with it, so that a component that is always large
//! does not take the others' bits (Xiao et al., `SmoothQuant`, 2023).
//!
//! The bound costs weights hardly anything: the largest of 384 is about as large in its steps as the fullest lane. What
//! the rest is good for was simulated on 3,000 questions. Eight bits for both and no balance between the components
//! (some are always large, 16 times the median in the first layer's feed-forward) give a cosine of .9979 with f32 in
//! the mean, .9876 at least, and change 1.1 % of the decisions at thresholds of .8 to .95. Seven bits for both and no
//! balance give .975. What is done here gives .9985, .992 and .5 %, and .9906 at least for random token ids instead of
//! texts.

use super::pack::{PANEL, Panels, Rows, RowsMut, check_shapes, panel_bias};

/// Inputs are 0 to this.
pub(super) const LARGEST_INPUT: u8 = 127;
/// Weights are −127 to 127.
const LARGEST_WEIGHT: f32 = 127.0;
/// Inputs of a column that lie together: the bytes of a lane of 32 bits.
pub(super) const QUAD: usize = 4;
/// Quads whose products may be added up in sixteen bits, two of each quad in a lane.
pub(super) const QUADS_AT_ONCE: usize = 4;
/// The depth is padded to a multiple of this.
pub(super) const STEP: usize = QUAD * QUADS_AT_ONCE;
/// The magnitudes of the eight weights that share a lane of sixteen bits add up to no more than this.
const LANE: i32 = i16::MAX as i32 / LARGEST_INPUT as i32;
/// There is room for a multiple of so many left-hand rows.
pub(super) const TILE_ROWS: usize = 16;
/// Weights that are all smaller are zero, so that nothing is divided by too little.
pub(super) const SMALLEST: f32 = 1e-30;
/// f32 arithmetic rounds to whole numbers when this is added and taken away: 1.5 · 2²³.
const ROUNDER: f32 = 12_582_912.0;

/// Four weights of each of 16 columns, on a cache line of their own.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Quads(pub(super) [[i8; QUAD]; PANEL]);

/// The right-hand matrix of a product of whole numbers, in panels of 16 columns. A byte a value and 8 bytes a column.
#[derive(Debug, Clone, Default)]
pub struct PackedInt8 {
    pub(super) panels: Panels<Quads>,
    depth: usize,
    /// What the inputs are multiplied with before they are quantised, one a component.
    factors: Vec<f32>,
    /// What a weight of 1 counts, by panels of columns.
    pub(super) steps: Vec<[f32; PANEL]>,
    /// The sum of each column's weights, by panels.
    pub(super) sums: Vec<[i32; PANEL]>,
}

/// The left-hand rows of a product of whole numbers; keeps its memory from one product to the next.
#[derive(Debug, Default)]
pub struct RowsInt8 {
    bytes: Vec<u8>,
    padded: usize,
    depth: usize,
    pub(super) scales: Vec<RowScale>,
}

/// What the bytes of a row mean: byte b counts `step · (b + zero)`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RowScale {
    pub(super) step: f32,
    pub(super) zero: i32,
}

impl PackedInt8 {
    /// Quantises a matrix given by its columns: row j of `columns` becomes column j. Component k of the inputs is
    /// multiplied with `factors[k]`, a positive number, and the weights divided by it.
    ///
    /// # Panics
    ///
    /// Unless there are as many factors as components.
    pub fn from_columns(columns: Rows<'_>, factors: Vec<f32>) -> Self {
        let depth = columns.width();
        assert_eq!(factors.len(), depth, "a factor for each component");
        let mut packed = Self { depth, factors, ..Self::default() };
        let height = depth.next_multiple_of(STEP) / QUAD;
        let strips = packed.panels.reset(height, columns.count(), Quads([[0; QUAD]; PANEL]));
        packed.steps = vec![[0.0; PANEL]; columns.count().div_ceil(PANEL)];
        packed.sums = vec![[0; PANEL]; columns.count().div_ceil(PANEL)];
        let (mut values, mut weights) = (vec![0.0; height * QUAD], vec![0; height * QUAD]);
        for column in 0..columns.count() {
            for ((value, w), factor) in values.iter_mut().zip(columns.row(column)).zip(&packed.factors) {
                *value = w / factor;
            }
            let (panel, place) = (column / PANEL, column % PANEL);
            packed.steps[panel][place] = quantise_column(&values, &mut weights);
            packed.sums[panel][place] = weights.iter().map(|w| i32::from(*w)).sum();
            for (strip, quad) in strips[panel * height..].iter_mut().zip(weights.as_chunks().0) {
                strip.0[place] = *quad;
            }
        }
        packed
    }

    /// Moves matrices that will not change any more into one block of huge pages, in the order in which they are read.
    pub fn gather(matrices: &mut [&mut Self]) {
        Panels::gather(&mut matrices.iter_mut().map(|matrix| &mut matrix.panels).collect::<Vec<_>>());
    }

    /// Rows of the matrix: the length of each sum.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.panels.columns()
    }

    /// Bytes of the matrix in memory.
    pub fn memory_bytes(&self) -> usize {
        self.panels.memory_bytes() + size_of::<f32>() * (self.factors.len() + 2 * PANEL * self.steps.len())
    }

    /// What the inputs are multiplied with before they are quantised, one a component.
    pub fn factors(&self) -> &[f32] {
        &self.factors
    }

    /// What turns the sums of the panel that begins at column `first` into numbers.
    pub(super) fn scales(&self, bias: Option<&[f32]>, first: usize, width: usize) -> ColumnScales {
        let panel = first / PANEL;
        ColumnScales { steps: self.steps[panel], sums: self.sums[panel], bias: panel_bias(bias, first, width) }
    }
}

/// Steps, sums and biases of a panel, zero where there is no column.
pub(super) struct ColumnScales {
    pub(super) steps: [f32; PANEL],
    pub(super) sums: [i32; PANEL],
    pub(super) bias: [f32; PANEL],
}

impl ColumnScales {
    /// The element of a column by its sum of products, in the order of roundings that all kernels keep to.
    pub(super) fn element(&self, column: usize, sum: i32, scale: RowScale) -> f32 {
        let whole = (sum + scale.zero * self.sums[column]) as f32;
        whole * (scale.step * self.steps[column]) + self.bias[column]
    }
}

/// The step of a column and its weights, as fine as a byte and the lanes of sixteen bits allow.
fn quantise_column(values: &[f32], weights: &mut [i8]) -> f32 {
    let largest = values.iter().fold(SMALLEST, |largest, w| if w.abs() > largest { w.abs() } else { largest });
    let mut step = largest / LARGEST_WEIGHT;
    loop {
        let (inverse, mut fullest) = (1.0 / step, 0);
        for (values, weights) in values.as_chunks::<STEP>().0.iter().zip(weights.as_chunks_mut::<STEP>().0) {
            // The magnitudes that a lane adds up: of the first two weights of each quad, and of the other two.
            let mut lanes = [0; 2];
            for at in 0..STEP {
                let weight = whole(values[at] * inverse);
                weights[at] = weight as i8;
                lanes[at / 2 % 2] += weight.abs();
            }
            fullest = fullest.max(lanes[0]).max(lanes[1]);
        }
        if fullest <= LANE {
            return step;
        }
        // A little more than it takes, so that rounding does not bring it back here often.
        step *= (fullest as f32 / LANE as f32).max(1.002);
    }
}

impl RowsInt8 {
    /// Room for `count` rows of `depth` values: their bytes and what these mean.
    pub(super) fn reset(&mut self, count: usize, depth: usize) -> impl Iterator<Item = (&mut [u8], &mut RowScale)> {
        (self.depth, self.padded) = (depth, depth.next_multiple_of(STEP));
        // Whole tiles of rows, for kernels that multiply by tiles.
        self.bytes.resize(count.next_multiple_of(TILE_ROWS) * self.padded, 0);
        self.scales.clear();
        self.scales.resize(count, RowScale::default());
        let rows = self.bytes.chunks_exact_mut(self.padded.max(1));
        rows.map(move |row| &mut row[..depth]).zip(&mut self.scales)
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.scales.len()
    }

    /// Bytes from a row to the next.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn row_bytes(&self) -> usize {
        self.padded
    }

    /// The bytes of all rows, and behind them anything up to a multiple of [`TILE_ROWS`] rows.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn tiled(&self) -> &[u8] {
        &self.bytes
    }

    /// A row's bytes, up to a multiple of [`STEP`] with some that have weights of zero.
    pub(super) fn row(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.padded..][..self.padded]
    }
}

/// Panics when the shapes of a product do not fit together.
pub(super) fn check_product(a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, out: &RowsMut<'_>) {
    check_shapes([a.count(), a.depth], [b.depth, b.columns()], bias, out);
}

/// [`super::Operations::quantise_rows`], to be compiled for each kernel's instructions.
// A function that is compiled for a kernel has to take it in.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn quantise_rows(rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8) {
    assert_eq!(factors.len(), rows.width(), "a factor for each component");
    for (index, (bytes, scale)) in out.reset(rows.count(), rows.width()).enumerate() {
        *scale = quantise_row(rows.row(index), factors, bytes);
    }
}

#[allow(clippy::inline_always)]
#[inline(always)]
fn quantise_row(row: &[f32], factors: &[f32], bytes: &mut [u8]) -> RowScale {
    let (scale, inverse) = row_scale(row, factors);
    quantise_values(row, factors, (scale, inverse), bytes);
    scale
}

/// What the bytes of a row will mean, and one over its step.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn row_scale(row: &[f32], factors: &[f32]) -> (RowScale, f32) {
    const LANES: usize = 32;
    let (mut least, mut largest) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (rows, ends) = row.as_chunks::<LANES>();
    for (values, factors) in rows.iter().zip(factors.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            let x = values[lane] * factors[lane];
            least[lane] = if x < least[lane] { x } else { least[lane] };
            largest[lane] = if x > largest[lane] { x } else { largest[lane] };
        }
    }
    for (x, factor) in ends.iter().zip(&factors[rows.len() * LANES..]) {
        least[0] = least[0].min(x * factor);
        largest[0] = largest[0].max(x * factor);
    }
    // By halves, which are registers: value by value each would wait for the one before.
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let (x, y) = (least[lane + half], largest[lane + half]);
            least[lane] = if x < least[lane] { x } else { least[lane] };
            largest[lane] = if y > largest[lane] { y } else { largest[lane] };
        }
        half /= 2;
    }
    let (least, largest) = (least[0], largest[0]);
    let step = ((largest - least) / f32::from(LARGEST_INPUT)).max(f32::MIN_POSITIVE);
    let inverse = 1.0 / step;
    (RowScale { step, zero: whole(least * inverse) }, inverse)
}

/// The bytes of a row's values.
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn quantise_values(values: &[f32], factors: &[f32], (scale, inverse): (RowScale, f32), bytes: &mut [u8]) {
    // Whole numbers are at most 127 in magnitude, but for the rounding at both ends.
    for ((x, factor), byte) in values.iter().zip(factors).zip(bytes) {
        *byte = whole(x * factor * inverse).wrapping_sub(scale.zero).clamp(0, i32::from(LARGEST_INPUT)) as u8;
    }
}

/// The nearest whole number of one below 2²².
#[allow(clippy::inline_always)]
#[inline(always)]
pub(super) fn whole(x: f32) -> i32 {
    (x + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()) as i32
}

/// [`super::Operations::matmul_int8`] as its definition reads.
pub(super) fn matmul(a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    check_product(a, b, bias, &out);
    for (first, width) in b.panels.panels() {
        let (panel, scales) = (b.panels.panel(first / PANEL), b.scales(bias, first, width));
        for row in 0..a.count() {
            let mut sums = [0; PANEL];
            for (inputs, strip) in a.row(row).as_chunks::<QUAD>().0.iter().zip(panel) {
                for (sum, weights) in sums.iter_mut().zip(&strip.0) {
                    *sum += inputs.iter().zip(weights).map(|(x, w)| i32::from(*x) * i32::from(*w)).sum::<i32>();
                }
            }
            for (column, out) in out.row(row)[first..][..width].iter_mut().enumerate() {
                *out = scales.element(column, sums[column], a.scales[row]);
            }
        }
    }
}
