//! The exact index.

mod bound;
mod candidates;
mod chunk;
mod code;
mod file;
mod layout;
mod query;
mod rotation;
mod rows;
mod scan;
mod segment;
mod state;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::{Hit, check};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::sync::{Mutex, MutexGuard, PoisonError, RwLock, lock};
use bound::Levels;
use chunk::Chunk;
use query::Query;
use rotation::Rotation;
use segment::Segment;
use state::{Room, State};

/// The rows nearest to a query by cosine, found exactly.
///
/// A search returns what a full scan in f64 over the rows as they were given would return, at any `min_score`; equal
/// scores are ordered by id. Rows of one partition are stored apart from all others and a search reads no other rows.
///
/// **How:** each row is kept in one, four and eight bits a component as well, with what is known of the difference. A
/// search reads the short forms and stops at each row as soon as that is proof that it is not among the best: at a
/// `min_score` of .9 it reads 3 % of the rows' bytes. Bounds, not estimates: see the modules `bound` and `scan`.
///
/// **Concurrency:** searches run side by side. Writers take turns; rows are prepared while searches go on, which wait only
/// while prepared rows are put in their places. **Cost:** in memory 5.1 bytes a component and some 60 beside it a row, and
/// the signs of 32 rows (an eighth of a byte a component each) for each partition, however few it has; loaded from a file
/// 1.1 bytes a component and some 60 where rows are read often, the rest stays on disk.
#[derive(Debug)]
pub struct FlatIndex {
    dim: usize,
    space: Space,
    /// Held while rows change, so that what a writer has seen stays true until it writes.
    writer: Mutex<()>,
    state: RwLock<State>,
}

/// What the short forms of rows and queries have in common.
#[derive(Debug)]
struct Space {
    kernel: Kernel,
    rotation: Rotation,
    levels: Levels,
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
        let rotation = Rotation::new(dim);
        let space = Space { kernel, levels: Levels::new(rotation.padded()), rotation };
        Ok(Self { dim, space, writer: Mutex::new(()), state: RwLock::default() })
    }

    /// Number of components of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is a row called `id`, in any partition.
    ///
    /// # Errors
    ///
    /// `CorruptFile` when the file that the index was loaded from is damaged there.
    pub fn contains(&self, id: u64) -> Result<bool> {
        Ok(self.read().find(id)?.is_some())
    }

    /// Bytes on the heap. What is mapped from a file is not among them: the system reads and forgets it as it likes.
    pub fn memory_bytes(&self) -> usize {
        self.read().memory_bytes() + self.space.rotation.memory_bytes()
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `DuplicateId` when any partition has the id;
    /// `CorruptFile` when the file that the index was loaded from is damaged where it is looked up.
    pub fn add(&self, id: u64, vector: &[f32], partition: u128) -> Result<()> {
        let square = check::vector(self.space.kernel, self.dim, vector)?;
        self.insert(&[id], vector, &[square], partition)
    }

    /// Adds the rows of a row-major matrix, all of them or, with an error, none.
    ///
    /// # Errors
    ///
    /// Those of [`FlatIndex::add`], naming the row; `Config` when there are not as many ids as rows.
    pub fn add_many(&self, ids: &[u64], matrix: &[f32], partition: u128) -> Result<()> {
        let squares = check::matrix(self.space.kernel, self.dim, matrix)?;
        check::ids(ids.len(), squares.len())?;
        self.insert(ids, matrix, &squares, partition)
    }

    /// Replaces the vector of a row, which stays in its partition.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `UnknownId` when there is no such row;
    /// `CorruptFile` when the file that the index was loaded from is damaged where it is looked up.
    pub fn update(&self, id: u64, vector: &[f32]) -> Result<()> {
        let square = check::vector(self.space.kernel, self.dim, vector)?;
        let _writer = self.write_alone();
        let (found, partition) = self.read().find_with_partition(id)?;
        let room = self.read().room(partition);
        let chunks = self.space.prepare(self.dim, &[id], vector, &[square], room);
        self.write().update(found, partition, chunks)
    }

    /// Removes a row; false when there is none. O(1): the partition's last row takes its place, and a row in a file is
    /// marked and passed by until [`FlatIndex::compact`].
    ///
    /// # Errors
    ///
    /// `CorruptFile` when the file that the index was loaded from is damaged where the id is looked up.
    pub fn remove(&self, id: u64) -> Result<bool> {
        let _writer = self.write_alone();
        let found = self.read().find(id)?;
        if let Some(found) = found {
            self.write().remove(id, found);
        }
        Ok(found.is_some())
    }

    /// The at most `k` rows of `partition` with the largest cosine of at least `min_score`, best first.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `Config` for k = 0 or a `min_score` of NaN;
    /// `CorruptFile` when the file that the index was loaded from is damaged where it is read.
    pub fn search(&self, vector: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Hit>> {
        check::search(k, min_score)?;
        let square = check::vector(self.space.kernel, self.dim, vector)?;
        let found = self.find(std::iter::once(self.query(vector, square)), k, min_score, partition)?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// [`FlatIndex::search`] for every row of a row-major matrix, all on the same state of the index.
    ///
    /// Faster than one search after the other: rows are read once for many queries.
    ///
    /// # Errors
    ///
    /// Those of [`FlatIndex::search`], naming the row.
    pub fn search_many(&self, matrix: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Vec<Hit>>> {
        check::search(k, min_score)?;
        let squares = check::matrix(self.space.kernel, self.dim, matrix)?;
        let queries = matrix.chunks_exact(self.dim).zip(squares);
        self.find(queries.map(|(vector, square)| self.query(vector, square)), k, min_score, partition)
    }

    /// Writes all rows to a file, replacing it in one step: after a crash it is the old file or the new one.
    ///
    /// The rows can be searched meanwhile; a writer waits until they have been written.
    ///
    /// # Errors
    ///
    /// `Io` when the system refuses: the file is then the old or the new one, whole; `CorruptFile` when the file that the index was
    /// loaded from is damaged.
    pub fn save(&self, path: &Path) -> Result<()> {
        let _writer = self.write_alone();
        file::save(path, self.dim, &self.read().partitions()?, |_| Ok(()))
    }

    /// [`FlatIndex::save`], and from then on the rows are read from the file and not kept in memory.
    ///
    /// # Errors
    ///
    /// Those of [`FlatIndex::save`] and [`FlatIndex::load`]; the index is then what it was.
    pub fn compact(&self, path: &Path) -> Result<()> {
        let _writer = self.write_alone();
        // Opened before it gets its name, which others may give to a file of theirs.
        let open = |written: &Path| Segment::open(written, path);
        let segment = file::save(path, self.dim, &self.read().partitions()?, open)?;
        let before = std::mem::replace(&mut *self.write(), State::of_file(segment));
        // Giving memory back takes its time; searches go on.
        drop(before);
        Ok(())
    }

    /// Opens an index that [`FlatIndex::save`] wrote, in milliseconds whatever its size.
    ///
    /// The file is mapped into memory: it must not be written to while the index lives, and who shortens it ends the
    /// process. It can be replaced by a rename, as [`FlatIndex::save`] does; this index then keeps the old one. What is read
    /// of it is checked when it is first touched.
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
        let segment = Segment::open(path, path)?;
        let index = Self::with_kernel(segment.dim(), kernel)?;
        *index.write() = State::of_file(segment);
        Ok(index)
    }

    fn insert(&self, ids: &[u64], rows: &[f32], squares: &[f64], partition: u128) -> Result<()> {
        let _writer = self.write_alone();
        let room = {
            let state = self.read();
            state.check_new(ids)?;
            state.room(partition)
        };
        let chunks = self.space.prepare(self.dim, ids, rows, squares, room);
        self.write().append(partition, chunks)
    }

    fn query<'a>(&self, vector: &'a [f32], square: f64) -> Query<'a> {
        Query::new(self.space.kernel, vector, square, &self.space.rotation, self.space.levels)
    }

    fn find<'q>(
        &self,
        queries: impl ExactSizeIterator<Item = Query<'q>>,
        k: usize,
        min_score: f64,
        partition: u128,
    ) -> Result<Vec<Vec<Hit>>> {
        let state = self.read();
        scan::search(self.space.kernel, &state.parts(partition)?, queries, k, min_score)
    }

    fn write_alone(&self) -> MutexGuard<'_, ()> {
        lock(&self.writer)
    }

    /// The state is whole between any two statements that can panic, so a poisoned lock says nothing about it.
    fn read(&self) -> impl std::ops::Deref<Target = State> + '_ {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> impl std::ops::DerefMut<Target = State> + '_ {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Space {
    /// Rows in all their forms, in chunks that a tail can take: the first fills up its last one.
    fn prepare(&self, dim: usize, ids: &[u64], rows: &[f32], squares: &[f64], room: Room) -> Vec<Chunk> {
        let mut rows = ids.iter().zip(rows.chunks_exact(dim)).zip(squares);
        let mut chunks = Vec::new();
        while rows.len() > 0 {
            let mut chunk = room.chunk(chunks.len(), dim, self.rotation.padded());
            let count = chunk.room().min(rows.len());
            chunk.reserve(count);
            for ((id, row), square) in rows.by_ref().take(count) {
                chunk.push(*id, row, *square, self);
            }
            chunks.push(chunk);
        }
        chunks
    }
}
