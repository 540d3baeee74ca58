//! The only place that reads a clock.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time since the first call in this process. Never goes back.
#[allow(clippy::disallowed_methods)]
pub fn monotonic() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_does_not_go_back() {
        let first = monotonic();
        assert!(monotonic() >= first);
    }
}
