//! Rows in a file, which never change: read where they lie, checked when they are first touched.
//!
//! Rows as they were given are read by copies and not through the map: a page that is touched there made 340 KiB of its
//! neighbours resident. What a file says may be forged with right checksums: then answers are wrong or errors, and
//! never a crash (10⁵ mutations in the tests).

use std::ops::Range;
use std::path::{Path, PathBuf};

use bytemuck::AnyBitPattern;

use super::code::WholeShape;
use super::layout::{
    CHECKSUM, Counts, DIGEST, DIRECTORY_ENTRY, HEADER, Layout, MAGIC, PIECE, Section, VERSION, checksum,
};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::codes::HighShape;
use crate::kernel::codes::{GROUP, padded};
use crate::map::FileMap;
use crate::sync::{AtomicU64, Ordering};

const WORD: usize = u64::BITS as usize;

/// The file of an index, as memory.
///
/// Nothing that it says is trusted: its header and its table of checksums are verified at once, every other byte with the
/// piece that it lies in before it is used, and numbers that lead elsewhere are compared with what there is.
#[derive(Debug)]
pub(super) struct Segment {
    map: FileMap,
    path: PathBuf,
    layout: Layout,
    /// A bit a piece.
    verified: Vec<AtomicU64>,
}

/// The rows of a partition in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partition {
    pub(super) name: u128,
    first_row: usize,
    rows: usize,
    first_group: usize,
}

impl Segment {
    /// Opens a file in time that does not depend on its rows, but for their checksums: eight bytes for each 8 KiB.
    ///
    /// `name` is what errors call it.
    pub(super) fn open(path: &Path, name: &Path) -> Result<Self> {
        let (map, path) = (FileMap::open(path), name);
        let map = map.map_err(|error| Error::io("read", path, &error))?;
        let damaged = |why: &str| damaged(path, why);
        if cfg!(target_endian = "big") {
            return Err(Error::new(ErrorKind::Config, "expected a little-endian processor to read an index on"));
        }
        if map.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(damaged("it is not a file of a flat index"));
        }
        let header = map.get(..HEADER).ok_or_else(|| damaged("it ends before its end"))?;
        let version = u32::from_le_bytes(array(&header[8..]));
        if version != VERSION {
            let message =
                format!("{} has version {version} of the format, expected {VERSION}: build it again", path.display());
            return Err(Error::new(ErrorKind::CorruptFile, message));
        }
        if blake3::hash(&header[..HEADER - DIGEST]).as_bytes() != &header[HEADER - DIGEST..] {
            return Err(damaged("its header's checksum does not match"));
        }
        let number = |at: usize| u64::from_le_bytes(array(&header[at..]));
        let dim = u32::from_le_bytes(array(&header[12..])) as usize;
        let counts = Counts { dim, rows: number(16), groups: number(24), partitions: number(32) };
        let layout = Layout::new(counts).ok_or_else(|| damaged("its header has impossible counts"))?;
        if map.len() != layout.length() {
            let why = format!("expected {} bytes, got {}", layout.length(), map.len());
            return Err(damaged(&why));
        }
        if blake3::hash(&map[layout.table.clone()]).as_bytes() != &header[40..40 + DIGEST] {
            return Err(damaged("its checksums' checksum does not match"));
        }
        let verified = (0..layout.pieces().div_ceil(WORD)).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { map, path: path.to_path_buf(), layout, verified })
    }

    pub(super) fn dim(&self) -> usize {
        self.layout.counts.dim
    }

    /// Rows, removed or not.
    pub(super) fn len(&self) -> usize {
        self.layout.counts.rows as usize
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        self.verified.capacity() * size_of::<AtomicU64>()
    }

    /// The row called `id`, removed or not.
    pub(super) fn find(&self, id: u64) -> Result<Option<usize>> {
        let at = partition_point(self.len(), |at| Ok(self.item::<u64>(Section::SortedIds, at)? < id))?;
        if at == self.len() || self.item::<u64>(Section::SortedIds, at)? != id {
            return Ok(None);
        }
        let row = self.item::<u32>(Section::SortedRows, at)? as usize;
        if row < self.len() { Ok(Some(row)) } else { Err(self.damaged(&format!("row {row} of id {id} is not there"))) }
    }

    fn partitions(&self) -> usize {
        self.layout.counts.partitions as usize
    }

    /// The names of all partitions, whose rows lie one behind the other.
    pub(super) fn partition_names(&self) -> Result<Vec<u128>> {
        let (mut names, mut next) = (Vec::with_capacity(self.partitions()), 0);
        for number in 0..self.partitions() {
            let Partition { name, first_row, rows, .. } = self.partition(number)?;
            if first_row != next {
                return Err(self.damaged(&format!("partition {name} begins with row {first_row}, not {next}")));
            }
            next += rows;
            names.push(name);
        }
        Ok(names)
    }

    /// The partition of a number.
    pub(super) fn partition(&self, number: usize) -> Result<Partition> {
        let entry: &[u64] = self.items(Section::Directory, DIRECTORY_ENTRY * number..DIRECTORY_ENTRY * (number + 1))?;
        let name = u128::from(entry[0]) | u128::from(entry[1]) << 64;
        let (rows, groups) = (entry[2].checked_add(entry[3]), entry[4].checked_add(entry[3].div_ceil(GROUP as u64)));
        let counts = &self.layout.counts;
        if rows.is_none_or(|end| end > counts.rows) || groups.is_none_or(|end| end > counts.groups) {
            return Err(self.damaged(&format!("rows of partition {name} are not there")));
        }
        Ok(Partition { name, first_row: entry[2] as usize, rows: entry[3] as usize, first_group: entry[4] as usize })
    }

    /// The partition of a name.
    pub(super) fn find_partition(&self, name: u128) -> Result<Option<Partition>> {
        let at = partition_point(self.partitions(), |at| Ok(self.partition(at)?.name < name))?;
        if at == self.partitions() {
            return Ok(None);
        }
        Ok(Some(self.partition(at)?).filter(|partition| partition.name == name))
    }

    /// The partition that a row lies in.
    pub(super) fn partition_of(&self, row: usize) -> Result<Partition> {
        let after = partition_point(self.partitions(), |at| Ok(self.partition(at)?.first_row <= row))?;
        after
            .checked_sub(1)
            .map_or_else(|| Err(self.damaged(&format!("row {row} is in no partition"))), |at| self.partition(at))
    }

    /// The rows of a partition; `dead` has a bit a row of the file, or nothing.
    pub(super) fn stretch<'a>(&'a self, partition: Partition, dead: &'a [u64]) -> Stretch<'a> {
        Stretch { segment: self, partition, dead }
    }

    fn item<T: AnyBitPattern>(&self, section: Section, at: usize) -> Result<T> {
        Ok(self.items::<T>(section, at..at + 1)?[0])
    }

    /// Numbers of a section.
    fn items<T: AnyBitPattern>(&self, section: Section, items: Range<usize>) -> Result<&[T]> {
        let bytes = self.bytes(section, items.start * size_of::<T>()..items.end * size_of::<T>())?;
        bytemuck::try_cast_slice(bytes).map_err(|error| self.damaged(&error.to_string()))
    }

    /// Bytes of a section, after a look at the checksums of their pieces.
    fn bytes(&self, section: Section, bytes: Range<usize>) -> Result<&[u8]> {
        let place = self.layout.section(section);
        let place = place.start + bytes.start..place.start + bytes.end;
        self.check(&place, |piece| Ok(checksum(&self.map[piece])))?;
        Ok(&self.map[place])
    }

    /// A copy of numbers of a section, which makes nothing of the file resident.
    fn copy(&self, section: Section, items: Range<usize>) -> Result<Vec<f32>> {
        let start = self.layout.section(section).start + items.start * size_of::<f32>();
        let place = start..start + items.len() * size_of::<f32>();
        self.check(&place, |piece| {
            let mut bytes = vec![0; piece.len()];
            self.read(piece.start, &mut bytes)?;
            Ok(checksum(&bytes))
        })?;
        let mut numbers = vec![0.0_f32; items.len()];
        self.read(place.start, bytemuck::cast_slice_mut(&mut numbers))?;
        Ok(numbers)
    }

    fn read(&self, place: usize, into: &mut [u8]) -> Result<()> {
        self.map.read_at(place, into).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => self.damaged("it ends before its end"),
            _ => Error::io("read", &self.path, &error),
        })
    }

    /// Looks at the checksums of the pieces that lie in `place`, once.
    fn check(&self, place: &Range<usize>, sum: impl Fn(Range<usize>) -> Result<[u8; CHECKSUM]>) -> Result<()> {
        if place.is_empty() {
            return Ok(());
        }
        for piece in (place.start - HEADER) / PIECE..=(place.end - 1 - HEADER) / PIECE {
            let (word, bit) = (&self.verified[piece / WORD], 1 << (piece % WORD));
            // Nothing was written but this bit: there is nothing to be ordered.
            if word.load(Ordering::Relaxed) & bit == 0 {
                self.verify(piece, &sum)?;
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    #[cold]
    fn verify(&self, piece: usize, sum: impl Fn(Range<usize>) -> Result<[u8; CHECKSUM]>) -> Result<()> {
        let bytes = self.layout.piece(piece);
        let expected = &self.map[self.layout.table.start + piece * CHECKSUM..][..CHECKSUM];
        if sum(bytes.clone())? == expected {
            return Ok(());
        }
        Err(self.damaged(&format!("the checksum of bytes {} to {} does not match", bytes.start, bytes.end)))
    }

    fn damaged(&self, why: &str) -> Error {
        damaged(&self.path, why)
    }
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::CorruptFile, format!("{} is damaged: {why}", path.display()))
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// The first of `0..count` of which `before` is false, when it is true of all before.
fn partition_point(count: usize, before: impl Fn(usize) -> Result<bool>) -> Result<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if before(middle)? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// The rows of one partition in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch<'a> {
    segment: &'a Segment,
    partition: Partition,
    dead: &'a [u64],
}

impl<'a> Stretch<'a> {
    pub(super) fn len(&self) -> usize {
        self.partition.rows
    }

    pub(super) fn is_live(&self, slot: usize) -> bool {
        let row = self.partition.first_row + slot;
        self.dead.is_empty() || self.dead[row / WORD] >> (row % WORD) & 1 == 0
    }

    pub(super) fn signs(&self, groups: Range<usize>) -> Result<(&'a [u8], &'a [u8])> {
        let groups = self.partition.first_group + groups.start..self.partition.first_group + groups.end;
        let width = padded(self.segment.dim()) / 8 * GROUP;
        let signs = self.segment.bytes(Section::Signs, groups.start * width..groups.end * width)?;
        Ok((signs, self.segment.bytes(Section::Levels, groups.start * GROUP..groups.end * GROUP)?))
    }

    pub(super) fn high(&self, slots: Range<usize>) -> Result<&'a [u8]> {
        self.nibbles(Section::High, slots)
    }

    pub(super) fn low(&self, slots: Range<usize>) -> Result<&'a [u8]> {
        self.nibbles(Section::Low, slots)
    }

    pub(super) fn high_shapes(&self, slots: Range<usize>) -> Result<&'a [HighShape]> {
        self.rows(Section::HighShapes, 1, slots)
    }

    pub(super) fn whole_shape(&self, slot: usize) -> Result<WholeShape> {
        Ok(self.rows(Section::WholeShapes, 1, slot..slot + 1)?[0])
    }

    pub(super) fn id(&self, slot: usize) -> Result<u64> {
        Ok(self.rows(Section::Ids, 1, slot..slot + 1)?[0])
    }

    pub(super) fn values(&self, slot: usize) -> Result<Vec<f32>> {
        let (row, dim) = (self.partition.first_row + slot, self.segment.dim());
        self.segment.copy(Section::Values, row * dim..(row + 1) * dim)
    }

    fn nibbles(&self, section: Section, slots: Range<usize>) -> Result<&'a [u8]> {
        self.rows(section, padded(self.segment.dim()) / 2, slots)
    }

    /// What a section holds of rows, `width` items of each.
    fn rows<T: AnyBitPattern>(&self, section: Section, width: usize, slots: Range<usize>) -> Result<&'a [T]> {
        let first = self.partition.first_row;
        self.segment.items(section, (first + slots.start) * width..(first + slots.end) * width)
    }
}
