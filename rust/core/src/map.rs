//! Files as memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A file that is read through memory, page by page when it is touched.
///
/// Whoever writes to the file while it is mapped changes what is read here, and whoever shortens it ends the process
/// with a signal: replace such a file by a rename.
#[derive(Debug)]
pub(crate) struct FileMap(memmap2::Mmap);

impl FileMap {
    /// Maps a file for reading.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the map is private and read only, and only bytes are read from it, for which every value is valid. That
        // nobody writes to a model's weights in place while they are used is what the type's documentation asks for.
        let map = unsafe { memmap2::Mmap::map(&file) }?;
        Ok(Self(map))
    }
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
