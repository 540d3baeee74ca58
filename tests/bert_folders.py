"""Folders of small BERT encoders with random weights, written without the libraries that usually write them."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz", ".", "?", "card", "lost", "my", "##s", "i"]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 36,
    "intermediate_size": 50,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 32,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": len(WORDS),
}


def write_tokenizer(folder: Path) -> None:
    """Write `tokenizer.json`, a WordPiece tokenizer of a few words."""
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    cls, sep = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]"))
    one, two = ({"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB"))
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, "content": WORDS[number], **special} for number in range(4)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [cls, one, sep],
            "pair": [cls, one, sep, two, sep],
            "special_tokens": {
                name: {"id": name, "ids": [WORDS.index(name)], "tokens": [name]} for name in ("[CLS]", "[SEP]")
            },
        },
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: number for number, word in enumerate(dict.fromkeys(WORDS))},
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")


def write_pooling(folder: Path, mode: str) -> None:
    """Write how token vectors become one."""
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode": mode}))


def write_model(folder: Path, *, pooling: str | None = "mean", seed: int = 1) -> Path:
    """Write all of a model, and return its folder."""
    folder.mkdir(exist_ok=True)
    write_tokenizer(folder)
    if pooling is not None:
        write_pooling(folder, pooling)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16}))
    write_weights(folder / "model.safetensors", seed)
    return folder


def write_weights(path: Path, seed: int) -> None:
    """Write random tensors; each seed gives a file of the same size."""
    random = np.random.default_rng(seed)
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    for name, shape in sorted(_tensors().items()):
        start = sum(map(len, parts))
        # Around 1 for the norms, so that what tells the tokens of a text apart is not lost on the way.
        mean = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        parts.append(random.normal(mean, 0.2, shape).astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, start + len(parts[-1])]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def _tensors() -> dict[str, tuple[int, ...]]:
    hidden, feed = int(CONFIG["hidden_size"]), int(CONFIG["intermediate_size"])
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), hidden),
        "embeddings.position_embeddings.weight": (int(CONFIG["max_position_embeddings"]), hidden),
        "embeddings.token_type_embeddings.weight": (2, hidden),
    }
    linear = {
        f"encoder.layer.{layer}.{part}": (out, width)
        for layer in range(int(CONFIG["num_hidden_layers"]))
        for part, out, width in (
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", feed, hidden),
            ("output.dense", hidden, feed),
        )
    }
    norms = ["embeddings"] + [
        f"encoder.layer.{layer}.{part}" for layer in range(2) for part in ("attention.output", "output")
    ]
    for name, (out, width) in linear.items():
        shapes |= {f"{name}.weight": (out, width), f"{name}.bias": (out,)}
    for name in norms:
        shapes |= {f"{name}.LayerNorm.{part}": (hidden,) for part in ("weight", "bias")}
    return shapes
