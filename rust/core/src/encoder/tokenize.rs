//! Text to token ids.

use std::borrow::Cow;
use std::fmt::Debug;
use std::path::Path;

use tokenizers::models::ModelWrapper;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::tokenizer::Tokenizer as Inner;

use super::ascii::Ascii;
use super::config;
use crate::error::{Error, ErrorKind, Result};

/// Bytes of a text that are tokenized at once. The tokenizer keeps some hundred bytes for each of them.
const PIECE: usize = 8 * 1024;
/// Letters or spaces in a row that are kept of a long text.
const RUN: usize = 200;

/// What happens to a text of more tokens than are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlong {
    /// The tokens beyond are left out.
    Cut,
    /// It is an error.
    Refuse,
}

/// A BERT tokenizer, without the padding and the truncation that its file may ask for.
#[derive(Debug)]
pub(super) struct Tokenizer {
    inner: Inner,
    /// The short way for texts in ASCII, if the tokenizer is one that it is known for.
    ascii: Option<Ascii>,
    /// `[CLS]`, `[SEP]`.
    frame: [u32; 2],
    max_tokens: usize,
    /// Stands for every word that is not in the vocabulary.
    unknown: Option<u32>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`; also returns its hash.
    pub(super) fn open(folder: &Path, max_tokens: usize, vocabulary: usize) -> Result<(Self, String)> {
        let path = folder.join("tokenizer.json");
        let bytes = config::read(&path)?;
        let corrupt = |why: String| config::corrupt(&path, &why);
        let mut inner = Inner::from_bytes(&bytes).map_err(|error| corrupt(error.to_string()))?;
        let (model, normalizer) = require_bert(&inner)?;
        let unknown = inner.token_to_id(&model.unk_token);
        let ascii = Ascii::of(&inner, model, normalizer);
        require_case(folder, &inner)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| corrupt(error.to_string()))?;
        if inner.get_vocab(true).values().any(|id| *id as usize >= vocabulary) {
            return Err(corrupt(format!("a token's id is not below {vocabulary}")));
        }
        let frame = inner.encode_fast("", true).map_err(|error| corrupt(error.to_string()))?;
        let frame =
            frame.get_ids().try_into().map_err(|_| corrupt("it adds other tokens than one on each side".into()))?;
        Ok((Self { inner, ascii, frame, max_tokens, unknown }, blake3::hash(&bytes).to_hex().to_string()))
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The ids of a text between `[CLS]` and `[SEP]`, `max_tokens` at most; an overlong text is cut or refused.
    pub(super) fn ids(&self, text: &str, overlong: Overlong) -> Result<Vec<u32>> {
        let mut ids = vec![self.frame[0]];
        for piece in pieces(text) {
            self.append(&piece, &mut ids)?;
            if ids.len() >= self.max_tokens {
                break;
            }
        }
        if overlong == Overlong::Refuse && ids.len() >= self.max_tokens {
            let message = format!("expected at most {} tokens, got {}", self.max_tokens, self.count(text)?);
            return Err(Error::new(ErrorKind::TextTooLong, message));
        }
        ids.truncate(self.max_tokens - 1);
        ids.push(self.frame[1]);
        Ok(ids)
    }

    /// How many ids a text has with `[CLS]` and `[SEP]`, uncut.
    pub(super) fn count(&self, text: &str) -> Result<usize> {
        let mut ids = Vec::new();
        pieces(text).try_fold(self.frame.len(), |count, piece| {
            ids.clear();
            self.append(&piece, &mut ids)?;
            Ok(count + ids.len())
        })
    }

    /// The ids of a text, or why it may look like others that it is not: words that are not known all look the same, and
    /// what is past the last token is not looked at.
    pub(super) fn whole(&self, text: &str) -> Result<std::result::Result<Vec<u32>, String>> {
        let (mut tokens, mut unknown, mut ids) = (self.frame.len(), 0, vec![self.frame[0]]);
        for piece in pieces(text) {
            let before = ids.len();
            self.append(&piece, &mut ids)?;
            tokens += ids.len() - before;
            unknown += ids[before..].iter().filter(|id| Some(**id) == self.unknown).count();
            if tokens > self.max_tokens {
                // From here on they are only counted.
                ids.clear();
            }
        }
        ids.push(self.frame[1]);
        Ok(if tokens > self.max_tokens {
            Err(format!("the text has {tokens} tokens, and the encoder reads {}", self.max_tokens))
        } else if unknown > 0 {
            Err(format!("the text has {unknown} words or signs that the encoder does not know"))
        } else {
            Ok(ids)
        })
    }

    /// Adds the ids of a piece of text.
    fn append(&self, piece: &str, ids: &mut Vec<u32>) -> Result<()> {
        if self.ascii.as_ref().is_some_and(|ascii| ascii.append(piece, ids)) {
            return Ok(());
        }
        let refused = |error| Error::new(ErrorKind::InvalidText, format!("the tokenizer refuses the text: {error}"));
        ids.extend_from_slice(self.inner.encode_fast(piece, false).map_err(refused)?.get_ids());
        Ok(())
    }
}

/// Vocabulary and normalizer of a tokenizer; those for which [`pieces`] is not known to be right are refused.
fn require_bert(inner: &Inner) -> Result<(&WordPiece, BertNormalizer)> {
    let other = |part: &str, got: &dyn Debug| {
        let got = format!("{got:?}");
        let name = got.trim_start_matches("Some(").split(['(', ' ', '{']).next().unwrap_or_default();
        Err(config::unsupported(&format!("a tokenizer with the {part} {name}")))
    };
    let ModelWrapper::WordPiece(model) = inner.get_model() else { return other("model", inner.get_model()) };
    let Some(NormalizerWrapper::BertNormalizer(normalizer)) = inner.get_normalizer() else {
        return other("normalizer", &inner.get_normalizer());
    };
    if !matches!(inner.get_pre_tokenizer(), Some(PreTokenizerWrapper::BertPreTokenizer(_))) {
        return other("pre_tokenizer", &inner.get_pre_tokenizer());
    }
    if model.max_input_chars_per_word < RUN {
        Ok((model, *normalizer))
    } else {
        Err(config::unsupported(&format!("a tokenizer of words up to {}", model.max_input_chars_per_word)))
    }
}

/// Refuses a tokenizer that reads the case of texts which sentence-transformers lowers before.
fn require_case(folder: &Path, inner: &Inner) -> Result<()> {
    match inner.get_normalizer() {
        Some(NormalizerWrapper::BertNormalizer(normalizer))
            if !normalizer.lowercase && config::lowers_case(folder)? =>
        {
            Err(config::unsupported("a model with do_lower_case and a tokenizer that reads case"))
        }
        _ => Ok(()),
    }
}

/// Splits a text where the tokenizer would split it anyway, so that its tokens are those of the pieces in a row.
///
/// A piece ends before a space, one of `.,;:!?` or a Chinese character. BERT's pre-tokenizer ends a word there, no special
/// token such as `[SEP]` holds one of them, and combining marks, which its normalizer looks at, belong to what precedes
/// them. Long runs of letters or spaces are shortened to 200: a word of more than 100 is unknown as a whole, and spaces
/// only part words. What other characters there are in a row without such an end is one piece.
fn pieces(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, tail) = split(rest);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

fn split(text: &str) -> (Cow<'_, str>, &str) {
    if text.len() <= PIECE {
        return (Cow::Borrowed(text), "");
    }
    let mut piece = String::with_capacity(PIECE + RUN);
    let (mut run, mut kind) = (0, Kind::Other);
    for (at, character) in text.char_indices() {
        let now = Kind::of(character);
        if piece.len() >= PIECE && ends_word(character) {
            return (Cow::Owned(piece), &text[at..]);
        }
        run = if now == kind { run + 1 } else { 1 };
        kind = now;
        if kind == Kind::Other || run <= RUN {
            piece.push(character);
        }
    }
    (Cow::Owned(piece), "")
}

/// What runs of a character are shortened as.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Space,
    Letter,
    Other,
}

impl Kind {
    /// Letters are those of the common alphabets alone, which the normalizer turns into one letter or more each.
    fn of(character: char) -> Self {
        match character {
            ' ' | '\n' | '\t' | '\r' => Self::Space,
            _ if character.is_ascii_alphanumeric() => Self::Letter,
            'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ſ' | 'А'..='я' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '가'..='힣' => {
                Self::Letter
            }
            _ => Self::Other,
        }
    }
}

fn ends_word(character: char) -> bool {
    matches!(character, ' ' | '\n' | '\t' | '\r' | '.' | ',' | ';' | ':' | '!' | '?' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use super::{RUN, pieces};

    #[test]
    fn pieces_are_the_text_and_end_where_words_end() {
        let word = "é".repeat(150);
        let text = format!("{word} {word},{word}\n").repeat(40);
        let parts: Vec<_> = pieces(&text).collect();
        assert_eq!(parts.concat(), text);
        assert!(parts.len() > 3);
        assert!(parts[1..].iter().all(|part| part.starts_with([' ', ',', '\n'])));
        assert_eq!(pieces("").count(), 0);
    }

    #[test]
    fn runs_are_shortened_in_long_texts_alone() {
        for run in ["x", "é", " ", "я", "ァ"] {
            assert_eq!(pieces(&run.repeat(100_000)).collect::<String>(), run.repeat(RUN));
            assert_eq!(pieces(&run.repeat(1_000)).collect::<String>(), run.repeat(1_000));
        }
        let chinese = "中".repeat(10_000);
        assert!(pieces(&chinese).count() > 3);
        assert_eq!(pieces(&chinese).collect::<String>(), chinese);
    }
}
