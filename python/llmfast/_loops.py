"""Event loops: which one runs, waking who waits on one from any thread, and what is to be run on one."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from ._arguments import uncallable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

_ASYNC_GENERATOR = inspect.CO_ASYNC_GENERATOR


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, if one does."""
    # Without asyncio imported no loop of its can run.
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()


def runs_in(task: asyncio.Task[Any] | None) -> bool:
    """Whether this code is run by a task, and not by what closes the coroutine of one whose loop has gone."""
    import asyncio

    loop = running_loop()
    return loop is not None and task is not None and asyncio.current_task(loop) is task


def on_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *arguments: Any) -> None:
    """Call `function` on `loop`, from any thread; a loop that was closed has nobody left who waits."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


def wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """Wake who waits for `future` on `loop`, from any thread."""
    if running_loop() is loop:
        # Its own thread needs no byte in its pipe, and no turn more.
        resolve(future)
    else:
        on_loop(loop, resolve, future)


def resolve(future: asyncio.Future[None]) -> None:
    """Wake who waits for `future`, on its loop."""
    if not future.done():
        future.set_result(None)


def resolve_all(futures: Iterable[asyncio.Future[None]]) -> None:
    """Wake who waits for any of `futures`, on the loop of all of them."""
    for future in futures:
        resolve(future)


def is_async_generator(function: Callable[..., Any]) -> bool:
    """Whether calling a function makes an async iterator of items, as `async def` with `yield` does.

    Raises ConfigError for what cannot be called.
    """
    # On the way of each exact hit, where `getattr` with a default and `suppress` cost a call each.
    try:
        return function.__code__.co_flags & _ASYNC_GENERATOR != 0
    except (AttributeError, TypeError):
        pass
    if not callable(function):
        raise uncallable(function)
    called = getattr(function, "__call__", None)  # noqa: B004 - a callable object, maybe of a generator function
    return inspect.isasyncgenfunction(function) or inspect.isasyncgenfunction(called)
