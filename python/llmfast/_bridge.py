"""The bridge from the native worker thread to event loops.

The worker never asks for the interpreter. What it found lies in a queue for each loop, whose pipe the loop watches
like any other connection, from the first lookup on; the loop takes it from there when its turn comes.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from contextvars import Context
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ._llmfast import CompletionQueue, LookupWorker, after_fork, before_fork

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ._llmfast import BertEncoderCore, FlatIndex, Hit, _Encoding

    #: The vector and the rows near it, or why the text was not compared.
    Found: TypeAlias = tuple[_Encoding, list[Hit]] | str

#: How long, in seconds, completions are delivered in one turn of a loop, and how many: each wakes a task, which the
#: loop runs before it looks at its connections again.
BUDGET = 0.0005
MOST = 16

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=before_fork, after_in_parent=after_fork, after_in_child=after_fork)


class Search(NamedTuple):
    """What the worker needs to look a question up: `LookupWorker.submit` takes it as it is."""

    encoder: BertEncoderCore
    rows: FlatIndex
    text: str
    vector: _Encoding | None
    breadth: int
    min_score: float
    partition: int


class Bridge:
    """A worker thread that starts with the first lookup and ends with its owner. A forked child gets its own."""

    async def look_up(self, search: Search) -> Found | None:
        """Look a question up; None if the running loop watches no pipes.

        Raises what the encoder or the index raised, and OverloadedError if too many wait.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        port = _port(loop)
        if port is None:
            return None
        worker = self._started()
        ticket = worker.submit(port.queue, search)
        found: Found
        try:
            found, error = await port.expect(loop, ticket)
        finally:
            if port.forget(ticket):
                worker.cancel(ticket)
        if error is not None:
            raise error
        return found

    def _started(self) -> LookupWorker:
        # One for all threads, and without a lock, which a fork could catch locked.
        worker: LookupWorker | None = vars(self).get("_worker")
        if worker is None:
            worker = vars(self).setdefault("_worker", LookupWorker())
        return worker


class Port:
    """Where completions for one event loop arrive. Used in the loop's thread alone.

    The loop watches it until it is closed or another loop runs in this thread. To begin and to end that for each lookup
    is thirty calls of Python.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.perf_counter) -> None:
        # Who waits keeps the loop, and the loop this port; the other way round neither would ever go.
        self._loop = weakref.ref(loop)
        self._is_retired = False
        self._process = os.getpid()
        self._clock = clock
        self.queue = CompletionQueue()
        self._pipe = self.queue.fileno()
        self._futures: dict[int, asyncio.Future[tuple[Any, Exception | None]]] = {}
        self.usable = self._pipe is not None and self._watch(loop)

    def is_of(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this port is for `loop` in this process."""
        return self._loop() is loop and self._process == os.getpid()

    def expect(self, loop: asyncio.AbstractEventLoop, ticket: int) -> asyncio.Future[tuple[Any, Exception | None]]:
        """Return the future of what comes for `ticket`."""
        future = self._futures[ticket] = loop.create_future()
        return future

    def forget(self, ticket: int) -> bool:
        """Expect `ticket` no longer; return whether it was still to come."""
        if self._futures.pop(ticket, None) is None:
            return False
        self._leave()
        return True

    def retire(self) -> None:
        """Have the loop watch no longer than somebody waits: another one runs in this thread now."""
        self._is_retired = True
        loop = self._loop()
        if loop is not None and not loop.is_running():
            # Otherwise it runs in another thread now, and must be left alone.
            self._leave()

    def deliver(self) -> None:
        """Hand on what has arrived, as much as one turn has time for. The rest keeps the pipe readable."""
        over = self._clock() + BUDGET
        for _ in range(MOST):
            taken = self.queue.take()
            if taken is None:
                break
            ticket, near, unread, error = taken
            future = self._futures.pop(ticket, None)
            # Otherwise who waited has left.
            if future is not None and not future.done():
                future.set_result((unread if near is None else near, error))
            if self._clock() >= over:
                break
        self._leave()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Have the loop watch; return whether it can."""
        try:
            # Not in the context of who happens to ask first, which would live as long.
            assert self._pipe is not None
            Context().run(loop.add_reader, self._pipe, self.deliver)
        except NotImplementedError:
            return False
        return True

    def _leave(self) -> None:
        """Have the loop watch no longer, if nobody waits any more and nobody will."""
        if not self._is_retired or self._futures or not self.usable:
            return
        loop = self._loop()
        # A forked child shares the parent's selector, which must go on.
        if loop is not None and not loop.is_closed() and self._process == os.getpid():
            assert self._pipe is not None
            loop.remove_reader(self._pipe)


class _Here(threading.local):
    """The port of the loop that ran last in this thread; one a thread needs no lock, which a fork could break."""

    port: Port | None = None


_here = _Here()


def _port(loop: asyncio.AbstractEventLoop) -> Port | None:
    port = _here.port
    if port is None or not port.is_of(loop):
        if port is not None:
            port.retire()
        port = _here.port = Port(loop)
    return port if port.usable else None
