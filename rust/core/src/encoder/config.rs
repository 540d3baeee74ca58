//! What a model's folder says about the model.

use std::fmt;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// The sizes that make one BERT differ from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub layers: usize,
    pub hidden: usize,
    pub heads: usize,
    pub feed_forward: usize,
    pub vocabulary: usize,
    pub positions: usize,
    pub types: usize,
    pub epsilon: f32,
}

impl Shape {
    pub(super) const MINILM_L6: Self = Self {
        layers: 6,
        hidden: 384,
        heads: 12,
        feed_forward: 1536,
        vocabulary: 30_522,
        positions: 512,
        types: 2,
        epsilon: 1e-12,
    };
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} layers, hidden size {}, {} heads, feed-forward {}, vocabulary {}, {} positions, {} token types, \
             layer norm epsilon {:e}",
            self.layers,
            self.hidden,
            self.heads,
            self.feed_forward,
            self.vocabulary,
            self.positions,
            self.types,
            self.epsilon
        )
    }
}

/// Reads `config.json`.
pub(super) fn shape(folder: &Path) -> Result<Shape> {
    let path = folder.join("config.json");
    let config = json(&path)?;
    for (key, supported) in [("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")] {
        let default = if key == "position_embedding_type" { supported } else { "unknown" };
        let got = config.get(key).and_then(Value::as_str).unwrap_or(default);
        if got != supported {
            return Err(unsupported(&format!("a model with {key} {got:?}")));
        }
    }
    let size = |key: &str| {
        let value = config.get(key).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok());
        value.filter(|value| *value > 0).ok_or_else(|| corrupt(&path, &format!("it has no size {key}")))
    };
    let shape = Shape {
        layers: size("num_hidden_layers")?,
        hidden: size("hidden_size")?,
        heads: size("num_attention_heads")?,
        feed_forward: size("intermediate_size")?,
        vocabulary: size("vocab_size")?,
        positions: size("max_position_embeddings")?,
        types: size("type_vocab_size")?,
        epsilon: config.get("layer_norm_eps").and_then(Value::as_f64).unwrap_or(1e-12) as f32,
    };
    if shape.hidden.is_multiple_of(shape.heads) { Ok(shape) } else { Err(unsupported(&shape.to_string())) }
}

/// Refuses every shape but one.
pub(super) fn require(shape: &Shape, supported: &Shape) -> Result<()> {
    if shape == supported { Ok(()) } else { Err(unsupported(&format!("a bert with {shape}"))) }
}

/// Refuses a folder that says that its vectors are not the mean over the tokens.
pub(super) fn require_mean_pooling(folder: &Path) -> Result<()> {
    let path = folder.join("1_Pooling").join("config.json");
    if !path.exists() {
        return Ok(());
    }
    let mean = json(&path)?.get("pooling_mode_mean_tokens").and_then(Value::as_bool);
    if mean == Some(true) { Ok(()) } else { Err(unsupported("a model without mean pooling")) }
}

/// Reads the number of tokens after which a text is cut from `sentence_bert_config.json`.
pub(super) fn max_tokens(folder: &Path, shape: &Shape) -> Result<usize> {
    let path = folder.join("sentence_bert_config.json");
    let max = json(&path)?.get("max_seq_length").and_then(Value::as_u64).unwrap_or(0) as usize;
    if (3..=shape.positions).contains(&max) {
        return Ok(max);
    }
    Err(corrupt(&path, &format!("expected max_seq_length of 3 to {}, got {max}", shape.positions)))
}

/// Reads a file of the model; one that is not there means that the model is not there.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

fn json(path: &Path) -> Result<Value> {
    serde_json::from_slice(&read(path)?).map_err(|error| corrupt(path, &error.to_string()))
}

/// The error for a file that cannot be opened.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Error::new(ErrorKind::EncoderNotFound, format!("the model has no file {}", path.display()))
        }
        _ => Error::new(ErrorKind::Io, format!("cannot read {}: {error}", path.display())),
    }
}

/// The error for a file whose content makes no sense.
pub(super) fn corrupt(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::CorruptFile, format!("{} is damaged: {why}", path.display()))
}

/// The error for a model that is another one.
pub(super) fn unsupported(what: &str) -> Error {
    let supported = Shape::MINILM_L6;
    let message = format!("{what} is not supported; supported: all-MiniLM-L6-v2, a bert with gelu, {supported}");
    Error::new(ErrorKind::UnsupportedModel, message)
}
