"""Many single calls as few calls of a function on lists.

There is no waiting window: a batch goes as soon as a worker is free, with everything that was submitted by then, and
items gather only while all workers are busy. What is submitted in one iteration of the event loop goes together.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from functools import cache, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, overload

from ._batch_loops import Queues
from ._batch_options import AGEING, Options, bounds
from ._batch_stats import BatchStats, Histogram
from ._errors import ConfigError
from ._llmfast import BatchFront
from ._loops import running_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
    from typing import Self

__all__ = ["BatchStats", "Batched", "BatchedMethod", "Histogram", "batch"]

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Results(Protocol[R_co]):
    """What a batch function returns: a list, an array of rows, or another sequence of results and exceptions."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, place: int, /) -> R_co:
        """Return the result of one item."""


_running_loop = asyncio.get_running_loop


class Batched(BatchFront, Generic[T, R]):
    """A function on lists that is called with single items: `await embed("one")`.

    Each event loop has a queue of its own, which appears with the first item and goes with the loop. Everything here
    must be called on a running event loop, but for `sync` and `stats`.

    An async function runs in a task of the loop, a synchronous one on a thread of its own. It sees the `contextvars` of
    whoever submitted the first item of its batch. It gets a fresh list and returns as many results. A result that is an
    exception is raised for its item alone. When the function raises, its batch is tried in halves to find the items
    that fail it, unless the error is about the call (see `bisect` of `batch`); they get the exception, the others their
    results. What is no Exception, such as what `pytest.fail` raises, is that of all items at once; KeyboardInterrupt
    and SystemExit go to whoever runs the loop, and cancel the items. Another number of results, or nothing that has
    one, is a BatchSizeError for all of them. An item whose caller is cancelled is left out of the next batch; if its
    batch is running, the other items are not disturbed, and the call is cancelled once nobody waits for it (a thread is
    waited for).

    A function that awaits itself needs a worker for that: where none would be left, it gets a NestedBatchError instead
    of waiting for ever. That is seen of one function on one event loop: two functions whose workers wait for each
    other, and a function on a thread that waits for `sync` of itself on others, wait for ever as locks do.
    """

    def __new__(cls, call: Callable[[list[T]], Any], queues: Queues) -> Self:
        """Use `batch`."""
        return super().__new__(cls, call, queues, queues.entrance)

    def __init__(self, call: Callable[[list[T]], Any], queues: Queues) -> None:
        """Use `batch`."""
        self._call = call
        self._queues = queues

    async def __call__(
        self,
        item: T,
        *,
        priority: int = 0,
        deadline: float | None = None,
        tenant: Hashable = None,
        key: Hashable = None,
    ) -> R:
        """Return the result for one item.

        `priority`: a higher one goes first; one step is worth 5 seconds of waiting (`ageing` of `batch`), so that
        nothing waits for ever. `deadline`: seconds from now within which the result is of use; of equal priority the
        earliest goes first, and what cannot make it any more is dropped with a DeadlineError. `tenant`: whose item it
        is; tenants that wait share the workers equally, by what their items cost, and priority and deadline order the
        items of one tenant. `key`: only items of equal keys share a batch, such as those of one model.

        Raises OverloadedError if the queue is full, ItemTooLargeError if the item alone exceeds `max_batch_tokens`,
        DeadlineError if a call takes longer than is left, ClosedError after `close`, NestedBatchError, and what `cost`
        raises; none of these is queued. Else what the function raises.
        """
        future, ticket = self._enter(item, priority, deadline, tenant, key)
        try:
            answer: R = await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._queues.of(_running_loop()).left(ticket)
            raise
        return answer

    if TYPE_CHECKING:
        # The way of every item: it is in Rust, and says there what it does.
        def submit(
            self,
            item: T,
            *,
            priority: int = 0,
            deadline: float | None = None,
            tenant: Hashable = None,
            key: Hashable = None,
        ) -> asyncio.Future[R]:
            """Queue one item and return its future. Cancelling the future drops the item. Parameters as of a call."""

    @overload
    async def map(
        self,
        items: Iterable[T],
        *,
        return_exceptions: Literal[False] = ...,
        priority: int = ...,
        deadline: float | None = ...,
        tenant: Hashable = ...,
        key: Hashable = ...,
    ) -> list[R]: ...
    @overload
    async def map(
        self,
        items: Iterable[T],
        *,
        return_exceptions: Literal[True],
        priority: int = ...,
        deadline: float | None = ...,
        tenant: Hashable = ...,
        key: Hashable = ...,
    ) -> list[R | BaseException]: ...
    async def map(
        self,
        items: Iterable[T],
        *,
        return_exceptions: bool = False,
        priority: int = 0,
        deadline: float | None = None,
        tenant: Hashable = None,
        key: Hashable = None,
    ) -> list[Any]:
        """Return the results for all items, in their order; there may be more than the queue holds.

        The items with the highest cost go first. They fill half of the queue at most, so that others get in; of several
        lists that wait for room the tenants take turns, and those of one tenant go by priority, deadline and arrival.
        The first error ends it: what is left is dropped, and the error raised. With `return_exceptions` errors are
        among the results instead, also those of items that are too late. `deadline` holds for each of them, from now.
        For the rest see a call of one item.

        Raises ConfigError for a `return_exceptions` that is no bool, and what a call of one item raises.
        """
        if not isinstance(return_exceptions, bool):
            raise ConfigError(f"return_exceptions must be True or False, got {return_exceptions!r}")
        queue = self._queues.of(_running_loop())
        wishes = (priority, deadline, tenant, key)
        return await queue.map(self._call, list(items), wishes, return_exceptions=return_exceptions)

    def sync(
        self,
        item: T,
        *,
        priority: int = 0,
        deadline: float | None = None,
        tenant: Hashable = None,
        key: Hashable = None,
    ) -> R:
        """Return the result for one item, from a thread without an event loop, as a call does on one.

        The function is called on an event loop that all these threads share, in a thread of its own: what belongs to a
        loop, such as the connections of an HTTP client, must not be that of another one. To use the queue of a running
        loop instead: `asyncio.run_coroutine_threadsafe(embed(item), loop).result()`.

        Raises RuntimeError where an event loop is running, which would stop, and what a call raises.
        """
        if running_loop() is not None:
            raise RuntimeError("sync would stop the event loop of this thread: await a call instead")
        wanted = self(item, priority=priority, deadline=deadline, tenant=tenant, key=key)
        result: R = self._queues.thread().wait(wanted)
        return result

    def stats(self) -> BatchStats:
        """Return what it did and is doing, over all event loops. From any thread."""
        return self._queues.stats()

    async def drain(self) -> None:
        """Wait until no item waits and no batch runs on this event loop; also for items submitted meanwhile.

        Nothing waits for `max_wait` meanwhile. Raises NestedBatchError inside of the batch function, whose own call it
        would wait for.
        """
        await self._queues.of(_running_loop()).drain()

    async def close(self, *, cancel: bool = False) -> None:
        """Refuse new items on this event loop, and wait for those that are there.

        With `cancel` they fail with ClosedError, and the running batches are cancelled and waited for. May be called
        again. On another event loop, such as that of the next `asyncio.run`, it works as before. Without `cancel` it
        raises NestedBatchError inside of the batch function.
        """
        await self._queues.of(_running_loop()).close(cancel=cancel)

    def __reduce__(self) -> str | tuple[Any, ...]:
        # By name, as a function is pickled: what waits belongs to an event loop.
        if isinstance(self._call, MethodType):
            return getattr, (self._call.__self__, self._call.__name__)
        name = getattr(self, "__qualname__", None)
        if name is None:
            raise TypeError(f"{self!r} has no name to be pickled by: batch a function of a module")
        return str(name)

    def __repr__(self) -> str:
        return f"<batched {self._call!r}>"


class BatchedMethod(Generic[T, R]):
    """A batched method. Each object has queues of its own, which do not keep it alive; items that wait do."""

    def __init__(self, function: Callable[[Any, list[T]], Any], options: Options) -> None:
        """Use `batch`."""
        self._function = function
        self._options = options
        # By identity: objects may be equal, or without a hash.
        self._queues: dict[int, tuple[weakref.ref[object], Queues]] = {}
        update_wrapper(self, function, updated=())

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None, /) -> Batched[T, R]: ...
    def __get__(self, instance: object | None, owner: type[Any] | None = None, /) -> Self | Batched[T, R]:
        """Return the batched method of an object; TypeError if its class forbids weak references."""
        if instance is None:
            return self
        return Batched(MethodType(self._function, instance), self._queues_of(instance))

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Raise TypeError: it is called on an object."""
        name = self._function.__qualname__
        raise TypeError(
            f"{name} takes two parameters, so it was batched as a method, and is called on an object; of a function "
            f"that is no method batch one of the list alone, such as functools.partial({name}, ...)"
        )

    def _queues_of(self, instance: object) -> Queues:
        key = id(instance)
        known = self._queues.get(key)
        if known is not None and known[0]() is instance:
            return known[1]
        # Without a lock, which a fork could catch locked.
        made = (self._reference(instance), Queues(self._options, self._function))
        known = self._queues.setdefault(key, made)
        if known[0]() is not instance:
            # Of an object that has gone.
            known = self._queues[key] = made
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
    def __call__(
        self, fn: Callable[[list[T]], Awaitable[Results[R | Exception | BaseException]]], /
    ) -> Batched[T, R]: ...
    @overload
    def __call__(
        self, fn: Callable[[Any, list[T]], Awaitable[Results[R | Exception | BaseException]]], /
    ) -> BatchedMethod[T, R]: ...
    @overload
    def __call__(self, fn: Callable[[list[T]], Results[R | Exception | BaseException]], /) -> Batched[T, R]: ...
    @overload
    def __call__(
        self, fn: Callable[[Any, list[T]], Results[R | Exception | BaseException]], /
    ) -> BatchedMethod[T, R]: ...


@overload
def batch(fn: Callable[[list[T]], Awaitable[Results[R | Exception | BaseException]]], /) -> Batched[T, R]: ...
@overload
def batch(
    fn: Callable[[Any, list[T]], Awaitable[Results[R | Exception | BaseException]]], /
) -> BatchedMethod[T, R]: ...
@overload
def batch(fn: Callable[[list[T]], Results[R | Exception | BaseException]], /) -> Batched[T, R]: ...
@overload
def batch(fn: Callable[[Any, list[T]], Results[R | Exception | BaseException]], /) -> BatchedMethod[T, R]: ...
@overload
def batch(
    *,
    max_batch_size: int = ...,
    max_batch_tokens: int | None = ...,
    cost: Callable[[Any], int] | None = ...,
    padded: bool = ...,
    max_wait: float = ...,
    concurrency: int = ...,
    max_queue: int = ...,
    max_queue_tokens: int | None = ...,
    bins: int | Sequence[int] | None = ...,
    ageing: float = ...,
    bisect: bool | type[Exception] | tuple[type[Exception], ...] | None = ...,
) -> BatchDecorator: ...
def batch(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    max_batch_size: int = 64,
    max_batch_tokens: int | None = None,
    cost: Callable[[Any], int] | None = None,
    padded: bool = False,
    max_wait: float = 0.0,
    concurrency: int = 1,
    max_queue: int = 10_000,
    max_queue_tokens: int | None = None,
    bins: int | Sequence[int] | None = None,
    ageing: float = AGEING,
    bisect: bool | type[Exception] | tuple[type[Exception], ...] | None = None,
) -> Any:
    """Make a function on lists callable with single items, which it gets in batches.

        @batch(max_batch_size=64)
        async def embed(texts: list[str]) -> list[Vector]: ...

        vector = await embed("one")
        vectors = await embed.map(texts)

    Also `@batch` and `batch(embed)`, on functions of one list and on methods of self and one list, async or not. A
    batch goes in the next iteration of the event loop if one of the `concurrency` workers is free, else when one gets
    free.

    `max_batch_size`: items of a batch at most. `cost`: a function from an item to its tokens, an int of at least 0;
    with it, `max_batch_tokens` bounds the tokens of a batch, or with `padded` its items times the tokens of the
    longest: then items of like length go together. `bins`: how many classes of length there are, found from the lengths
    that come, or their upper bounds; only items of one class share a batch as long as there are enough (multi-bin
    batching, Guldogan et al. 2024). `concurrency`: batches at a time. `max_queue`, `max_queue_tokens`: items and tokens
    that may wait; more are refused with an OverloadedError. All of these are per event loop. `max_wait`: seconds that
    an item may wait for others although a worker is free. That is for functions that are paid by the call: otherwise it
    only costs time. `ageing`: seconds of waiting that are worth one step of priority.

    `bisect`: whether a batch that raised is tried in halves, or for which exceptions. By default (None) it is, unless
    the error is about the call and no item: connections that fail, time-outs, and an HTTP status of 401, 403, 404, 408,
    409, 425, 429 or from 500 on (as `status_code`, `status` or `code` of the exception or its `response`). With
    L = log2(n), rounded up, one bad item of n takes at most 2 L calls more; many take 8 L + 2 at most, and 2 L + 2 as
    long as no call succeeds. An item fails with what the function raised for it alone; what the calls were not enough
    for gets an UntriedItemError, or the function's own error where all calls raised the same. False for functions that
    must not see an item twice. An exception that is not bisected is that of all items, of which each gets a copy, if it
    can be copied, with the original as its `__cause__`.

    Raises ConfigError for an option outside what is accepted, or a function of other parameters.
    """
    options = Options(
        max_batch_size=max_batch_size,
        max_batch_tokens=max_batch_tokens,
        cost=cost,
        padded=padded,
        max_wait=max_wait,
        concurrency=concurrency,
        max_queue=max_queue,
        max_queue_tokens=max_queue_tokens,
        bins=bounds(bins),
        ageing=ageing,
        bisect=bisect,
    )

    def decorate(fn: Callable[..., Any], /) -> Batched[Any, Any] | BatchedMethod[Any, Any]:
        if _is_method(fn):
            return BatchedMethod(fn, options)
        batched: Batched[Any, Any] = Batched(fn, Queues(options, fn))
        # Without its attributes: those of a callable object could stand before ours.
        update_wrapper(batched, fn, updated=())
        batched.__signature__ = _signature()  # type: ignore[attr-defined]  # what `inspect` looks for
        return batched

    return decorate if fn is None else decorate(fn)


@cache
def _signature() -> inspect.Signature:
    """Return the signature of a call of one item."""
    signature = inspect.signature(Batched.__call__)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _is_method(fn: Callable[..., Any]) -> bool:
    """Whether `fn` takes self before the list; ConfigError if it takes anything else."""
    if not callable(fn):
        raise ConfigError(f"expected a function to batch, got {type(fn).__name__}")
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        raise ConfigError(
            f"{fn!r} does not say what it takes: wrap it in a function of one list, such as lambda items: ..."
        ) from None
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
