//! A partition with a graph.
//!
//! The graph holds the rows themselves, each once: a record is a row as it was given and behind it the factor that gives
//! it unit length, so that the graph measures cosines and the row comes back to the bit.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::RangeInclusive;

use hashbrown::HashTable;
use usearch::ffi::{IndexOptions, MetricKind, ScalarKind};
use usearch::{Index, ffi};

use super::Shape;
use super::owners::Owners;
use super::partition::scattered;
use super::query::Query;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Hit, Map};
use crate::kernel::{UNIT_ROUNDOFF, dot_error, measure_records};

/// Between these squares of lengths the products of two rows neither overflow in f32 nor lose more than 2⁻⁷⁸ of the
/// lengths' product to underflow.
const PLAIN_SQUARES: RangeInclusive<f64> = {
    let two_60 = (1_u64 << 60) as f64;
    1.0 / two_60..=two_60
};
/// A search that wants more than one node of so many compares all of them.
const NODES_A_CANDIDATE: usize = 16;
/// Nodes that there is room for at first.
const FEWEST_NODES: usize = 1024;
/// What `usearch` keeps for a node it has room for: two addresses, and a key with a slot in a table at most half full.
const BYTES_A_PLACE: usize = 2 * 8 + 2 * 16;

pub(super) struct Graph {
    shape: Shape,
    index: Index,
    /// By key, which is the graph's name for a node; those without rows are listed in `unused`.
    nodes: Vec<Node>,
    unused: Vec<u32>,
    /// Finds the node of a row.
    table: HashTable<u32>,
    hasher: RandomState,
    /// Rows that f32 cannot be multiplied with, as they were given; the graph has them at unit length.
    strays: Map<u32, Box<[f32]>>,
    rows: usize,
    /// Nodes in `index`, removed ones included, and how many of them wait for another row.
    linked: usize,
    vacant: usize,
}

/// A vector, and the rows that have it.
#[derive(Debug)]
struct Node {
    hash: u64,
    owners: Owners,
}

impl Graph {
    /// An empty graph with room for `capacity` nodes.
    pub(super) fn new(shape: Shape, capacity: usize) -> Result<Self> {
        let Shape { kernel, dim, connectivity, expansion, searches, .. } = shape;
        let options = IndexOptions {
            dimensions: dim + 1,
            metric: MetricKind::IP,
            quantization: ScalarKind::F32,
            connectivity,
            expansion_add: 2 * expansion,
            expansion_search: expansion,
            multi: false,
        };
        let mut index = Index::new(&options).map_err(failed)?;
        measure_records(&mut index, kernel, dim);
        index.reserve_capacity_and_threads(capacity.max(FEWEST_NODES), searches).map_err(failed)?;
        let (table, hasher, strays) = (HashTable::new(), RandomState::new(), Map::default());
        Ok(Self { shape, index, nodes: vec![], unused: vec![], table, hasher, strays, rows: 0, linked: 0, vacant: 0 })
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// Whether searches meet more nodes without rows than with some.
    pub(super) fn is_sparse(&self) -> bool {
        self.linked > 2 * self.table.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let used = self.index.memory_stats();
        let index = used.graph_allocated - used.graph_reserved + used.vectors_allocated - used.vectors_reserved;
        let places = self.index.capacity() * BYTES_A_PLACE;
        let nodes = self.nodes.capacity() * size_of::<Node>() + self.unused.capacity() * size_of::<u32>();
        let strays = self.strays.allocation_size() + self.strays.len() * self.shape.dim * size_of::<f32>();
        index + places + nodes + strays + self.table.allocation_size()
    }

    /// Returns the key of the new row's node.
    pub(super) fn add(&mut self, id: u64, row: &[f32], square: f64) -> Result<u32> {
        let hash = self.hash(row);
        let key = match self.find(hash, row) {
            Some(key) => {
                self.nodes[key as usize].owners.insert(id);
                key
            }
            None => self.add_node(Node { hash, owners: Owners::One(id) }, row, square)?,
        };
        self.rows += 1;
        Ok(key)
    }

    fn add_node(&mut self, node: Node, row: &[f32], square: f64) -> Result<u32> {
        self.make_room()?;
        let key = self.unused.last().copied().unwrap_or(self.nodes.len() as u32);
        self.index.add(u64::from(key), &record(row, square)).map_err(failed)?;
        // A vacant node is taken over before a new one is linked.
        (self.linked, self.vacant) = (self.linked + usize::from(self.vacant == 0), self.vacant.saturating_sub(1));
        if !PLAIN_SQUARES.contains(&square) {
            self.strays.insert(key, row.into());
        }
        self.table.insert_unique(node.hash, key, |key| self.nodes[*key as usize].hash);
        if self.unused.pop().is_some() {
            self.nodes[key as usize] = node;
        } else {
            self.nodes.push(node);
        }
        Ok(key)
    }

    fn make_room(&self) -> Result<()> {
        let capacity = self.index.capacity();
        if self.vacant > 0 || self.linked < capacity {
            return Ok(());
        }
        let larger = (capacity + capacity / 2).min(u32::MAX as usize - 1);
        if larger == capacity {
            return Err(Error::new(ErrorKind::Config, format!("expected at most {capacity} rows in a partition")));
        }
        self.index.reserve_capacity_and_threads(larger, self.shape.searches).map_err(failed)
    }

    /// Replaces a row and returns its new node's key.
    pub(super) fn update(&mut self, key: u32, id: u64, row: &[f32], square: f64) -> Result<u32> {
        if self.find(self.hash(row), row) == Some(key) {
            return Ok(key);
        }
        let new = self.add(id, row, square)?;
        self.remove(key, id);
        Ok(new)
    }

    pub(super) fn remove(&mut self, key: u32, id: u64) {
        self.rows -= 1;
        let node = &mut self.nodes[key as usize];
        node.owners.remove(id);
        if !node.owners.is_empty() {
            return;
        }
        if let Ok(entry) = self.table.find_entry(node.hash, |other| *other == key) {
            entry.remove();
        }
        self.strays.remove(&key);
        // Without memory to note that the node is vacant it stays, and no row is ever found by it.
        if self.index.remove(u64::from(key)).is_ok() {
            self.vacant += 1;
            self.unused.push(key);
        }
    }

    pub(super) fn search(&self, query: &Query<'_>) -> Result<Vec<Hit>> {
        let wanted = query.k.max(self.shape.expansion);
        let mut hits = Vec::new();
        if wanted > self.table.len() / NODES_A_CANDIDATE {
            self.score(&mut hits, query, self.table.iter().copied());
        } else {
            self.score(&mut hits, query, self.near(query, wanted)?.into_iter());
        }
        Ok(query.best(hits))
    }

    /// The keys of the nodes that a walk through the graph finds and f32 cannot tell from the `k` best.
    fn near(&self, query: &Query<'_>, wanted: usize) -> Result<Vec<u32>> {
        let ffi::Matches { mut keys, distances } =
            self.index.search(&record(query.given, query.square), wanted).map_err(failed)?;
        let error = distance_error(self.shape.dim);
        let kth = distances.get(query.k - 1).map_or(f64::INFINITY, |distance| f64::from(*distance) + 2.0 * error);
        let bar = kth.min(1.0 - query.min_score + error);
        keys.truncate(distances.iter().take_while(|distance| f64::from(**distance) <= bar).count());
        Ok(keys.into_iter().map(|key| key as u32).collect())
    }

    /// Adds the rows of the nodes, at most `k` of each, with their cosines.
    fn score(&self, hits: &mut Vec<Hit>, query: &Query<'_>, keys: impl Iterator<Item = u32>) {
        let mut buffer = self.buffer();
        for key in keys {
            let row = self.row(key, &mut buffer);
            let score = query.score(row, query.kernel.dot_f64(row, row));
            let ids = self.nodes[key as usize].owners.iter().take(query.k);
            hits.extend(ids.map(|id| Hit { id, score }));
        }
    }

    /// Shows every row as it was given, those with neighbouring keys far apart.
    pub(super) fn each<E>(&self, mut show: impl FnMut(u64, &[f32]) -> Result<(), E>) -> Result<(), E> {
        let mut buffer = self.buffer();
        for key in scattered(self.nodes.len()) {
            let owners = &self.nodes[key].owners;
            if !owners.is_empty() {
                let row = self.row(key as u32, &mut buffer);
                owners.iter().try_for_each(|id| show(id, row))?;
            }
        }
        Ok(())
    }

    /// Tells every row's id and its key.
    pub(super) fn each_key(&self, mut place: impl FnMut(u64, u32)) {
        for (node, key) in self.nodes.iter().zip(0..) {
            node.owners.iter().for_each(|id| place(id, key));
        }
    }

    /// Room for what [`Graph::row`] reads.
    fn buffer(&self) -> Vec<f32> {
        vec![0.0; self.shape.dim + 1]
    }

    /// The row of a node as it was given.
    fn row<'a>(&'a self, key: u32, buffer: &'a mut [f32]) -> &'a [f32] {
        if let Some(row) = self.strays.get(&key) {
            return row;
        }
        let found = self.index.get(u64::from(key), buffer);
        assert!(matches!(found, Ok(1)), "a node with rows is in the graph");
        &buffer[..self.shape.dim]
    }

    /// The node that has this very row.
    fn find(&self, hash: u64, row: &[f32]) -> Option<u32> {
        let mut buffer = self.buffer();
        let equal =
            |key: &u32| self.nodes[*key as usize].hash == hash && bits(self.row(*key, &mut buffer)).eq(bits(row));
        self.table.find(hash, equal).copied()
    }

    fn hash(&self, row: &[f32]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        bits(row).for_each(|bits| hasher.write_u32(bits));
        hasher.finish()
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("rows", &self.rows).field("linked", &self.linked).finish_non_exhaustive()
    }
}

fn bits(row: &[f32]) -> impl Iterator<Item = u32> + '_ {
    row.iter().map(|x| x.to_bits())
}

/// A row as the graph keeps it: see the head of this file. One that f32 cannot be multiplied with is scaled.
fn record(row: &[f32], square: f64) -> Vec<f32> {
    let inverse = 1.0 / square.sqrt();
    if PLAIN_SQUARES.contains(&square) {
        return row.iter().copied().chain([inverse as f32]).collect();
    }
    row.iter().map(|x| (f64::from(*x) * inverse) as f32).chain([1.0]).collect()
}

/// How far the distance of two records can be from 1 − cosine.
///
/// The dot product is off by `dot_error` of the lengths' product; both factors (or the components of scaled rows), their
/// product, its product with the sum and the difference are rounded. The hundredth covers products of these and lengths that
/// are not quite 1; the constant covers underflow.
fn distance_error(dim: usize) -> f64 {
    1.01 * (dot_error(dim) + 6.0 * UNIT_ROUNDOFF) + f64::EPSILON
}

/// What we ask of a graph can fail for want of memory alone.
fn failed(error: impl fmt::Display) -> Error {
    Error::new(ErrorKind::OutOfMemory, format!("no memory for the graph: {error}"))
}
