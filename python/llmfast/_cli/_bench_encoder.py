"""What `llmfast bench encoder` measures: MiniLM in every precision, and the same model by other libraries."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from .._encoder import MiniLM
from .._errors import ConfigError
from .._llmfast import kernel_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BATCH = 32
_OURS = "llmfast"
_PRECISIONS = ("f32", "int16", "bf16", "int8")
_LIBRARY, _RUNTIME = "sentence-transformers", "onnxruntime"
#: The graphs that the model's repository has for x86-64, by the names that they have there.
_GRAPHS = ("model.onnx", "model_quint8_avx2.onnx", "model_qint8_avx512_vnni.onnx")


class Row(NamedTuple):
    """What a contender takes: milliseconds of a question on its own, and texts a second in batches."""

    name: str
    p50_ms: float
    p90_ms: float
    texts_per_second: float


@dataclass(frozen=True)
class Report:
    """What was measured, the default encoder first, and what was not and why."""

    kernel: str
    texts: int
    batch: int
    rows: list[Row]
    absent: dict[str, str]

    def times_faster(self, row: Row) -> dict[str, dict[str, float]]:
        """Return how many times as fast as each library a row of ours is, for a question (p50) and in batches."""
        if not row.name.startswith(_OURS):
            return {}
        return {
            peer.name: {
                "p50": peer.p50_ms / row.p50_ms,
                "batch": row.texts_per_second / peer.texts_per_second,
            }
            for peer in self.rows
            if not peer.name.startswith(_OURS)
        }


@dataclass
class _Contender:
    """Encodes a list of texts, and collects how long it takes."""

    encode: Callable[[list[str]], Any]
    alone: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)

    def measure(self, texts: list[str]) -> None:
        for text in texts:
            self.alone.append(_seconds(self.encode, [text]))
        self.together.append(_seconds(self.encode, texts) / len(texts))

    def row(self, name: str) -> Row:
        ordered = sorted(self.alone)
        p90 = ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]
        return Row(name, statistics.median(ordered) * 1e3, p90 * 1e3, 1 / statistics.median(self.together))


def measure(texts: int, *, alone: bool = False) -> Report:
    """Measure all contenders in turn, a batch of texts at a time; `alone` leaves other libraries out."""
    from .._replay.traffic import bundled_questions

    questions = [text for text, _ in bundled_questions()]
    chosen = [questions[place * len(questions) // texts] for place in range(texts)]
    batches = [chosen[at : at + BATCH] for at in range(0, texts, BATCH)]
    absent: dict[str, str] = {}
    contenders = _ours(absent)
    with _one_thread():
        if not alone:
            folder = contenders[_OURS].encode.__self__.path  # type: ignore[attr-defined]  # a method of a MiniLM
            contenders |= _peers(folder, absent)
        for contender in contenders.values():
            contender.encode(batches[0][:2])
        for batch in batches:
            for contender in contenders.values():
                contender.measure(batch)
    rows = [contender.row(name) for name, contender in contenders.items()]
    return Report(kernel_name(), texts, BATCH, rows, absent)


def _seconds(encode: Callable[[list[str]], Any], texts: list[str]) -> float:
    start = time.perf_counter()
    encode(texts)
    return time.perf_counter() - start


def _ours(absent: dict[str, str]) -> dict[str, _Contender]:
    encoders = {_OURS: _Contender(MiniLM().encode)}
    for precision in _PRECISIONS:
        name = f"{_OURS}, {precision}"
        try:
            encoders[name] = _Contender(MiniLM(precision=precision).encode)
        except ConfigError as error:
            absent[name] = f"not built: {error}"
    return encoders


# ---- other libraries -------------------------------------------------------------------------------------------------


@contextmanager
def _one_thread() -> Iterator[None]:
    """Hold the tokenizers of other libraries to one thread meanwhile."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _peers(folder: Path, absent: dict[str, str]) -> dict[str, _Contender]:
    """Return what is installed; say of the rest how to install it."""
    found: dict[str, _Contender] = {}
    for name, load in ((_LIBRARY, _sentence_transformer), (_RUNTIME, _graphs)):
        try:
            found |= {label: _Contender(encode) for label, encode in load(folder)}
        except ImportError as error:
            absent[name] = f"not compared ({error}): pip install {name}"
        except _MissingGraphError as error:
            absent[name] = f"not compared: {error}"
    return found


def _sentence_transformer(folder: Path) -> Iterator[tuple[str, Callable[[list[str]], Any]]]:
    import sentence_transformers
    import torch
    import transformers

    # Partly without types.
    messages: Any = transformers.logging
    messages.disable_progress_bar()
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")

    def encode(texts: list[str]) -> Any:
        # The library's own threads are as they were afterwards.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return model.encode(texts, batch_size=BATCH, show_progress_bar=False)
        finally:
            torch.set_num_threads(threads)

    yield _LIBRARY, encode


class _MissingGraphError(Exception):
    """The model's folder has no graph for onnxruntime."""


def _graphs(folder: Path) -> Iterator[tuple[str, Callable[[list[str]], Any]]]:
    """Yield each graph of the model that lies in its folder, as the model's repository has them."""
    import onnxruntime
    from tokenizers import Tokenizer

    paths = [folder / "onnx" / name for name in _GRAPHS if (folder / "onnx" / name).is_file()]
    if not paths:
        raise _MissingGraphError(
            f"no {_GRAPHS[0]} in {folder / 'onnx'}: hf download sentence-transformers/all-MiniLM-L6-v2 "
            f"--include '*.json' '*.safetensors' 'onnx/{_GRAPHS[0]}', and set LLMFAST_MODEL_DIR to the folder it prints"
        )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for path in paths:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        yield f"{_RUNTIME}, {path.name}", _OnnxEncoder(session, tokenizer)


class _OnnxEncoder:
    """A graph from tokens to a vector a token, with the mean and the length that the model asks for."""

    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {one.name for one in session.get_inputs()}

    def __call__(self, texts: list[str]) -> Any:
        import numpy as np

        read = self._tokenizer.encode_batch(texts)
        mask = np.array([one.attention_mask for one in read], dtype=np.int64)
        ids = np.array([one.ids for one in read], dtype=np.int64)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        rows = self._session.run(None, {name: fed[name] for name in self._inputs})[0]
        if rows.ndim == 3:
            rows = (rows * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)
