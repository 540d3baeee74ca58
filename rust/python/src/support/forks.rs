//! Work without the interpreter that a fork must not come into.

use llmfast_runtime::fork::apart;
use pyo3::prelude::*;

/// Does what takes locks of the core, apart from the interpreter, while nobody forks: the child would have them for ever.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(|| apart(work))
}
