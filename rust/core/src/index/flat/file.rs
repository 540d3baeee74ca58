//! Writing the file of an index.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use bytemuck::{bytes_of, cast_slice};

use super::layout::{Counts, DIGEST, HEADER, Layout, MAGIC, PIECE, SECTIONS, Section, VERSION, checksum};
use super::rows::Rows;
use crate::error::{Error, ErrorKind, Result};
use crate::index::replace::replace;
use crate::kernel::codes::{GROUP, move_signs, padded};

/// A partition and where its rows lie.
#[derive(Debug)]
pub(super) struct Partition<'a> {
    pub(super) name: u128,
    pub(super) parts: Vec<Rows<'a>>,
}

/// Writes a new file in the place of an old one. Returns what `open` made of it before it had its name.
pub(super) fn save<T>(
    path: &Path,
    dim: usize,
    partitions: &[Partition<'_>],
    open: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    if cfg!(target_endian = "big") {
        return Err(Error::new(ErrorKind::Config, "expected a little-endian processor to write an index on"));
    }
    replace(path, |file, temporary| write_file(file, path, dim, partitions).and_then(|()| open(temporary)))
}

/// Writes everything; `path` is what errors name.
fn write_file(file: File, path: &Path, dim: usize, partitions: &[Partition<'_>]) -> Result<()> {
    let io = |error: io::Error| Error::io("write", path, &error);
    let plan = Plan::new(dim, partitions)?;
    let counts = plan.counts();
    let too_many = || Error::new(ErrorKind::Config, format!("expected at most {} rows, got {}", u32::MAX, counts.rows));
    let layout = Layout::new(counts).ok_or_else(too_many)?;
    let mut out =
        Out { inner: BufWriter::new(file), piece: Vec::with_capacity(PIECE), table: vec![], at: HEADER, path };
    out.inner.write_all(&[0; HEADER]).map_err(io)?;
    for section in SECTIONS {
        out.pad_to(layout.section(section).start)?;
        plan.write(section, &mut out)?;
        assert_eq!(out.at, layout.section(section).end, "bytes of {section:?}");
    }
    out.pad_to(layout.table.start)?;
    let (mut file, table) = out.finish()?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    file.write_all(&header(&counts, &table)).map_err(io)?;
    file.sync_all().map_err(io)
}

fn header(counts: &Counts, table: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(counts.dim as u32).to_le_bytes());
    for count in [counts.rows, counts.groups, counts.partitions] {
        header.extend_from_slice(&count.to_le_bytes());
    }
    header.extend_from_slice(blake3::hash(table).as_bytes());
    header.resize(HEADER - DIGEST, 0);
    let digest = blake3::hash(&header);
    header.extend_from_slice(digest.as_bytes());
    header
}

/// The rows in the order of the file.
struct Plan<'a> {
    dim: usize,
    parts: Vec<Rows<'a>>,
    /// For each row the number of its part, and its place there.
    rows: Vec<(u32, u32)>,
    /// For each partition its name and where its rows end.
    ends: Vec<(u128, usize)>,
    /// The ids in ascending order with the numbers of their rows.
    sorted: Vec<(u64, u32)>,
}

impl<'a> Plan<'a> {
    fn new(dim: usize, partitions: &[Partition<'a>]) -> Result<Self> {
        let mut plan = Self { dim, parts: vec![], rows: vec![], ends: vec![], sorted: vec![] };
        let mut order: Vec<&Partition<'a>> = partitions.iter().collect();
        order.sort_unstable_by_key(|partition| partition.name);
        for partition in order {
            let first = plan.rows.len();
            for part in &partition.parts {
                let number = plan.parts.len() as u32;
                plan.parts.push(*part);
                let live = (0..part.len()).filter(|slot| part.is_live(*slot));
                plan.rows.extend(live.map(|slot| (number, slot as u32)));
            }
            if plan.rows.len() > first {
                plan.ends.push((partition.name, plan.rows.len()));
            }
        }
        let ids = plan.rows.iter().zip(0..).map(|(row, number)| Ok((plan.part(*row).id(row.1 as usize)?, number)));
        plan.sorted = ids.collect::<Result<_>>()?;
        plan.sorted.sort_unstable();
        Ok(plan)
    }

    fn part(&self, row: (u32, u32)) -> Rows<'a> {
        self.parts[row.0 as usize]
    }

    fn counts(&self) -> Counts {
        let groups = self.partitions().map(|(_, rows)| rows.len().div_ceil(GROUP) as u64).sum();
        Counts { dim: self.dim, rows: self.rows.len() as u64, groups, partitions: self.ends.len() as u64 }
    }

    fn partitions(&self) -> impl Iterator<Item = (u128, &[(u32, u32)])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        self.ends.iter().zip(starts).map(|((name, end), start)| (*name, &self.rows[start..*end]))
    }

    fn write(&self, section: Section, out: &mut Out<'_>) -> Result<()> {
        match section {
            Section::Directory => self.write_directory(out),
            Section::SortedIds => self.sorted.iter().try_for_each(|(id, _)| out.write(&id.to_le_bytes())),
            Section::SortedRows => self.sorted.iter().try_for_each(|(_, row)| out.write(&row.to_le_bytes())),
            Section::Signs => self.write_signs(out),
            Section::Levels => self.write_levels(out),
            Section::Ids => self.each(|rows, slot| out.write(&rows.id(slot)?.to_le_bytes())),
            Section::High => self.each(|rows, slot| out.write(rows.high(slot..slot + 1)?)),
            Section::Low => self.each(|rows, slot| out.write(rows.low(slot..slot + 1)?)),
            Section::HighShapes => self.each(|rows, slot| out.write(cast_slice(rows.high_shapes(slot..slot + 1)?))),
            Section::WholeShapes => self.each(|rows, slot| out.write(bytes_of(&rows.whole_shape(slot)?))),
            Section::Values => self.each(|rows, slot| out.write(cast_slice(&rows.values(slot)?))),
        }
    }

    fn each(&self, mut write: impl FnMut(Rows<'a>, usize) -> Result<()>) -> Result<()> {
        self.rows.iter().try_for_each(|row| write(self.part(*row), row.1 as usize))
    }

    fn write_directory(&self, out: &mut Out<'_>) -> Result<()> {
        let (mut first_row, mut first_group) = (0, 0);
        for (name, rows) in self.partitions() {
            out.write(&name.to_le_bytes())?;
            for number in [first_row, rows.len() as u64, first_group] {
                out.write(&number.to_le_bytes())?;
            }
            first_row += rows.len() as u64;
            first_group += rows.len().div_ceil(GROUP) as u64;
        }
        Ok(())
    }

    fn write_signs(&self, out: &mut Out<'_>) -> Result<()> {
        let mut group = vec![0; padded(self.dim) / 8 * GROUP];
        for rows in self.partitions().flat_map(|(_, rows)| rows.chunks(GROUP)) {
            group.fill(0);
            for (place, row) in rows.iter().enumerate() {
                let slot = row.1 as usize;
                let (signs, _) = self.part(*row).signs(slot / GROUP..slot / GROUP + 1)?;
                move_signs(signs, slot % GROUP, &mut group, place);
            }
            out.write(&group)?;
        }
        Ok(())
    }

    fn write_levels(&self, out: &mut Out<'_>) -> Result<()> {
        for rows in self.partitions().flat_map(|(_, rows)| rows.chunks(GROUP)) {
            let mut group = [0; GROUP];
            for (level, row) in group.iter_mut().zip(rows) {
                let slot = row.1 as usize;
                *level = self.part(*row).signs(slot / GROUP..slot / GROUP + 1)?.1[slot % GROUP];
            }
            out.write(&group)?;
        }
        Ok(())
    }
}

/// Writes bytes and remembers the checksums of their pieces.
struct Out<'a> {
    inner: BufWriter<File>,
    /// What has been written of the piece.
    piece: Vec<u8>,
    table: Vec<u8>,
    at: usize,
    path: &'a Path,
}

impl Out<'_> {
    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.at += bytes.len();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == PIECE {
                self.end_piece()?;
            }
        }
        Ok(())
    }

    fn pad_to(&mut self, place: usize) -> Result<()> {
        self.write(&vec![0; place - self.at])
    }

    fn end_piece(&mut self) -> Result<()> {
        self.table.extend_from_slice(&checksum(&self.piece));
        self.inner.write_all(&self.piece).map_err(|error| Error::io("write", self.path, &error))?;
        self.piece.clear();
        Ok(())
    }

    /// Writes the table; returns the file and the table.
    fn finish(mut self) -> Result<(File, Vec<u8>)> {
        if !self.piece.is_empty() {
            self.end_piece()?;
        }
        let io = |error: io::Error| Error::io("write", self.path, &error);
        self.inner.write_all(&self.table).map_err(io)?;
        let file = self.inner.into_inner().map_err(|error| io(error.into_error()))?;
        Ok((file, self.table))
    }
}
