"""Calls whose callers are gone: nothing is paid for that is not booked."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import Future
from functools import partial

import pytest

from llmfast import Cache, CachePolicy, Engine, Ledger, Reply, Usage
from llmfast._drivers import _hand_over
from llmfast._request import Ask
from loops import LONG_S, cancelled, in_time


def test_a_call_is_booked_when_who_led_it_is_gone():
    async def run():
        ledger, go = Ledger(), asyncio.Event()
        engine = Engine(cache=Cache(), ledger=ledger)

        async def model(_):
            await go.wait()
            return Reply("x", usage=Usage(10, 10), model="gpt-4o")

        leader = asyncio.create_task(engine.get_or_generate("q", model, model="gpt-4o"))
        await asyncio.sleep(0)
        follower = asyncio.create_task(engine.get_or_generate("q", model, model="gpt-4o"))
        await asyncio.sleep(0)
        await cancelled(leader)
        go.set()
        assert (await follower).coalesced
        return ledger.summary(), engine.cache.stats()

    summary, stats = in_time(run())
    assert (summary.by_outcome["llm_call"], summary.by_outcome["coalesced"]) == (1, 1)
    assert summary.with_usd > 0
    assert (stats.llm_calls, stats.coalesced) == (1, 1)


def test_a_stream_is_booked_when_who_led_it_is_gone():
    async def run():
        ledger, go = Ledger(), asyncio.Event()
        engine = Engine(cache=Cache(), ledger=ledger)

        async def model(_):
            yield "a"
            await go.wait()
            yield Reply(None, usage=Usage(10, 10), model="gpt-4o")

        first = await engine.get_or_generate("q", model, model="gpt-4o")
        second = await engine.get_or_generate("q", model, model="gpt-4o")
        await first.response.aclose()
        go.set()
        assert [item async for item in second.response] == ["a"]
        return ledger.summary()

    summary = in_time(run())
    assert (summary.by_outcome["llm_call"], summary.by_outcome["coalesced"]) == (1, 1)
    assert summary.with_usd > 0


def test_a_call_that_is_drained_is_booked():
    async def run():
        ledger, go, entered = Ledger(), asyncio.Event(), asyncio.Event()
        engine = Engine(cache=Cache(policy=CachePolicy(on_abandon="drain")), ledger=ledger)

        async def model(_):
            entered.set()
            await go.wait()
            return Reply("x", usage=Usage(10, 10), model="gpt-4o")

        asking = asyncio.create_task(engine.get_or_generate("q", model, model="gpt-4o"))
        await entered.wait()
        await cancelled(asking)
        go.set()
        await asyncio.gather(*engine._driver._tasks)
        assert (await engine.get_or_generate("q", model, model="gpt-4o")).source == "exact_hit"
        return ledger.summary()

    summary = in_time(run())
    assert (summary.by_outcome["llm_call"], summary.by_outcome["exact_hit"]) == (1, 1)
    assert summary.with_usd > 0


class Told:
    """A ledger that says when it was told something."""

    def __init__(self):
        self.ledger, self.entries = Ledger(), threading.Semaphore(0)

    def record(self, **entry):
        self.ledger.record(**entry)
        self.entries.release()


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("ends", ["a loop", "no loop"])
def test_a_call_that_cannot_be_stopped_is_booked_when_its_thread_ends(cached, ends):
    entered, go, told = threading.Semaphore(0), threading.Event(), Told()
    engine = Engine(cache=Cache() if cached else None, ledger=told)
    calls = 1 if cached else 2

    def model(_):
        entered.release()
        go.wait(LONG_S)
        return Reply("x", usage=Usage(10, 10), model="gpt-4o")

    async def run():
        asking = [asyncio.create_task(engine.get_or_generate("q", model, model="gpt-4o")) for _ in range(2)]
        for _ in range(calls):
            await asyncio.to_thread(entered.acquire, timeout=LONG_S)
        for task in asking:
            task.cancel()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
        if ends == "a loop":
            await end()

    async def end():
        go.set()
        for _ in range(calls):
            assert await asyncio.to_thread(told.entries.acquire, timeout=LONG_S)

    in_time(run())
    if ends == "no loop":
        in_time(end())
    summary = told.ledger.summary()
    assert (summary.requests, summary.by_outcome["llm_call"], summary.unpriced) == (calls, calls, 0)
    assert summary.with_usd > 0
    if cached:
        stats = engine.cache.stats()
        assert (stats.llm_calls, stats.requests, stats.rows, len(engine.cache.flights)) == (1, 1, 0, 0)


def test_a_call_of_a_loop_that_was_closed_is_booked_when_its_thread_ends():
    entered, go, told = threading.Event(), threading.Event(), Told()
    engine = Engine(cache=Cache(), ledger=told)

    def model(_):
        entered.set()
        go.wait(LONG_S)
        return Reply("x", usage=Usage(10, 10), model="gpt-4o")

    async def begin():
        asking = asyncio.ensure_future(engine.get_or_generate("q", model, model="gpt-4o"))
        await asyncio.to_thread(entered.wait, LONG_S)
        return asking

    # As `asyncio.run` ends: the tasks that are left are cancelled.
    with pytest.raises(asyncio.CancelledError):
        in_time(begin()).result()
    go.set()
    assert told.entries.acquire(timeout=LONG_S)
    assert told.ledger.summary().with_usd > 0


async def words():
    yield "a"


async def coroutine():
    return "a"


JSON = '{"object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'


@pytest.mark.parametrize(
    ("result", "requests", "unpriced"),
    [
        (OSError("down"), 0, 0),
        (coroutine, 0, 0),
        (lambda: Reply(words(), usage=Usage(1, 1)), 1, 1),
        (lambda: Reply("a", usage=Usage(1, 1)), 1, 0),
        (lambda: JSON, 1, 0),
    ],
)
def test_what_nobody_waits_for_is_booked_with_what_is_known(result, requests, unpriced):
    engine = Engine(ledger=Ledger())
    asked, ended = Ask("q", model="gpt-4o"), Future()
    call = next(engine._calling.way(asked, str.upper, partial(engine._books.late_call, asked)))
    if callable(result):
        ended.set_result(result())
    else:
        ended.set_exception(result)
    _hand_over(call.late, ended)
    summary = engine.ledger.summary()
    assert (summary.requests, summary.unpriced) == (requests, unpriced)


def test_a_stream_that_is_dropped_after_its_loop_was_closed_is_booked():
    async def words(_):
        yield Reply("a", usage=Usage(10, 10), model="gpt-4o")
        yield "b"

    async def run():
        answer = await engine.get_or_generate("q", words, model="gpt-4o")
        await anext(answer.response)
        return answer

    engine = Engine(ledger=Ledger())
    answer = in_time(run())
    assert engine.ledger.summary().requests == 0
    del answer
    gc.collect()
    summary = engine.ledger.summary()
    assert (summary.requests, summary.unpriced) == (1, 1)
