//! Linearisability: threads record what they did and saw, and a search looks for one order that explains all of it.
//!
//! Wing and Gong, "Testing and verifying concurrent objects" (1993), for each key by itself, which suffices (Herlihy and
//! Wing 1990, locality). A key is a register that may be emptied at any time, since the cache may evict.

use std::collections::HashSet;

use super::*;
use crate::sync::{AtomicU64, Barrier, Ordering};

const KEYS: u64 = 6;
const THREADS: u64 = 3;
/// Operations of a thread between two barriers. All operations of a key in a round must fit into a word of bits.
const OPERATIONS: u64 = 18;
const ROUNDS: u64 = if cfg!(miri) { 4 } else { 3000 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Inserted(u64),
    /// What a removal found.
    Removed(Option<u64>),
    /// What a lookup found.
    Got(Option<u64>),
}

/// An operation on a key, from when to when.
#[derive(Debug, Clone, Copy)]
struct Record {
    key: u64,
    event: Event,
    start: u64,
    end: u64,
}

/// What the register holds after `event`; an error if that cannot happen when it holds `state`.
fn after(state: Option<u64>, event: Event) -> Result<Option<u64>, ()> {
    match event {
        Event::Inserted(value) => Ok(Some(value)),
        Event::Removed(found) if found == state => Ok(None),
        Event::Got(found) if found == state => Ok(state),
        _ => Err(()),
    }
}

/// The states that the register may be in after all of `records`, in any order that respects which ended before which
/// began, from one of `states`. Empty if there is no such order.
fn explain(records: &[Record], states: &HashSet<Option<u64>>) -> HashSet<Option<u64>> {
    assert!(records.len() < 64, "{} operations of a key in a round", records.len());
    let all = (1u64 << records.len()) - 1;
    let mut open: Vec<(u64, Option<u64>)> = states.iter().map(|&state| (0, state)).collect();
    let mut seen: HashSet<_> = open.iter().copied().collect();
    let mut last = HashSet::new();
    while let Some((done, state)) = open.pop() {
        if done == all {
            last.insert(state);
        }
        let waiting = |index: &usize| done & (1 << index) == 0;
        // Nothing may come before what had ended when it began.
        let first_end = (0..records.len()).filter(waiting).map(|index| records[index].end).min().unwrap_or(0);
        let next = (0..records.len()).filter(waiting).filter(|&index| records[index].start <= first_end);
        let steps = next.filter_map(|index| Some((done | (1 << index), after(state, records[index].event).ok()?)));
        // Or the cache evicts.
        for step in steps.chain([(done, None)]) {
            if seen.insert(step) {
                open.push(step);
            }
        }
    }
    last
}

fn check(records: &[Record], states: &mut [HashSet<Option<u64>>]) {
    for key in 0..KEYS {
        let mut of_key: Vec<Record> = records.iter().copied().filter(|record| record.key == key).collect();
        of_key.sort_by_key(|record| record.start);
        let reached = explain(&of_key, &states[key as usize]);
        assert!(!reached.is_empty(), "no order explains {of_key:#?}\nfrom {:?}", states[key as usize]);
        states[key as usize] = reached;
    }
}

fn run(cache: &LruCache<u64, u64>, hash: fn(u64) -> u64) {
    let (time, barrier) = (AtomicU64::new(0), Barrier::new(THREADS as usize));
    let worker = |thread: u64| {
        let mut random = Draws(thread);
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            barrier.wait();
            rounds.push((0..OPERATIONS).map(|_| step(cache, hash, &time, &mut random)).collect::<Vec<_>>());
        }
        rounds
    };
    let histories: Vec<Vec<Vec<Record>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || worker(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut states = vec![HashSet::from([None]); KEYS as usize];
    for round in 0..ROUNDS as usize {
        let records: Vec<Record> = histories.iter().flat_map(|history| history[round].clone()).collect();
        check(&records, &mut states);
    }
}

fn step(cache: &LruCache<u64, u64>, hash: fn(u64) -> u64, time: &AtomicU64, random: &mut Draws) -> Record {
    let draw = random.next();
    let key = draw % KEYS;
    let same = |other: &u64| Some(*other == key);
    let start = time.fetch_add(1, Ordering::SeqCst);
    let event = match draw >> 60 {
        0..5 => {
            let entry = NewEntry { hash: hash(key), key, value: start, weight: 0, time_to_live: None };
            cache.insert(entry, || NOW, same).unwrap();
            Event::Inserted(start)
        }
        5 => Event::Removed(found(&cache.remove_with(hash(key), || NOW, same, |value| *value))),
        _ => Event::Got(found(&cache.get(hash(key), || NOW, same))),
    };
    Record { key, event, start, end: time.fetch_add(1, Ordering::SeqCst) }
}

fn found(lookup: &Lookup<u64, u64>) -> Option<u64> {
    match lookup {
        Lookup::Hit(value) => Some(*value),
        _ => None,
    }
}

fn apart(key: u64) -> u64 {
    mix(key)
}

/// All keys in one set and with one tag.
fn together(key: u64) -> u64 {
    key << 20
}

#[test]
fn histories_are_linearisable_while_entries_are_evicted() {
    for policy in [Policy::Lru, Policy::S3Fifo] {
        for capacity in [3, 5, 100] {
            let cache = LruCache::new(Limits { policy, ..limits(capacity, None) }).unwrap();
            run(&cache, apart);
        }
    }
}

#[test]
fn histories_are_linearisable_in_one_crowded_set() {
    run(&LruCache::new(limits(4, None)).unwrap(), together);
}

#[test]
fn the_search_finds_what_is_wrong() {
    let record = |event, start, end| Record { key: 0, event, start, end };
    let explained = |records: &[Record]| !explain(records, &HashSet::from([None])).is_empty();
    let insert = record(Event::Inserted(7), 0, 1);
    assert!(explained(&[insert, record(Event::Got(Some(7)), 2, 3)]));
    assert!(explained(&[insert, record(Event::Got(None), 2, 3)]), "evicted");
    assert!(explained(&[record(Event::Inserted(7), 0, 5), record(Event::Got(Some(7)), 2, 3)]), "they overlap");
    assert!(!explained(&[record(Event::Got(Some(7)), 0, 1), record(Event::Inserted(7), 2, 3)]), "from the future");
    let back = [insert, record(Event::Got(None), 2, 3), record(Event::Got(Some(7)), 4, 5)];
    assert!(!explained(&back), "it came back");
    let old = [insert, record(Event::Inserted(8), 2, 3), record(Event::Got(Some(7)), 4, 5)];
    assert!(!explained(&old), "it was replaced");
    let twice = [insert, record(Event::Removed(Some(7)), 2, 3), record(Event::Removed(Some(7)), 4, 5)];
    assert!(!explained(&twice), "it was removed twice");
}
