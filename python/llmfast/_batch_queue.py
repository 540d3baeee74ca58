"""The items of a batched function: one queue per event loop, and the batches that are made of it."""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from collections import OrderedDict
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ._errors import BatchSizeError, ClosedError, ConfigError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
R = TypeVar("R")

_NOTHING: Any = object()


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds of a batched function; ConfigError if one is no int of at least 1."""

    max_batch_size: int
    concurrency: int
    max_queue: int

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "concurrency", "max_queue"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{name} must be an int of at least 1, got {value!r}")


@dataclass(frozen=True, slots=True)
class BatchStats:
    """What a batched function did so far, over all event loops, and what it is doing.

    Every submitted item ends up in one of `completed`, `failed` and `cancelled`.
    """

    #: Items that got into the queue.
    submitted: int
    #: Items that got a result.
    completed: int
    #: Items that got an error.
    failed: int
    #: Items whose caller left before there was a result.
    cancelled: int
    #: Items that were refused because the queue was full; they are not among the submitted.
    rejected: int
    #: Calls of the function that have ended.
    batches: int
    #: Items of the largest batch.
    largest_batch: int
    #: Items that wait now.
    queued: int
    #: Calls of the function that are going on now.
    running: int


class Counters:
    """Counts events of all loops; each loop has a thread of its own, so every change takes the lock."""

    __slots__ = ("_counts", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        names = ("submitted", "completed", "failed", "cancelled", "rejected", "batches", "largest_batch")
        self._counts = dict.fromkeys(names, 0)

    def add(self, name: str, count: int = 1) -> None:
        """Count `count` more events."""
        with self._lock:
            self._counts[name] += count

    def add_batch(self, size: int) -> None:
        """Count a batch of `size` items that has ended."""
        with self._lock:
            self._counts["batches"] += 1
            self._counts["largest_batch"] = max(self._counts["largest_batch"], size)

    def read(self) -> dict[str, int]:
        """Return the counts."""
        with self._lock:
            return dict(self._counts)


class _Running(Generic[R]):
    """A call of the function that is going on."""

    __slots__ = ("futures", "stops", "task", "wanted")

    def __init__(self, futures: list[asyncio.Future[R]], task: asyncio.Task[Any]) -> None:
        self.futures = futures
        self.task = task
        #: Items that somebody still waits for.
        self.wanted = len(futures)
        #: How often the queue asked it to stop.
        self.stops = 0

    def stop(self) -> None:
        """Cancel the call."""
        # A task that has ended already does not count it.
        self.stops += self.task.cancel()


class LoopQueue(Generic[T, R]):
    """The items of one event loop, touched on that loop's thread alone.

    It holds the loop only through futures and tasks that are pending, and the function, which may be a method that
    keeps its object alive, only while there are items.
    """

    def __init__(self, options: Options, counters: Counters) -> None:
        self._options = options
        self._counters = counters
        self._waiting: OrderedDict[asyncio.Future[R], T] = OrderedDict()
        self._batch_of: dict[asyncio.Future[R], _Running[R]] = {}
        self._running: set[_Running[R]] = set()
        self._call: Callable[[list[T]], Any] | None = None
        self._scheduled = False
        self._closed = False
        # Futures of those who wait for room, and of those who wait until nothing is left to do.
        self._for_room: list[asyncio.Future[None]] = []
        self._for_idle: list[asyncio.Future[None]] = []

    @property
    def waiting(self) -> int:
        """Items that wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Calls that are going on."""
        return len(self._running)

    def submit(self, item: T, call: Callable[[list[T]], Any]) -> asyncio.Future[R]:
        """Queue an item; ClosedError after `close`, OverloadedError if the queue is full."""
        if self._closed:
            raise ClosedError("this batched function was closed on this event loop")
        if len(self._waiting) >= self._options.max_queue:
            self._counters.add("rejected")
            raise OverloadedError(f"queue holds {len(self._waiting)} of at most {self._options.max_queue} items")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        future.add_done_callback(self._left)
        self._waiting[future] = item
        self._call = call
        self._counters.add("submitted")
        if not self._scheduled and len(self._running) < self._options.concurrency:
            # In the next iteration: whatever is submitted in this one goes along.
            self._scheduled = True
            loop.call_soon(self._fire)
        return future

    async def room(self) -> None:
        """Wait until the queue is not full."""
        while not self._closed and len(self._waiting) >= self._options.max_queue:
            await _wait_in(self._for_room)

    async def drain(self) -> None:
        """Wait until there is neither an item nor a call."""
        if self._waiting or self._running:
            await _wait_in(self._for_idle)

    async def close(self, *, cancel: bool) -> None:
        """Refuse new items and wait for the others; with `cancel` fail them and stop the calls."""
        self._closed = True
        _wake(self._for_room)
        if cancel:
            self._abort()
        await self.drain()

    def _abort(self) -> None:
        running = [future for batch in self._running for future in batch.futures]
        for future in [*self._waiting, *running]:
            self._fail(future, ClosedError("this batched function was closed before there was a result"))
        self._waiting.clear()
        for batch in self._running:
            batch.stop()
        self._settle()

    def _fire(self) -> None:
        """Start batches while a worker is free and items wait."""
        self._scheduled = False
        while self._waiting and len(self._running) < self._options.concurrency:
            self._start()
        self._settle()

    def _start(self) -> None:
        futures: list[asyncio.Future[R]] = []
        items: list[T] = []
        while self._waiting and len(items) < self._options.max_batch_size:
            future, item = self._waiting.popitem(last=False)
            # A cancelled future is still here until its callback has run.
            if not future.done():
                futures.append(future)
                items.append(item)
        _wake(self._for_room)
        if not items:
            return
        # In an empty context: a batch is made for several callers, and must not see one caller's variables.
        task = Context().run(asyncio.get_running_loop().create_task, _run(self._call, items))
        batch = _Running(futures, task)
        self._running.add(batch)
        self._batch_of.update(dict.fromkeys(futures, batch))
        task.add_done_callback(partial(self._ended, batch))

    def _left(self, future: asyncio.Future[R]) -> None:
        """Drop an item whose caller left, and stop a batch that everybody left."""
        if not future.cancelled():
            return
        self._counters.add("cancelled")
        if self._waiting.pop(future, _NOTHING) is not _NOTHING:
            _wake(self._for_room)
            self._settle()
        elif (batch := self._batch_of.get(future)) is not None:
            batch.wanted -= 1
            if batch.wanted == 0:
                batch.stop()

    def _ended(self, batch: _Running[R], task: asyncio.Task[Any]) -> None:
        self._running.discard(batch)
        for future in batch.futures:
            del self._batch_of[future]
        self._counters.add_batch(len(batch.futures))
        self._distribute(batch.futures, task)
        if task.cancelling() > batch.stops:
            # Cancelled from outside: the loop is shutting down, and a new task would be lost.
            for future in self._waiting:
                future.cancel()
            self._waiting.clear()
            _wake(self._for_room)
        self._fire()

    def _distribute(self, futures: list[asyncio.Future[R]], task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            for future in futures:
                future.cancel()
            return
        error = task.exception()
        if error is not None:
            for future in futures:
                self._fail(future, error)
            return
        results = task.result()
        problem = _mismatch(results, len(futures))
        for place, future in enumerate(futures):
            if problem is not None:
                self._fail(future, BatchSizeError(problem))
            elif isinstance(results[place], BaseException):
                self._fail(future, results[place])
            elif not future.done():
                future.set_result(results[place])
                self._counters.add("completed")

    def _fail(self, future: asyncio.Future[R], error: BaseException) -> None:
        if future.done():
            return
        if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
            # The last two have gone through the event loop already, to whoever runs it.
            future.cancel()
            return
        if isinstance(error, StopIteration):
            # No future can hold it.
            cause, error = error, RuntimeError("the batch function returned StopIteration for an item")
            error.__cause__ = cause
        future.set_exception(error)
        self._counters.add("failed")

    def _settle(self) -> None:
        if not self._waiting and not self._running:
            self._call = None
            _wake(self._for_idle)


class Queues(Generic[T, R]):
    """The queues of a batched function: one for each event loop that it is used on, as long as that loop lives."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._counters = Counters()
        self._lock = threading.Lock()
        self._by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopQueue[T, R]] = (
            weakref.WeakKeyDictionary()
        )

    def here(self) -> LoopQueue[T, R]:
        """Return the queue of the running event loop; RuntimeError if there is none."""
        loop = asyncio.get_running_loop()
        queue = self._by_loop.get(loop)
        if queue is not None:
            return queue
        with self._lock:
            # A loop that was closed with items pending is held by them.
            for other in [other for other in self._by_loop if other.is_closed()]:
                del self._by_loop[other]
            queue = self._by_loop[loop] = LoopQueue(self._options, self._counters)
            return queue

    def stats(self) -> BatchStats:
        """Return what happened on all loops."""
        with self._lock:
            queues = list(self._by_loop.values())
        queued, running = sum(queue.waiting for queue in queues), sum(queue.running for queue in queues)
        return BatchStats(**self._counters.read(), queued=queued, running=running)


async def _run(call: Callable[[list[T]], Any] | None, items: list[T]) -> Any:
    results = call(items) if call is not None else None
    if not inspect.isawaitable(results):
        raise TypeError(f"a batch function must be async, got {type(results).__name__} from {call!r}")
    return await results


def _mismatch(results: Any, expected: int) -> str | None:
    """Return what is wrong with the results of a batch."""
    if results is None:
        return f"expected {expected} results, got None"
    if not isinstance(results, list):
        return f"expected a list of {expected} results, got {type(results).__name__}"
    if len(results) != expected:
        return f"expected {expected} results, got {len(results)}"
    return None


async def _wait_in(line: list[asyncio.Future[None]]) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    line.append(future)
    try:
        await future
    finally:
        if future in line:
            line.remove(future)


def _wake(line: list[asyncio.Future[None]]) -> None:
    for future in line:
        if not future.done():
            future.set_result(None)
    line.clear()
