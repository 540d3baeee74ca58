//! What touches the world on behalf of the core: for now, the clock.

pub mod clock;
