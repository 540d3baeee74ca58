//! Our arithmetic for rows that foreign code keeps and hands back by their addresses.
#![allow(unsafe_code)]

use std::slice;

use usearch::Index;
use usearch::ffi::ScalarKind;

use super::Kernel;

/// Lets `index` measure 1 − cosine of records by `kernel`.
///
/// A record is `dim` values and behind them the factor that gives the values unit length. The distance is off by at most
/// `dot_error(dim)` and three roundings when neither the values' squares nor their products leave the range of f32.
/// Panics unless `index` was made for f32 records of `dim + 1` values.
pub(crate) fn measure_records(index: &mut Index, kernel: Kernel, dim: usize) {
    assert!(index.dimensions() == dim + 1 && index.scalar_kind() == ScalarKind::F32, "records of another shape");
    index.change_metric::<f32>(Box::new(move |a, b| {
        // SAFETY: the closure is known to `index` alone. It passes addresses of records that it holds a copy of, and of
        // those given to its methods, which refuse slices of another length than `dim + 1`; it changes none meanwhile.
        let a = unsafe { slice::from_raw_parts(a, dim + 1) };
        // SAFETY: as above.
        let b = unsafe { slice::from_raw_parts(b, dim + 1) };
        1.0 - kernel.dot(&a[..dim], &b[..dim]) * (a[dim] * b[dim])
    }));
}
