"""Waking who waits on an event loop, from any thread."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, if one does."""
    # Without asyncio imported no loop of its can run.
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()


def on_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *arguments: Any) -> None:
    """Call `function` on `loop`, from any thread; a loop that was closed has nobody left who waits."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        if not loop.is_closed():
            raise


def resolve(future: asyncio.Future[None]) -> None:
    """Wake who waits for `future`, on its loop."""
    if not future.done():
        future.set_result(None)


def resolve_all(futures: Iterable[asyncio.Future[None]]) -> None:
    """Wake who waits for any of `futures`, on the loop of all of them."""
    for future in futures:
        resolve(future)
