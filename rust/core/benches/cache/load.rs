//! What the threads do to a cache for the length of a round.

use std::fs;
use std::hint::black_box;
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::numbers::{Numbers, mix};
use crate::peers::Contender;

/// Stands in a sequence for "insert the next key"; the one rank that mixes to it is far beyond those of any load.
const INSERT: u64 = u64::MAX;
/// Operations between two looks at the clock.
const CHUNK: usize = 1 << 10;
/// Operations of a thread before its sequence begins again: 2 MiB, read in order.
const SEQUENCE: usize = 1 << 18;

/// The operations of every thread, drawn before anything is measured.
pub struct Load {
    sequences: Vec<Vec<u64>>,
    /// Insertions go through keys 0..`space` in a cycle.
    space: u64,
}

impl Load {
    /// Hits on `entries` keys, drawn by Zipf's law.
    pub fn reads(entries: u64, threads: usize) -> Self {
        Self::drawn(entries, threads, |numbers| mix(numbers.skewed(entries)))
    }

    /// 85 lookups, drawn by Zipf's law from `space` keys, to 15 insertions, which go through the same keys in a cycle, each
    /// thread through its share: with a capacity of half the space most of them are new and evict.
    pub fn mixed(space: u64, threads: usize) -> Self {
        Self::drawn(space, threads, |numbers| if numbers.below(100) < 15 { INSERT } else { mix(numbers.skewed(space)) })
    }

    /// Insertions of keys that were never there.
    pub fn inserts() -> Self {
        Self { sequences: vec![vec![INSERT; CHUNK]], space: u64::MAX }
    }

    pub fn threads(&self) -> usize {
        self.sequences.len()
    }

    fn drawn(space: u64, threads: usize, operation: impl Fn(&mut Numbers) -> u64) -> Self {
        let sequence = |thread| {
            let mut numbers = Numbers(thread as u64);
            (0..SEQUENCE).map(|_| operation(&mut numbers)).collect()
        };
        Self { sequences: (0..threads).map(sequence).collect(), space }
    }
}

/// Inserts the first `entries` keys, the most asked for last.
pub fn fill(contender: &impl Contender, entries: u64) {
    for rank in (0..entries).rev() {
        contender.insert(mix(rank), rank);
    }
    contender.settle();
}

/// How far a thread has come in its load; the next round goes on there.
#[derive(Clone, Copy, Default)]
struct Place {
    chunk: usize,
    insertion: u64,
}

/// Where every thread is in its load, for one contender.
pub struct Places(Vec<Mutex<Place>>);

impl Places {
    /// `insertions`: how many keys the contender was filled with.
    pub fn after(insertions: u64, threads: usize) -> Self {
        let place = Place { chunk: 0, insertion: insertions / threads as u64 };
        Self((0..threads).map(|_| Mutex::new(place)).collect())
    }
}

/// What a round came to.
#[derive(Clone, Copy, Default)]
pub struct Round {
    /// Operations per second, summed over the threads.
    pub rate: f64,
    pub lookups: u64,
    pub hits: u64,
    /// How much of the time a thread could have run and no processor was free: what others on this machine took.
    pub queued: f64,
}

/// Lets the threads work for `length` and adds up what they did.
pub fn run<C: Contender>(contender: &C, load: &Load, places: &Places, length: Duration) -> Round {
    let barrier = Barrier::new(load.threads());
    thread::scope(|scope| {
        let start = |thread| {
            let barrier = &barrier;
            scope.spawn(move || work(contender, load, thread, places, barrier, length))
        };
        let workers: Vec<_> = (0..load.threads()).map(start).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).fold(Round::default(), add)
    })
}

fn add(sum: Round, round: Round) -> Round {
    Round {
        rate: sum.rate + round.rate,
        lookups: sum.lookups + round.lookups,
        hits: sum.hits + round.hits,
        queued: sum.queued + round.queued,
    }
}

/// How long this thread has waited for a processor since it began; nothing where the kernel does not say.
fn queued() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').nth(1).and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock; the library does not
fn work<C: Contender>(
    contender: &C,
    load: &Load,
    thread: usize,
    places: &Places,
    barrier: &Barrier,
    length: Duration,
) -> Round {
    let mut place = *places.0[thread].lock().unwrap_or_else(PoisonError::into_inner);
    let chunks: Vec<&[u64]> = load.sequences[thread].chunks_exact(CHUNK).collect();
    let mut round = Round::default();
    let mut operations = 0;
    barrier.wait();
    let queued_before = queued();
    let start = Instant::now();
    let mut elapsed = Duration::ZERO;
    while elapsed < length {
        let chunk = chunks[place.chunk % chunks.len()];
        step(contender, load, thread, chunk, &mut place, &mut round);
        operations += chunk.len();
        place.chunk += 1;
        elapsed = start.elapsed();
    }
    round.rate = operations as f64 / elapsed.as_secs_f64();
    round.queued = queued().saturating_sub(queued_before).as_secs_f64() / elapsed.as_secs_f64() / load.threads() as f64;
    *places.0[thread].lock().unwrap_or_else(PoisonError::into_inner) = place;
    round
}

fn step<C: Contender>(contender: &C, load: &Load, thread: usize, chunk: &[u64], place: &mut Place, round: &mut Round) {
    let threads = load.threads() as u64;
    for &operation in chunk {
        if operation == INSERT {
            let rank = (place.insertion * threads + thread as u64) % load.space;
            contender.insert(mix(rank), rank);
            place.insertion += 1;
        } else {
            round.lookups += 1;
            round.hits += u64::from(black_box(contender.get(operation)).is_some());
        }
    }
}
