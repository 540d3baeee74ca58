//! Products with weights of sixteen bits: the upper half of an f32, half of its memory.

use super::pack::{PANEL, Pairs, Panels, Rows, RowsMut, check_shapes, panel_bias};

/// The right-hand matrix of a product in bf16, in panels of 16 columns. 2 bytes a value.
#[derive(Debug, Clone, Default)]
pub struct PackedBf16 {
    pub(super) panels: Panels<Pairs>,
    depth: usize,
}

impl PackedBf16 {
    /// Rounds a matrix given by its columns: row j of `columns` becomes column j.
    pub fn from_columns(columns: Rows<'_>) -> Self {
        let mut packed = Self { depth: columns.width(), ..Self::default() };
        let height = packed.depth.div_ceil(2);
        let strips = packed.panels.reset(height, columns.count(), Pairs([0; PANEL]));
        for column in 0..columns.count() {
            for (strip, pair) in strips[column / PANEL * height..].iter_mut().zip(columns.row(column).chunks(2)) {
                let second = pair.get(1).copied().unwrap_or(0.0);
                strip.0[column % PANEL] = u32::from(round(pair[0])) | u32::from(round(second)) << 16;
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
        self.panels.memory_bytes()
    }
}

/// Room for left-hand rows that a kernel rounds to bf16; keeps its memory from one product to the next.
#[derive(Debug, Default)]
pub struct RowsBf16(#[cfg(target_arch = "x86_64")] Vec<u32>);

#[cfg(target_arch = "x86_64")]
impl RowsBf16 {
    /// Room for `count` rows of `height` pairs, with anything in it.
    pub(super) fn reset(&mut self, count: usize, height: usize) -> &mut [u32] {
        self.0.resize(count * height, 0);
        &mut self.0
    }
}

/// The nearest bf16, the even one of two; an infinity for what is beyond the largest.
pub(super) fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 1;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// The two weights of a column, as f32.
pub(super) fn widen(pair: u32) -> [f32; 2] {
    [f32::from_bits(pair << 16), f32::from_bits(pair & 0xffff_0000)]
}

/// Panics when the shapes of a product do not fit together.
pub(super) fn check_product(a: &Rows<'_>, b: &PackedBf16, bias: Option<&[f32]>, out: &RowsMut<'_>) {
    check_shapes([a.count(), a.width()], [b.depth(), b.columns()], bias, out);
}

/// [`super::Operations::matmul_bf16`] as its definition reads.
pub(super) fn matmul(a: Rows<'_>, b: &PackedBf16, bias: Option<&[f32]>, mut out: RowsMut<'_>) {
    check_product(&a, b, bias, &out);
    for (first, width) in b.panels.panels() {
        let (panel, bias) = (b.panels.panel(first / PANEL), panel_bias(bias, first, width));
        for row in 0..a.count() {
            let mut sums = [0.0; PANEL];
            for (values, strip) in a.row(row).chunks(2).zip(panel) {
                for (sum, pair) in sums.iter_mut().zip(strip.0) {
                    values.iter().zip(widen(pair)).for_each(|(value, weight)| *sum += value * weight);
                }
            }
            for ((out, sum), bias) in out.row(row)[first..][..width].iter_mut().zip(sums).zip(bias) {
                *out = sum + bias;
            }
        }
    }
}
