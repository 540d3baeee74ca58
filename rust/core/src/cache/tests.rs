use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;

use super::*;

const NOW: Duration = Duration::ZERO;

fn limits(capacity: usize, max_bytes: Option<u64>) -> Limits {
    Limits { capacity, max_bytes, time_to_live: None }
}

/// A cache of small numbers whose hash is themselves spread over the word.
struct Numbers(LruCache<u16, u32>);

impl Numbers {
    fn hash(key: u16) -> u64 {
        u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn get(&self, key: u16, now: Duration) -> Option<u32> {
        match self.0.get(Self::hash(key), now, |other| Some(*other == key)) {
            Lookup::Hit(value) => Some(value),
            _ => None,
        }
    }

    fn insert(&self, key: u16, value: u32, weight: u64, lives: Option<Duration>, now: Duration) -> Inserted<u16, u32> {
        let entry = NewEntry { hash: Self::hash(key), key, value, weight, time_to_live: lives };
        self.0.insert(entry, now, |other| Some(*other == key)).expect("numbers are always decided")
    }

    fn remove(&self, key: u16) -> Option<u32> {
        match self.0.remove(Self::hash(key), NOW, |other| Some(*other == key)) {
            Lookup::Hit(value) => Some(value),
            _ => None,
        }
    }
}

/// The oracle: a queue, newest first.
struct Model {
    queue: VecDeque<(u16, u32, u64)>,
    capacity: usize,
    max_bytes: u64,
}

impl Model {
    fn position(&self, key: u16) -> Option<usize> {
        self.queue.iter().position(|(other, ..)| *other == key)
    }

    fn get(&mut self, key: u16) -> Option<u32> {
        let entry = self.queue.remove(self.position(key)?)?;
        self.queue.push_front(entry);
        Some(entry.1)
    }

    fn insert(&mut self, key: u16, value: u32, weight: u64) {
        self.remove(key);
        if weight > self.max_bytes {
            return;
        }
        self.queue.push_front((key, value, weight));
        while self.queue.len() > self.capacity || self.bytes() > self.max_bytes {
            self.queue.pop_back();
        }
    }

    fn remove(&mut self, key: u16) -> Option<u32> {
        Some(self.queue.remove(self.position(key)?)?.1)
    }

    fn bytes(&self) -> u64 {
        self.queue.iter().map(|(.., weight)| weight).sum()
    }
}

#[derive(Debug, Clone)]
enum Operation {
    Get(u16),
    Insert(u16, u32, u64),
    Remove(u16),
    Clear,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (0..24u16).prop_map(Operation::Get),
        8 => (0..24u16, any::<u32>(), 1..40u64).prop_map(|(key, value, weight)| Operation::Insert(key, value, weight)),
        2 => (0..24u16).prop_map(Operation::Remove),
        1 => Just(Operation::Clear),
    ]
}

proptest! {
    #[test]
    fn behaves_like_a_queue(capacity in 1..12usize, max_bytes in 20..120u64, operations in prop::collection::vec(operation(), 1..200)) {
        let cache = Numbers(LruCache::new(limits(capacity, Some(max_bytes))).unwrap());
        let mut model = Model { queue: VecDeque::new(), capacity, max_bytes };
        for operation in operations {
            match operation {
                Operation::Get(key) => prop_assert_eq!(cache.get(key, NOW), model.get(key)),
                Operation::Insert(key, value, weight) => {
                    cache.insert(key, value, weight, None, NOW);
                    model.insert(key, value, weight);
                }
                Operation::Remove(key) => prop_assert_eq!(cache.remove(key), model.remove(key)),
                Operation::Clear => {
                    cache.0.clear();
                    model.queue.clear();
                }
            }
            let order: Vec<_> = cache.0.snapshot(NOW);
            prop_assert_eq!(order, model.queue.iter().map(|&(key, value, _)| (key, value)).collect::<Vec<_>>());
            let stats = cache.0.stats();
            prop_assert_eq!((stats.entries as usize, stats.bytes), (model.queue.len(), model.bytes()));
        }
    }
}

#[test]
fn a_sharded_cache_keeps_its_bounds_and_drops_nothing_early() {
    let capacity = SHARDED_FROM + 100;
    let cache = Numbers(LruCache::new(limits(capacity, None)).unwrap());
    for key in 0..capacity as u16 {
        assert!(cache.insert(key, 1, 1, None, NOW).evicted.is_empty(), "evicted before it was full");
    }
    for key in capacity as u16..capacity as u16 + 500 {
        assert_eq!(cache.insert(key, 1, 1, None, NOW).evicted.len(), 1);
        assert_eq!(cache.0.len(), capacity);
    }
}

#[test]
fn one_heavy_entry_may_empty_every_shard() {
    let cache = Numbers(LruCache::new(limits(SHARDED_FROM, Some(1000))).unwrap());
    for key in 0..100 {
        cache.insert(key, 1, 10, None, NOW);
    }
    assert_eq!(cache.insert(200, 2, 1000, None, NOW).evicted.len(), 100);
    assert_eq!((cache.0.len(), cache.0.stats().bytes), (1, 1000));
    assert!(!cache.insert(200, 3, 1001, None, NOW).accepted);
    assert_eq!(cache.get(200, NOW), None, "a refused value must not leave the old one behind");
    assert_eq!(cache.0.stats().rejections, 1);
}

#[test]
fn an_entry_ends_when_its_time_is_over() {
    let seconds = Duration::from_secs;
    let cache = Numbers(LruCache::new(Limits { time_to_live: Some(seconds(10)), ..limits(8, None) }).unwrap());
    cache.insert(1, 1, 0, None, seconds(0));
    cache.insert(2, 2, 0, Some(seconds(20)), seconds(0));
    assert_eq!((cache.get(1, seconds(9)), cache.get(2, seconds(19))), (Some(1), Some(2)));
    assert_eq!((cache.get(1, seconds(10)), cache.get(2, seconds(20))), (None, None));
    let stats = cache.0.stats();
    assert_eq!((stats.expirations, stats.entries), (2, 0));
}

#[test]
fn undecided_keys_are_handed_out_and_nothing_changes() {
    let cache: LruCache<u8, u8> = LruCache::new(limits(4, None)).unwrap();
    let entry = |key| NewEntry { hash: 7, key, value: key, weight: 0, time_to_live: None };
    cache.insert(entry(1), NOW, |_| None).unwrap();
    assert_eq!(cache.get(7, NOW, |_| None), Lookup::Undecided(vec![1]));
    let (keys, back) = cache.insert(entry(2), NOW, |_| None).unwrap_err();
    assert_eq!((keys, back.key, cache.len()), (vec![1], 2, 1));
    cache.insert(back, NOW, |_| Some(false)).unwrap();
    assert_eq!(cache.get(7, NOW, |key| Some(*key == 2)), Lookup::Hit(2));
}

#[test]
fn zero_limits_are_refused() {
    for bad in [limits(0, None), limits(1, Some(0)), Limits { time_to_live: Some(Duration::ZERO), ..limits(1, None) }] {
        let error = LruCache::<u8, u8>::new(bad).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[test]
fn threads_never_exceed_the_bounds_nor_see_a_value_of_another_key() {
    let cache = LruCache::<u32, u32>::new(limits(SHARDED_FROM, Some(3000))).unwrap();
    let hasher = RandomState::new();
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (cache, hasher) = (&cache, &hasher);
            scope.spawn(move || {
                for step in 0..20_000u32 {
                    let key = step.wrapping_mul(2_654_435_761).wrapping_add(thread) % 5000;
                    let hash = hasher.hash_one(key);
                    if let Lookup::Hit(value) = cache.get(hash, NOW, |other| Some(*other == key)) {
                        assert_eq!(value, key);
                    }
                    let entry = NewEntry { hash, key, value: key, weight: 1, time_to_live: None };
                    cache.insert(entry, NOW, |other| Some(*other == key)).unwrap();
                    assert!(cache.stats().bytes <= 3000 + 4);
                }
            });
        }
    });
    let stats = cache.stats();
    assert!(stats.entries <= 3000);
    assert_eq!(stats.bytes, stats.entries, "every entry weighs 1");
    assert_eq!(cache.snapshot(NOW).len() as u64, stats.entries);
}
