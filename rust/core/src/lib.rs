//! Pure algorithms of llmfast.
//!
//! Nothing here knows Python, the network, a clock or a task: time is an argument, randomness a seed, and the only files
//! read are the ones a caller names. Each module is usable alone.

pub mod cache;
#[cfg(feature = "encoder")]
pub mod encoder;
pub mod error;
pub mod index;
pub mod kernel;
pub mod ledger;
#[cfg(feature = "encoder")]
mod map;
pub mod request;
pub mod router;
pub mod row;
mod sync;

pub use error::{Error, ErrorKind, Result};
