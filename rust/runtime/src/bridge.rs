//! The bridge to event loops: a queue of completions for each loop, and a bell that wakes it.
//!
//! Rung under the queue's lock, on one processor, the loop ran at once in the worker's place, met the lock, and two
//! more changes of threads followed: 21 µs of each hit.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::{mem, process};

use crate::bell::Bell;
use crate::sync::lock;

/// The completions that one event loop has to deliver.
///
/// Its bell is rung after the first one has come, and hushed when the last one is taken, so that a loop that leaves some
/// for its next turn is woken again. Who sends rings when it has let go of the queue: the loop that it wakes may run at
/// once in its place, on the same processor, and would only wait for the queue. So a loop that is awake for other reasons
/// may take a completion whose ring is still to come; that wakes it for nothing, and is hushed then.
///
/// **Concurrency:** any thread sends, one takes. **Cost:** a file descriptor, two where there is no `eventfd`; a system
/// call for the first completion and one for the last. A forked child must not use its parent's: they would share the
/// bell and not the queue.
#[derive(Debug)]
pub struct Completions<T> {
    queue: Arc<Queue<T>>,
    process: u32,
}

/// Where a completion is sent to. It keeps the queue and its bell, not the loop.
#[derive(Debug)]
pub struct Outbox<T>(Arc<Queue<T>>);

#[derive(Debug)]
struct Queue<T> {
    done: Mutex<VecDeque<T>>,
    bell: Bell,
}

impl<T> Completions<T> {
    /// An empty queue.
    ///
    /// # Errors
    ///
    /// Those of the system, which has no more file descriptors to give.
    pub fn new() -> io::Result<Self> {
        let queue = Queue { done: Mutex::default(), bell: Bell::new()? };
        Ok(Self { queue: Arc::new(queue), process: process::id() })
    }

    /// Where others send to.
    pub fn outbox(&self) -> Outbox<T> {
        Outbox(Arc::clone(&self.queue))
    }

    /// Completions that wait.
    pub fn len(&self) -> usize {
        lock(&self.queue.done).len()
    }

    /// Whether no completion waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The oldest completion that waits, and whether more do. Never blocks.
    pub fn take(&self) -> Option<(T, bool)> {
        self.take_in(process::id)
    }

    fn take_in(&self, process: impl Fn() -> u32) -> Option<(T, bool)> {
        let mut done = lock(&self.queue.done);
        let taken = done.pop_front();
        let more = !done.is_empty();
        // A forked child that runs its parent's loop on is woken with it, and must not hush what rings for the parent.
        if !more && process() == self.process {
            // Under the lock: what comes later finds the queue empty, and rings after this.
            self.queue.bell.hush();
        }
        taken.map(|taken| (taken, more))
    }
}

impl<T> Drop for Completions<T> {
    fn drop(&mut self) {
        if self.process != process::id() {
            // A parent's thread may have been writing to it at the moment of the fork.
            mem::forget(Arc::clone(&self.queue));
        }
    }
}

#[cfg(unix)]
impl<T> std::os::fd::AsFd for Completions<T> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.queue.bell.as_fd()
    }
}

impl<T> Outbox<T> {
    /// Sends completions, all of them with one wake, or with none when the loop has yet to see an earlier one.
    pub fn send(&self, completions: impl IntoIterator<Item = T>) {
        if self.0.put(completions) {
            self.0.bell.ring();
        }
    }

    /// Whether both lead to the same loop.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Queue<T> {
    /// Puts completions in; whether they are the first ones.
    fn put(&self, completions: impl IntoIterator<Item = T>) -> bool {
        let mut done = lock(&self.done);
        let was_empty = done.is_empty();
        done.extend(completions);
        was_empty && !done.is_empty()
    }
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::bell::tests::{NOW, is_ringing};

    fn rings<T>(completions: &Completions<T>) -> bool {
        is_ringing(completions.as_fd(), NOW)
    }

    #[test]
    fn completions_come_in_the_order_of_sending() {
        let completions = Completions::new().unwrap();
        assert!(!rings(&completions));
        completions.outbox().send([1, 2]);
        completions.outbox().send([3]);
        let taken: Vec<_> = std::iter::from_fn(|| completions.take()).collect();
        assert_eq!(taken, [(1, true), (2, true), (3, false)]);
        assert!(completions.is_empty());
        assert!(!rings(&completions));
    }

    #[test]
    fn none_wakes_nobody() {
        let completions = Completions::<u8>::new().unwrap();
        completions.outbox().send([]);
        assert!(!rings(&completions));
        assert_eq!(completions.take(), None);
    }

    #[test]
    fn what_is_left_for_later_keeps_the_loop_awake() {
        let completions = Completions::new().unwrap();
        completions.outbox().send([1, 2]);
        assert_eq!(completions.take(), Some((1, true)));
        assert!(rings(&completions));
    }

    #[test]
    fn the_next_one_after_the_last_wakes_again() {
        let completions = Completions::new().unwrap();
        for number in 0..10_000 {
            completions.outbox().send([number]);
            assert!(rings(&completions));
            assert_eq!(completions.take(), Some((number, false)));
            assert!(!rings(&completions));
        }
    }

    #[test]
    fn a_ring_that_comes_late_is_hushed_and_hides_none() {
        let completions = Completions::new().unwrap();
        let queue = &completions.queue;
        // Two senders that have not rung yet when all that they sent is taken.
        assert!(queue.put([1]));
        assert_eq!(completions.take(), Some((1, false)));
        assert!(queue.put([2]));
        assert!(!queue.put([3]), "the second one rings for this");
        queue.bell.ring();
        assert_eq!(completions.take(), Some((2, true)));
        assert_eq!(completions.take(), Some((3, false)));
        queue.bell.ring();
        assert!(rings(&completions));
        assert_eq!(completions.take(), None);
        assert!(!rings(&completions));
    }

    #[test]
    fn a_forked_child_leaves_its_parent_awake() {
        let completions = Completions::new().unwrap();
        completions.outbox().send([1]);
        let child = process::id() + 1;
        // Its copy of the queue was empty.
        let copy = Completions { queue: Arc::clone(&completions.queue), process: completions.process };
        let parents = mem::take(&mut *lock(&copy.queue.done));
        assert_eq!(copy.take_in(|| child), None);
        assert!(rings(&completions));
        *lock(&completions.queue.done) = parents;
        assert_eq!(completions.take(), Some((1, false)));
        assert!(!rings(&completions));
    }

    #[test]
    fn many_threads_send_and_a_loop_that_sleeps_misses_none() {
        let completions = Completions::new().unwrap();
        let mut taken = 0;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let outbox = completions.outbox();
                scope.spawn(move || (0..10_000).for_each(|number| outbox.send([number])));
            }
            while taken < 40_000 {
                // Looks only when it is woken, and not at all that is there.
                assert!(is_ringing(completions.as_fd(), None));
                taken += (0..3).map_while(|_| completions.take()).count();
            }
        });
        completions.take();
        assert!(!rings(&completions));
    }

    #[test]
    fn a_loop_that_is_gone_is_sent_to_in_vain() {
        let completions = Completions::new().unwrap();
        let outbox = completions.outbox();
        drop(completions);
        outbox.send([1]);
        assert!(outbox.is(&outbox.clone()));
        assert!(!outbox.is(&Completions::new().unwrap().outbox()));
    }
}
