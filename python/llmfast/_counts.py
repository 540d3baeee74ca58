"""What happened to requests, counted by outcome and by reason."""

from __future__ import annotations

import threading

OUTCOMES = ("exact_hit", "semantic_hit", "llm_call", "coalesced", "uncacheable")


class Counts:
    """Counters that any thread may raise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes = dict.fromkeys(OUTCOMES, 0)
        self._exact_hits = 0
        self._reasons: dict[str, int] = {}

    def outcome(self, name: str) -> None:
        """Count a request by how it was answered."""
        with self._lock:
            self._outcomes[name] += 1

    def exact_hit(self) -> None:
        """Count an exact hit: the same as `outcome("exact_hit")`, in half the time."""
        with self._lock:
            self._exact_hits += 1

    def reason(self, name: str) -> None:
        """Count a reason, such as "veto:number"."""
        with self._lock:
            self._reasons[name] = self._reasons.get(name, 0) + 1

    def read(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return copies of the counts by outcome and by reason, of one moment."""
        with self._lock:
            outcomes = {**self._outcomes, "exact_hit": self._outcomes["exact_hit"] + self._exact_hits}
            return outcomes, dict(sorted(self._reasons.items()))
