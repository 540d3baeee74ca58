//! Which rows there are, and where: a file's, but for those that were removed, and the ones in memory.

use std::collections::HashSet;

use super::chunk::{self, Chunk};
use super::file;
use super::rows::Rows;
use super::segment::Segment;
use crate::error::{Error, ErrorKind, Result};
use crate::index::Map;

const WORD: usize = u64::BITS as usize;

/// All rows of an index. Every id is that of one row.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Where the rows in memory are.
    places: Map<u64, Place>,
    partitions: Map<u128, u32>,
    /// The rows in memory of each partition that has some; empty ones are listed in `free`.
    tails: Vec<Tail>,
    free: Vec<u32>,
    segment: Option<Segment>,
    /// A bit for each row of the segment that was removed; nothing as long as none was.
    dead: Vec<u64>,
    dead_count: usize,
}

/// Rows of one partition in memory: chunks of which all but the last are full.
#[derive(Debug, Default)]
struct Tail {
    partition: u128,
    chunks: Vec<Chunk>,
}

/// Where a row in memory is: `slot` counts through the chunks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    tail: u32,
    slot: u32,
}

/// Where a row is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    Memory(Place),
    /// The number of a row of the segment.
    File(usize),
}

/// Where new rows of a partition go: into the last of so many chunks while there is room left, then into further ones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    chunks: usize,
    left: usize,
}

impl Room {
    /// The chunk for rows that are added, after `prepared` others.
    pub(super) fn chunk(self, prepared: usize, dim: usize, padded: usize) -> Chunk {
        match self.left {
            0 => Chunk::of_tail(self.chunks + prepared, dim, padded),
            left if prepared == 0 => Chunk::with_room(left, dim, padded),
            _ => Chunk::of_tail(self.chunks + prepared - 1, dim, padded),
        }
    }
}

impl State {
    /// The rows of a file.
    pub(super) fn of_file(segment: Segment) -> Self {
        Self { segment: Some(segment), ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() + self.segment.as_ref().map_or(0, Segment::len) - self.dead_count
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let chunks = |tail: &Tail| {
            tail.chunks.iter().map(Chunk::memory_bytes).sum::<usize>() + tail.chunks.capacity() * size_of::<Chunk>()
        };
        let tails = self.tails.iter().map(chunks).sum::<usize>() + self.tails.capacity() * size_of::<Tail>();
        let maps = self.places.allocation_size() + self.partitions.allocation_size();
        let bits = self.dead.capacity() * size_of::<u64>() + self.segment.as_ref().map_or(0, Segment::memory_bytes);
        tails + maps + bits + self.free.capacity() * size_of::<u32>()
    }

    /// The row called `id`.
    pub(super) fn find(&self, id: u64) -> Result<Option<Found>> {
        if let Some(place) = self.places.get(&id) {
            return Ok(Some(Found::Memory(*place)));
        }
        let Some(segment) = &self.segment else { return Ok(None) };
        Ok(segment.find(id)?.filter(|row| !self.is_dead(*row)).map(Found::File))
    }

    /// No row has one of the ids, and no two of them are the same.
    pub(super) fn check_new(&self, ids: &[u64]) -> Result<()> {
        let known = |id: u64| Err(Error::new(ErrorKind::DuplicateId, format!("id {id} is in the index already")));
        for id in ids {
            if self.find(*id)?.is_some() {
                return known(*id);
            }
        }
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).find(|two| two[0] == two[1]).map_or(Ok(()), |two| known(two[0]))
    }

    /// The row called `id` and its partition; an error when there is none.
    pub(super) fn find_with_partition(&self, id: u64) -> Result<(Found, u128)> {
        let unknown = || Error::new(ErrorKind::UnknownId, format!("no row has id {id}"));
        let found = self.find(id)?.ok_or_else(unknown)?;
        match (found, &self.segment) {
            (Found::Memory(Place { tail, .. }), _) => Ok((found, self.tails[tail as usize].partition)),
            (Found::File(row), Some(segment)) => Ok((found, segment.partition_of(row)?.name)),
            (Found::File(_), None) => Err(unknown()),
        }
    }

    /// Where new rows of a partition go.
    pub(super) fn room(&self, partition: u128) -> Room {
        let tail = self.partitions.get(&partition).map(|tail| &self.tails[*tail as usize]);
        let chunks = tail.map_or(0, |tail| tail.chunks.len());
        Room { chunks, left: tail.and_then(|tail| tail.chunks.last()).map_or(0, Chunk::room) }
    }

    /// All rows of a partition.
    pub(super) fn parts(&self, partition: u128) -> Result<Vec<Rows<'_>>> {
        let mut parts = Vec::new();
        if let Some(segment) = &self.segment
            && let Some(found) = segment.find_partition(partition)?
        {
            parts.push(Rows::File(segment.stretch(found, &self.dead)));
        }
        if let Some(tail) = self.partitions.get(&partition) {
            parts.extend(self.tails[*tail as usize].chunks.iter().map(Rows::Memory));
        }
        Ok(parts)
    }

    /// All rows, by partition.
    pub(super) fn partitions(&self) -> Result<Vec<file::Partition<'_>>> {
        let mut names: HashSet<u128> = self.partitions.keys().copied().collect();
        if let Some(segment) = &self.segment {
            names.extend(segment.partition_names()?);
        }
        names.into_iter().map(|name| Ok(file::Partition { name, parts: self.parts(name)? })).collect()
    }

    /// Adds rows whose ids are new, in chunks prepared for [`State::room`].
    pub(super) fn append(&mut self, partition: u128, chunks: Vec<Chunk>) -> Result<()> {
        let added: usize = chunks.iter().map(Chunk::len).sum();
        if added == 0 {
            return Ok(());
        }
        let known = self.partitions.get(&partition).map_or(0, |tail| self.tails[*tail as usize].len());
        if u32::try_from(known + added).is_err() {
            return Err(Error::new(ErrorKind::Config, format!("expected at most {} rows in a partition", u32::MAX)));
        }
        let number = self.open_tail(partition);
        let ids = chunks.iter().flat_map(Chunk::ids).zip(known as u32..);
        self.places.extend(ids.map(|(id, slot)| (*id, Place { tail: number, slot })));
        self.tails[number as usize].append(chunks);
        Ok(())
    }

    /// Gives a row that was found in `partition` the vector of the one row of `chunks`, prepared for that partition.
    pub(super) fn update(&mut self, found: Found, partition: u128, chunks: Vec<Chunk>) -> Result<()> {
        match found {
            Found::Memory(Place { tail, slot }) => {
                let (chunk, slot) = self.tails[tail as usize].chunk_of(slot);
                if let Some(row) = chunks.first() {
                    chunk.replace(slot, row, 0);
                }
            }
            Found::File(buried) => {
                self.append(partition, chunks)?;
                self.bury(buried);
            }
        }
        Ok(())
    }

    /// Removes a row that was found.
    pub(super) fn remove(&mut self, id: u64, found: Found) {
        match found {
            Found::File(row) => self.bury(row),
            Found::Memory(place) => {
                self.places.remove(&id);
                self.remove_from_tail(place);
            }
        }
    }

    fn remove_from_tail(&mut self, place: Place) {
        let tail = &mut self.tails[place.tail as usize];
        if let Some(moved) = tail.swap_remove(place.slot as usize) {
            self.places.insert(moved, place);
        }
        if tail.chunks.is_empty() {
            self.partitions.remove(&tail.partition);
            *tail = Tail::default();
            self.free.push(place.tail);
        }
    }

    fn is_dead(&self, row: usize) -> bool {
        self.dead.get(row / WORD).is_some_and(|word| word >> (row % WORD) & 1 == 1)
    }

    /// Marks a row of the segment as removed.
    fn bury(&mut self, row: usize) {
        let rows = self.segment.as_ref().map_or(0, Segment::len);
        self.dead.resize(rows.div_ceil(WORD), 0);
        self.dead[row / WORD] |= 1 << (row % WORD);
        self.dead_count += 1;
    }

    /// The number of a partition's tail, which is made if there is none.
    fn open_tail(&mut self, partition: u128) -> u32 {
        if let Some(number) = self.partitions.get(&partition) {
            return *number;
        }
        // Most partitions are small.
        let tail = Tail { partition, chunks: Vec::with_capacity(1) };
        let number = self.free.pop().unwrap_or(self.tails.len() as u32);
        match self.tails.get_mut(number as usize) {
            Some(free) => *free = tail,
            None => self.tails.push(tail),
        }
        self.partitions.insert(partition, number);
        number
    }
}

impl Tail {
    fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| chunk::first_slot(self.chunks.len() - 1) + last.len())
    }

    fn append(&mut self, chunks: Vec<Chunk>) {
        for chunk in chunks {
            match self.chunks.last_mut().filter(|last| last.room() > 0) {
                None => self.chunks.push(chunk),
                Some(last) => last.append(&chunk),
            }
        }
    }

    fn chunk_of(&mut self, slot: u32) -> (&mut Chunk, usize) {
        let (chunk, slot) = chunk::locate(slot as usize);
        (&mut self.chunks[chunk], slot)
    }

    /// Removes a row; the last one takes its place. Returns the id of the row that moved.
    fn swap_remove(&mut self, slot: usize) -> Option<u64> {
        let end = self.len() - 1;
        let last = self.chunks.last_mut()?.pop();
        if self.chunks.last().is_some_and(|chunk| chunk.len() == 0) {
            self.chunks.pop();
        }
        if slot == end {
            return None;
        }
        let (chunk, slot) = chunk::locate(slot);
        self.chunks[chunk].replace(slot, &last, 0);
        last.ids().first().copied()
    }
}
