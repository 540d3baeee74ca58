//! Every interleaving of a few operations on a tiny table, by the model checker loom:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p llmfast-core --no-default-features --target-dir target/loom cache::model
//! ```
//!
//! Sets have two ways and tables begin with one set, so that three keys make a table grow to two sets while others look.

use std::time::Duration;

use loom::sync::Arc;

use super::*;

type Cache = LruCache<u64, u64>;

fn cache(capacity: usize) -> Arc<Cache> {
    Arc::new(Cache::new(Limits { capacity, ..Limits::default() }).unwrap())
}

/// Keys of one tag, and of one home where there are two; and of the first shard, but for this one and those beyond.
const SECOND_SHARD: u64 = 1 << 39;

fn hash(key: u64) -> u64 {
    key << 8
}

fn get(cache: &Cache, key: u64) -> Option<u64> {
    match cache.get(hash(key), || Duration::ZERO, |other| Some(*other == key)) {
        Lookup::Hit(value) => Some(value),
        _ => None,
    }
}

fn insert(cache: &Cache, key: u64, value: u64) {
    insert_weighing(cache, key, value, 1);
}

/// The usual insertion, which notes nothing but the pair.
fn insert_plainly(cache: &Cache, key: u64, value: u64) {
    insert_weighing(cache, key, value, 0);
}

fn insert_weighing(cache: &Cache, key: u64, value: u64, weight: u64) {
    let entry = NewEntry { hash: hash(key), key, value, weight, time_to_live: None };
    assert!(cache.insert(entry, || Duration::ZERO, |other| Some(*other == key)).unwrap());
}

fn remove(cache: &Cache, key: u64) -> Option<u64> {
    match cache.remove_with(hash(key), || Duration::ZERO, |other| Some(*other == key), |value| *value) {
        Lookup::Hit(value) => Some(value),
        _ => None,
    }
}

/// What must hold when everybody is done.
fn check(cache: &Cache) {
    let contents = cache.snapshot(Duration::ZERO, |key, value| (*key, *value));
    let stats = cache.stats();
    assert_eq!(stats.entries, contents.len() as u64);
    assert!(contents.len() <= cache.limits().capacity);
    for (key, value) in contents {
        assert_eq!(get(cache, key), Some(value));
    }
}

fn explore(test: impl Fn() + Send + Sync + 'static) {
    explore_with(4, test);
}

fn explore_with(preemptions: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 10_000;
    model.check(test);
}

#[test]
fn a_lookup_sees_an_entry_that_stays_through_replacements() {
    explore(|| {
        let cache = cache(4);
        insert(&cache, 1, 10);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || insert(&other, 1, 11));
        let seen = get(&cache, 1);
        assert!(matches!(seen, Some(10 | 11)), "{seen:?}: a key that is replaced is never absent");
        writer.join().unwrap();
        assert_eq!(get(&cache, 1), Some(11));
        assert_eq!(cache.stats().bytes, 1);
        check(&cache);
    });
}

/// Two keys fill their home, so that the one that is inserted again moves to another set.
#[test]
fn a_lookup_sees_an_entry_that_moves() {
    explore(|| {
        let cache = cache(8);
        insert_plainly(&cache, 1, 10);
        insert_plainly(&cache, 2, 20);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || insert_plainly(&other, 1, 11));
        let (first, second) = (get(&cache, 1), get(&cache, 1));
        assert!(matches!((first, second), (Some(10), Some(10 | 11)) | (Some(11), Some(11))), "{first:?}, {second:?}");
        assert_eq!(get(&cache, 2), Some(20));
        writer.join().unwrap();
        assert_eq!(get(&cache, 1), Some(11));
        check(&cache);
    });
}

/// Slots are used again while somebody looks up what was in them.
#[test]
fn a_lookup_never_returns_what_a_slot_is_used_for_afterwards() {
    explore_with(2, || {
        let cache = cache(2);
        insert_plainly(&cache, 1, 10);
        insert_plainly(&cache, 2, 20);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || (3..6).for_each(|key| insert_plainly(&other, key, 10 * key)));
        assert!(matches!(get(&cache, 1), Some(10) | None));
        assert!(matches!(get(&cache, 4), Some(40) | None));
        writer.join().unwrap();
        check(&cache);
    });
}

#[test]
fn a_lookup_sees_an_entry_that_stays_while_the_table_grows() {
    explore(|| {
        let cache = cache(8);
        insert(&cache, 1, 10);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || {
            insert(&other, 2, 20);
            insert(&other, 3, 30);
        });
        assert_eq!(get(&cache, 1), Some(10));
        writer.join().unwrap();
        assert_eq!((get(&cache, 1), get(&cache, 2), get(&cache, 3)), (Some(10), Some(20), Some(30)));
        check(&cache);
    });
}

#[test]
fn a_removed_value_does_not_come_back() {
    explore(|| {
        let cache = cache(4);
        insert(&cache, 1, 10);
        let other = cache.clone();
        let remover = loom::thread::spawn(move || remove(&other, 1));
        let (first, second) = (get(&cache, 1), get(&cache, 1));
        assert!(first.is_some() || second.is_none(), "gone and back");
        assert_eq!(remover.join().unwrap(), Some(10));
        assert_eq!(get(&cache, 1), None);
        check(&cache);
    });
}

#[test]
fn two_writers_of_a_key_leave_one_of_their_values() {
    explore(|| {
        let cache = cache(4);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || insert(&other, 1, 11));
        insert(&cache, 1, 10);
        writer.join().unwrap();
        assert!(matches!(get(&cache, 1), Some(10 | 11)));
        assert_eq!(cache.len(), 1);
        check(&cache);
    });
}

#[test]
fn writers_that_evict_each_other_keep_the_bound_and_the_books() {
    explore(|| {
        let cache = cache(1);
        insert(&cache, 1, 10);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || insert(&other, 2, 20));
        insert(&cache, 3, 30);
        if let Some(value) = get(&cache, 2) {
            assert_eq!(value, 20);
        }
        writer.join().unwrap();
        check(&cache);
    });
}

#[test]
fn victims_of_usual_insertions_are_counted_once() {
    explore(|| {
        let cache = cache(2);
        insert_plainly(&cache, 1, 10);
        insert_plainly(&cache, 2, 20);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || insert_plainly(&other, 3, 30));
        insert_plainly(&cache, 4, 40);
        assert!(matches!(get(&cache, 2), Some(20) | None));
        writer.join().unwrap();
        assert_eq!(cache.len(), 2);
        check(&cache);
    });
}

/// The first insertion into a shard of a full cache, while the table of the other shard goes.
#[test]
fn nobody_looks_at_the_table_of_a_shard_whose_lock_another_holds() {
    explore_with(2, || {
        let cache = cache(2);
        insert_plainly(&cache, 1, 10);
        insert_plainly(&cache, 2, 20);
        let other = cache.clone();
        let writer = loom::thread::spawn(move || insert_plainly(&other, SECOND_SHARD, 30));
        cache.clear();
        writer.join().unwrap();
        assert!(matches!(get(&cache, SECOND_SHARD), Some(30) | None));
        check(&cache);
    });
}

#[test]
fn insertion_and_removal_of_a_key_are_ordered() {
    explore(|| {
        let cache = cache(2);
        let other = cache.clone();
        let remover = loom::thread::spawn(move || remove(&other, 1));
        insert(&cache, 1, 10);
        let removed = remover.join().unwrap();
        assert_eq!(get(&cache, 1), if removed.is_some() { None } else { Some(10) });
        check(&cache);
    });
}
