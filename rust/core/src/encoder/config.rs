//! What a model's folder says about the model.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// Where sentence-transformers says how many tokens of a text are read.
const SENTENCE_CONFIG: &str = "sentence_bert_config.json";

/// How the vectors of a text's tokens become the one of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token, `[CLS]`.
    Cls,
}

impl Pooling {
    /// The pooling called "mean" or "cls".
    ///
    /// # Errors
    ///
    /// `Config` for another name.
    pub fn by_name(name: &str) -> Result<Self> {
        let message = || format!("expected pooling to be one of mean, cls, got {name:?}");
        Self::known(name).ok_or_else(|| Error::new(ErrorKind::Config, message()))
    }

    /// "mean" or "cls".
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
        }
    }

    fn known(name: &str) -> Option<Self> {
        [Self::Mean, Self::Cls].into_iter().find(|pooling| pooling.name() == name)
    }
}

/// What makes one BERT differ from another, beside its weights.
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
    pub pooling: Pooling,
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
        pooling: Pooling::Mean,
    };
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} layers, hidden size {}, {} heads, feed-forward {}, vocabulary {}, {} positions, {} token types, \
             layer norm epsilon {:e}, {} pooling",
            self.layers,
            self.hidden,
            self.heads,
            self.feed_forward,
            self.vocabulary,
            self.positions,
            self.types,
            self.epsilon,
            self.pooling.name()
        )
    }
}

/// Inputs of a layer at most: what sums of whole numbers are made for.
const WIDEST: usize = 1 << 16;

/// Reads `config.json`.
pub(super) fn shape(folder: &Path, pooling: Pooling) -> Result<Shape> {
    let path = folder.join("config.json");
    let config = json(&path)?;
    require_bert(&config)?;
    let size = |key: &str| {
        let value = config.get(key).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok());
        // No size of a model is larger, and products of a few of them do not overflow.
        let sensible = value.filter(|value| (1..1 << 20).contains(value));
        sensible.ok_or_else(|| corrupt(&path, &format!("it has no size {key}")))
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
        pooling,
    };
    if shape.hidden.max(shape.feed_forward) > WIDEST {
        return Err(unsupported(&format!("a layer with more than {WIDEST} inputs: a bert with {shape}")));
    }
    if shape.hidden.is_multiple_of(shape.heads) { Ok(shape) } else { Err(unsupported(&format!("a bert with {shape}"))) }
}

/// Refuses what is computed in another way; what is not said is what transformers takes then.
fn require_bert(config: &Value) -> Result<()> {
    for (key, default, supported) in [
        ("model_type", "unknown", "bert"),
        ("hidden_act", "gelu", "gelu"),
        ("position_embedding_type", "absolute", "absolute"),
    ] {
        let got = config.get(key).filter(|value| !value.is_null());
        if got.map_or(default, |value| value.as_str().unwrap_or_default()) != supported {
            let got = got.map_or_else(|| "unknown".into(), Value::to_string);
            return Err(unsupported(&format!("a model with {key} {got}")));
        }
    }
    if config.get("is_decoder").and_then(Value::as_bool) == Some(true) {
        return Err(unsupported("a model with is_decoder true"));
    }
    match config.get("auto_map") {
        // Whatever its type says, the model is then what a Python file computes.
        Some(value) if !value.is_null() => Err(unsupported("a model with code of its own (auto_map)")),
        _ => Ok(()),
    }
}

/// Refuses every shape but that of all-MiniLM-L6-v2.
pub(super) fn require_minilm(shape: &Shape) -> Result<()> {
    if *shape == Shape::MINILM_L6 {
        return Ok(());
    }
    let message = format!(
        "a bert with {shape} is not all-MiniLM-L6-v2, which has {}; BertEncoder opens other models",
        Shape::MINILM_L6
    );
    Err(Error::new(ErrorKind::UnsupportedModel, message))
}

/// Reads how token vectors become one: from the file that `modules.json` names, else `1_Pooling/config.json`. None when
/// there is no such file.
pub(super) fn pooling(folder: &Path) -> Result<Option<Pooling>> {
    let path = pooling_folder(folder)?.join("config.json");
    if !path.exists() {
        return Ok(None);
    }
    let config = json(&path)?;
    let modes = match config.get("pooling_mode") {
        Some(Value::String(mode)) => vec![mode.as_str()],
        Some(Value::Array(modes)) => modes.iter().map(|mode| mode.as_str().unwrap_or("unknown")).collect(),
        // A true for each mode, as it was before sentence-transformers 6.
        _ => MODES.into_iter().filter(|(key, _)| config[*key] == true).map(|(_, mode)| mode).collect(),
    };
    match modes[..] {
        [mode] if Pooling::known(mode).is_some() => Ok(Pooling::known(mode)),
        _ => Err(unsupported(&format!("a model with pooling {:?}", modes.join(" and ")))),
    }
}

/// What sentence-transformers called its ways of pooling, and calls them now.
const MODES: [(&str, &str); 6] = [
    ("pooling_mode_cls_token", "cls"),
    ("pooling_mode_max_tokens", "max"),
    ("pooling_mode_mean_tokens", "mean"),
    ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
    ("pooling_mode_weightedmean_tokens", "weightedmean"),
    ("pooling_mode_lasttoken", "lasttoken"),
];

/// Where the pooling is described; a model with modules that change its vectors in other ways is refused.
fn pooling_folder(folder: &Path) -> Result<PathBuf> {
    let (mut found, path) = (folder.join("1_Pooling"), folder.join("modules.json"));
    if !path.exists() {
        return Ok(found);
    }
    let modules = json(&path)?;
    for module in modules.as_array().ok_or_else(|| corrupt(&path, "it is not a list"))? {
        let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("type").rsplit('.').next().unwrap_or_default() {
            "Transformer" | "Normalize" => {}
            "Pooling" => found = folder.join(text("path")),
            other => return Err(unsupported(&format!("a model with a module {other:?} in modules.json"))),
        }
    }
    Ok(found)
}

/// Refuses a model whose texts get a beginning that is not in them.
pub(super) fn require_no_prompt(folder: &Path) -> Result<()> {
    let path = folder.join("config_sentence_transformers.json");
    if !path.exists() {
        return Ok(());
    }
    match &json(&path)?["default_prompt_name"] {
        Value::Null => Ok(()),
        name => Err(unsupported(&format!("a model with default_prompt_name {name}"))),
    }
}

/// Refuses a folder without the number of tokens after which the published model cuts a text.
pub(super) fn require_stated_limit(folder: &Path) -> Result<()> {
    let path = folder.join(SENTENCE_CONFIG);
    if json(&path)?["max_seq_length"].is_u64() { Ok(()) } else { Err(corrupt(&path, "it has no max_seq_length")) }
}

/// Whether the case of texts is lowered before they reach the tokenizer.
pub(super) fn lowers_case(folder: &Path) -> Result<bool> {
    let path = folder.join(SENTENCE_CONFIG);
    Ok(path.exists() && json(&path)?["do_lower_case"] == true)
}

/// Reads the number of tokens after which a text is cut: from `sentence_bert_config.json`, else from
/// `tokenizer_config.json`, where it may be more than there are positions, else it is that of the positions.
pub(super) fn max_tokens(folder: &Path, shape: &Shape) -> Result<usize> {
    let stated = |name: &str, key: &str| {
        let path = folder.join(name);
        let number = if path.exists() { json(&path)?[key].as_f64() } else { None };
        // A number that is too large becomes the largest.
        Ok::<_, Error>(number.map(|number| (path, number as usize)))
    };
    if let Some((path, max)) = stated(SENTENCE_CONFIG, "max_seq_length")? {
        return check_limit(&path, max, shape);
    }
    match stated("tokenizer_config.json", "model_max_length")? {
        Some((path, max)) => check_limit(&path, max.min(shape.positions), shape),
        None => check_limit(&folder.join("config.json"), shape.positions, shape),
    }
}

fn check_limit(path: &Path, max: usize, shape: &Shape) -> Result<usize> {
    if (3..=shape.positions).contains(&max) {
        return Ok(max);
    }
    Err(corrupt(path, &format!("expected a text of 3 to {} tokens, got {max}", shape.positions)))
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
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::new(ErrorKind::EncoderNotFound, missing(path)),
        _ => Error::io("read", path, error),
    }
}

/// Says that a file of the model is not there, or that not even its folder is.
fn missing(path: &Path) -> String {
    let (folder, file) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
    if folder.is_dir() {
        return format!("the model has no file {} in {}", Path::new(file).display(), folder.display());
    }
    let why = if folder.exists() { "is no folder" } else { "does not exist" };
    format!("{} {why}: a model is named by the path of the folder that holds its files", folder.display())
}

/// The error for a file whose content makes no sense.
pub(super) fn corrupt(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::CorruptFile, format!("{} is damaged: {why}", path.display()))
}

/// The error for a model that is computed in another way.
pub(super) fn unsupported(what: &str) -> Error {
    let message = format!(
        "{what} is not supported; supported: a bert with gelu, absolute positions, a size that its heads divide, \
         BERT's WordPiece tokenizer, mean or cls pooling"
    );
    Error::new(ErrorKind::UnsupportedModel, message)
}
