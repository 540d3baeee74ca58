"""Who takes part in the search bench: FlatIndex and HnswIndex, and each peer by its best call for one query."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import llmfast
from _harness import percentile
from _oracle import NO_THRESHOLD
from _search_probe import microseconds
from _vectors import DIM, in_blocks, spaced_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from _harness import Bench

    Rows = NDArray[np.float32]

CONNECTIVITY, EXPANSION = 16, 64
#: hnswlib is asked twice: with an expansion of 50, and with that of the other graphs.
HNSWLIB_BUILD, HNSWLIB_ASKED = 200, (50, EXPANSION)


# ---- contenders ------------------------------------------------------------------------------------------------------


def first_score(hits: Any) -> float:
    return hits[0].score


def nothing() -> None:
    pass


@dataclass
class Contender:
    """Asks its queries one after the other, a round's figure being their median in microseconds."""

    call: Callable[[Any], Any]
    queries: Sequence[Any]
    score: Callable[[Any], float] = first_score  # of the best row in what `call` returns
    prepare: Callable[[], object] = nothing  # before each round
    samples: list[list[float]] = dataclasses.field(default_factory=list)

    def __call__(self) -> float:
        self.prepare()
        self.samples.append([microseconds(self.call, query) for query in self.queries])
        return statistics.median(self.samples[-1])

    def best_scores(self, count: int | None = None) -> NDArray[np.float64]:
        """Return the score of the best row found for each of the first `count` queries, or for all."""
        self.prepare()
        return np.array([self.score(self.call(query)) for query in self.queries[:count]], dtype=np.float64)

    def spread(self) -> str:
        """Return p50 and p99 over the queries of all rounds but the unrecorded first one."""
        recorded = list(itertools.chain.from_iterable(self.samples[1:]))
        return f"p50 {percentile(recorded, 0.5):.1f} us, p99 {percentile(recorded, 0.99):.1f} us"


def check_agreement(contenders: Mapping[str, Contender], count: int = 3) -> None:
    """Raise where exact contenders do not find the same best score for their first queries."""
    found = {name: one.best_scores(count) for name, one in contenders.items()}
    if np.ptp(list(found.values()), axis=0).max() > 1e-5:
        raise AssertionError(f"the best scores differ: {found}")


def ours(index: Any, queries: Rows, k: int = 1, min_score: float = NO_THRESHOLD) -> Contender:
    return Contender(functools.partial(index.search, k=k, min_score=min_score), list(queries))


def flat(rows: Rows, block: int = 100_000) -> llmfast.FlatIndex:
    """Return a FlatIndex of these rows under spaced ids, filled in blocks."""
    index = llmfast.FlatIndex(DIM)
    ids = spaced_ids(len(rows))
    for part in in_blocks(len(rows), block):
        index.add_many(ids[part], rows[part])
    return index


# ---- peers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peers:
    """The modules to compare with, held to one thread."""

    faiss: Any
    hnswlib: Any
    usearch: Any

    @classmethod
    def load(cls, bench: Bench) -> Peers:
        """Import all, or exit 2."""
        found = cls(*map(bench.need_module, ("faiss", "hnswlib", "usearch.index")))
        found.faiss.omp_set_num_threads(1)
        return found

    def faiss_flat(self, rows: Rows) -> Any:
        """Return a brute-force index over a copy of the rows."""
        index = self.faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        return index

    def usearch_index(self, rows: Rows, **options: int) -> Any:
        """Return a graph over these rows, which it does not copy."""
        index = self.usearch.Index(ndim=rows.shape[1], metric="ip", dtype="f32", **options)
        index.add(np.arange(len(rows)), rows, threads=1, copy=False)
        return index

    def hnswlib_index(self, rows: Rows) -> Any:
        """Return a graph over a copy of the rows."""
        index = self.hnswlib.Index(space="ip", dim=rows.shape[1])
        index.init_index(len(rows), ef_construction=HNSWLIB_BUILD, M=CONNECTIVITY)
        index.set_num_threads(1)
        index.add_items(rows, np.arange(len(rows)), num_threads=1)
        return index


def as_matrices(queries: Rows) -> list[Rows]:
    return [query.reshape(1, -1) for query in queries]


def faiss_contender(index: Any, queries: Rows, k: int = 1) -> Contender:
    return Contender(lambda query: index.search(query, k), as_matrices(queries), lambda found: found[0][0, 0])


def usearch_contender(index: Any, queries: Rows, *, exact: bool = False) -> Contender:
    return Contender(
        lambda query: index.search(query, 1, exact=exact, threads=1),
        list(queries),
        lambda found: 1.0 - found.distances[0],
    )


def numpy_contender(rows: Rows, queries: Rows) -> Contender:
    def best(query: Rows) -> np.float32:
        scores = rows @ query
        return scores[scores.argmax()]

    return Contender(best, list(queries), float)


def brute_force(peers: Peers, rows: Rows, faiss_flat: Any, queries: Rows) -> dict[str, Contender]:
    """Return the exact peers for the best row."""
    graph = peers.usearch_index(rows, connectivity=2, expansion_add=1, expansion_search=1)
    return {
        "faiss flat": faiss_contender(faiss_flat, queries),
        "numpy": numpy_contender(rows, queries),
        "usearch exact": usearch_contender(graph, queries, exact=True),
    }


# ---- graphs ----------------------------------------------------------------------------------------------------------


def hnsw(rows: Rows) -> Any:
    """Return an HnswIndex of these rows."""
    index = llmfast.HnswIndex(DIM, connectivity=CONNECTIVITY, expansion=EXPANSION)
    index.add_many(np.arange(len(rows)), rows)
    return index


def graphs(peers: Peers, rows: Rows, queries: Rows) -> dict[str, tuple[float, Contender]]:
    """Build every graph; return the seconds that took, and a contender."""
    ours_s, mine = timed(functools.partial(hnsw, rows))
    usearch_s, theirs = timed(
        functools.partial(peers.usearch_index, rows, connectivity=CONNECTIVITY, expansion_search=EXPANSION)
    )
    hnswlib_s, library = timed(functools.partial(peers.hnswlib_index, rows))
    found = {
        "llmfast HnswIndex": (ours_s, ours(mine, queries)),
        "usearch": (usearch_s, usearch_contender(theirs, queries)),
    }
    for expansion in HNSWLIB_ASKED:
        found[f"hnswlib, ef {expansion}"] = (hnswlib_s, hnswlib_contender(library, queries, expansion))
    return found


def hnswlib_contender(index: Any, queries: Rows, expansion: int) -> Contender:
    return Contender(
        lambda query: index.knn_query(query, k=1, num_threads=1),
        as_matrices(queries),
        lambda found: 1.0 - found[1][0, 0],
        functools.partial(index.set_ef, expansion),
    )


def timed(build: Callable[[], Any]) -> tuple[float, Any]:
    """Return how many seconds `build` takes, and what it returns."""
    start = time.perf_counter()
    built = build()
    return time.perf_counter() - start, built


def us_each(work: Callable[[], object], count: int) -> float:
    """Return the microseconds of `work` for each of `count` things."""
    return timed(work)[0] * 1e6 / count
