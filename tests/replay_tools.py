"""What the tests of replay share: an encoder without weights, questions, and the brute-force scan of the benches."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from bench_modules import bench_modules


class TopicEncoder:
    """Texts with the same first word lie near each other, at every cosine; the vector depends on the text alone."""

    dim = 24
    fingerprint = "topic-encoder/1"

    def __init__(self, spread: float = 0.45) -> None:
        self.spread = spread
        self.encoded: list[str] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.encoded += texts
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> np.ndarray:
        amount = self.spread * _normal(f"amount {text}", 1)[0]
        vector = _normal(text.split(" ", 1)[0], self.dim) + amount * _normal(text, self.dim)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


class ScanIndex:
    """An index by a plain scan, to test what searches it."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.rows: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, key: int, vector: np.ndarray) -> None:
        self.ids.append(key)
        self.rows.append(np.asarray(vector, dtype=np.float64))

    def search(self, vector: np.ndarray, k: int, *, min_score: float) -> list[ScanHit]:
        scores = np.stack(self.rows) @ np.asarray(vector, dtype=np.float64)
        hits = [ScanHit(key, float(score)) for key, score in zip(self.ids, scores, strict=True) if score >= min_score]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k]


class ScanHit(NamedTuple):
    """A vector found by ScanIndex."""

    id: int
    score: float


def _normal(name: str, size: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
    return np.random.default_rng(seed).standard_normal(size)


def questions(count: int, topics: int) -> list[tuple[str, str]]:
    """Return `count` distinct questions, each with an intent that its topic mostly decides."""
    return [(f"topic{n % topics} question {n}", f"intent{(n % topics) // 2 if n % 7 else n}") for n in range(count)]


def bench():
    """Import `benches/replay_bruteforce.py`, or skip where there is no source tree."""
    (replay_bruteforce,) = bench_modules("replay_bruteforce")
    return replay_bruteforce
