"""Encoders made of models of sentence-transformers: without the library, and with it where it is there."""

from __future__ import annotations

import shutil
import sys
import types
from typing import Any

import numpy as np
import pytest

import llmfast
from llmfast import SentenceTransformerEncoder

# ---- as far as it goes without the library ---------------------------------------------------------------------------


class FakeTensor:
    """As much of a tensor as is read: its type, its shape, its bytes."""

    def __init__(self, values: Any) -> None:
        self.array = np.asarray(values)
        self.dtype, self.shape = self.array.dtype, self.array.shape

    def detach(self) -> FakeTensor:
        return self

    cpu = contiguous = detach

    def reshape(self, shape: int) -> FakeTensor:
        return FakeTensor(self.array.reshape(shape))

    def view(self, dtype: Any) -> FakeTensor:
        return FakeTensor(self.array.view(dtype))

    def numpy(self) -> Any:
        return self.array


class FakeTokenizer:
    unk_token_id = 100

    def __init__(self) -> None:
        self.words = ["a", "b", "where", "is", "my", "card"]

    def __call__(self, text: str, *, truncation: bool, verbose: bool) -> dict[str, list[int]]:
        assert (truncation, verbose) == (False, False)
        ids = [self.words.index(word) if word in self.words else self.unk_token_id for word in text.split()]
        return {"input_ids": [101, *ids, 102]}

    def get_vocab(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}


class FakeModel:
    """As much of a SentenceTransformer as is used."""

    default_prompt_name: str | None = None
    truncate_dim = None

    def __init__(self, name: str = "made", **options: Any) -> None:
        self.name, self.options = name, options
        self.weights = {"layer": FakeTensor(np.arange(4.0)), "bias": FakeTensor(np.float32(1.0))}
        self.tokenizer: Any = FakeTokenizer()
        self.prompts = {"query": "query: "}
        self.max_seq_length: float | None = 6
        self.config = {"hidden_size": 4, "_name_or_path": name}
        self.asked: list[Any] = []

    def get_sentence_embedding_dimension(self) -> int | None:
        return 4

    def __iter__(self) -> Any:
        return iter([types.SimpleNamespace(config=self.config)])

    def __repr__(self) -> str:
        return "FakeModel()"

    def state_dict(self) -> dict[str, FakeTensor]:
        return self.weights

    def encode(self, texts: list[str], **options: Any) -> Any:
        self.asked.append((texts, options))
        return np.ones((len(texts), 4), np.float64) * 3


@pytest.fixture
def library(monkeypatch):
    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = FakeModel  # type: ignore[attr-defined]
    torch = types.ModuleType("torch")
    torch.uint8 = np.uint8  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return module


def test_a_library_that_is_missing_is_named_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(llmfast.MissingPackageError, match="pip install sentence-transformers") as caught:
        SentenceTransformerEncoder("all-MiniLM-L6-v2")
    assert isinstance(caught.value, ImportError)
    assert caught.value.name == "sentence-transformers"


def test_a_model_is_an_encoder(library):
    encoder = SentenceTransformerEncoder("some/model", device="cpu")
    assert isinstance(encoder, llmfast.Encoder)
    assert (encoder.dim, encoder.max_tokens, len(encoder.fingerprint)) == (4, 6, 64)
    model = encoder._model
    assert (model.name, model.options) == ("some/model", {"device": "cpu"})
    found = encoder.encode(["a", "b"])
    assert (found.dtype, found.tolist()) == (np.float32, [[0.5] * 4] * 2)
    texts, options = model.asked[0]
    assert texts == ["a", "b"]
    assert (options["normalize_embeddings"], options["show_progress_bar"], options["prompt"]) == (True, False, "")
    assert repr(encoder) == "SentenceTransformerEncoder(FakeModel, dim=4)"


def test_a_prompt_stands_before_every_text(library):
    model = FakeModel()
    model.default_prompt_name = "query"
    default, own = SentenceTransformerEncoder(model), SentenceTransformerEncoder(model, prompt="q: ")
    plain = SentenceTransformerEncoder(model, prompt="")
    for encoder in (default, own, plain):
        encoder.encode(["a"])
    assert [options["prompt"] for _, options in model.asked] == ["query: ", "q: ", ""]
    assert len({default.fingerprint, own.fingerprint, plain.fingerprint}) == 3


def test_everything_that_decides_a_vector_is_in_the_fingerprint(library):
    def changed(change: Any) -> str:
        model = FakeModel()
        change(model)
        return SentenceTransformerEncoder(model).fingerprint

    first = changed(lambda model: None)
    assert SentenceTransformerEncoder("elsewhere").fingerprint == first
    prints = {
        first,
        changed(lambda model: model.weights.update(bias=FakeTensor(np.float32(1.0000001)))),
        changed(lambda model: model.weights.update(bias=FakeTensor(np.float32([1.0])))),
        changed(lambda model: model.weights.update(more=FakeTensor(np.float32([1.0])))),
        changed(lambda model: model.tokenizer.words.append("more")),
        changed(lambda model: setattr(model, "max_seq_length", 7)),
        changed(lambda model: model.config.update(hidden_act="relu")),
    }
    assert len(prints) == 7


def test_a_text_that_is_not_read_whole_is_named(library):
    encoder = SentenceTransformerEncoder(FakeModel())
    assert encoder.unread("where is my card") is None
    assert encoder.unread("where is my card a b") == "the text has 8 tokens, and the encoder reads 6"
    assert encoder.unread("where is zork") == "the text has 1 words or signs that the encoder does not know"
    model = FakeModel()
    model.tokenizer = None
    model.max_seq_length = None
    unlimited = SentenceTransformerEncoder(model)
    assert (unlimited.max_tokens, unlimited.unread("zork " * 99)) == (None, None)
    model.max_seq_length = float("inf")
    assert unlimited.max_tokens is None


def test_models_and_options_that_cannot_be_used_are_refused(library, monkeypatch):
    with pytest.raises(llmfast.ConfigError, match="a loaded model takes no options, got device"):
        SentenceTransformerEncoder(FakeModel(), device="cpu")
    with pytest.raises(llmfast.ConfigError, match="batch_size must be a whole number of 1 or more, got 0"):
        SentenceTransformerEncoder(FakeModel(), batch_size=0)
    model = FakeModel()
    model.weights = {}
    with pytest.raises(llmfast.ConfigError, match="torch does not hold the weights"):
        SentenceTransformerEncoder(model)
    monkeypatch.setattr(FakeModel, "get_sentence_embedding_dimension", lambda self: None)
    with pytest.raises(llmfast.ConfigError, match="how many dimensions"):
        SentenceTransformerEncoder(FakeModel())


# ---- the library itself ----------------------------------------------------------------------------------------------


@pytest.fixture
def real(minilm, tmp_path, monkeypatch):
    """Load a copy of the model's folder with the library."""
    if "sentence_transformers" not in sys.modules:
        pytest.importorskip("sentence_transformers", exc_type=ImportError)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "model"
    shutil.copytree(minilm.path, folder)
    return lambda: SentenceTransformerEncoder(folder, device="cpu")


@pytest.mark.weights
@pytest.mark.filterwarnings("default")
def test_the_library_s_minilm_gives_the_vectors_of_ours(real, minilm):
    encoder = real()
    texts = ["where is my card?", "I lost my card", "", "word " * 400]
    found = encoder.encode(texts)
    assert (found.dtype, encoder.dim, encoder.max_tokens) == (np.float32, 384, 256)
    assert (found * minilm.encode(texts)).sum(axis=1).min() >= 0.99999
    assert encoder.unread("where is my card?") is None
    assert encoder.unread("word " * 400) == minilm.unread("word " * 400)
    assert encoder.unread("🦀") is not None
    first = encoder.fingerprint
    assert real().fingerprint == first
    encoder.encode(["changes the tokenizer's truncation"] * 3)
    assert SentenceTransformerEncoder(encoder._model).fingerprint == first
    with_another_weight = encoder._model
    next(with_another_weight.parameters()).data[0, 0] += 1.0
    assert SentenceTransformerEncoder(with_another_weight).fingerprint != first
