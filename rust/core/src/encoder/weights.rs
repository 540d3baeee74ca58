//! The tensors of a safetensors file.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, SafeTensors};
use sha2::{Digest, Sha256};

use super::config;
use crate::error::Result;
use crate::map::FileMap;

/// A mapped file of f32 tensors.
#[derive(Debug)]
pub(super) struct Weights {
    path: PathBuf,
    map: FileMap,
    tensors: Metadata,
    /// Where the tensors begin.
    start: usize,
}

impl Weights {
    /// Maps a file and reads what is in it, without looking at the numbers.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let map = FileMap::open(path).map_err(|error| config::unreadable(path, &error))?;
        let (header, tensors) =
            SafeTensors::read_metadata(&map).map_err(|error| config::corrupt(path, &error.to_string()))?;
        Ok(Self { path: path.to_path_buf(), map, tensors, start: header + size_of::<u64>() })
    }

    /// SHA-256 of the file, in hexadecimal.
    pub(super) fn sha256(&self) -> String {
        Sha256::digest(&self.map[..]).iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The values of a tensor.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(floats(&self.map[self.range(name, shape)?]).collect())
    }

    /// Where in the file a tensor is.
    pub(super) fn range(&self, name: &str, shape: &[usize]) -> Result<Range<usize>> {
        let corrupt = |why: &str| config::corrupt(&self.path, why);
        let info = self.tensors.info(name).ok_or_else(|| corrupt(&format!("it has no tensor {name}")))?;
        if info.dtype != Dtype::F32 || info.shape != shape {
            let got = format!("{:?} {:?}", info.dtype, info.shape);
            return Err(corrupt(&format!("expected {name} to be F32 {shape:?}, got {got}")));
        }
        let (start, end) = info.data_offsets;
        let range = self.start + start..self.start + end;
        let bytes = shape.iter().product::<usize>() * size_of::<f32>();
        if range.len() == bytes && range.end <= self.map.len() { Ok(range) } else { Err(corrupt("it ends too early")) }
    }

    /// Row `index` of a matrix of `width` columns that is at `range`.
    pub(super) fn row(&self, range: &Range<usize>, index: usize, width: usize) -> impl Iterator<Item = f32> {
        let bytes = width * size_of::<f32>();
        floats(&self.map[range.clone()][index * bytes..][..bytes])
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
}
