//! Vector arithmetic, by the widest instructions the processor has.
//!
//! [`Kernel::best`] makes the choice. Every kernel computes the same functions within the same error bounds, which the
//! tests hold against plain f64 arithmetic; [`Operations`] states them. `u` below is 2⁻²⁴, half the distance between 1
//! and the next f32.
//!
//! **What inner loops need of the compiler.** It loads the weights of an unrolled loop before it uses them, and spills:
//! a bound that it does not know (`black_box`) prevents that. It computes the rows' addresses anew from one pointer and
//! a stride: pointers that it does not know prevent that. It calls closures and iterator adapters such as `skip` in
//! functions with target features, which takes three times as long. A copy of a length that it does not know is a call
//! of `memcpy`: there were 1,300 of them in a question, for the biases of panels.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bf16;
pub mod codes;
mod int16;
mod int8;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
mod pages;
mod prefetch;
#[cfg(feature = "hnsw")]
mod raw;
mod scalar;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Deref;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::OnceLock;
pub use bf16::{PackedBf16, RowsBf16};
use codes::{HighFilter, HighShape, Nibbles, SignTable};
pub use int8::{PackedInt8, RowsInt8};
pub use int16::{PackedInt16, RowsInt16};
pub use pack::{PANEL, Packed, Rows, RowsMut};
pub(crate) use pages::PageVec;
pub use pages::prefer_huge_pages;
pub(crate) use prefetch::{prefetch, prefetch_for_later};
#[cfg(feature = "hnsw")]
pub(crate) use raw::measure_records;

/// Half the relative distance between neighbouring f32 values: the largest relative error of one rounding.
pub const UNIT_ROUNDOFF: f64 = 1.0 / (1 << 24) as f64;

/// How many f32 sums a dot product keeps at once; part of the error bound and therefore the same in every kernel.
const LANES: usize = 32;
/// How many f64 sums [`Operations::dot_f64`] keeps at once; the same everywhere, so that results agree to the bit.
const LANES_F64: usize = 16;

/// The arithmetic that a kernel provides.
///
/// Functions panic when slices do not have the lengths they state.
pub trait Operations: Sync {
    /// The name that [`Kernel::by_name`] knows.
    fn name(&self) -> &'static str;

    /// Σ aᵢbᵢ in f32, off by at most `dot_error(len) · Σ|aᵢbᵢ|` when nothing overflows or underflows.
    fn dot(&self, a: &[f32], b: &[f32]) -> f32;

    /// The dot product of `query` with each of the `out.len()` rows of `rows`, with the error of [`Operations::dot`].
    fn dot_rows(&self, query: &[f32], rows: &[f32], out: &mut [f32]);

    /// Σ aᵢbᵢ in f64. The products are exact and the order of the sums is fixed: all kernels give the same bits.
    fn dot_f64(&self, a: &[f32], b: &[f32]) -> f64;

    /// For each group of 32 rows, which of them reach the limit that `table` sets for their level.
    ///
    /// Bit `r` of `masks[g]` is for row `r` of group `g`; `levels` holds a number below 16 a row. See [`codes`] for the
    /// layout. All kernels give the same bits.
    fn scan_signs(&self, table: &SignTable, signs: &[u8], levels: &[u8], masks: &mut [u32]);

    /// [`Operations::scan_signs`] for four tables of the same length, which share the reading of the rows.
    fn scan_signs_of_four(&self, tables: [&SignTable; 4], signs: &[u8], levels: &[u8], masks: [&mut [u32]; 4]) {
        for (table, masks) in tables.into_iter().zip(masks) {
            self.scan_signs(table, signs, levels, masks);
        }
    }

    /// `out[q · rows + r] = Σ nᵢqᵢ` for each row `r` of `rows`, nibbles nᵢ of 0 to 15 as in [`codes`], and each query.
    ///
    /// Queries have the same length, a multiple of 64, and components of −91 to 91. Exact.
    fn dot_nibbles(&self, queries: &[&[i8]], rows: &[u8], out: &mut [i32]);

    /// `out[r] = Σ nᵢqᵢ` as in [`Operations::dot_nibbles`], for one query and rows that lie apart.
    fn dot_nibbles_of(&self, query: &[i8], rows: &[&[u8]], out: &mut [i32]);

    /// Which rows pass a filter: bit `r` of `masks[g]` is for row `32 · g + r`. All kernels give the same bits.
    fn sieve_high(&self, filter: &HighFilter, products: &[i32], shapes: &[HighShape], masks: &mut [u32]) {
        for ((products, shapes), mask) in products.chunks(32).zip(shapes.chunks(32)).zip(masks) {
            *mask = filter.mask(products, shapes);
        }
    }

    /// `values` times `signs`, then the Walsh-Hadamard transform of the `scratch.len()` values from `from` on, a power of
    /// two of them, in some fixed order and with lengths kept.
    ///
    /// A product for the sign, log₂ of the length sums of two, a product for the scale: all kernels give the same bits.
    fn mix(&self, values: &mut [f32], signs: &[f32], from: usize, scratch: &mut [f32]);

    /// The nibbles of `values`, whose components are at most 119 times `step`, one a byte: see [`codes::Nibbles`].
    ///
    /// All kernels give the same bits.
    fn quantise(&self, values: &[f32], step: f32, high: &mut [u8], low: &mut [u8]) -> Nibbles;

    /// `out[i][j] = bias[j] + Σ a[i][k]·b[k][j]`, each off by at most `matmul_error(depth)` times the sum of magnitudes.
    ///
    /// An element's value depends on its row of `a` alone, not on how many rows there are.
    fn matmul(&self, a: Rows<'_>, b: &Packed, bias: Option<&[f32]>, out: RowsMut<'_>);

    /// [`Packed::pack_columns_padded`].
    fn pack_columns(&self, columns: Rows<'_>, packed: &mut Packed) {
        packed.pack_columns_padded(columns);
    }

    /// [`Operations::matmul`] with weights in bf16. A kernel may round `a` to bf16 as well, into `rounded`: then an element
    /// is off by up to 2⁻⁸ times the sum of magnitudes more, when nothing underflows.
    fn matmul_bf16(&self, a: Rows<'_>, b: &PackedBf16, bias: Option<&[f32]>, rounded: &mut RowsBf16, out: RowsMut<'_>);

    /// Quantises rows for [`Operations::matmul_int16`], each with a step of its own: an 8191st of its largest magnitude. All
    /// kernels give the same bits.
    fn quantise_rows_int16(&self, rows: Rows<'_>, out: &mut RowsInt16);

    /// [`Operations::matmul`] with whole numbers of sixteen bits for values and weights. The sums are exact: all kernels
    /// give the same bits.
    fn matmul_int16(&self, a: &RowsInt16, b: &PackedInt16, bias: Option<&[f32]>, out: RowsMut<'_>);

    /// Quantises rows for [`Operations::matmul_int8`], component k multiplied with `factors[k]`, each row with a step of its
    /// own: a 127th of the distance between its least and its largest value, or zero. All kernels give the same bits for
    /// finite values.
    fn quantise_rows(&self, rows: Rows<'_>, factors: &[f32], out: &mut RowsInt8);

    /// [`Operations::matmul`] with whole numbers for values and weights. The sums are exact: all kernels give the same bits.
    fn matmul_int8(&self, a: &RowsInt8, b: &PackedInt8, bias: Option<&[f32]>, out: RowsMut<'_>);

    /// xᵢ ← e^xᵢ, with a relative error of at most 4 `u` for −87 ≤ x ≤ 88; smaller x may give 0.
    fn exp(&self, x: &mut [f32]);

    /// xᵢ ← e^(s·xᵢ) / Σ e^(s·xⱼ) for a scale `s` > 0, in each row of `width` values.
    fn softmax(&self, rows: &mut [f32], width: usize, scale: f32);

    /// xᵢ ← xᵢ·Φ(xᵢ), the erf form, off by at most |x|/2 · (1e-8 + 16 `u`).
    fn gelu(&self, x: &mut [f32]);

    /// xᵢ ← (xᵢ − mean) / √(variance + epsilon) · gammaᵢ + betaᵢ in each row, which is as long as gamma.
    fn layer_norm(&self, rows: &mut [f32], gamma: &[f32], beta: &[f32], epsilon: f32);
}

/// One implementation of [`Operations`] that this processor can run.
#[derive(Clone, Copy)]
pub struct Kernel(&'static dyn Operations);

impl Kernel {
    /// Every kernel that this processor can run, the plainest first.
    pub fn available() -> Vec<Self> {
        Self::all().collect()
    }

    /// [`Kernel::available`], each looked for when it is asked for: the last one of x86-64 has to ask the system.
    fn all() -> impl Iterator<Item = Self> {
        let all = std::iter::once(Self(&scalar::Scalar));
        #[cfg(target_arch = "x86_64")]
        let all = all.chain(avx2::Avx2::detect().into_iter().map(|kernel| Self(kernel)));
        #[cfg(target_arch = "x86_64")]
        let all = all.chain(avx512::Avx512::detect().map(|kernel| Self(kernel)));
        #[cfg(target_arch = "aarch64")]
        let all = all.chain(neon::Neon::detect().into_iter().map(|kernel| Self(kernel)));
        all
    }

    /// The fastest kernel that this processor can run. The choice is made once.
    pub fn best() -> Self {
        static BEST: OnceLock<Kernel> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().pop().unwrap_or(Self(&scalar::Scalar)))
    }

    /// The kernel called `name`.
    ///
    /// # Errors
    ///
    /// `Config`, with the names there are, when this processor cannot run one of that name.
    pub fn by_name(name: &str) -> Result<Self> {
        Self::all().find(|kernel| kernel.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::available().iter().map(|kernel| kernel.name()).collect();
            Error::new(
                ErrorKind::Config,
                format!("no kernel {name:?} on this processor, expected one of: {}", known.join(", ")),
            )
        })
    }
}

impl Deref for Kernel {
    type Target = dyn Operations;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kernel({})", self.name())
    }
}

/// Panics when `len` values are no whole rows of `width` values.
fn check_rows(len: usize, width: usize) {
    assert!(len == 0 || width > 0 && len.is_multiple_of(width), "{len} values are no rows of {width}");
}

/// Panics when the slices of a layer norm do not have the lengths they should.
fn check_norm(rows: &[f32], gamma: &[f32], beta: &[f32]) {
    assert_eq!(gamma.len(), beta.len(), "lengths of gamma and beta");
    check_rows(rows.len(), gamma.len());
}

/// γ(n) = n·u / (1 − n·u): the relative error of `n` roundings in a row (Higham, Accuracy and Stability, lemma 3.1).
pub fn gamma(roundings: usize) -> f64 {
    let nu = roundings as f64 * UNIT_ROUNDOFF;
    nu / (1.0 - nu)
}

/// The factor of Σ|aᵢbᵢ| (at most ‖a‖·‖b‖) that bounds the error of [`Operations::dot`] over `len` components.
///
/// A product passes through at most ⌈len/32⌉ sums of its lane, 4 of the ragged end and 5 that join the 32 lanes, and is
/// itself rounded where there is no fused multiplication.
pub fn dot_error(len: usize) -> f64 {
    gamma(len.div_ceil(LANES) + 10)
}

/// The factor of `|bias| + Σ|a·b|` that bounds the error of [`Operations::matmul`] over `depth` products.
pub fn matmul_error(depth: usize) -> f64 {
    gamma(depth + 2)
}
