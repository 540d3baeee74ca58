//! What lies where in the file of an index.
//!
//! Little-endian. A page of header: `LLMFFLAT`, version (u32), dimensions (u32), rows, groups and partitions (u64 each),
//! BLAKE3 of the table of checksums, zeros, BLAKE3 of all that. Then the sections of [`Section`], each on a multiple of 64
//! bytes, and zeros between them. At the end the table: for each [`PIECE`] bytes behind the header the first eight bytes of
//! their BLAKE3.
//!
//! Partitions lie in ascending order of their names, one behind the other; rows of a partition are numbered in one go. Signs
//! and levels are padded to whole groups in each partition, nothing else is padded.

use std::ops::Range;

use super::code::WholeShape;
use crate::index::MAX_DIM;
use crate::kernel::codes::HighShape;
use crate::kernel::codes::{GROUP, padded};

pub(super) const MAGIC: [u8; 8] = *b"LLMFFLAT";
/// Of all that a file holds: the sections, and what `rotation`, `bound` and `code` make of a row.
pub(super) const VERSION: u32 = 2;
/// Bytes of the header, with its own checksum at the end.
pub(super) const HEADER: usize = 4096;
pub(super) const DIGEST: usize = blake3::OUT_LEN;
/// Bytes that share a checksum: few enough that one row does not drag much of the file in, enough that eight of them are
/// hashed at once.
pub(super) const PIECE: usize = 8192;
/// Bytes of a checksum in the table.
pub(super) const CHECKSUM: usize = 8;
/// Sections begin at multiples of this.
const ALIGNMENT: usize = 64;

/// A kind of thing that the file holds of every row (or group, or partition).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// A [`DIRECTORY_ENTRY`] a partition.
    Directory,
    /// The ids in ascending order, and the number of the row of each.
    SortedIds,
    SortedRows,
    Ids,
    Signs,
    Levels,
    High,
    Low,
    HighShapes,
    WholeShapes,
    /// The rows as they were given.
    Values,
}

/// The sections in the order of the file.
pub(super) const SECTIONS: [Section; 11] = [
    Section::Directory,
    Section::SortedIds,
    Section::SortedRows,
    Section::Ids,
    Section::Signs,
    Section::Levels,
    Section::High,
    Section::Low,
    Section::HighShapes,
    Section::WholeShapes,
    Section::Values,
];

/// Words of eight bytes of a partition: the low and the high half of its name, its first row, rows, first group.
pub(super) const DIRECTORY_ENTRY: usize = 5;

/// How much there is of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) dim: usize,
    pub(super) rows: u64,
    pub(super) groups: u64,
    pub(super) partitions: u64,
}

/// Where everything begins and ends.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) counts: Counts,
    sections: [Range<usize>; SECTIONS.len()],
    pub(super) table: Range<usize>,
}

impl Layout {
    /// None for counts that no index has.
    pub(super) fn new(counts: Counts) -> Option<Self> {
        let Counts { dim, rows, groups, partitions } = counts;
        let possible = (1..=MAX_DIM).contains(&dim)
            && u32::try_from(rows).is_ok()
            && partitions <= groups
            && groups <= rows
            && rows <= groups.checked_mul(GROUP as u64)?
            && (rows == 0) == (partitions == 0);
        if !possible {
            return None;
        }
        let mut end = HEADER;
        let sections = SECTIONS.map(|section| {
            let start = end.checked_next_multiple_of(ALIGNMENT).unwrap_or(end);
            let (count, width) = section.extent(&counts);
            // Fewer than 2³² times fewer than 2¹⁸ bytes each.
            end = start.saturating_add((count as usize).saturating_mul(width));
            start..end
        });
        let table = end.checked_next_multiple_of(ALIGNMENT)?;
        let table = table..table.checked_add((table - HEADER).div_ceil(PIECE) * CHECKSUM)?;
        Some(Self { counts, sections, table })
    }

    pub(super) fn section(&self, section: Section) -> Range<usize> {
        self.sections[section as usize].clone()
    }

    /// Where pieces are, the last one cut short.
    pub(super) fn pieces(&self) -> usize {
        self.table.len() / CHECKSUM
    }

    /// The bytes of a piece.
    pub(super) fn piece(&self, number: usize) -> Range<usize> {
        let start = HEADER + number * PIECE;
        start..(start + PIECE).min(self.table.start)
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> usize {
        self.table.end
    }
}

impl Section {
    /// How many items there are, and the bytes of each.
    fn extent(self, counts: &Counts) -> (u64, usize) {
        let padded = padded(counts.dim);
        match self {
            Self::Directory => (counts.partitions, DIRECTORY_ENTRY * size_of::<u64>()),
            Self::SortedIds | Self::Ids => (counts.rows, size_of::<u64>()),
            Self::SortedRows => (counts.rows, size_of::<u32>()),
            Self::Signs => (counts.groups, padded / 8 * GROUP),
            Self::Levels => (counts.groups, GROUP),
            Self::High | Self::Low => (counts.rows, padded / 2),
            Self::HighShapes => (counts.rows, size_of::<HighShape>()),
            Self::WholeShapes => (counts.rows, size_of::<WholeShape>()),
            Self::Values => (counts.rows, counts.dim * size_of::<f32>()),
        }
    }
}

/// What the table says of a piece.
pub(super) fn checksum(piece: &[u8]) -> [u8; CHECKSUM] {
    let mut checksum = [0; CHECKSUM];
    checksum.copy_from_slice(&blake3::hash(piece).as_bytes()[..CHECKSUM]);
    checksum
}
