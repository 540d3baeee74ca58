"""Answers, as the steps of a request make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ._failures import shown
from ._recording import Reader, Recording
from ._stream import Stream
from ._types import Answer, Explanation
from ._usage import usage_of
from ._values import unpack

if TYPE_CHECKING:
    from ._flight import Seat
    from ._llmfast import Row
    from ._memory import Match
    from ._plan import Plan
    from ._types import Source
    from ._usage import Usage

_TIERS = {"exact_hit": "L1", "semantic_hit": "L3"}


class Flown(NamedTuple):
    """What a flight brings back.

    `row` makes a copy for everybody, `stream` is read by all who joined; without either, `value` is the leader's alone.
    """

    source: Source
    value: Any
    row: Row | None
    model: str
    usage: Usage | None
    score: float | None
    age: float | None
    decision: Explanation
    #: Of the row that is stored, or will be when the stream has ended; None if none is.
    key: bytes | None
    stream: Recording | None = None
    stale: bool = False
    #: Of the question, where a search found the row.
    vector: Any = None


@dataclass(frozen=True, slots=True)
class Called:
    """What a call returned, unpacked."""

    value: Any
    usage: Usage | None
    model: str
    route: Any
    finish_reason: str | None = None
    #: The value, parsed if it is the text of a JSON object.
    data: Any = None


class _Hit(Answer):
    """An answer out of a row: what all have in common lies in the class, and the rest in the row."""

    __slots__ = ("row",)

    row: Row
    coalesced = False
    stale = False
    _own: ClassVar[tuple[str, ...]] = ("response", "age", "row")
    _question: str | None = None

    @property
    def key(self) -> bytes:  # type: ignore[override]  # read alone
        """Key of the stored row."""
        return self.row.key

    @property
    def model(self) -> str:
        """The model that served, as far as it is known."""
        return self.row.model

    @property
    def usage(self) -> Usage | None:
        """Tokens that the call took then."""
        return usage_of(self.row)

    @property
    def _stored_at(self) -> float:  # type: ignore[override]  # read alone
        return self.row.created_at


class ExactHit(_Hit):
    """An exact hit, made a million times a second."""

    __slots__ = ()

    source = "exact_hit"
    tier = "L1"
    score = 1.0
    decision = Explanation("the same request was answered before")
    _plan = None

    def __init__(self, row: Row, age: float) -> None:
        shared = row.shared
        self.response = unpack(row) if shared is None else shared
        self.age = age
        self.row = row


class StaleHit(ExactHit):
    """An exact hit whose time was over."""

    __slots__ = ()

    decision = Explanation("the same request was answered before, and a newer answer is being fetched")
    stale = True


class SemanticHit(_Hit):
    """A hit by meaning: what can be asked later is not made before."""

    __slots__ = ()

    source = "semantic_hit"
    tier = "L3"
    _own = (*_Hit._own, "score", "_plan")

    def __init__(self, plan: Plan, match: Match, now: float) -> None:
        row, self.score = match
        shared = row.shared
        self.response = unpack(row) if shared is None else shared
        self.age = max(0.0, now - row.created_at)
        self.row = row
        self._plan = plan

    @property
    def _question(self) -> str:  # type: ignore[override]  # read alone
        assert self._plan is not None
        return self._plan.ask.query

    @property
    def decision(self) -> Explanation:  # type: ignore[override]  # read alone
        """Why."""
        plan = self._plan
        assert plan is not None
        reason = f"a question with cosine {self.score:.4f} was answered before"
        return Explanation(reason, plan.policy.threshold, plan.nearest, None, plan.neighbours)


def missed(plan: Plan, route: Any, not_stored: str | None = None) -> Explanation:
    threshold = plan.policy.threshold
    reason = plan.why_not if not_stored is None else f"{plan.why_not}; the answer was not stored: {not_stored}"
    return Explanation(
        reason, threshold, plan.nearest, route, plan.neighbours, plan.refusal, plan.would_serve, not_stored,
        plan.fresh_for,
    )  # fmt: skip


def stale_hit(error: BaseException, row: Row, age: float) -> Flown:
    decision = Explanation(f"the call failed, and the old answer still serves: {shown(error, 200)}")
    return Flown("exact_hit", unpack(row), row, row.model, usage_of(row), 1.0, age, decision, row.key, stale=True)


def as_flown(hit: SemanticHit) -> Flown:
    """Return a hit by meaning as those have it who waited for the flight that found it."""
    row = hit.row
    plan = hit._plan
    vector = None if plan is None else plan.vector
    return Flown(
        "semantic_hit", None, row, row.model, hit.usage, hit.score, hit.age, hit.decision, row.key, vector=vector
    )


def from_flight(flown: Flown, plan: Plan, seat: Seat, *, coalesced: bool) -> Answer:
    if flown.stream is not None:
        response: Any = Stream(Reader(flown.stream, seat))
    else:
        # The leader of a call gets the very object that the call returned; it has been copied into the row already.
        response = unpack(flown.row) if coalesced and flown.row is not None else flown.value
    return Answer(
        response,
        flown.source,
        tier=_TIERS.get(flown.source),
        score=flown.score,
        age=flown.age,
        key=flown.key,
        coalesced=coalesced,
        model=flown.model,
        usage=flown.usage,
        decision=flown.decision,
        stale=flown.stale,
        plan=plan if flown.source == "semantic_hit" else None,
        stored_at=None if flown.row is None else flown.row.created_at,
    )


def from_call(called: Called, reason: str) -> Answer:
    decision = Explanation(reason, route=called.route)
    return Answer(called.value, "llm_call", model=called.model, usage=called.usage, decision=decision)
