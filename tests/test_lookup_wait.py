"""How long a call waits for its question to be compared: lookups that could not be begun in time."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import llmfast
from asking import Clock, Model, sources, static
from bridging import QUESTIONS, answer
from encoders import TopicEncoder
from llmfast import Cache, OverloadedError, _engine, _worker
from llmfast._bridge import Search
from llmfast._llmfast import CompletionQueue, FlatIndex, LookupWorker


class Held(TopicEncoder):
    """Encodes the topic "held" when it is told to."""

    def __init__(self):
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def encode(self, texts):
        if texts[0].startswith("held"):
            self.begun.set()
            assert self.go.wait(20)
        return super().encode(texts)


@pytest.fixture
def clock(monkeypatch):
    """The clock by which lookups wait in Python."""
    clock = Clock()
    for module in (_engine, _worker):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


async def behind_a_held_one(cache, *questions, llm=None):
    """Begin to ask while the encoder is held in another lookup; return that one's task and theirs."""
    first = asyncio.create_task(cache.get_or_generate("held/=", answer))
    await asyncio.to_thread(cache.encoder.begun.wait)
    others = [asyncio.create_task(cache.get_or_generate(question, llm or answer)) for question in questions]
    await asyncio.sleep(0)
    return first, others


def test_what_could_not_be_begun_in_time_is_not_compared_and_called(clock):
    async def main():
        cache, llm = static(encoder=Held(), max_lookup_wait=1.0), Model()
        first, others = await behind_a_held_one(cache, "a/=", "b/=", "b/=", llm=llm)
        clock.now += 1.1
        cache.encoder.go.set()
        answers = await asyncio.gather(first, *others)
        again = [await cache.get_or_generate(question, llm) for question in ("a/=", "held/1", "a/1")]
        return cache, llm, answers, again

    cache, llm, answers, again = asyncio.run(main())
    assert (sources(answers), answers[0].decision.refusal) == (["llm_call"] * 4, None), "what was begun is waited for"
    assert [answer.decision.refusal for answer in answers[1:]] == ["busy"] * 3
    assert "too many lookups wait" in answers[1].decision.reason
    assert [answer.coalesced for answer in answers] == [False, False, False, True], "followers wait for the same call"
    assert llm.calls == ["a/=", "b/=", "a/1"]
    assert (cache.stats().reasons, cache.stats().failures) == ({"refused:busy": 2}, {})
    assert cache.encoder.texts == ["held/=", "held/1", "a/1"]
    assert sources(again) == ["exact_hit", "semantic_hit", "llm_call"]


def test_in_time_is_up_to_that_time(clock):
    async def main():
        cache = static(encoder=Held(), max_lookup_wait=1.0)
        first, others = await behind_a_held_one(cache, "a/=")
        clock.now += 1.0
        cache.encoder.go.set()
        await asyncio.gather(first, *others)
        return cache

    cache = asyncio.run(main())
    assert (cache.encoder.texts, cache.stats().reasons) == (["held/=", "a/="], {})


def test_without_a_bound_everything_is_compared(clock):
    async def main():
        cache = static(encoder=Held(), max_lookup_wait=float("inf"))
        first, others = await behind_a_held_one(cache, "a/=")
        clock.now += 1e9
        cache.encoder.go.set()
        await asyncio.gather(first, *others)
        return cache.encoder.texts

    assert asyncio.run(main()) == ["held/=", "a/="]


def test_a_lookup_whose_caller_has_gone_is_not_begun(clock):
    async def main():
        cache = static(encoder=Held())
        first, others = await behind_a_held_one(cache, "a/=", "b/=")
        others[0].cancel()
        await asyncio.wait(others[:1])
        cache.encoder.go.set()
        await asyncio.gather(first, others[1])
        return cache.encoder.texts

    assert asyncio.run(main()) == ["held/=", "b/="]


def test_all_lookups_of_a_request_share_its_time(clock):
    async def main():
        cache = static(encoder=Held(), max_lookup_wait=1.0)
        places, encode = cache.semantic.places, cache.encoder.encode
        cache.semantic.places = lambda plan: (*places(plan), bytes(16))

        def takes_long(texts):
            clock.now += 2
            return encode(texts)

        await cache.get_or_generate("a/=", answer)
        cache.encoder.encode = takes_long
        return cache, [await cache.get_or_generate(question, answer) for question in ("a/1", "b/=", "b/1")]

    cache, answers = asyncio.run(main())
    # What was found in time serves; and what was encoded is stored with its vector, whatever was not looked at.
    assert sources(answers) == ["semantic_hit", "llm_call", "semantic_hit"]
    assert [answer.decision.refusal for answer in answers] == [None, "busy", None]
    assert cache.stats().reasons == {"refused:busy": 1}


def test_a_thread_without_a_loop_waits_for_nobody(clock):
    cache = static(encoder=TopicEncoder(), max_lookup_wait=1e-9)
    answers = [cache.get_or_generate_sync(question, str.upper) for question in ("a/=", "a/1")]
    assert sources(answers) == ["llm_call", "semantic_hit"]


# ---- on the native worker --------------------------------------------------------------------------------------------


def test_a_native_lookup_that_is_late_costs_the_hit_and_not_the_call(native):
    async def ask():
        await native.get_or_generate(QUESTIONS[0], answer)
        # By the time that a thread wakes it is over.
        native.max_lookup_wait = 1e-9
        late = await native.get_or_generate(QUESTIONS[1], answer)
        native.max_lookup_wait = 60.0
        return late, await native.get_or_generate(QUESTIONS[1], answer), await native.get_or_generate("How so?", answer)

    late, again, later = asyncio.run(ask())
    assert (late.source, late.decision.refusal, again.source, later.source) == (
        "llm_call", "busy", "exact_hit", "llm_call",
    )  # fmt: skip
    assert (native.stats().reasons, native.stats().failures) == ({"refused:busy": 1}, {})
    assert (native.stats().rows, native.stats().vectors) == (3, 2)


@pytest.mark.parametrize(("max_wait", "is_late"), [(0.0, True), (-1.0, True), (1e300, False), (float("inf"), False)])
def test_the_worker_takes_any_number_of_seconds(minilm, max_wait, is_late):
    async def look_up():
        queue, worker = CompletionQueue(), LookupWorker()
        index, vector = FlatIndex(minilm.dim), minilm._encode_for_index("a")
        ticket = worker.submit(queue, Search(minilm, index, "a", vector, 1, 0.5, bytes(16), max_wait))
        rings = asyncio.Event()
        asyncio.get_running_loop().add_reader(queue.fileno(), rings.set)
        await rings.wait()
        asyncio.get_running_loop().remove_reader(queue.fileno())
        taken = queue.take()
        return taken[0] == ticket, taken[3]

    is_ours, error = asyncio.run(look_up())
    assert is_ours
    assert isinstance(error, OverloadedError) == is_late


# ---- the parameter ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "1", None, True])
def test_the_time_must_be_seconds_above_0(seconds):
    with pytest.raises(llmfast.ConfigError, match="max_lookup_wait must be seconds above 0"):
        Cache(max_lookup_wait=seconds)


def test_the_time_may_be_of_any_kind_of_number():
    assert Cache().max_lookup_wait == 1.0
    assert Cache(max_lookup_wait=np.float32(0.5)).max_lookup_wait == 0.5
