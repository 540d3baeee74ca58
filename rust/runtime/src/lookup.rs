//! What the worker does with a question: encode, then search.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use llmfast_core::Error;
use llmfast_core::encoder::BertEncoder;
use llmfast_core::index::{FlatIndex, Hit};

use crate::fork::apart;

/// What turns texts into vectors.
pub trait Encode: Send + Sync {
    /// The vector of a text, or why it may get that of another text that it is not.
    ///
    /// # Errors
    ///
    /// Those of the tokenizer, which refuses the text.
    fn encode(&self, text: &str) -> Result<std::result::Result<Vec<f32>, String>, Error>;
}

/// What finds the nearest rows.
pub trait Search: Send + Sync {
    /// The at most `k` rows of `partition` with the largest cosine of at least `min_score`, best first.
    ///
    /// # Errors
    ///
    /// Those of the index, which refuses the vector or cannot read its file.
    fn search(&self, vector: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Hit>, Error>;
}

impl Encode for BertEncoder {
    fn encode(&self, text: &str) -> Result<std::result::Result<Vec<f32>, String>, Error> {
        self.encode_whole(text)
    }
}

impl Search for FlatIndex {
    fn search(&self, vector: &[f32], k: usize, min_score: f64, partition: u128) -> Result<Vec<Hit>, Error> {
        self.search(vector, k, min_score, partition)
    }
}

/// A question, and where its answer may lie.
#[derive(Clone)]
pub struct Lookup {
    /// What reads the text.
    pub encoder: Arc<dyn Encode>,
    /// What is searched.
    pub index: Arc<dyn Search>,
    /// The question.
    pub text: String,
    /// Its vector, where that is known.
    pub vector: Option<Arc<[f32]>>,
    /// Rows at most.
    pub k: usize,
    /// The least cosine.
    pub min_score: f64,
    /// Only its rows are compared.
    pub partition: u128,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Its vector, and the rows near it, best first.
    Near {
        /// The question's vector.
        vector: Arc<[f32]>,
        /// The rows.
        hits: Vec<Hit>,
    },
    /// It was not compared: why the encoder does not read all of it.
    Unread(String),
}

/// Why a question came to nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The encoder or the index refused it.
    Core(Error),
    /// The encoder or the index panicked, which is a defect of theirs.
    Panicked(String),
    /// The worker's owner went before the question's turn came.
    Dropped,
    /// It could not be begun in time.
    Late,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "looking for a near question panicked: {message}; please report it"),
            Self::Late => f.write_str("too many lookups wait for the encoder to begin this one in time"),
            Self::Dropped => f.write_str("the cache was dropped before the question's turn came"),
        }
    }
}

impl std::error::Error for Failure {}

/// What comes back over the bridge.
pub type Outcome = Result<Found, Failure>;

/// A text's vector, or why it is not to be compared.
type Reading = Result<std::result::Result<Arc<[f32]>, String>, Failure>;

/// The answers to `lookups`, one each and in their order. What fails or panics fails alone.
///
/// A text that several ask is encoded once.
pub fn answer(lookups: &[Lookup]) -> Vec<Outcome> {
    let mut read: Vec<(&Lookup, Reading)> = Vec::new();
    for lookup in lookups.iter().filter(|lookup| lookup.vector.is_none()) {
        if !read.iter().any(|(known, _)| asks_the_same(known, lookup)) {
            read.push((lookup, guarded(|| lookup.encoder.encode(&lookup.text)).map(|read| read.map(Arc::from))));
        }
    }
    let reading = |lookup: &Lookup| read.iter().find(|(known, _)| asks_the_same(known, lookup)).map(|(_, read)| read);
    lookups
        .iter()
        .map(|lookup| match (&lookup.vector, reading(lookup)) {
            (Some(vector), _) | (None, Some(Ok(Ok(vector)))) => near(lookup, vector),
            (None, Some(Ok(Err(why)))) => Ok(Found::Unread(why.clone())),
            (None, Some(Err(failure))) => Err(failure.clone()),
            (None, None) => unreachable!("a text without a vector is among those that were read"),
        })
        .collect()
}

/// Whether two lookups need the same vector.
pub fn asks_the_same(one: &Lookup, other: &Lookup) -> bool {
    Arc::as_ptr(&one.encoder).cast::<()>() == Arc::as_ptr(&other.encoder).cast::<()>() && one.text == other.text
}

fn near(lookup: &Lookup, vector: &Arc<[f32]>) -> Outcome {
    let search = || lookup.index.search(vector, lookup.k, lookup.min_score, lookup.partition);
    let hits = apart(|| guarded(search))?;
    Ok(Found::Near { vector: Arc::clone(vector), hits })
}

/// What `work` returns, its panic made an error. What it works on is whole between any two statements that can panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Failure::Core),
        Err(panic) => Err(Failure::Panicked(message(&*panic))),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use llmfast_core::ErrorKind;

    use super::*;
    use crate::sync::lock;

    /// Makes a vector of a text's length, and remembers what it was asked.
    #[derive(Default)]
    pub(crate) struct Lengths {
        pub(crate) calls: Mutex<Vec<String>>,
    }

    impl Encode for Lengths {
        fn encode(&self, text: &str) -> Result<std::result::Result<Vec<f32>, String>, Error> {
            lock(&self.calls).push(text.to_owned());
            assert!(text != "panic", "asked to");
            match text {
                "refuse" => Err(Error::new(ErrorKind::InvalidText, "refused")),
                _ if text.contains('?') => Ok(Err("it has a question mark".to_owned())),
                _ => Ok(Ok(vec![1.0, text.len() as f32])),
            }
        }
    }

    /// Finds the row whose id is the second component, in any partition but 13.
    pub(crate) struct Echo;

    impl Search for Echo {
        fn search(&self, vector: &[f32], _k: usize, min_score: f64, partition: u128) -> Result<Vec<Hit>, Error> {
            assert!(partition != 13, "an unlucky partition");
            Ok(vec![Hit { id: vector[1] as u64, score: min_score }])
        }
    }

    pub(crate) fn lookup(encoder: &Arc<Lengths>, text: &str) -> Lookup {
        Lookup {
            encoder: Arc::clone(encoder) as Arc<dyn Encode>,
            index: Arc::new(Echo),
            text: text.to_owned(),
            vector: None,
            k: 1,
            min_score: 0.5,
            partition: 0,
        }
    }

    /// The id that was found, or what came instead.
    pub(crate) fn told(outcome: &Outcome) -> String {
        match outcome {
            Ok(Found::Near { hits, .. }) => hits[0].id.to_string(),
            Ok(Found::Unread(why)) => why.clone(),
            Err(failure) => failure.to_string(),
        }
    }

    fn ask(texts: &[&str]) -> (Vec<String>, Vec<String>) {
        let encoder = Arc::new(Lengths::default());
        let lookups: Vec<_> = texts.iter().map(|text| lookup(&encoder, text)).collect();
        let told = answer(&lookups).iter().map(told).collect();
        let calls = lock(&encoder.calls).clone();
        (told, calls)
    }

    #[test]
    fn each_question_gets_its_own_answer() {
        assert_eq!(
            ask(&["a", "bb", "ccc"]),
            (["1", "2", "3"].map(String::from).to_vec(), ["a", "bb", "ccc"].map(String::from).to_vec())
        );
        assert!(answer(&[]).is_empty());
    }

    #[test]
    fn equal_texts_are_encoded_once() {
        let (told, calls) = ask(&["a", "bb", "a", "a"]);
        assert_eq!(told, ["1", "2", "1", "1"]);
        assert_eq!(calls, ["a", "bb"]);
    }

    #[test]
    fn a_text_that_is_not_read_whole_is_not_searched_for() {
        assert_eq!(ask(&["what?", "a"]).0, ["it has a question mark", "1"]);
        let encoder = Arc::new(Lengths::default());
        // A search in this partition would panic.
        assert_eq!(
            told(&answer(&[Lookup { partition: 13, ..lookup(&encoder, "what?") }])[0]),
            "it has a question mark"
        );
    }

    #[test]
    fn each_encoder_makes_its_own_vector() {
        let encoders = [Arc::<Lengths>::default(), Arc::default()];
        let outcomes = answer(&[lookup(&encoders[0], "a"), lookup(&encoders[1], "a")]);
        assert_eq!(outcomes.iter().map(told).collect::<Vec<_>>(), ["1", "1"]);
        assert!(encoders.iter().all(|encoder| *lock(&encoder.calls) == ["a"]));
    }

    #[test]
    fn what_fails_fails_alone() {
        for (bad, why) in [("refuse", "refused"), ("panic", "panicked: asked to")] {
            let (told, _) = ask(&["a", bad, "bb"]);
            assert_eq!((told[0].as_str(), told[2].as_str()), ("1", "2"));
            assert!(told[1].contains(why), "{}", told[1]);
        }
    }

    #[test]
    fn a_search_that_panics_fails_alone() {
        let encoder = Arc::new(Lengths::default());
        let lookups = [Lookup { partition: 13, ..lookup(&encoder, "a") }, lookup(&encoder, "a")];
        let outcomes = answer(&lookups);
        assert!(told(&outcomes[0]).contains("unlucky"));
        assert_eq!(told(&outcomes[1]), "1");
    }

    #[test]
    fn a_vector_that_is_known_is_not_made_again() {
        let encoder = Arc::new(Lengths::default());
        let known = Lookup { vector: Some(Arc::from([1.0, 7.0])), ..lookup(&encoder, "a") };
        assert_eq!(told(&answer(&[known])[0]), "7");
        assert!(lock(&encoder.calls).is_empty());
    }
}
