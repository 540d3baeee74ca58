"""The vectors of the search bench: real questions under MiniLM, some held out to ask, and more rows of the same kind.

Questions are the distinct texts of QQP. More rows than they are come from them by sign flips: the coordinates of a
question along the principal axes get random signs and are mapped back. Mean and spectrum stay what they are, while the
points are new, so that what a search can rule out early is what it can with text.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np

import _machine

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from _harness import Bench

QUESTIONS = "semantic/qqp_pairs.jsonl.gz"
CACHE = _machine.ROOT / "target/bench"
DIM = 384
HELD_OUT = 1_000
BLOCK = 10_000
SEED = 20_251_126


# ---- real questions --------------------------------------------------------------------------------------------------


def distinct_questions(path: Path) -> list[str]:
    """Return the texts of a file of pairs, each once, in the order of their first appearance."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        pairs = (json.loads(line) for line in lines)
        return list(dict.fromkeys(text for pair in pairs for text in (pair["a"], pair["b"])))


def cache_path(data: Path, fingerprint: str) -> Path:
    """Return where the vectors lie that an encoder of this fingerprint makes of this file."""
    digests = (hashlib.sha256(content).hexdigest()[:16] for content in (data.read_bytes(), fingerprint.encode()))
    return CACHE / f"qqp-{'-'.join(digests)}.npy"


def question_vectors(bench: Bench) -> NDArray[np.float32]:
    """Return the vector of every distinct question, from the cache if it has them; exit 2 without data or weights."""
    data = bench.need_data(QUESTIONS)
    encoder = bench.need_encoder(threads=_machine.cores())
    path = cache_path(data, encoder.fingerprint)
    if not path.exists():
        texts = distinct_questions(data)
        print(f"encoding {len(texts):,} questions, some minutes; they are kept in {path.relative_to(_machine.ROOT)}")
        start = time.perf_counter()
        write_whole(path, encoded(encoder, texts))
        print(f"encoded in {time.perf_counter() - start:.0f} s")
    return np.load(path)


def encoded(encoder: Any, texts: list[str], batch: int = 4_096) -> NDArray[np.float32]:
    return np.concatenate([encoder.encode(texts[at : at + batch]) for at in range(0, len(texts), batch)])


def write_whole(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that a broken run leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)


# ---- more rows -------------------------------------------------------------------------------------------------------


class SignFlips:
    """Points with the mean and the spectrum of `real`, as many as are asked for; block `n` is always the same."""

    def __init__(self, real: NDArray[np.float32]) -> None:
        mean = real.mean(axis=0, dtype=np.float64)
        centred = real - mean
        _, axes = np.linalg.eigh(centred.T @ centred)
        self.coordinates = (centred @ axes).astype(np.float32)
        self.axes = np.ascontiguousarray(axes.T, dtype=np.float32)
        self.mean = mean.astype(np.float32)

    def block(self, number: int) -> NDArray[np.float32]:
        """Return BLOCK unit vectors."""
        sources = np.arange(number * BLOCK, (number + 1) * BLOCK) % len(self.coordinates)
        coordinates = self.coordinates[sources]
        signs = np.random.default_rng((SEED, number)).integers(0, 2, coordinates.shape, dtype=np.int8)
        points = np.where(signs, coordinates, -coordinates) @ self.axes + self.mean
        return points / np.linalg.norm(points, axis=1, keepdims=True)


class Data:
    """Held-out queries, and rows in any number: shuffled questions first, flipped ones after them."""

    def __init__(self, vectors: NDArray[np.float32], held_out: int = HELD_OUT) -> None:
        shuffled = vectors[np.random.default_rng(SEED).permutation(len(vectors))]
        self.queries = shuffled[:held_out]
        self.real = shuffled[held_out:]
        self.flips = SignFlips(self.real)
        self._largest = self.real

    def rows(self, count: int) -> NDArray[np.float32]:
        """Return the first `count` rows; the largest number asked for so far is kept."""
        if count > len(self._largest):
            self._largest = self._extended(count)
        return self._largest[:count]

    def _extended(self, count: int) -> NDArray[np.float32]:
        rows = np.empty((count, self.real.shape[1]), dtype=np.float32)
        rows[: len(self.real)] = self.real
        for number, start in enumerate(range(len(self.real), count, BLOCK)):
            end = min(start + BLOCK, count)
            rows[start:end] = self.flips.block(number)[: end - start]
        return rows

    def unused(self, count: int) -> NDArray[np.float32]:
        """Return flipped points that are no rows: of blocks beyond those of 10**10 rows."""
        blocks = range(10**6, 10**6 + -(-count // BLOCK))
        return np.concatenate([self.flips.block(number) for number in blocks])[:count]


def normalised(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the rows at length 1 in float64."""
    exact = rows.astype(np.float64)
    exact /= np.sqrt(np.einsum("ij,ij->i", exact, exact))[:, None]
    return exact


def spaced_ids(count: int) -> NDArray[np.uint64]:
    """Return distinct ids in no order, so that the smaller of two ids is not the earlier row."""
    numbers = np.random.default_rng((SEED, 7)).permutation(count).astype(np.uint64)
    return numbers * np.uint64(1_000_003) + np.uint64(17)


def in_blocks(count: int, block: int) -> Iterable[slice]:
    """Cut `count` rows into slices of `block`."""
    return (slice(start, min(start + block, count)) for start in range(0, count, block))
