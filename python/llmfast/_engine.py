"""The way of a request.

The way is one generator that never waits: it yields what has to be done (`Search`, `OffLoop`, `Await`, `Fly`, `Behind`,
`Call`, `Pour`, `Consult`), and a driver in `_drivers` does it, asynchronously or in the calling thread, and sends the
result back.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

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
from ._books import Books
from ._calling import Calling
from ._drivers import AsyncDriver, Await, Behind, Fly, OffLoop, Pour, drive_sync
from ._errors import OverloadedError
from ._failures import Failures, told
from ._flight import Abandoned, Failed
from ._loops import running_loop
from ._recording import Recording
from ._request import Asking, check_parts
from ._stream import NOTHING, Ending, is_stream

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from ._cache import Cache
    from ._drivers import Step
    from ._flight import Flight
    from ._ledger import Ledger
    from ._llmfast import Row
    from ._plan import Plan
    from ._request import Ask
    from ._router import Router
    from ._types import Answer

    Stale = Generator[Behind, Any, Answer | None]
    Way = Generator[Step, Any, Answer]
    Old = TypeVar("Old", StaleHit, Flown)


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
        self._router = router
        self._ledger = ledger
        self.failures = Failures() if cache is None else cache.failures
        self._flights = None if cache is None else cache.flights
        self._books = Books(None if cache is None else cache.counts, ledger, self.failures)
        self._calling = Calling(router, self.failures)
        self._driver = AsyncDriver(self._flights)

    def __repr__(self) -> str:
        return f"Engine(cache={self.cache!r}, router={self.router!r}, ledger={self.ledger!r})"

    @property
    def router(self) -> Router | None:
        """What chooses models, if anything."""
        return self._router

    @property
    def ledger(self) -> Ledger | None:
        """What requests are entered into, if anything."""
        return self._ledger

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
        cache, router = self.cache, self._router
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
        # As `outcome` does: on the way of each exact hit every call counts.
        cache.counts.exact_hit()
        if self._ledger is not None:
            self._books.enter("exact_hit", ask, begun)
        return None, begun

    # ---- the way ----------------------------------------------------------------------------------------------------

    def _way(self, ask: Ask, plan: Plan | None, llm_callable: Callable[..., Any]) -> Way:
        if plan is None or (ask.tags != () and self.cache is not None and not self.cache.storing.tag(plan)):
            called = yield from self._calling.way(ask, llm_callable, partial(self._books.late_call, ask))
            called = self._calling.passed_on(called)
            answer = from_call(called, "the request cannot be cached" if self.cache else "no cache is set")
            self._books.outcome("uncacheable", ask, answer)
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
            seat = flights.seat(plan.loop, plan, drain=plan.policy.on_abandon == "drain")
            try:
                leads, rest = flights.join(seat, key), None
                if leads:
                    # Stored by somebody who landed between our look and our joining.
                    late = self._late(plan)
                    if late is not None:
                        flights.abandon(seat)
                        plan.loop = None
                        self._books.outcome("exact_hit", ask, late)
                        return late
                    hit = yield from self._look(plan)
                    if hit is not None:
                        flights.land(seat.own, hit)
                        # The plan stays with the answer.
                        plan.loop = None
                        self._books.outcome("semantic_hit", ask, hit)
                        return hit
                    rest = self._fly(ask, plan, llm_callable, seat.own)
                flown = yield Fly(seat, rest)
            except BaseException:
                seat.own.is_left = not seat.own.is_driven
                flights.give_up(seat)
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
            self._books.outcome("coalesced" if flown.source == "llm_call" else flown.source, ask, answer)
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
            match, begin_by = None, monotonic() + cache.max_lookup_wait
            try:
                for place in places:
                    search = None
                    if not cache.encodes_on_loop:
                        search = semantic.search(plan, place, begin_by - monotonic())
                    found = None if search is None else (yield search)
                    decided = False
                    if found is not None:
                        decided, match = semantic.decide(plan, place, found)
                    if not decided:
                        match = yield OffLoop(partial(semantic.nearest, plan, place), True, begin_by - monotonic())
                    if match is not None or plan.refusal is not None:
                        break
            except OverloadedError as error:
                # No failure of a part: there is more to compare than there is time for.
                plan.refusal, plan.why_not = "busy", told(error)
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
        answer = self._old(plan, plan.policy.stale_while_revalidate, StaleHit)
        if answer is None or not (yield Behind(plan.key, partial(self._renew, ask, plan, llm_callable))):
            return None
        cache.counts.reason("stale:while_revalidate")
        self._books.outcome("exact_hit", ask, answer)
        return answer

    def _renew(self, ask: Ask, plan: Plan, llm_callable: Callable[..., Any]) -> Generator[Step, Any, None]:
        plan.renews = True
        flights = self._flights
        assert flights is not None
        seat = flights.seat(plan.loop, plan, drain=True)
        try:
            rest = None
            if flights.join(seat, plan.key):
                yield from self._look(plan)
                rest = self._fly(ask, plan, llm_callable, seat.own)
            flown = yield Fly(seat, rest)
        except BaseException:
            seat.own.is_left = not seat.own.is_driven
            flights.give_up(seat)
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
        plan.shorten()
        try:
            called = yield from self._calling.way(ask, llm_callable, partial(self._books.call, ask, plan))
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
                take, room = partial(self._take, ask, plan, flight, flown), partial(recording.room, flight)
                yield Pour(called.value, take, room, self._calling.unclosed)
            except Exception as error:
                instead = None if flight.told else self._stale_instead(plan, error)
                if instead is None:
                    raise
                flight.on_land = flight.on_leave = None
                return instead
            if not flight.told:
                # A stream without items.
                self._books.call(ask, plan, flown)
            ending = recording.ending
            called = Called(recording.events(), ending.usage, ending.model, called.route, ending.finish_reason)
        else:
            self._books.call(ask, plan, called)
        row, key = None, None
        why_not: str | None = "failure"
        try:
            row, key, why_not = yield from cache.storing.way(plan, called, flight)
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
        instead = self._old(plan, plan.policy.stale_if_error, partial(stale_hit, error)) if ours else None
        if instead is not None:
            cache.counts.reason("stale:if_error")
        return instead

    def _old(self, plan: Plan, window: float, made: Callable[[Row, float], Old]) -> Old | None:
        """Return what is `made` of the row whose time was over `window` seconds ago at most, if one can be read."""
        cache = self.cache
        assert cache is not None
        found = cache.stale(plan, window)
        try:
            return None if found is None else made(*found)
        except Exception as error:  # noqa: BLE001 - costs the old answer, never the call
            self.failures.note("L1", error)
            return None

    def _take(self, ask: Ask, plan: Plan, flight: Flight, flown: Flown, item: Any) -> bool:
        """Take an item of a stream; return whether there is room for more. The first one begins it for all who wait."""
        flights, recording = self._flights, flown.stream
        assert flights is not None
        assert recording is not None
        value = self._calling.unwrapped(recording.ending, item)
        if value is NOTHING:
            return True
        has_room = recording.put(value)
        if not flight.told:
            self._books.call(ask, plan, flown)
            flights.announce(flight, flown)
        if recording.overflown:
            flights.detach_one(flight)
        return has_room
