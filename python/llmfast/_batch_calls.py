"""How a batch function is called: on the loop or on a thread, and in halves to find the item that fails it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import types
from collections import deque
from collections.abc import Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from ._errors import BatchSizeError, NestedBatchError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence

#: Calls that may be made to find what fails a batch, for each halving that one bad item takes, and some for small
#: batches: as long as none has succeeded, since then it may be the function that fails, and once one has.
WITHOUT_SUCCESS = 2
WITH_SUCCESS = 8
SPARE = 2


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


class Threads:
    """The threads of a synchronous function, which start with the first call and end with their owner."""

    def __init__(self, count: int) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="llmfast-batch")

    def calling(self, call: Callable[..., Any]) -> Callable[[list[Any]], Awaitable[Any]]:
        """Return an async function that calls this one, with the variables of whoever awaits it."""
        return functools.partial(self._call, call)

    async def _call(self, call: Callable[..., Any], items: list[Any]) -> Any:
        run = contextvars.copy_context().run
        results = await asyncio.get_running_loop().run_in_executor(self._executor, run, _holdable, call, items)
        # Functions that are not known to be async may be all the same, such as a lambda.
        return await results if inspect.isawaitable(results) else results


def _holdable(call: Callable[..., Any], items: list[Any]) -> Any:
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
    if isinstance(results, str | bytes | Mapping | Set) or not _is_sized_sequence(results):
        return BatchSizeError(f"expected a list of {expected} results, got {type(results).__name__}")
    if len(results) != expected:
        return BatchSizeError(f"expected {expected} results, got {len(results)}")
    return list(results)


def _is_sized_sequence(results: Any) -> bool:
    if isinstance(results, list | tuple):
        return True
    # Such as an array with a row for each item; one without dimensions has a length that raises.
    if not (hasattr(results, "__len__") and hasattr(results, "__getitem__")):
        return False
    try:
        len(results)
    except TypeError:
        return False
    return True


class Attempts(Protocol):
    """What finding a bad item needs of a batch."""

    def wanted(self, places: Sequence[int]) -> list[int]:
        """Return the places among these that somebody waits for."""

    async def attempt(self, places: list[int]) -> Exception | None:
        """Call the function for these items alone and hand out the results; return what it raised."""

    def fail(self, places: list[int], error: BaseException) -> None:
        """Give these items an error."""


async def isolate(batch: Attempts, size: int, error: Exception) -> None:
    """Find the items that fail a batch of `size`, by halves; the others get their results.

    An item fails only if it failed alone, or when there have been too many calls. Halves are tried in the order of
    their size: where many fail, the first success comes early. With one bad item of n it takes at most 2 log2(n) calls.
    """
    halvings = max(1, (size - 1).bit_length())
    made = succeeded = 0
    failed: deque[tuple[list[int], Exception, bool]] = deque([(list(range(size)), error, size == 1)])
    while failed:
        places, error, alone = failed.popleft()
        places = batch.wanted(places)
        if not places:
            continue
        if alone:
            batch.fail(places, error)
            continue
        middle = (len(places) + 1) // 2
        first_succeeded = False
        for half in (places[:middle], places[middle:]):
            if not half:
                continue
            if first_succeeded and len(half) > 1:
                # What failed together fails without the first half: no need to see that again.
                failed.append((half, error, False))
                continue
            if made >= SPARE + halvings * (WITH_SUCCESS if succeeded else WITHOUT_SUCCESS):
                batch.fail(half, error)
                continue
            made += 1
            raised = await batch.attempt(half)
            if raised is None:
                succeeded += 1
                first_succeeded = True
            elif isinstance(raised, NestedBatchError):
                batch.fail(half, raised)
            else:
                failed.append((half, raised, len(half) == 1))
