"""BertEncoder: any model of BERT's shape, beside transformers where that is there; and what is remembered of files."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llmfast
from bert_folders import CONFIG, WORDS, write_model, write_pooling, write_tokenizer, write_weights
from llmfast import BertEncoder, MiniLM, _encoder

TEXTS = ["", "I lost my card.", "cards?", "my cards my card a b c d e f g", "unknown 😀", "a"]

weights = pytest.mark.weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("LLMFAST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


# ---- the class -------------------------------------------------------------------------------------------------------


def test_it_is_an_encoder(folder: Path) -> None:
    encoder = BertEncoder(folder)
    assert isinstance(encoder, llmfast.Encoder)
    assert (encoder.dim, encoder.max_tokens, len(encoder.fingerprint)) == (36, 16, 64)
    assert (encoder.path, repr(encoder)) == (folder, f"BertEncoder({str(folder)!r})")
    assert (encoder.count_tokens("my cards"), encoder.unread("my cards")) == (5, None)
    assert "does not know" in (encoder.unread("my 😀") or "")
    with pytest.raises(TypeError, match="a BertEncoder is not copied between processes"):
        pickle.dumps(encoder)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_have_length_1_and_do_not_depend_on_their_neighbours(folder: Path, pooling: str) -> None:
    write_pooling(folder, pooling)
    encoder = BertEncoder(folder, threads=2)
    together = encoder.encode(TEXTS)
    assert (together.shape, together.dtype) == ((len(TEXTS), 36), np.float32)
    np.testing.assert_allclose(np.linalg.norm(together.astype(np.float64), axis=1), 1, rtol=0, atol=1e-6)
    np.testing.assert_allclose([encoder.encode(text) for text in TEXTS], together, rtol=0, atol=1e-6)
    assert encoder.encode([]).shape == (0, 36)


@pytest.mark.parametrize(
    ("precision", "closeness"), [("auto", 0.9999), ("bf16", 0.9999), ("int16", 0.9999), ("int8", 0.98)]
)
def test_precisions_differ_by_little(folder: Path, precision: str, closeness: float) -> None:
    exact, other = BertEncoder(folder, precision="f32"), BertEncoder(folder, precision=precision)
    assert ((exact.encode(TEXTS) * other.encode(TEXTS)).sum(axis=1) > closeness).all()
    assert (exact.fingerprint == other.fingerprint) is (precision != "int8")
    # "auto" is by the processor.
    assert exact.precision == "f32"
    assert other.precision in (("int16", "bf16") if precision == "auto" else (precision,))


def test_an_index_takes_its_vectors_as_they_lie(folder: Path) -> None:
    encoder = BertEncoder(folder)
    encoding = _encoder.encode_for_index(encoder, "my card")
    assert not isinstance(encoding, np.ndarray)
    index = llmfast.FlatIndex(encoder.dim)
    index.add(1, encoding)
    assert index.search(encoder.encode("my card"), min_score=0.5) == [llmfast.Hit(1, 1.0)]


def test_a_cache_compares_by_it(folder: Path) -> None:
    cache = llmfast.Cache(encoder=BertEncoder(folder))
    assert cache.get_or_generate_sync("I lost my card", lambda query: "call us").source == "llm_call"
    assert cache.get_or_generate_sync("i  lost my card", lambda query: "?").source == "semantic_hit"


def test_pooling_is_named_where_the_folder_does_not_say(folder: Path) -> None:
    mean = BertEncoder(folder)
    shutil.rmtree(folder / "1_Pooling")
    with pytest.raises(llmfast.EncoderNotFoundError, match=r"1_Pooling.*name the pooling: mean or cls"):
        BertEncoder(folder)
    assert BertEncoder(folder, pooling="mean").fingerprint == mean.fingerprint
    cls = BertEncoder(folder, pooling="cls")
    assert cls.fingerprint != mean.fingerprint
    assert abs(cls.encode("my card") - mean.encode("my card")).max() > 0.01
    write_pooling(folder, "mean")
    with pytest.raises(llmfast.ConfigError, match="expected mean pooling, which the model states, got cls"):
        BertEncoder(folder, pooling="cls")


def test_bad_options_are_refused(folder: Path) -> None:
    with pytest.raises(llmfast.ConfigError, match='one of mean, cls, got "max"'):
        BertEncoder(folder, pooling="max")
    with pytest.raises(llmfast.ConfigError, match='one of auto, f32, int16, bf16, int8, got "f8"'):
        BertEncoder(folder, precision="f8")
    with pytest.raises(llmfast.ConfigError, match="threads must be a whole number from 1 to 256, got 0"):
        BertEncoder(folder, threads=0)
    with pytest.raises(llmfast.EncoderNotFoundError, match=r"missing does not exist"):
        BertEncoder(folder / "missing")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "roberta"}, r'model_type "roberta".*supported: a bert with gelu'),
        ({"hidden_act": "relu"}, "relu"),
        ({"position_embedding_type": "relative_key_query"}, "relative_key_query"),
        ({"num_attention_heads": 5}, "5 heads"),
        ({"intermediate_size": 65_537}, "more than 65536 inputs"),
    ],
)
def test_other_architectures_are_refused(folder: Path, change: dict[str, Any], says: str) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(llmfast.UnsupportedModelError, match=says):
        BertEncoder(folder)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder that is read is another error")
def test_a_file_that_the_system_refuses_to_read_is_named_with_the_number(folder: Path) -> None:
    path = folder / "config.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError) as refused:
        BertEncoder(folder, pooling="mean")
    assert (refused.value.errno, refused.value.filename) == (errno.EISDIR, str(path))


def test_minilm_names_who_opens_other_models(folder: Path) -> None:
    with pytest.raises(llmfast.UnsupportedModelError, match=r"not all-MiniLM-L6-v2.*BertEncoder opens other models"):
        MiniLM(folder)


@weights
def test_minilm_is_one_of_them(minilm: MiniLM) -> None:
    assert isinstance(minilm, BertEncoder)
    encoder = BertEncoder(minilm.path, pooling="mean")
    assert (encoder.fingerprint, encoder.max_tokens, encoder.dim) == (minilm.fingerprint, 256, 384)
    np.testing.assert_array_equal(encoder.encode(TEXTS), minilm.encode(TEXTS))


# ---- what is remembered of files -------------------------------------------------------------------------------------


def memo_of(cache: Path) -> tuple[int, str]:
    """Its inode, another one after each writing, and its text."""
    file = cache / _encoder.MEMO
    return file.stat().st_ino, file.read_text()


def test_weights_are_hashed_once(folder: Path, cache: Path) -> None:
    first = BertEncoder(folder).fingerprint
    written = memo_of(cache)
    assert str(folder.resolve()) in written[1]
    assert BertEncoder(folder).fingerprint == first
    assert memo_of(cache) == written
    if os.name == "posix":
        assert stat.S_IMODE((cache / _encoder.MEMO).stat().st_mode) == 0o600


def test_the_same_file_by_another_name_is_known(folder: Path, cache: Path) -> None:
    first = BertEncoder(folder).fingerprint
    written = memo_of(cache)
    (folder.parent / "link").symlink_to(folder)
    assert BertEncoder(folder.parent / "link").fingerprint == first
    assert memo_of(cache) == written


def test_a_file_that_changed_is_hashed_again(folder: Path, cache: Path) -> None:
    file = folder / "model.safetensors"
    first, time, size = BertEncoder(folder).fingerprint, file.stat().st_mtime_ns, file.stat().st_size
    written = memo_of(cache)
    os.utime(file, ns=(time, time + 1))
    assert BertEncoder(folder).fingerprint == first
    assert memo_of(cache) != written
    # Another content of the same size and time, in the place of the old file.
    write_weights(folder / "new", seed=2)
    os.utime(folder / "new", ns=(time, time + 1))
    (folder / "new").replace(file)
    assert file.stat().st_size == size
    changed = BertEncoder(folder).fingerprint
    assert changed != first
    shutil.rmtree(cache)
    assert BertEncoder(folder).fingerprint == changed


@pytest.mark.parametrize("content", [b"", b"\xff\x00\xff", b"{}", b"0123456789abcdef wrong 1 /x\n" * 9])
def test_a_damaged_memo_is_written_anew(folder: Path, cache: Path, content: bytes) -> None:
    first = BertEncoder(folder).fingerprint
    good = memo_of(cache)[1]
    for damaged in (content, good.replace(good[30], "f" if good[30] != "f" else "0", 1).encode()):
        (cache / _encoder.MEMO).write_bytes(damaged)
        assert BertEncoder(folder).fingerprint == first
        assert memo_of(cache)[1] == good


def test_a_cache_folder_that_cannot_be_written_to_is_no_trouble(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = BertEncoder(folder).fingerprint
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "shut").mkdir(mode=0o500)
    for name in ("file", "file/below", "shut/below"):
        monkeypatch.setenv("LLMFAST_CACHE_DIR", str(tmp_path / name))
        assert BertEncoder(folder).fingerprint == first


def test_two_processes_share_it(folder: Path, cache: Path) -> None:
    other = write_model(folder.parent / "other", seed=3)
    program = (
        "import sys, llmfast\n"
        "sys.stdin.readline()\n"
        "for _ in range(20):\n"
        "    for path in sys.argv[1:]:\n"
        "        print(llmfast.BertEncoder(path).fingerprint)\n"
    )
    start = [[str(folder), str(other)], [str(other), str(folder)]]
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen([sys.executable, "-c", program, *paths], stdin=pipe, stdout=pipe, text=True) for paths in start
    ]
    said = [process.communicate("go\n")[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    expected = [BertEncoder(path).fingerprint for path in (folder, other)]
    assert said == [expected * 20, expected[::-1] * 20]
    assert [file.name for file in cache.iterdir()] == [_encoder.MEMO]
    assert len(memo_of(cache)[1].splitlines()) == 2


def test_the_memo_is_where_the_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLMFAST_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/user")
    assert _encoder._memo() == Path("/home/user/.cache/llmfast") / _encoder.MEMO
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert _encoder._memo() == Path("/cache/llmfast") / _encoder.MEMO
    monkeypatch.setenv("LLMFAST_CACHE_DIR", "/named")
    assert _encoder._memo() == Path("/named") / _encoder.MEMO

    def homeless() -> Path:
        raise RuntimeError

    for name in ("LLMFAST_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(Path, "home", homeless)
    assert _encoder._memo() is None


# ---- beside transformers ---------------------------------------------------------------------------------------------


@pytest.fixture
def bert() -> Any:
    """A small random model of transformers."""
    needed = "transformers and torch are not installed: what they compute is not compared"
    transformers = pytest.importorskip("transformers", reason=needed)
    torch = pytest.importorskip("torch", reason=needed)
    torch.manual_seed(1)
    return transformers.BertModel(transformers.BertConfig(**CONFIG, initializer_range=0.4)).eval()


def expected_vectors(bert: Any, pooling: str, ids: list[list[int]]) -> np.ndarray:
    import torch

    pooled = []
    with torch.no_grad():
        for tokens in ids:
            hidden = bert.double()(torch.tensor([tokens])).last_hidden_state[0].numpy()
            pooled.append(hidden[0] if pooling == "cls" else hidden.mean(axis=0))
    return np.stack([vector / np.linalg.norm(vector) for vector in pooled])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("stored", ["float32", "float16", "bfloat16", "with a head"])
def test_vectors_are_those_of_transformers(bert: Any, tmp_path: Path, pooling: str, stored: str) -> None:
    import tokenizers
    import torch
    import transformers

    if stored == "with a head":
        whole = transformers.BertForMaskedLM(bert.config)
        # All but the pooler, which that model has not.
        whole.bert.load_state_dict(bert.state_dict(), strict=False)
        whole.save_pretrained(tmp_path)
    else:
        bert.to(getattr(torch, stored)).save_pretrained(tmp_path)
    write_tokenizer(tmp_path)
    write_pooling(tmp_path, pooling)
    encode = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode
    expected = expected_vectors(bert, pooling, [encode(text).ids for text in TEXTS])
    encoder = BertEncoder(tmp_path, precision="f32")
    assert (encoder.dim, encoder.max_tokens) == (36, 32)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, rtol=0, atol=5e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_what_sentence_transformers_writes_is_read(bert: Any, tmp_path: Path, pooling: str) -> None:
    needed = "sentence-transformers 5.2 or newer is not installed: what it writes is not read"
    pytest.importorskip("sentence_transformers", reason=needed)
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    plain = tmp_path / "plain"
    plain.mkdir()
    bert.save_pretrained(plain)
    write_tokenizer(plain)
    special = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), WORDS, strict=False))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(plain / "tokenizer.json"), **special)
    tokenizer.save_pretrained(plain)
    modules = [Transformer(str(plain)), Pooling(36, pooling_mode=pooling), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu")
    model.max_seq_length = 8
    model.save(str(tmp_path / "saved"))
    encoder = BertEncoder(tmp_path / "saved", precision="f32")
    assert encoder.max_tokens == 8
    expected = np.stack([model.encode(text) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize("threads", [-1, True, 2**70, 1.5, "2", None, 257])
def test_threads_that_make_no_sense_are_refused(threads, tmp_path):
    for kind in (BertEncoder, llmfast.MiniLM):
        with pytest.raises(llmfast.ConfigError, match="threads must be a whole number from 1 to 256"):
            kind(tmp_path, threads=threads)
        with pytest.raises(llmfast.ConfigError, match="path must name the folder of a model"):
            kind("")
