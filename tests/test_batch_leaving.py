"""`batch` when somebody leaves: an item, a batch or a worker is cancelled. No test waits for time to pass."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from batching import shut_gate
from llmfast._batch import batch
from loops import turns


@pytest.mark.parametrize("begun", [False, True])
def test_a_worker_that_is_cancelled_from_outside_hangs_nobody(begun):
    gate, embed = shut_gate()

    async def main():
        futures = [embed.submit(letter) for letter in "ab"]
        if begun:
            await turns()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        _, pending = await asyncio.wait(futures, timeout=5.0)
        assert not pending
        assert all(future.cancelled() for future in futures)
        gate.open_all()
        return await embed("c")

    assert asyncio.run(main()) == "C"
    assert gate.calls == [["a", "b"]] * begun + [["c"]]
    assert embed.stats().cancelled == 2


@pytest.mark.parametrize("begun", [False, True])
def test_a_worker_that_was_cancelled_keeps_nothing(begun):
    class Item:
        pass

    async def main():
        @batch
        async def embed(items):
            await asyncio.Event().wait()

        item = Item()
        future = embed.submit(item)
        if begun:
            await turns()
        (worker,) = asyncio.all_tasks() - {asyncio.current_task()}
        kept = [weakref.ref(thing) for thing in (item, future, worker)]
        worker.cancel()
        del worker, item
        await turns()
        assert future.cancelled()
        del future
        return [reference() for reference in kept]

    gc.disable()
    try:
        assert asyncio.run(main()) == [None, None, None]
    finally:
        gc.enable()


def test_the_last_one_who_leaves_lets_go_of_the_function_and_ends_the_wait_for_all():
    class Model:
        @batch(max_wait=600.0)
        async def embed(self, items):
            return items

    async def main():
        model = Model()
        alive = weakref.ref(model)
        future = model.embed.submit("a")
        await turns()
        future.cancel()
        await turns()
        await asyncio.wait_for(model.embed.drain(), 10)
        del model
        gc.collect()
        return future.cancelled(), alive()

    assert asyncio.run(main()) == (True, None)


def test_an_item_cancelled_in_the_queue_is_left_out():
    gate, embed = shut_gate()

    async def main():
        first = embed.submit("a")
        await turns()
        tasks = [asyncio.ensure_future(embed(letter)) for letter in "bcd"]
        await turns()
        tasks[1].cancel()
        gate.open[0].set()
        await turns()
        gate.open[1].set()
        assert await asyncio.gather(first, tasks[0], tasks[2]) == ["A", "B", "D"]

    asyncio.run(main())
    assert gate.calls == [["a"], ["b", "d"]]
    assert (embed.stats().cancelled, embed.stats().completed) == (1, 3)


def test_items_cancelled_in_the_iteration_they_were_submitted_in_make_no_call():
    gate, embed = shut_gate()

    async def main():
        embed.submit("a").cancel()
        await turns()
        await embed.drain()

    asyncio.run(main())
    assert gate.calls == []


def test_a_running_item_that_is_cancelled_disturbs_nobody():
    gate, embed = shut_gate()

    async def main():
        tasks = [asyncio.ensure_future(embed(letter)) for letter in "abc"]
        await turns()
        tasks[1].cancel()
        await turns()
        assert gate.cancelled == []
        gate.open[0].set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(main())
    assert (first, third) == ("A", "C")
    assert isinstance(second, asyncio.CancelledError)


def test_a_batch_that_everybody_left_is_cancelled_and_the_worker_goes_on():
    gate, embed = shut_gate(max_batch_size=2)

    async def main():
        futures = [embed.submit(letter) for letter in "abc"]
        await turns()
        futures[0].cancel()
        await turns()
        assert gate.cancelled == []
        futures[1].cancel()
        await turns()
        assert gate.cancelled == [0]
        assert gate.calls == [["a", "b"], ["c"]]
        gate.open[1].set()
        return await futures[2]

    assert asyncio.run(main()) == "C"
