"""What happened to requests, counted by outcome and by reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from ._forks import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._llmfast import CacheStats

OUTCOMES = ("exact_hit", "semantic_hit", "llm_call", "coalesced", "uncacheable")


class Counts:
    """Counters that any thread may raise."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._outcomes = dict.fromkeys(OUTCOMES, 0)
        # Counts in one step, whoever else does at the same time; with a lock an exact hit would take 5 % longer.
        self._exact_hits = count()
        #: Counts an exact hit: the same as `outcome("exact_hit")`.
        self.exact_hit: Callable[[], int] = self._exact_hits.__next__
        self._reasons: dict[str, int] = {}

    def outcome(self, name: str) -> None:
        """Count a request by how it was answered."""
        with self._lock:
            self._outcomes[name] += 1

    def reason(self, name: str) -> None:
        """Count a reason, such as "veto:number"."""
        with self._lock:
            self._reasons[name] = self._reasons.get(name, 0) + 1

    def read(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return copies of the counts by outcome and by reason, of one moment."""
        with self._lock:
            # It says where it stands in its notation alone: "count(3)".
            exact_hits = int(repr(self._exact_hits).removeprefix("count(").removesuffix(")"))
            outcomes = {**self._outcomes, "exact_hit": self._outcomes["exact_hit"] + exact_hits}
            return outcomes, dict(sorted(self._reasons.items()))


@dataclass(frozen=True, slots=True)
class TierStats:
    """What a `Cache` did since it was made, and what it holds: what its `stats()` returns.

    `requests` is the sum of `exact_hits` (tier L1), `semantic_hits` (tier L3), `llm_calls`, `coalesced` and
    `uncacheable`; a call that renewed an old answer behind its callers' backs is none of them (reason "stale:renewed").
    `not_stored` of the calls were not stored. `rows` answers are held, `vectors` of them found by meaning; `l1` is the
    table of the exact tier, as `LruCache.stats()` tells of one. `reasons` counts why, by name: "refused:..." (not
    compared by meaning; "refused:busy": too many others waited), "veto:..." (a near question that did not serve),
    "not_stored:...", "not_compared:..." (stored, found on exact repeats only), "stale:...", "shadow:...",
    "feedback:...", "invalidated". `failures` are ours, by step.
    """

    requests: int
    exact_hits: int
    semantic_hits: int
    llm_calls: int
    coalesced: int
    uncacheable: int
    not_stored: int
    rows: int
    vectors: int
    l1: CacheStats
    reasons: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
