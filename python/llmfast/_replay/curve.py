"""Hits against wrong hits over the threshold, from one run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .neighbours import FLOOR, Neighbours
from .policy import Outcome, simulate
from .statistics import rate
from .trace import CALL, EXACT, SEMANTIC, Served

if TYPE_CHECKING:
    from collections.abc import Sequence

GRID = [hundredths / 100 for hundredths in range(round(FLOOR * 100), 100)]


def curve(
    served: Sequence[Served],
    neighbours: Neighbours,
    *,
    ttl: float | None,
    own: float | None,
    **rules: Any,
) -> list[dict[str, Any]]:
    """Return one point for each threshold from .80 to .99, for the run's `own`, and for exact hits alone (None).

    `served` must hold the covered requests only; `rules` are those of `simulate`.
    """
    keys, times, stored = ([getattr(row, name) for row in served] for name in ("key", "time", "stored"))
    thresholds: list[float | None] = list(GRID)
    if own is not None and own >= FLOOR and own not in GRID:
        thresholds = [*sorted([*GRID, own]), None]
    else:
        thresholds.append(None)
    return [
        point(served, simulate(keys, times, neighbours, threshold=least, ttl=ttl, stored=stored, **rules), least)
        for least in thresholds
    ]


def point(served: Sequence[Served], outcomes: Sequence[Outcome], threshold: float | None) -> dict[str, Any]:
    """Count the outcomes at one threshold: exact and semantic hits, and wrong ones where truth is known."""
    kinds = Counter(kind for kind, _ in outcomes)
    return {
        "threshold": threshold,
        "exact_hits": kinds[EXACT],
        "semantic_hits": kinds[SEMANTIC],
        "requests": len(served),
        **wrong_hits(served, outcomes),
    }


def wrong_hits(
    served: Sequence[Served], outcomes: Sequence[Outcome], *, only: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return the rates of wrong hits, of hits and of all requests, where truth is known; or of one outcome `only`."""
    wrong = judged = judged_hits = 0
    for (kind, origin), row in zip(outcomes, served, strict=True):
        intent, answered = row.intent, served[origin].intent
        if intent is None or answered is None or (only is not None and kind != only):
            continue
        judged += 1
        if kind != CALL:
            judged_hits += 1
            wrong += intent != answered
    return {"wrong_of_hits": rate(wrong, judged_hits), "wrong_of_all": rate(wrong, judged)}


def covered(served: Sequence[Served], neighbours: Neighbours) -> Sequence[Served]:
    """Return the requests up to the first one that `neighbours` does not know."""
    first = next((at for at, row in enumerate(served) if row.key >= neighbours.keys), len(served))
    return served[:first]
