//! What touches the world on behalf of the core: the clock, the worker thread, and the bridge to event loops.

mod bell;
pub mod bridge;
pub mod clock;
pub mod fork;
mod line;
pub mod lookup;
mod sync;
pub mod worker;
