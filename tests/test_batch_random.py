"""`batch` under random events: every item ends, with its own result or a good reason, and the counters add up."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from llmfast._batch import batch
from llmfast._errors import ClosedError, DeadlineError, ItemTooLargeError, LlmfastError, OverloadedError

REASONS = (ClosedError, DeadlineError, ItemTooLargeError, OverloadedError, asyncio.CancelledError, KeyError, ValueError)


class World:
    """A batch function that fails, waits and answers by chance, and callers that come and go by chance."""

    def __init__(self, seed: int, options: dict, *, threaded: bool):
        self.random = random.Random(seed)
        self.running = self.most = 0
        self.sizes: list[list[int]] = []
        self.seen: set[int] = set()
        self.embed = batch(self.threaded if threaded else self.function, **options)

    async def function(self, items):
        self.running += 1
        self.most = max(self.most, self.running)
        self.sizes.append([cost for _, cost in items])
        self.seen.update(number for number, _ in items)
        try:
            for _ in range(self.random.choice((0, 0, 1, 3))):
                await asyncio.sleep(0)
            return self.answer(items)
        finally:
            self.running -= 1

    def threaded(self, items):
        self.sizes.append([cost for _, cost in items])
        self.seen.update(number for number, _ in items)
        return self.answer(items)

    def answer(self, items):
        chance = self.random.random()
        if chance < 0.05:
            raise ValueError("a bad batch")
        if any(number % 17 == 0 for number, _ in items):
            raise ValueError("a bad item")
        return [KeyError(number) if number % 13 == 0 else ("answer", number) for number, _ in items]

    async def caller(self, number: int) -> tuple[int, object]:
        cost = self.random.randrange(12)
        wishes = {}
        if self.random.random() < 0.3:
            wishes = {
                "priority": self.random.randrange(-2, 3),
                "deadline": self.random.choice((None, 0.0, 0.001, 60)),
                "tenant": self.random.choice((None, "a", "b")),
                "key": self.random.choice((None, "x", "y")),
            }
        try:
            kind = self.random.random()
            if kind < 0.4:
                return number, await self.embed((number, cost), **wishes)
            if kind < 0.8:
                future = self.embed.submit((number, cost), **wishes)
                if self.random.random() < 0.2:
                    asyncio.get_running_loop().call_soon(future.cancel)
                return number, await future
            results = await self.embed.map(
                [(number, cost)] * self.random.choice((0, 1, 2, 4, 12)),
                return_exceptions=bool(self.random.randrange(2)),
                **wishes,
            )
            return number, results[0] if results else ("answer", number)
        except REASONS as error:
            return number, error


@pytest.mark.parametrize("threaded", [False, True])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32),
    options=st.fixed_dictionaries(
        {
            "max_batch_size": st.integers(1, 9),
            "concurrency": st.integers(1, 3),
            "max_queue": st.sampled_from([1, 5, 1000]),
            "max_wait": st.sampled_from([0.0, 0.0, 0.001]),
        },
        optional={
            "max_batch_tokens": st.integers(8, 30),
            "max_queue_tokens": st.integers(20, 60),
            "padded": st.just(True),
            "bins": st.sampled_from([1, 3, (2, 8)]),
            "bisect": st.booleans(),
        },
    ),
)
def test_every_item_ends_whatever_happens(seed, options, threaded):
    options = {"cost": lambda item: item[1], **options}
    if "max_batch_tokens" not in options:
        options.pop("padded", None)
    world = World(seed, options, threaded=threaded)

    async def main():
        tasks = []
        for number in range(world.random.randrange(1, 120)):
            tasks.append(asyncio.ensure_future(world.caller(number)))
            if world.random.random() < 0.2:
                await asyncio.sleep(0)
            if world.random.random() < 0.1:
                world.random.choice(tasks).cancel()
        closing = world.random.random()
        if closing < 0.2:
            await asyncio.sleep(0)
            cancels = world.random.random() < 0.5
            calls = len(world.sizes)
            await world.embed.close(cancel=cancels)
            assert threaded or not cancels or len(world.sizes) == calls, "no call begins after that"
        ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
        await asyncio.wait_for(world.embed.drain(), 60)
        queue = world.embed._queues.of(asyncio.get_running_loop())
        assert (queue.function, queue._timer, queue._calls, queue._lists) == (None, None, {}, {}), "it holds nothing"
        return ended

    for end in asyncio.run(main()):
        if isinstance(end, asyncio.CancelledError):
            continue
        number, outcome = end
        assert isinstance(outcome, REASONS) or outcome == ("answer", number)
    stats = world.embed.stats()
    assert (stats.queued, stats.queued_tokens, stats.running) == (0, 0, 0)
    assert stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.late
    assert world.most <= options["concurrency"]
    assert all(len(size) <= options["max_batch_size"] for size in world.sizes)
    if (most := options.get("max_batch_tokens")) is not None:
        padded = options.get("padded", False)
        assert all((len(size) * max(size) if padded else sum(size)) <= most for size in world.sizes)


def test_loops_that_are_shut_down_at_any_moment_leave_nothing_behind():
    rng = random.Random(4)

    @batch(max_batch_size=3, concurrency=2)
    async def embed(items):
        await asyncio.sleep(rng.choice((0, 0, 0.0001)))
        return items

    async def main():
        futures = [embed.submit(number) for number in range(rng.randrange(20))]
        asyncio.ensure_future(embed.map(range(rng.randrange(20))))  # noqa: RUF006 - the loop's end cancels it
        for _ in range(rng.randrange(6)):
            await asyncio.sleep(0)
        for future in futures:
            if rng.random() < 0.2:
                future.cancel()

    for _ in range(200):
        with suppress(LlmfastError):
            asyncio.run(main())
    stats = embed.stats()
    assert (stats.queued, stats.running) == (0, 0)
    assert stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.late
