//! Waiting until readers that may see something have gone, without readers waiting for anybody.
//!
//! Each thread has a counter that is odd while the thread reads. Who has made something unreachable looks at all counters
//! once and may destroy it when each of those that were odd has changed: a grace period of user-space read-copy-update
//! (Desnoyers, `McKenney`, Stern, Dagenais and Walpole, "User-level implementations of read-copy update", 2012). To begin to
//! read is one atomic step on the thread's own cache line; nothing is allocated, and nobody runs anybody else's clean-up.

use std::cell::Cell;
use std::marker::PhantomData;

use super::{AtomicBool, AtomicU64, OnceLock, Ordering, fence};

/// What there is of a thread that reads. It is never freed: threads to come get it.
///
/// On cache lines of its own; two, since processors fetch neighbours too.
#[repr(align(128))]
struct Reader {
    /// Odd while the thread reads. Only that thread writes it.
    turn: AtomicU64,
    /// Whether a thread has it.
    taken: AtomicBool,
    number: usize,
    next: OnceLock<&'static Reader>,
}

static FIRST: OnceLock<&'static Reader> = OnceLock::new();

thread_local! {
    static MINE: Cell<Option<&'static Reader>> = const { Cell::new(None) };
    static RETURN: Return = const { Return };
}

/// Gives the thread's reader back when the thread ends.
struct Return;

impl Drop for Return {
    fn drop(&mut self) {
        if let Some(reader) = MINE.take() {
            reader.taken.store(false, Ordering::Release);
        }
    }
}

impl Reader {
    /// One that no thread has. The first of them was made for the thread that asked first, and so on.
    fn take() -> &'static Self {
        let mut place = &FIRST;
        loop {
            let mut made = false;
            let reader = *place.get_or_init(|| {
                made = true;
                let number = NUMBERS.fetch_add(1, Ordering::Relaxed) as usize;
                let (turn, taken) = (AtomicU64::new(0), AtomicBool::new(true));
                Box::leak(Box::new(Self { turn, taken, number, next: OnceLock::new() }))
            });
            if made || !reader.taken.swap(true, Ordering::Acquire) {
                return reader;
            }
            place = &reader.next;
        }
    }

    fn all() -> impl Iterator<Item = &'static Self> {
        std::iter::successors(FIRST.get().copied(), |reader| reader.next.get().copied())
    }
}

static NUMBERS: AtomicU64 = AtomicU64::new(0);

fn is_reading(turn: u64) -> bool {
    turn & 1 != 0
}

/// As long as it is held, its thread reads. Guards of a thread are dropped in the reverse order of their making.
pub struct Guard {
    reader: &'static Reader,
    /// What ends with this guard.
    ends: Ends,
    of_this_thread: PhantomData<*const ()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// An outer guard is held.
    Nothing,
    Reading,
    /// The thread is ending, and has no reader any more.
    ReaderToo,
}

/// Begins to read.
#[inline]
pub(crate) fn pin() -> Guard {
    let Some(reader) = MINE.get() else { return pin_first() };
    reader.pin(Ends::Reading)
}

/// A guard that protects nothing. For who holds a lock without which nothing is destroyed.
#[inline]
pub(crate) fn unprotected() -> Guard {
    let Some(reader) = MINE.get() else { return pin_first() };
    Guard { reader, ends: Ends::Nothing, of_this_thread: PhantomData }
}

#[cold]
fn pin_first() -> Guard {
    let reader = Reader::take();
    // This is also what has the thread give it back.
    if RETURN.try_with(|_| MINE.set(Some(reader))).is_ok() {
        reader.pin(Ends::Reading)
    } else {
        reader.pin(Ends::ReaderToo)
    }
}

impl Reader {
    #[inline]
    fn pin(&'static self, ends: Ends) -> Guard {
        let turn = self.turn.load(Ordering::Relaxed);
        if is_reading(turn) {
            return Guard { reader: self, ends: Ends::Nothing, of_this_thread: PhantomData };
        }
        // Before anything is read: either who makes something unreachable and looks at this counter afterwards finds it
        // odd, or what is read from here on is not reachable any more. On x86 a locked instruction is such a fence, and
        // takes half as long as the one that is made for it.
        if cfg!(all(target_arch = "x86_64", not(miri))) {
            self.turn.swap(turn + 1, Ordering::SeqCst);
        } else {
            self.turn.store(turn + 1, Ordering::Release);
            fence(Ordering::SeqCst);
        }
        Guard { reader: self, ends, of_this_thread: PhantomData }
    }
}

impl Guard {
    /// A number of the thread, small if there are few.
    #[inline]
    pub(crate) fn thread(&self) -> usize {
        self.reader.number
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        if self.ends == Ends::Nothing {
            return;
        }
        let turn = self.reader.turn.load(Ordering::Relaxed);
        // What was read was read before.
        self.reader.turn.store(turn + 1, Ordering::Release);
        if self.ends == Ends::ReaderToo {
            self.reader.taken.store(false, Ordering::Release);
        }
    }
}

/// The threads that were reading at some moment, and have not been seen to have stopped since.
#[derive(Default)]
pub(crate) struct Present(Vec<(&'static Reader, u64)>);

impl Present {
    /// Notes who is reading now, this thread included: whoever begins later cannot reach what was made unreachable by now.
    pub(crate) fn note(&mut self) {
        self.0.clear();
        // After what this thread has done, so that who has begun to read and is not seen here sees all of that.
        fence(Ordering::SeqCst);
        let reading = Reader::all().map(|reader| (reader, reader.turn.load(Ordering::Acquire)));
        self.0.extend(reading.filter(|(_, turn)| is_reading(*turn)));
    }

    /// Whether all of them have stopped, be it that they read again.
    pub(crate) fn is_gone(&mut self) -> bool {
        self.0.retain(|(reader, turn)| reader.turn.load(Ordering::Acquire) == *turn);
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present() -> Present {
        let mut present = Present::default();
        present.note();
        present
    }

    /// Whether `present` is gone as soon as other tests' threads have stopped reading too.
    fn goes(present: &mut Present) -> bool {
        (0..1_000_000).any(|_| {
            std::thread::yield_now();
            present.is_gone()
        })
    }

    #[test]
    fn who_reads_is_waited_for_until_the_outermost_guard_is_dropped() {
        let outer = pin();
        let mut seen = present();
        drop(pin());
        assert!(!seen.is_gone());
        drop(outer);
        let again = pin();
        assert!(goes(&mut seen), "it has stopped, though it reads again");
        drop(again);
    }

    #[test]
    fn threads_to_come_get_what_others_leave() {
        let numbers = || std::thread::spawn(|| pin().thread()).join().unwrap();
        let most = (0..200).map(|_| numbers()).max().unwrap();
        assert!(most < 100, "{most} threads never read at the same time");
    }

    #[test]
    fn a_thread_that_is_ending_may_read() {
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                let guard = pin();
                let mut seen = present();
                assert!(!seen.is_gone());
                drop(guard);
                assert!(goes(&mut seen));
            }
        }
        thread_local!(static LATE: Late = const { Late });
        std::thread::spawn(|| {
            LATE.with(|_| ());
            drop(pin());
        })
        .join()
        .unwrap();
    }
}
