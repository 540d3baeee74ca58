//! What the worker does with a question: encode, then search.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use llmfast_core::Error;
use llmfast_core::encoder::{BertEncoder, Overlong};
use llmfast_core::index::{FlatIndex, Hit};

use crate::fork::apart;

/// What turns texts into vectors.
pub trait Encode: Send + Sync {
    /// Components of a vector.
    fn dim(&self) -> usize;

    /// Why a text may get the vector of another text that it is not; None if the whole text is read.
    ///
    /// # Errors
    ///
    /// Those of the tokenizer, which refuses the text.
    fn unread(&self, text: &str) -> Result<Option<String>, Error>;

    /// The vectors of `texts`, one after the other.
    ///
    /// # Errors
    ///
    /// Those of the tokenizer, which refuses one of the texts.
    fn encode(&self, texts: &[&str]) -> Result<Vec<f32>, Error>;
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
    fn dim(&self) -> usize {
        self.dim()
    }

    fn unread(&self, text: &str) -> Result<Option<String>, Error> {
        self.unread(text)
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<f32>, Error> {
        self.encode(texts, Overlong::Cut)
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
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "looking for a near question panicked: {message}; please report it"),
            Self::Dropped => f.write_str("the cache was dropped before the question's turn came"),
        }
    }
}

impl std::error::Error for Failure {}

/// What comes back over the bridge.
pub type Outcome = Result<Found, Failure>;

enum Reading {
    Vector(Arc<[f32]>),
    Unread(String),
}

/// The answers to `lookups`, which all have the encoder of the first, one each and in their order.
///
/// A text that several ask is encoded once. What fails or panics fails alone: texts that cannot be encoded together are
/// encoded one by one.
pub fn answer(lookups: &[Lookup]) -> Vec<Outcome> {
    let mut texts: Vec<&str> = Vec::new();
    for lookup in lookups.iter().filter(|lookup| lookup.vector.is_none()) {
        if !texts.contains(&lookup.text.as_str()) {
            texts.push(&lookup.text);
        }
    }
    let readings = lookups.first().map(|first| read(&*first.encoder, &texts)).unwrap_or_default();
    let reading = |text: &str| texts.iter().position(|known| *known == text).map(|at| &readings[at]);
    lookups
        .iter()
        .map(|lookup| match (&lookup.vector, reading(&lookup.text)) {
            (Some(vector), _) | (None, Some(Ok(Reading::Vector(vector)))) => near(lookup, vector),
            (None, Some(Ok(Reading::Unread(why)))) => Ok(Found::Unread(why.clone())),
            (None, Some(Err(failure))) => Err(failure.clone()),
            (None, None) => unreachable!("a text without a vector is among those that were read"),
        })
        .collect()
}

fn near(lookup: &Lookup, vector: &Arc<[f32]>) -> Outcome {
    let search = || lookup.index.search(vector, lookup.k, lookup.min_score, lookup.partition);
    let hits = apart(|| guarded(search))?;
    Ok(Found::Near { vector: Arc::clone(vector), hits })
}

fn read(encoder: &dyn Encode, texts: &[&str]) -> Vec<Result<Reading, Failure>> {
    let unread: Vec<_> = texts.iter().map(|text| guarded(|| encoder.unread(text))).collect();
    let whole: Vec<&str> =
        texts.iter().zip(&unread).filter(|(_, unread)| matches!(unread, Ok(None))).map(|(text, _)| *text).collect();
    let mut vectors = encode(encoder, &whole).into_iter();
    let readings = unread.into_iter().map(|unread| match unread? {
        Some(why) => Ok(Reading::Unread(why)),
        None => vectors.next().expect("a vector for each text that is read").map(Reading::Vector),
    });
    readings.collect()
}

fn encode(encoder: &dyn Encode, texts: &[&str]) -> Vec<Result<Arc<[f32]>, Failure>> {
    if texts.is_empty() {
        return Vec::new();
    }
    match guarded(|| encoder.encode(texts)) {
        Ok(vectors) => vectors.chunks_exact(encoder.dim()).map(|vector| Ok(Arc::from(vector))).collect(),
        Err(failure) if texts.len() == 1 => vec![Err(failure)],
        Err(_) => texts.iter().flat_map(|text| encode(encoder, &[text])).collect(),
    }
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
        pub(crate) calls: Mutex<Vec<Vec<String>>>,
    }

    impl Encode for Lengths {
        fn dim(&self) -> usize {
            2
        }

        fn unread(&self, text: &str) -> Result<Option<String>, Error> {
            Ok(text.contains('?').then(|| "it has a question mark".to_owned()))
        }

        fn encode(&self, texts: &[&str]) -> Result<Vec<f32>, Error> {
            lock(&self.calls).push(texts.iter().map(|text| (*text).to_owned()).collect());
            assert!(!texts.contains(&"panic"), "asked to");
            if texts.contains(&"refuse") {
                return Err(Error::new(ErrorKind::InvalidText, "refused"));
            }
            Ok(texts.iter().flat_map(|text| [1.0, text.len() as f32]).collect())
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

    fn ask(texts: &[&str]) -> (Vec<String>, Vec<Vec<String>>) {
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
            (vec!["1".into(), "2".into(), "3".into()], vec![vec!["a".into(), "bb".into(), "ccc".into()]])
        );
        assert!(answer(&[]).is_empty());
    }

    #[test]
    fn equal_texts_are_encoded_once() {
        let (told, calls) = ask(&["a", "bb", "a", "a"]);
        assert_eq!(told, ["1", "2", "1", "1"]);
        assert_eq!(calls, [["a", "bb"]]);
    }

    #[test]
    fn a_text_that_is_not_read_whole_is_not_encoded() {
        let (told, calls) = ask(&["what?", "a"]);
        assert_eq!(told, ["it has a question mark", "1"]);
        assert_eq!(calls, [["a"]]);
        assert_eq!(ask(&["what?"]).1.len(), 0);
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
