"""`batch` under loops that follow each other, end or run side by side; and in whose context a batch runs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref

import pytest

from batching import open_gate, shut_gate
from llmfast._batch import batch
from loops import turns


def test_it_works_under_one_loop_after_the_other_and_holds_none():
    _, embed = open_gate()
    loops = []

    async def main():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await embed.map("abc")

    for _ in range(3):
        assert asyncio.run(main()) == ["A", "B", "C"]
    gc.collect()
    assert [loop() for loop in loops] == [None] * 3
    assert embed.stats().completed == 9


def test_a_loop_that_ends_with_items_pending_takes_them_along():
    gate, embed = shut_gate(max_batch_size=1)
    loops = []

    async def main():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        for letter in "abc":
            embed.submit(letter)
        await turns()

    asyncio.run(main())
    gate.open.clear()  # its events hold the loop that they were awaited on
    gc.collect()
    assert gate.calls == [["a"]]
    assert gate.cancelled == [0]
    assert loops[0]() is None
    stats = embed.stats()
    assert (stats.cancelled, stats.queued, stats.running) == (3, 0, 0)


def test_a_loop_that_ends_while_callers_wait_starts_nothing_more():
    gate, embed = shut_gate(max_batch_size=1)

    async def main():
        caller = asyncio.ensure_future(embed("a"))
        await turns()
        embed.submit("b")
        return caller

    assert asyncio.run(main()).cancelled()
    assert gate.calls == [["a"]]
    assert (embed.stats().cancelled, embed.stats().queued) == (2, 0)


def test_loops_of_several_threads_do_not_mix():
    @batch
    async def thread_of(items):
        return [(item, threading.get_ident()) for item in items]

    def work(number):
        results = asyncio.run(thread_of.map([(number, item) for item in range(200)]))
        seen[number] = results == [((number, item), threading.get_ident()) for item in range(200)]

    seen: dict[int, bool] = {}
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == dict.fromkeys(range(4), True)
    assert thread_of.stats().completed == 800


def test_without_a_loop_there_is_no_queue():
    _, embed = open_gate()
    with pytest.raises(RuntimeError, match="no running event loop"):
        embed.submit("a")


def test_a_batch_sees_the_context_of_its_first_item():
    variable = contextvars.ContextVar("tenant", default="nobody")

    @batch(max_batch_size=2)
    async def embed(items):
        seen = [variable.get() for _ in items]
        variable.set("the function's own")
        return seen

    @batch(max_batch_size=2)
    def threaded(items):
        return [variable.get() for _ in items]

    async def ask(name, function):
        variable.set(name)
        answer = await function(name)
        assert variable.get() == name
        return answer

    async def main(function):
        return await asyncio.gather(*(ask(name, function) for name in "abcde"), function("f"))

    for function in (embed, threaded):
        assert asyncio.run(main(function)) == ["a", "a", "c", "c", "e", "e"]


def test_a_batch_of_who_has_no_variables_sees_none():
    variable = contextvars.ContextVar("tenant", default="nobody")

    @batch(max_batch_size=1)
    async def embed(items):
        return [variable.get() for _ in items]

    async def ask(name):
        variable.set(name)
        return await embed(name)

    async def main():
        loop = asyncio.get_running_loop()
        plain = loop.create_task(embed("b"), context=contextvars.Context())
        return await asyncio.gather(ask("a"), plain)

    assert asyncio.run(main()) == ["a", "nobody"]
