"""Everything that a run says, as one JSON document. The text and the page only render it.

Shares and rates are fractions of 1, times are seconds, money is US dollars.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from . import model as simulated
from .curve import wrong_hits
from .money import money
from .statistics import share, spread
from .trace import CALL, EXACT, SEMANTIC, Served

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .log import Skipped
    from .run import Replay

# Of all requests: what the tiers were designed to catch, beside which a run is read.
DESIGN = {"L1": [0.20, 0.30], "L2": [0.30, 0.40], "L3": [0.20, 0.30], "all": [0.70, 0.85]}

# How the cache counts the answers that it did not store, each with why.
_NOT_STORED = "not_stored:"


@dataclass(frozen=True)
class Source:
    """Where the requests came from. `seed` and `attribution` belong to the bundled traffic, `format` to a log."""

    name: str
    bundled: bool
    seed: int | None = None
    format: str | None = None
    attribution: str | None = None


@dataclass(frozen=True)
class Curve:
    """The points of the curve, how many requests they cover, and why that is fewer than all, or none."""

    points: list[dict[str, Any]]
    requests: int
    note: str | None = None


def build(
    replay: Replay, source: Source, skipped: Skipped, curve: Curve, *, notes: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the report of a run, which may have been interrupted."""
    from .. import __version__

    served = replay.trace.served
    return {
        "llmfast": __version__,
        "source": asdict(source),
        "settings": _settings(replay),
        "requests": len(served),
        "distinct_requests": len({row.key for row in served}),
        "skipped": {"lines": skipped.lines, "reasons": skipped.reasons, "first": skipped.first},
        **_tiers(served, semantic=replay.encoder is not None),
        **_wrong(served),
        "latency": {outcome: spread(_column(served, outcome)) for outcome in (EXACT, SEMANTIC, CALL)},
        "model_time": _model_time(served),
        "tokens": _tokens(served),
        "money": money(replay.ledger, replay.settings.baseline, served),
        "models": _models(served, router=replay.settings.router),
        "curve": asdict(curve),
        "notes": [*notes, *_own_notes(replay)],
    }


def _settings(replay: Replay) -> dict[str, Any]:
    encoder = replay.encoder
    return {
        **asdict(replay.settings),
        "semantic": encoder is not None,
        "encoder": None if encoder is None else {"name": encoder.name, "fingerprint": encoder.fingerprint},
    }


def _tiers(served: Sequence[Served], *, semantic: bool) -> dict[str, Any]:
    counts = Counter(row.outcome for row in served)
    hits = counts[EXACT] + counts[SEMANTIC]

    def row(tier: str, name: str, requests: int | None) -> dict[str, Any]:
        part = None if requests is None else share(requests, len(served))
        return {"tier": tier, "name": name, "requests": requests, "share": part, "design": DESIGN.get(tier)}

    return {
        "tiers": [
            row("L1", "exact, in this process", counts[EXACT]),
            row("L2", "exact, in a shared store", None),
            row("L3", "by meaning", counts[SEMANTIC] if semantic else None),
        ],
        "hits": row("all", "all hits", hits),
        "calls": row("-", "model calls", counts[CALL]),
    }


def _wrong(served: Sequence[Served]) -> dict[str, Any]:
    outcomes = [(row.outcome, row.origin) for row in served]
    known = wrong_hits(served, outcomes)
    exact = wrong_hits(served, outcomes, only=EXACT)["wrong_of_hits"]
    semantic = wrong_hits(served, outcomes, only=SEMANTIC)["wrong_of_hits"]
    truth = known["wrong_of_all"]["of"] > 0
    return {"wrong": {"truth": truth, **known, "wrong_of_exact_hits": exact, "wrong_of_semantic_hits": semantic}}


def _column(served: Sequence[Served], outcome: str) -> list[float]:
    return [row.seconds for row in served if row.outcome == outcome]


def _model_time(served: Sequence[Served]) -> dict[str, Any]:
    """Return the simulated model's time, and with it how long a caller waits with and without llmfast."""
    return {
        "simulated": True,
        "formula": simulated.FORMULA,
        "wait_without": spread([row.model_seconds for row in served]),
        "wait_with": spread([row.seconds + (row.model_seconds if row.outcome == CALL else 0.0) for row in served]),
        "total_without": math.fsum(row.model_seconds for row in served),
        "total_with": math.fsum(row.model_seconds for row in served if row.outcome == CALL),
    }


def _tokens(served: Sequence[Served]) -> dict[str, Any]:
    calls = [row for row in served if row.outcome == CALL]
    return {
        "without": _summed(served),
        "with": _summed(calls),
        "estimated_requests": sum(row.estimated for row in served),
        "estimate": f"characters / {simulated.CHARACTERS_PER_TOKEN}; "
        f"{simulated.ANSWER_TOKENS} output tokens for an answer that the log does not hold",
    }


def _summed(rows: Sequence[Served]) -> dict[str, int]:
    return {"input": sum(row.usage[0] for row in rows), "output": sum(row.usage[1] for row in rows)}


def _models(served: Sequence[Served], *, router: bool) -> dict[str, Any]:
    called = Counter(row.model for row in served if row.outcome == CALL)
    return {
        "router": router,
        "requested": dict(Counter(row.requested for row in served).most_common()),
        "called": dict(called.most_common()),
    }


def _own_notes(replay: Replay) -> list[str]:
    notes = []
    stats = replay.cache.stats()
    notes += [*replay.clock.notes(), *replay.differences.notes(), *replay.media.notes(), *replay.tenants.notes()]
    if stats.not_stored:
        whys = [
            f"{times:,} {name.removeprefix(_NOT_STORED)}"
            for name, times in stats.reasons.items()
            if name.startswith(_NOT_STORED)
        ]
        notes.append(f"{stats.not_stored:,} answers are not stored, and serve nobody else: {', '.join(whys)}")
    if replay.cache.disabled:
        notes.append("LLMFAST_DISABLE is set: the cache let every request pass")
    if replay.evicted:
        notes.append(
            f"{replay.evicted:,} answers made room for others (capacity {replay.settings.capacity:,}); "
            "the curve assumes room for all"
        )
    notes += [
        f"{step} failed {times:,} times inside llmfast; the requests went on" for step, times in stats.failures.items()
    ]
    return notes
