"""Single flight: one call for all who ask the same at the same time, across threads and event loops."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Flight:
    """A call in progress. Its fields are guarded by the lock of its table."""

    __slots__ = ("cancel", "key", "landed", "listeners", "outcome", "waiters")

    def __init__(self, key: bytes) -> None:
        self.key = key
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
        self._lock = threading.Lock()
        self._flights: dict[bytes, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: bytes) -> tuple[Flight, bool]:
        """Return the flight of `key` and whether the caller leads it, that is, has to make the call and land it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                flight.waiters += 1
                return flight, False
            flight = self._flights[key] = Flight(key)
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
