//! Files as memory, and memory that goes back to the system.
#![allow(unsafe_code)]

#[cfg(feature = "map")]
use std::fs::File;
use std::io;
#[cfg(feature = "map")]
use std::io::Read;
use std::ops::Deref;
use std::path::Path;

/// A file that is read through memory, page by page when it is touched, or by copies of parts of it.
///
/// Whoever writes to the file while it is mapped changes what is read here, and whoever shortens it ends the process
/// with a signal: replace such a file by a rename. Built without memory maps, it is read as a whole.
#[derive(Debug)]
pub(crate) struct FileMap {
    #[cfg(feature = "map")]
    map: memmap2::Mmap,
    #[cfg(feature = "map")]
    file: File,
    #[cfg(not(feature = "map"))]
    words: Vec<u64>,
    length: usize,
}

#[cfg(feature = "map")]
impl FileMap {
    /// Maps a file for reading.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is private and read only, and only bytes are read from it, for which every value is valid. That
        // nobody writes to such a file in place while it is used is what the type's documentation asks for.
        let map = unsafe { memmap2::Mmap::map(&file) };
        // What reading says is plainer: of a folder, that it is one.
        let map = map.map_err(|error| (&file).read(&mut [0]).err().unwrap_or(error))?;
        let length = map.len();
        Ok(Self { map, file, length })
    }

    /// What the system knows of the file, whatever its name leads to by now.
    #[cfg(feature = "encoder")]
    pub(crate) fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata()
    }

    /// Gives back the memory of the pages that were touched; what is read again comes from the file again.
    #[cfg(all(unix, feature = "encoder"))]
    pub(crate) fn release(&self) {
        // SAFETY: nobody writes to the map, and its pages are the file's: they come back with the same content.
        let advised = unsafe { self.map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        // Where the system refuses, the pages stay until it needs them.
        drop(advised);
    }

    /// Gives nothing back: only Unix can be asked.
    #[cfg(all(not(unix), feature = "encoder"))]
    pub(crate) fn release(&self) {
        let _ = &self.map;
    }

    /// Copies a part of the file, without making more of it resident than that: a page of a map that is touched brings its
    /// neighbours with it, some hundred kilobytes.
    #[cfg(unix)]
    pub(crate) fn read_at(&self, place: usize, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, place as u64)
    }

    /// Copies a part of the file.
    #[cfg(not(unix))]
    pub(crate) fn read_at(&self, place: usize, into: &mut [u8]) -> io::Result<()> {
        let _ = &self.file;
        into.copy_from_slice(&self[place..place + into.len()]);
        Ok(())
    }
}

#[cfg(not(feature = "map"))]
impl FileMap {
    /// Reads a file. Its bytes begin where eight of them could be a number, as a map's do.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        Ok(Self { words: words.collect(), length: bytes.len() })
    }

    /// Copies a part of the file.
    #[allow(clippy::unnecessary_wraps)] // what reads from a file can fail
    pub(crate) fn read_at(&self, place: usize, into: &mut [u8]) -> io::Result<()> {
        into.copy_from_slice(&self[place..place + into.len()]);
        Ok(())
    }
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        #[cfg(feature = "map")]
        let bytes = &*self.map;
        #[cfg(not(feature = "map"))]
        let bytes = bytemuck::cast_slice(&self.words);
        &bytes[..self.length]
    }
}

/// Gives back what the allocator keeps of freed memory: after work that needed much for a while, it may keep it for good.
#[cfg(all(feature = "encoder", target_os = "linux", target_env = "gnu"))]
pub(crate) fn return_freed_memory() {
    // SAFETY: the call takes the allocator's own locks, and touches no memory that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Only glibc's allocator is asked.
#[cfg(all(feature = "encoder", not(all(target_os = "linux", target_env = "gnu"))))]
pub(crate) fn return_freed_memory() {}
