"""`batch`: `drain` and `close`, with items that wait and that run. No test waits for time to pass."""

from __future__ import annotations

import asyncio

import pytest

from batching import shut_gate
from llmfast._errors import ClosedError
from loops import in_time, turns


def test_drain_waits_for_everything_and_for_nothing():
    gate, embed = shut_gate(max_batch_size=1)

    async def main():
        await embed.drain()
        futures = [embed.submit(letter) for letter in "ab"]
        drained = asyncio.ensure_future(embed.drain())
        await turns()
        gate.open[0].set()
        await turns()
        assert not drained.done()
        gate.open[1].set()
        await drained
        assert all(future.done() for future in futures)

    asyncio.run(main())


def test_close_refuses_new_items_and_waits_for_the_others():
    gate, embed = shut_gate(max_batch_size=1)

    async def main():
        futures = [embed.submit(letter) for letter in "ab"]
        await turns()
        closing = asyncio.ensure_future(embed.close())
        await turns()
        with pytest.raises(ClosedError):
            embed.submit("c")
        with pytest.raises(ClosedError):
            await embed("c")
        with pytest.raises(ClosedError):
            await embed.map("c")
        assert not closing.done()
        gate.shut = False
        gate.open[0].set()
        await closing
        await embed.close()
        return [future.result() for future in futures]

    assert asyncio.run(main()) == ["A", "B"]
    assert asyncio.run(embed.map("c")) == ["C"], "another loop has a queue of its own"


def test_close_with_cancel_fails_what_waits_and_stops_what_runs():
    gate, embed = shut_gate(max_batch_size=2)

    async def main():
        futures = [embed.submit(letter) for letter in "abc"]
        mapping = asyncio.ensure_future(embed.map("de"))
        await turns()
        await embed.close(cancel=True)
        assert gate.cancelled == [0]
        results = await asyncio.gather(*futures, mapping, return_exceptions=True)
        return [type(result) for result in results]

    assert asyncio.run(main()) == [ClosedError] * 4
    assert gate.calls == [["a", "b"]]


def test_lists_that_wait_for_room_are_not_called_any_more_when_the_queue_is_closed():
    gate, embed = shut_gate(max_batch_size=2, max_queue=4)

    async def main():
        lists = [asyncio.ensure_future(embed.map(items)) for items in ("abcdefgh", "ij", "kl")]
        await turns()
        assert len(gate.calls) == 1
        await embed.close(cancel=True)
        results = await asyncio.gather(*lists, return_exceptions=True)
        return [type(result) for result in results], embed.stats()

    results, stats = in_time(main())
    assert results == [ClosedError] * 3
    assert gate.calls == [["a", "b"]]
    assert (stats.submitted, stats.cancelled, stats.running) == (4, 4, 0)


def test_a_map_that_waits_for_room_ends_when_the_queue_is_closed():
    _, embed = shut_gate(max_batch_size=1, max_queue=1)

    async def main():
        mapping = asyncio.ensure_future(embed.map("abcd"))
        await turns()
        assert embed.stats().submitted < 4
        await embed.close(cancel=True)
        with pytest.raises(ClosedError):
            await mapping

    asyncio.run(main())
