//! The keyed hash of what comes again and again: a service has few system prompts, and they may be long.

use super::canonical::Canonical;
use crate::sync::{Mutex, try_lock};

/// Bytes that are kept to be compared with. What is longer, documents for the most part, hardly comes twice in turn.
const MOST_KEPT: usize = 64 * 1024;

/// Keyed BLAKE3 that knows the last bytes it hashed: to compare them takes a tenth of the time to hash them.
pub(super) struct RepeatedHash {
    key: [u8; 32],
    last: Mutex<Option<(Vec<u8>, [u8; 32])>>,
}

impl RepeatedHash {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key, last: Mutex::new(None) }
    }

    /// The same as [`Canonical::hash`]. Nobody waits: while another thread is here, this one hashes.
    pub(super) fn hash(&self, canonical: Canonical) -> [u8; 32] {
        let Some(mut last) = try_lock(&self.last) else {
            return canonical.hash(&self.key);
        };
        if let Some((bytes, hash)) = &*last
            && bytes == canonical.as_bytes()
        {
            return *hash;
        }
        let hash = canonical.hash(&self.key);
        if canonical.as_bytes().len() <= MOST_KEPT {
            *last = Some((canonical.into_bytes(), hash));
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Canonical {
        let mut canonical = Canonical::with_capacity(8);
        canonical.text(text);
        canonical
    }

    proptest! {
        /// In any order, again and again: few texts, so that the last one comes often.
        #[test]
        fn it_is_the_hash(texts in prop::collection::vec("[ab]{0,3}", 1..40)) {
            let repeated = RepeatedHash::new([7; 32]);
            for text in texts {
                prop_assert_eq!(repeated.hash(canonical(&text)), canonical(&text).hash(&[7; 32]));
            }
        }
    }

    #[test]
    fn what_is_long_is_not_kept() {
        let (short, long) = ("s", "l".repeat(MOST_KEPT));
        let repeated = RepeatedHash::new([7; 32]);
        repeated.hash(canonical(short));
        for _ in 0..2 {
            assert_eq!(repeated.hash(canonical(&long)), canonical(&long).hash(&[7; 32]));
        }
        let kept = repeated.last.lock().unwrap();
        assert_eq!(kept.as_ref().unwrap().0, canonical(short).as_bytes());
    }

    #[test]
    fn nobody_waits_for_another_thread() {
        let repeated = RepeatedHash::new([7; 32]);
        let _held = repeated.last.lock().unwrap();
        assert_eq!(repeated.hash(canonical("text")), canonical("text").hash(&[7; 32]));
    }
}
