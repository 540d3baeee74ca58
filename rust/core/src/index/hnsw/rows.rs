//! A partition too small for a graph: all of its rows are compared.

use super::partition::scattered;
use super::query::Query;
use crate::index::Hit;

/// Rows side by side, as they were given, with the squares of their lengths.
#[derive(Debug, Default)]
pub(super) struct Rows {
    ids: Vec<u64>,
    values: Vec<f32>,
    squares: Vec<f64>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.ids.capacity() + self.squares.capacity()) * size_of::<u64>() + self.values.capacity() * size_of::<f32>()
    }

    pub(super) fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Makes room for `count` rows, and no more if they are the first.
    pub(super) fn reserve(&mut self, count: usize, dim: usize) {
        self.ids.reserve(count);
        self.values.reserve(count * dim);
        self.squares.reserve(count);
    }

    /// Returns the slot of the new row.
    pub(super) fn add(&mut self, id: u64, row: &[f32], square: f64) -> u32 {
        self.ids.push(id);
        self.values.extend_from_slice(row);
        self.squares.push(square);
        self.ids.len() as u32 - 1
    }

    pub(super) fn update(&mut self, slot: u32, row: &[f32], square: f64) {
        self.values[slot as usize * row.len()..][..row.len()].copy_from_slice(row);
        self.squares[slot as usize] = square;
    }

    /// Removes a row; the last one takes its slot. Returns the id of the row that moved.
    pub(super) fn remove(&mut self, slot: u32) -> Option<u64> {
        let (slot, last) = (slot as usize, self.len() - 1);
        let dim = self.values.len() / self.len();
        self.values.copy_within(last * dim.., slot * dim);
        self.values.truncate(last * dim);
        self.ids.swap_remove(slot);
        self.squares.swap_remove(slot);
        self.ids.get(slot).copied()
    }

    pub(super) fn search(&self, query: &Query<'_>) -> Vec<Hit> {
        let rows = self.values.chunks_exact(query.given.len()).zip(&self.squares);
        let hits =
            self.ids.iter().zip(rows).map(|(id, (row, square))| Hit { id: *id, score: query.score(row, *square) });
        query.best(hits.collect())
    }

    /// Shows every row, neighbours in the list far apart.
    pub(super) fn each<E>(&self, mut show: impl FnMut(u64, &[f32]) -> Result<(), E>) -> Result<(), E> {
        let dim = self.values.len() / self.len().max(1);
        scattered(self.len()).try_for_each(|slot| show(self.ids[slot], &self.values[slot * dim..][..dim]))
    }
}
