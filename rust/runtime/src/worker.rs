//! The thread that looks questions up.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::{fmt, mem, process, thread};

use crate::bridge::Outbox;
use crate::lookup::{Failure, Lookup, Outcome, answer, asks_the_same};
use crate::sync::lock;

/// Lookups that may wait for one worker.
pub const MOST_WAITING: usize = 4096;
/// Lookups that are looked at for a batch.
const WINDOW: usize = 32;

/// Names a lookup, in the whole process.
pub type Ticket = u64;

/// What a loop gets for a lookup.
pub type Completion = (Ticket, Outcome);

/// One thread that looks questions up, and sends what it finds to the loop that asked.
///
/// The thread starts with the first lookup and ends when the worker is dropped, which does not wait for it; lookups that
/// wait then fail. A forked child gets a thread of its own, and what its parent asked dies with the child's copy.
///
/// The thread encodes one text at a time. With it go, out of the oldest 32 lookups, those that ask the same and those whose
/// vector is known. A text's share of a small batch takes 0.77 to 1.1 of the time of the text alone (AVX2, AVX-512, AMX):
/// whoever is first would wait for the last for next to nothing.
///
/// **Concurrency:** any thread asks and cancels; both hold a lock for some hundred nanoseconds and never wait for work.
#[derive(Debug, Default)]
pub struct Worker {
    started: Mutex<Option<Started>>,
}

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

/// What waits, as data: the thread and its tests decide by it alike.
#[derive(Default)]
struct State {
    waiting: BTreeMap<Ticket, Job>,
    closed: bool,
}

struct Job {
    lookup: Lookup,
    outbox: Outbox<Completion>,
}

/// Why a lookup was not taken.
#[derive(Debug)]
pub enum Refused {
    /// Too many wait.
    Full,
    /// The system gave no thread.
    NoThread(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => {
                write!(f, "{MOST_WAITING} lookups wait for the encoder: ask less at a time, or share the load")
            }
            Self::NoThread(error) => write!(f, "the system gives no thread to encode on: {error}"),
        }
    }
}

impl std::error::Error for Refused {}

impl Worker {
    /// A worker that has no thread yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `lookup` done, and what comes of it sent to `outbox`. Returns what it is called there.
    ///
    /// # Errors
    ///
    /// `Full` when [`MOST_WAITING`] wait already, `NoThread` when the system gives none.
    pub fn submit(&self, lookup: Lookup, outbox: Outbox<Completion>) -> Result<Ticket, Refused> {
        self.submit_in(process::id(), lookup, outbox)
    }

    fn submit_in(&self, process: u32, lookup: Lookup, outbox: Outbox<Completion>) -> Result<Ticket, Refused> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let queue = self.queue(process)?;
        // Tickets of one worker grow with its lookups, since both happen under its lock.
        let mut state = lock(&queue.state);
        if state.waiting.len() >= MOST_WAITING {
            return Err(Refused::Full);
        }
        let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
        state.waiting.insert(ticket, Job { lookup, outbox });
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
        here.is_some_and(|started| lock(&started.queue.state).waiting.remove(&ticket).is_some())
    }

    /// The queue of the thread in `process`, started if there is none.
    fn queue(&self, process: u32) -> Result<Arc<Queue>, Refused> {
        let mut started = lock(&self.started);
        if let Some(started) = started.as_ref().filter(|started| started.process == process) {
            return Ok(Arc::clone(&started.queue));
        }
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        let run = move || shared.run();
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

impl Drop for Worker {
    fn drop(&mut self) {
        self.end_in(process::id());
    }
}

impl Queue {
    fn run(&self) {
        while let Some(batch) = self.next() {
            work(batch);
        }
    }

    /// Waits for a batch; None once the worker is gone.
    fn next(&self) -> Option<Vec<(Ticket, Job)>> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let state = self.changed.wait_while(lock(&self.state), idle);
        let mut state = state.unwrap_or_else(std::sync::PoisonError::into_inner);
        (!state.closed).then(|| state.batch())
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_one();
        let failed = waiting.into_iter().map(|(ticket, job)| (job.outbox, (ticket, Err(Failure::Dropped))));
        deliver(failed.collect());
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl State {
    /// Takes the next batch: a text to encode at most, and what goes with it.
    fn batch(&mut self) -> Vec<(Ticket, Job)> {
        let mut chosen: Option<&Lookup> = None;
        let mut tickets = Vec::new();
        for (ticket, Job { lookup, .. }) in self.waiting.iter().take(WINDOW) {
            if lookup.vector.is_some() || asks_the_same(chosen.get_or_insert(lookup), lookup) {
                tickets.push(*ticket);
            }
        }
        tickets.into_iter().filter_map(|ticket| self.waiting.remove_entry(&ticket)).collect()
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
        let ((begun, has_begun), (go_on, may_go_on)) = (channel(), channel());
        let gate = Arc::new(Gate { begun, go_on: Mutex::new(may_go_on) });
        let (worker, completions) = (Worker::new(), Completions::new().unwrap());
        let watched = Arc::downgrade(&gate);
        let first = Lookup { encoder: gate, ..lookup(&Arc::default(), "held") };
        worker.submit(first, completions.outbox()).unwrap();
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

    fn jobs(lookups: Vec<Lookup>) -> State {
        let completions = Completions::new().unwrap();
        let jobs = lookups.into_iter().map(|lookup| Job { lookup, outbox: completions.outbox() });
        State { waiting: (0..).zip(jobs).collect(), closed: false }
    }

    fn batches(mut state: State) -> Vec<Vec<Ticket>> {
        let tickets = |batch: Vec<(Ticket, Job)>| batch.into_iter().map(|(ticket, _)| ticket).collect();
        std::iter::from_fn(|| Some(state.batch()).filter(|batch| !batch.is_empty()).map(tickets)).collect()
    }

    #[test]
    fn a_lookup_comes_back_to_the_loop_that_asked() {
        let (worker, encoder) = (Worker::new(), Arc::default());
        let loops = [Completions::new().unwrap(), Completions::new().unwrap()];
        let tickets =
            ["a", "bb"].map(|text| worker.submit(lookup(&encoder, text), loops[text.len() - 1].outbox()).unwrap());
        assert_eq!(next(&loops[1]), (tickets[1], "2".into()));
        assert_eq!(next(&loops[0]), (tickets[0], "1".into()));
    }

    #[test]
    fn a_panic_fails_its_lookup_and_the_thread_lives_on() {
        let (worker, encoder, completions) = (Worker::new(), Arc::default(), Completions::new().unwrap());
        worker.submit(lookup(&encoder, "panic"), completions.outbox()).unwrap();
        assert!(next(&completions).1.contains("panicked"));
        worker.submit(lookup(&encoder, "a"), completions.outbox()).unwrap();
        assert_eq!(next(&completions).1, "1");
    }

    #[test]
    fn what_is_cancelled_before_its_turn_is_never_encoded() {
        let (held, encoder) = (held(), Arc::default());
        let tickets = ["a", "bb"].map(|t| held.worker.submit(lookup(&encoder, t), held.completions.outbox()).unwrap());
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
        let ticket = worker.submit(lookup(&encoder, "a"), completions.outbox()).unwrap();
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
        let parents = worker.submit(lookup(&encoder, "a"), completions.outbox()).unwrap();
        let own = Completions::new().unwrap();
        assert!(!worker.cancel_in(child, parents));
        let ticket = worker.submit_in(child, lookup(&encoder, "bb"), own.outbox()).unwrap();
        assert_eq!(next(&own), (ticket, "2".into()));
        assert!(completions.is_empty());
        worker.end_in(child);
        go_on.send(()).unwrap();
    }

    #[test]
    fn too_many_are_refused() {
        let (held, encoder) = (held(), Arc::default());
        let submit = || held.worker.submit(lookup(&encoder, "a"), held.completions.outbox());
        let tickets: Vec<_> = (0..MOST_WAITING).map(|_| submit().unwrap()).collect();
        assert!(submit().unwrap_err().to_string().starts_with("4096 lookups wait"));
        assert!(held.worker.cancel(tickets[0]));
        assert!(submit().is_ok());
        held.go_on.send(()).unwrap();
    }

    #[test]
    fn a_batch_has_one_text_to_encode() {
        let encoder = Arc::default();
        let lookups = ["a", "b", "a", "c", "b", "d"].map(|text| lookup(&encoder, text)).to_vec();
        assert_eq!(batches(jobs(lookups)), [vec![0, 2], vec![1, 4], vec![3], vec![5]]);
    }

    #[test]
    fn a_batch_takes_along_what_needs_no_encoding() {
        let encoder = Arc::default();
        let known = Lookup { vector: Some(Arc::from([1.0, 0.0])), ..lookup(&encoder, "known") };
        let lookups = vec![lookup(&encoder, "a"), lookup(&encoder, "b"), known];
        assert_eq!(batches(jobs(lookups)), [vec![0, 2], vec![1]]);
    }

    #[test]
    fn a_batch_has_one_encoder_and_does_not_look_far() {
        let encoders = [Arc::default(), Arc::default()];
        let mixed = (0..4).map(|at| lookup(&encoders[at % 2], "a")).collect();
        assert_eq!(batches(jobs(mixed)), [vec![0, 2], vec![1, 3]]);
        let many = (0..40).map(|_| lookup(&encoders[0], "a")).collect();
        assert_eq!(batches(jobs(many)).iter().map(Vec::len).collect::<Vec<_>>(), [32, 8]);
    }

    #[test]
    fn a_batch_wakes_each_loop_once() {
        let (encoder, loops) = (Arc::default(), [Completions::new().unwrap(), Completions::new().unwrap()]);
        let job = |at: u64| Job { lookup: lookup(&encoder, "a"), outbox: loops[at as usize % 2].outbox() };
        work((0..6).map(|at| (at, job(at))).collect());
        assert_eq!(loops.each_ref().map(Completions::len), [3, 3]);
        assert_eq!([0, 2, 4].map(|_| next(&loops[0]).0), [0, 2, 4]);
    }
}
