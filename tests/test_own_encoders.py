"""Encoders of an application's own, which the cache takes as they are, and what a faulty one costs."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import types
from typing import Any

import numpy as np
import pytest

import llmfast
from asking import Model, ask, sources, static
from encoders import TOPICS, TopicEncoder, topics
from llmfast import Cache, CachePolicy


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"dim": "8"}, "dim of the encoder must be a whole number from 1 to 4096, got '8'"),
        ({"dim": 0}, "dim of the encoder must be a whole number from 1 to 4096, got 0"),
        ({"fingerprint": 5}, r"fingerprint of the encoder must be a text \(str\), got 5"),
        ({"fingerprint": ""}, "fingerprint of the encoder must be a text"),
        ({"encode": 5}, "encode of the encoder must be a function of a list of texts, got 5"),
    ],
)
def test_what_an_encoder_of_ones_own_has_is_checked(attributes, message):
    encoder = types.SimpleNamespace(**{"dim": 8, "fingerprint": "f", "encode": topics, **attributes})
    with pytest.raises(llmfast.ConfigError, match=message):
        Cache(encoder=encoder)


def test_an_encoder_that_has_another_model_is_asked_anew():
    model = types.SimpleNamespace(dim=TOPICS.dim, fingerprint="first", asked=[])

    def encode(texts: list[str]) -> Any:
        model.asked.append((model.fingerprint, *texts))
        return TOPICS.encode(texts)

    model.encode = encode
    cache = Cache(encoder=model, policy=CachePolicy(threshold=0.9))
    for version in ("1", "2"):
        cache.get_or_generate_sync("cards/a", str.upper, version=version)
    model.fingerprint = "second"
    cache.get_or_generate_sync("cards/a", str.upper, version="3")
    assert model.asked == [("first", "cards/a"), ("second", "cards/a")]


class Reusing(TopicEncoder):
    """Returns the same array each time, as an encoder does that allocates nothing."""

    is_async = False

    def __init__(self):
        super().__init__()
        self._out = np.zeros((1, self.dim), dtype=np.float32)

    def encode(self, texts):
        self._out[:] = super().encode(texts)
        return self._out

    async def encode_async(self, texts):
        return self.encode(texts)


@pytest.mark.parametrize("is_async", [False, True])
def test_an_encoder_may_use_its_memory_again(is_async):
    async def main():
        encoder = Reusing()
        encoder.is_async = is_async
        cache, both = static(encoder=encoder), asyncio.Event()

        async def call(query):
            # Stored when both have been encoded.
            if len(encoder.texts) == 2:
                both.set()
            await both.wait()
            return f"answer to {query}"

        await asyncio.gather(cache.get_or_generate("a/=", call), cache.get_or_generate("b/=", call))
        return [await cache.get_or_generate(query, call) for query in ("a/1", "b/1")]

    answers = asyncio.run(main())
    assert [answer.response for answer in answers] == ["answer to a/=", "answer to b/="]
    assert sources(answers) == ["semantic_hit"] * 2


class Slow(TopicEncoder):
    """Encodes the topic "late" when it is told to."""

    def __init__(self):
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def encode(self, texts):
        if texts[0].startswith("late"):
            self.begun.set()
            assert self.go.wait(20)
        return super().encode(texts)


def test_an_answer_that_has_arrived_waits_for_no_encoder():
    async def main():
        encoder = Slow()
        cache, called, go_on = static(encoder=encoder), asyncio.Event(), asyncio.Event()

        async def call(query):
            called.set()
            await go_on.wait()
            return query

        early = asyncio.create_task(cache.get_or_generate("early/=", call))
        await called.wait()
        late = asyncio.create_task(cache.get_or_generate("late/=", call))
        await asyncio.to_thread(encoder.begun.wait)
        go_on.set()
        answer = await asyncio.wait_for(early, 20)
        assert not late.done()
        encoder.go.set()
        await late
        return answer

    assert asyncio.run(main()).key is not None


class Faulty(TopicEncoder):
    """Returns what `spoil` makes of its vectors while that is set."""

    spoil = None

    def encode(self, texts):
        found = super().encode(texts)
        return found if self.spoil is None else self.spoil(found)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found * np.nan,
        lambda found: found * 0,
        lambda found: found[:, 1:],
        lambda found: np.vstack([found, found]),
        lambda found: None,
    ],
    ids=["nan", "zeros", "components", "vectors", "none"],
)
def test_a_bad_vector_costs_one_hit_and_is_not_remembered(spoil, caplog):
    encoder, llm = Faulty(), Model()
    cache = static(encoder=encoder)
    ask(cache, "t/=", llm=llm)
    encoder.spoil = spoil
    [answer] = ask(cache, "t/1", llm=llm)
    assert answer.source == "llm_call"
    assert cache.stats().failures == {"L3": 1}
    encoder.spoil = None
    cache.invalidate_sync(key=answer.key)
    assert sources(ask(cache, "t/1", llm=llm)) == ["semantic_hit"]


@pytest.mark.parametrize(
    "vector",
    [np.full(64, math.nan), np.zeros(64), np.ones(63), np.full(64, math.inf)],
    ids=["NaN", "zero", "63 dimensions", "infinity"],
)
def test_a_broken_encoder_costs_the_hit_and_not_the_call(vector, caplog):
    class Broken(TopicEncoder):
        def encode(self, texts):
            return np.stack([vector.astype(np.float32) for _ in texts])

    cache = static(encoder=Broken())
    with caplog.at_level(logging.WARNING, "llmfast"):
        assert sources(ask(cache, "t/a", "t/b", "t/a")) == ["llm_call", "llm_call", "exact_hit"]
    assert cache.stats().failures == {"L3": 2}
    assert len(caplog.records) == 1, "logged once"


def test_an_encoder_that_raises_costs_the_hit_and_not_the_call(caplog):
    class Broken(TopicEncoder):
        def encode(self, texts):
            raise MemoryError("no room")

    cache = static(encoder=Broken())
    answer = ask(cache, "t/a")[0]
    assert (answer.source, answer.response) == ("llm_call", "t/a #1")
    assert "no room" in answer.decision.reason


def test_an_encoder_of_ones_own_that_gives_two_vectors_for_one_text_costs_the_hit():
    two = types.SimpleNamespace(dim=2, fingerprint="two", encode=lambda texts: np.ones((2, 2), np.float32))
    cache = Cache(encoder=two)
    assert cache.get_or_generate_sync("a question", str.upper).response == "A QUESTION"
    assert cache.stats().failures == {"L3": 1}


@pytest.mark.parametrize("is_async", [False, True])
def test_what_an_encoder_does_not_read_whole_it_is_not_asked_for(is_async):
    encoder = Reusing()
    encoder.is_async, encoder.max_tokens = is_async, 3
    cache = static(encoder=encoder)
    answer = ask(cache, "t/" + "x" * 400)[0]
    assert (answer.decision.refusal, encoder.texts, cache.stats().failures) == ("unread", [], {})
    ask(cache, "t/x")
    assert encoder.texts == ["t/x"]
