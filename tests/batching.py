"""A batch function that tests can watch and hold."""

from __future__ import annotations

import asyncio

from llmfast._batch import Batched, batch


class Gate:
    """A batch function that records its calls and ends them when it is told."""

    def __init__(self, answer=lambda items: [item.upper() for item in items], *, shut=True):
        self.calls: list[list[str]] = []
        self.cancelled: list[int] = []
        self.answer = answer
        self.shut = shut
        self.open: list[asyncio.Event] = []

    async def __call__(self, items: list[str]) -> list[str]:
        number, event = len(self.calls), asyncio.Event()
        self.calls.append(list(items))
        self.open.append(event)
        try:
            if self.shut:
                await event.wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return self.answer(items)

    def open_all(self) -> None:
        """Let the calls that go on and those that follow return at once."""
        self.shut = False
        for event in self.open:
            event.set()


def open_gate(answer=None, **options) -> tuple[Gate, Batched]:
    gate = Gate(shut=False) if answer is None else Gate(answer, shut=False)
    return gate, batch(gate, **options)


def shut_gate(**options) -> tuple[Gate, Batched]:
    gate = Gate()
    return gate, batch(gate, **options)


async def outcomes(embed, items, **wishes):
    """Return what each item gets, errors included."""
    return await asyncio.gather(*(embed(item, **wishes) for item in items), return_exceptions=True)
