"""Pairs of questions as a threshold and the guards judge them, and the shares that the bars are about."""

from __future__ import annotations

import collections
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import _machine
from _vectors import CACHE, encoded, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from _guards import Guards, Veto

    Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Verdict:
    """What becomes of a pair: whether the threshold alone serves it, and which guard objects."""

    group: str
    same: bool
    a: str
    b: str
    cosine: float
    threshold: float
    veto: Veto
    #: Whether the guards' lists have nothing of what the pair was made with.
    outside: bool = False

    @property
    def plain(self) -> bool:
        return self.cosine >= self.threshold

    @property
    def guarded(self) -> bool:
        return self.plain and self.veto is None


def judge(
    rows: Iterable[tuple[str, bool, str, str]], cosines: Iterable[float], threshold: float, guards: Guards
) -> list[Verdict]:
    """Judge pairs (group, same, stored, asked); a guard is asked only where the threshold serves, as in the cache."""
    return [
        Verdict(group, same, a, b, cosine, threshold, guards.veto(a, b) if cosine >= threshold else None)
        for (group, same, a, b), cosine in zip(rows, cosines, strict=True)
    ]


# ---- shares ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """How many pairs there are, how many the threshold serves, and how many of these the guards let through."""

    pairs: int
    plain: int
    guarded: int

    @classmethod
    def of(cls, verdicts: Sequence[Verdict]) -> Tally:
        return cls(len(verdicts), sum(one.plain for one in verdicts), sum(one.guarded for one in verdicts))

    @property
    def served_percent(self) -> float:
        """How many percent of what the threshold serves the guards let through; 0 if it serves nothing."""
        return 100.0 * self.guarded / self.plain if self.plain else 0.0

    @property
    def lost_percent(self) -> float:
        """How many percent of what the threshold serves the guards keep back; 0 if it serves nothing."""
        return 100.0 * (self.plain - self.guarded) / self.plain if self.plain else 0.0

    @property
    def of_all_percent(self) -> float:
        """How many percent of all pairs are served under guards."""
        return 100.0 * self.guarded / self.pairs if self.pairs else 0.0

    def __str__(self) -> str:
        return (
            f"{self.pairs:,} pairs, plain serves {self.plain:,} ({share(self.plain, self.pairs)}), "
            f"guarded {self.guarded:,} ({share(self.guarded, self.plain)} of these)"
        )


def share(part: int, whole: int) -> str:
    return f"{100.0 * part / whole:.1f} %" if whole else "-"


def grouped(verdicts: Iterable[Verdict], by: Callable[[Verdict], str]) -> dict[str, list[Verdict]]:
    """Return the verdicts by group, in the order in which groups come up."""
    found: dict[str, list[Verdict]] = collections.defaultdict(list)
    for one in verdicts:
        found[by(one)].append(one)
    return dict(found)


def vetoes(verdicts: Iterable[Verdict], most: int = 8) -> str:
    """Return which guards objected how often, the busiest first."""
    counts = collections.Counter(one.veto[0] for one in verdicts if one.plain and one.veto is not None)
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common(most)) or "none"


# ---- vectors ---------------------------------------------------------------------------------------------------------


def cosines(encoder: Any, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """Return the cosine of each pair; the vectors of these texts are kept in `target/bench`."""
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    vectors, place = kept(encoder, texts), {text: at for at, text in enumerate(texts)}
    sides = ([place[pair[side]] for pair in pairs] for side in (0, 1))
    return row_cosines(*(vectors[side] for side in sides))


def row_cosines(one: Rows, other: Rows) -> NDArray[np.float64]:
    return np.einsum("ij,ij->i", one.astype(np.float64), other.astype(np.float64))


def kept(encoder: Any, texts: Sequence[str]) -> Rows:
    """Return the vectors of these distinct texts; `target/bench` keeps what this encoder made before, text by text."""
    path = CACHE / f"semantic-{hashlib.sha256(encoder.fingerprint.encode()).hexdigest()[:16]}.npy"
    names = path.with_suffix(".json")
    known: dict[str, int] = {}
    if path.exists() and names.exists():
        known = {text: at for at, text in enumerate(json.loads(names.read_text(encoding="utf-8")))}
    vectors = np.load(path) if known else np.empty((0, encoder.dim), dtype=np.float32)
    missing = [text for text in texts if text not in known]
    if missing:
        start = time.perf_counter()
        vectors = np.concatenate([vectors, encoded(encoder, missing)])
        known |= {text: len(known) + at for at, text in enumerate(missing)}
        # Rows that no name is left for, after a broken run, do no harm; names without rows would.
        write_whole(path, vectors)
        names.write_text(json.dumps(list(known)), encoding="utf-8")
        took = time.perf_counter() - start
        print(f"encoded {len(missing):,} texts in {took:.0f} s, kept in {path.relative_to(_machine.ROOT)}")
    return vectors[[known[text] for text in texts]]
