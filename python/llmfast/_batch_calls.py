"""How a batch function is called, on the loop or on a thread, and what its results and errors are for its items."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import functools
import inspect
import types
from collections.abc import Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ._batch_worker import INSIDE
from ._errors import BatchSizeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence

    from ._batch_queue import LoopQueue
    from ._llmfast import FormedBatch


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling a function is sure to give something to await."""
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(function, "__call__", None)  # noqa: B004 - a callable object
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Let the loop go on."""
    yield


@types.coroutine
def in_context(context: contextvars.Context, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Run a coroutine in this task, but with the variables of a context."""
    run = context.run
    try:
        waits_for = run(work.send, None)
        while True:
            try:
                got = yield waits_for
            except GeneratorExit:
                run(work.close)
                raise
            except BaseException as error:  # noqa: BLE001 - it is thrown on
                waits_for = run(work.throw, error)
            else:
                waits_for = run(work.send, got)
    except StopIteration:
        return


def variables_of(batch: FormedBatch) -> contextvars.Context:
    """Return those of whoever submitted the first item: a batch belongs to several callers, and has to have some."""
    return contextvars.Context() if batch.context is None else batch.context.copy()


class Threads:
    """The threads of a synchronous function, which start with the first call and end with their owner."""

    def __init__(self, count: int) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="llmfast-batch")

    def calling(self, call: Callable[..., Any]) -> Callable[[list[Any]], Awaitable[Any]]:
        """Return an async function that calls this one, with the variables of whoever awaits it."""
        return functools.partial(self._call, call)

    async def _call(self, call: Callable[..., Any], items: list[Any]) -> Any:
        run, inside = contextvars.copy_context().run, INSIDE.get()[-1]
        inside.on_thread = True
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._executor, run, _sealed, call, items)
        finally:
            inside.on_thread = False
        # Functions that are not known to be async may be all the same, such as a lambda.
        if not inspect.isawaitable(results):
            return results
        if inside.is_left:
            if inspect.iscoroutine(results):
                results.close()
            raise asyncio.CancelledError
        return await results


class Retries:
    """The calls that find what fails a batch."""

    def __init__(self, queue: LoopQueue, batch: FormedBatch) -> None:
        self._queue = queue
        self._batch = batch

    def wanted(self, places: Sequence[int]) -> list[int]:
        """Return the places that somebody waits for."""
        wanted = set(self._batch.wanted())
        return [place for place in places if place in wanted]

    async def attempt(self, places: list[int]) -> Exception | None:
        """Call the function for these items alone."""
        self._queue.totals.add_retry()
        try:
            results = await self._queue.function(self._batch.items(places))
        except Exception as error:  # noqa: BLE001 - it is its callers'
            return error
        self._queue.sort_out(self._batch, results, places)
        return None

    def fail(self, places: list[int], error: BaseException) -> None:
        """Give these items an error."""
        self._queue.give_errors(self._batch, zip(places, each(error, len(places)), strict=True))


def _sealed(call: Callable[..., Any], items: list[Any]) -> Any:
    try:
        return call(items)
    except StopIteration as error:
        raise RuntimeError("the batch function raised StopIteration") from error


def as_list(results: Any, expected: int) -> list[Any] | BatchSizeError:
    """Return the results of a batch as a list of as many as expected, or what is wrong with them."""
    if type(results) is list and len(results) == expected:
        return results
    if results is None:
        return BatchSizeError(f"expected {expected} results, got None")
    kind = type(results).__name__
    if isinstance(results, str | bytes | bytearray | Mapping | Set) or _is_bytes(results):
        return BatchSizeError(f"expected a list of {expected} results, got {kind}")
    if hasattr(type(results), "columns"):
        return BatchSizeError(
            f"expected a list of {expected} results, got {kind}, which gives its columns: return rows"
        )
    if not (isinstance(results, list | tuple) or (hasattr(results, "__len__") and hasattr(results, "__getitem__"))):
        return BatchSizeError(f"expected a list of {expected} results, got {kind}")
    try:
        said, listed = len(results), list(results)
    except Exception as error:  # noqa: BLE001 - whatever it is, the callers must not wait for it
        wrong = BatchSizeError(f"expected a list of {expected} results, got {kind}, which cannot be read: {error!r}")
        wrong.__cause__ = error
        return wrong
    if len(listed) != expected:
        return BatchSizeError(f"expected {expected} results, got {len(listed)}")
    if said != expected:
        return BatchSizeError(f"expected {expected} results, got {kind} of length {said} with {len(listed)} items")
    return listed


def _is_bytes(results: Any) -> bool:
    return isinstance(results, memoryview) and results.format in ("B", "b", "c")


def each(error: BaseException, count: int) -> list[BaseException]:
    """Return an error for each of `count` callers: tracebacks and notes of all of them would pile up on one.

    The others than the first get copies whose cause it is, where it can be copied.
    """
    return [error if index == 0 else _copy(error) for index in range(count)]


def _copy(error: BaseException) -> BaseException:
    try:
        copied = copy.copy(error)
        if copied is error or type(copied) is not type(error) or str(copied) != str(error):
            return error
    except Exception:  # noqa: BLE001 - not every class can be made anew from its args
        return error
    copied.__cause__ = error
    return copied


def holdable(error: BaseException) -> BaseException:
    """Return an error, or what stands for it where no future can hold it, or whoever awaits it would end by it."""
    if not isinstance(error, StopIteration | GeneratorExit | KeyboardInterrupt | SystemExit):
        return error
    stands = RuntimeError(f"the batch function let out {type(error).__name__}")
    stands.__cause__ = error
    return stands
