"""An event loop in a thread of its own, for coroutines that a thread without a loop has to wait for."""

from __future__ import annotations

import inspect
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from ._forks import new_lock
from ._loops import running_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable


class LoopThread:
    """A loop that starts with the first coroutine and ends with its owner. A forked child gets its own.

    It is the same loop for all coroutines, because what they use, such as the connections of an HTTP client, often
    belongs to the loop that it was made on.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Await `awaitable` on the loop and return its result; what stops this thread's waiting cancels it.

        Raises RuntimeError on the loop's own thread, which would wait for itself.
        """
        import asyncio

        loop = self._started()
        if running_loop() is loop:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise RuntimeError("a call on this loop would wait for itself: await it instead")
        future = asyncio.run_coroutine_threadsafe(_await(awaitable), loop)
        try:
            result, stop = future.result()
        except BaseException:
            future.cancel()
            raise
        if stop is not None:
            raise stop
        return result

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                import asyncio

                loop = asyncio.new_event_loop()
                weakref.finalize(self, _stop, loop)
                # A daemon: a coroutine that never ends must not keep the interpreter from ending.
                threading.Thread(target=_run, args=(loop,), name="llmfast-loop", daemon=True).start()
                # Not before it runs: whoever was interrupted here would leave a loop that never does.
                self._loop, self._process = loop, os.getpid()
            return self._loop


async def _await(awaitable: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    try:
        return await awaitable, None
    except (KeyboardInterrupt, SystemExit) as stop:
        # Raised in a task these end the loop too, which others wait on: they are for whoever waits here.
        return None, stop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.call_soon_threadsafe(loop.stop)
    except RuntimeError:
        if not loop.is_closed():
            raise
