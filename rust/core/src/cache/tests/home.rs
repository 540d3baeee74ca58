//! The short ways to look something up, beside the long one.

#![allow(unsafe_code)]

use super::*;

/// Looks a key up as the fastest calls do: each way hands on what is not for it.
fn get_the_short_way(cache: &Numbers<Serialized>, key: u16, now: Duration) -> Option<u32> {
    let (hash, test) = ((cache.hash)(key), |other: &u16| Some(*other == key));
    let home = cache.cache.home(hash).expect("there is a table");
    // SAFETY: nothing happens in between, and numbers are compared.
    let at_home = unsafe { cache.cache.get_at_home(home, hash, test, |value| *value, |_| {}) };
    let plainly = at_home.or_else(|NotPlain| cache.cache.get_plainly(hash, test, |value| *value));
    plainly.unwrap_or_else(|NotPlain| cache.get(key, now))
}

proptest! {
    /// Two caches to which the same happens are the same in everything, the random choice of victims included.
    #[test]
    fn however_entries_are_looked_up_the_cache_becomes_the_same(
        capacity in prop_oneof![1..100usize, Just(600), Just(20_000)],
        policy in prop_oneof![Just(Policy::Lru), Just(Policy::S3Fifo)],
        crowd in any::<bool>(),
        lives in prop::option::of(1..400u64),
        operations in operations(900, 1500),
    ) {
        let limits = Limits { policy, ..limits(capacity, None) };
        let hash = if crowd { crowded } else { spread };
        let [long, short] = [(); 2].map(|()| Numbers::<Serialized> { hash, ..Numbers::new(limits) });
        for (now, operation) in operations.into_iter().enumerate() {
            let now = Duration::from_nanos(now as u64);
            match operation {
                Operation::Get(key) => prop_assert_eq!(get_the_short_way(&short, key, now), long.get(key, now)),
                Operation::Insert(key, value, weight) => {
                    // Those that expire are looked up the long way.
                    let lives = lives.filter(|_| weight % 3 == 0).map(Duration::from_nanos);
                    let weight = if weight % 2 == 0 { 0 } else { weight };
                    let gone = [&long, &short].map(|cache| cache.insert(key, value, weight, lives, now));
                    prop_assert_eq!(&gone[0], &gone[1]);
                }
                Operation::Remove(key) => prop_assert_eq!(short.remove(key), long.remove(key)),
                Operation::Clear => [&long, &short].into_iter().for_each(|cache| cache.cache.clear()),
            }
            prop_assert_eq!(short.cache.stats(), long.cache.stats());
        }
        prop_assert_eq!(short.items(), long.items());
    }
}

#[test]
fn most_lookups_take_one_look() {
    let cache = Numbers::<Serialized>::new(limits(50_000, None));
    for key in 0..50_000 {
        cache.insert(key, 1, 0, None, NOW);
    }
    let looks = (0..60_000u16).map(|key| {
        let hash = spread(key);
        let home = cache.cache.home(hash).expect("there is a table");
        // SAFETY: nothing happens in between, and numbers are compared.
        unsafe { cache.cache.get_at_home(home, hash, |other| Some(*other == key), |value| *value, |_| {}) }
    });
    let handed_on = looks.filter(Result::is_err).count();
    assert!(handed_on < 1800, "{handed_on} of 60,000 lookups took more than one look");
}
