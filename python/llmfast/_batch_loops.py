"""The queues of a batched function: one for each event loop, and a loop for threads that have none."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from ._batch_calls import is_async
from ._batch_queue import LoopQueue
from ._batch_stats import BatchStats
from ._forks import new_lock
from ._llmfast import BatchEntrance, BatchTotals
from ._loop_thread import LoopThread

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any

    from ._batch_options import Options

_ALL: weakref.WeakSet[Queues] = weakref.WeakSet()
#: What the processes that this one was forked from had in hand.
_PARENTS: list[object] = []


class Queues:
    """The queues of a batched function: one for each event loop that it is used on, as long as that loop lives."""

    def __init__(self, options: Options, function: Callable[..., Any]) -> None:
        self._options = options
        self._threaded = not is_async(function)
        #: Remembers the loop that was used last.
        self.entrance = BatchEntrance()
        self._begin()
        _ALL.add(self)

    def _begin(self) -> None:
        self._lock = new_lock()
        self._totals = BatchTotals()
        # By identity, which is faster than by weak references, and a reference that takes the entry out.
        self._by_loop = _ByLoop()
        self._thread: LoopThread | None = None

    def of(self, loop: asyncio.AbstractEventLoop) -> LoopQueue:
        """Return the queue of an event loop."""
        known = self._by_loop.get(id(loop))
        if known is not None and known[0]() is loop:
            return known[1]
        with self._lock:
            # A loop that was closed with items pending is held by them.
            for key, (reference, _) in list(self._by_loop.items()):
                other = reference()
                if other is None or other.is_closed():
                    self._by_loop.pop(key, None)
            queue = LoopQueue(self._options, self._totals, self.entrance, threaded=self._threaded)
            self._by_loop[id(loop)] = (self._by_loop.reference(loop), queue)
            return queue

    def thread(self) -> LoopThread:
        """Return the thread with a loop that those wait for who have none."""
        with self._lock:
            if self._thread is None:
                self._thread = LoopThread()
            return self._thread

    def stats(self) -> BatchStats:
        """Return what happened on all loops."""
        with self._lock:
            # Nothing runs on a loop that was closed, whatever it left behind.
            known = [(reference(), queue) for reference, queue in self._by_loop.values()]
        queues = [queue for loop, queue in known if loop is not None and not loop.is_closed()]
        for queue in queues:
            queue.sweep()
        loads = [queue.load() for queue in queues]
        queued, tokens, running = (sum(load) for load in zip(*loads, strict=True)) if loads else (0, 0, 0)
        return BatchStats.of(self._totals.read(), queued=queued, queued_tokens=tokens, running=running)

    def after_fork(self) -> None:
        """Begin anew in a forked child, which has neither the loops of its parent nor the threads."""
        # What waited there is left as it is: dropping a task that is pending would be reported.
        _PARENTS.append((self._by_loop, self._totals))
        self.entrance.forget()
        self._begin()


class _ByLoop(dict[int, "tuple[weakref.ref[asyncio.AbstractEventLoop], LoopQueue]"]):
    __slots__ = ("__weakref__",)

    def reference(self, loop: asyncio.AbstractEventLoop) -> weakref.ref[asyncio.AbstractEventLoop]:
        """Return a reference to a loop that takes its entry out when it goes."""
        key, entries = id(loop), weakref.ref(self)

        def forget(reference: weakref.ref[asyncio.AbstractEventLoop]) -> None:
            known = entries()
            if known is not None and key in known and known[key][0] is reference:
                del known[key]

        return weakref.ref(loop, forget)


def _after_fork() -> None:
    for queues in list(_ALL):
        queues.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
