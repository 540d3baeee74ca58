//! What an event loop watches.

use llmfast_runtime::bridge::Completions;

/// The file descriptor that is readable when completions wait, and now and then when none do; None where loops watch none.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "elsewhere there is none"))]
pub(crate) fn fileno<T>(completions: &Completions<T>) -> Option<i32> {
    #[cfg(unix)]
    {
        use std::os::fd::{AsFd, AsRawFd};
        Some(completions.as_fd().as_raw_fd())
    }
    #[cfg(not(unix))]
    {
        let _ = completions;
        None
    }
}
