"""The way of a request.

The way is one generator that never waits: it yields what has to be done (`Search`, `OffLoop`, `Await`, `Fly`, `Behind`,
`Call`, `Pour`, `Consult`), and a driver in `_drivers` does it, asynchronously or in the calling thread, and sends the
result back.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ._admission import why_not_complete
from ._answers import (
    Called,
    ExactHit,
    Flown,
    SemanticHit,
    StaleHit,
    as_flown,
    from_call,
    from_flight,
    missed,
    stale_hit,
)
from ._arguments import check_ledger, check_router, refuse
from ._drivers import AsyncDriver, Await, Behind, Call, Consult, Fly, OffLoop, Pour, drive_sync
from ._failures import Failures, told
from ._flight import Abandoned, Failed
from ._llmfast import Row
from ._loops import running_loop
from ._provider_json import as_data, may_be_data, signed
from ._recording import Recording
from ._reply import said, usage_said, usage_told
from ._request import Asking, check_parts
from ._routing import choose, parameters
from ._stream import NOTHING, Ending, Passage, Stream, is_stream
from ._types import Answer, Reply
from ._values import Events, pack, size, thaw

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from ._cache import Cache
    from ._drivers import Step
    from ._flight import Flight
    from ._ledger import Ledger
    from ._plan import Plan
    from ._request import Ask
    from ._router import Router
    from ._types import Source
    from ._usage import Usage

    Outcome = Source | Literal["coalesced", "uncacheable", "renewal"]
    Stale = Generator[Behind, Any, Answer | None]
    Way = Generator[Step, Any, Answer]

#: Characters or bytes of an answer that are packed in well under a millisecond.
_SMALL = 64 * 1024


class Engine(Asking):
    """The whole way of a request: cache, router, call, ledger. Every part can be left out.

    A failure of a part costs the hit or the decision, never the call; it is counted in `cache.stats().failures` (or
    `engine.failures` without a cache) and logged once.

    `router` has a method `route(query)`, which may take the documents as `context` and as `more_tokens` how many tokens
    system prompt and earlier turns have, both by name; see `Router.route`. `ledger` has a method `record`.

    Raises ConfigError for a part that is none.
    """

    def __init__(
        self, *, cache: Cache | None = None, router: Router | None = None, ledger: Ledger | None = None
    ) -> None:
        if cache is not None and not (isinstance(cache, Asking) and hasattr(cache, "flights")):
            raise refuse("cache", cache, "a Cache or None")
        if router is not None:
            check_router(router)
        if ledger is not None:
            check_ledger(ledger)
        self.cache = cache
        self.router = router
        self.ledger = ledger
        self.failures = Failures() if cache is None else cache.failures
        self._flights = None if cache is None else cache.flights
        self._driver = AsyncDriver(self._flights)

    def __repr__(self) -> str:
        return f"Engine(cache={self.cache!r}, router={self.router!r}, ledger={self.ledger!r})"

    @property
    def engine(self) -> Engine:  # type: ignore[override]  # read alone, and no cycle of one
        """Itself."""
        return self

    def go_on(self, ask: Ask, plan: Plan | None, llm_callable: Callable[..., Any]) -> Coroutine[Any, Any, Answer]:
        """Take a request that `begin` did not answer the rest of the way."""
        loop = running_loop()
        if loop is None:
            raise RuntimeError(
                "no event loop of asyncio runs in this thread: await get_or_generate under asyncio, or call "
                "get_or_generate_sync (under trio by trio.to_thread.run_sync)"
            )
        if plan is not None:
            plan.loop = loop
        return self._driver.drive(self._way(ask, plan, llm_callable), loop)

    def go_on_sync(self, ask: Ask, plan: Plan | None, llm_callable: Callable[..., Any]) -> Answer:
        """Do the same in the calling thread."""
        answer: Answer = drive_sync(self._way(ask, plan, llm_callable), self._flights)
        return answer

    def begin(self, ask: Ask, streams: bool | None) -> tuple[Plan | None, Answer | None]:
        """Identify a request and answer it if it is an exact repeat: what needs no waiting at all."""
        cache, router = self.cache, self.router
        if cache is None:
            return None, None
        try:
            generation = "" if router is None else getattr(router, "generation", "")
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            self.failures.note("router", error)
            return None, None
        begun = cache.begin(ask, generation, streams)
        if not isinstance(begun, ExactHit):
            return begun, None
        try:
            if ask.user is not None and cache.confirms(ask, begun.row):
                self._driver.later(partial(cache.release, begun.row))
        except Exception as error:  # noqa: BLE001 - costs others a hit by meaning, never this one
            self.failures.note("confirmation", error)
        cache.counts.exact_hit()
        if self.ledger is not None:
            self._enter("exact_hit", ask, begun)
        return None, begun

    # ---- the way ----------------------------------------------------------------------------------------------------

    def _way(self, ask: Ask, plan: Plan | None, llm_callable: Callable[..., Any]) -> Way:
        if plan is None or (ask.tags != () and self.cache is not None and not self.cache.tag(plan)):
            called = yield from self._call(ask, llm_callable, partial(self._book_late, ask))
            called = self._passed_on(called)
            answer = from_call(called, "the request cannot be cached" if self.cache else "no cache is set")
            self._record("uncacheable", ask, answer)
            return answer
        cache, flights = self.cache, self._flights
        assert cache is not None
        assert flights is not None
        check_parts(ask)
        if plan.stale is not None:
            stale = yield from self._stale_while_renewed(ask, plan, llm_callable)
            if stale is not None:
                return stale
        # Nobody waits for what could not be handed over.
        key: bytes | None = None if llm_callable in cache.uncopied else plan.key
        while True:
            flight, leads = flights.join(key, plan.loop, plan)
            try:
                rest = None
                if leads:
                    # Stored by somebody who landed between our look and our joining.
                    late = self._late(plan)
                    if late is not None:
                        flights.abandon(flight)
                        plan.loop = None
                        self._record("exact_hit", ask, late)
                        return late
                    hit = yield from self._look(plan)
                    if hit is not None:
                        flights.land(flight, hit)
                        # The plan stays with the answer.
                        plan.loop = None
                        cache.counts.outcome("semantic_hit")
                        if self.ledger is not None:
                            self._enter("semantic_hit", ask, hit)
                        return hit
                    rest = self._fly(ask, plan, llm_callable, flight)
                flown, seat = yield Fly(flight, plan.policy.on_abandon == "drain", rest)
            except BaseException:
                if leads and not flight.is_driven:
                    flight.is_left = True
                    flights.abandon(flight)
                raise
            if isinstance(flown, Abandoned):
                # The caller that led was stopped; this one was not.
                continue
            if isinstance(flown, Failed):
                # The leader's policy may have no use for an old answer where this caller's has.
                instead = None if leads else self._stale_instead(plan, flown.error)
                if instead is None:
                    raise flown.again()
                flown = instead
            if isinstance(flown, SemanticHit):
                flown = as_flown(flown)
            if leads or self._suits(plan, flown):
                break
            seat.leave()
            # The leader's policy is looser: those with this one share a flight of their own. Or its answer cannot be
            # copied and is its own: then this caller needs one too.
            key = None if flown.score is None else b"%b %b %r %r" % (plan.key, ask.kind.encode(), ask.ttl, plan.streams)
        plan.loop = None
        answer = from_flight(flown, plan, seat, coalesced=not leads)
        if not leads or flown.source != "llm_call":
            # A call was booked when it was made: who led it may be gone by now.
            self._record("coalesced" if flown.source == "llm_call" else flown.source, ask, answer)
        return answer

    def _late(self, plan: Plan) -> ExactHit | None:
        cache = self.cache
        assert cache is not None
        try:
            found = cache.exact(plan, peek=True)
            return None if found is None else ExactHit(*found)
        except Exception:  # noqa: BLE001 - a row that cannot be read: it was noted when this was asked first
            return None

    def _look(self, plan: Plan) -> Generator[Step, Any, SemanticHit | None]:
        """Look for the answer by meaning. The plan says why there is none.

        The leader of a flight looks itself, so that a hit by meaning needs no task. Nothing has been paid for yet: if
        it is stopped, those who wait choose another one, who looks again.
        """
        cache = self.cache
        assert cache is not None
        semantic = cache.semantic
        if semantic is None:
            plan.why_not = "no encoder is set"
            return None
        try:
            places = semantic.places(plan)
            if cache.encodes_on_loop and places:
                yield Await(partial(semantic.encode_ahead, plan))
            match = None
            for place in places:
                search = None if cache.encodes_on_loop else semantic.search(plan, place)
                found = None if search is None else (yield search)
                decided = False
                if found is not None:
                    decided, match = semantic.decide(plan, place, found)
                if not decided:
                    match = yield OffLoop(partial(semantic.nearest, plan, place), True)
                if match is not None or plan.refusal is not None:
                    break
            if plan.refusal is not None:
                cache.counts.reason(f"refused:{plan.refusal}")
            for neighbour in plan.passed_by:
                if neighbour.verdict.startswith("veto:"):
                    cache.counts.reason(neighbour.verdict)
            return None if match is None or plan.renews else SemanticHit(plan, match, cache.clock())
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            plan.vector = None
            plan.why_not = f"looking for it by meaning failed: {told(error)}"
            self.failures.note("L3", error)
            return None

    def _stale_while_renewed(self, ask: Ask, plan: Plan, llm_callable: Callable[..., Any]) -> Stale:
        """Answer with a row that is over while a new one is fetched behind the caller's back, if the policy says so."""
        cache = self.cache
        assert cache is not None
        found = cache.stale(plan, plan.policy.stale_while_revalidate)
        if found is None or not (yield Behind(plan.key, partial(self._renew, ask, plan, llm_callable))):
            return None
        cache.counts.reason("stale:while_revalidate")
        answer = StaleHit(*found)
        self._record("exact_hit", ask, answer)
        return answer

    def _renew(self, ask: Ask, plan: Plan, llm_callable: Callable[..., Any]) -> Generator[Step, Any, None]:
        plan.renews = True
        flights = self._flights
        assert flights is not None
        flight, leads = flights.join(plan.key, plan.loop, plan)
        try:
            rest = None
            if leads:
                yield from self._look(plan)
                rest = self._fly(ask, plan, llm_callable, flight)
            flown, seat = yield Fly(flight, True, rest)
        except BaseException:
            if leads and not flight.is_driven:
                flight.is_left = True
                flights.abandon(flight)
            raise
        if isinstance(flown, Failed):
            self.failures.note("revalidation", flown.error)
        seat.leave()

    def _suits(self, plan: Plan, flown: Flown) -> bool:
        """Whether another caller's answer is one for this caller too."""
        if flown.row is None:
            return flown.stream is not None and plan.streams is not False
        if plan.streams is not None and plan.streams != (flown.row.codec == "events"):
            return False
        cache = self.cache
        assert cache is not None
        if flown.stale:
            return plan.stale is flown.row and cache.stale(plan, plan.policy.stale_if_error) is not None
        if flown.source != "semantic_hit" or flown.score is None:
            return True
        if plan.vector is None:
            # What its own question is measured by: the leader's is the same but for its form.
            plan.vector = flown.vector
        try:
            # Taken back while it was on its way to the leader: this caller may have asked after that.
            return (
                cache.holds(flown.row)
                and cache.semantic is not None
                and cache.semantic.suits(plan, flown.row, flown.score)
            )
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            self.failures.note("L3", error)
            return False

    def _fly(
        self, ask: Ask, plan: Plan, llm_callable: Callable[..., Any], flight: Flight
    ) -> Generator[Step, Any, Flown]:
        """Call the model and store its answer."""
        cache = self.cache
        assert cache is not None
        try:
            called = yield from self._call(ask, llm_callable, partial(self._book_call, ask, plan))
        except Exception as error:
            instead = self._stale_instead(plan, error)
            if instead is None:
                raise
            return instead
        recording = None
        if is_stream(called.value):
            recording = Recording(Ending(called.model, called.usage, failures=self.failures))
            decision = missed(plan, called.route)
            flight.on_land, flight.on_leave = recording.finish, recording.nudge
            flown = Flown("llm_call", None, None, called.model, None, None, None, decision, plan.key, recording)
            try:
                yield Pour(called.value, partial(self._take, ask, plan, flight, flown), partial(recording.room, flight))
            except Exception as error:
                instead = None if flight.told else self._stale_instead(plan, error)
                if instead is None:
                    raise
                flight.on_land = flight.on_leave = None
                return instead
            if not flight.told:
                # A stream without items.
                self._book_call(ask, plan, flown)
            ending = recording.ending
            called = Called(recording.events(), ending.usage, ending.model, called.route, ending.finish_reason)
        else:
            self._book_call(ask, plan, called)
        row, key = None, None
        why_not: str | None = "failure"
        try:
            row, key, why_not = yield from self._store(cache, plan, called, flight)
            if recording is None:
                cache.uncopied.note(llm_callable, copied=row is not None)
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            self.failures.note("admission", error)
        if why_not is not None:
            cache.counts.reason(f"not_stored:{why_not}")
        if recording is not None:
            return flown
        decision = missed(plan, called.route, why_not)
        return Flown("llm_call", called.value, row, called.model, called.usage, None, None, decision, key)

    def _stale_instead(self, plan: Plan, error: BaseException) -> Flown | None:
        """Return the old answer that serves where the call failed, if the policy has one serve."""
        cache = self.cache
        assert cache is not None
        # What renews an old answer does not do it with that one.
        ours = not plan.renews and isinstance(error, Exception)
        found = cache.stale(plan, plan.policy.stale_if_error) if ours else None
        if found is None:
            return None
        cache.counts.reason("stale:if_error")
        return stale_hit(*found, error)

    def _book_call(self, ask: Ask, plan: Plan, called: Called | Flown) -> None:
        """Book what was called for and paid, whoever gets it and whoever is gone."""
        outcome: Outcome = "renewal" if plan.renews else "llm_call"
        if self.cache is not None:
            if plan.renews:
                self.cache.counts.reason("stale:renewed")
            else:
                self.cache.counts.outcome(outcome)
        if self.ledger is None:
            return
        if isinstance(called, Flown) and called.stream is not None:
            # What it took is known at its end, also to those who did not read so far.
            called.stream.ending.listen(partial(self._book, outcome, ask))
        else:
            self._book(outcome, ask, called.model, called.usage)

    def _book_late(self, ask: Ask, called: Called) -> None:
        """Book a call outside of a flight that ended after its caller had left."""
        self._record("uncacheable", ask, from_call(called, "nobody waited for it"))

    def _store(
        self, cache: Cache, plan: Plan, called: Called, flight: Flight
    ) -> Generator[OffLoop | Consult, Any, tuple[Row | None, bytes | None, str | None]]:
        """Store an answer if it may be stored; return what `_store` does."""
        judge = partial(_judged, called, flight)
        is_long = isinstance(called.value, Events) and not _is_small(called.value)
        try:
            value, why_not = (yield OffLoop(judge, False)) if is_long else judge()
        except Exception as error:  # noqa: BLE001 - those who wait get their copies all the same
            self.failures.note("admission", error)
            value, why_not = called.value, "failure"
        if why_not is None and cache.admits is not None:
            try:
                # Whether that is true is for what it returned to say, an array for one raises.
                admitted = bool((yield Consult(cache.admits, plan.ask.query, value)))
            except Exception as error:  # noqa: BLE001 - whoever cannot say yes has not said it
                self.failures.note("admit hook", error)
                admitted = False
            why_not = None if admitted else "refused"
        store = partial(_store, cache, plan, called, why_not, flight)
        # A large answer takes milliseconds to pack, and the index may have to move all its rows.
        stored: tuple[Row | None, bytes | None, str | None]
        stored = store() if plan.vector is None and _is_small(called.value) else (yield OffLoop(store, False))
        return stored

    def _take(self, ask: Ask, plan: Plan, flight: Flight, flown: Flown, item: Any) -> bool:
        """Take an item of a stream; return whether there is room for more. The first one begins it for all who wait."""
        flights, recording = self._flights, flown.stream
        assert flights is not None
        assert recording is not None
        value = self._unwrapped(recording.ending, item)
        if value is NOTHING:
            return True
        has_room = recording.put(value)
        if not flight.told:
            self._book_call(ask, plan, flown)
            flights.announce(flight, flown)
        if recording.overflown:
            flights.detach_one(flight)
        return has_room

    def _unwrapped(self, ending: Ending, item: Any) -> Any:
        if not isinstance(item, Reply):
            return item
        model, finish_reason = said(item, self.failures)
        ending.note(model, usage_told(item, self.failures), finish_reason)
        return NOTHING if item.value is None else item.value

    def _passed_on(self, called: Called) -> Called:
        """Return what a call returned that is neither shared nor stored, a stream as such."""
        loop = running_loop()
        if loop is None or not is_stream(called.value):
            return called
        ending = Ending(called.model, called.usage, failures=self.failures)
        stream = Stream(Passage(called.value, partial(self._unwrapped, ending), ending, loop))
        return Called(stream, None, called.model, called.route)

    def _call(
        self, ask: Ask, llm_callable: Callable[..., Any], book: Callable[[Called], None]
    ) -> Generator[Call | OffLoop, Any, Called]:
        """Call the model. What cannot be stopped, and ends when nobody waits any more, is given to `book`."""
        route = None
        if self.router is not None:
            try:
                route = choose(self.router, ask)
            except Exception as error:  # noqa: BLE001 - a failure of ours costs the decision, never the call
                self.failures.note("router", error)
        takes = parameters(llm_callable).get("decision")
        # Without a choice of ours a default stands, such as what `partial` has bound.
        tells = takes is not None and (route is not None or takes.default is takes.empty)
        chosen = getattr(route, "model", None) if tells else None
        model = chosen if isinstance(chosen, str) else ask.model
        late = partial(self._read_late, book, model, route)
        result = yield Call(llm_callable, ask.query, {"decision": route} if tells else {}, late)
        data = _value_of(result)
        if may_be_data(data):
            try:
                data = as_data(data) if _is_small(data) else (yield OffLoop(partial(as_data, data), False))
            except Exception as error:  # noqa: BLE001 - a failure of ours costs what it would have told, never the call
                self.failures.note("reply", error)
        return self._read(model, route, result, data)

    def _read_late(self, book: Callable[[Called], None], model: str, route: Any, result: Any) -> None:
        """Read what a call returned when nobody waited any more, in its thread."""
        called = self._read(model, route, result, as_data(_value_of(result)))
        # What a stream takes is told at its end, and nobody reads it.
        book(replace(called, usage=None) if is_stream(called.value) else called)

    def _read(self, model: str, route: Any, result: Any, data: Any) -> Called:
        reply = result if isinstance(result, Reply) else signed(result, data)
        served, finish_reason = said(reply, self.failures)
        return Called(reply.value, usage_said(reply, self.failures), served or model, route, finish_reason, data)

    def _record(self, outcome: Outcome, ask: Ask, answer: Answer) -> None:
        if self.cache is not None:
            self.cache.counts.outcome(outcome)
        if self.ledger is not None:
            self._enter(outcome, ask, answer)

    def _enter(self, outcome: Outcome, ask: Ask, answer: Answer) -> None:
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
                estimated=usage is not None and usage.estimated,
                user=ask.user,
                feature=ask.feature,
            )
        except Exception as error:  # noqa: BLE001 - a failure of ours costs an entry, never the call
            self.failures.note("ledger", error)


def _judged(called: Called, flight: Flight) -> tuple[Any, str | None]:
    """Return an answer, a stream as the list of its items, and why it is not to be stored."""
    value = called.value
    if value is None:
        # Of a stream that was too long to be kept, which is told while it goes on; or the call returned nothing.
        return None, "size" if flight.told else "nothing"
    if isinstance(value, Events):
        value = [thaw(item) for item in value.items]
        return value, why_not_complete(value, called.finish_reason)
    return value, why_not_complete(called.data, called.finish_reason)


def _value_of(result: Any) -> Any:
    return result.value if isinstance(result, Reply) else result


def _store(
    cache: Cache, plan: Plan, called: Called, why_not: str | None, flight: Flight
) -> tuple[Row | None, bytes | None, str | None]:
    """Store an answer that may be stored: its row, the key if it lies in the cache now, and why it does not.

    The row is returned also where it is not stored: those who wait get copies of it.
    """
    try:
        row = cache.row(plan, called.value, model=called.model, usage=called.usage)
    except Exception as error:  # noqa: BLE001 - without a time, say, it is not stored
        cache.failures.note("admission", error)
        row, why_not = _for_copies(plan, called.value), "failure"
    if row is None:
        cache.uncopied.warn(called.value)
        return None, None, why_not or "type"
    if why_not is None:
        try:
            why_not = "invalidated" if flight.detached else cache.admit(plan, row)
        except Exception as error:  # noqa: BLE001 - those who wait get their copies all the same
            cache.failures.note("admission", error)
            why_not = "failure"
    return row, None if why_not else row.key, why_not


def _for_copies(plan: Plan, value: Any) -> Row | None:
    """Make a row that is not to be stored, for those who wait; None if the answer would not come back as it is."""
    packed = pack(value)
    if packed is None:
        return None
    codec, payload = packed
    return Row(key=plan.key, partition=0, codec=codec, payload=payload, created_at=plan.began_at)


def _is_small(value: Any) -> bool:
    if isinstance(value, Events):
        return sum(map(size, value.items)) <= _SMALL
    return isinstance(value, str | bytes) and len(value) <= _SMALL
