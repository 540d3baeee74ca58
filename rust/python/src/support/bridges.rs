//! What an event loop watches.

use llmfast_runtime::bridge::Completions;

/// The file descriptor that is readable as long as completions wait; None where loops watch no pipes.
#[cfg(unix)]
pub(crate) fn fileno<T>(completions: &Completions<T>) -> Option<i32> {
    use std::os::fd::{AsFd, AsRawFd};
    Some(completions.as_fd().as_raw_fd())
}

/// The file descriptor that is readable as long as completions wait; None where loops watch no pipes.
#[cfg(not(unix))]
pub(crate) fn fileno<T>(_completions: &Completions<T>) -> Option<i32> {
    None
}
