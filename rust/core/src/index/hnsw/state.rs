//! All partitions, and where each row is.

use hashbrown::hash_map::Entry;

use super::Shape;
use super::partition::{Form, Partition};
use super::query::Query;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Hit, Map};

#[derive(Debug, Default)]
pub(super) struct State {
    places: Map<u64, Place>,
    names: Map<u128, u32>,
    /// The empty ones are listed in `free`.
    partitions: Vec<Partition>,
    free: Vec<u32>,
}

/// Where a row is.
#[derive(Debug, Clone, Copy)]
struct Place {
    partition: u32,
    key: u32,
}

impl State {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.places.contains_key(&id)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let partitions: usize = self.partitions.iter().map(Partition::memory_bytes).sum();
        let lists = self.partitions.capacity() * size_of::<Partition>() + self.free.capacity() * size_of::<u32>();
        partitions + lists + self.places.allocation_size() + self.names.allocation_size()
    }

    /// Partitions that there are or were.
    pub(super) fn count(&self) -> u32 {
        self.partitions.len() as u32
    }

    /// The partitions that have rows, by name.
    pub(super) fn partitions(&self) -> Vec<&Partition> {
        let mut partitions: Vec<_> = self.names.values().map(|at| &self.partitions[*at as usize]).collect();
        partitions.sort_unstable_by_key(|partition| partition.name());
        partitions
    }

    pub(super) fn search(&self, query: &Query<'_>, name: u128) -> Result<Vec<Hit>> {
        let partition = self.names.get(&name).map(|at| &self.partitions[*at as usize]);
        partition.map_or_else(|| Ok(Vec::new()), |partition| partition.search(query))
    }

    /// Adds rows with known squares, all or none; returns the partition that grew.
    pub(super) fn add(
        &mut self,
        shape: Shape,
        name: u128,
        ids: &[u64],
        rows: &[f32],
        squares: &[f64],
    ) -> Result<Option<u32>> {
        self.check_new(ids)?;
        let Some(partition) = (!ids.is_empty()).then(|| self.open(name)) else { return Ok(None) };
        self.partitions[partition as usize].reserve(ids.len(), shape.dim);
        let rows = rows.chunks_exact(shape.dim).zip(squares);
        for (at, (id, (row, square))) in ids.iter().zip(rows).enumerate() {
            match self.partitions[partition as usize].add(*id, row, *square) {
                Ok(key) => _ = self.places.insert(*id, Place { partition, key }),
                Err(error) => {
                    ids[..at].iter().for_each(|id| _ = self.remove(*id));
                    self.close_if_empty(partition);
                    return Err(error);
                }
            }
        }
        Ok(Some(partition))
    }

    /// No id that is there already, and none twice.
    fn check_new(&self, ids: &[u64]) -> Result<()> {
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        let twice = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        match ids.iter().copied().find(|id| self.contains(*id)).or(twice) {
            Some(id) => Err(Error::new(ErrorKind::DuplicateId, format!("id {id} is in the index already"))),
            None => Ok(()),
        }
    }

    pub(super) fn update(&mut self, id: u64, row: &[f32], square: f64) -> Result<()> {
        let unknown = || Error::new(ErrorKind::UnknownId, format!("no row has id {id}"));
        let place = self.places.get_mut(&id).ok_or_else(unknown)?;
        place.key = self.partitions[place.partition as usize].update(place.key, id, row, square)?;
        Ok(())
    }

    /// Removes a row and returns the partition that it was in.
    pub(super) fn remove(&mut self, id: u64) -> Option<u32> {
        let Place { partition, key } = self.places.remove(&id)?;
        if let Some(moved) = self.partitions[partition as usize].remove(key, id) {
            self.places.insert(moved, Place { partition, key });
        }
        self.close_if_empty(partition);
        Some(partition)
    }

    pub(super) fn reshaped(&self, shape: Shape, partition: u32) -> Option<Form> {
        self.partitions[partition as usize].reshaped(shape)
    }

    pub(super) fn install(&mut self, partition: u32, form: Form) {
        let places = &mut self.places;
        self.partitions[partition as usize].install(form, |id, key| _ = places.insert(id, Place { partition, key }));
    }

    /// The partition called `name`, made if there is none.
    fn open(&mut self, name: u128) -> u32 {
        let vacant = match self.names.entry(name) {
            Entry::Occupied(known) => return *known.get(),
            Entry::Vacant(vacant) => vacant,
        };
        let partition = self.free.pop().unwrap_or(self.partitions.len() as u32);
        if partition as usize == self.partitions.len() {
            self.partitions.push(Partition::new(name));
        } else {
            self.partitions[partition as usize] = Partition::new(name);
        }
        *vacant.insert(partition)
    }

    /// Gives back the memory of a partition without rows.
    fn close_if_empty(&mut self, partition: u32) {
        let rows = &mut self.partitions[partition as usize];
        if rows.len() == 0 && self.names.get(&rows.name()) == Some(&partition) {
            self.names.remove(&rows.name());
            *rows = Partition::new(0);
            self.free.push(partition);
        }
    }
}
