//! Linear layers, in the precision that they are held in.

use super::weights::Weights;
use crate::error::Result;
use crate::kernel::{
    Kernel, Packed, PackedBf16, PackedInt8, PackedInt16, Rows, RowsBf16, RowsInt8, RowsInt16, RowsMut,
};

/// x·W + b.
#[derive(Debug)]
pub(super) struct Linear {
    matrix: Matrix,
    bias: Vec<f32>,
}

#[derive(Debug)]
enum Matrix {
    F32(Packed),
    Bf16(PackedBf16),
    Int16(PackedInt16),
    Int8(PackedInt8),
}

/// How the weights of a linear layer are held; for those of eight bits, how large each component of the inputs gets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form<'a> {
    F32,
    Bf16,
    Int16,
    Int8(&'a [f32]),
}

/// The inputs of a linear layer in whole numbers or in bf16; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct WholeInputs {
    int8: RowsInt8,
    int16: RowsInt16,
    bf16: RowsBf16,
}

/// Less than what any component of a working model is.
const SMALLEST: f32 = 1e-5;

/// Where a linear layer's weights are: the tensors whose outputs lie side by side, each of `out` rows and `width` columns.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub names: Vec<String>,
    pub width: usize,
    pub out: usize,
}

impl Linear {
    pub(super) fn load(weights: &Weights, source: &Source, form: Form<'_>) -> Result<Self> {
        let (mut columns, mut bias) = (Vec::new(), Vec::new());
        for name in &source.names {
            weights.read(&format!("{name}.weight"), &[source.out, source.width], &mut columns)?;
            weights.read(&format!("{name}.bias"), &[source.out], &mut bias)?;
        }
        let columns = Rows::new(&columns, source.out * source.names.len(), source.width, source.width);
        let matrix = match form {
            Form::F32 => Matrix::F32(Packed::from_columns(columns)),
            Form::Bf16 => Matrix::Bf16(PackedBf16::from_columns(columns)),
            Form::Int16 => Matrix::Int16(PackedInt16::from_columns(columns)),
            Form::Int8(reach) => Matrix::Int8(PackedInt8::from_columns(columns, balance(columns, reach))),
        };
        Ok(Self { matrix, bias })
    }

    /// Multiplies all rows of `input`; `out` is resized to the result.
    pub(super) fn apply(&self, kernel: Kernel, input: &[f32], whole: &mut WholeInputs, out: &mut Vec<f32>) {
        let (width, columns) = self.size();
        let rows = input.len() / width;
        out.resize(rows * columns, 0.0);
        let (input, out) = (Rows::new(input, rows, width, width), RowsMut::new(out, rows, columns, columns));
        match &self.matrix {
            Matrix::F32(matrix) => kernel.matmul(input, matrix, Some(&self.bias), out),
            Matrix::Bf16(matrix) => kernel.matmul_bf16(input, matrix, Some(&self.bias), &mut whole.bf16, out),
            Matrix::Int16(matrix) => {
                kernel.quantise_rows_int16(input, &mut whole.int16);
                kernel.matmul_int16(&whole.int16, matrix, Some(&self.bias), out);
            }
            Matrix::Int8(matrix) => {
                kernel.quantise_rows(input, matrix.factors(), &mut whole.int8);
                kernel.matmul_int8(&whole.int8, matrix, Some(&self.bias), out);
            }
        }
    }

    /// Inputs and outputs.
    fn size(&self) -> (usize, usize) {
        match &self.matrix {
            Matrix::F32(matrix) => (matrix.depth(), matrix.columns()),
            Matrix::Bf16(matrix) => (matrix.depth(), matrix.columns()),
            Matrix::Int16(matrix) => (matrix.depth(), matrix.columns()),
            Matrix::Int8(matrix) => (matrix.depth(), matrix.columns()),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let matrix = match &self.matrix {
            Matrix::F32(matrix) => matrix.memory_bytes(),
            Matrix::Bf16(matrix) => matrix.memory_bytes(),
            Matrix::Int16(matrix) => matrix.memory_bytes(),
            Matrix::Int8(matrix) => matrix.memory_bytes(),
        };
        matrix + size_of_val(&*self.bias)
    }

    /// Moves the weights of layers that are read in this order into one block of huge pages.
    pub(super) fn gather<'a>(layers: impl Iterator<Item = &'a mut Self>) {
        let (mut f32s, mut bf16s, mut int16s, mut int8s) = (vec![], vec![], vec![], vec![]);
        for layer in layers {
            match &mut layer.matrix {
                Matrix::F32(matrix) => f32s.push(matrix),
                Matrix::Bf16(matrix) => bf16s.push(matrix),
                Matrix::Int16(matrix) => int16s.push(matrix),
                Matrix::Int8(matrix) => int8s.push(matrix),
            }
        }
        // A model has one kind.
        Packed::gather(&mut f32s);
        PackedBf16::gather(&mut bf16s);
        PackedInt16::gather(&mut int16s);
        PackedInt8::gather(&mut int8s);
    }
}

/// The factors that make the largest input and the largest weight of each component alike, so that neither takes all the
/// bits: `SmoothQuant`'s with α = ½.
fn balance(columns: Rows<'_>, reach: &[f32]) -> Vec<f32> {
    let mut largest = vec![SMALLEST; columns.width()];
    for column in 0..columns.count() {
        largest.iter_mut().zip(columns.row(column)).for_each(|(largest, w)| *largest = largest.max(w.abs()));
    }
    largest.iter().zip(reach).map(|(weight, input)| (weight / input.max(SMALLEST)).sqrt()).collect()
}
