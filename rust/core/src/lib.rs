//! Pure algorithms of llmfast.
//!
//! Nothing here knows Python, the network, a clock or a task: time is an argument, randomness a seed, and the only files
//! read are the ones a caller names. Each module is usable alone.

#[cfg(not(loom))]
pub mod batch;
pub mod cache;
#[cfg(feature = "encoder")]
#[cfg(not(loom))]
pub mod encoder;
pub mod error;
#[cfg(not(loom))]
pub mod flight;
#[cfg(not(loom))]
pub mod index;
#[cfg(not(loom))]
pub mod kernel;
#[cfg(not(loom))]
pub mod ledger;
#[cfg(not(loom))]
mod map;
#[cfg(not(loom))]
pub mod request;
#[cfg(not(loom))]
pub mod router;
#[cfg(not(loom))]
pub mod row;
#[cfg(not(loom))]
pub mod semantic;
mod sync;

pub use error::{Error, ErrorKind, Result};
