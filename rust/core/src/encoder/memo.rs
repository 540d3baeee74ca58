//! The SHA-256 of weights, remembered from one process to the next: to hash 90 MB takes as long as the rest of loading.
//!
//! The memo is a text file with a line for each file of weights: a checksum of the rest of the line, the SHA-256, what
//! state the file was in, its path. A line that is not as it was written counts for nothing. Of two processes that write
//! at the same time one wins, and the other's weights are hashed once more. Nothing here is an error: without a memo the
//! weights are hashed.
//!
//! The memo is a convenience and no authority: whoever can write into the user's cache folder could write into the
//! program as well.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::Path;

use super::weights::Weights;

/// Lines that are kept, the newest ones.
const LINES: usize = 64;
/// A longer file is not one of ours.
const LONGEST: u64 = 1 << 20;

/// The SHA-256 of weights as `memo` remembers it; else it is computed, and remembered if there is a memo.
///
/// It is another state of the file when its size, its times of change, its inode or its device differ. So a change is
/// missed only if it leaves all of these as they were; where there are no inodes, size and time of modification count.
pub(super) fn sha256(weights: &Weights, memo: Option<&Path>) -> String {
    recall(memo, || state(weights), || weights.sha256())
}

fn recall(memo: Option<&Path>, state: impl Fn() -> Option<String>, hash: impl FnOnce() -> String) -> String {
    let Some((memo, before)) = memo.and_then(|memo| Some((memo, state()?))) else { return hash() };
    if let Some(sha256) = lines(memo).iter().filter_map(|line| parse(line)).find(|(_, known)| *known == before) {
        return sha256.0.to_string();
    }
    let sha256 = hash();
    // What changed while it was read has no hash of its own.
    if state().as_ref() == Some(&before) {
        // A folder that cannot be written to costs the hashing next time, no more.
        let _ = remember(memo, &sha256, &before);
    }
    sha256
}

/// The state and the path of a file; None when a line cannot say it.
fn state(weights: &Weights) -> Option<String> {
    let path = weights.path().canonicalize().ok()?;
    let path = path.to_str().filter(|path| !path.contains('\n'))?;
    Some(format!("{} {path}", version(&weights.metadata()?)?))
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // elsewhere there may be no times
fn version(file: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    // The time of change tells of writers that put the time of modification back.
    let (modified, changed) = ((file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()));
    let [modified, changed] = [modified, changed].map(|(seconds, nanos)| format!("{seconds}.{nanos:09}"));
    Some(format!("{}:{}:{}:{modified}:{changed}", file.dev(), file.ino(), file.size()))
}

#[cfg(not(unix))]
fn version(file: &Metadata) -> Option<String> {
    let modified = file.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("{}:{}", file.len(), modified.as_nanos()))
}

/// SHA-256 and state of a line that is as it was written.
fn parse(line: &str) -> Option<(&str, &str)> {
    let (check, rest) = line.split_once(' ')?;
    if check == checksum(rest) { rest.split_once(' ') } else { None }
}

fn checksum(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_string()
}

/// The lines of a memo; none of a file that is not one.
fn lines(memo: &Path) -> Vec<String> {
    let mut text = String::new();
    let read = File::open(memo).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    if read.is_ok() { text.lines().map(str::to_string).collect() } else { Vec::new() }
}

/// Puts a line into a memo in the place of what it said of the same path.
fn remember(memo: &Path, sha256: &str, state: &str) -> io::Result<()> {
    let path_of = |state: &str| state.split_once(' ').map(|(_, path)| path.to_string());
    let mut kept = lines(memo);
    kept.retain(|line| parse(line).is_some_and(|(_, known)| path_of(known) != path_of(state)));
    kept.drain(..kept.len().saturating_sub(LINES - 1));
    let rest = format!("{sha256} {state}");
    kept.push(format!("{} {rest}\n", checksum(&rest)));
    replace(memo, kept.join("\n").as_bytes())
}

/// Replaces a file in one step: who reads it meanwhile reads the old one or the new one.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    private_folder(folder)?;
    let mut temporary = name.to_os_string();
    temporary.push(format!(".{:016x}.tmp", RandomState::new().build_hasher().finish()));
    let temporary = path.with_file_name(temporary);
    let written = private_file(&temporary).and_then(|mut file| file.write_all(content));
    written.and_then(|()| std::fs::rename(&temporary, path)).inspect_err(|_| {
        // The first error is the one that counts.
        let _ = std::fs::remove_file(&temporary);
    })
}

/// Makes a folder that is the user's alone, if there is none.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// A new file that is the user's alone.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;
    use crate::encoder::tests::TempFolder;

    /// A memo that is asked for files by their states, and counts how often it hashes.
    struct Asked {
        folder: TempFolder,
        hashed: Cell<usize>,
    }

    impl Asked {
        fn new() -> Self {
            Self { folder: TempFolder::new(), hashed: Cell::new(0) }
        }

        fn memo(&self) -> std::path::PathBuf {
            self.folder.0.join("cache").join("memo")
        }

        /// The hash of a file whose hash is "hash of" its state; whether it was hashed for that.
        fn ask(&self, state: &str) -> bool {
            let before = self.hashed.get();
            let hash = || {
                self.hashed.set(before + 1);
                hash_of(state)
            };
            assert_eq!(recall(Some(&self.memo()), || Some(state.to_string()), hash), hash_of(state));
            self.hashed.get() > before
        }
    }

    fn hash_of(state: &str) -> String {
        format!("{}{}", checksum(state), "0".repeat(48))
    }

    #[test]
    fn a_file_is_hashed_once_for_each_state() {
        let asked = Asked::new();
        assert!(asked.ask("1:1 /a model"));
        assert!(!asked.ask("1:1 /a model"));
        assert!(asked.ask("1:1 /other"));
        assert!(asked.ask("1:2 /a model"));
        assert!(!asked.ask("1:2 /a model") && !asked.ask("1:1 /other"));
        assert!(asked.ask("1:1 /a model"), "a state that is gone is remembered");
        assert_eq!(lines(&asked.memo()).len(), 2);
    }

    #[test]
    fn a_memo_does_not_grow_without_end() {
        let asked = Asked::new();
        for number in 0..LINES + 9 {
            assert!(asked.ask(&format!("1 /{number}")));
        }
        assert_eq!(lines(&asked.memo()).len(), LINES);
        assert!(asked.ask("1 /3") && !asked.ask("1 /30"));
    }

    #[test]
    fn a_damaged_memo_is_no_memo() {
        let asked = Asked::new();
        asked.ask("1 /a");
        let good = fs::read(asked.memo()).unwrap();
        for at in 0..good.len() - 1 {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            fs::write(asked.memo(), &damaged).unwrap();
            assert!(asked.ask("1 /a"), "byte {at}");
            assert!(!asked.ask("1 /a"), "byte {at}: it is not mended");
        }
        for content in [&b""[..], b"\xff\xfe", b"\n\n\n", &good[..good.len() / 2], &vec![b'x'; 2 << 20]] {
            fs::write(asked.memo(), content).unwrap();
            assert!(asked.ask("1 /a") && !asked.ask("1 /a"));
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_to_costs_the_hashing_alone() {
        let asked = Asked::new();
        fs::write(asked.folder.0.join("cache"), "a file where the folder would be").unwrap();
        assert!(asked.ask("1 /a") && asked.ask("1 /a"));
        let asked = Asked::new();
        fs::create_dir_all(asked.memo()).unwrap();
        assert!(asked.ask("1 /a") && asked.ask("1 /a"));
        let left: Vec<_> = fs::read_dir(asked.folder.0.join("cache")).unwrap().collect();
        assert_eq!(left.len(), 1, "a temporary file is left: {left:?}");
    }

    #[test]
    fn what_changes_while_it_is_hashed_is_not_remembered() {
        let (asked, round) = (Asked::new(), Cell::new(0));
        let changing = || Some(format!("{} /a", round.replace(round.get() + 1)));
        assert_eq!(recall(Some(&asked.memo()), changing, || "x".into()), "x");
        assert!(!asked.memo().exists());
        assert_eq!(recall(Some(&asked.memo()), || None, || "y".into()), "y");
        assert_eq!(recall(None, || unreachable!("nobody asks"), || "z".into()), "z");
        assert!(!asked.memo().exists());
    }

    #[cfg(unix)]
    #[test]
    fn it_is_the_users_alone() {
        use std::os::unix::fs::PermissionsExt;
        let asked = Asked::new();
        asked.ask("1 /a");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&asked.memo()), mode(asked.memo().parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn many_writers_leave_a_whole_memo() {
        let asked = Asked::new();
        let memo = asked.memo();
        std::thread::scope(|scope| {
            for number in 0..4 {
                let memo = &memo;
                scope.spawn(move || {
                    for round in 0..50 {
                        let state = format!("{round} /{number}");
                        assert_eq!(recall(Some(memo), || Some(state.clone()), || hash_of(&state)), hash_of(&state));
                    }
                });
            }
        });
        let kept = lines(&memo);
        assert!((1..=4).contains(&kept.len()) && kept.iter().all(|line| parse(line).is_some()));
        assert_eq!(fs::read_dir(memo.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn another_state_of_a_file_is_another_state() {
        let folder = TempFolder::new();
        let place = folder.0.join("model.safetensors");
        let header = br#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
        let write = |value: u8| [&(header.len() as u64).to_le_bytes()[..], header, &[value]].concat();
        let now = || state(&Weights::open(&place).unwrap()).unwrap();
        fs::write(&place, write(1)).unwrap();
        let first = now();
        assert_eq!(first, now());
        let time = fs::metadata(&place).unwrap().modified().unwrap();
        let file = OpenOptions::new().write(true).open(&place).unwrap();
        file.set_modified(time + std::time::Duration::from_nanos(1)).unwrap();
        let later = now();
        assert_ne!(first, later);
        fs::write(folder.0.join("new"), write(2)).unwrap();
        let new = OpenOptions::new().write(true).open(folder.0.join("new")).unwrap();
        new.set_modified(time).unwrap();
        fs::rename(folder.0.join("new"), &place).unwrap();
        assert!(now() != first && now() != later, "another file of the same size and time");
    }
}
