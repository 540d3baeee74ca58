"""How flights end that do not end well: nobody hangs, nothing is paid for twice or booked for nobody."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from concurrent.futures import Future
from functools import partial

import numpy as np
import pytest

from asking import Model, static
from encoders import TopicEncoder
from llmfast import Cache, CachePolicy, CallableEncoder, Engine, Ledger, Reply, Usage
from llmfast._drivers import _hand_over
from llmfast._request import Ask

PATIENCE = 20.0


def in_time(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


def test_threads_of_the_loop_s_pool_that_follow_do_not_hold_up_the_call():
    size = min(32, (os.cpu_count() or 1) + 4)

    async def run():
        cache, ready = Cache(), threading.Barrier(size + 1)

        def follow():
            ready.wait(PATIENCE)
            return cache.get_or_generate_sync("q", str.upper).response

        followers = [asyncio.create_task(asyncio.to_thread(follow)) for _ in range(size)]

        def model(query):
            return query.upper()

        leader = asyncio.create_task(cache.get_or_generate("q", model))
        # The leader has its flight, and every thread of the pool is taken, when they go on.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ready.wait(PATIENCE)
        return await asyncio.gather(*followers), (await leader).response

    assert in_time(run()) == (["Q"] * size, "Q")


@pytest.mark.parametrize("on_abandon", ["cancel", "drain"])
def test_a_flight_whose_task_is_cancelled_before_its_first_turn_is_landed(on_abandon):
    cache = Cache(policy=CachePolicy(on_abandon=on_abandon))

    async def run():
        before = asyncio.all_tasks()
        asking = asyncio.create_task(cache.get_or_generate("q", Model()))
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - before
        assert len(tasks) == 2, "the caller's and the flight's"
        for task in tasks:
            task.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return await cache.get_or_generate("q", Model())

    assert in_time(run()).source == "llm_call"
    assert len(cache.flights) == 0


def test_a_thread_does_not_wait_for_a_loop_that_was_stopped():
    cache = Cache()

    async def leave_behind():
        asyncio.get_running_loop().call_later(0, lambda: None)
        asking = asyncio.ensure_future(cache.get_or_generate("q", hold))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asking

    async def hold(_):
        await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    asking = loop.run_until_complete(leave_behind())
    assert cache.get_or_generate_sync("q", str.upper).response == "Q"
    asking.cancel()
    loop.run_until_complete(asyncio.gather(asking, return_exceptions=True))
    loop.close()


def test_an_encoder_may_ask_the_same_cache_from_the_worker_thread():
    def encode(texts):
        asyncio.run(
            cache.get_or_generate("rewrite: " + texts[0], lambda query: {"text": query}, params={"temperature": 2})
        )
        return np.array([[1.0, 2.0] for _ in texts])

    cache = Cache(encoder=CallableEncoder(encode, dim=2, name="asks"))
    assert in_time(cache.get_or_generate("hello there", str.upper)).response == "HELLO THERE"


def test_what_is_no_exception_reaches_the_caller_as_it_was_raised():
    class Stop(BaseException):
        pass

    async def stop(_):
        raise Stop("enough")

    async def run():
        cache = Cache()
        return await asyncio.gather(*[cache.get_or_generate("q", stop) for _ in range(3)], return_exceptions=True)

    assert [type(outcome) for outcome in in_time(run())] == [Stop] * 3


def test_a_listener_that_fails_holds_up_no_reader(caplog):
    async def words(_):
        yield "a"
        yield "b"

    async def run():
        told = []
        answer = await Cache().get_or_generate("q", words)
        answer.response.when_ended(lambda *_: 1 / 0)
        answer.response.when_ended(lambda model, _: told.append(model))
        return [item async for item in answer.response], told

    assert in_time(run()) == (["a", "b"], [""])
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("way", ["tag", "clear", "feedback"])
def test_a_follower_gets_no_row_that_was_taken_back_before_it_asked(way):
    async def run():
        entered, go = threading.Event(), threading.Event()

        class Slow(TopicEncoder):
            def encode(self, texts):
                entered.set()
                return super().encode(texts)

        cache, model = static(encoder=Slow()), Model()
        await cache.get_or_generate("t/=", model, tags=["doc"])
        near = await cache.get_or_generate("t/a", model)
        assert near.source == "semantic_hit"
        question = "t/a" if way == "feedback" else "t/b"
        cache.semantic._recent.clear()
        entered.clear()
        leader = asyncio.create_task(cache.get_or_generate(question, model))
        await asyncio.sleep(0)
        entered.wait(PATIENCE)
        # The loop is busy while the worker finds the row.
        deadline = time.monotonic() + PATIENCE
        while cache.engine._driver._encoding._pool._work_queue.qsize() and time.monotonic() < deadline:
            go.wait(0.001)
        go.wait(0.05)
        if way == "tag":
            assert cache.invalidate_sync(tag="doc") == 1
        elif way == "clear":
            cache.clear()
        else:
            cache.feedback_sync(near, ok=False)
        mine = await cache.get_or_generate(question, model)
        await leader
        return mine.source, len(model.calls)

    assert in_time(run()) == ("llm_call", 2)


def test_who_joins_after_the_answer_was_stored_makes_no_second_call():
    cache, calls = Cache(), []

    def model(query):
        calls.append(query)
        return "answer"

    join = cache.flights.join

    def join_late(*arguments):
        # Between this caller's look and its joining another thread asks, stores and lands.
        cache.flights.join = join
        thread = threading.Thread(target=cache.get_or_generate_sync, args=("q", model))
        thread.start()
        thread.join(PATIENCE)
        return join(*arguments)

    cache.flights.join = join_late
    assert cache.get_or_generate_sync("q", model).source == "exact_hit"
    assert calls == ["q"]
    assert (cache.stats().llm_calls, cache.stats().exact_hits) == (1, 1)


# ---- the books ------------------------------------------------------------------------------------------------------


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
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
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
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
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
        go.wait(PATIENCE)
        return Reply("x", usage=Usage(10, 10), model="gpt-4o")

    async def run():
        asking = [asyncio.create_task(engine.get_or_generate("q", model, model="gpt-4o")) for _ in range(2)]
        for _ in range(calls):
            await asyncio.to_thread(entered.acquire, timeout=PATIENCE)
        for task in asking:
            task.cancel()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
        if ends == "a loop":
            await end()

    async def end():
        go.set()
        for _ in range(calls):
            assert await asyncio.to_thread(told.entries.acquire, timeout=PATIENCE)

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
        go.wait(PATIENCE)
        return Reply("x", usage=Usage(10, 10), model="gpt-4o")

    async def begin():
        asking = asyncio.ensure_future(engine.get_or_generate("q", model, model="gpt-4o"))
        await asyncio.to_thread(entered.wait, PATIENCE)
        return asking

    # As `asyncio.run` ends: the tasks that are left are cancelled.
    with pytest.raises(asyncio.CancelledError):
        in_time(begin()).result()
    go.set()
    assert told.entries.acquire(timeout=PATIENCE)
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
    call = next(engine._call(asked, str.upper, partial(engine._book_late, asked)))
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
