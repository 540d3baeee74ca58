"""Threads for what would hold up an event loop: encoding and searching, and calls of functions that are not async."""

from __future__ import annotations

import math
import os
import threading
import weakref
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from ._errors import OverloadedError
from ._forks import new_lock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor


class Worker:
    """A thread that starts with the first job and ends with its owner. A forked child gets its own."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0
        self._thread = 0

    def is_here(self) -> bool:
        """Return whether this is the thread: a job that waits for another one there would wait for ever."""
        return self._thread == threading.get_ident() and self._process == os.getpid()

    def submit(self, job: Callable[[], Any], max_wait: float = math.inf) -> Future[Any]:
        """Run `job` on the thread; the future may be waited for anywhere.

        A job that could not be begun within `max_wait` seconds is not, and raises OverloadedError.
        """
        if max_wait < math.inf:
            job = partial(_in_time, monotonic() + max_wait, job)
        with self._lock:
            if self._pool is None or self._process != os.getpid():
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(
                    1, thread_name_prefix="llmfast", initializer=_note, initargs=(weakref.ref(self),)
                )
                self._process = os.getpid()
                weakref.finalize(self, self._pool.shutdown, wait=False)
            pool = self._pool
        # Not under the lock: the pool takes one of all pools', which who forks may have taken before this one.
        return pool.submit(job)


def _in_time(begin_by: float, job: Callable[[], Any]) -> Any:
    if monotonic() > begin_by:
        raise OverloadedError("too many lookups wait for the encoder to begin this one in time")
    return job()


def _note(worker: weakref.ref[Worker]) -> None:
    # The pool keeps what it begins with, and would keep its owner.
    owner = worker()
    if owner is not None:
        owner._thread = threading.get_ident()


#: Threads for the calls of an event loop at most. A call of a model waits for seconds and computes nothing, so this is
#: how many calls go on at a time, and the number of processors says nothing about it. A thread that waits takes some
#: 100 kB; one is started only where none is idle.
MOST_CALL_THREADS = 128


class _CallThreads:
    """Threads for the synchronous calls of each event loop.

    Not the loop's own pool: those who wait in it for the same answer may hold all its threads, and the call would wait
    for them.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._process = 0
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ThreadPoolExecutor]

    def of(self, loop: asyncio.AbstractEventLoop) -> ThreadPoolExecutor:
        """Return the threads of a loop; they end with it."""
        with self._lock:
            if self._process != os.getpid():
                self._pools, self._process = weakref.WeakKeyDictionary(), os.getpid()
            pool = self._pools.get(loop)
            if pool is None:
                from concurrent.futures import ThreadPoolExecutor

                pool = self._pools[loop] = ThreadPoolExecutor(MOST_CALL_THREADS, thread_name_prefix="llmfast-call")
            return pool


call_threads = _CallThreads().of
