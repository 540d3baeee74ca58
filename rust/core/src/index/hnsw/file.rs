//! The index as a file: its rows, not its graphs. What a graph claims of itself could only be believed by building it
//! again, and the library that reads graphs believes everything.
//!
//! Little-endian: `LLMFHNSW`, version, dimensions, connectivity, expansion (u32 each), number of partitions (u64); for
//! each partition, in ascending order, its name (u128), number of rows (u64), and for each row its id (u64) and its components
//! (f32); BLAKE3 of all that.

use std::io::{self, Write};
use std::path::Path;

use super::partition::Partition;
use super::{HnswIndex, Shape};
use crate::error::Result;
use crate::index::check;
use crate::index::sealed::{self, Reader};
use crate::kernel::Kernel;

const MAGIC: [u8; 8] = *b"LLMFHNSW";
const VERSION: u32 = 1;

pub(super) fn save(path: &Path, index: &HnswIndex) -> Result<()> {
    let state = index.read();
    // The closure owns the state, so that writers wait for the rows to be written and not for the disk.
    sealed::write(path, move |out| {
        let Shape { dim, connectivity, expansion, .. } = index.shape;
        let partitions = state.partitions();
        out.write_all(&MAGIC)?;
        for number in [VERSION, dim as u32, connectivity as u32, expansion as u32] {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&(partitions.len() as u64).to_le_bytes())?;
        partitions.into_iter().try_for_each(|partition| write_rows(out, partition))
    })
}

fn write_rows(out: &mut dyn Write, partition: &Partition) -> io::Result<()> {
    out.write_all(&partition.name().to_le_bytes())?;
    out.write_all(&(partition.len() as u64).to_le_bytes())?;
    partition.each(|id, row| {
        let values = row.iter().flat_map(|x| x.to_le_bytes());
        let bytes: Vec<u8> = id.to_le_bytes().into_iter().chain(values).collect();
        out.write_all(&bytes)
    })
}

/// Reads what [`save`] wrote.
pub(super) fn load(path: &Path, kernel: Kernel) -> Result<HnswIndex> {
    let mut reader = Reader::open(path, MAGIC, VERSION)?;
    let [dim, connectivity, expansion] = [reader.number()?, reader.number()?, reader.number()?];
    let index = HnswIndex::with_kernel(dim, connectivity, expansion, kernel);
    let index = index.map_err(|error| reader.corrupt(&error.to_string()))?;
    for _ in 0..u64::from_le_bytes(reader.array()?) {
        read_rows(&mut reader, &index)?;
    }
    reader.finish()?;
    index.settle_all();
    Ok(index)
}

fn read_rows(reader: &mut Reader<'_>, index: &HnswIndex) -> Result<()> {
    let Shape { kernel, dim, .. } = index.shape;
    let name = u128::from_le_bytes(reader.array()?);
    let rows = u64::from_le_bytes(reader.array()?);
    for _ in 0..rows {
        let (id, row) = (u64::from_le_bytes(reader.array()?), reader.floats(dim)?);
        let square = check::vector(kernel, dim, &row);
        let added = square.and_then(|square| index.write().add(index.shape, name, &[id], &row, &[square]));
        added.map_err(|error| reader.corrupt(&error.to_string()))?;
    }
    Ok(())
}
