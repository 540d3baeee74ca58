"""One call for all who ask the same at the same time."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from asking import Gate
from encoders import TopicEncoder
from llmfast import Cache
from loops import LONG_S, in_time


def test_a_thousand_identical_misses_make_one_call():
    async def run():
        gate, cache = Gate(), Cache(encoder=TopicEncoder())
        waiting = [asyncio.ensure_future(cache.get_or_generate("t/=", gate)) for _ in range(1000)]
        await gate.entered.wait()
        gate.open.set()
        return gate, cache, await asyncio.gather(*waiting)

    gate, cache, answers = asyncio.run(run())
    assert gate.calls == 1
    assert [answer.response for answer in answers] == [{"answer": "t/="}] * 1000
    assert {answer.source for answer in answers} == {"llm_call"}
    assert sum(answer.coalesced for answer in answers) == 999
    assert len({id(answer.response) for answer in answers}) == 1000, "everybody has a copy"
    assert (cache.stats().llm_calls, cache.stats().coalesced, len(cache.flights)) == (1, 999, 0)


def test_who_changes_a_shared_answer_changes_nobody_elses():
    async def run():
        gate, cache = Gate(), Cache()
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", gate)) for _ in range(10)]
        await gate.entered.wait()
        gate.open.set()
        for one in waiting:
            answer = (await one).response
            assert answer == {"answer": "q"}
            answer.clear()
        return await cache.get_or_generate("q", gate)

    assert asyncio.run(run()).response == {"answer": "q"}


def test_an_answer_that_cannot_be_copied_is_not_shared():
    async def run():
        async def model(_):
            values.append(object())
            entered.set()
            await go.wait()
            return values[-1]

        values, entered, go, cache = [], asyncio.Event(), asyncio.Event(), Cache()
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", model)) for _ in range(3)]
        await entered.wait()
        go.set()
        return values, await asyncio.gather(*waiting)

    values, answers = asyncio.run(run())
    assert len(values) == 3
    assert {id(answer.response) for answer in answers} == {id(value) for value in values}
    assert not any(answer.coalesced for answer in answers)


def test_semantic_hits_are_shared_too():
    async def run():
        cache = Cache(encoder=(encoder := TopicEncoder()))
        await cache.get_or_generate("t/=", lambda query: query)
        answers = await asyncio.gather(*[cache.get_or_generate("t/a", lambda query: query) for _ in range(50)])
        return encoder, answers

    encoder, answers = asyncio.run(run())
    assert {answer.source for answer in answers} == {"semantic_hit"}
    assert encoder.texts == ["t/=", "t/a"]


def test_who_waits_with_a_stricter_policy_does_not_take_a_looser_answer():
    class Held(TopicEncoder):
        def encode(self, texts):
            if texts == ["t/a"] and not joined.is_set():
                assert joined.wait(10)
            return super().encode(texts)

    async def run():
        cache = Cache(encoder=Held(closeness=0.9))
        await cache.get_or_generate("t/=", lambda query: f"answer to {query}")
        kinds = ["exploratory", "critical", "critical", "general", "exploratory"]
        waiting = [asyncio.ensure_future(cache.get_or_generate("t/a", model, kind=kind)) for kind in kinds]
        waiting.append(asyncio.ensure_future(cache.get_or_generate("t/a", model, kind="exploratory", ttl=1e-9)))
        await asyncio.sleep(0)
        assert [flight.waiters for flight in cache.flights._flights.values()] == [6]
        joined.set()
        return await asyncio.gather(*waiting)

    async def model(query):
        calls.append(query)
        await asyncio.sleep(0)
        return f"answer to {query}"

    joined, calls = threading.Event(), []
    answers = asyncio.run(run())
    assert [answer.response for answer in answers] == [
        "answer to t/=", "answer to t/a", "answer to t/a", "answer to t/a", "answer to t/=", "answer to t/a"
    ]  # fmt: skip
    assert answers[1].coalesced != answers[2].coalesced, "the strict ones share a call"


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
        thread.join(LONG_S)
        return join(*arguments)

    cache.flights.join = join_late
    assert cache.get_or_generate_sync("q", model).source == "exact_hit"
    assert calls == ["q"]
    assert (cache.stats().llm_calls, cache.stats().exact_hits) == (1, 1)


def test_loops_and_threads_share_one_call():
    calls, answers, lock = [], [], threading.Lock()
    go, cache = threading.Event(), Cache()
    ready = threading.Barrier(7)

    def model(query):
        with lock:
            calls.append(query)
        assert go.wait(10)
        return ["answer"]

    def with_loop():
        async def run():
            requests = [asyncio.ensure_future(cache.get_or_generate("q", model)) for _ in range(250)]
            await asyncio.sleep(0)
            ready.wait(10)
            return await asyncio.gather(*requests)

        found = asyncio.run(run())
        with lock:
            answers.extend(found)

    def without_loop():
        ready.wait(10)
        found = cache.get_or_generate_sync("q", model)
        with lock:
            answers.append(found)

    threads = [threading.Thread(target=with_loop) for _ in range(4)]
    threads += [threading.Thread(target=without_loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait(10)
    go.set()
    for thread in threads:
        thread.join(20)
    # A thread that came after the landing hits what was stored; nobody calls again.
    assert calls == ["q"]
    assert [answer.response for answer in answers] == [["answer"]] * 1002


def test_threads_of_the_loop_s_pool_that_follow_do_not_hold_up_the_call():
    size = min(32, (os.cpu_count() or 1) + 4)

    async def run():
        cache, ready = Cache(), threading.Barrier(size + 1)

        def follow():
            ready.wait(LONG_S)
            return cache.get_or_generate_sync("q", str.upper).response

        followers = [asyncio.create_task(asyncio.to_thread(follow)) for _ in range(size)]

        def model(query):
            return query.upper()

        leader = asyncio.create_task(cache.get_or_generate("q", model))
        # The leader has its flight, and every thread of the pool is taken, when they go on.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ready.wait(LONG_S)
        return await asyncio.gather(*followers), (await leader).response

    assert in_time(run()) == (["Q"] * size, "Q")


def test_an_answer_that_could_not_be_admitted_is_shared_all_the_same(monkeypatch, caplog):
    async def run():
        gate, cache = Gate(), Cache()
        monkeypatch.setattr(cache._memory, "put", lambda *_, **__: 1 / 0)
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", gate)) for _ in range(5)]
        await gate.entered.wait()
        gate.open.set()
        return gate, cache, await asyncio.gather(*waiting)

    gate, cache, answers = asyncio.run(run())
    assert (gate.calls, [answer.response for answer in answers]) == (1, [{"answer": "q"}] * 5)
    assert (cache.stats().failures, answers[0].key) == ({"admission": 1}, None)


def unreadable_index(cache):
    return {"choices": [{"index": [0], "finish_reason": "stop", "message": {"content": "x"}}]}


def unreadable_status(cache):
    return {"type": "response.queued", "response": {"object": "response", "status": ["queued"]}}


def timeless(cache):
    cache.storing.clock = lambda: 1 / 0
    return {"answer": "x"}


@pytest.mark.parametrize("making", [unreadable_index, unreadable_status, timeless])
def test_an_answer_that_cannot_be_judged_or_dated_is_shared_all_the_same(making, caplog):
    async def run():
        gate, cache = Gate(), Cache()

        async def call(query):
            await gate(query)
            return making(cache)

        waiting = [asyncio.ensure_future(cache.get_or_generate("q", call)) for _ in range(5)]
        await gate.entered.wait()
        gate.open.set()
        return gate.calls, await asyncio.gather(*waiting)

    calls, answers = asyncio.run(run())
    assert calls == 1
    assert [answer.response for answer in answers] == [making(Cache())] * 5
