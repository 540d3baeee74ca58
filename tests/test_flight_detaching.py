"""Answers that are taken back while their call flies: those who wait get theirs, and nothing is stored."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from asking import Gate, Model, static
from encoders import TopicEncoder
from llmfast import Cache, CachePolicy
from loops import LONG_S, cancelled, in_time


def test_a_detached_flight_answers_those_who_wait_and_stores_nothing():
    async def run():
        old, new, other, cache = Gate(), Gate(), Gate(), Cache(encoder=TopicEncoder())
        waiting = [asyncio.ensure_future(cache.get_or_generate("t/=", old, tags=["t"])) for _ in range(3)]
        beside = asyncio.ensure_future(cache.get_or_generate("u/=", other))
        await asyncio.gather(old.entered.wait(), other.entered.wait())
        assert cache.flights.detach(lambda plan: "t" in plan.ask.tags) == 1
        assert cache.flights.detach(lambda plan: "t" in plan.ask.tags) == 0, "it is detached already"
        late = asyncio.ensure_future(cache.get_or_generate("t/=", new))
        await new.entered.wait()
        for gate in (new, other):
            gate.open.set()
        await asyncio.gather(late, beside)
        old.open.set()
        return old, cache, await asyncio.gather(*waiting), await late, await cache.get_or_generate("t/=", new)

    old, cache, answers, late, after = asyncio.run(run())
    assert old.calls == 1
    assert [answer.response for answer in answers] == [{"answer": "t/="}] * 3
    assert {answer.key for answer in answers} == {None}, "nothing of theirs is stored"
    assert (late.coalesced, after.source, after.key) == (False, "exact_hit", late.key)
    assert (cache.stats().rows, cache.stats().vectors, cache.stats().not_stored) == (2, 2, 1)
    counts = {"led": 3, "followed": 2, "answered": 3, "failed": 0, "abandoned": 0, "detached": 1}
    assert cache.flights.counts() == counts


def test_a_call_inside_of_a_flight_is_detached_too():
    async def run():
        async def outer(_):
            return (await cache.get_or_generate("inner", gate)).response

        gate, cache = Gate(), Cache()
        request = asyncio.ensure_future(cache.get_or_generate("outer", outer))
        await gate.entered.wait()
        assert cache.flights.detach(lambda plan: plan.ask.query == "inner") == 1
        gate.open.set()
        await request
        return [row.source for row in [await cache.get_or_generate(key, str.upper) for key in ("inner", "outer")]]

    assert asyncio.run(run()) == ["llm_call", "exact_hit"]


def test_a_call_that_drains_for_nobody_is_cancelled_when_it_is_detached():
    async def run():
        gate, cache = Gate(), Cache(policy=CachePolicy(on_abandon="drain"))
        leader = asyncio.ensure_future(cache.get_or_generate("q", gate))
        await gate.entered.wait()
        await cancelled(leader)
        assert len(cache.flights) == 1
        assert cache.flights.detach(lambda _: True) == 1
        await asyncio.wait_for(gate.stopped.wait(), 10)
        return cache

    cache = asyncio.run(run())
    assert (len(cache.flights), cache.stats().rows) == (0, 0)


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
        entered.wait(LONG_S)
        # The loop is busy while the worker finds the row.
        deadline = time.monotonic() + LONG_S
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
