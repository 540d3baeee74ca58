//! Files that are right, damaged, forged or not there.

use std::path::PathBuf;

use super::*;
use crate::sync::{AtomicU64, Ordering};

/// A file name of its own, removed at the end.
pub(super) struct TempFile(pub(super) PathBuf);

impl TempFile {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("llmfast-hnsw-{}-{number}", std::process::id())))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn saved() -> (TempFile, Vec<u8>) {
    let index = index(3, 4);
    index.add_many(&[1, 2, 3, 4, 5, 6], &noise(1, 18), 0).unwrap();
    index.add_many(&[10, 20], &noise(2, 6), u128::MAX - 5).unwrap();
    let file = TempFile::new();
    index.save(&file.0).unwrap();
    let bytes = std::fs::read(&file.0).unwrap();
    (file, bytes)
}

fn load(file: &TempFile, bytes: &[u8]) -> Result<HnswIndex> {
    std::fs::write(&file.0, bytes).unwrap();
    HnswIndex::load(&file.0)
}

#[test]
fn a_loaded_index_has_the_same_rows_and_parameters() {
    let index = HnswIndex::new(24, 8, 40).unwrap();
    let rows = clustered(1, 2000, 24);
    index.add_many(&(0..2000).collect::<Vec<_>>(), &rows, 9).unwrap();
    let file = TempFile::new();
    index.save(&file.0).unwrap();
    let loaded = HnswIndex::load(&file.0).unwrap();
    assert_eq!((loaded.dim(), loaded.connectivity(), loaded.expansion(), loaded.len()), (24, 8, 40, 2000));
    let all = |index: &HnswIndex| index.search(&rows[..24], 2000, -1.0, 9).unwrap();
    assert_eq!(all(&loaded), all(&index));
    assert!(rows.chunks_exact(24).step_by(50).all(|row| loaded.search(row, 1, 1.0, 9).unwrap().len() == 1));
    loaded.add(2000, &rows[..24], 9).unwrap();
}

#[test]
fn every_mutation_of_a_file_is_found() {
    let (file, bytes) = saved();
    assert_eq!(load(&file, &bytes).unwrap().len(), 8);
    for (at, mask) in (0..bytes.len()).flat_map(|at| (1..=255_u8).step_by(29).map(move |mask| (at, mask))) {
        let mut damaged = bytes.clone();
        damaged[at] ^= mask;
        assert_eq!(kind(load(&file, &damaged)), Some(ErrorKind::CorruptFile), "byte {at} ^ {mask}");
    }
    for len in 0..bytes.len() {
        assert_eq!(kind(load(&file, &bytes[..len])), Some(ErrorKind::CorruptFile), "cut at {len}");
    }
    assert_eq!(kind(load(&file, &[&bytes[..], &[0]].concat())), Some(ErrorKind::CorruptFile));
}

/// With a checksum that matches, so that the parser itself is what stands in the way.
#[test]
fn forged_files_are_read_or_refused() {
    let (file, bytes) = saved();
    let body = bytes.len() - 32;
    let mut accepted = 0;
    for (at, mask) in (0..body).flat_map(|at| (1..=255_u8).step_by(29).map(move |mask| (at, mask))) {
        let mut forged = bytes[..body].to_vec();
        forged[at] ^= mask;
        forged.extend_from_slice(blake3::hash(&forged).as_bytes());
        match load(&file, &forged) {
            Ok(index) => accepted += usize::from(index.len() == 8),
            Err(error) => assert_eq!(error.kind(), ErrorKind::CorruptFile, "byte {at} ^ {mask}: {error}"),
        }
    }
    assert!(accepted > 200, "a changed component or id is another index: {accepted}");
}

#[test]
fn files_of_another_kind_are_refused_by_their_first_bytes() {
    let file = TempFile::new();
    let flat = FlatIndex::new(3).unwrap();
    flat.add(1, &[1.0; 3], 0).unwrap();
    flat.save(&file.0).unwrap();
    assert!(HnswIndex::load(&file.0).unwrap_err().to_string().contains("not a file of this kind"));
}

#[test]
fn a_file_is_replaced_in_one_step() {
    let (file, _) = saved();
    HnswIndex::new(2, 16, 64).unwrap().save(&file.0).unwrap();
    let loaded = HnswIndex::load(&file.0).unwrap();
    assert_eq!((loaded.dim(), loaded.len()), (2, 0));
    let name = file.0.file_name().unwrap().to_str().unwrap();
    let left = std::fs::read_dir(file.0.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.filter(|other| other.to_string_lossy().starts_with(&format!("{name}."))).count(), 0);
}

#[test]
fn files_that_cannot_be_opened_are_io_errors() {
    let missing = std::env::temp_dir().join("llmfast-no-such-folder").join("index");
    assert_eq!(kind(HnswIndex::load(&missing)), Some(ErrorKind::Io));
    assert_eq!(kind(HnswIndex::new(2, 16, 64).unwrap().save(&missing)), Some(ErrorKind::Io));
    assert_eq!(kind(HnswIndex::new(2, 16, 64).unwrap().save(Path::new("/"))), Some(ErrorKind::Io));
}
