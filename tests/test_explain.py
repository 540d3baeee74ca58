"""`explain` tells what a request then gets."""

from __future__ import annotations

import asyncio

import pytest

from asking import Clock, Model, ask, static
from encoders import NamedTopics, TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy, CallableEncoder


def test_a_question_that_serves_is_found_behind_many_that_do_not():
    topics = {f"What is the fee of account {number}?": f"fee/{number}" for number in range(1, 9)}
    topics |= {"What is the fee please?": "fee/please", "What is the fee?": "fee/="}

    class Ranked(NamedTopics):
        def _vector(self, text):
            self.closeness = 0.97 if "please" in text else 0.98
            return super()._vector(text)

    cache = Cache(encoder=Ranked(topics), policy=CachePolicy(threshold=0.96))
    ask(cache, *list(topics)[:-1])
    explained, (answer,) = cache.explain("What is the fee?"), ask(cache, "What is the fee?")
    assert answer.source == "semantic_hit"
    assert explained.reason == answer.decision.reason
    assert [near.verdict for near in explained.neighbours] == ["veto:number"] * 5 + ["serves"]


def test_the_scope_s_own_rows_come_before_nearer_public_ones():
    cache = static(encoder=TopicEncoder(), policy=CachePolicy(threshold=0.9))
    ask(cache, "t/a", scope="tenant")
    ask(cache, "t/=", scope=PUBLIC, user="one")
    ask(cache, "t/=", scope=PUBLIC, user="two")
    cache.engine._driver._storing.submit(lambda: None).result(10)
    explained, (answer,) = cache.explain("t/b", scope="tenant"), ask(cache, "t/b", scope="tenant")
    assert [near.question for near in explained.neighbours] == ["t/=", "t/a"]
    assert (answer.response, explained.reason) == ("t/a #1", answer.decision.reason)


def test_an_old_answer_that_is_renewed_is_told():
    clock = Clock()
    cache = Cache(policy=CachePolicy(ttl=10, jitter=0, stale_while_revalidate=100), clock=clock)
    ask(cache, "q")
    clock.now += 50
    assert "newer answer" in cache.explain("q").reason
    assert ask(cache, "q")[0].stale


def test_a_stream_can_be_asked_about():
    async def words(_):
        yield "a"

    async def run():
        cache = Cache()
        answer = await cache.get_or_generate("q", words)
        assert [item async for item in answer.response] == ["a"]
        return cache

    cache = asyncio.run(run())
    assert "answered 0 s ago" in cache.explain("q", stream=True).reason
    assert cache.explain("q").reason == "no encoder is set"


def test_shadow_says_that_nothing_serves():
    cache = Cache(encoder=TopicEncoder(), policy=CachePolicy(mode="shadow", threshold=0.9))
    ask(cache, "red/=")
    explained, (answer,) = cache.explain("red/x"), ask(cache, "red/x")
    assert answer.source == "llm_call"
    assert (explained.reason, explained.would_serve.score) == (answer.decision.reason, answer.decision.nearest)


def test_an_async_encoder_is_asked_in_a_thread():
    topics = TopicEncoder()

    async def encode(texts):
        return topics.encode(texts)

    async def run():
        cache = static(encoder=CallableEncoder(encode, dim=topics.dim, name="topics"))
        await cache.get_or_generate("t/=", Model())
        with pytest.raises(RuntimeError, match=r"await asyncio.to_thread\(cache.explain"):
            cache.explain("t/1")
        return (await asyncio.to_thread(cache.explain, "t/1")).reason

    assert "was answered before" in asyncio.run(run())
