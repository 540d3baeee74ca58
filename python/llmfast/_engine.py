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

from ._drivers import AsyncDriver, Await, Call, LookUp, OffLoop, Pour, Share, drive_sync, is_async_generator
from ._failures import Failures
from ._flight import Abandoned, Failed
from ._loops import running_loop
from ._recording import Reader, Recording
from ._request import Asking
from ._stream import NOTHING, Ending, Passage, Stream, is_stream
from ._types import Answer, Explanation, Reply, Usage
from ._values import Events, size, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._cache import Cache, Plan
    from ._drivers import Step
    from ._flight import Flight, Seat
    from ._ledger import Ledger
    from ._llmfast import Row
    from ._memory import Match
    from ._request import Ask
    from ._router import Router
    from ._types import Source

    Outcome = Source | Literal["coalesced", "uncacheable"]
    Way = Generator[Step, Any, Answer]

#: Characters or bytes of an answer that are packed in well under a millisecond.
_SMALL = 64 * 1024

_EXACT = Explanation("the same request was answered before")


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
        self._flights = None if cache is None else cache.flights
        self._driver = AsyncDriver(self._flights)

    async def run(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way."""
        plan, answer = self._begin(ask, is_async_generator(llm_callable) or None)
        if answer is None:
            answer = await self._driver.drive(self._way(ask, plan, llm_callable))
        return answer

    def run_sync(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way in the calling thread."""
        # Nothing streams in a thread that has no loop.
        plan, answer = self._begin(ask, False)
        if answer is None:
            answer = drive_sync(self._way(ask, plan, llm_callable), self._flights)
        return answer

    # ---- the way ----------------------------------------------------------------------------------------------------

    def _begin(self, ask: Ask, streams: bool | None) -> tuple[Plan | None, Answer | None]:
        """Identify a request and answer it if it is an exact repeat: what needs no waiting at all."""
        cache = self.cache
        plan = None if cache is None else cache.plan(ask, getattr(self.router, "generation", ""), streams)
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
            called = self._passed_on(called)
            answer = _from_call(called, "the request cannot be cached" if self.cache else "no cache is set")
            self._record("uncacheable", ask, answer)
            return answer
        key: bytes | None = plan.key
        fly, drain = partial(self._fly, ask, plan, llm_callable), plan.policy.on_abandon == "drain"
        while True:
            leads, flown, seat = yield Share(key, plan, fly, drain)
            if isinstance(flown, Abandoned):
                # The caller that led was stopped; this one was not.
                continue
            if isinstance(flown, Failed):
                raise flown.error.with_traceback(flown.traceback)
            if leads or self._suits(plan, flown):
                break
            seat.leave()
            # The leader's policy is looser: those with this one share a flight of their own. Or its answer cannot be
            # copied and is its own: then this caller needs one too.
            key = None if flown.score is None else b"%b %b %r %r" % (plan.key, ask.kind.encode(), ask.ttl, plan.streams)
        answer = _from_flight(flown, seat, coalesced=not leads)
        outcome: Outcome = flown.source if leads or flown.source == "semantic_hit" else "coalesced"
        self._record(outcome, ask, answer)
        return answer

    def _suits(self, plan: Plan, flown: Flown) -> bool:
        """Whether another caller's answer is one for this caller too."""
        assert self.cache is not None
        if flown.row is None:
            return flown.stream is not None and plan.streams is not False
        if flown.score is None:
            return not plan.streams
        return self.cache.suits(plan, flown.row, flown.score)

    def _fly(
        self, ask: Ask, plan: Plan, llm_callable: Callable[..., Any], flight: Flight
    ) -> Generator[Step, Any, Flown]:
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
        decision = Explanation(plan.why_not, plan.policy.threshold, plan.nearest, called.route)
        recording = None
        if is_stream(called.value):
            recording = Recording(Ending(called.model, called.usage))
            flight.on_land, flight.on_leave = recording.finish, recording.nudge
            flown = Flown("llm_call", None, None, called.model, None, None, None, decision, plan.key, recording)
            yield Pour(called.value, partial(self._take, flight, flown), partial(recording.room, flight))
            ending = recording.ending
            called = Called(recording.events(), ending.usage, ending.model, called.route)
        row, key = None, None
        try:
            store = partial(_store, cache, plan, called, flight)
            # A large answer takes milliseconds to pack, and the index may have to move all its rows.
            row, key = store() if plan.vector is None and _is_small(called.value) else (yield OffLoop(store))
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            self.failures.note("admission", error)
        if recording is not None:
            return flown
        return Flown("llm_call", called.value, row, called.model, called.usage, None, None, decision, key)

    def _take(self, flight: Flight, flown: Flown, item: Any) -> bool:
        """Take an item of a stream; return whether there is room for more. The first one begins it for all who wait."""
        flights, recording = self._flights, flown.stream
        assert flights is not None
        assert recording is not None
        value = self._unwrapped(recording.ending, item)
        if value is NOTHING:
            return True
        has_room = recording.put(value)
        if not flight.told:
            flights.announce(flight, flown)
        if recording.overflown:
            flights.detach_one(flight)
        return has_room

    def _unwrapped(self, ending: Ending, item: Any) -> Any:
        if not isinstance(item, Reply):
            return item
        ending.note(item.model, self._usage(item.usage))
        return NOTHING if item.value is None else item.value

    def _passed_on(self, called: Called) -> Called:
        """Return what a call returned that is neither shared nor stored, a stream as such."""
        loop = running_loop()
        if loop is None or not is_stream(called.value):
            return called
        ending = Ending(called.model, called.usage)
        stream = Stream(Passage(called.value, partial(self._unwrapped, ending), ending, loop))
        return Called(stream, None, called.model, called.route)

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
        if isinstance(answer.response, Stream):
            # What it took is known at its end, also to those who did not read so far.
            answer.response.when_ended(partial(self._book, outcome, ask))
        else:
            self._book(outcome, ask, answer.model, answer.usage)

    def _book(self, outcome: Outcome, ask: Ask, model: str, usage: Usage | None) -> None:
        assert self.ledger is not None
        try:
            self.ledger.record(
                outcome="llm_call" if outcome == "uncacheable" else outcome,
                requested=ask.model,
                model=model,
                usage=usage,
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
    if isinstance(value, Events):
        return sum(map(size, value.items)) <= _SMALL
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


def _from_flight(flown: Flown, seat: Seat, *, coalesced: bool) -> Answer:
    hit = flown.source == "semantic_hit"
    if flown.stream is not None:
        response: Any = Stream(Reader(flown.stream, seat))
    else:
        # The leader of a call gets the very object that the call returned; it has been copied into the row already.
        response = unpack(flown.row) if coalesced and flown.row is not None else flown.value
    return Answer(
        response,
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
