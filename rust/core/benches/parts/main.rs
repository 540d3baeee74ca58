//! What the core's operations cost without Python: `cargo bench -p llmfast-core --bench parts -- cache search`.

mod measure;

use std::time::Duration;

use llmfast_core::cache::{Limits, LruCache, NewEntry};
use llmfast_core::index::FlatIndex;
use llmfast_core::kernel::Kernel;
use llmfast_core::kernel::codes::SignTable;
use llmfast_core::request::{Api, ExactKey, Request, Scope, Secret, Value};
use llmfast_core::router::{Router, Table};
use measure::measure;

const DIM: usize = 384;
const NOW: Duration = Duration::from_secs(1);

/// Pseudo-random numbers (`SplitMix64`): hashes and vectors that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `length` numbers, even over [−1, 1).
    fn vector(&mut self, length: usize) -> Vec<f32> {
        (0..length).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
    }
}

fn main() {
    cache();
    request();
    kernel();
    index();
    router();
}

fn cache() {
    for capacity in [1_000, 100_000] {
        let limits = Limits { capacity, ..Limits::default() };
        let cache: LruCache<u64, u64> = LruCache::new(limits).expect("the limits are not zero");
        let entry = |hash: u64| NewEntry { hash, key: hash, value: hash, weight: 0, time_to_live: None };
        let mut numbers = Numbers(1);
        let hashes: Vec<u64> = (0..capacity).map(|_| numbers.next()).collect();
        for &hash in &hashes {
            cache.insert(entry(hash), || NOW, |&key| Some(key == hash)).expect("keys are compared");
        }
        let mut next = 0;
        measure(&format!("cache: get, hit, {capacity} entries"), || {
            next = (next + 7_919) % capacity;
            let hash = hashes[next];
            cache.get(hash, || NOW, |&key| Some(key == hash))
        });
        measure(&format!("cache: get, miss, {capacity} entries"), || {
            let hash = numbers.next();
            cache.get(hash, || NOW, |&key| Some(key == hash))
        });
        measure(&format!("cache: insert that evicts, {capacity} entries"), || {
            let hash = numbers.next();
            cache.insert(entry(hash), || NOW, |&key| Some(key == hash)).is_ok()
        });
    }
}

fn request() {
    let secret = Secret::new(b"sixteen bytes, at least");
    let query = "what is the exchange rate for my card? ".repeat(27)[..1_000].trim_end().to_owned() + "?";
    let nothing = Value::List(Vec::new());
    let params = [
        ("temperature", Value::Float(0.2)),
        ("max_tokens", Value::Integer(512)),
        ("top_p", Value::Integer(1)),
        ("seed", Value::Integer(7)),
    ];
    let params = Value::Map(params.map(|(name, value)| (name.to_owned(), value)).into());
    let request = Request {
        api: Api::Plain,
        query: Some(&query),
        model: "gpt-4o-mini",
        system: "You are the assistant of a bank. Answer briefly, say where an answer is to be found, and never guess.",
        history: &nothing,
        turn: &Value::Null,
        params: &params,
        context: &nothing,
        version: "1",
        router: "",
        stream: false,
    };
    let scope = Scope::Named("tenant");
    let fingerprint = secret.fingerprint(&request).expect("nothing is nested");
    measure("request: fingerprint", || secret.fingerprint(&request));
    measure("request: exact key, 1 kB", || secret.exact_key(scope, &fingerprint, &query));
    measure("request: identity, 1 kB", || secret.identify(scope, &request, false));
    for (what, odd) in [
        ("a space at its end", format!("{query} ")),
        ("a double space", query.replacen(' ', "  ", 1)),
        ("an apostrophe", query.replacen("is the", "\u{2019}s the", 1)),
        ("in NFC", query.replacen('e', "\u{e9}", 100)),
        ("Chinese", "\u{6211}\u{7684}\u{5361}\u{ff1f}".repeat(84)),
    ] {
        measure(&format!("request: identity, 1 kB, {what}"), || {
            secret.identify(scope, &Request { query: Some(&odd), ..request }, false)
        });
    }
    let cache: LruCache<ExactKey, u64> =
        LruCache::new(Limits { capacity: 100_000, ..Limits::default() }).expect("the limits are not zero");
    let hash = |key: &ExactKey| u64::from_le_bytes(*key.first_chunk().expect("a key has 32 bytes"));
    let mut numbers = Numbers(4);
    for _ in 0..100_000 {
        let mut key = [0; 32];
        key.chunks_mut(8).for_each(|part| part.copy_from_slice(&numbers.next().to_le_bytes()));
        let entry = NewEntry { hash: hash(&key), key, value: 0, weight: 0, time_to_live: None };
        cache.insert(entry, || NOW, |other| Some(*other == key)).expect("keys are compared");
    }
    // What an exact repeat costs: the key in normal form is looked up after a miss only.
    let key_of = || {
        let fingerprint = secret.fingerprint(&request).expect("nothing is nested");
        secret.exact_key(scope, &fingerprint, &query)
    };
    let key = key_of();
    let entry = NewEntry { hash: hash(&key), key, value: 1, weight: 0, time_to_live: None };
    cache.insert(entry, || NOW, |other| Some(*other == key)).expect("keys are compared");
    // The last system prompt is remembered; what comes with another one each time is not.
    let systems = ["You are the assistant of a bank.", "You are the assistant of an insurance."];
    let mut turn = 0;
    measure("request: key of 1 kB, another system prompt each time", || {
        turn ^= 1;
        let fingerprint = secret.fingerprint(&Request { system: systems[turn], ..request }).expect("nothing is nested");
        secret.exact_key(scope, &fingerprint, &query)
    });
    measure("request: key of 1 kB and the exact hit", || {
        let key = key_of();
        cache.get(hash(&key), || NOW, |other| Some(*other == key))
    });
}

fn kernel() {
    let mut numbers = Numbers(2);
    let (a, b) = (numbers.vector(DIM), numbers.vector(DIM));
    let rows = numbers.vector(1_000 * DIM);
    let mut scores = vec![0.0; 1_000];
    let bytes = |numbers: &mut Numbers, count: usize| (0..count).map(|_| numbers.next() as u8).collect::<Vec<_>>();
    let (signs, nibbles) = (bytes(&mut numbers, 1_024 * DIM / 8), bytes(&mut numbers, 1_024 * DIM / 2));
    let (levels, mut masks) = (vec![7; 1_024], [0; 32]);
    let mut table = SignTable::new(&a);
    table.set_limits(&[0.4 * DIM as f64; 16]);
    let queries: Vec<Vec<i8>> =
        (0..8).map(|_| bytes(&mut numbers, DIM).iter().map(|b| (b >> 1) as i8 - 64).collect()).collect();
    let queries: Vec<&[i8]> = queries.iter().map(Vec::as_slice).collect();
    let mut products = vec![0; 8 * 1_024];
    for kernel in Kernel::available() {
        let name = kernel.name();
        measure(&format!("kernel {name}: dot, {DIM} dimensions"), || kernel.dot(&a, &b));
        measure(&format!("kernel {name}: dot in f64, {DIM} dimensions"), || kernel.dot_f64(&a, &b));
        measure(&format!("kernel {name}: dot with 1000 rows"), || kernel.dot_rows(&a, &rows, &mut scores));
        measure(&format!("kernel {name}: signs of 1024 rows"), || {
            kernel.scan_signs(&table, &signs, &levels, &mut masks);
        });
        measure(&format!("kernel {name}: nibbles of 1024 rows, 1 query"), || {
            kernel.dot_nibbles(&queries[..1], &nibbles, &mut products[..1_024]);
        });
        measure(&format!("kernel {name}: nibbles of 1024 rows, 8 queries"), || {
            kernel.dot_nibbles(&queries, &nibbles, &mut products);
        });
    }
}

fn index() {
    for rows in [1_000, 10_000, 100_000] {
        let index = FlatIndex::new(DIM).expect("the dimension is allowed");
        let mut numbers = Numbers(3);
        let matrix = numbers.vector(rows * DIM);
        let ids: Vec<u64> = (0..rows as u64).collect();
        index.add_many(&ids, &matrix, 0).expect("the vectors are finite and the ids new");
        let mut near = matrix[DIM..2 * DIM].to_vec();
        near[0] += 0.1;
        for (what, min_score) in [("nearest", -1.0), ("nearest above 0.95", 0.95)] {
            measure(&format!("index: {what} of {rows}"), || index.search(&near, 1, min_score, 0));
        }
    }
}

fn router() {
    let router = Router::new(Table::default()).expect("the built-in table is sound");
    let sentence = "what is the exchange rate for my card when I travel abroad? ";
    for bytes in [60, 1_000, 16_000] {
        let text = &sentence.repeat(bytes / sentence.len() + 1)[..bytes];
        measure(&format!("router: route, {bytes} bytes"), || router.route(&[text], 0));
    }
}
