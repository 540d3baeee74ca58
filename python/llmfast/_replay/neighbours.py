"""Which distinct texts lie near which.

The curve over the threshold needs, for every text, the others that it could be answered by. They come from the vectors
of the run by one exact search a text, against the texts first asked before it.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .trace import Vectors

FLOOR = 0.80
# What the search may cost: beyond one of these the curve covers the requests up to there, and says so.
MAX_TEXTS = 40_000
MAX_PAIRS = 4_000_000


class Hit(Protocol):
    """What a search returns."""

    @property
    def id(self) -> int:
        """The key of a text."""

    @property
    def score(self) -> float:
        """Its cosine."""


class Index(Protocol):
    """What the search needs of `FlatIndex`."""

    def __len__(self) -> int:
        """How many vectors it holds."""

    def add(self, id: int, vector: Vectors, /) -> None:  # noqa: A002
        """Add one vector."""

    def search(self, vector: Vectors, /, k: int, *, min_score: float) -> Sequence[Hit]:
        """Return the `k` nearest, the nearest first."""


@dataclass(frozen=True)
class Neighbours:
    """Of each of the first `keys` distinct requests: others of its partition with a cosine of at least `floor`.

    `scores[key]` falls, and `ids[key]` has the keys beside it.
    """

    scores: list[array[float]]
    ids: list[array[int]]
    floor: float

    @property
    def keys(self) -> int:
        """How many distinct requests are covered; fewer than asked for when the search had cost its budget."""
        return len(self.ids)


def find_neighbours(
    vectors: Sequence[Vectors | None],
    partitions: Sequence[int],
    make_index: Callable[[], Index],
    *,
    floor: float = FLOOR,
    progress: Callable[[float], None] = lambda _: None,
) -> Neighbours:
    """Search every vector among those before it in its partition; a None has no neighbours."""
    pairs: list[list[tuple[float, int]]] = []
    indexes: dict[int, Index] = {}
    budget = MAX_PAIRS
    for key, (vector, partition) in enumerate(zip(vectors[:MAX_TEXTS], partitions, strict=False)):
        if budget <= 0:
            break
        pairs.append([])
        if vector is None:
            continue
        index = indexes.get(partition) or indexes.setdefault(partition, make_index())
        hits = index.search(vector, k=len(index), min_score=floor) if len(index) else ()
        index.add(key, vector)
        budget -= len(hits)
        for hit in hits:
            pairs[key].append((hit.score, hit.id))
            pairs[hit.id].append((hit.score, key))
        if key % 256 == 0:
            progress(key / len(vectors))
    return _packed(pairs, floor)


def _packed(pairs: list[list[tuple[float, int]]], floor: float) -> Neighbours:
    scores, ids = [], []
    for near in pairs:
        near.sort(reverse=True)
        scores.append(array("d", [score for score, _ in near]))
        ids.append(array("q", [key for _, key in near]))
    return Neighbours(scores, ids, floor)
