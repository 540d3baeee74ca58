"""The bridge from the native worker thread to event loops.

The worker never asks for the interpreter. What it found lies in a queue for each loop, whose bell the loop watches
like any other connection, from the first lookup on; the loop takes it from there when its turn comes.

The decision is taken on the loop: it needs rows, and rows are Python's. Where the first hits are not enough,
`SemanticTier.nearest` does all of it again in Python's thread. So there is one definition of the answer, to which this
is a short cut.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextvars import Context
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, final

from ._llmfast import Arrival, CompletionQueue, LookupWorker

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ._llmfast import BertEncoderCore, FlatIndex, Hit, _Encoding

    #: The vector and the rows near it, or why the text was not compared.
    Found: TypeAlias = tuple[_Encoding, list[Hit]] | str

#: How long, in seconds, completions are delivered in one turn of a loop, and how many: with each a task goes on.
BUDGET = 0.0005
MOST = 16


@final
class Search(NamedTuple):
    """What the worker needs to look a question up: `LookupWorker.submit` takes it as it is."""

    encoder: BertEncoderCore
    rows: FlatIndex
    text: str
    vector: _Encoding | None
    breadth: int
    min_score: float
    partition: bytes
    #: Seconds within which it must be begun.
    max_wait: float


class Bridge:
    """A worker thread that starts with the first lookup and ends with its owner. A forked child gets its own."""

    # Of an object once it has one.
    _worker: LookupWorker | None = None

    async def look_up(self, search: Search, loop: asyncio.AbstractEventLoop) -> Found | None:
        """Look a question up for a task of `loop`, which runs here; None if that watches no descriptors.

        Raises what the encoder or the index raised, and OverloadedError if it was not begun in time.
        """
        # All in one: behind an encoder each call of Python waits for its code.
        port = _here.port
        if port is None or port.loop() is not loop or port.process != os.getpid():
            port = _new_port(loop)
        if not port.usable:
            return None
        worker = self._worker
        if worker is None:
            # One for all threads, and without a lock, which a fork could catch locked.
            worker = vars(self).setdefault("_worker", LookupWorker())
        ticket = worker.submit(port.queue, search)
        arrival = port.arrivals[ticket] = Arrival(loop, port.done)
        try:
            found: Found = await arrival
        except BaseException:
            if port.forget(ticket):
                worker.cancel(ticket)
            # It holds what is raised, which holds this frame.
            del arrival
            raise
        return found


class Port:
    """Where completions for one event loop arrive. Used in the loop's thread alone.

    The loop watches it until it is closed or another loop runs in this thread. To begin and to end that for each lookup
    is thirty calls of Python.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.perf_counter) -> None:
        # Who waits keeps the loop, and the loop this port; the other way round neither would ever go.
        self.loop = weakref.ref(loop)
        self.process = os.getpid()
        self.queue = CompletionQueue()
        #: What tasks are told whose lookup has come to something.
        self.done = _done()
        #: What is waited for, by ticket.
        self.arrivals: dict[int, Arrival] = {}
        self._is_retired = False
        self._clock = clock
        self._bell = self.queue.fileno()
        self.usable = self._bell is not None and self._watch(loop)

    def forget(self, ticket: int) -> bool:
        """Expect `ticket` no longer; return whether it was still to come."""
        if self.arrivals.pop(ticket, None) is None:
            return False
        self._leave()
        return True

    def retire(self) -> None:
        """Have the loop watch no longer than somebody waits: another one runs in this thread now."""
        self._is_retired = True
        loop = self.loop()
        if loop is not None and not loop.is_running():
            # Otherwise it runs in another thread now, and must be left alone.
            self._leave()

    def deliver(self) -> None:
        """Hand on what has arrived, as much as one turn has time for. The rest keeps the bell ringing."""
        taken, most, over = self.queue.take(), MOST, 0.0
        while taken is not None:
            ticket, near, unread, error, more = taken
            if more and not over:
                over = self._clock() + BUDGET
            arrival = self.arrivals.pop(ticket, None)
            # Otherwise who waited has left.
            if arrival is not None:
                # Its task goes on here.
                arrival.arrive(unread if near is None else near, error)
            most -= 1
            # With one alone, as most are, nothing is left to be weighed. A task may have forked.
            go_on = more and most and self._clock() < over and self.process == os.getpid()
            taken = self.queue.take() if go_on else None
        if self._is_retired:
            self._leave()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Have the loop watch; return whether it can."""
        try:
            # Not in the context of who happens to ask first, which would live as long.
            assert self._bell is not None
            Context().run(loop.add_reader, self._bell, self.deliver)
        except NotImplementedError:
            return False
        return True

    def _leave(self) -> None:
        """Have the loop watch no longer, if nobody waits any more and nobody will."""
        if not self._is_retired or self.arrivals or not self.usable:
            return
        loop = self.loop()
        # A forked child shares the parent's selector, which must go on.
        if loop is not None and not loop.is_closed() and self.process == os.getpid():
            assert self._bell is not None
            loop.remove_reader(self._bell)


class _NoLoop:
    """What a future that is done asks of its loop. A loop of somebody's would live as long as the future."""

    def get_debug(self) -> bool:
        return False


@cache
def _done() -> asyncio.Future[None]:
    import asyncio

    future: asyncio.Future[None] = asyncio.Future(loop=_NoLoop())  # type: ignore[arg-type]  # see there
    future.set_result(None)
    return future


class _Here(threading.local):
    """The port of the loop that ran last in this thread; one a thread needs no lock, which a fork could break."""

    port: Port | None = None


_here = _Here()


def _new_port(loop: asyncio.AbstractEventLoop) -> Port:
    if _here.port is not None:
        _here.port.retire()
    port = _here.port = Port(loop)
    return port
