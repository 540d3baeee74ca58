//! Files that end with a checksum of all before it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use super::replace::replace;
use crate::error::{Error, ErrorKind, Result};

/// Bytes read or written at once.
const PIECE: usize = 64 * 1024;

/// Writes a file, with the BLAKE3 of what `content` writes at its end.
pub(super) fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    replace(path, |file, _| write_file(file, content).map_err(|error| Error::io("write", path, &error)))
}

fn write_file(file: File, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = Hashing { inner: BufWriter::with_capacity(PIECE, file), hasher: blake3::Hasher::new() };
    content(&mut out)?;
    let checksum = out.hasher.finalize();
    out.inner.write_all(checksum.as_bytes())?;
    out.inner.into_inner()?.sync_all()
}

/// Reads what [`write`] wrote. What it says may be believed once [`Reader::finish`] has not failed.
pub(super) struct Reader<'a> {
    input: Hashing<BufReader<File>>,
    path: &'a Path,
}

impl<'a> Reader<'a> {
    /// Opens a file, which has to begin with `magic` and `version`.
    pub(super) fn open(path: &'a Path, magic: [u8; 8], version: u32) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("read", path, &error))?;
        let inner = BufReader::with_capacity(PIECE, file);
        let mut reader = Self { input: Hashing { inner, hasher: blake3::Hasher::new() }, path };
        if reader.array()? != magic {
            return Err(reader.corrupt("it is not a file of this kind of index"));
        }
        match u32::from_le_bytes(reader.array()?) {
            found if found == version => Ok(reader),
            found => Err(reader.corrupt(&format!("expected version {version}, got {found}"))),
        }
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next four bytes, as a number.
    pub(super) fn number(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    /// The next `count` values, which are few enough to ask for memory before they are there.
    pub(super) fn floats(&mut self, count: usize) -> Result<Vec<f32>> {
        let mut bytes = vec![0; count * size_of::<f32>()];
        self.fill(&mut bytes)?;
        Ok(bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect())
    }

    /// Fails unless the checksum matches all that was read and the file ends behind it.
    pub(super) fn finish(mut self) -> Result<()> {
        let expected = *self.input.hasher.finalize().as_bytes();
        if self.array::<32>()? != expected {
            return Err(self.corrupt("its checksum does not match its content"));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(self.corrupt("it goes on after its end")),
            Err(error) => Err(Error::io("read", self.path, &error)),
        }
    }

    /// The error of a file that cannot have been written by [`write`].
    pub(super) fn corrupt(&self, why: &str) -> Error {
        Error::new(ErrorKind::CorruptFile, format!("{} is damaged: {why}", self.path.display()))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.corrupt("it ends before its end"),
            _ => Error::io("read", self.path, &error),
        })
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
