//! What the tokenizer makes of a text in ASCII, without what it does for all others.
//!
//! BERT's normalizer, pre-tokenizer and `WordPiece` come down to this for ASCII: control characters are left out, letters are
//! lowered, punctuation stands alone, and a word is cut into the longest known pieces from its beginning on (Schuster and
//! Nakajima, Japanese and Korean Voice Search, 2012). The ids are those of the `tokenizers` crate, in a tenth of its time.
//!
//! A question takes 3.5 µs here and 35 there, 50 when the products before have emptied the caches. The ids were
//! compared for all 171,160 texts of the evaluation data, 167,552 of which go this way, and for 963 hostile ones; tests
//! compare random ones. What is not ASCII, or has a character that begins an added token (`[`), is left to the crate.

use std::collections::HashMap;
use std::fmt;

use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::tokenizer::{Model, Tokenizer};

/// The vocabulary of a tokenizer, by bytes.
pub(super) struct Ascii {
    /// Pieces that a word begins with.
    first: HashMap<Box<[u8]>, u32>,
    /// Pieces that follow, without the prefix that says so.
    next: HashMap<Box<[u8]>, u32>,
    /// Bytes of the longest piece.
    longest: usize,
    /// Letters of the longest word that is looked at.
    longest_word: usize,
    unknown: u32,
    classes: [Class; 128],
}

/// What a character is to the tokenizer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Class {
    /// Part of a word, as this byte.
    Letter(u8),
    /// A word of its own.
    Punctuation,
    Space,
    /// Left out.
    Control,
    /// May begin a token that is looked for in the text as it is.
    Added,
}

impl Ascii {
    /// The tables for a tokenizer; None if it does not clean texts, has no token for unknown words, or an added token that may
    /// begin with something else once it is normalised.
    pub(super) fn of(tokenizer: &Tokenizer, model: &WordPiece, normalizer: BertNormalizer) -> Option<Self> {
        let unknown = *normalizer.clean_text.then(|| model.get_vocab())?.get(&model.unk_token)?;
        let (mut first, mut next) = (HashMap::new(), HashMap::new());
        for (piece, id) in model.get_vocab() {
            if let Some(rest) = piece.strip_prefix(&model.continuing_subword_prefix) {
                next.insert(rest.as_bytes().into(), id);
            }
            first.insert(piece.into_bytes().into_boxed_slice(), id);
        }
        let longest = first.keys().map(|piece| piece.len()).max().unwrap_or(0);
        let longest_word = model.max_input_chars_per_word;
        let classes = classes(normalizer.lowercase, tokenizer)?;
        Some(Self { first, next, longest, longest_word, unknown, classes })
    }

    /// Adds the ids of a text; false, and nothing is added, if it is not in ASCII or may hold an added token.
    pub(super) fn append(&self, text: &str, ids: &mut Vec<u32>) -> bool {
        let class = |byte: u8| self.classes.get(usize::from(byte)).copied().unwrap_or(Class::Added);
        let start = ids.len();
        let mut word = Vec::with_capacity(self.longest_word.min(text.len()));
        for byte in text.bytes() {
            match class(byte) {
                Class::Letter(letter) => word.push(letter),
                Class::Control => {}
                Class::Space => self.cut(&mut word, ids),
                Class::Punctuation => {
                    self.cut(&mut word, ids);
                    word.push(byte);
                    self.cut(&mut word, ids);
                }
                Class::Added => {
                    ids.truncate(start);
                    return false;
                }
            }
        }
        self.cut(&mut word, ids);
        true
    }

    /// Adds the ids of a word's pieces and empties it; a word that does not come out is unknown as a whole.
    fn cut(&self, word: &mut Vec<u8>, ids: &mut Vec<u32>) {
        if word.len() > self.longest_word || !self.pieces(word, ids) {
            ids.push(self.unknown);
        }
        word.clear();
    }

    fn pieces(&self, word: &[u8], ids: &mut Vec<u32>) -> bool {
        let (start, mut at) = (ids.len(), 0);
        while at < word.len() {
            let known = if at == 0 { &self.first } else { &self.next };
            let furthest = word.len().min(at + self.longest);
            let Some((end, id)) = (at + 1..=furthest).rev().find_map(|end| Some((end, *known.get(&word[at..end])?)))
            else {
                ids.truncate(start);
                return false;
            };
            ids.push(id);
            at = end;
        }
        true
    }
}

impl fmt::Debug for Ascii {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ascii({} pieces)", self.first.len())
    }
}

fn classes(lowercase: bool, tokenizer: &Tokenizer) -> Option<[Class; 128]> {
    let mut classes = std::array::from_fn(|byte| match byte as u8 {
        b' ' | b'\t' | b'\n' | b'\r' => Class::Space,
        byte if byte.is_ascii_control() => Class::Control,
        byte if byte.is_ascii_punctuation() => Class::Punctuation,
        byte => Class::Letter(if lowercase { byte.to_ascii_lowercase() } else { byte }),
    });
    for token in tokenizer.get_added_tokens_decoder().values() {
        let first = token.content.bytes().next().filter(u8::is_ascii);
        // Those that are normalised are looked for in the text without its accents, its marks and its capitals.
        if token.normalized && !first.is_some_and(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        for byte in first.into_iter().flat_map(|byte| [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()]) {
            classes[usize::from(byte)] = Class::Added;
        }
    }
    Some(classes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::AddedToken;
    use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

    use super::*;

    /// A tokenizer whose vocabulary has pieces that are parts of each other, signs, and a token of its own.
    fn tokenizer(lowercase: bool, added: &[AddedToken]) -> Tokenizer {
        let pieces = [
            "[UNK]", "a", "ab", "abc", "B", "##a", "##b", "##bc", "##cab", "c", "7", "##7", "#", "##", "!", "'", "bab",
        ];
        let vocabulary: Vec<_> = pieces.iter().zip(0..).map(|(piece, id)| (piece.to_string(), id)).collect();
        let model = WordPiece::builder().vocab(vocabulary.into_iter().collect::<ahash::AHashMap<_, _>>());
        let model = model.unk_token("[UNK]".into()).max_input_chars_per_word(12).build().unwrap();
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, None, lowercase))).unwrap();
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        tokenizer.add_special_tokens(added.to_vec()).unwrap();
        tokenizer
    }

    fn short_way(tokenizer: &Tokenizer) -> Option<Ascii> {
        let tokenizers::ModelWrapper::WordPiece(model) = tokenizer.get_model() else { unreachable!() };
        let Some(tokenizers::NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer() else {
            unreachable!()
        };
        Ascii::of(tokenizer, model, *normalizer)
    }

    proptest! {
        #[test]
        fn ids_are_those_of_the_tokenizer(
            text in prop_oneof!["[abcABC7]{0,15}( [abcABC7]{0,15}){0,3}", "[abcAB7 !'#\\[\\]\u{0}\u{1}\u{b}\u{7f}\t\n\r]{0,40}", "[\u{0}-\u{7f}]{0,30}"],
            lowercase: bool,
        ) {
            let tokenizer = tokenizer(lowercase, &[AddedToken::from("[SEP]", true)]);
            let mut ids = vec![99];
            let taken = short_way(&tokenizer).unwrap().append(&text, &mut ids);
            prop_assert_eq!(taken, !text.contains('['), "only a text that may hold [SEP] is left to the tokenizer");
            let expected = tokenizer.encode_fast(text, false).unwrap();
            prop_assert_eq!(&ids[1..], if taken { expected.get_ids() } else { &[] });
        }
    }

    #[test]
    fn what_is_not_ascii_or_may_be_an_added_token_is_left_to_the_tokenizer() {
        let ascii = short_way(&tokenizer(true, &[AddedToken::from("Cab", false)])).unwrap();
        let mut ids = vec![7];
        for text in ["ab é", "abc", "ab C", "’", "中"] {
            assert!(!ascii.append(text, &mut ids), "{text}");
            assert_eq!(ids, [7]);
        }
        assert!(ascii.append("ab", &mut ids));
        assert_eq!(ids, [7, 2]);
    }

    #[test]
    fn added_tokens_that_may_begin_with_something_else_leave_no_short_way() {
        for content in ["École", " foo", "\tfoo", "\u{200b}ab", "\u{1}ab", "\u{301}a"] {
            let normalized = tokenizer(true, &[AddedToken::from(content, false)]);
            assert!(short_way(&normalized).is_none(), "{content:?}");
            let as_it_is = tokenizer(true, &[AddedToken::from(content, false).normalized(false)]);
            let mut ids = Vec::new();
            assert!(short_way(&as_it_is).unwrap().append("ab", &mut ids), "{content:?}");
            assert_eq!(ids, as_it_is.encode_fast("ab", false).unwrap().get_ids());
        }
    }

    #[test]
    fn tokenizers_that_clean_nothing_have_no_short_way() {
        let mut tokenizer = tokenizer(true, &[]);
        tokenizer.with_normalizer(Some(BertNormalizer::new(false, true, None, true))).unwrap();
        assert!(short_way(&tokenizer).is_none());
    }
}
