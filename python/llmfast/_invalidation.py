"""Taking answers back: what an invalidation covers, and answers in flight that it overtakes."""

from __future__ import annotations

import math
import unicodedata
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._llmfast import Row
    from ._plan import Plan

#: Invalidations that are remembered for answers in flight. An answer asked for before the oldest of them is not stored.
_REMEMBERED = 1_024


def edition(version: str) -> str:
    """Return a version as its key counts it: in NFC."""
    return version if version.isascii() else unicodedata.normalize("NFC", version)


def _as_stored(moment: float) -> float:
    """Return a moment as a row has it: in whole milliseconds, the nearest.

    A row may so have been stored up to half a millisecond before the time that it tells.
    """
    return math.floor(moment * 1000.0 + 0.5) / 1000.0 if math.isfinite(moment) else moment


class Criteria(NamedTuple):
    """What an invalidation covers: what agrees in all that are not None. None at all: everything.

    A version is one as `edition` returns it; the empty one is that of requests that name none.
    """

    scope: int | None = None
    tag: str | None = None
    version: str | None = None
    key: bytes | None = None
    #: Seconds since the epoch: what is as old as this or older.
    until: float | None = None

    def covers(self, row: Row) -> bool:
        """Whether a stored row is meant."""
        return (
            (self.scope is None or row.scope == self.scope)
            and (self.version is None or row.version == self.version)
            and (self.key is None or row.key == self.key)
            and (self.until is None or row.created_at <= _as_stored(self.until))
            and (self.tag is None or self.tag in row.tags)
        )

    def overtakes(self, plan: Plan) -> bool:
        """Whether the answer to a request that was on its way by then is meant."""
        return (
            (self.scope is None or plan.scope_id == self.scope)
            and (self.version is None or edition(plan.ask.version) == self.version)
            and (self.key is None or plan.key == self.key)
            and (self.until is None or plan.began_at <= self.until)
            and (self.tag is None or self.tag in plan.tags)
        )


class Invalidations:
    """The latest invalidations in their order. Guarded by the lock of whoever holds it."""

    def __init__(self) -> None:
        #: Grows by one with each.
        self.count = 0
        self._latest: deque[Criteria] = deque(maxlen=_REMEMBERED)

    def add(self, criteria: Criteria) -> None:
        """Note an invalidation."""
        self._latest.append(criteria)
        self.count += 1

    def overtook(self, plan: Plan) -> bool:
        """Whether one that came after the request began covers its answer."""
        missed = self.count - plan.epoch
        if missed > len(self._latest):
            return True
        return any(criteria.overtakes(plan) for criteria in _last(self._latest, missed))


def _last(entries: deque[Criteria], count: int) -> Iterable[Criteria]:
    return (entries[-1 - back] for back in range(count))
