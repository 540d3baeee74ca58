//! Files that are not what was written.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use super::*;
use crate::index::flat::layout::{CHECKSUM, Counts, DIGEST, HEADER, Layout, PIECE, checksum};

const ROWS: usize = 40;
const NAMES: [u128; 3] = [0, 7, u128::MAX - 5];

/// An index of forty rows in three partitions, as a file.
fn saved() -> (TempFile, Vec<u8>) {
    let index = FlatIndex::new(3).unwrap();
    for (at, name) in NAMES.into_iter().enumerate() {
        let rows = if at == 1 { ROWS - 6 } else { 3 };
        let ids: Vec<u64> = (0..rows as u64).map(|id| id * 10 + at as u64).collect();
        index.add_many(&ids, &noise(at as u64, 3 * rows), name).unwrap();
    }
    let file = TempFile::new();
    index.save(&file.0).unwrap();
    let bytes = std::fs::read(&file.0).unwrap();
    (file, bytes)
}

fn layout() -> Layout {
    Layout::new(Counts { dim: 3, rows: ROWS as u64, groups: 4, partitions: 3 }).unwrap()
}

/// Everything that an index can be asked. Damage is an error of its own kind, and nothing panics.
fn interrogate(file: &TempFile, compact: bool) -> Result<Vec<Vec<Hit>>> {
    let index = FlatIndex::load(&file.0)?;
    let mut answers = Vec::new();
    for name in NAMES {
        answers.push(index.search(&[0.3, -0.2, 0.9], 100, -1.0, name)?);
        answers.push(index.search(&[0.3, -0.2, 0.9], 1, 0.9, name)?);
    }
    for id in [0, 10, 331, 1, 2, 22, 5] {
        answers.push(vec![Hit { id, score: f64::from(u8::from(index.contains(id)?)) }]);
    }
    index.update(11, &[1.0, 0.0, 0.0])?;
    answers.push(vec![Hit { id: u64::from(index.remove(11)?), score: f64::from(u8::from(index.remove(21)?)) }]);
    answers.push(index.search(&[1.0, 0.0, 0.0], 100, -1.0, 7)?);
    if compact {
        index.compact(&TempFile::new().0)?;
        answers.push(index.search(&[1.0, 0.0, 0.0], 100, -1.0, 7)?);
    }
    Ok(answers)
}

/// Writes `changes` over the file, asks everything, and puts the bytes back.
fn with_changes(file: &TempFile, bytes: &[u8], changes: &[(usize, Vec<u8>)], compact: bool) -> Result<Vec<Vec<Hit>>> {
    let mut open = File::options().write(true).open(&file.0).unwrap();
    let mut overwrite = |at: usize, bytes: &[u8]| {
        open.seek(SeekFrom::Start(at as u64)).and_then(|_| open.write_all(bytes)).unwrap();
    };
    for (at, change) in changes {
        overwrite(*at, change);
    }
    let answers = interrogate(file, compact);
    for (at, change) in changes {
        overwrite(*at, &bytes[*at..*at + change.len()]);
    }
    answers
}

fn is_damage(error: &Error) -> bool {
    error.kind() == ErrorKind::CorruptFile
        && [" is damaged: ", " has version "].iter().any(|why| error.to_string().contains(why))
}

#[test]
fn every_changed_byte_is_found_or_changes_nothing() {
    let (file, bytes) = saved();
    let expected = interrogate(&file, false).unwrap();
    assert_eq!(bytes.len(), layout().length());
    let mut found = 0;
    for at in 0..bytes.len() {
        for mask in [1, 0x55, 0x80] {
            match with_changes(&file, &bytes, &[(at, vec![bytes[at] ^ mask])], false) {
                Ok(answers) => assert_eq!(answers, expected, "byte {at} ^ {mask}"),
                Err(error) => {
                    assert!(is_damage(&error), "byte {at} ^ {mask}: {error}");
                    found += 1;
                }
            }
        }
    }
    assert_eq!(found, 3 * bytes.len(), "all pieces of so small a file are touched");
}

#[test]
fn a_file_cut_short_or_continued_is_damaged() {
    let (file, bytes) = saved();
    for length in (0..bytes.len()).step_by(7) {
        File::options().write(true).open(&file.0).unwrap().set_len(length as u64).unwrap();
        assert!(is_damage(&interrogate(&file, false).unwrap_err()), "cut at {length}");
        std::fs::write(&file.0, &bytes).unwrap();
    }
    for more in [1, 8, PIECE] {
        std::fs::write(&file.0, [&bytes[..], &vec![0; more]].concat()).unwrap();
        assert!(is_damage(&interrogate(&file, false).unwrap_err()), "{more} bytes more");
    }
}

/// With checksums that match, so that what stands in the way is what the numbers are compared with: a hundred thousand
/// files with one or two changes each.
#[test]
fn forged_files_are_read_or_refused() {
    let (file, bytes) = saved();
    let layout = layout();
    let mut numbers = noise_u64(5);
    let (mut read, mut refused) = (0, 0);
    for round in 0..100_000 {
        let mut forged: Vec<(usize, Vec<u8>)> = Vec::new();
        for _ in 0..=round % 2 {
            let at = HEADER + numbers() as usize % (layout.table.start - HEADER);
            let width = (1 << (numbers() % 4)).min(layout.table.start - at);
            let value = if numbers().is_multiple_of(4) { u64::MAX } else { numbers() >> (numbers() % 64) };
            forged.push((at, value.to_le_bytes()[..width].to_vec()));
        }
        let changes = with_checksums(&bytes, &layout, forged, None);
        // Writing a file waits for the disk.
        match with_changes(&file, &bytes, &changes, round % 40 == 0) {
            Ok(_) => read += 1,
            Err(error) if is_damage(&error) => refused += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnknownId, "{error}"),
        }
    }
    assert!(read > 50_000 && refused > 100, "{read} read, {refused} refused");
}

/// Counts that the header does not have, each with checksums that match.
#[test]
fn forged_counts_are_refused() {
    let (file, bytes) = saved();
    let mut numbers = noise_u64(6);
    for at in [12, 16, 24, 32] {
        for value in [0, 1, 2, 3, 5, 41, 1 << 31, u64::from(u32::MAX), 1 << 32, u64::MAX, numbers(), numbers() >> 40] {
            let width = if at == 12 { 4 } else { 8 };
            let change = value.to_le_bytes()[..width].to_vec();
            if change == bytes[at..at + width] {
                continue;
            }
            let changes = with_checksums(&bytes, &layout(), vec![], Some(&(at, change)));
            // Two partitions take as much place as three, with what is between the sections.
            match with_changes(&file, &bytes, &changes, true) {
                Ok(_) => assert_eq!((at, value), (32, 2)),
                Err(error) => assert!(is_damage(&error), "{value} at {at}: {error}"),
            }
        }
    }
}

/// `changes` and the checksums that they need: of their pieces, of the table, of the header.
fn with_checksums(
    bytes: &[u8],
    layout: &Layout,
    changes: Vec<(usize, Vec<u8>)>,
    header: Option<&(usize, Vec<u8>)>,
) -> Vec<(usize, Vec<u8>)> {
    let mut forged = bytes.to_vec();
    for (at, change) in changes.iter().chain(header) {
        forged[*at..*at + change.len()].copy_from_slice(change);
    }
    for piece in 0..layout.pieces() {
        let sum = checksum(&forged[layout.piece(piece)]);
        forged[layout.table.start + piece * CHECKSUM..][..CHECKSUM].copy_from_slice(&sum);
    }
    let table = blake3::hash(&forged[layout.table.clone()]);
    forged[40..40 + DIGEST].copy_from_slice(table.as_bytes());
    let digest = blake3::hash(&forged[..HEADER - DIGEST]);
    forged[HEADER - DIGEST..HEADER].copy_from_slice(digest.as_bytes());
    let all = [(0, forged[..HEADER].to_vec()), (layout.table.start, forged[layout.table.clone()].to_vec())];
    changes.into_iter().chain(all).collect()
}

fn noise_u64(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
