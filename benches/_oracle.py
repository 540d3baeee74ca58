"""Exact search in float64, and what counts as a mistake beside it.

The oracle normalises every row in float64 and multiplies matrices. An answer is a mistake if it has a row too few or
too many although no score is within 1e-12 of the threshold, a score that is off by more than 1e-12, a row that another
one beats by more than that, or, of rows that are equal bit by bit, one with a larger id before one with a smaller id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from _vectors import normalised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from _vectors import Data

MARGIN = 1e-12
NO_THRESHOLD = -1.0


def equal_rows(rows: NDArray[np.float32]) -> dict[int, NDArray[np.intp]]:
    """Return, of each row that is there more than once, the positions of all of its copies."""
    positions: dict[int, list[int]] = {}
    for position, row in enumerate(rows):
        positions.setdefault(hash(row.tobytes()), []).append(position)
    copies = {}
    for candidates in positions.values():
        for position in candidates if len(candidates) > 1 else ():
            same = [other for other in candidates if np.array_equal(rows[other], rows[position])]
            if len(same) > 1:
                copies[position] = np.array(same)
    return copies


class Oracle:
    """Rows in float64 under their ids. `alive` says which of them are in the index; only those may be found."""

    def __init__(
        self, ids: NDArray[np.uint64], rows: NDArray[np.float32], alive: NDArray[np.bool_] | None = None
    ) -> None:
        self.ids = ids
        self.exact = normalised(rows)
        self.copies = equal_rows(rows)
        self.alive = np.ones(len(ids), dtype=bool) if alive is None else alive
        self.position = {int(one): at for at, one in enumerate(ids)}

    def scores(self, queries: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return a line of cosines a query; a removed row has -inf."""
        scores = normalised(queries) @ self.exact.T
        scores[:, ~self.alive] = -np.inf
        return scores

    def is_mistake(
        self, hits: Sequence[Any], scores: NDArray[np.float64], best: NDArray[np.float64], min_score: float
    ) -> bool:
        """Return whether the answer is wrong.

        `scores`: of the rows in the index, by position. `best`: the largest of them, as many as were asked for, largest
        first (`largest`).
        """
        fewest, most = np.count_nonzero(best >= min_score + MARGIN), np.count_nonzero(best >= min_score - MARGIN)
        if not fewest <= len(hits) <= most:
            return True
        found = [self.position.get(hit.id, len(scores)) for hit in hits]
        if any(at >= len(scores) for at in found) or len(set(found)) < len(found):
            return True
        truth = scores[found]
        given = np.array([hit.score for hit in hits])
        if np.any(np.abs(given - truth) > MARGIN) or np.any(truth < best[: len(hits)] - MARGIN):
            return True
        return any(self._skips_a_copy(found[: place + 1], scores) for place in range(len(found)))

    def _skips_a_copy(self, found: list[int], scores: NDArray[np.float64]) -> bool:
        """Return whether a copy of the last row found has a smaller id and was not found before it."""
        copies = self.copies.get(found[-1])
        if copies is None:
            return False
        mine = self.ids[found[-1]]
        present = copies[copies < len(scores)]
        earlier = present[(self.ids[present] < mine) & np.isfinite(scores[present])]
        return not set(earlier.tolist()) <= set(found)


def largest(scores: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the `count` largest of the scores, largest first; removed rows are not among them."""
    count = min(count, len(scores))
    if count == 1:
        top = scores.max(keepdims=True)
    else:
        top = np.sort(np.partition(scores, len(scores) - count)[len(scores) - count :])[::-1]
    return top[np.isfinite(top)]


def count_mistakes(
    oracle: Oracle, index: Any, queries: NDArray[np.float32], scores: NDArray[np.float64], k: int, min_score: float
) -> int:
    """Ask half of the queries at once and the others one at a time; return how many answers are wrong."""
    half = len(queries) // 2
    answers = index.search_many(queries[:half], k, min_score=min_score)
    answers += [index.search(query, k, min_score=min_score) for query in queries[half:]]
    return sum(
        oracle.is_mistake(hits, line, largest(line, k), min_score) for hits, line in zip(answers, scores, strict=True)
    )


def change(
    data: Data, ids: NDArray[np.uint64], rows: NDArray[np.float32], indexes: Mapping[int, Any]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Remove a tenth of the rows and replace another: by new points, copies of other rows, and some of the queries."""
    tenth = len(rows) // 10
    order = np.random.default_rng(9).permutation(len(rows))
    removed, updated = order[:tenth], order[tenth : 2 * tenth]
    changed, alive = rows.copy(), np.ones(len(rows), dtype=bool)
    changed[updated] = data.unused(tenth)
    changed[updated[::3]] = rows[order[: len(updated[::3])] % min(indexes)]
    asked = data.queries[: len(data.queries) // 10]
    changed[updated[: len(asked)]] = asked
    alive[removed] = False
    for size, index in indexes.items():
        for at in removed[removed < size]:
            index.remove(int(ids[at]))
        for at in updated[updated < size]:
            index.update(int(ids[at]), changed[at])
    return changed, alive
