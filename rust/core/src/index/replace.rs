//! Files that are replaced in one step: after a crash it is the old file or the new one.

use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Symbolic links that are followed before it is said to be a circle; as many as Linux follows.
const LINKS: usize = 40;

/// Has `write` fill a new file beside the one that `path` leads to and renames it. `write` gets the file and the name it has
/// until then, and sees to it that what it wrote is on the disk; what it returns is returned.
///
/// Symbolic links stay, and whoever could not read the old file cannot read the new one.
pub(super) fn replace<T>(path: &Path, write: impl FnOnce(File, &Path) -> Result<T>) -> Result<T> {
    let io = |error: io::Error| Error::io("write", path, &error);
    let target = followed(path).map_err(io)?;
    let (temporary, file) = create_beside(&target).map_err(io)?;
    let rename = |written| fs::rename(&temporary, &target).map_err(io).map(|()| written);
    let written = write(file, &temporary).and_then(rename).inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    })?;
    sync_folder(&target).map_err(io)?;
    Ok(written)
}

/// Where a path leads to, whether or not there is anything.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            // It is no link; what else there may be to say of it is said where it is written.
            Err(_) => return Ok(path),
        }
    }
    // The system says it in its own words.
    fs::metadata(&path).map(|_| path)
}

/// A new file with a name that no other process has thought of, wherever it runs.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let old = fs::metadata(path).ok();
    let name = path.file_name().filter(|_| !old.as_ref().is_some_and(Metadata::is_dir));
    let Some(name) = name else {
        // The system's own words for what is no name of a file.
        let other = |_| Err(io::Error::other("not the name of a file"));
        return OpenOptions::new().write(true).open(path).and_then(other);
    };
    loop {
        let mut name = name.to_os_string();
        name.push(format!(".{:016x}.tmp", RandomState::new().build_hasher().finish()));
        let temporary = path.with_file_name(name);
        match create(&temporary, old.as_ref()) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Creates a file that may be read and written by those who may the one that it replaces.
#[cfg(unix)]
fn create(path: &Path, old: Option<&Metadata>) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let Some(old) = old else { return options.open(path) };
    // Nobody else's until it is as it should be.
    let file = options.mode(0o600).open(path)?;
    let ready = take_after(&file, old).inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(path);
    });
    ready.map(|()| file)
}

#[cfg(unix)]
fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    // Only root may give a file away; its group an owner may choose, among those that they are in.
    let _ = fchown(file, Some(old.uid()), Some(old.gid())).or_else(|_| fchown(file, None, Some(old.gid())));
    // What one group could is not for another.
    let mask = if file.metadata()?.gid() == old.gid() { 0o777 } else { 0o707 };
    file.set_permissions(Permissions::from_mode(old.mode() & mask))
}

/// Creates a file. Elsewhere its folder says who may read it.
#[cfg(not(unix))]
fn create(path: &Path, _old: Option<&Metadata>) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Makes the rename last; Windows has no handle of a folder to do that with.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
