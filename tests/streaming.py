"""Streams that tests fill item by item, and who reads and books them."""

from __future__ import annotations

import asyncio

from loops import in_time


def run(main):
    """Run `main()` on a loop of its own, for a bounded time."""
    return in_time(main())


async def read(answer, count=None):
    """Return the items of a streamed answer, all or the first `count`."""
    items = []
    async for item in answer.response:
        items.append(item)
        if len(items) == count:
            break
    return items


class Tap:
    """A model that streams what it is given, item by item, until it is given None or an error."""

    def __init__(self):
        self.calls, self.read = 0, []
        self.items, self.entered, self.closed = asyncio.Queue(), asyncio.Event(), asyncio.Event()

    async def __call__(self, query):
        self.calls += 1
        self.entered.set()
        try:
            while (item := await self.items.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                self.read.append(item)
                yield item
        finally:
            self.closed.set()

    def give(self, *items):
        for item in items:
            self.items.put_nowait(item)


def words(*items):
    """Return a model that streams `items` and counts its calls."""

    async def model(_):
        model.calls += 1
        for item in items:
            await asyncio.sleep(0)
            yield item

    model.calls = 0
    return model


class Book:
    """A ledger that writes down what it is told."""

    def __init__(self):
        self.entries = []

    def record(self, **entry):
        self.entries.append(entry)
