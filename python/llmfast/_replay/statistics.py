"""Shares, intervals and percentiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_Z95 = 1.959963984540054


def share(part: float, whole: float) -> float:
    """Return part / whole, and 0 for nothing of nothing."""
    return part / whole if whole else 0.0


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (E. B. Wilson, JASA 22, 1927); (0, 1) without a trial."""
    if trials == 0:
        return 0.0, 1.0
    rate, weight = successes / trials, _Z95**2 / trials
    centre = (rate + weight / 2) / (1 + weight)
    half = _Z95 / (1 + weight) * math.sqrt(rate * (1 - rate) / trials + weight / (4 * trials))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high


def rate(successes: int, trials: int) -> dict[str, Any]:
    """Return a proportion with its counts and its 95 % Wilson interval; the rate is None without a trial."""
    low, high = wilson(successes, trials)
    return {
        "count": successes,
        "of": trials,
        "rate": successes / trials if trials else None,
        "low": low,
        "high": high,
    }


def percentile(ordered: Sequence[float], level: float) -> float:
    """Return the smallest of the ascending, non-empty `ordered` that a share `level` (0 to 1] does not exceed."""
    return ordered[max(0, math.ceil(level * len(ordered)) - 1)]


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Return count, mean, p50, p95 and p99 of `values`; the figures are None without a value."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0, "mean": None, "p50": None, "p95": None, "p99": None}
    levels = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {
        "count": len(ordered),
        "mean": math.fsum(ordered) / len(ordered),
        **{name: percentile(ordered, level) for name, level in levels.items()},
    }
