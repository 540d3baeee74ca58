"""A stream in flight: one call is read once, and everybody reads along from the first item on."""

from __future__ import annotations

import os
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ._errors import ClosedError
from ._flight import Abandoned, Failed
from ._forks import new_lock
from ._loops import on_loop, resolve_all, running_loop, wake
from ._stream import TURN, Ending, breathe
from ._values import Events, freeze, size, thaw

if TYPE_CHECKING:
    import asyncio

    from ._flight import Flight, Seat
    from ._values import Frozen

#: Characters or bytes of a stream that are kept, each item counting as 64 more. Beyond that it is passed on unrecorded.
LIMIT = 16 * 2**20


#: Looks in a row that find the loop of the call stopped until a reader gives up: what it has read cannot be had again
#: from another call, and the loop may be one that is run now and then.
_LOOKS = 5

#: How a stream ended that was read to its end.
_WELL = object()


class Recording:
    """The items of a stream in flight.

    It is kept as a whole, since it is to be stored as a whole and who comes late reads from the first item on: a reader
    that is slow holds up nobody. A stream that grows beyond `limit` is not stored and nobody joins it any more: from
    then on the items that all have read are dropped, and it is read no faster than its slowest reader does.

    Every method is safe from any thread but `put` and `room`, which are for the call's own task. It does not know its
    flight, which knows it: a stream of some megabytes must not wait for a collection of cycles.
    """

    def __init__(self, ending: Ending, limit: int = LIMIT) -> None:
        self.ending = ending
        #: Whether it has grown too large to be stored.
        self.overflown = False
        self._limit = limit
        self._process = os.getpid()
        self._lock = new_lock()
        self._items: list[Frozen] = []
        #: How many items were dropped before the first that is there.
        self._dropped = 0
        self._size = 0
        self._end: Any = None
        self._readers: set[Reader] = set()
        self._waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        #: Where the call waits for room, and how far the slowest reader has to come for that.
        self._room: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._look_again_at = 0

    # ---- the call's side --------------------------------------------------------------------------------------------

    def put(self, item: Any) -> bool:
        """Add an item and wake who waits for it; return whether there is room for more (see `room`).

        When it is `overflown` after that, nobody must join its flight any more.
        """
        frozen = freeze(item)
        with self._lock:
            self._items.append(frozen)
            self._size += size(frozen)
            is_full = self._size > self._limit
            self.overflown = self.overflown or is_full
            waiting, self._waiting = self._waiting, {}
        _wake(waiting)
        return not is_full

    async def room(self, flight: Flight) -> None:
        """Wait until the slowest of all in `flight` has caught up so far that a quarter of the limit is free."""
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                # Who has joined and not begun to read has a seat, but is no reader yet.
                if self._readers and len(self._readers) >= flight.waiters:
                    self._drop_read()
                excess = self._size - self._limit * 3 // 4
                if excess <= 0:
                    return
                future = loop.create_future()
                self._room = loop, future
                self._look_again_at = self._dropped + _count_of(self._items, excess)
            await future

    def events(self) -> Events | None:
        """Return all items, to be stored; None if there were too many."""
        return None if self.overflown else Events(tuple(self._items))

    def finish(self, outcome: Any) -> None:
        """End the recording with the outcome of its flight; only the first call counts."""
        # First, so that who has read the last item finds the usage.
        self.ending.end(cut=isinstance(outcome, Failed | Abandoned))
        with self._lock:
            if self._end is not None:
                return
            # Not an answer, which holds the recording.
            self._end = outcome if isinstance(outcome, Failed | Abandoned) else _WELL
            waiting, self._waiting = self._waiting, {}
        _wake(waiting)

    def _drop_read(self) -> None:
        read = min(reader.position for reader in self._readers) - self._dropped
        self._size -= sum(map(size, self._items[:read]))
        del self._items[:read]
        self._dropped += read

    # ---- the readers' side ------------------------------------------------------------------------------------------

    def enter(self, reader: Reader) -> None:
        """Take in somebody who reads from the first item on."""
        with self._lock:
            self._readers.add(reader)
        self.nudge()

    def leave(self, reader: Reader) -> None:
        """Let somebody go. The seat is to be left after that."""
        with self._lock:
            self._readers.discard(reader)

    def nudge(self) -> None:
        """Let the call look again whether there is room."""
        with self._lock:
            room, self._room = self._room, None
        if room is not None:
            wake(*room)

    def read(self, reader: Reader) -> tuple[Frozen | None, asyncio.Future[None] | None]:
        """Return the next item of a reader, or the future to wait for, on the running loop, before it asks again.

        Raises StopAsyncIteration at the end, and what the call raised.
        """
        if not self.is_of_this_process():
            raise ClosedError("the stream is read in the parent process: a forked child cannot read along")
        with self._lock:
            at = reader.position - self._dropped
            if at < len(self._items):
                reader.position += 1
                item, future = self._items[at], None
            else:
                item, future = None, self._wait(reader)
            is_awaited = self._room is not None and reader.position == self._look_again_at
        if is_awaited:
            self.nudge()
        return item, future

    def _wait(self, reader: Reader) -> asyncio.Future[None]:
        if self._end is not None:
            _raise(self._end)
        if reader.seat.flight.is_stranded():
            raise ClosedError("the event loop that the stream was read on is closed")
        loop = running_loop()
        assert loop is not None
        future = loop.create_future()
        self._waiting.setdefault(loop, []).append(future)
        return future

    def is_of_this_process(self) -> bool:
        """Whether the stream is read in this process."""
        return self._process == os.getpid()


class Reader:
    """One who reads along, and has a seat in the flight until the end, or until it leaves."""

    __slots__ = ("_left", "_recording", "ending", "position", "seat")

    def __init__(self, recording: Recording, seat: Seat) -> None:
        self.ending = recording.ending
        self.position = 0
        self.seat = seat
        self._left = False
        self._recording = recording
        recording.enter(self)

    async def next(self) -> Any:
        """Return the next item."""
        try:
            item, future = self._read()
            while future is not None:
                await self._wait(future)
                item, future = self._read()
            if self.position % TURN == 0:
                await breathe()
        except BaseException:
            # The end, an error, or the reading task was cancelled.
            self._leave()
            raise
        assert item is not None
        return thaw(item)

    async def close(self) -> None:
        """Leave; the last one who leaves stops the call."""
        self._leave()

    def drop(self) -> None:
        """Leave when the loop of the call has time."""
        soon = self.seat.flight.soon
        if not self._left and soon is not None and self._recording.is_of_this_process():
            soon(self._leave)

    async def _wait(self, future: asyncio.Future[None]) -> None:
        if not await self.seat.wait(future, looks=_LOOKS):
            raise ClosedError("the event loop that the stream was read on has stopped")

    def _read(self) -> tuple[Frozen | None, asyncio.Future[None] | None]:
        if self._left:
            raise StopAsyncIteration
        return self._recording.read(self)

    def _leave(self) -> None:
        if not self._left and self._recording.is_of_this_process():
            self._recording.leave(self)
            self.seat.leave()
        self._left = True


def _count_of(items: list[Frozen], enough: int) -> int:
    """Return how many of the first items have the size `enough` together."""
    sizes = accumulate(map(size, items))
    return next(count for count, total in enumerate(sizes, 1) if total >= enough)


def _raise(end: Any) -> None:
    if isinstance(end, Failed):
        raise end.again()
    if isinstance(end, Abandoned):
        raise ClosedError("the stream was cut off: its call was cancelled, or the event loop that it ran on has ended")
    raise StopAsyncIteration


def _wake(waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]]) -> None:
    here = running_loop() if waiting else None
    for loop, futures in waiting.items():
        if loop is here:
            resolve_all(futures)
        else:
            on_loop(loop, resolve_all, futures)
