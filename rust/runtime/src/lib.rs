//! What touches the world on behalf of the core: for now, the clocks.

pub mod clock;
