//! Up to 1,024 rows of one partition, in memory.

use std::ops::Range;

use super::bound::Levels;
use super::code::{Places, Shape, encode};
use super::query::Scale;
use super::rotation::Rotation;
use super::rows::{HighShapes, Rows};
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
    high_scales: Vec<f32>,
    high_alignments: Vec<f32>,
    high_distances: Vec<f32>,
    scales: Vec<Scale>,
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
            high_scales: vec![],
            high_alignments: vec![],
            high_distances: vec![],
            scales: vec![],
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

    pub(super) fn high_shapes(&self, slots: Range<usize>) -> HighShapes<'_> {
        HighShapes {
            scales: &self.high_scales[slots.clone()],
            alignments: &self.high_alignments[slots.clone()],
            distances: &self.high_distances[slots],
        }
    }

    pub(super) fn scale(&self, slot: usize) -> Scale {
        self.scales[slot]
    }

    pub(super) fn values(&self, slot: usize) -> &[f32] {
        &self.values[slot * self.dim..][..self.dim]
    }

    /// Bytes on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        let bytes = self.signs.capacity() + self.levels.capacity() + self.high.capacity() + self.low.capacity();
        let shapes = self.high_scales.capacity() + self.high_alignments.capacity() + self.high_distances.capacity();
        let wide = self.ids.capacity() * size_of::<u64>() + self.scales.capacity() * size_of::<Scale>();
        bytes + wide + (shapes + self.values.capacity()) * size_of::<f32>()
    }

    /// Makes room for `rows` more, exactly: rows that come together need no room to grow.
    pub(super) fn reserve(&mut self, rows: usize) {
        let groups = (self.len() + rows).div_ceil(GROUP) - self.len().div_ceil(GROUP);
        self.ids.reserve_exact(rows);
        self.signs.reserve_exact(groups * self.group_width());
        self.levels.reserve_exact(groups * GROUP);
        self.high.reserve_exact(rows * self.padded / 2);
        self.low.reserve_exact(rows * self.padded / 2);
        for shapes in [&mut self.high_scales, &mut self.high_alignments, &mut self.high_distances] {
            shapes.reserve_exact(rows);
        }
        self.scales.reserve_exact(rows);
        self.values.reserve_exact(rows * self.dim);
    }

    /// Adds a row with the given square of its length.
    pub(super) fn push(&mut self, id: u64, vector: &[f32], square: f64, rotation: &Rotation, levels: Levels) {
        self.grow(id);
        self.set(self.len() - 1, vector, square, rotation, levels);
    }

    /// Replaces a row's vector.
    pub(super) fn set(&mut self, slot: usize, vector: &[f32], square: f64, rotation: &Rotation, levels: Levels) {
        let rotated = rotation.apply(vector, 1.0 / square.sqrt());
        let (width, half) = (self.group_width(), self.padded / 2);
        let places = Places {
            group: &mut self.signs[slot / GROUP * width..][..width],
            row_of_group: slot % GROUP,
            high: &mut self.high[slot * half..][..half],
            low: &mut self.low[slot * half..][..half],
        };
        let shape = encode(&rotated, levels, places);
        self.set_shape(slot, shape);
        self.values[slot * self.dim..][..self.dim].copy_from_slice(vector);
    }

    /// Adds a copy of a row that lies elsewhere.
    pub(super) fn push_copy(&mut self, rows: Rows<'_>, from: usize) -> Result<()> {
        let (signs, levels) = rows.signs(from / GROUP..from / GROUP + 1)?;
        let (high, low) = (rows.high(from..from + 1)?, rows.low(from..from + 1)?);
        let (shapes, scale, values) = (rows.high_shapes(from..from + 1)?, rows.scale(from)?, rows.values(from)?);
        self.grow(rows.id(from)?);
        let (slot, width, half) = (self.len() - 1, self.group_width(), self.padded / 2);
        move_signs(signs, from % GROUP, &mut self.signs[slot / GROUP * width..][..width], slot % GROUP);
        self.high[slot * half..].copy_from_slice(high);
        self.low[slot * half..].copy_from_slice(low);
        self.set_shape(
            slot,
            Shape {
                level: levels[from % GROUP],
                high_scale: shapes.scales[0],
                high_alignment: shapes.alignments[0],
                high_distance: shapes.distances[0],
                step: scale.step,
                error: scale.error,
            },
        );
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
        for shapes in [&mut self.high_scales, &mut self.high_alignments, &mut self.high_distances] {
            shapes.truncate(left);
        }
        self.scales.truncate(left);
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
        self.high_scales[slot] = other.high_scales[from];
        self.high_alignments[slot] = other.high_alignments[from];
        self.high_distances[slot] = other.high_distances[from];
        self.scales[slot] = other.scales[from];
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
        for shapes in [&mut self.high_scales, &mut self.high_alignments, &mut self.high_distances] {
            shapes.resize(rows, 0.0);
        }
        self.scales.resize(rows, Scale { step: 0.0, error: 0.0 });
        self.values.resize(rows * self.dim, 0.0);
    }

    fn set_shape(&mut self, slot: usize, shape: Shape) {
        self.levels[slot] = shape.level;
        self.high_scales[slot] = shape.high_scale;
        self.high_alignments[slot] = shape.high_alignment;
        self.high_distances[slot] = shape.high_distance;
        self.scales[slot] = Scale { step: shape.step, error: shape.error };
    }

    /// Bytes of a group's signs.
    fn group_width(&self) -> usize {
        self.padded / 8 * GROUP
    }
}
