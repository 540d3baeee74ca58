"""Single flight: one call for all who ask the same at the same time, across threads and event loops.

Who leads, who waits and when nobody wants the answer any more is decided by the state machine in the core; here are the
answers, and the waking of those who wait.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._forks import new_lock
from ._llmfast import FlightState
from ._loops import running_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The outcome of a flight whose leader was stopped: it says nothing about the request."""


ABANDONED = Abandoned()

#: Seconds after which those who wait look whether the loop that the call runs on still does. None tells its end.
LOOK_AGAIN_AFTER = 1.0


class as_inside:  # noqa: N801 - a block, written as one
    """Have what runs in this block be inside of a flight, and tasks that it begins too, while the block lasts.

    A call that asks again makes its own call and waits for no other flight: that one may wait for this.
    """

    # No generator with a decorator: what passes through that gets a new traceback by assignment, which an exception
    # that is a frozen dataclass refuses.
    __slots__ = ("_before", "_is_over")

    def __enter__(self) -> None:
        """Begin."""
        self._is_over = False
        #: The block around this one: what outlives this may be inside of that.
        self._before = _around()
        _inside.set(self)

    def __exit__(self, *_: object) -> None:
        """End."""
        self._is_over = True
        _inside.set(self._before)


_inside: ContextVar[as_inside | None] = ContextVar("llmfast_inside", default=None)


def _around() -> as_inside | None:
    """Return the innermost block that this context is in and that is not over."""
    block = _inside.get()
    while block is not None and block._is_over:
        block = block._before
    return block


def is_inside() -> bool:
    """Return whether this context is inside of a flight."""
    return _around() is not None


@dataclass(frozen=True, slots=True)
class Failed:
    """The outcome of a flight that raised: the error, and the traceback that everybody raises it with."""

    error: BaseException
    traceback: TracebackType | None

    def again(self) -> BaseException:
        """Return the error, to be raised with the traceback that it had."""
        # Whatever methods it has of its own.
        return BaseException.with_traceback(self.error, self.traceback)


class Flight:
    """A call in progress. Its fields are guarded by the lock of its table; `detached` may be read without."""

    __slots__ = (
        "cancel",
        "detached",
        "is_driven",
        "is_left",
        "label",
        "landed",
        "listeners",
        "loop",
        "number",
        "on_land",
        "on_leave",
        "outcome",
        "soon",
        "state",
        "told",
    )

    def __init__(self, state: FlightState, loop: asyncio.AbstractEventLoop | None, label: Any) -> None:
        #: The state machine that it is in, and what names it there once it has begun.
        self.state = state
        self.number = -1
        #: The loop that the call runs on, if any does.
        self.loop = loop
        #: What is asked for, for whoever has to find the flights that an invalidation concerns.
        self.label = label
        #: Whether a task or thread is on it that will land it whatever comes.
        self.is_driven = False
        #: Whether who led it is gone without having landed it.
        self.is_left = False
        #: Whether the answer must not be stored: it was out of date before it came, or nobody waits for it.
        self.detached = False
        #: Whether those who wait have been told the outcome; a stream that has begun tells it before it lands.
        self.told = False
        self.landed = False
        #: Valid once told.
        self.outcome: Any = None
        #: Called without the lock, once each, when the outcome is told.
        self.listeners: list[Callable[[], None]] = []
        #: Called without the lock with what `land` was given, and each time that somebody leaves who is not the last.
        self.on_land: Callable[[Any], None] | None = None
        self.on_leave: Callable[[], None] | None = None
        #: Stops the call; set by a leader whose call can be stopped.
        self.cancel: Callable[[], None] | None = None
        #: Has a function called where the call runs, from any thread and from within a garbage collection.
        self.soon: Callable[[Callable[[], None]], None] | None = None

    def is_stranded(self) -> bool:
        """Whether nobody will land it: who led it is gone, or the loop that its call runs on was closed under it."""
        return self.is_left or (self.loop is not None and self.loop.is_closed())

    def is_stopped(self) -> bool:
        """Whether the loop that its call runs on does not run now, and is not closed."""
        return self.loop is not None and not self.loop.is_running() and not self.loop.is_closed()

    @property
    def waiters(self) -> int:
        """How many wait for it; 0 when it is over."""
        return self.state.waiters(self.number) or 0


class Seat:
    """What somebody who joined a flight has of it, until it is left."""

    __slots__ = ("_flights", "drain", "flight", "left")

    def __init__(self, flights: FlightTable, flight: Flight, *, drain: bool) -> None:
        self._flights = flights
        self.flight = flight
        #: What becomes of the call if this is the last one to be left: it is stopped, or goes on with `drain`.
        self.drain = drain
        self.left = False

    def leave(self) -> None:
        """Stop waiting; the first call counts."""
        self._flights.leave(self)

    async def wait(self, future: asyncio.Future[None], *, looks: int = 1) -> bool:
        """Wait for `future`, of the running loop, which the flight's call resolves from its own.

        Returns False if that loop was seen stopped `looks` times in a row. If it was closed, the flight is landed.
        """
        loop = self.flight.loop
        if loop is None or loop is running_loop():
            await future
            return True
        import asyncio

        seen = 0
        while not future.done():
            await asyncio.wait((future,), timeout=LOOK_AGAIN_AFTER)
            seen = seen + 1 if self.is_stopped() else 0
            if seen == looks:
                return future.done()
        return True

    def is_stopped(self) -> bool:
        """Return whether the call may never end: its loop has stopped. If nobody can land the flight, this does."""
        if self.flight.is_stranded():
            self._flights.land(self.flight, ABANDONED)
        return self.flight.is_stopped()


class FlightTable:
    """The flights of one cache. Every method is safe from any thread and never blocks for long."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        # Guards what the state machine does together with the flights, which followers look up by number.
        self._lock = new_lock()
        self._state = FlightState()
        self._flights: dict[int, Flight] = {}

    def _own(self) -> None:
        if self._process != os.getpid():
            # The calls in flight, and the threads that make them, are the parent's.
            self._reset()

    def __len__(self) -> int:
        return len(self._flights)

    def counts(self) -> dict[str, int]:
        """Return how many flights began (`led`), were joined (`followed`) and ended in which way."""
        return self._state.counts()

    def join(
        self, key: bytes | None, loop: asyncio.AbstractEventLoop | None = None, label: Any = None
    ) -> tuple[Flight, bool]:
        """Return the flight of `key` and whether the caller leads it, that is, has to make the call and land it.

        Without a key, or inside of another flight, it is one that nobody else can join. If the caller leads, its call
        runs on `loop`, if on any, and `label` is what the flight is for (see `detach`).
        """
        if self._process != os.getpid():
            self._reset()
        if is_inside():
            key = None
        # Made before it begins: nothing that can fail stands between its beginning and the caller who has to land it.
        own = Flight(self._state, loop, label)
        while True:
            with self._lock:
                number, leads = (self._state.solo(), True) if key is None else self._state.join(key)
                if leads:
                    own.number = number
                    self._flights[number] = own
                    return own, True
                flight = self._flights[number]
            if flight.is_stopped():
                # Its loop may run again, or not: whoever waited for that might be who has to run it.
                self.leave(Seat(self, flight, drain=True))
                key = None
                continue
            if not flight.is_stranded():
                return flight, False
            self.land(flight, ABANDONED)

    def listen(self, flight: Flight, listener: Callable[[], None]) -> None:
        """Call `listener` when the outcome is told, at once if it has been."""
        self._own()
        with self._lock:
            if not flight.told:
                flight.listeners.append(listener)
                return
        listener()

    def leave(self, seat: Seat) -> None:
        """Stop waiting.

        When the last one leaves, the call is stopped and whoever asks next makes a new one; with `drain` it goes on,
        and whoever asks meanwhile joins it.
        """
        self._own()
        flight = seat.flight
        with self._lock:
            if seat.left:
                return
            seat.left = True
            fate = flight.state.leave(flight.number, drain=seat.drain)
            self._heed(flight, fate)
        if fate == "cancel":
            _call(flight.cancel)
        elif fate == "goes on":
            _call(flight.on_leave)

    def detach(self, matches: Callable[[Any], bool]) -> int:
        """Detach the flights whose label `matches`, and return how many these are.

        They go on for those who wait already, but nobody joins them any more, and `flight.detached` says that their
        answers must not be stored. Flights without a label are left alone. `matches` is called without a lock; a flight
        that begins meanwhile is not looked at.
        """
        self._own()
        with self._lock:
            flights = [flight for flight in self._flights.values() if flight.label is not None]
        return sum(self.detach_one(flight) for flight in flights if matches(flight.label))

    def detach_one(self, flight: Flight) -> bool:
        """Detach a flight; return whether it was in progress and not detached."""
        self._own()
        with self._lock:
            if flight.detached:
                return False
            fate = flight.state.detach(flight.number)
            if fate == "over":
                return False
            flight.detached = True
            self._heed(flight, fate)
        if fate == "cancel":
            _call(flight.cancel)
        return True

    def announce(self, flight: Flight, outcome: Any) -> None:
        """Tell `outcome` to everybody who waits, and at once to whoever joins, while the flight goes on."""
        self._own()
        with self._lock:
            flight.state.announce(flight.number)
            listeners = [] if flight.told else _tell(flight, outcome)
        for listener in listeners:
            listener()

    def land(self, flight: Flight, outcome: Any) -> None:
        """End the flight and wake everybody; only the first call counts."""
        if self._process != os.getpid():
            self._reset()
        failed, abandoned = isinstance(outcome, Failed), outcome is ABANDONED
        number = flight.number
        with self._lock:
            if flight.landed:
                return
            flight.landed = True
            flight.state.land(number, "failed" if failed else "abandoned" if abandoned else "answered")
            # Its number may be another one's, if it is the parent's flight in a forked child.
            if self._flights.get(number) is flight:
                del self._flights[number]
            listeners = [] if flight.told else _tell(flight, outcome)
        for listener in listeners:
            listener()
        if flight.on_land is not None:
            flight.on_land(outcome)

    def abandon(self, flight: Flight) -> None:
        """Leave a flight that this caller leads and nobody drives; those who wait choose another one.

        Where even that fails, as it may at the limit of recursion, the next one who asks does it, seeing `is_left`.
        """
        self.leave(Seat(self, flight, drain=False))
        self.land(flight, ABANDONED)

    def _heed(self, flight: Flight, fate: str) -> None:
        if fate == "cancel":
            # The call may end before it is stopped, and nobody would find it then who has to detach it.
            flight.detached = True
            if self._flights.get(flight.number) is flight:
                del self._flights[flight.number]


def _tell(flight: Flight, outcome: Any) -> list[Callable[[], None]]:
    flight.told = True
    flight.outcome = outcome
    listeners, flight.listeners = flight.listeners, []
    return listeners


def _call(hook: Callable[[], None] | None) -> None:
    if hook is not None:
        hook()
