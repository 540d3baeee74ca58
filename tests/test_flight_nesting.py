"""Questions that are asked inside of a call, or by an encoder: they wait for no flight that waits for them."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import numpy as np

from asking import Gate
from encoders import TopicEncoder
from llmfast import Cache, CallableEncoder
from llmfast._flight import as_inside, is_inside
from loops import in_time


def test_a_question_asked_inside_its_own_call_does_not_wait_for_itself():
    async def run():
        async def model(query):
            depth.append(query)
            if len(depth) < 3:
                return (await cache.get_or_generate("q", model)).response
            return "bottom"

        depth, cache = [], Cache()
        return await cache.get_or_generate("q", model)

    assert asyncio.run(run()).response == "bottom"
    cache = Cache()
    inner = lambda query: cache.get_or_generate_sync(query, str.upper).response  # noqa: E731
    assert cache.get_or_generate_sync("q", inner).response == "Q"


def test_calls_that_ask_for_each_other_do_not_wait_for_each_other():
    async def run():
        async def ask(query):
            other = "b" if query == "a" else "a"
            inside[query].set()
            await inside[other].wait()
            return f"{query} and {(await cache.get_or_generate(other, lambda query: query)).response}"

        inside, cache = {"a": asyncio.Event(), "b": asyncio.Event()}, Cache()
        both = asyncio.gather(cache.get_or_generate("a", ask), cache.get_or_generate("b", ask))
        return await asyncio.wait_for(both, 10)

    assert [answer.response for answer in asyncio.run(run())] == ["a and b", "b and a"]


def test_a_task_that_outlives_the_call_that_began_it_shares_flights():
    async def run():
        cache, asked, gate = Cache(), asyncio.Queue(), Gate()
        loop = asyncio.get_running_loop()

        async def serve():
            answers = []
            while (question := await asked.get()) is not None:
                answers.append(asyncio.ensure_future(cache.get_or_generate(question, gate)))
            return await asyncio.gather(*answers)

        async def begin(query):
            started.append(loop.create_task(serve()))
            return query

        started = []
        await cache.get_or_generate("first", begin)
        for question in ["q"] * 20 + [None]:
            asked.put_nowait(question)
        await gate.entered.wait()
        gate.open.set()
        return gate, await started[0]

    gate, answers = asyncio.run(run())
    assert (gate.calls, len(answers)) == (1, 20)


def test_a_task_that_an_encoder_began_is_inside_until_the_call_is_over():
    with as_inside():
        with as_inside():
            context = copy_context()
        assert context.run(is_inside)
        assert is_inside()
    assert not context.run(is_inside)
    assert not is_inside()


def test_an_encoder_that_asks_the_cache_waits_for_no_flight():
    class Asks(TopicEncoder):
        cache = None

        def encode(self, texts):
            cache, self.cache = self.cache, None
            if cache is not None:
                cache.get_or_generate_sync(texts[0], lambda _: "inner")
            return super().encode(texts)

    async def run():
        async def outer(_):
            return "outer"

        encoder = Asks()
        cache = encoder.cache = Cache(encoder=encoder)
        return await asyncio.wait_for(cache.get_or_generate("q", outer), 10)

    assert asyncio.run(run()).response in ("inner", "outer")


def test_an_encoder_may_ask_the_same_cache_from_the_worker_thread():
    def encode(texts):
        asyncio.run(
            cache.get_or_generate("rewrite: " + texts[0], lambda query: {"text": query}, params={"temperature": 2})
        )
        return np.array([[1.0, 2.0] for _ in texts])

    cache = Cache(encoder=CallableEncoder(encode, dim=2, name="asks"))
    assert in_time(cache.get_or_generate("hello there", str.upper)).response == "HELLO THERE"
