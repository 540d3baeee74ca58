"""Single flight: one call for all who ask the same at the same time, across threads and event loops.

Who leads, who waits and when nobody wants the answer any more is decided by the state machine in the core; here are the
answers, and the waking of those who wait.
"""

from __future__ import annotations

import os
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._forks import new_lock
from ._llmfast import FlightState
from ._loops import running_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The outcome of a flight whose leader was stopped: it says nothing about the request."""


ABANDONED = Abandoned()

#: Seconds after which those who wait look whether the loop that the call runs on still does. None tells its end.
LOOK_AGAIN_AFTER = 1.0


class _Block:
    """A block of code that is inside of a flight while `lasts` is locked."""

    __slots__ = ("around", "lasts")

    def __init__(self, around: _Block | None) -> None:
        self.lasts = threading.Lock()
        #: The block around this one: what outlives this may be inside of that.
        self.around = around


def as_inside() -> AbstractContextManager[object]:
    """Have what runs in a `with` block of this be inside of a flight, and tasks that it begins too, while it lasts.

    A call that asks again makes its own call and waits for no other flight: that one may wait for this.
    """
    block = _Block(_around())
    _inside.set(block)
    # Nothing in Python would do: what a signal's handler raises where `__exit__` begins would leave it undone, and what
    # passes through a generator with a decorator gets a new traceback by assignment, which an exception that is a
    # frozen dataclass refuses.
    return block.lasts


_inside: ContextVar[_Block | None] = ContextVar("llmfast_inside", default=None)


def _around() -> _Block | None:
    """Return the innermost block that this context is in and that is not over."""
    block = _inside.get()
    while block is not None and not block.lasts.locked():
        block = block.around
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
        "end",
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
        #: What `land` was given, valid once landed.
        self.end: Any = None
        #: Called without the lock, once each or, after an interruption, again, when the outcome is told.
        self.listeners: list[Callable[[], None]] = []
        #: Called like that with what `land` was given, and each time that somebody leaves who is not the last.
        self.on_land: Callable[[Any], None] | None = None
        self.on_leave: Callable[[], None] | None = None
        #: Stops the call; set by a leader whose call can be stopped.
        self.cancel: Callable[[], None] | None = None
        #: Has a function called where the call runs, from any thread and from within a garbage collection.
        self.soon: Callable[[Callable[[], None]], None] | None = None

    def has_begun(self) -> bool:
        """Whether it has been one, over by now or not."""
        return self.number >= 0

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
    """What somebody who joins a flight has of it, until it is left. Made by `FlightTable.seat`."""

    __slots__ = ("_flights", "drain", "flight", "left", "own")

    def __init__(self, flights: FlightTable, own: Flight, *, drain: bool) -> None:
        self._flights = flights
        #: The flight that begins if there is none to be joined.
        self.own = own
        #: The flight that was joined, its own until then.
        self.flight = own
        #: What becomes of the call if this is the last one to be left: it is stopped, or goes on with `drain`.
        self.drain = drain
        self.left = False

    def leave(self) -> None:
        """Stop waiting; the first call counts."""
        self._flights.leave(self, drain=self.drain)

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
        # Guards what the state machine does together with the flights, which followers look up by number.
        self._lock = new_lock()
        self._state = FlightState()
        self._flights: dict[int, Flight] = {}
        self._process = os.getpid()

    def _own(self) -> None:
        if self._process != os.getpid():
            # The calls in flight, and the threads that make them, are the parent's.
            self._reset()

    def __len__(self) -> int:
        return len(self._flights)

    def counts(self) -> dict[str, int]:
        """Return how many flights began (`led`), were joined (`followed`) and ended in which way."""
        return self._state.counts()

    def seat(self, loop: asyncio.AbstractEventLoop | None = None, label: Any = None, *, drain: bool = False) -> Seat:
        """Return a seat to join a flight with.

        If it leads one, its call runs on `loop`, if on any, and `label` is what the flight is for (see `detach`).
        """
        self._own()
        return Seat(self, Flight(self._state, loop, label), drain=drain)

    def join(self, seat: Seat, key: bytes | None) -> bool:
        """Join the flight of `key` and return whether `seat` leads it, that is, has to make the call and land it.

        Without a key, or inside of another flight, it is one that nobody else can join. Whatever this raises, or what
        comes after it until the flight is driven, is to be followed by `give_up`.
        """
        own = seat.own
        if is_inside():
            key = None
        while True:
            with self._lock:
                number, leads = (self._state.solo(), True) if key is None else self._state.join(key)
                if leads:
                    own.number = number
                    self._flights[number] = own
                    return True
                flight = self._flights.get(number)
                if flight is None:
                    # Who began it was interrupted before it could be entered here: nobody is on it.
                    self._state.land(number, "abandoned")
                    continue
                seat.flight = flight
            if flight.is_stopped():
                # Its loop may run again, or not: whoever waited for that might be who has to run it.
                self.leave(seat, drain=True)
                key = None
            elif flight.is_stranded():
                self.land(flight, ABANDONED)
            else:
                return False
            seat.flight = own
            seat.left = False

    def give_up(self, seat: Seat) -> None:
        """Leave, and abandon the flight that `seat` leads if nobody drives it; those who wait choose another leader.

        Where even that fails, as it may at the limit of recursion, the next one who asks does it, seeing `is_left`.
        """
        if seat.flight is not seat.own or seat.own.is_driven:
            seat.leave()
        else:
            self.abandon(seat)

    def listen(self, flight: Flight, listener: Callable[[], None]) -> None:
        """Call `listener` when the outcome is told, at once if it has been."""
        self._own()
        with self._lock:
            if not flight.told:
                flight.listeners.append(listener)
                return
        listener()

    def leave(self, seat: Seat, *, drain: bool) -> None:
        """Stop waiting; the first call counts.

        When the last one leaves, the call is stopped and whoever asks next makes a new one; with `drain` it goes on,
        and whoever asks meanwhile joins it.
        """
        self._own()
        flight = seat.flight
        with self._lock:
            if seat.left or not flight.has_begun():
                return
            seat.left = True
            fate = flight.state.leave(flight.number, drain=drain)
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
            _tell(flight, outcome)
        _wake(flight)

    def land(self, flight: Flight, outcome: Any) -> None:
        """End the flight and wake everybody; only the first call counts, and what that left undone the next one does.

        A flight that has not begun is left alone.
        """
        self._own()
        with self._lock:
            if not flight.landed and flight.has_begun():
                failed, abandoned = isinstance(outcome, Failed), outcome is ABANDONED
                flight.state.land(flight.number, "failed" if failed else "abandoned" if abandoned else "answered")
                # Its number may be another one's, if it is the parent's flight in a forked child.
                if self._flights.get(flight.number) is flight:
                    del self._flights[flight.number]
                _tell(flight, outcome)
                flight.end = outcome
                flight.landed = True
        _wake(flight)
        if flight.landed and flight.on_land is not None:
            flight.on_land(flight.end)
            flight.on_land = None

    def abandon(self, seat: Seat) -> None:
        """Leave a flight that `seat` leads and nobody drives, and end it."""
        self.leave(seat, drain=False)
        self.land(seat.own, ABANDONED)

    def _heed(self, flight: Flight, fate: str) -> None:
        if fate == "cancel":
            # The call may end before it is stopped, and nobody would find it then who has to detach it.
            flight.detached = True
            if self._flights.get(flight.number) is flight:
                del self._flights[flight.number]


def _tell(flight: Flight, outcome: Any) -> None:
    """Have the outcome of a flight told, with the lock; who waits is to be woken after that, without."""
    if not flight.told:
        flight.outcome = outcome
        flight.told = True


def _wake(flight: Flight) -> None:
    """Wake everybody who waits for what was told. To wake somebody twice does no harm, and to forget one would."""
    if flight.told and flight.listeners:
        for listener in flight.listeners:
            listener()
        flight.listeners = []


def _call(hook: Callable[[], None] | None) -> None:
    if hook is not None:
        hook()
