//! What the weights of an encoder are held in.

use crate::error::{Error, ErrorKind, Result};

/// How exactly a forward pass is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Weights and sums in f32.
    F32,
    /// Weights in bf16, half the memory; vectors have a cosine of .99998 or more with those of f32.
    Bf16,
    /// Weights in eight bits and inputs in seven, a quarter of the memory; the cosine is .9985 in the
    /// mean and .993 at least, over 12,000 questions.
    Int8,
}

impl Precision {
    /// All, the most exact first.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// The name that [`Precision::by_name`] knows.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// The precision called `name`; "auto" is the faster of those whose vectors may be compared with f32's.
    ///
    /// # Errors
    ///
    /// `Config`, with the names there are.
    pub fn by_name(name: &str) -> Result<Self> {
        // Half the weights to read and the same arithmetic: with few tokens a pass waits for its weights.
        let auto = Self::Bf16;
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
            Self::F32 | Self::Bf16 => "f32-bf16",
            Self::Int8 => "int8",
        }
    }
}
