//! What an index refuses, with the numbers.

#[cfg(feature = "hnsw")]
use std::ops::RangeInclusive;

use super::MAX_DIM;
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;

pub(super) fn dim(dim: usize) -> Result<()> {
    if (1..=MAX_DIM).contains(&dim) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("expected 1 to {MAX_DIM} dimensions, got {dim}")))
}

/// The square of the vector's length, when it is a vector that an index of `dim` dimensions can hold.
pub(super) fn vector(kernel: Kernel, dim: usize, vector: &[f32]) -> Result<f64> {
    if vector.len() != dim {
        return Err(Error::dimension(dim, vector.len()));
    }
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidVector, message));
    // All at once and only then one by one: that is quicker for vectors that are sound.
    if !vector.iter().fold(true, |sound, x| sound & x.is_finite())
        && let Some(at) = vector.iter().position(|x| !x.is_finite())
    {
        return invalid(format!("component {at} is {}", if vector[at].is_nan() { "NaN" } else { "infinite" }));
    }
    // The square of the smallest f32 is 2e-90, so that only zeros give zero.
    let square = kernel.dot_f64(vector, vector);
    if square == 0.0 { invalid("all components are zero: the vector has no direction".into()) } else { Ok(square) }
}

/// [`vector`] for the rows of a matrix; an error in one of several names the row.
pub(super) fn matrix(kernel: Kernel, dim: usize, matrix: &[f32]) -> Result<Vec<f64>> {
    if !matrix.len().is_multiple_of(dim) {
        let message = format!("expected rows of {dim} dimensions, got {} values", matrix.len());
        return Err(Error::new(ErrorKind::DimensionMismatch, message));
    }
    let named = |row: usize, error: Error| match matrix.len() / dim {
        1 => error,
        _ => Error::new(error.kind(), format!("row {row}: {error}")),
    };
    let rows = matrix.chunks_exact(dim).enumerate();
    rows.map(|(row, values)| vector(kernel, dim, values).map_err(|error| named(row, error))).collect()
}

/// Refuses another number of ids than of rows.
///
/// # Errors
/// `Config`.
pub fn ids(ids: usize, rows: usize) -> Result<()> {
    if ids == rows {
        return Ok(());
    }
    let message = format!("expected as many rows as ids, got {rows} rows and {ids} ids");
    Err(Error::new(ErrorKind::Config, message))
}

pub(super) fn search(k: usize, min_score: f64) -> Result<()> {
    if k == 0 {
        return Err(Error::new(ErrorKind::Config, "expected k of at least 1, got 0"));
    }
    if min_score.is_nan() {
        return Err(Error::new(ErrorKind::Config, "expected a number as min_score, got NaN"));
    }
    Ok(())
}

/// Neighbours of a node of a graph, and candidates that its searches keep.
#[cfg(feature = "hnsw")]
pub(super) fn graph(connectivity: usize, expansion: usize) -> Result<()> {
    let within = |name: &str, value: usize, range: RangeInclusive<usize>| {
        if range.contains(&value) {
            return Ok(());
        }
        let message = format!("expected {} to {} as {name}, got {value}", range.start(), range.end());
        Err(Error::new(ErrorKind::Config, message))
    };
    within("connectivity", connectivity, 2..=256)?;
    within("expansion", expansion, 1..=65_536)
}
