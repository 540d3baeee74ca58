"""One thread for the work that would hold up an event loop: encoding and searching."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future, ThreadPoolExecutor


class Worker:
    """A thread that starts with the first job and ends with its owner. A forked child gets its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def submit(self, job: Callable[[], Any]) -> Future[Any]:
        """Run `job` on the thread; the future may be waited for anywhere."""
        with self._lock:
            if self._pool is None or self._process != os.getpid():
                from concurrent.futures import ThreadPoolExecutor

                self._pool = ThreadPoolExecutor(1, thread_name_prefix="llmfast")
                self._process = os.getpid()
                weakref.finalize(self, self._pool.shutdown, wait=False)
            return self._pool.submit(job)
