//! The bridge to event loops: a queue of completions for each loop, and a pipe that wakes it.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::{Arc, Mutex};
use std::{mem, process};

use crate::sync::lock;

/// The completions that one event loop has to deliver.
///
/// The reading end of its pipe is readable exactly as long as completions wait: a byte goes in with the first one and
/// comes out with the last one, both under the queue's lock. So there is one byte at most, neither end ever blocks, and
/// a loop that leaves some for its next turn is woken again.
///
/// **Concurrency:** any thread sends, one takes. **Cost:** two file descriptors; a system call for the first completion
/// and one for the last. A forked child must not use its parent's: they would share the pipe and not the queue.
#[derive(Debug)]
pub struct Completions<T> {
    queue: Arc<Queue<T>>,
    wake: PipeReader,
    process: u32,
}

/// Where a completion is sent to. It keeps the queue and the writing end, not the loop.
#[derive(Debug)]
pub struct Outbox<T>(Arc<Queue<T>>);

#[derive(Debug)]
struct Queue<T> {
    done: Mutex<VecDeque<T>>,
    wake: PipeWriter,
}

impl<T> Completions<T> {
    /// An empty queue.
    ///
    /// # Errors
    ///
    /// Those of the system, which has no more file descriptors to give.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        Ok(Self {
            queue: Arc::new(Queue { done: Mutex::default(), wake: writer }),
            wake: reader,
            process: process::id(),
        })
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

    /// The oldest completion that waits. Never blocks.
    ///
    /// # Errors
    ///
    /// Those of reading from a pipe.
    pub fn take(&self) -> io::Result<Option<T>> {
        let mut done = lock(&self.queue.done);
        let taken = done.pop_front();
        if taken.is_some() && done.is_empty() {
            (&self.wake).read_exact(&mut [0])?;
        }
        Ok(taken)
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
        self.wake.as_fd()
    }
}

impl<T> Outbox<T> {
    /// Sends completions, all of them with one wake, or with none when the loop has yet to see an earlier one.
    pub fn send(&self, completions: impl IntoIterator<Item = T>) {
        let mut done = lock(&self.0.done);
        let was_empty = done.is_empty();
        done.extend(completions);
        if was_empty && !done.is_empty() {
            // It can only fail when the reading end is gone, and with it whoever waited.
            let _ = (&self.0.wake).write_all(&[1]);
        }
    }

    /// Whether both lead to the same loop.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes in the pipe, once nobody can write to it any more.
    fn wakes<T>(completions: Completions<T>) -> usize {
        let mut wake = completions.wake.try_clone().unwrap();
        drop(completions);
        wake.read_to_end(&mut Vec::new()).unwrap()
    }

    #[test]
    fn completions_come_in_the_order_of_sending() {
        let completions = Completions::new().unwrap();
        completions.outbox().send([1, 2]);
        completions.outbox().send([3]);
        let taken: Vec<_> = std::iter::from_fn(|| completions.take().unwrap()).collect();
        assert_eq!(taken, [1, 2, 3]);
        assert!(completions.is_empty());
        assert_eq!(wakes(completions), 0);
    }

    #[test]
    fn any_number_of_completions_wakes_once() {
        let completions = Completions::new().unwrap();
        completions.outbox().send(0..1000);
        completions.outbox().send([1000]);
        assert_eq!(wakes(completions), 1);
    }

    #[test]
    fn none_wakes_nobody() {
        let completions = Completions::<u8>::new().unwrap();
        completions.outbox().send([]);
        assert_eq!(wakes(completions), 0);
    }

    #[test]
    fn what_is_left_for_later_keeps_the_loop_awake() {
        let completions = Completions::new().unwrap();
        completions.outbox().send([1, 2]);
        assert_eq!(completions.take().unwrap(), Some(1));
        assert_eq!(wakes(completions), 1);
    }

    #[test]
    fn the_next_one_after_the_last_wakes_again() {
        let completions = Completions::new().unwrap();
        for number in 0..10_000 {
            completions.outbox().send([number]);
            assert_eq!(completions.take().unwrap(), Some(number));
            assert_eq!(completions.take().unwrap(), None);
        }
        completions.outbox().send([0]);
        assert_eq!(wakes(completions), 1);
    }

    #[test]
    fn many_threads_send_and_nothing_is_lost() {
        let completions = Completions::new().unwrap();
        let mut taken = 0;
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let outbox = completions.outbox();
                scope.spawn(move || (0..1000).for_each(|number| outbox.send([number])));
            }
            while taken < 4000 {
                taken += usize::from(completions.take().unwrap().is_some());
            }
        });
        assert_eq!(wakes(completions), 0);
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
