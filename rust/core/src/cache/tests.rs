//! What one thread can see: the oracle is a queue where recency is strict, else a map that may forget.

mod histories;
mod home;
mod threads;

use std::collections::{HashMap, VecDeque};

use proptest::prelude::*;

use super::*;

const NOW: Duration = Duration::ZERO;

fn limits(capacity: usize, max_bytes: Option<u64>) -> Limits {
    Limits { capacity, max_bytes, ..Limits::default() }
}

/// A cache of small numbers whose hash is themselves spread over the word, or, where told so, hardly spread at all.
struct Numbers<T: Threading = Concurrent> {
    cache: LruCache<u16, u32, T>,
    hash: fn(u16) -> u64,
}

/// A number whose every bit depends on every bit of `seed`: `SplitMix64` (Steele, Lea and Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Numbers whose bits all look random.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

fn spread(key: u16) -> u64 {
    mix(u64::from(key))
}

impl<T: Threading> Numbers<T> {
    fn new(limits: Limits) -> Self {
        Self { cache: LruCache::new(limits).unwrap(), hash: spread }
    }

    fn get(&self, key: u16, now: Duration) -> Option<u32> {
        match self.cache.get((self.hash)(key), || now, |other| Some(*other == key)) {
            Lookup::Hit(value) => Some(value),
            _ => None,
        }
    }

    fn peek(&self, key: u16) -> Option<u32> {
        match self.cache.peek_with((self.hash)(key), || NOW, |other| Some(*other == key), |value| *value) {
            Lookup::Hit(value) => Some(value),
            _ => None,
        }
    }

    /// Inserts and returns the keys that had to go; None if the entry was refused.
    fn insert(&self, key: u16, value: u32, weight: u64, lives: Option<Duration>, now: Duration) -> Option<Vec<u16>> {
        let mut gone = Vec::new();
        let entry = NewEntry { hash: (self.hash)(key), key, value, weight, time_to_live: lives };
        let note = |key: &u16, _: &u32| gone.push(*key);
        let accepted = self.cache.insert_noting(entry, || now, |other| Some(*other == key), note);
        accepted.expect("numbers are always decided").then_some(gone)
    }

    fn remove(&self, key: u16) -> Option<u32> {
        match self.cache.remove_with((self.hash)(key), || NOW, |other| Some(*other == key), |value| *value) {
            Lookup::Hit(value) => Some(value),
            _ => None,
        }
    }

    fn items(&self) -> Vec<(u16, u32)> {
        self.cache.snapshot(NOW, |key, value| (*key, *value))
    }
}

/// The oracle of a strict cache: a queue, newest first.
struct Queue {
    entries: VecDeque<(u16, u32, u64)>,
    capacity: usize,
    max_bytes: u64,
}

impl Queue {
    fn position(&self, key: u16) -> Option<usize> {
        self.entries.iter().position(|(other, ..)| *other == key)
    }

    fn get(&mut self, key: u16) -> Option<u32> {
        let entry = self.entries.remove(self.position(key)?)?;
        self.entries.push_front(entry);
        Some(entry.1)
    }

    fn insert(&mut self, key: u16, value: u32, weight: u64) {
        self.remove(key);
        if weight > self.max_bytes {
            return;
        }
        self.entries.push_front((key, value, weight));
        while self.entries.len() > self.capacity || self.bytes() > self.max_bytes {
            self.entries.pop_back();
        }
    }

    fn remove(&mut self, key: u16) -> Option<u32> {
        Some(self.entries.remove(self.position(key)?)?.1)
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|(.., weight)| weight).sum()
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Get(u16),
    Insert(u16, u32, u64),
    Remove(u16),
    Clear,
}

fn operations(keys: u16, longest: usize) -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        80 => (0..keys).prop_map(Operation::Get),
        80 => (0..keys, any::<u32>(), 1..40u64).prop_map(|(key, value, weight)| Operation::Insert(key, value, weight)),
        20 => (0..keys).prop_map(Operation::Remove),
        1 => Just(Operation::Clear),
    ];
    prop::collection::vec(operation, 1..longest)
}

fn behaves_like_a_queue<T: Threading>(capacity: usize, max_bytes: u64, operations: &[Operation]) {
    let cache = Numbers::<T>::new(limits(capacity, Some(max_bytes)));
    let mut queue = Queue { entries: VecDeque::new(), capacity, max_bytes };
    for operation in operations {
        match *operation {
            Operation::Get(key) => assert_eq!(cache.get(key, NOW), queue.get(key)),
            Operation::Insert(key, value, weight) => {
                cache.insert(key, value, weight, None, NOW);
                queue.insert(key, value, weight);
            }
            Operation::Remove(key) => assert_eq!(cache.remove(key), queue.remove(key)),
            Operation::Clear => {
                cache.cache.clear();
                queue.entries.clear();
            }
        }
        assert_eq!(cache.items(), queue.entries.iter().map(|&(key, value, _)| (key, value)).collect::<Vec<_>>());
        let stats = cache.cache.stats();
        assert_eq!((stats.entries as usize, stats.bytes), (queue.entries.len(), queue.bytes()));
    }
}

/// A value that is returned is the last one inserted; what is reported as gone, and nothing else, is gone; the bounds
/// hold; the books agree with the contents.
fn forgets_only_what_it_says<T: Threading>(limits: Limits, hash: fn(u16) -> u64, operations: &[Operation]) {
    let cache = Numbers::<T> { hash, ..Numbers::new(limits) };
    let mut model: HashMap<u16, (u32, u64)> = HashMap::new();
    let (mut hits, mut misses) = (0, 0);
    for operation in operations {
        match *operation {
            Operation::Get(key) => {
                let found = cache.get(key, NOW);
                assert_eq!(found, model.get(&key).map(|(value, _)| *value));
                *(if found.is_some() { &mut hits } else { &mut misses }) += 1;
            }
            Operation::Insert(key, value, weight) => {
                model.insert(key, (value, weight));
                for gone in cache.insert(key, value, weight, None, NOW).unwrap_or_else(|| vec![key]) {
                    assert!(model.remove(&gone).is_some(), "{gone} was not there");
                }
            }
            Operation::Remove(key) => assert_eq!(cache.remove(key), model.remove(&key).map(|(value, _)| value)),
            Operation::Clear => {
                cache.cache.clear();
                model.clear();
            }
        }
        let stats = cache.cache.stats();
        assert!(model.len() <= limits.capacity && limits.max_bytes.is_none_or(|most| stats.bytes <= most));
        assert_eq!(stats.entries as usize, model.len());
        assert_eq!(stats.bytes, model.values().map(|(_, weight)| weight).sum::<u64>());
        assert_eq!((stats.hits, stats.misses), (hits, misses));
    }
    let contents: HashMap<u16, u32> = cache.items().into_iter().collect();
    assert_eq!(contents, model.iter().map(|(key, (value, _))| (*key, *value)).collect());
    assert!(model.keys().all(|key| cache.peek(*key).is_some()));
}

/// Two homes for all keys, so that most entries lie elsewhere and many hashes are equal.
fn crowded(key: u16) -> u64 {
    u64::from(key % 2) | (u64::from(key % 61) << 57)
}

proptest! {
    #[test]
    fn up_to_64_entries_it_is_a_queue(
        capacity in prop_oneof![1..12usize, Just(64)], max_bytes in 20..2000u64, operations in operations(100, 300)
    ) {
        behaves_like_a_queue::<Concurrent>(capacity, max_bytes, &operations);
        behaves_like_a_queue::<Serialized>(capacity, max_bytes, &operations);
    }

    #[test]
    fn at_any_size_it_forgets_only_what_it_says(
        capacity in 1..600usize,
        max_bytes in prop::option::of(20..9000u64),
        policy in prop_oneof![Just(Policy::Lru), Just(Policy::S3Fifo)],
        crowd in any::<bool>(),
        operations in operations(900, 1500),
    ) {
        let limits = Limits { policy, ..limits(capacity, max_bytes) };
        let hash = if crowd { crowded } else { spread };
        forgets_only_what_it_says::<Concurrent>(limits, hash, &operations);
        forgets_only_what_it_says::<Serialized>(limits, hash, &operations);
    }
}

#[test]
fn the_strict_clock_survives_running_out() {
    let cache = Numbers::<Serialized>::new(limits(3, None));
    for key in 0..3 {
        cache.insert(key, 0, 0, None, NOW);
    }
    for round in 0..50_000 {
        cache.get(round % 2, NOW);
        cache.get(2, NOW);
    }
    assert_eq!(cache.items(), [(2, 0), (1, 0), (0, 0)]);
    assert_eq!(cache.insert(3, 0, 0, None, NOW), Some(vec![0]));
}

#[test]
fn the_strict_clock_survives_insertions_alone() {
    let cache = Numbers::<Serialized>::new(limits(4, None));
    for step in 0..200_000 {
        cache.insert((step % 1000) as u16, step, 0, None, NOW);
        cache.get(5000, NOW);
    }
    assert_eq!(cache.items().into_iter().map(|(key, _)| key).collect::<Vec<_>>(), [999, 998, 997, 996]);
}

/// What is inserted into a full cache of which nothing is read displaces the oldest, roughly.
#[test]
fn the_oldest_go_first_whatever_bounds_the_cache() {
    for (capacity, max_bytes) in [(2000, None), (20_000, None), (60_000, Some(2000)), (2000, Some(2000))] {
        let cache = Numbers::<Serialized>::new(limits(capacity, max_bytes));
        let full = max_bytes.map_or(capacity, |most| most as usize) as u16;
        for fill in 0..4 {
            for key in 0..full {
                cache.insert(key + fill * full / 4, 1, 1, None, NOW);
            }
        }
        let before: Vec<u16> = cache.items().into_iter().map(|(key, _)| key).collect();
        (0..full / 4).for_each(|key| _ = cache.insert(60_000 + key % 5000, 1, 1, None, NOW));
        let kept =
            |keys: &[u16]| keys.iter().filter(|key| cache.peek(**key).is_some()).count() as f64 / keys.len() as f64;
        let quarter = before.len() / 4;
        let (newest, oldest) = (kept(&before[..quarter]), kept(&before[3 * quarter..]));
        assert!(
            newest > 0.9 && oldest < 0.6,
            "capacity {capacity}: {newest:.2} of the newest, {oldest:.2} of the oldest"
        );
    }
}

#[test]
fn one_insertion_that_empties_the_cache_takes_one_way_through() {
    let entries = 60_000u16;
    let cache = Numbers::<Serialized>::new(limits(2 * usize::from(entries), Some(entries.into())));
    for key in 0..entries {
        cache.insert(key, 1, 1, None, NOW);
    }
    assert_eq!(cache.insert(60_001, 1, entries.into(), None, NOW).map(|gone| gone.len()), Some(entries.into()));
    let sets: usize = cache.cache.tables.iter().map(|table| table.view(&()).len()).sum();
    assert!(sets < 1000, "{sets} sets are left for one entry");
}

#[test]
#[should_panic(expected = "tried to change it")]
fn a_comparison_that_changes_the_cache_is_stopped() {
    let cache = Numbers::<Serialized>::new(limits(100, None));
    cache.insert(1, 1, 0, None, NOW);
    cache.cache.get(
        spread(1),
        || NOW,
        |_| {
            cache.remove(1);
            Some(true)
        },
    );
}

#[test]
fn nothing_goes_before_the_cache_is_full() {
    fn check<T: Threading>(policy: Policy) {
        for capacity in [1, 15, 17, 65, 100, 1000, 5000, 20_000, 60_000] {
            let cache = Numbers::<T>::new(Limits { policy, ..limits(capacity, None) });
            for key in 0..capacity as u16 {
                assert_eq!(cache.insert(key, 1, 1, None, NOW), Some(vec![]), "evicted before {capacity} were there");
            }
            for key in capacity as u16..capacity as u16 + 500 {
                assert_eq!(cache.insert(key, 1, 1, None, NOW).unwrap().len(), 1);
                assert_eq!(cache.cache.len(), capacity);
                assert!(cache.peek(key).is_some(), "the newcomer must not be the victim");
            }
        }
    }
    check::<Concurrent>(Policy::Lru);
    check::<Serialized>(Policy::Lru);
    check::<Serialized>(Policy::S3Fifo);
    check::<Concurrent>(Policy::S3Fifo);
}

#[test]
fn one_heavy_entry_may_empty_every_shard() {
    for policy in [Policy::Lru, Policy::S3Fifo] {
        let cache = Numbers::<Concurrent>::new(Limits { policy, ..limits(4096, Some(1000)) });
        for key in 0..100 {
            cache.insert(key, 1, 10, None, NOW);
        }
        assert_eq!(cache.insert(200, 2, 1000, None, NOW).unwrap().len(), 100);
        assert_eq!((cache.cache.len(), cache.cache.stats().bytes), (1, 1000));
        assert_eq!(cache.insert(200, 3, 1001, None, NOW), None);
        assert_eq!(cache.get(200, NOW), None, "a refused value must not leave the old one behind");
        let stats = cache.cache.stats();
        assert_eq!((stats.rejections, stats.entries, stats.bytes), (1, 0, 0));
    }
}

#[test]
fn a_heavy_entry_does_not_wipe_out_its_own_shard() {
    for policy in [Policy::Lru, Policy::S3Fifo] {
        let cache = Numbers::<Concurrent>::new(Limits { policy, ..limits(1600, Some(1600)) });
        for key in 0..1600 {
            cache.insert(key, 1, 1, None, NOW);
        }
        let home = cache.cache.shard_of(spread(2000));
        cache.insert(2000, 2, 80, None, NOW);
        let left = (0..1600).filter(|key| cache.cache.shard_of(spread(*key)) == home && cache.peek(*key).is_some());
        assert!(left.count() > 50, "{policy:?}: of about 100 entries of the shard about 95 should be left");
    }
}

#[test]
fn an_entry_ends_when_its_time_is_over() {
    let seconds = Duration::from_secs;
    let cache = Numbers::<Concurrent>::new(Limits { time_to_live: Some(seconds(10)), ..limits(8, None) });
    cache.insert(1, 1, 0, None, seconds(0));
    cache.insert(2, 2, 0, Some(seconds(20)), seconds(0));
    assert_eq!((cache.get(1, seconds(9)), cache.get(2, seconds(19))), (Some(1), Some(2)));
    assert_eq!((cache.get(1, seconds(10)), cache.get(2, seconds(20))), (None, None));
    let stats = cache.cache.stats();
    assert_eq!((stats.expirations, stats.entries), (2, 0));
}

#[test]
fn expired_entries_go_first() {
    let seconds = Duration::from_secs;
    let cache = Numbers::<Serialized>::new(limits(8, None));
    for key in 0..8 {
        cache.insert(key, 1, 0, (key == 5).then_some(seconds(1)), seconds(0));
    }
    cache.get(5, seconds(0));
    assert_eq!(cache.insert(8, 1, 0, None, seconds(2)), Some(vec![5]), "though it was used last");
    let stats = cache.cache.stats();
    assert_eq!((stats.expirations, stats.evictions), (1, 0));
}

#[test]
fn insertions_sweep_expired_entries_away() {
    let seconds = Duration::from_secs;
    for policy in [Policy::Lru, Policy::S3Fifo] {
        let cache = Numbers::<Serialized>::new(Limits { policy, ..limits(4000, None) });
        for key in 0..1000 {
            cache.insert(key, 1, 1, Some(seconds(1)), seconds(0));
        }
        for key in 1000..2000 {
            cache.insert(key, 1, 1, None, seconds(2));
        }
        let stats = cache.cache.stats();
        assert_eq!((stats.entries, stats.bytes, stats.expirations), (1000, 1000, 1000));
    }
}

#[test]
fn a_table_shrinks_when_it_is_nearly_empty() {
    let cache = Numbers::<Serialized>::new(limits(2000, None));
    for key in 0..2000 {
        cache.insert(key, 1, 0, None, NOW);
    }
    let sets = || cache.cache.tables[0].view(&()).len();
    let full = sets();
    for key in 10..2000 {
        cache.remove(key);
    }
    for _ in 0..10 {
        cache.insert(5000, 1, 0, None, NOW);
        cache.remove(5000);
    }
    assert!(sets() * 16 <= full, "{} of {full} sets are left for ten entries", sets());
    assert!((0..10).all(|key| cache.peek(key).is_some()));
}

#[test]
fn the_queues_of_s3_fifo_do_not_grow_with_removals() {
    let cache = Numbers::<Serialized>::new(Limits { policy: Policy::S3Fifo, ..limits(100, None) });
    for round in 0..10_000 {
        cache.insert(round % 50, 1, 0, None, NOW);
        cache.remove(round % 50);
    }
    let queued = cache.cache.shards[0].0.lock.lock().queues.as_ref().map(|queues| queues.len());
    assert!(queued <= Some(2 * 100 + 64), "{queued:?}");
}

#[test]
fn s3_fifo_keeps_what_is_used_while_a_scan_goes_through() {
    let cache = Numbers::<Serialized>::new(Limits { policy: Policy::S3Fifo, ..limits(1000, None) });
    for key in 0..500 {
        cache.insert(key, 1, 0, None, NOW);
        cache.get(key, NOW);
    }
    for key in 1000..11_000 {
        cache.insert(key, 1, 0, None, NOW);
    }
    let kept = (0..500).filter(|key| cache.peek(*key).is_some()).count();
    assert!(kept >= 490, "{kept} of 500 are left");
}

#[test]
fn undecided_keys_are_handed_out_and_nothing_changes() {
    let cache: LruCache<u8, u8> = LruCache::new(limits(4, None)).unwrap();
    let entry = |key| NewEntry { hash: 7, key, value: key, weight: 0, time_to_live: None };
    cache.insert(entry(1), || NOW, |_| None).unwrap();
    assert_eq!(cache.get(7, || NOW, |_| None), Lookup::Undecided(vec![1]));
    let (keys, back) = cache.insert(entry(2), || NOW, |_| None).unwrap_err();
    assert_eq!((keys, back.key, cache.len()), (vec![1], 2, 1));
    cache.insert(back, || NOW, |_| Some(false)).unwrap();
    assert_eq!(cache.get(7, || NOW, |key| Some(*key == 2)), Lookup::Hit(2));
}

#[test]
fn the_clock_is_asked_only_where_something_expires() {
    let cache: LruCache<u8, u8> = LruCache::new(limits(4, None)).unwrap();
    let never = || -> Duration { unreachable!("nothing expires here") };
    cache.insert(NewEntry { hash: 1, key: 1, value: 1, weight: 0, time_to_live: None }, never, |_| Some(true)).unwrap();
    assert_eq!(cache.get(1, never, |_| Some(true)), Lookup::Hit(1));
}

#[test]
fn zero_limits_are_refused() {
    for bad in [limits(0, None), limits(1, Some(0)), Limits { time_to_live: Some(Duration::ZERO), ..limits(1, None) }] {
        let error = LruCache::<u8, u8>::new(bad).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[test]
fn a_vast_capacity_costs_nothing_before_it_is_used() {
    let cache = Numbers::<Serialized>::new(limits(usize::MAX, None));
    cache.insert(1, 2, 0, None, NOW);
    assert_eq!((cache.get(1, NOW), cache.cache.len()), (Some(2), 1));
}
