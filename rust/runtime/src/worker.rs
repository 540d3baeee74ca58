//! The thread that looks questions up.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use std::{fmt, mem, process, thread};

use crate::bridge::Outbox;
use crate::clock::monotonic;
use crate::line::{Job, Line, Turn};
use crate::lookup::{Failure, Lookup, Outcome, answer};
use crate::sync::lock;

/// Lookups that may wait for one worker.
pub const MOST_WAITING: usize = 4096;

/// Names a lookup, in the whole process.
pub type Ticket = u64;

/// What a loop gets for a lookup.
pub type Completion = (Ticket, Outcome);

/// One thread that looks questions up, and sends what it finds to the loop that asked.
///
/// The thread starts with the first lookup and ends when the worker is dropped, which does not wait for it; lookups that
/// wait then fail. A forked child gets a thread of its own, and what its parent asked dies with the child's copy.
///
/// The thread encodes one text at a time. With it go those of the oldest 32 that ask the same, and before it 32 at most whose
/// vector is known. A text's share of a small batch takes 0.77 to 1.1 of the time of the text alone (AVX2, AVX-512, AMX):
/// whoever is first would wait for the last for next to nothing.
///
/// **Waiting is bounded by time**, since whoever asks has a call to make. What cannot be expected to be begun in time is
/// refused when it comes, by how long the last batches took; that may be wrong. So the thread looks at all that wait before
/// each batch, and what has waited for too long is not begun but answered at once: it is held up for its time and one batch
/// at most.
///
/// **Concurrency:** any thread asks and cancels; both hold a lock for some hundred nanoseconds and never wait for work.
#[derive(Debug)]
pub struct Worker {
    started: Mutex<Option<Started>>,
    clock: Clock,
}

/// Time since some moment; never goes back.
type Clock = fn() -> Duration;

#[derive(Debug)]
struct Started {
    process: u32,
    queue: Arc<Queue>,
}

/// What worker and thread share.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    line: Line,
    closed: bool,
}

/// Why a lookup was not taken.
#[derive(Debug)]
pub enum Refused {
    /// Too many wait.
    Full,
    /// It could hardly be begun in time.
    Busy,
    /// The system gave no thread.
    NoThread(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => {
                write!(f, "{MOST_WAITING} lookups wait for the encoder: ask less at a time, or share the load")
            }
            Self::Busy => Failure::Late.fmt(f),
            Self::NoThread(error) => write!(f, "the system gives no thread to encode on: {error}"),
        }
    }
}

impl std::error::Error for Refused {}

impl Worker {
    /// A worker that has no thread yet.
    pub fn new() -> Self {
        Self::with_clock(monotonic)
    }

    fn with_clock(clock: Clock) -> Self {
        Self { started: Mutex::default(), clock }
    }

    /// Has `lookup` done, and what comes of it sent to `outbox`. Returns what it is called there.
    ///
    /// What is not begun within `max_wait` fails with [`Failure::Late`]; None: it waits for as long as it takes.
    ///
    /// # Errors
    ///
    /// `Full` when [`MOST_WAITING`] wait already, `Busy` when it would hardly be begun within `max_wait`, `NoThread` when
    /// the system gives none.
    pub fn submit(
        &self,
        lookup: Lookup,
        max_wait: Option<Duration>,
        outbox: Outbox<Completion>,
    ) -> Result<Ticket, Refused> {
        self.submit_in(process::id(), lookup, max_wait, outbox)
    }

    fn submit_in(
        &self,
        process: u32,
        lookup: Lookup,
        max_wait: Option<Duration>,
        outbox: Outbox<Completion>,
    ) -> Result<Ticket, Refused> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let queue = self.queue(process)?;
        let begin_by = max_wait.and_then(|wait| (self.clock)().checked_add(wait));
        // Tickets of one worker grow with its lookups, since both happen under its lock.
        let mut state = lock(&queue.state);
        state.line.admit(&lookup, max_wait)?;
        let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
        state.line.put(ticket, Job { lookup, outbox, begin_by });
        drop(state);
        queue.changed.notify_one();
        Ok(ticket)
    }

    /// Forgets a lookup whose turn has not come; false when it has.
    pub fn cancel(&self, ticket: Ticket) -> bool {
        self.cancel_in(process::id(), ticket)
    }

    fn cancel_in(&self, process: u32, ticket: Ticket) -> bool {
        let started = lock(&self.started);
        let here = started.as_ref().filter(|started| started.process == process);
        here.is_some_and(|started| lock(&started.queue.state).line.remove(ticket))
    }

    /// The queue of the thread in `process`, started if there is none.
    fn queue(&self, process: u32) -> Result<Arc<Queue>, Refused> {
        let mut started = lock(&self.started);
        if let Some(started) = started.as_ref().filter(|started| started.process == process) {
            return Ok(Arc::clone(&started.queue));
        }
        let queue = Arc::new(Queue::default());
        let (shared, clock) = (Arc::clone(&queue), self.clock);
        let run = move || shared.run(clock);
        thread::Builder::new().name("llmfast".into()).spawn(run).map_err(Refused::NoThread)?;
        // What a parent's thread may have been writing to at the moment of the fork is not even dropped.
        mem::forget(started.replace(Started { process, queue: Arc::clone(&queue) }));
        Ok(queue)
    }

    fn end_in(&self, process: u32) {
        match lock(&self.started).take() {
            Some(started) if started.process == process => started.queue.close(),
            other => mem::forget(other),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end_in(process::id());
    }
}

impl Queue {
    fn run(&self, clock: Clock) {
        while let Some(Turn { late, batch }) = self.next(clock) {
            deliver(failed(late, &Failure::Late));
            let (texts, began) = (batch.iter().filter(|(_, job)| job.lookup.vector.is_none()).count(), clock());
            work(batch);
            lock(&self.state).line.note(clock().saturating_sub(began), texts);
        }
    }

    /// Waits for something to do; None once the worker is gone.
    fn next(&self, clock: Clock) -> Option<Turn> {
        let idle = |state: &mut State| state.line.is_empty() && !state.closed;
        let state = self.changed.wait_while(lock(&self.state), idle);
        let mut state = state.unwrap_or_else(std::sync::PoisonError::into_inner);
        (!state.closed).then(|| state.line.next(clock()))
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let waiting = state.line.drain();
        drop(state);
        self.changed.notify_one();
        deliver(failed(waiting, &Failure::Dropped));
    }
}

/// What tells of lookups that nothing is done for.
fn failed(jobs: impl IntoIterator<Item = (Ticket, Job)>, why: &Failure) -> Vec<(Outbox<Completion>, Completion)> {
    jobs.into_iter().map(|(ticket, job)| (job.outbox, (ticket, Err(why.clone())))).collect()
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// Does a batch: first what needs no encoding, so that it does not wait for the rest.
fn work(batch: Vec<(Ticket, Job)>) {
    let (known, unknown): (Vec<_>, Vec<_>) = batch.into_iter().partition(|(_, job)| job.lookup.vector.is_some());
    for part in [known, unknown] {
        let (to, lookups): (Vec<_>, Vec<_>) =
            part.into_iter().map(|(ticket, job)| ((ticket, job.outbox), job.lookup)).unzip();
        let outcomes = answer(&lookups);
        deliver(to.into_iter().zip(outcomes).map(|((ticket, outbox), outcome)| (outbox, (ticket, outcome))).collect());
    }
}

/// Sends each loop what is its own, with one wake.
fn deliver(mut completions: Vec<(Outbox<Completion>, Completion)>) {
    while let Some((outbox, _)) = completions.first() {
        let outbox = outbox.clone();
        let (its, others) = completions.into_iter().partition::<Vec<_>, _>(|(to, _)| to.is(&outbox));
        outbox.send(its.into_iter().map(|(_, completion)| completion));
        completions = others;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use llmfast_core::Error;

    use super::*;
    use crate::bridge::Completions;
    use crate::lookup::Encode;
    use crate::lookup::tests::{Lengths, lookup, told};

    /// An encoder that says when it has begun, and goes on when it is told to.
    struct Gate {
        begun: Sender<()>,
        go_on: Mutex<Receiver<()>>,
    }

    impl Encode for Gate {
        fn encode(&self, _text: &str) -> Result<Result<Vec<f32>, String>, Error> {
            self.begun.send(()).unwrap();
            lock(&self.go_on).recv().unwrap();
            Ok(Ok(vec![1.0; 2]))
        }
    }

    /// A worker that is held up in a lookup, with the ends that say so and let it go on.
    struct Held {
        worker: Worker,
        completions: Completions<Completion>,
        go_on: Sender<()>,
        begun: Receiver<()>,
        gate: Weak<Gate>,
    }

    fn held() -> Held {
        held_at(monotonic)
    }

    fn held_at(clock: Clock) -> Held {
        let ((begun, has_begun), (go_on, may_go_on)) = (channel(), channel());
        let gate = Arc::new(Gate { begun, go_on: Mutex::new(may_go_on) });
        let (worker, completions) = (Worker::with_clock(clock), Completions::new().unwrap());
        let watched = Arc::downgrade(&gate);
        let first = Lookup { encoder: gate, ..lookup(&Arc::default(), "held") };
        worker.submit(first, None, completions.outbox()).unwrap();
        has_begun.recv().unwrap();
        Held { worker, completions, go_on, begun: has_begun, gate: watched }
    }

    fn next(completions: &Completions<Completion>) -> (Ticket, String) {
        loop {
            if let Some(((ticket, outcome), _)) = completions.take() {
                return (ticket, told(&outcome));
            }
            thread::yield_now();
        }
    }

    #[test]
    fn a_lookup_comes_back_to_the_loop_that_asked() {
        let (worker, encoder) = (Worker::new(), Arc::default());
        let loops = [Completions::new().unwrap(), Completions::new().unwrap()];
        let tickets = ["a", "bb"]
            .map(|text| worker.submit(lookup(&encoder, text), None, loops[text.len() - 1].outbox()).unwrap());
        assert_eq!(next(&loops[1]), (tickets[1], "2".into()));
        assert_eq!(next(&loops[0]), (tickets[0], "1".into()));
    }

    #[test]
    fn a_panic_fails_its_lookup_and_the_thread_lives_on() {
        let (worker, encoder, completions) = (Worker::new(), Arc::default(), Completions::new().unwrap());
        worker.submit(lookup(&encoder, "panic"), None, completions.outbox()).unwrap();
        assert!(next(&completions).1.contains("panicked"));
        worker.submit(lookup(&encoder, "a"), None, completions.outbox()).unwrap();
        assert_eq!(next(&completions).1, "1");
    }

    #[test]
    fn what_is_cancelled_before_its_turn_is_never_encoded() {
        let (held, encoder) = (held(), Arc::default());
        let tickets =
            ["a", "bb"].map(|t| held.worker.submit(lookup(&encoder, t), None, held.completions.outbox()).unwrap());
        assert!(held.worker.cancel(tickets[0]));
        assert!(!held.worker.cancel(tickets[0]));
        held.go_on.send(()).unwrap();
        next(&held.completions);
        assert_eq!(next(&held.completions), (tickets[1], "2".into()));
        assert!(!held.worker.cancel(tickets[1]));
        assert_eq!(*lock(&encoder.calls), ["bb"]);
    }

    #[test]
    fn what_waits_when_the_worker_goes_fails_and_nobody_waits_for_the_thread() {
        let Held { worker, completions, go_on, begun, gate } = held();
        let encoder = Arc::new(Lengths::default());
        let ticket = worker.submit(lookup(&encoder, "a"), None, completions.outbox()).unwrap();
        drop(worker);
        assert_eq!(next(&completions), (ticket, Failure::Dropped.to_string()));
        go_on.send(()).unwrap();
        assert_eq!(next(&completions).1, "1");
        // The thread was the last one to hold the encoder and with it the sender: it lets go when it ends its work.
        assert!(begun.recv().is_err());
        assert_eq!(gate.strong_count(), 0);
        assert!(lock(&encoder.calls).is_empty());
    }

    #[test]
    fn a_forked_child_gets_its_own_thread_and_forgets_what_its_parent_asked() {
        let Held { worker, completions, go_on, begun: _begun, .. } = held();
        let (encoder, child) = (Arc::default(), process::id() + 1);
        let parents = worker.submit(lookup(&encoder, "a"), None, completions.outbox()).unwrap();
        let own = Completions::new().unwrap();
        assert!(!worker.cancel_in(child, parents));
        let ticket = worker.submit_in(child, lookup(&encoder, "bb"), None, own.outbox()).unwrap();
        assert_eq!(next(&own), (ticket, "2".into()));
        assert!(completions.is_empty());
        worker.end_in(child);
        go_on.send(()).unwrap();
    }

    #[test]
    fn too_many_are_refused() {
        let (held, encoder) = (held(), Arc::default());
        let submit = || held.worker.submit(lookup(&encoder, "a"), None, held.completions.outbox());
        let tickets: Vec<_> = (0..MOST_WAITING).map(|_| submit().unwrap()).collect();
        assert!(submit().unwrap_err().to_string().starts_with("4096 lookups wait"));
        assert!(held.worker.cancel(tickets[0]));
        assert!(submit().is_ok());
        held.go_on.send(()).unwrap();
    }

    #[test]
    fn what_waited_for_too_long_is_not_encoded() {
        static NOW: AtomicU64 = AtomicU64::new(0);
        let held = held_at(|| Duration::from_millis(NOW.load(Ordering::SeqCst)));
        let encoder = Arc::default();
        let submit = |text, ms: Option<u64>| {
            held.worker.submit(lookup(&encoder, text), ms.map(Duration::from_millis), held.completions.outbox())
        };
        let tickets = [("a", Some(10)), ("bb", Some(30)), ("ccc", None)].map(|(text, ms)| submit(text, ms).unwrap());
        NOW.store(20, Ordering::SeqCst);
        held.go_on.send(()).unwrap();
        next(&held.completions);
        assert_eq!(next(&held.completions), (tickets[0], Failure::Late.to_string()));
        assert_eq!(next(&held.completions), (tickets[1], "2".into()));
        assert_eq!(next(&held.completions), (tickets[2], "3".into()));
        assert_eq!(*lock(&encoder.calls), ["bb", "ccc"]);
    }

    #[test]
    fn what_would_wait_for_too_long_is_refused_at_once() {
        static NOW: AtomicU64 = AtomicU64::new(0);
        let held = held_at(|| Duration::from_millis(NOW.load(Ordering::SeqCst)));
        let (encoder, wait) = (Arc::default(), |ms| Some(Duration::from_millis(ms)));
        // It is held by the lookup alone, which ends.
        let again = Lookup { encoder: held.gate.upgrade().unwrap(), ..lookup(&encoder, "again") };
        NOW.store(100, Ordering::SeqCst);
        held.go_on.send(()).unwrap();
        next(&held.completions);
        // This one is held up as well; that it has begun says that the time of the first was noted.
        held.worker.submit(again, None, held.completions.outbox()).unwrap();
        held.begun.recv().unwrap();
        let submit = |text, max_wait| held.worker.submit(lookup(&encoder, text), max_wait, held.completions.outbox());
        for text in ["a", "bb"] {
            submit(text, wait(100)).unwrap();
        }
        assert_eq!(submit("ccc", wait(199)).unwrap_err().to_string(), Failure::Late.to_string());
        submit("ccc", wait(200)).unwrap();
        held.go_on.send(()).unwrap();
    }

    #[test]
    fn a_batch_wakes_each_loop_once() {
        let (encoder, loops) = (Arc::default(), [Completions::new().unwrap(), Completions::new().unwrap()]);
        let job =
            |at: u64| Job { lookup: lookup(&encoder, "a"), outbox: loops[at as usize % 2].outbox(), begin_by: None };
        work((0..6).map(|at| (at, job(at))).collect());
        assert_eq!(loops.each_ref().map(Completions::len), [3, 3]);
        assert_eq!([0, 2, 4].map(|_| next(&loops[0]).0), [0, 2, 4]);
    }
}
