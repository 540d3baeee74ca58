//! What an entry costs beside its key and value, as the system accounts for it.

use std::env;
use std::mem::size_of;
use std::process::Command;

use llmfast_core::cache::Policy;

use crate::OURS_S3;
use crate::load::fill;
use crate::peers::Ours;

/// The option that makes this program a child of itself: `--memory NAME CAPACITY`.
pub const CHILD: &str = "--memory";

/// Bytes per entry beside key and value; None where there is no Linux to ask. Measured in a process of its own: in this one, what another cache left for later may be freed meanwhile.
pub fn per_entry(name: &str, capacity: usize) -> Option<f64> {
    let done = Command::new(env::current_exe().ok()?).args([CHILD, name, &capacity.to_string()]).output().ok()?;
    String::from_utf8(done.stdout).ok()?.trim().parse().ok()
}

/// What the child does: measures and prints.
pub fn child(name: &str, capacity: usize) {
    let policy = if name == OURS_S3 { Policy::S3Fifo } else { Policy::Lru };
    if let Some(bytes) = measure(policy, capacity) {
        println!("{bytes}");
    }
}

/// Twice as many keys are inserted as there is room for, so that what eviction keeps (a queue of ghosts, garbage not yet
/// freed) counts as well.
fn measure(policy: Policy, capacity: usize) -> Option<f64> {
    let before = bytes_in_use()?;
    let cache = Ours::new(capacity, policy);
    fill(&cache, 2 * capacity as u64);
    let after = bytes_in_use()?;
    Some((after - before) / cache.len() as f64 - 2.0 * size_of::<u64>() as f64)
}

/// Bytes of this process that lie in memory (the resident set), whatever they are for: what the allocator adds, keeps and
/// cannot use counts, and so do the unused parts of huge pages.
pub fn bytes_in_use() -> Option<f64> {
    const PAGE: f64 = 4096.0;
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<f64>().ok()? * PAGE)
}
