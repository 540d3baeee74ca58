//! The tensors of a safetensors file.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensors};
use sha2::{Digest, Sha256};

use super::config;
use crate::error::Result;
use crate::map::FileMap;

/// What the names of all tensors begin with where a model was saved with a head on it.
const PREFIX: &str = "bert.";

/// A mapped file of tensors whose numbers are read as f32.
#[derive(Debug)]
pub(super) struct Weights {
    path: PathBuf,
    map: FileMap,
    tensors: Metadata,
    /// Where the tensors begin.
    start: usize,
    prefix: &'static str,
}

/// Where a tensor is in the file, and how its numbers are written there.
#[derive(Debug)]
pub(super) struct Tensor {
    range: Range<usize>,
    numbers: Numbers,
}

/// Numbers that f32 holds as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Numbers {
    F32,
    F16,
    Bf16,
}

impl Weights {
    /// Maps a file and reads what is in it, without looking at the numbers.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let map = FileMap::open(path).map_err(|error| config::unreadable(path, &error))?;
        let (header, tensors) =
            SafeTensors::read_metadata(&map).map_err(|error| config::corrupt(path, &error.to_string()))?;
        let prefixed = tensors.info(&format!("{PREFIX}embeddings.word_embeddings.weight")).is_some();
        let (path, prefix) = (path.to_path_buf(), if prefixed { PREFIX } else { "" });
        Ok(Self { path, map, tensors, start: header + size_of::<u64>(), prefix })
    }

    /// SHA-256 of the file, in hexadecimal.
    pub(super) fn sha256(&self) -> String {
        Sha256::digest(&self.map[..]).iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the system knows of the file that is mapped, whatever its name leads to by now.
    pub(super) fn metadata(&self) -> Option<fs::Metadata> {
        self.map.metadata().ok()
    }

    /// Gives back the memory of what has been read; what is read again comes from the file again.
    pub(super) fn release(&self) {
        self.map.release();
    }

    /// The values of a tensor.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        self.read(name, shape, &mut values)?;
        Ok(values)
    }

    /// Adds the values of a tensor to `out`.
    pub(super) fn read(&self, name: &str, shape: &[usize], out: &mut Vec<f32>) -> Result<()> {
        let tensor = self.tensor(name, shape)?;
        out.reserve_exact(shape.iter().product());
        tensor.numbers.read(&self.map[tensor.range], out);
        Ok(())
    }

    /// Where in the file a tensor is.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let name = format!("{}{name}", self.prefix);
        let corrupt = |why: &str| config::corrupt(&self.path, why);
        let info = self.tensors.info(&name).ok_or_else(|| corrupt(&format!("it has no tensor {name}")))?;
        let numbers = Numbers::of(info.dtype).filter(|_| info.shape == shape).ok_or_else(|| {
            let got = format!("{:?} {:?}", info.dtype, info.shape);
            corrupt(&format!("expected {name} to be F32, F16 or BF16 {shape:?}, got {got}"))
        })?;
        let (start, end) = info.data_offsets;
        let range = self.start + start..self.start + end;
        let bytes = shape.iter().product::<usize>() * numbers.size();
        if range.len() != bytes || range.end > self.map.len() {
            return Err(corrupt("it ends too early"));
        }
        Ok(Tensor { range, numbers })
    }

    /// Adds row `index` of a matrix of `width` columns to `out`.
    pub(super) fn read_row(&self, matrix: &Tensor, index: usize, width: usize, out: &mut Vec<f32>) {
        let bytes = width * matrix.numbers.size();
        matrix.numbers.read(&self.map[matrix.range.clone()][index * bytes..][..bytes], out);
    }
}

impl Tensor {
    /// Bytes that it takes in the file.
    pub(super) fn bytes(&self) -> usize {
        self.range.len()
    }
}

impl Numbers {
    fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    /// Bytes of a number.
    fn size(self) -> usize {
        if self == Self::F32 { 4 } else { 2 }
    }

    /// Adds the numbers in `bytes` to `out`.
    fn read(self, bytes: &[u8], out: &mut Vec<f32>) {
        let halves = bytes.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
        match self {
            Self::F32 => out.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))),
            Self::F16 => out.extend(halves.map(from_f16)),
            Self::Bf16 => out.extend(halves.map(|half| f32::from_bits(u32::from(half) << 16))),
        }
    }
}

/// The number that 16 bits of IEEE 754's binary16 say.
fn from_f16(half: u16) -> f32 {
    let (sign, rest) = (u32::from(half & 0x8000) << 16, u32::from(half & 0x7fff) << 13);
    // The exponents of the two formats are 112 apart; a product moves them, and makes small numbers right as well. The
    // largest exponent means infinity or no number in both.
    let magnitude = if half & 0x7c00 == 0x7c00 {
        f32::from_bits(rest | 0x7f80_0000)
    } else {
        f32::from_bits(rest) * 2_f32.powi(112)
    };
    f32::from_bits(magnitude.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::from_f16;

    /// What the definition says: sign, 5 bits of exponent, 10 of mantissa.
    fn defined(half: u16) -> f64 {
        let (exponent, mantissa) = (i32::from(half >> 10 & 31), f64::from(half & 1023) / 1024.0);
        let magnitude = match exponent {
            0 => mantissa * 2_f64.powi(-14),
            31 if mantissa == 0.0 => f64::INFINITY,
            31 => f64::NAN,
            _ => (1.0 + mantissa) * 2_f64.powi(exponent - 15),
        };
        if half >> 15 == 1 { -magnitude } else { magnitude }
    }

    #[test]
    fn every_half_is_the_number_that_it_says() {
        for half in 0..=u16::MAX {
            let (got, expected) = (f64::from(from_f16(half)), defined(half));
            let same = got.is_nan() && expected.is_nan() || got.to_bits() == expected.to_bits();
            assert!(same, "{half:#06x}: {got} {expected}");
        }
    }
}
