"""The way of a request.

The way is one generator that never waits: it yields what has to be done (`Share`, `LookUp`, `OffLoop`, `Await`,
`Call`), and a driver in `_drivers` does it, asynchronously or in the calling thread, and sends the result back.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ._drivers import AsyncDriver, Await, Call, LookUp, OffLoop, Share, drive_sync
from ._failures import Failures
from ._flight import Abandoned, Failed
from ._request import Asking
from ._types import Answer, Explanation, Reply, Usage
from ._values import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._cache import Cache, Plan
    from ._flight import Flight
    from ._ledger import Ledger
    from ._llmfast import Row
    from ._memory import Match
    from ._request import Ask
    from ._router import Router
    from ._types import Source

    Outcome = Source | Literal["coalesced", "uncacheable"]
    Way = Generator[Share | LookUp | OffLoop | Await | Call, Any, Answer]

#: Characters or bytes of an answer that are packed in well under a millisecond.
_SMALL = 64 * 1024

_EXACT = Explanation("the same request was answered before")


class Flown(NamedTuple):
    """What a flight brings back. `row` makes a copy for everybody; without one, `value` is the leader's alone."""

    source: Source
    value: Any
    row: Row | None
    model: str
    usage: Usage | None
    score: float | None
    age: float | None
    decision: Explanation
    #: Of the row that is stored; None if none is.
    key: bytes | None


@dataclass(frozen=True, slots=True)
class Called:
    """What a call returned, unpacked."""

    value: Any
    usage: Usage | None
    model: str
    route: Any


class Engine(Asking):
    """The whole way of a request: cache, router, call, ledger. Every part can be left out.

    A failure of a part costs the hit or the decision, never the call; it is counted in `cache.stats().failures` (or
    `engine.failures` without a cache) and logged once.
    """

    def __init__(
        self, *, cache: Cache | None = None, router: Router | None = None, ledger: Ledger | None = None
    ) -> None:
        self.cache = cache
        self.router = router
        self.ledger = ledger
        self.failures = Failures() if cache is None else cache.failures
        self._driver = AsyncDriver(None if cache is None else cache.flights)

    async def run(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way."""
        plan, answer = self._begin(ask)
        if answer is None:
            answer = await self._driver.drive(self._way(ask, plan, llm_callable))
        return answer

    def run_sync(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way in the calling thread."""
        plan, answer = self._begin(ask)
        if answer is None:
            flights = None if self.cache is None else self.cache.flights
            answer = drive_sync(self._way(ask, plan, llm_callable), flights)
        return answer

    # ---- the way ----------------------------------------------------------------------------------------------------

    def _begin(self, ask: Ask) -> tuple[Plan | None, Answer | None]:
        """Identify a request and answer it if it is an exact repeat: what needs no waiting at all."""
        cache = self.cache
        plan = None if cache is None else cache.plan(ask, getattr(self.router, "generation", ""))
        if cache is None or plan is None:
            return None, None
        try:
            found = cache.exact(plan)
            answer = None if found is None else _exact_hit(*found)
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            self.failures.note("L1", error)
            answer = None
        if answer is not None:
            self._record("exact_hit", ask, answer)
        return plan, answer

    def _way(self, ask: Ask, plan: Plan | None, llm_callable: Callable[..., Any]) -> Way:
        if plan is None:
            called = yield from self._call(ask, llm_callable)
            answer = _from_call(called, "the request cannot be cached" if self.cache else "no cache is set")
            self._record("uncacheable", ask, answer)
            return answer
        key: bytes | None = plan.key
        fly, drain = partial(self._fly, ask, plan, llm_callable), plan.policy.on_abandon == "drain"
        while True:
            leads, flown, _ = yield Share(key, plan, fly, drain)
            if isinstance(flown, Abandoned):
                # The caller that led was stopped; this one was not.
                continue
            if isinstance(flown, Failed):
                raise flown.error.with_traceback(flown.traceback)
            if leads or self._suits(plan, flown):
                break
            # The leader's policy is looser: those with this one share a flight of their own. Or its answer cannot be
            # copied and is its own: then this caller needs one too.
            key = None if flown.score is None else b"%b %b %r" % (plan.key, ask.kind.encode(), ask.ttl)
        answer = _from_flight(flown, coalesced=not leads)
        outcome: Outcome = flown.source if leads or flown.source == "semantic_hit" else "coalesced"
        self._record(outcome, ask, answer)
        return answer

    def _suits(self, plan: Plan, flown: Flown) -> bool:
        """Whether another caller's answer is one for this caller too."""
        assert self.cache is not None
        if flown.row is None or flown.score is None:
            return flown.row is not None
        return self.cache.suits(plan, flown.row, flown.score)

    def _fly(
        self, ask: Ask, plan: Plan, llm_callable: Callable[..., Any], flight: Flight
    ) -> Generator[LookUp | OffLoop | Await | Call, Any, Flown]:
        """Find the answer by meaning, else call the model and store its answer."""
        cache = self.cache
        assert cache is not None
        if cache.encoder is not None:
            try:
                found = yield from _nearest(cache, plan)
                if found is not None:
                    return _semantic_hit(plan, *found)
            except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
                plan.vector = None
                plan.why_not = f"looking for it by meaning failed: {error}"
                self.failures.note("L3", error)
        else:
            plan.why_not = "no encoder is set"
        called = yield from self._call(ask, llm_callable)
        row, key = None, None
        try:
            store = partial(_store, cache, plan, called, flight)
            # A large answer takes milliseconds to pack, and the index may have to move all its rows.
            row, key = store() if plan.vector is None and _is_small(called.value) else (yield OffLoop(store))
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            self.failures.note("admission", error)
        decision = Explanation(plan.why_not, plan.policy.threshold, plan.nearest, called.route)
        return Flown("llm_call", called.value, row, called.model, called.usage, None, None, decision, key)

    def _call(self, ask: Ask, llm_callable: Callable[..., Any]) -> Generator[Call, Any, Called]:
        route = None
        if self.router is not None:
            try:
                route = self.router.route(ask.query)
            except Exception as error:  # noqa: BLE001 - a failure of ours costs the decision, never the call
                self.failures.note("router", error)
        told = _takes_decision(llm_callable)
        result = yield Call(llm_callable, ask.query, {"decision": route} if told else {})
        model = route.model if told and route is not None else ask.model
        if isinstance(result, Reply):
            return Called(result.value, self._usage(result.usage), result.model or model, route)
        return Called(result, None, model, route)

    def _usage(self, usage: Any) -> Usage | None:
        """Take the usage as ours or as a provider names it.

        What cannot be read must not cost an answer that was paid for: it is no usage.
        """
        if usage is None or isinstance(usage, Usage):
            return usage
        try:
            if isinstance(usage, tuple | list):
                return Usage(*map(int, usage))
            read = usage.get if isinstance(usage, Mapping) else partial(_attribute, usage)
            names = ("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")
            return Usage(
                *(int(next(count for name in either if (count := read(name)) is not None)) for either in names)
            )
        except Exception as error:  # noqa: BLE001 - see above
            self.failures.note("usage", error)
            return None

    def _record(self, outcome: Outcome, ask: Ask, answer: Answer) -> None:
        if self.cache is not None:
            self.cache.count(outcome)
        if self.ledger is None:
            return
        try:
            self.ledger.record(
                outcome="llm_call" if outcome == "uncacheable" else outcome,
                requested=ask.model,
                model=answer.model,
                usage=answer.usage,
                user=ask.user,
                feature=ask.feature,
            )
        except Exception as error:  # noqa: BLE001 - a failure of ours costs an entry, never the call
            self.failures.note("ledger", error)


def _nearest(cache: Cache, plan: Plan) -> Generator[LookUp | OffLoop | Await, Any, tuple[Match, float] | None]:
    if cache.encodes_on_loop:
        yield Await(partial(cache.encode_ahead, plan))
    else:
        looked_up = yield LookUp(partial(cache.search, plan))
        if looked_up is not None:
            decided, found = cache.decide(plan, looked_up)
            if decided:
                return found
    nearest: tuple[Match, float] | None = yield OffLoop(partial(cache.nearest, plan))
    return nearest


def _takes_decision(llm_callable: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(llm_callable).parameters.values()
    except (TypeError, ValueError):
        # A callable without a signature, such as some written in C.
        return False
    # Not `**rest`: who passes that on to a client would pass on a parameter that the client does not know.
    return any(
        parameter.name == "decision" and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        for parameter in parameters
    )


def _attribute(holder: Any, name: str) -> Any:
    return getattr(holder, name, None)


def _store(cache: Cache, plan: Plan, called: Called, flight: Flight) -> tuple[Row | None, bytes | None]:
    """Store an answer; return its row, from which it can be copied, and the key if it lies in the cache now."""
    row = cache.row(plan, called.value, model=called.model, usage=called.usage)
    if row is None or flight.detached:
        cache.count("not_stored")
        return row, None
    try:
        cache.admit(plan, row)
    except Exception as error:  # noqa: BLE001 - those who wait get their copies all the same
        cache.failures.note("admission", error)
        return row, None
    return row, row.key


def _is_small(value: Any) -> bool:
    return isinstance(value, str | bytes) and len(value) <= _SMALL


def _exact_hit(row: Row, age: float) -> Answer:
    return Answer(
        unpack(row),
        "exact_hit",
        tier="L1",
        score=1.0,
        age=age,
        key=row.key,
        model=row.model,
        usage=_usage(row),
        decision=_EXACT,
    )


def _semantic_hit(plan: Plan, match: Match, age: float) -> Flown:
    row = match.row
    reason = f"a question with cosine {match.score:.4f} was answered before"
    decision = Explanation(reason, plan.policy.threshold, plan.nearest)
    return Flown("semantic_hit", unpack(row), row, row.model, _usage(row), match.score, age, decision, row.key)


def _from_flight(flown: Flown, *, coalesced: bool) -> Answer:
    hit = flown.source == "semantic_hit"
    return Answer(
        # The leader of a call gets the very object that the call returned; it has been copied into the row already.
        unpack(flown.row) if coalesced and flown.row is not None else flown.value,
        flown.source,
        tier="L3" if hit else None,
        score=flown.score,
        age=flown.age,
        key=flown.key,
        coalesced=coalesced,
        model=flown.model,
        usage=flown.usage,
        decision=flown.decision,
    )


def _from_call(called: Called, reason: str) -> Answer:
    decision = Explanation(reason, route=called.route)
    return Answer(called.value, "llm_call", model=called.model, usage=called.usage, decision=decision)


def _usage(row: Row) -> Usage | None:
    return None if row.usage is None else Usage(*row.usage)
