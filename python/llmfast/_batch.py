"""Many single calls as few calls of an async function on lists.

There is no waiting window: a batch goes as soon as a worker is free, with everything that was submitted by then, and
items gather only while all workers are busy. What is submitted in one iteration of the event loop goes together.
"""

from __future__ import annotations

import inspect
import threading
import weakref
from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from ._batch_queue import BatchStats, Options, Queues
from ._errors import ConfigError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import Self

__all__ = ["BatchStats", "Batched", "BatchedMethod", "batch"]

T = TypeVar("T")
R = TypeVar("R")


class Batched(Generic[T, R]):
    """An async function on lists that is called with single items: `await embed("one")`.

    Each event loop has a queue of its own, which appears with the first item and goes with the loop. Everything here
    must be called on a running event loop, but for `stats`. Items keep their order, from the queue into the batches.

    The function runs in a task and an empty `contextvars` context of its own: a batch belongs to several callers, and
    sees the variables of none. It gets a fresh list and returns a list of as many results. A result that is an
    exception is raised for its item alone. An exception that it raises is raised for all items of the batch. Another
    number of results, or anything but a list, is a BatchSizeError for all of them. An item whose caller is cancelled is
    left out of the next batch; if its batch is running, the other items are not disturbed, and the call is cancelled
    once nobody waits for it.
    """

    def __init__(self, call: Callable[[list[T]], Any], queues: Queues[T, R]) -> None:
        """Use `batch`."""
        self._call = call
        self._queues = queues

    async def __call__(self, item: T) -> R:
        """Return the result for one item; the errors are those of `submit`, `await` and the function."""
        return await self.submit(item)

    def submit(self, item: T) -> asyncio.Future[R]:
        """Queue one item and return its future. Cancelling the future drops the item.

        Raises OverloadedError if the queue is full, ClosedError after `close`.
        """
        return self._queues.here().submit(item, self._call)

    async def map(self, items: Iterable[T]) -> list[R]:
        """Return the results for all items, in their order; there may be more than the queue holds.

        Raises the error of the first item that failed; the others are cancelled then.
        """
        queue = self._queues.here()
        futures: list[asyncio.Future[R]] = []
        try:
            for item in items:
                await queue.room()
                futures.append(queue.submit(item, self._call))
            return [await future for future in futures]
        except BaseException:
            for future in futures:
                if not future.cancel() and not future.cancelled():
                    # Read, so that asyncio does not report it as forgotten.
                    future.exception()
            raise

    def stats(self) -> BatchStats:
        """Return what it did and is doing, over all event loops. From any thread."""
        return self._queues.stats()

    async def drain(self) -> None:
        """Wait until no item waits and no batch runs on this event loop; also for items submitted meanwhile."""
        await self._queues.here().drain()

    async def close(self, *, cancel: bool = False) -> None:
        """Refuse new items on this event loop, and wait for those that are there.

        With `cancel` they fail with ClosedError, and the running batches are cancelled and waited for. May be called
        again. On another event loop, such as that of the next `asyncio.run`, it works as before.
        """
        await self._queues.here().close(cancel=cancel)

    def __repr__(self) -> str:
        return f"<batched {self._call!r}>"


class BatchedMethod(Generic[T, R]):
    """A batched method. Each object has queues of its own, which do not keep it alive; items that wait do."""

    def __init__(self, function: Callable[[Any, list[T]], Any], options: Options) -> None:
        """Use `batch`."""
        self._function = function
        self._options = options
        self._lock = threading.Lock()
        # By identity: objects may be equal, or without a hash.
        self._queues: dict[int, tuple[weakref.ref[object], Queues[T, R]]] = {}
        update_wrapper(self, function, updated=())  # type: ignore[arg-type]  # a method's wrapper is no callable until it is bound

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None, /) -> Batched[T, R]: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None, /) -> Self | Batched[T, R]:
        """Return the batched method of an object; TypeError if its class forbids weak references."""
        if instance is None:
            return self
        return Batched(MethodType(self._function, instance), self._queues_of(instance))

    def _queues_of(self, instance: object) -> Queues[T, R]:
        key = id(instance)
        known = self._queues.get(key)
        if known is not None and known[0]() is instance:
            return known[1]
        with self._lock:
            known = self._queues.get(key)
            if known is None or known[0]() is not instance:
                known = self._queues[key] = (self._reference(instance), Queues(self._options))
            return known[1]

    def _reference(self, instance: object) -> weakref.ref[object]:
        key, queues = id(instance), self._queues

        def forget(reference: weakref.ref[object]) -> None:
            known = queues.get(key)
            if known is not None and known[0] is reference:
                del queues[key]

        try:
            return weakref.ref(instance, forget)
        except TypeError:
            name = type(instance).__qualname__
            raise TypeError(
                f"a batched method of {name} needs weak references to its objects: add '__weakref__' to its __slots__"
            ) from None

    def __repr__(self) -> str:
        return f"<batched method {self._function.__qualname__}>"


class BatchDecorator(Protocol):
    """What `batch(max_batch_size=...)` returns."""

    @overload
    def __call__(self, fn: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]], /) -> Batched[T, R]: ...
    @overload
    def __call__(
        self, fn: Callable[[Any, list[T]], Awaitable[Sequence[R | BaseException]]], /
    ) -> BatchedMethod[T, R]: ...


@overload
def batch(
    fn: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]],
    /,
    *,
    max_batch_size: int = ...,
    concurrency: int = ...,
    max_queue: int = ...,
) -> Batched[T, R]: ...
@overload
def batch(
    fn: Callable[[Any, list[T]], Awaitable[Sequence[R | BaseException]]],
    /,
    *,
    max_batch_size: int = ...,
    concurrency: int = ...,
    max_queue: int = ...,
) -> BatchedMethod[T, R]: ...
@overload
def batch(*, max_batch_size: int = ..., concurrency: int = ..., max_queue: int = ...) -> BatchDecorator: ...
def batch(
    fn: Callable[..., Any] | None = None, /, *, max_batch_size: int = 64, concurrency: int = 1, max_queue: int = 10_000
) -> Any:
    """Make an async function on lists callable with single items, which it gets in batches.

        @batch(max_batch_size=64)
        async def embed(texts: list[str]) -> list[Vector]: ...

        vector = await embed("one")
        vectors = await embed.map(texts)

    Also `@batch` and `batch(embed)`, on functions of one list and on methods of self and one list. A batch goes in the
    next iteration of the event loop if one of the `concurrency` workers is free, else when one gets free; it never
    waits to grow.

    `max_batch_size`: items of a batch at most. `concurrency`: batches at a time, per event loop. `max_queue`: items
    that may wait, per event loop; more are refused with an OverloadedError.

    Raises ConfigError for a bound below 1 or a function of other parameters.
    """
    options = Options(max_batch_size=max_batch_size, concurrency=concurrency, max_queue=max_queue)

    def decorate(fn: Callable[..., Any], /) -> Batched[Any, Any] | BatchedMethod[Any, Any]:
        if _is_method(fn):
            return BatchedMethod(fn, options)
        batched: Batched[Any, Any] = Batched(fn, Queues(options))
        # Without its attributes: those of a callable object could stand before ours.
        update_wrapper(batched, fn, updated=())
        return batched

    return decorate if fn is None else decorate(fn)


def _is_method(fn: Callable[..., Any]) -> bool:
    """Whether `fn` takes self before the list; ConfigError if it takes anything else."""
    if not callable(fn):
        raise ConfigError(f"expected an async function to batch, got {type(fn).__name__}")
    parameters = inspect.signature(fn).parameters.values()
    various = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [
        parameter for parameter in parameters if parameter.default is parameter.empty and parameter.kind not in various
    ]
    if not required and any(
        parameter.kind not in (inspect.Parameter.KEYWORD_ONLY, various[1]) for parameter in parameters
    ):
        return False
    if len(required) not in (1, 2) or any(parameter.kind is parameter.KEYWORD_ONLY for parameter in required):
        taken = ", ".join(parameter.name for parameter in required) or "nothing"
        raise ConfigError(f"a batch function takes one list, or self and one list, got one that takes {taken}")
    return len(required) == 2
