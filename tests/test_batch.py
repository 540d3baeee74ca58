"""`batch`: what goes together, and that everybody gets their own. No test waits for time to pass."""

from __future__ import annotations

import asyncio

from hypothesis import given, strategies as st

from batching import open_gate, shut_gate
from llmfast._batch import batch
from loops import turns


def test_one_burst_is_one_batch_and_everybody_gets_their_own():
    gate, embed = open_gate()

    async def main():
        return await asyncio.gather(*(embed(letter) for letter in "abcde"))

    assert asyncio.run(main()) == ["A", "B", "C", "D", "E"]
    assert gate.calls == [["a", "b", "c", "d", "e"]]


def test_a_single_item_goes_at_once():
    gate, embed = shut_gate()

    async def main():
        future = embed.submit("a")
        assert gate.calls == []
        await turns(2)
        assert gate.calls == [["a"]]
        gate.open[0].set()
        return await future

    assert asyncio.run(main()) == "A"


def test_items_gather_only_while_every_worker_is_busy():
    gate, embed = shut_gate(concurrency=2, max_batch_size=3)

    async def main():
        futures = [embed.submit("a")]
        await turns()
        futures.append(embed.submit("b"))
        await turns()
        assert gate.calls == [["a"], ["b"]], "the second worker was free"
        futures += [embed.submit(letter) for letter in "cdef"]
        await turns()
        assert len(gate.calls) == 2
        gate.open[1].set()
        await turns()
        assert gate.calls[2:] == [["c", "d", "e"]], "as many as fit, in order"
        gate.open[0].set()
        await turns()
        assert gate.calls[3:] == [["f"]]
        gate.open[2].set()
        gate.open[3].set()
        return await asyncio.gather(*futures)

    assert asyncio.run(main()) == list("ABCDEF")


@given(st.lists(st.integers()), st.integers(1, 5), st.integers(1, 3), st.integers(1, 7))
def test_map_keeps_order_and_bounds(items, max_batch_size, concurrency, max_queue):
    running = most = 0
    sizes = []

    @batch(max_batch_size=max_batch_size, concurrency=concurrency, max_queue=max_queue)
    async def negate(numbers: list[int]) -> list[int]:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        sizes.append(len(numbers))
        await asyncio.sleep(0)
        running -= 1
        return [-number for number in numbers]

    async def main():
        return await negate.map(iter(items))

    assert asyncio.run(main()) == [-item for item in items]
    assert sum(sizes) == len(items)
    assert max(sizes, default=1) <= max_batch_size
    assert most <= concurrency
    stats = negate.stats()
    assert (stats.submitted, stats.completed, stats.rejected) == (len(items), len(items), 0)
    assert (stats.batches, stats.largest_batch, stats.queued, stats.running) == (
        len(sizes),
        max(sizes, default=0),
        0,
        0,
    )
