//! Rows of one partition that lie together, wherever they lie.

use std::borrow::Cow;
use std::ops::Range;

use super::chunk::Chunk;
use super::code::WholeShape;
use super::segment::Stretch;
use crate::error::Result;
use crate::kernel::codes::HighShape;

/// Rows of one partition: in memory, or in a file. Reading a file's can find that it is damaged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    Memory(&'a Chunk),
    File(Stretch<'a>),
}

impl<'a> Rows<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Memory(chunk) => chunk.len(),
            Self::File(stretch) => stretch.len(),
        }
    }

    /// Whether a row has not been removed.
    pub(super) fn is_live(&self, slot: usize) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::File(stretch) => stretch.is_live(slot),
        }
    }

    /// The signs of groups of rows, and the level of each row.
    pub(super) fn signs(&self, groups: Range<usize>) -> Result<(&'a [u8], &'a [u8])> {
        match self {
            Self::Memory(chunk) => Ok(chunk.signs(groups)),
            Self::File(stretch) => stretch.signs(groups),
        }
    }

    pub(super) fn high(&self, slots: Range<usize>) -> Result<&'a [u8]> {
        match self {
            Self::Memory(chunk) => Ok(chunk.high(slots)),
            Self::File(stretch) => stretch.high(slots),
        }
    }

    pub(super) fn low(&self, slots: Range<usize>) -> Result<&'a [u8]> {
        match self {
            Self::Memory(chunk) => Ok(chunk.low(slots)),
            Self::File(stretch) => stretch.low(slots),
        }
    }

    pub(super) fn high_shapes(&self, slots: Range<usize>) -> Result<&'a [HighShape]> {
        match self {
            Self::Memory(chunk) => Ok(chunk.high_shapes(slots)),
            Self::File(stretch) => stretch.high_shapes(slots),
        }
    }

    pub(super) fn whole_shape(&self, slot: usize) -> Result<WholeShape> {
        match self {
            Self::Memory(chunk) => Ok(chunk.whole_shape(slot)),
            Self::File(stretch) => stretch.whole_shape(slot),
        }
    }

    pub(super) fn id(&self, slot: usize) -> Result<u64> {
        match self {
            Self::Memory(chunk) => Ok(chunk.ids()[slot]),
            Self::File(stretch) => stretch.id(slot),
        }
    }

    /// The row as it was given.
    pub(super) fn values(&self, slot: usize) -> Result<Cow<'a, [f32]>> {
        match self {
            Self::Memory(chunk) => Ok(Cow::Borrowed(chunk.values(slot))),
            Self::File(stretch) => stretch.values(slot).map(Cow::Owned),
        }
    }
}
