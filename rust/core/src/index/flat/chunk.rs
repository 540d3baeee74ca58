//! Many rows of one partition, in memory.

use std::ops::Range;

use bytemuck::Zeroable;

use super::Space;
use super::code::{Places, Shape, WholeShape, encode};
use crate::kernel::codes::HighShape;
use crate::kernel::codes::{GROUP, move_signs};
use crate::kernel::{PageVec, prefer_huge_pages};

/// Rows of the first chunk of a partition, which grows as rows come.
const FIRST: usize = 16_384;
/// Rows of the others, whose signs lie in huge pages.
const OTHER: usize = 65_536;

/// The first row of a chunk of a partition.
pub(super) fn first_slot(chunk: usize) -> usize {
    if chunk == 0 { 0 } else { FIRST + (chunk - 1) * OTHER }
}

/// The chunk that a row of a partition lies in, and its place there.
pub(super) fn locate(slot: usize) -> (usize, usize) {
    match slot.checked_sub(FIRST) {
        None => (0, slot),
        Some(behind) => (1 + behind / OTHER, behind % OTHER),
    }
}

/// Rows side by side: each kind of thing that is known of them lies together.
#[derive(Debug)]
pub(super) struct Chunk {
    dim: usize,
    padded: usize,
    /// Rows at most.
    capacity: usize,
    ids: Vec<u64>,
    /// Whole groups; the places behind the last row hold anything.
    signs: Signs,
    levels: Vec<u8>,
    high: Vec<u8>,
    low: Vec<u8>,
    high_shapes: Vec<HighShape>,
    whole_shapes: Vec<WholeShape>,
    values: Vec<f32>,
}

/// The signs of few rows, or of so many that they do not fit into near caches: a scan reads all of them.
#[derive(Debug)]
enum Signs {
    Few(Vec<u8>),
    Many(PageVec),
}

impl Chunk {
    /// An empty chunk of at most so many rows, which grows as they come.
    pub(super) fn with_room(capacity: usize, dim: usize, padded: usize) -> Self {
        Self {
            dim,
            padded,
            capacity,
            ids: vec![],
            signs: Signs::Few(vec![]),
            levels: vec![],
            high: vec![],
            low: vec![],
            high_shapes: vec![],
            whole_shapes: vec![],
            values: vec![],
        }
    }

    /// An empty chunk in the given place of a partition.
    pub(super) fn of_tail(number: usize, dim: usize, padded: usize) -> Self {
        if number == 0 {
            return Self::with_room(FIRST, dim, padded);
        }
        let signs = Signs::Many(PageVec::with_capacity(padded / 8 * OTHER));
        let mut chunk = Self { signs, ..Self::with_room(OTHER, dim, padded) };
        // Memory is taken when it is written to, and so nothing is copied when rows come one by one.
        chunk.reserve(OTHER);
        chunk
    }

    /// Rows that there is room for.
    pub(super) fn room(&self) -> usize {
        self.capacity - self.len()
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn ids(&self) -> &[u64] {
        &self.ids
    }

    pub(super) fn signs(&self, groups: Range<usize>) -> (&[u8], &[u8]) {
        let width = self.group_width();
        let levels = groups.start * GROUP..groups.end * GROUP;
        (&self.signs.all()[groups.start * width..groups.end * width], &self.levels[levels])
    }

    pub(super) fn high(&self, slots: Range<usize>) -> &[u8] {
        &self.high[slots.start * self.padded / 2..slots.end * self.padded / 2]
    }

    pub(super) fn low(&self, slots: Range<usize>) -> &[u8] {
        &self.low[slots.start * self.padded / 2..slots.end * self.padded / 2]
    }

    pub(super) fn high_shapes(&self, slots: Range<usize>) -> &[HighShape] {
        &self.high_shapes[slots]
    }

    pub(super) fn whole_shape(&self, slot: usize) -> WholeShape {
        self.whole_shapes[slot]
    }

    pub(super) fn values(&self, slot: usize) -> &[f32] {
        &self.values[slot * self.dim..][..self.dim]
    }

    /// Bytes on the heap; of what was reserved for many rows those that are in use.
    pub(super) fn memory_bytes(&self) -> usize {
        if self.capacity == OTHER {
            let shapes = size_of::<HighShape>() + size_of::<WholeShape>();
            let row = size_of::<u64>() + 1 + self.padded + shapes + self.dim * size_of::<f32>();
            return self.signs.memory_bytes() + self.len() * row;
        }
        let bytes = self.signs.memory_bytes() + self.levels.capacity() + self.high.capacity() + self.low.capacity();
        let high_shapes = self.high_shapes.capacity() * size_of::<HighShape>();
        let shapes = high_shapes + self.whole_shapes.capacity() * size_of::<WholeShape>();
        bytes + shapes + self.ids.capacity() * size_of::<u64>() + self.values.capacity() * size_of::<f32>()
    }

    /// Makes room for `rows` more, exactly: rows that come together need no room to grow.
    pub(super) fn reserve(&mut self, rows: usize) {
        let groups = (self.len() + rows).div_ceil(GROUP) - self.len().div_ceil(GROUP);
        self.ids.reserve_exact(rows);
        self.signs.reserve(groups * self.group_width());
        self.levels.reserve_exact(groups * GROUP);
        self.high.reserve_exact(rows * self.padded / 2);
        self.low.reserve_exact(rows * self.padded / 2);
        self.high_shapes.reserve_exact(rows);
        self.whole_shapes.reserve_exact(rows);
        self.values.reserve_exact(rows * self.dim);
        prefer_huge_pages(self.high.spare_capacity_mut());
        prefer_huge_pages(self.low.spare_capacity_mut());
        prefer_huge_pages(self.values.spare_capacity_mut());
    }

    /// Adds a row with the given square of its length.
    pub(super) fn push(&mut self, id: u64, vector: &[f32], square: f64, space: &Space) {
        self.grow(id);
        let slot = self.len() - 1;
        let rotated = space.rotation.apply(space.kernel, vector, 1.0 / square.sqrt());
        let (width, half) = (self.group_width(), self.padded / 2);
        let places = Places {
            group: &mut self.signs.all_mut()[slot / GROUP * width..][..width],
            row_of_group: slot % GROUP,
            high: &mut self.high[slot * half..][..half],
            low: &mut self.low[slot * half..][..half],
        };
        let shape = encode(space.kernel, &rotated, space.levels, places);
        self.set_shape(slot, shape);
        self.values[slot * self.dim..][..self.dim].copy_from_slice(vector);
    }

    /// Adds copies of all rows of another chunk.
    pub(super) fn append(&mut self, other: &Self) {
        let (start, width) = (self.len(), self.group_width());
        self.ids.extend_from_slice(&other.ids);
        self.high.extend_from_slice(&other.high);
        self.low.extend_from_slice(&other.low);
        self.high_shapes.extend_from_slice(&other.high_shapes);
        self.whole_shapes.extend_from_slice(&other.whole_shapes);
        self.values.extend_from_slice(&other.values);
        self.levels.truncate(start);
        self.levels.extend_from_slice(&other.levels);
        let groups = self.len().div_ceil(GROUP);
        self.levels.resize(groups * GROUP, 0);
        self.signs.resize(groups * width);
        if start.is_multiple_of(GROUP) {
            self.signs.all_mut()[start / GROUP * width..].copy_from_slice(other.signs.all());
            return;
        }
        for (from, slot) in (0..other.len()).zip(start..) {
            let group = &mut self.signs.all_mut()[slot / GROUP * width..][..width];
            move_signs(&other.signs.all()[from / GROUP * width..][..width], from % GROUP, group, slot % GROUP);
        }
    }

    /// Adds a copy of another chunk's row.
    fn push_copy(&mut self, other: &Self, from: usize) {
        self.grow(other.ids[from]);
        self.replace(self.len() - 1, other, from);
    }

    /// Takes out the last row, as a chunk of its own.
    pub(super) fn pop(&mut self) -> Self {
        let left = self.len() - 1;
        let mut last = Self::with_room(1, self.dim, self.padded);
        last.push_copy(self, left);
        self.ids.truncate(left);
        self.signs.resize(left.div_ceil(GROUP) * self.group_width());
        self.levels.truncate(left.div_ceil(GROUP) * GROUP);
        self.high.truncate(left * self.padded / 2);
        self.low.truncate(left * self.padded / 2);
        self.high_shapes.truncate(left);
        self.whole_shapes.truncate(left);
        self.values.truncate(left * self.dim);
        last
    }

    /// Puts a copy of another chunk's row into a place.
    pub(super) fn replace(&mut self, slot: usize, other: &Self, from: usize) {
        let (width, half) = (self.group_width(), self.padded / 2);
        let group = &mut self.signs.all_mut()[slot / GROUP * width..][..width];
        move_signs(&other.signs.all()[from / GROUP * width..][..width], from % GROUP, group, slot % GROUP);
        self.ids[slot] = other.ids[from];
        self.levels[slot] = other.levels[from];
        self.high[slot * half..][..half].copy_from_slice(other.high(from..from + 1));
        self.low[slot * half..][..half].copy_from_slice(other.low(from..from + 1));
        self.high_shapes[slot] = other.high_shapes[from];
        self.whole_shapes[slot] = other.whole_shapes[from];
        self.values[slot * self.dim..][..self.dim].copy_from_slice(other.values(from));
    }

    /// Makes place for one row more.
    fn grow(&mut self, id: u64) {
        self.ids.push(id);
        let (rows, groups) = (self.ids.len(), self.ids.len().div_ceil(GROUP));
        self.signs.resize(groups * self.group_width());
        self.levels.resize(groups * GROUP, 0);
        self.high.resize(rows * self.padded / 2, 0);
        self.low.resize(rows * self.padded / 2, 0);
        self.high_shapes.resize(rows, HighShape::zeroed());
        self.whole_shapes.resize(rows, WholeShape::zeroed());
        self.values.resize(rows * self.dim, 0.0);
    }

    fn set_shape(&mut self, slot: usize, shape: Shape) {
        self.levels[slot] = shape.level;
        self.high_shapes[slot] = shape.high;
        self.whole_shapes[slot] = shape.whole;
    }

    /// Bytes of a group's signs.
    fn group_width(&self) -> usize {
        self.padded / 8 * GROUP
    }
}

impl Signs {
    fn all(&self) -> &[u8] {
        match self {
            Self::Few(bytes) => bytes,
            Self::Many(bytes) => bytes,
        }
    }

    fn all_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Few(bytes) => bytes,
            Self::Many(bytes) => bytes,
        }
    }

    fn reserve(&mut self, more: usize) {
        if let Self::Few(bytes) = self {
            bytes.reserve_exact(more);
        }
    }

    fn resize(&mut self, length: usize) {
        match self {
            Self::Few(bytes) => bytes.resize(length, 0),
            Self::Many(bytes) => bytes.resize(length),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Self::Few(bytes) => bytes.capacity(),
            Self::Many(bytes) => bytes.memory_bytes(),
        }
    }
}
