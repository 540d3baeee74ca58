"""What tests do with an event loop: run it for a bounded time, let it turn."""

from __future__ import annotations

import asyncio

#: No test waits that long unless it fails.
LONG_S = 20.0


def in_time(coroutine):
    """Run a coroutine on a loop of its own, for a bounded time."""
    return asyncio.run(asyncio.wait_for(coroutine, LONG_S))


async def cancelled(*tasks):
    """Cancel tasks and wait for their ends."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def turns(count=5):
    """Let everything run that can run without anybody's help."""
    for _ in range(count):
        await asyncio.sleep(0)
