//! Up to 1,024 rows of one partition, in memory.

use std::ops::Range;

use bytemuck::Zeroable;

use super::Space;
use super::code::{HighShape, Places, Shape, WholeShape, encode};
use super::rows::Rows;
use crate::error::Result;
use crate::kernel::codes::{GROUP, move_signs};

/// Rows of a full chunk. What grows is copied no more often than this allows.
pub(super) const CHUNK: usize = 1024;

/// Rows side by side: each kind of thing that is known of them lies together.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    dim: usize,
    padded: usize,
    ids: Vec<u64>,
    /// Whole groups; the places behind the last row hold anything.
    signs: Vec<u8>,
    levels: Vec<u8>,
    high: Vec<u8>,
    low: Vec<u8>,
    high_shapes: Vec<HighShape>,
    whole_shapes: Vec<WholeShape>,
    values: Vec<f32>,
}

impl Chunk {
    pub(super) fn new(dim: usize, padded: usize) -> Self {
        Self {
            dim,
            padded,
            ids: vec![],
            signs: vec![],
            levels: vec![],
            high: vec![],
            low: vec![],
            high_shapes: vec![],
            whole_shapes: vec![],
            values: vec![],
        }
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
        (&self.signs[groups.start * width..groups.end * width], &self.levels[levels])
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

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let bytes = self.signs.capacity() + self.levels.capacity() + self.high.capacity() + self.low.capacity();
        let high_shapes = self.high_shapes.capacity() * size_of::<HighShape>();
        let shapes = high_shapes + self.whole_shapes.capacity() * size_of::<WholeShape>();
        bytes + shapes + self.ids.capacity() * size_of::<u64>() + self.values.capacity() * size_of::<f32>()
    }

    /// Makes room for `rows` more, exactly: rows that come together need no room to grow.
    pub(super) fn reserve(&mut self, rows: usize) {
        let groups = (self.len() + rows).div_ceil(GROUP) - self.len().div_ceil(GROUP);
        self.ids.reserve_exact(rows);
        self.signs.reserve_exact(groups * self.group_width());
        self.levels.reserve_exact(groups * GROUP);
        self.high.reserve_exact(rows * self.padded / 2);
        self.low.reserve_exact(rows * self.padded / 2);
        self.high_shapes.reserve_exact(rows);
        self.whole_shapes.reserve_exact(rows);
        self.values.reserve_exact(rows * self.dim);
    }

    /// Adds a row with the given square of its length.
    pub(super) fn push(&mut self, id: u64, vector: &[f32], square: f64, space: &Space) {
        self.grow(id);
        self.set(self.len() - 1, vector, square, space);
    }

    /// Replaces a row's vector.
    pub(super) fn set(&mut self, slot: usize, vector: &[f32], square: f64, space: &Space) {
        let rotated = space.rotation.apply(space.kernel, vector, 1.0 / square.sqrt());
        let (width, half) = (self.group_width(), self.padded / 2);
        let places = Places {
            group: &mut self.signs[slot / GROUP * width..][..width],
            row_of_group: slot % GROUP,
            high: &mut self.high[slot * half..][..half],
            low: &mut self.low[slot * half..][..half],
        };
        let shape = encode(&rotated, space.levels, places);
        self.set_shape(slot, shape);
        self.values[slot * self.dim..][..self.dim].copy_from_slice(vector);
    }

    /// Adds a copy of a row that lies elsewhere.
    pub(super) fn push_copy(&mut self, rows: Rows<'_>, from: usize) -> Result<()> {
        let (signs, levels) = rows.signs(from / GROUP..from / GROUP + 1)?;
        let (high, low) = (rows.high(from..from + 1)?, rows.low(from..from + 1)?);
        let (high_shapes, whole, values) =
            (rows.high_shapes(from..from + 1)?, rows.whole_shape(from)?, rows.values(from)?);
        self.grow(rows.id(from)?);
        let (slot, width, half) = (self.len() - 1, self.group_width(), self.padded / 2);
        move_signs(signs, from % GROUP, &mut self.signs[slot / GROUP * width..][..width], slot % GROUP);
        self.high[slot * half..].copy_from_slice(high);
        self.low[slot * half..].copy_from_slice(low);
        self.set_shape(slot, Shape { level: levels[from % GROUP], high: high_shapes[0], whole });
        self.values[slot * self.dim..].copy_from_slice(&values);
        Ok(())
    }

    /// Takes out the last row, as a chunk of its own.
    pub(super) fn pop(&mut self) -> Result<Self> {
        let left = self.len() - 1;
        let mut last = Self::new(self.dim, self.padded);
        last.push_copy(Rows::Memory(self), left)?;
        self.ids.truncate(left);
        self.signs.truncate(left.div_ceil(GROUP) * self.group_width());
        self.levels.truncate(left.div_ceil(GROUP) * GROUP);
        self.high.truncate(left * self.padded / 2);
        self.low.truncate(left * self.padded / 2);
        self.high_shapes.truncate(left);
        self.whole_shapes.truncate(left);
        self.values.truncate(left * self.dim);
        Ok(last)
    }

    /// Puts a copy of another chunk's row into a place.
    pub(super) fn replace(&mut self, slot: usize, other: &Self, from: usize) {
        let (width, half) = (self.group_width(), self.padded / 2);
        let group = &mut self.signs[slot / GROUP * width..][..width];
        move_signs(&other.signs[from / GROUP * width..][..width], from % GROUP, group, slot % GROUP);
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
        self.signs.resize(groups * self.group_width(), 0);
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
