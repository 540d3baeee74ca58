//! Nearest vectors by cosine.

mod block;
mod check;
mod file;
#[cfg(feature = "hnsw")]
mod hnsw;
mod scan;
#[cfg(feature = "hnsw")]
mod sealed;
#[cfg(test)]
mod tests;

use std::path::Path;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::sync::{PoisonError, RwLock};
use block::Block;
#[cfg(feature = "hnsw")]
pub use hnsw::HnswIndex;
use scan::Query;

/// Largest number of dimensions of an index.
pub const MAX_DIM: usize = 4096;

/// Without hashbrown's default hasher: ids come from callers, so the hash is keyed at random.
type Map<K, V> = HashMap<K, V, std::hash::RandomState>;

/// A row that a search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The id it was added under.
    pub id: u64,
    /// Its cosine with the query, in f64, within [−1, 1].
    pub score: f64,
}

/// The rows nearest to a query by cosine, found exactly.
///
/// A search returns what a full scan in f64 over the rows as they were given would return, at any `min_score`; equal
/// scores are ordered by id. Rows of one partition are stored apart from all others and a search reads no other rows.
///
/// **Concurrency:** searches run side by side; `add`, `update` and `remove` wait for the searches in progress and then
/// run alone. **Cost:** a search reads every row of its partition once in f32 and the few that the rounding error leaves
/// undecided once more in f64. 4 bytes a component and about 48 bytes beside it a row.
#[derive(Debug)]
pub struct FlatIndex {
    dim: usize,
    kernel: Kernel,
    state: RwLock<State>,
}

/// Where a row is.
#[derive(Debug, Clone, Copy)]
struct Place {
    block: u32,
    slot: u32,
}

#[derive(Debug, Default)]
struct State {
    places: Map<u64, Place>,
    partitions: Map<u128, u32>,
    /// A partition's rows; the empty ones are listed in `free`.
    blocks: Vec<Block>,
    free: Vec<u32>,
}

impl FlatIndex {
    /// An empty index of vectors with `dim` components.
    ///
    /// # Errors
    ///
    /// `Config` unless `dim` is 1 to 4096.
    pub fn new(dim: usize) -> Result<Self> {
        Self::with_kernel(dim, Kernel::best())
    }

    /// [`FlatIndex::new`] with a kernel of the caller's choice. Results do not depend on it.
    ///
    /// # Errors
    ///
    /// Those of [`FlatIndex::new`].
    pub fn with_kernel(dim: usize, kernel: Kernel) -> Result<Self> {
        check::dim(dim)?;
        Ok(Self { dim, kernel, state: RwLock::default() })
    }

    /// Number of components of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.read().places.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a row called `id`, in any partition.
    pub fn contains(&self, id: u64) -> bool {
        self.read().places.contains_key(&id)
    }

    /// Bytes on the heap.
    pub fn memory_bytes(&self) -> usize {
        let state = self.read();
        let blocks: usize = state.blocks.iter().map(Block::memory_bytes).sum();
        let lists = state.blocks.capacity() * size_of::<Block>() + state.free.capacity() * size_of::<u32>();
        blocks + lists + state.places.allocation_size() + state.partitions.allocation_size()
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `DuplicateId` when any partition has the id.
    pub fn add(&self, id: u64, vector: &[f32], partition: u128) -> Result<()> {
        let square = check::vector(self.kernel, self.dim, vector)?;
        self.write().add(partition, &[id], vector, &[square], self.dim)
    }

    /// Adds the rows of a row-major matrix, all of them or, with an error, none.
    ///
    /// # Errors
    ///
    /// Those of [`FlatIndex::add`], naming the row; `Config` when there are not as many ids as rows.
    pub fn add_many(&self, ids: &[u64], matrix: &[f32], partition: u128) -> Result<()> {
        let squares = check::matrix(self.kernel, self.dim, matrix)?;
        check::ids(ids, squares.len())?;
        self.write().add(partition, ids, matrix, &squares, self.dim)
    }

    /// Replaces the vector of a row, which stays in its partition.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `UnknownId` when there is no such row.
    pub fn update(&self, id: u64, vector: &[f32]) -> Result<()> {
        let square = check::vector(self.kernel, self.dim, vector)?;
        let mut state = self.write();
        let unknown = || Error::new(ErrorKind::UnknownId, format!("no row has id {id}"));
        let Place { block, slot } = state.places.get(&id).copied().ok_or_else(unknown)?;
        state.blocks[block as usize].set(slot as usize, vector, square);
        Ok(())
    }

    /// Removes a row; false when there is none. O(1): the partition's last row takes its place.
    pub fn remove(&self, id: u64) -> bool {
        self.write().remove(id, self.dim)
    }

    /// The at most `k` rows of `partition` with the largest cosine of at least `min_score`, best first.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `Config` for k = 0 or a `min_score` of NaN.
    pub fn search(&self, vector: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Hit>> {
        check::search(k, min_score)?;
        let square = check::vector(self.kernel, self.dim, vector)?;
        Ok(self.read().search(&Query::new(self.kernel, vector, square), k, min_score, partition))
    }

    /// [`FlatIndex::search`] for every row of a row-major matrix, all on the same state of the index.
    ///
    /// # Errors
    ///
    /// Those of [`FlatIndex::search`], naming the row.
    pub fn search_many(&self, matrix: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Vec<Hit>>> {
        check::search(k, min_score)?;
        let squares = check::matrix(self.kernel, self.dim, matrix)?;
        let state = self.read();
        let queries = matrix.chunks_exact(self.dim).zip(squares);
        let queries = queries.map(|(vector, square)| Query::new(self.kernel, vector, square));
        Ok(queries.map(|query| state.search(&query, k, min_score, partition)).collect())
    }

    /// Writes all rows to a file, replacing it in one step: after a crash it is the old file or the new one.
    ///
    /// The rows can be searched meanwhile; a writer waits until they have been written.
    ///
    /// # Errors
    ///
    /// `Io` when the system refuses; an old file is then still there.
    pub fn save(&self, path: &Path) -> Result<()> {
        file::save(path, self.dim, || self.read())
    }

    /// Reads an index that [`FlatIndex::save`] wrote.
    ///
    /// # Errors
    ///
    /// `Io` when the system refuses, `CorruptFile` for any file that [`FlatIndex::save`] did not write.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_with_kernel(path, Kernel::best())
    }

    /// [`FlatIndex::load`] with a kernel of the caller's choice.
    ///
    /// # Errors
    ///
    /// Those of [`FlatIndex::load`].
    pub fn load_with_kernel(path: &Path, kernel: Kernel) -> Result<Self> {
        file::load(path, kernel)
    }

    /// The state is whole between any two statements that can panic, so a poisoned lock says nothing about it.
    fn read(&self) -> impl std::ops::Deref<Target = State> + '_ {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> impl std::ops::DerefMut<Target = State> + '_ {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn search(&self, query: &Query<'_>, k: usize, min_score: f64, partition: u128) -> Vec<Hit> {
        let block = self.partitions.get(&partition).map(|block| &self.blocks[*block as usize]);
        block.map_or_else(Vec::new, |block| query.scan(block, k, min_score))
    }

    /// Adds rows with known squares, all or none.
    fn add(&mut self, partition: u128, ids: &[u64], rows: &[f32], squares: &[f64], dim: usize) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let known = self.partitions.get(&partition).map_or(0, |block| self.blocks[*block as usize].len());
        let first = u32::try_from(known + ids.len())
            .map(|_| known as u32)
            .map_err(|_| Error::new(ErrorKind::Config, format!("expected at most {} rows in a partition", u32::MAX)))?;
        let block = self.partitions.get(&partition).copied().unwrap_or_else(|| self.next_block());
        for (row, id) in ids.iter().enumerate() {
            match self.places.entry(*id) {
                Entry::Vacant(vacant) => vacant.insert(Place { block, slot: first + row as u32 }),
                Entry::Occupied(_) => {
                    for id in &ids[..row] {
                        self.places.remove(id);
                    }
                    return Err(Error::new(ErrorKind::DuplicateId, format!("id {id} is in the index already")));
                }
            };
        }
        self.open_block(block, partition, dim).extend(ids, rows, squares);
        Ok(())
    }

    /// The number that a new partition's block gets.
    fn next_block(&self) -> u32 {
        self.free.last().copied().unwrap_or(self.blocks.len() as u32)
    }

    /// The partition's block, made if `block` comes from [`State::next_block`].
    fn open_block(&mut self, block: u32, partition: u128, dim: usize) -> &mut Block {
        if let Entry::Vacant(vacant) = self.partitions.entry(partition) {
            vacant.insert(block);
            if self.free.pop().is_some() {
                self.blocks[block as usize] = Block::new(partition, dim);
            } else {
                self.blocks.push(Block::new(partition, dim));
            }
        }
        &mut self.blocks[block as usize]
    }

    fn remove(&mut self, id: u64, dim: usize) -> bool {
        let Some(Place { block, slot }) = self.places.remove(&id) else { return false };
        let rows = &mut self.blocks[block as usize];
        if let Some(moved) = rows.swap_remove(slot as usize) {
            self.places.insert(moved, Place { block, slot });
        }
        if rows.len() == 0 {
            self.partitions.remove(&rows.partition());
            self.blocks[block as usize] = Block::new(0, dim);
            self.free.push(block);
        }
        true
    }
}
