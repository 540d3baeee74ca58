//! Which rows there are, and where: a file's, but for those that were removed, and the ones in memory.

use std::collections::HashSet;

use hashbrown::HashMap;

use super::chunk::{CHUNK, Chunk};
use super::file;
use super::rows::Rows;
use super::segment::Segment;
use crate::error::{Error, ErrorKind, Result};

const WORD: usize = u64::BITS as usize;

/// Without hashbrown's default hasher: ids come from callers, so the hash is keyed at random.
type Map<K, V> = HashMap<K, V, std::hash::RandomState>;

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
struct Place {
    tail: u32,
    slot: u32,
}

/// Where a row is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    Memory(u32, u32),
    /// The number of a row of the segment.
    File(usize),
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
        if let Some(Place { tail, slot }) = self.places.get(&id) {
            return Ok(Some(Found::Memory(*tail, *slot)));
        }
        let Some(segment) = &self.segment else { return Ok(None) };
        Ok(segment.find(id)?.filter(|row| !self.is_dead(*row)).map(Found::File))
    }

    /// No row has one of the ids, and no two of them are the same.
    pub(super) fn check_new(&self, ids: &[u64]) -> Result<()> {
        let mut seen = HashSet::new();
        for id in ids {
            let known = self.find(*id)?.is_some() || (ids.len() > 1 && !seen.insert(*id));
            if known {
                return Err(Error::new(ErrorKind::DuplicateId, format!("id {id} is in the index already")));
            }
        }
        Ok(())
    }

    /// Rows that the last chunk of a partition has room for, 0 where there is none or it is full.
    pub(super) fn room(&self, partition: u128) -> usize {
        let tail = self.partitions.get(&partition).map(|tail| &self.tails[*tail as usize]);
        tail.and_then(|tail| tail.chunks.last()).map_or(0, |chunk| CHUNK - chunk.len())
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
            for number in 0..segment.partitions() {
                names.insert(segment.partition(number)?.name);
            }
        }
        names.into_iter().map(|name| Ok(file::Partition { name, parts: self.parts(name)? })).collect()
    }

    /// Adds rows whose ids are new; the first chunk has no more of them than the partition's last one has room for.
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
        self.tails[number as usize].append(chunks)
    }

    /// Gives a row the vector of the one row of `chunks`.
    pub(super) fn update(&mut self, id: u64, chunks: Vec<Chunk>) -> Result<()> {
        match self.find(id)? {
            None => Err(Error::new(ErrorKind::UnknownId, format!("no row has id {id}"))),
            Some(Found::Memory(tail, slot)) => {
                let (chunk, slot) = self.tails[tail as usize].chunk_of(slot);
                chunks.iter().for_each(|row| chunk.replace(slot, row, 0));
                Ok(())
            }
            Some(Found::File(row)) => {
                let segment = self.segment.as_ref();
                let partition = segment.map(|segment| segment.partition_of(row)).transpose()?;
                self.bury(row);
                self.append(partition.map_or(0, |partition| partition.name), chunks)
            }
        }
    }

    /// Removes a row; false when there is none.
    pub(super) fn remove(&mut self, id: u64) -> Result<bool> {
        match self.find(id)? {
            None => return Ok(false),
            Some(Found::File(row)) => self.bury(row),
            Some(Found::Memory(tail, slot)) => {
                self.places.remove(&id);
                self.remove_from_tail(tail, slot)?;
            }
        }
        Ok(true)
    }

    fn remove_from_tail(&mut self, number: u32, slot: u32) -> Result<()> {
        let tail = &mut self.tails[number as usize];
        if let Some(moved) = tail.swap_remove(slot as usize)? {
            self.places.insert(moved, Place { tail: number, slot });
        }
        if tail.chunks.is_empty() {
            self.partitions.remove(&tail.partition);
            *tail = Tail::default();
            self.free.push(number);
        }
        Ok(())
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
        let tail = Tail { partition, chunks: vec![] };
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
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    fn append(&mut self, chunks: Vec<Chunk>) -> Result<()> {
        for chunk in chunks {
            match self.chunks.last_mut().filter(|last| last.len() < CHUNK) {
                None => self.chunks.push(chunk),
                Some(last) => {
                    for slot in 0..chunk.len() {
                        last.push_copy(Rows::Memory(&chunk), slot)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn chunk_of(&mut self, slot: u32) -> (&mut Chunk, usize) {
        (&mut self.chunks[slot as usize / CHUNK], slot as usize % CHUNK)
    }

    /// Removes a row; the last one takes its place. Returns the id of the row that moved.
    fn swap_remove(&mut self, slot: usize) -> Result<Option<u64>> {
        let end = self.len() - 1;
        let last = self.chunks.last_mut().map(Chunk::pop).transpose()?;
        if self.chunks.last().is_some_and(|chunk| chunk.len() == 0) {
            self.chunks.pop();
        }
        let Some(last) = last.filter(|_| slot != end) else { return Ok(None) };
        self.chunks[slot / CHUNK].replace(slot % CHUNK, &last, 0);
        Ok(last.ids().first().copied())
    }
}
