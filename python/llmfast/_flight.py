"""Single flight: one call for all who ask the same at the same time, across threads and event loops."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The outcome of a flight whose leader was stopped: it says nothing about the request."""


ABANDONED = Abandoned()


class Flight:
    """A call in progress. Its fields are guarded by the lock of its table."""

    __slots__ = ("cancel", "is_stranded", "key", "landed", "listeners", "outcome", "waiters")

    def __init__(self, key: bytes, is_stranded: Callable[[], bool]) -> None:
        self.key = key
        #: Whether the loop that the call runs on was closed under it: then nobody will land it.
        self.is_stranded = is_stranded
        self.waiters = 1
        self.landed = False
        #: What `land` was given, valid once landed.
        self.outcome: Any = None
        #: Called without the lock, once each, when the flight lands.
        self.listeners: list[Callable[[], None]] = []
        #: Stops the call; set by a leader whose call can be stopped.
        self.cancel: Callable[[], None] | None = None


class FlightTable:
    """The flights of one cache. Every method is safe from any thread and never blocks for long."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: bytes, is_stranded: Callable[[], bool] = lambda: False) -> tuple[Flight, bool]:
        """Return the flight of `key` and whether the caller leads it, that is, has to make the call and land it.

        `is_stranded` says of a flight that this caller leads whether it can still be landed.
        """
        if self._process != os.getpid():
            # The calls in flight, and the threads that make them, are the parent's.
            self._reset()
        with self._lock:
            known = self._flights.get(key)
            if known is not None and not known.is_stranded():
                known.waiters += 1
                return known, False
            flight = self._flights[key] = Flight(key, is_stranded)
        if known is not None:
            self.land(known, ABANDONED)
        return flight, True

    def listen(self, flight: Flight, listener: Callable[[], None]) -> None:
        """Call `listener` when the flight lands, at once if it has."""
        with self._lock:
            if not flight.landed:
                flight.listeners.append(listener)
                return
        listener()

    def leave(self, flight: Flight, *, drain: bool) -> None:
        """Stop waiting.

        When the last one leaves, the call is stopped and whoever asks next makes a new one; with `drain` it goes on,
        and whoever asks meanwhile joins it.
        """
        with self._lock:
            flight.waiters -= 1
            if flight.waiters > 0 or flight.landed or drain:
                return
            self._forget(flight)
            cancel = flight.cancel
        if cancel is not None:
            cancel()

    def land(self, flight: Flight, outcome: Any) -> None:
        """End the flight and wake everybody; only the first call counts."""
        with self._lock:
            if flight.landed:
                return
            flight.landed = True
            flight.outcome = outcome
            self._forget(flight)
            listeners, flight.listeners = flight.listeners, []
        for listener in listeners:
            listener()

    def _forget(self, flight: Flight) -> None:
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
