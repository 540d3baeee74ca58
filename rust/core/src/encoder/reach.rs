//! How large the inputs of linear layers get, remembered from one process to the next: to see it takes longer than to load.
//!
//! A file for each model lies beside the memo of SHA-256s: a checksum, then a number for each component of each input. It is
//! found by the hash of all that decides its content. A file that is not as it was written counts for nothing, and one that
//! cannot be written costs the next process the same time again.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::config::Shape;
use super::{calibration, config, memo};
use crate::error::Result;

/// The largest magnitude of each component of the four linear layers' inputs, layer by layer.
pub(super) type Reaches = Vec<[Vec<f32>; 4]>;

/// Changes when the numbers would be others for the same weights, tokenizer and texts.
const VERSION: &str = "llmfast reaches 1";
/// Bytes of the checksum.
const CHECK: usize = 32;

/// The file for the weights with this SHA-256 and the tokenizer in `folder`, beside `memo`.
pub(super) fn place(memo: &Path, folder: &Path, sha256: &str, shape: &Shape, max_tokens: usize) -> Result<PathBuf> {
    let mut hasher = blake3::Hasher::new();
    let tokenizer = blake3::hash(&config::read(&folder.join("tokenizer.json"))?).to_hex();
    let (shape, max_tokens) = (shape.to_string(), max_tokens.to_string());
    for part in [VERSION, sha256, &tokenizer, &shape, &max_tokens].into_iter().chain(calibration::TEXTS) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    Ok(memo.with_file_name(format!("reach-{}", &hasher.finalize().to_hex()[..32])))
}

/// What a file remembers; None when it is not there or not as it was written.
pub(super) fn recall(place: &Path, shape: &Shape) -> Option<Reaches> {
    let widths = [shape.hidden, shape.hidden, shape.hidden, shape.feed_forward];
    let length = CHECK + size_of::<f32>() * shape.layers * widths.iter().sum::<usize>();
    let mut bytes = Vec::new();
    File::open(place).ok()?.take(length as u64 + 1).read_to_end(&mut bytes).ok()?;
    let (check, values) = bytes.split_at_checked(CHECK)?;
    if bytes.len() != length || *check != *blake3::hash(values).as_bytes() {
        return None;
    }
    let mut values = values.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
    Some((0..shape.layers).map(|_| widths.map(|width| values.by_ref().take(width).collect())).collect())
}

/// Writes what [`recall`] reads.
pub(super) fn remember(place: &Path, reaches: &Reaches) {
    let values: Vec<u8> = reaches.iter().flatten().flatten().flat_map(|x| x.to_le_bytes()).collect();
    // A folder that cannot be written to costs the next process time, no more.
    let _ = memo::replace(place, &[blake3::hash(&values).as_bytes(), &*values].concat());
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::encoder::tests::TempFolder;

    const SHAPE: Shape = Shape { layers: 2, hidden: 3, feed_forward: 5, ..Shape::MINILM_L6 };

    fn some() -> Reaches {
        let list = |start: usize, width: usize| (start..start + width).map(|x| x as f32 / 3.0).collect();
        (0..SHAPE.layers).map(|layer| [3, 3, 3, 5].map(|width| list(layer * 7 + width, width))).collect()
    }

    #[test]
    fn it_comes_back_as_it_was() {
        let folder = TempFolder::new();
        let place = folder.0.join("cache").join("reach");
        assert_eq!(recall(&place, &SHAPE), None);
        remember(&place, &some());
        assert_eq!(recall(&place, &SHAPE), Some(some()));
        let other = Shape { layers: 3, ..SHAPE };
        assert_eq!(recall(&place, &other), None, "of another shape");
    }

    #[test]
    fn a_damaged_file_counts_for_nothing() {
        let folder = TempFolder::new();
        let place = folder.0.join("reach");
        remember(&place, &some());
        let good = fs::read(&place).unwrap();
        for at in 0..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            fs::write(&place, &damaged).unwrap();
            assert_eq!(recall(&place, &SHAPE), None, "byte {at}");
        }
        for content in [&good[..0], &good[..10], &good[..good.len() - 1], &[&good[..], b"x"].concat()] {
            fs::write(&place, content).unwrap();
            assert_eq!(recall(&place, &SHAPE), None, "{} bytes", content.len());
        }
    }

    #[test]
    fn another_model_or_tokenizer_has_another_place() {
        let folder = TempFolder::new();
        let memo = folder.0.join("memo");
        fs::write(folder.0.join("tokenizer.json"), "1").unwrap();
        let place = |sha256: &str, max_tokens| place(&memo, &folder.0, sha256, &SHAPE, max_tokens).unwrap();
        let first = place("a", 256);
        assert_eq!(first, place("a", 256));
        assert!(first != place("b", 256) && first != place("a", 128));
        fs::write(folder.0.join("tokenizer.json"), "2").unwrap();
        assert_ne!(first, place("a", 256));
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_no_error() {
        let folder = TempFolder::new();
        fs::write(folder.0.join("cache"), "a file where the folder would be").unwrap();
        remember(&folder.0.join("cache").join("reach"), &some());
    }
}
