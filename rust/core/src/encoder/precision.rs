//! What the weights of an encoder are held in.

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;

/// How exactly a forward pass is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Weights and sums in f32.
    F32,
    /// Weights in bf16, half the memory; vectors have a cosine of .99998 or more with those of f32, and of .99996 or more
    /// where inputs are rounded too (AMX, AVX512-BF16).
    Bf16,
    /// Weights in sixteen bits and inputs in fourteen, half the memory; vectors have a cosine of .99998 or more with those of
    /// f32, on average three times as near as bf16's.
    Int16,
    /// Weights in eight bits and inputs in seven, a quarter of the memory; the cosine is .9985 in the
    /// mean and .993 at least, over 12,000 questions.
    Int8,
}

impl Precision {
    /// All, the most exact first.
    pub const ALL: [Self; 4] = [Self::F32, Self::Int16, Self::Bf16, Self::Int8];

    /// The name that [`Precision::by_name`] knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int16 => "int16",
            Self::Int8 => "int8",
        }
    }

    /// The precision called `name`; "auto" is the kernel's fastest of those whose vectors may be compared with f32's.
    ///
    /// # Errors
    ///
    /// `Config`, with the names there are.
    pub fn by_name(name: &str, kernel: Kernel) -> Result<Self> {
        // Where one instruction multiplies pairs of sixteen bits, it multiplies twice as many as one of f32; tiles multiply
        // sixteen times as many in bf16. Elsewhere bf16 has half the weights to read and the same arithmetic as f32.
        let pairs = matches!(kernel.name(), "avx2" | "avx512" | "avx512bf16");
        let auto = if pairs { Self::Int16 } else { Self::Bf16 };
        if name == "auto" {
            return Ok(auto);
        }
        Self::ALL.into_iter().find(|precision| precision.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            Error::new(ErrorKind::Config, format!("expected precision to be one of auto, {known}, got {name:?}"))
        })
    }

    /// Vectors of one class may be compared with each other.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::F32 | Self::Bf16 | Self::Int16 => "f32-bf16",
            Self::Int8 => "int8",
        }
    }
}
