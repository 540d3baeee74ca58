//! The one error type of the core.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Result of a core operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a caller would want to tell errors apart.
///
/// Every kind maps to one Python class of the same name with `Error` behind it (a test holds the two together).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A parameter is outside what the operation accepts.
    Config,
    /// A vector has another number of dimensions than the index or encoder.
    DimensionMismatch,
    /// A vector holds NaN or infinity, or has no direction.
    InvalidVector,
    /// An id is already in the index.
    DuplicateId,
    /// An id is not in the index.
    UnknownId,
    /// A text cannot be encoded as UTF-8.
    InvalidText,
    /// A text has more tokens than the encoder reads.
    TextTooLong,
    /// The files of a model are not where they were looked for.
    EncoderNotFound,
    /// A file of ours or of a model is damaged.
    CorruptFile,
    /// A model has an architecture that the encoder does not compute.
    UnsupportedModel,
    /// A stored row is damaged or forged.
    CorruptRow,
    /// An amount of money does not fit, or a reservation is unknown.
    Ledger,
    /// A queue is full.
    Overloaded,
    /// An item is larger than any batch may be.
    ItemTooLarge,
    /// An item would miss its deadline.
    Deadline,
    /// The memory that an operation needs is not to be had.
    OutOfMemory,
    /// The operating system refused an operation on a file.
    Io,
}

/// An error of the core: a kind, and a message in lower case with the numbers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    refusal: Option<Box<Refusal>>,
}

/// What the operating system said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The number that it has for such errors: `errno`, or Windows' own.
    pub code: i32,
    /// The file, as the caller named it.
    pub path: PathBuf,
}

impl Error {
    /// Makes an error of `kind` that reads `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), refusal: None }
    }

    /// `cannot {what} {path}: {error}`.
    pub fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        let message = format!("cannot {what} {}: {error}", path.display());
        let refusal = error.raw_os_error().map(|code| Box::new(Refusal { code, path: path.to_owned() }));
        Self { kind: ErrorKind::Io, message, refusal }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the operating system said, if it was the one that refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }

    /// `expected {expected} dimensions, got {got}`.
    pub fn dimension(expected: usize, got: usize) -> Self {
        Self::new(ErrorKind::DimensionMismatch, format!("expected {expected} dimensions, got {got}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
