"""A request that can be cached: who it is, which policy applies, and what was found out about it on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._llmfast import horizon
from ._types import Neighbour

if TYPE_CHECKING:
    import asyncio

    import numpy as np

    from ._llmfast import Reading, Row, _Encoding
    from ._policy import CachePolicy
    from ._request import Ask, Scope


SERVES = "serves"


class Plan:
    """A request on its way."""

    __slots__ = (
        "ahead",
        "ask",
        "began_at",
        "epoch",
        "fingerprint",
        "fresh_for",
        "key",
        "kind",
        "loop",
        "nearest",
        "partition",
        "passed_by",
        "policy",
        "reading",
        "refusal",
        "renews",
        "scope",
        "scope_id",
        "serving",
        "stale",
        "streams",
        "tags",
        "ttl",
        "vector",
        "why_not",
        "would_serve",
    )

    def __init__(
        self,
        ask: Ask,
        scope: Scope,
        policy: CachePolicy,
        ttl: float | None,
        fingerprint: bytes,
        key: bytes,
        began_at: float,
        epoch: int,
        streams: bool | None = None,
    ) -> None:
        self.ask = ask
        #: The kind whose rows have lived by the same time to live; None if the request names a time of its own.
        self.kind = ask.kind if ask.ttl is None else None
        self.scope = scope
        self.policy = policy
        #: Seconds that the answer lives, and the age above which none of another kind is taken.
        self.ttl = ttl
        self.fingerprint = fingerprint
        #: Where its row lies.
        self.key = key
        #: Seconds since the epoch.
        self.began_at = began_at
        #: Invalidations before it began.
        self.epoch = epoch
        #: Whether the caller takes a stream only (True), none (False) or what comes (None).
        self.streams = streams
        #: How many seconds its answer lives at most by the words of the question; None: they do not shorten its life.
        self.fresh_for: float | None = None
        #: The event loop that its caller waits on; None in a thread without one.
        self.loop: asyncio.AbstractEventLoop | None = None
        #: The scope as a MAC, once it was asked for.
        self.scope_id: int | None = None
        #: Filled in on a miss.
        self.tags: tuple[str, ...] = ()
        #: A row of this very request whose time is over, but not by much.
        self.stale: Row | None = None
        #: Whether it renews that row: then nothing else will do.
        self.renews = False
        #: Why it is not compared by meaning, by name; None if it is.
        self.refusal: str | None = None
        #: What an encoder that is awaited made of the question before the search.
        self.ahead: np.ndarray | None = None
        #: Encoded while looking for a match, and stored with the answer.
        self.vector: np.ndarray | _Encoding | None = None
        self.reading: Reading | None = None
        #: Where its row may be found by meaning; empty until somebody asked.
        self.partition = b""
        #: Cosine of the nearest row at or above the threshold, acceptable or not.
        self.nearest: float | None = None
        #: Rows near enough that do not serve, nearest first. Told at once: an answer must not keep other rows.
        self.passed_by: list[Neighbour] = []
        #: The row that serves, its cosine, and when it was looked at.
        self.serving: tuple[Row, float, float] | None = None
        self.would_serve: Neighbour | None = None
        self.why_not = "nothing near enough is stored"

    def shorten(self) -> None:
        """Have the answer live no longer than it holds, where the question asks for something fresh.

        Not where the request names a time to live, since who asks knows better, nor under a policy without rules. It is
        asked of those that make a call, as it reads the question.
        """
        if self.kind is None or self.policy.mode == "static":
            return
        seconds = horizon(self.ask.query)
        if seconds is not None and (self.ttl is None or seconds < self.ttl):
            self.fresh_for = seconds

    @property
    def life(self) -> float | None:
        """Seconds that its answer is stored for, None for ever."""
        return self.ttl if self.fresh_for is None else self.fresh_for

    def answered_by(self, row: Row, key: bytes, now: float) -> float | None:
        """Return the age of a row that lay under `key`, if it is that row and may answer; see `fresh_age`."""
        if self.streams is not None and self.streams != (row.codec == "events"):
            return None
        return row.answers(key, now, self.kind, self.ttl)

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """The stored questions that were looked at, nearest first."""
        if self.serving is None:
            return tuple(self.passed_by)
        return *self.passed_by, as_neighbour(*self.serving, SERVES)


def as_neighbour(row: Row, score: float, now: float, verdict: str, detail: str | None = None) -> Neighbour:
    """Return a verdict as callers read it; without a `detail` the cosine says all."""
    if detail is None:
        detail = f"cosine {score:.4f}"
    return Neighbour(score, row.key, row.question, max(0.0, now - row.created_at), verdict, detail)
