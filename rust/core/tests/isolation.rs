//! A hundred thousand pairs of scopes: none shares a key, a partition or a principal, and no forged row opens.

use std::collections::HashSet;

use llmfast_core::ErrorKind;
use llmfast_core::request::{Fields, Fingerprint, Scope, Secret, Value};
use llmfast_core::row::{Codec, Row};

const PAIRS: usize = 100_000;

/// Pseudo-random numbers (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A name as tenants have them, or one made to be mistaken: tags and lengths of the encoding, forms of one letter.
    fn name(&mut self) -> String {
        const PIECES: [&str; 16] = [
            "a", "b", "tenant", "-", "0", "7", "\0", "\u{1}", "n", "o", "p", "t", "\u{e9}", "e\u{301}", "K", "\u{212a}",
        ];
        (0..self.below(7)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    /// Another name that is near to `name`.
    fn near(&mut self, name: &str) -> String {
        let other = self.name();
        let near = match self.below(5) {
            0 => format!("{name}{other}"),
            1 => format!("{other}{name}"),
            2 => name.chars().rev().collect(),
            3 => name.chars().skip(1).collect(),
            _ => other,
        };
        if near == name { format!("{name}\0") } else { near }
    }
}

fn row(key: [u8; 32], partition: u128) -> Row {
    Row {
        scope: 0,
        question: String::new(),
        stale_for_ms: 0,
        key,
        partition,
        payload: b"answer".to_vec(),
        codec: Codec::Text,
        usage: None,
        model: String::new(),
        created_at_ms: 0,
        expires_at_ms: None,
        version: String::new(),
        tags: Vec::new(),
        kind: String::new(),
        principal: None,
        cluster: None,
    }
}

fn fingerprint(secret: &Secret) -> Fingerprint {
    let identity =
        secret.identify_fields(Scope::Single, Fields::default(), Value::Null, Value::Null, Value::Null, false);
    identity.expect("nothing is nested").fingerprint
}

#[test]
fn different_scopes_share_nothing() {
    let (secret, foreign) = (Secret::new(b"the secret of this cache"), Secret::new(b"somebody else's secret"));
    let print = fingerprint(&secret);
    let mut numbers = Numbers(1);
    let (mut names, mut keys, mut partitions) = (HashSet::new(), HashSet::new(), HashSet::new());
    for pair in 0..PAIRS {
        let a = numbers.name();
        let b = numbers.near(&a);
        let of = |name: &str| {
            let scope = Scope::Named(name);
            let folded = secret.normal_key(scope, &print, "Q", true).expect("keys without case are always made");
            let user = secret.principal(scope, Some("u"));
            (secret.exact_key(scope, &print, "q"), folded, secret.partition(scope, "e", &print), user)
        };
        let (ours, theirs) = (of(&a), of(&b));
        assert!(ours.0 != theirs.0 && ours.1 != theirs.1 && ours.2 != theirs.2 && ours.3 != theirs.3, "{a:?} {b:?}");
        for (name, (key, _, partition, _)) in [(a, ours), (b, theirs)] {
            // Every name that was met has a key and a partition that no other one has.
            let new = names.insert(name);
            assert_eq!((keys.insert(key), partitions.insert(partition)), (new, new));
        }
        forgeries(&secret, &foreign, pair, (ours.0, ours.2), theirs.2);
    }
    assert!(names.len() > PAIRS / 2);
}

/// Rows that somebody made for a scope that is not theirs.
fn forgeries(secret: &Secret, foreign: &Secret, pair: usize, (key, partition): ([u8; 32], u128), other: u128) {
    let refused = |sealed: &[u8]| Row::open(sealed, secret.row_key()).unwrap_err().kind() == ErrorKind::CorruptRow;
    let genuine = row(key, partition).seal(secret.row_key());
    assert_eq!(Row::open(&genuine, secret.row_key()).expect("it was sealed with the key").partition, partition);
    // Sealed under another secret.
    assert!(refused(&row(key, partition).seal(foreign.row_key())));
    // A genuine row whose partition was overwritten, or whose seal was moved to another row's bytes.
    let forged = row(key, other).seal(secret.row_key());
    let mut overwritten = genuine.clone();
    overwritten[36..52].copy_from_slice(&other.to_le_bytes());
    assert!(refused(&overwritten), "pair {pair}");
    let mut moved = genuine.clone();
    let end = moved.len() - 16;
    moved[end..].copy_from_slice(&forged[end..]);
    assert!(refused(&moved));
    // A row of another partition opens, since it is one of ours, and says where it belongs.
    assert_ne!(Row::open(&forged, secret.row_key()).expect("it was sealed with the key").partition, partition);
}
