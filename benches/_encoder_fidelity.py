"""How far vectors are from the reference's, and what that changes: cosines, decisions at thresholds, AUC on labels."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import _machine
from _vectors import CACHE, normalised, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

TAUS = (0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True)
class Pairs:
    """Pairs of texts, and whether each pair means the same."""

    first: list[str]
    second: list[str]
    same: NDArray[np.bool_]

    @classmethod
    def sampled(cls, path: Path, count: int) -> Pairs:
        """Return `count` pairs of a file, evenly spread over it."""
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        chosen = [rows[at] for at in evenly(len(rows), count)]
        first, second, same = ([row[field] for row in chosen] for field in ("a", "b", "same"))
        return cls(first, second, np.array(same, dtype=np.bool_))

    def every(self, step: int) -> Pairs:
        """Return each `step`-th pair."""
        return Pairs(self.first[::step], self.second[::step], self.same[::step])

    @property
    def texts(self) -> list[str]:
        """All first texts, then all second ones."""
        return self.first + self.second

    def __len__(self) -> int:
        return len(self.first)


def evenly(length: int, count: int) -> list[int]:
    """Return `count` places spread evenly over `length`; all of them where there are fewer."""
    count = min(count, length)
    return [place * length // count for place in range(count)]


@dataclass(frozen=True)
class Fidelity:
    """What differs between vectors and the reference's of the same pairs."""

    least_cosine: float  # of the first texts
    changed: float  # share of the pairs that are decided otherwise, at the threshold where that is most
    worst_tau: float
    auc: float
    reference_auc: float

    def __str__(self) -> str:
        return (
            f"cosine at least {self.least_cosine:.9f}, {self.changed:.3%} of the decisions differ at {self.worst_tau}, "
            f"AUC {self.auc:.5f} (reference {self.reference_auc:.5f})"
        )


def compare(vectors: Rows, reference: Rows, same: NDArray[np.bool_]) -> Fidelity:
    """Compare vectors with the reference's; both hold the first texts of all pairs, then the second ones."""
    ours, theirs = normalised(vectors), normalised(reference)
    half = len(same)
    found, expected = ((rows[:half] * rows[half:]).sum(axis=1) for rows in (ours, theirs))
    changed = {tau: changed_share(found, expected, tau) for tau in TAUS}
    worst = max(changed, key=changed.__getitem__)
    least = float((ours[:half] * theirs[:half]).sum(axis=1).min())
    return Fidelity(least, changed[worst], worst, auc(found, same), auc(expected, same))


def changed_share(found: NDArray[np.float64], expected: NDArray[np.float64], tau: float) -> float:
    """Return which share of the pairs is on the other side of a threshold."""
    return float(((found >= tau) != (expected >= tau)).mean())


def auc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Return how often a pair that means the same scores above one that does not; equal scores count half."""
    values, place = np.unique(scores, return_inverse=True)
    positive = np.bincount(place[labels], minlength=len(values))
    negative = np.bincount(place[~labels], minlength=len(values))
    below = np.cumsum(negative) - negative
    wins = (positive * (below + negative / 2)).sum()
    return float(wins / (positive.sum() * negative.sum()))


def kept_vectors(name: str, libraries: Sequence[str], texts: list[str], encode: Callable[[], Any]) -> Rows:
    """Return the vectors of these texts by a peer, from `target/bench` if these versions made them before."""
    versions = [_machine.version(library) for library in libraries]
    digest = hashlib.sha256(json.dumps([name, versions, texts]).encode()).hexdigest()[:16]
    path = CACHE / f"encoder-{name.replace(' ', '-')}-{digest}.npy"
    if not path.exists():
        print(f"encoding {len(texts):,} texts with {name}, which are kept in {path.relative_to(_machine.ROOT)}")
        write_whole(path, np.asarray(encode(), dtype=np.float32))
    return np.load(path)
