//! The index as a file.
//!
//! Little-endian: `LLMFFLAT`, version (u32), dimensions (u32), number of partitions (u64); for each partition, in
//! ascending order, its name (u128), number of rows (u64), their ids (u64), their components (f32); BLAKE3 of all that.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::{FlatIndex, State};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::sync::{AtomicU64, Ordering};

const MAGIC: [u8; 8] = *b"LLMFFLAT";
const VERSION: u32 = 1;
/// Bytes read or written at once; also what a damaged count can make [`load`] allocate beyond the file's length.
const PIECE: usize = 64 * 1024;

/// Writes a new file beside `path` and renames it. `state` is held while rows are written, not while the disk catches up.
pub(super) fn save<S: Deref<Target = State>>(path: &Path, dim: usize, state: impl FnOnce() -> S) -> Result<()> {
    let temporary = beside(path)?;
    let written = write_file(&temporary, dim, state).and_then(|()| fs::rename(&temporary, path));
    let synced = written.and_then(|()| sync_folder(path));
    synced.map_err(|error| {
        // The first error is the one to report; a file that was renamed or never made cannot be removed.
        let _ = fs::remove_file(&temporary);
        io_error("write", path, &error)
    })
}

/// A name that no other save uses.
fn beside(path: &Path) -> Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else {
        return Err(Error::new(ErrorKind::Io, format!("cannot write {}: not the name of a file", path.display())));
    };
    let mut name = name.to_os_string();
    name.push(format!(".{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    Ok(path.with_file_name(name))
}

fn write_file<S: Deref<Target = State>>(path: &Path, dim: usize, state: impl FnOnce() -> S) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let mut out = Hashing { inner: BufWriter::with_capacity(PIECE, file), hasher: blake3::Hasher::new() };
    write_rows(&mut out, dim, &state())?;
    let checksum = out.hasher.finalize();
    out.inner.write_all(checksum.as_bytes())?;
    out.inner.into_inner()?.sync_all()
}

fn write_rows(out: &mut impl Write, dim: usize, state: &State) -> io::Result<()> {
    let mut partitions: Vec<_> = state.partitions.iter().map(|(name, block)| (*name, *block as usize)).collect();
    partitions.sort_unstable();
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&(dim as u32).to_le_bytes())?;
    out.write_all(&(partitions.len() as u64).to_le_bytes())?;
    for (name, block) in partitions {
        let block = &state.blocks[block];
        out.write_all(&name.to_le_bytes())?;
        out.write_all(&(block.len() as u64).to_le_bytes())?;
        write_values(out, block.ids(), u64::to_le_bytes)?;
        write_values(out, block.values(), f32::to_le_bytes)?;
    }
    Ok(())
}

fn write_values<T: Copy, const N: usize>(
    out: &mut impl Write,
    values: &[T],
    bytes: fn(T) -> [u8; N],
) -> io::Result<()> {
    for piece in values.chunks(PIECE / N) {
        let piece: Vec<u8> = piece.iter().flat_map(|value| bytes(*value)).collect();
        out.write_all(&piece)?;
    }
    Ok(())
}

/// Makes the rename last; Windows has no handle of a folder to do that with.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Reads what [`save`] wrote.
pub(super) fn load(path: &Path, kernel: Kernel) -> Result<FlatIndex> {
    let file = File::open(path).map_err(|error| io_error("read", path, &error))?;
    let inner = BufReader::with_capacity(PIECE, file);
    let mut reader = Reader { input: Hashing { inner, hasher: blake3::Hasher::new() }, path };
    let index = reader.index(kernel)?;
    let expected = *reader.input.hasher.finalize().as_bytes();
    if reader.array::<32>()? != expected {
        return Err(reader.corrupt("its checksum does not match its content"));
    }
    match reader.input.read(&mut [0]) {
        Ok(0) => Ok(index),
        Ok(_) => Err(reader.corrupt("it goes on after its end")),
        Err(error) => Err(io_error("read", path, &error)),
    }
}

struct Reader<'a> {
    input: Hashing<BufReader<File>>,
    path: &'a Path,
}

impl Reader<'_> {
    fn index(&mut self, kernel: Kernel) -> Result<FlatIndex> {
        if self.array()? != MAGIC {
            return Err(self.corrupt("it is not a file of a flat index"));
        }
        let version = u32::from_le_bytes(self.array()?);
        if version != VERSION {
            return Err(self.corrupt(&format!("expected version {VERSION}, got {version}")));
        }
        let dim = u32::from_le_bytes(self.array()?) as usize;
        let index = FlatIndex::with_kernel(dim, kernel).map_err(|error| self.corrupt(&error.to_string()))?;
        for _ in 0..u64::from_le_bytes(self.array()?) {
            self.partition(&index)?;
        }
        Ok(index)
    }

    fn partition(&mut self, index: &FlatIndex) -> Result<()> {
        let name = u128::from_le_bytes(self.array()?);
        let rows = u64::from_le_bytes(self.array()?);
        let values = rows.checked_mul(index.dim as u64).ok_or_else(|| self.corrupt("it claims too many rows"))?;
        let ids = self.values(rows, u64::from_le_bytes)?;
        let matrix = self.values(values, f32::from_le_bytes)?;
        index.add_many(&ids, &matrix, name).map_err(|error| self.corrupt(&error.to_string()))
    }

    /// Reads `count` values. Memory grows with what the file holds, whatever it claims.
    fn values<T, const N: usize>(&mut self, count: u64, value: fn([u8; N]) -> T) -> Result<Vec<T>> {
        let mut values = Vec::new();
        let mut left = count;
        let mut buffer = vec![0; PIECE];
        while left > 0 {
            let now = left.min((PIECE / N) as u64) as usize;
            self.fill(&mut buffer[..now * N])?;
            values.extend(buffer[..now * N].as_chunks().0.iter().copied().map(value));
            left -= now as u64;
        }
        Ok(values)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.corrupt("it ends before its end"),
            _ => io_error("read", self.path, &error),
        })
    }

    fn corrupt(&self, why: &str) -> Error {
        Error::new(ErrorKind::CorruptFile, format!("{} is damaged: {why}", self.path.display()))
    }
}

/// Hashes what passes through.
struct Hashing<T> {
    inner: T,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hasher.update(&bytes[..read]);
        Ok(read)
    }
}

fn io_error(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot {what} {}: {error}", path.display()))
}
