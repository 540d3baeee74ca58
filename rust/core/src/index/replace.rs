//! Files that are replaced in one step: after a crash it is the old file or the new one.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Has `write` fill a new file beside `path` and renames it. `write` gets the file and the name it has until then, and sees to
/// it that what it wrote is on the disk; what it returns is returned.
pub(super) fn replace<T>(path: &Path, write: impl FnOnce(File, &Path) -> Result<T>) -> Result<T> {
    let (temporary, file) = create_beside(path)?;
    let written = write(file, &temporary);
    let rename =
        |written| fs::rename(&temporary, path).map_err(|error| Error::io("write", path, &error)).map(|()| written);
    let written = written.and_then(rename).inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    })?;
    sync_folder(path).map_err(|error| Error::io("write", path, &error))?;
    Ok(written)
}

/// A new file with a name that no other process has thought of, wherever it runs.
fn create_beside(path: &Path) -> Result<(PathBuf, File)> {
    let Some(name) = path.file_name() else {
        // The system's own words for what is no name of a file.
        let other = |_| Err(io::Error::other("not the name of a file"));
        let refused = OpenOptions::new().write(true).open(path).and_then(other);
        return refused.map_err(|error| Error::io("write", path, &error));
    };
    loop {
        let mut name = name.to_os_string();
        name.push(format!(".{:016x}.tmp", RandomState::new().build_hasher().finish()));
        let temporary = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("write", path, &error)),
        }
    }
}

/// Makes the rename last; Windows has no handle of a folder to do that with.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
