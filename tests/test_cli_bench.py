"""`llmfast bench encoder`, with few texts."""

from __future__ import annotations

import json
import os
import sys
import types

import numpy as np
import pytest

import llmfast
from llmfast._cli import _bench_encoder, main
from llmfast._cli._bench_encoder import Report, Row
from llmfast._cli.bench import document, sheet
from llmfast._cli.sheet import plain

REPORT = Report(
    "avx2",
    40,
    32,
    [
        Row("llmfast", 2.0, 3.0, 600.0),
        Row("llmfast, f32", 4.0, 5.0, 300.0),
        Row("sentence-transformers", 10.0, 12.0, 100.0),
    ],
    {"onnxruntime": "not compared (no module): pip install onnxruntime"},
)


def test_the_table_says_what_is_faster_and_what_is_missing():
    out = plain(sheet(REPORT))
    assert "kernel avx2" in out
    assert "a question 5.0 times as fast as sentence-transformers, a batch 6.0 times" in out
    assert "pip install onnxruntime" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_document_has_the_same_figures():
    made = document(REPORT)
    assert json.loads(json.dumps(made)) == made
    assert made["rows"][1] == {
        "name": "llmfast, f32",
        "p50_ms": 4.0,
        "p90_ms": 5.0,
        "texts_per_second": 300.0,
        "times_faster": {"sentence-transformers": {"p50": 2.5, "batch": 3.0}},
    }
    assert made["rows"][2]["times_faster"] == {}
    assert made["absent"] == [{"name": "onnxruntime", "why": REPORT.absent["onnxruntime"]}]


@pytest.mark.weights
def test_a_few_texts_are_measured(minilm, capsys, monkeypatch):
    monkeypatch.setenv("LLMFAST_MODEL_DIR", str(minilm.path))
    assert main(["bench", "encoder", "--texts", "3", "--alone", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["texts"], made["batch"]) == (3, 32)
    names = [row["name"] for row in made["rows"]]
    assert names[:2] == ["llmfast", "llmfast, f32"]
    for row in made["rows"]:
        assert 0.0 < row["p50_ms"] <= row["p90_ms"]
        assert row["texts_per_second"] > 0.0
    # Every precision is there or said to be missing.
    assert len(names) + len(made["absent"]) == 5


@pytest.mark.weights
def test_libraries_that_are_missing_are_named_with_their_cure(minilm, capsys, monkeypatch):
    monkeypatch.setenv("LLMFAST_MODEL_DIR", str(minilm.path))
    for module in ("sentence_transformers", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, None)
    before = os.environ.get("TOKENIZERS_PARALLELISM")
    assert main(["bench", "encoder", "--texts", "1"]) == 0
    out = capsys.readouterr().out
    for name in ("sentence-transformers", "onnxruntime"):
        assert f"pip install {name}" in out.replace("\n", " ")
    assert os.environ.get("TOKENIZERS_PARALLELISM") == before


def test_without_weights_the_cure_is_shown(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LLMFAST_MODEL_DIR", str(tmp_path))
    assert main(["bench", "encoder"]) == 2
    assert "pip install" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["bench"], ["bench", "abacus"], ["bench", "encoder", "--texts", "0"]])
def test_what_cannot_be_measured_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


# ---- onnxruntime -----------------------------------------------------------------------------------------------------


class FakeSession:
    """Two numbers a token: its id and 1."""

    def __init__(self, *_, **__) -> None:
        pass

    def get_inputs(self):
        return [types.SimpleNamespace(name="input_ids"), types.SimpleNamespace(name="attention_mask")]

    def run(self, _, fed):
        assert set(fed) == {"input_ids", "attention_mask"}
        ids = fed["input_ids"].astype(np.float32)
        return [np.stack([ids, np.ones_like(ids)], axis=2)]


class FakeTokenizer:
    @classmethod
    def from_file(cls, path):
        return cls()

    def enable_truncation(self, tokens):
        assert tokens == 256

    def enable_padding(self):
        pass

    def encode_batch(self, texts):
        longest = max(map(len, texts))
        return [
            types.SimpleNamespace(
                ids=[ord(letter) for letter in text] + [0] * (longest - len(text)),
                attention_mask=[1] * len(text) + [0] * (longest - len(text)),
            )
            for text in texts
        ]


@pytest.fixture
def runtime(monkeypatch):
    module = types.ModuleType("onnxruntime")
    module.InferenceSession = FakeSession
    module.SessionOptions = types.SimpleNamespace
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    tokenizers = types.ModuleType("tokenizers")
    tokenizers.Tokenizer = FakeTokenizer
    monkeypatch.setitem(sys.modules, "tokenizers", tokenizers)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)


def test_graphs_that_lie_beside_the_model_take_part(runtime, tmp_path):
    absent = {}
    assert _bench_encoder._peers(tmp_path, absent) == {}
    assert "no model.onnx" in absent["onnxruntime"]
    assert "hf download" in absent["onnxruntime"]
    (tmp_path / "onnx").mkdir()
    for name in ("model.onnx", "model_quint8_avx2.onnx", "model_O1.onnx"):
        (tmp_path / "onnx" / name).touch()
    absent.clear()
    found = _bench_encoder._peers(tmp_path, absent)
    assert list(found) == ["onnxruntime, model.onnx", "onnxruntime, model_quint8_avx2.onnx"]
    assert list(absent) == ["sentence-transformers"]
    vectors = found["onnxruntime, model.onnx"].encode(["\x01\x03", "\x04"])
    # The mean over the tokens without the padding, at length 1.
    expected = np.array([[2.0, 1.0], [4.0, 1.0]])
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True))


def test_a_precision_that_is_not_built_is_absent(monkeypatch):
    class Fake:
        def __init__(self, precision="auto"):
            if precision == "int8":
                raise llmfast.ConfigError("no int8 here")

        def encode(self, texts):
            return texts

    monkeypatch.setattr(_bench_encoder, "MiniLM", Fake)
    absent = {}
    assert list(_bench_encoder._ours(absent)) == ["llmfast", "llmfast, f32", "llmfast, int16", "llmfast, bf16"]
    assert absent == {"llmfast, int8": "not built: no int8 here"}
