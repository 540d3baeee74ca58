//! How many searches may be in graphs at a time.

use std::thread::available_parallelism;

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock, try_lock};

/// A graph has working memory for so many searches and fails the next one, so that one waits here instead.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Box<[Mutex<()>]>,
    next: AtomicU64,
}

impl Lanes {
    pub(super) fn new(count: usize) -> Self {
        Self { lanes: (0..count).map(|_| Mutex::new(())).collect(), next: AtomicU64::new(0) }
    }

    /// A lane of one's own, when there is one.
    pub(super) fn enter(&self) -> MutexGuard<'_, ()> {
        let count = self.lanes.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed) as usize % count;
        let free = (first..first + count).find_map(|lane| try_lock(&self.lanes[lane % count]));
        free.unwrap_or_else(|| lock(&self.lanes[first]))
    }
}

/// More searches at a time than processors would only wait for each other.
pub(super) fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}
