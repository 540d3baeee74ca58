//! Nearest vectors by a graph (HNSW; Malkov and Yashunin, arXiv 1603.09320), which the `usearch` crate builds and walks.
//!
//! **No graph for up to 1,024 rows**: to compare all of them takes as long as a walk, is exact, and needs neither the
//! hundred microseconds and more a row that a graph takes to build, nor its memory. Ten thousand partitions of ten rows
//! are ten thousand short lists.
//!
//! **Equal rows share a node.** Inserted one after the other they link with each other alone and cut themselves off:
//! with 100 groups of 100 equal rows a third of the groups was not reached. For the same reason a graph that is built
//! at once gets its rows in scattered order.
//!
//! **Removed rows stay as nodes that lead on**, until a new row takes their node over. With every row replaced six
//! times recall was as good as in a new graph, to .002. When half of the nodes are such, the graph is built anew,
//! beside the one that is searched.

mod file;
mod graph;
mod lanes;
mod owners;
mod partition;
mod query;
mod rows;
mod state;
#[cfg(test)]
mod tests;

use std::ops::{Deref, DerefMut};
use std::path::Path;

use super::{Hit, check};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::sync::{Mutex, PoisonError, RwLock, lock};
use lanes::Lanes;
use query::Query;
use state::State;

/// The rows nearest to a query by cosine, most of them found by a graph.
///
/// Faster than [`super::FlatIndex`] where there is no threshold and a partition has tens of thousands of rows, or hundreds
/// of thousands with one of .8 or more; a graph is never exact, and some three hundred times as slow to insert into.
///
/// A partition of at most 1,024 rows is compared row by row and its results are those of [`FlatIndex`](super::FlatIndex).
/// A larger one has a graph of its own, never a share of another's. A search then looks at the rows near the query and
/// may miss some: on clustered vectors, as texts give them, one of a hundred or fewer; on vectors without structure most
/// of them. What is returned is right all the same: scores are the f64 cosines of the rows as they were given, none is
/// below `min_score`, and of rows that were found and score the same the smaller id comes first. Equal rows share a node,
/// so that many of them do not hide each other. Which rows are found can differ between machines, between two orders of
/// insertion, and after [`HnswIndex::load`].
///
/// **Concurrency:** searches run side by side, as many at a time as there are processors. Writers take turns and wait for
/// the searches in progress; searches wait for the rows that are being added. While a graph is built or rebuilt (a
/// partition outgrew 1,024 rows; half of its nodes are removed) searches go on and only writers wait. **Cost:** adding a row and
/// searching grow with the logarithm of the partition. 4 bytes a component and about 340 a row beside it (384 dimensions: 1.9 kB).
#[derive(Debug)]
pub struct HnswIndex {
    shape: Shape,
    /// Held by whoever changes the index, also while it builds a graph beside the one that is searched.
    writer: Mutex<()>,
    state: RwLock<State>,
    lanes: Lanes,
}

/// What all graphs of an index have in common.
#[derive(Debug, Clone, Copy)]
struct Shape {
    kernel: Kernel,
    dim: usize,
    connectivity: usize,
    expansion: usize,
    /// Searches that a graph has working memory for.
    searches: usize,
    /// Rows of a partition that has no graph, at most. A graph with fewer than half as many is given up.
    most_flat: usize,
}

/// Up to so many rows comparing all of them takes no longer than walking a graph, and needs none.
const MOST_FLAT: usize = 1024;

impl HnswIndex {
    /// An empty index of vectors with `dim` components.
    ///
    /// A node has up to `connectivity` neighbours (twice as many in the lowest layer); a search keeps the `expansion`
    /// nearest nodes that it met, an insertion twice as many. 16 and 64 are usual; larger numbers find more rows and
    /// take longer.
    ///
    /// # Errors
    ///
    /// `Config` unless `dim` is 1 to 4096, `connectivity` 2 to 256 and `expansion` 1 to 65,536.
    pub fn new(dim: usize, connectivity: usize, expansion: usize) -> Result<Self> {
        Self::with_kernel(dim, connectivity, expansion, Kernel::best())
    }

    /// [`HnswIndex::new`] with a kernel of the caller's choice.
    ///
    /// # Errors
    ///
    /// Those of [`HnswIndex::new`].
    pub fn with_kernel(dim: usize, connectivity: usize, expansion: usize, kernel: Kernel) -> Result<Self> {
        check::dim(dim)?;
        check::graph(connectivity, expansion)?;
        let searches = lanes::processors();
        Ok(Self::of(Shape { kernel, dim, connectivity, expansion, searches, most_flat: MOST_FLAT }))
    }

    fn of(shape: Shape) -> Self {
        Self { shape, writer: Mutex::new(()), state: RwLock::default(), lanes: Lanes::new(shape.searches) }
    }

    /// Number of components of a vector.
    pub fn dim(&self) -> usize {
        self.shape.dim
    }

    /// Neighbours of a node at most, in all layers but the lowest.
    pub fn connectivity(&self) -> usize {
        self.shape.connectivity
    }

    /// Nodes that a search keeps at least.
    pub fn expansion(&self) -> usize {
        self.shape.expansion
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
    pub fn contains(&self, id: u64) -> bool {
        self.read().contains(id)
    }

    /// Bytes on the heap and in the graphs, of these about.
    pub fn memory_bytes(&self) -> usize {
        self.read().memory_bytes()
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `DuplicateId` when any partition has the
    /// id; `OutOfMemory` when the graph cannot grow.
    pub fn add(&self, id: u64, vector: &[f32], partition: u128) -> Result<()> {
        let square = check::vector(self.shape.kernel, self.shape.dim, vector)?;
        self.insert(&[id], vector, &[square], partition)
    }

    /// Adds the rows of a row-major matrix, all of them or, with an error, none. Into a partition that has a graph they go
    /// one after the other and searches wait for all of them.
    ///
    /// # Errors
    ///
    /// Those of [`HnswIndex::add`], naming the row; `Config` when there are not as many ids as rows.
    pub fn add_many(&self, ids: &[u64], matrix: &[f32], partition: u128) -> Result<()> {
        let squares = check::matrix(self.shape.kernel, self.shape.dim, matrix)?;
        check::ids(ids.len(), squares.len())?;
        self.insert(ids, matrix, &squares, partition)
    }

    /// Replaces the vector of a row, which stays in its partition.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `UnknownId` when there is no such row;
    /// `OutOfMemory` when the graph cannot grow. The row is then as it was.
    pub fn update(&self, id: u64, vector: &[f32]) -> Result<()> {
        let square = check::vector(self.shape.kernel, self.shape.dim, vector)?;
        let _turn = lock(&self.writer);
        self.write().update(id, vector, square)
    }

    /// Removes a row; false when there is none. Its node leads searches on until another row takes it over; when half of
    /// the nodes of a partition are such, its graph is built anew, which takes as long as adding what is left.
    pub fn remove(&self, id: u64) -> bool {
        let _turn = lock(&self.writer);
        let partition = self.write().remove(id);
        partition.inspect(|partition| self.settle(*partition)).is_some()
    }

    /// The at most `k` rows of `partition` with the largest cosine of at least `min_score` that were found, best first.
    ///
    /// # Errors
    ///
    /// `DimensionMismatch`; `InvalidVector` for NaN, infinity or zeros alone; `Config` for k = 0 or a `min_score` of NaN;
    /// `OutOfMemory` when a search has no room to keep `k` rows.
    pub fn search(&self, vector: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Hit>> {
        check::search(k, min_score)?;
        let kernel = self.shape.kernel;
        let square = check::vector(kernel, self.shape.dim, vector)?;
        let _lane = self.lanes.enter();
        self.read().search(&Query { kernel, given: vector, square, k, min_score }, partition)
    }

    /// [`HnswIndex::search`] for every row of a row-major matrix, all on the same state of the index.
    ///
    /// # Errors
    ///
    /// Those of [`HnswIndex::search`], naming the row.
    pub fn search_many(&self, matrix: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Vec<Hit>>> {
        check::search(k, min_score)?;
        let kernel = self.shape.kernel;
        let squares = check::matrix(kernel, self.shape.dim, matrix)?;
        let _lane = self.lanes.enter();
        let state = self.read();
        let queries = matrix.chunks_exact(self.shape.dim).zip(squares);
        let queries = queries.map(|(given, square)| Query { kernel, given, square, k, min_score });
        queries.map(|query| state.search(&query, partition)).collect()
    }

    /// Writes all rows to a file, replacing it in one step: after a crash it is the old file or the new one.
    ///
    /// The rows can be searched meanwhile; a writer waits until they have been written.
    ///
    /// # Errors
    ///
    /// `Io` when the system refuses; an old file is then still there.
    pub fn save(&self, path: &Path) -> Result<()> {
        file::save(path, self)
    }

    /// Reads an index that [`HnswIndex::save`] wrote. The file holds rows and no graphs, since nothing in a graph can be
    /// believed without building it: that is done again, and takes as long as adding the rows.
    ///
    /// # Errors
    ///
    /// `Io` when the system refuses, `CorruptFile` for any file that [`HnswIndex::save`] did not write.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_with_kernel(path, Kernel::best())
    }

    /// [`HnswIndex::load`] with a kernel of the caller's choice.
    ///
    /// # Errors
    ///
    /// Those of [`HnswIndex::load`].
    pub fn load_with_kernel(path: &Path, kernel: Kernel) -> Result<Self> {
        file::load(path, kernel)
    }

    fn insert(&self, ids: &[u64], rows: &[f32], squares: &[f64], partition: u128) -> Result<()> {
        let _turn = lock(&self.writer);
        let partition = self.write().add(self.shape, partition, ids, rows, squares)?;
        if let Some(partition) = partition {
            self.settle(partition);
        }
        Ok(())
    }

    /// Gives a partition the form that its size asks for. Called by the writer whose turn it is; searches see the old
    /// form until the new one is there.
    fn settle(&self, partition: u32) {
        let form = self.read().reshaped(self.shape, partition);
        if let Some(form) = form {
            self.write().install(partition, form);
        }
    }

    /// [`HnswIndex::settle`] for all partitions.
    fn settle_all(&self) {
        let partitions = self.read().count();
        (0..partitions).for_each(|partition| self.settle(partition));
    }

    /// The state is whole between any two statements that can panic, so a poisoned lock says nothing about it.
    fn read(&self) -> impl Deref<Target = State> + '_ {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> impl DerefMut<Target = State> + '_ {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
