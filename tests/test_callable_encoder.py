"""Encoders made of functions, plain and async, alone and in a cache."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
from typing import Any

import numpy as np
import pytest

import llmfast
from encoders import TOPICS, topics, topics_later
from llmfast import Cache, CachePolicy, CallableEncoder


def encoder_of(function: Any, **options: Any) -> CallableEncoder:
    return CallableEncoder(function, **{"dim": TOPICS.dim, "name": "topics", **options})


def cache_of(function: Any, **options: Any) -> Cache:
    return Cache(encoder=encoder_of(function, **options), policy=CachePolicy(threshold=0.9))


def loop_threads() -> list[threading.Thread]:
    gc.collect()
    return [thread for thread in threading.enumerate() if thread.name == "llmfast-loop"]


# ---- functions -------------------------------------------------------------------------------------------------------


def test_a_function_is_an_encoder():
    encoder = encoder_of(topics)
    assert isinstance(encoder, llmfast.Encoder)
    found = encoder.encode(["cards/a", "cards/b"])
    assert (found.dtype, found.shape) == (np.float32, (2, TOPICS.dim))
    np.testing.assert_allclose(found, topics(["cards/a", "cards/b"]), atol=1e-6)
    assert encoder.encode([]).shape == (0, TOPICS.dim)
    assert repr(encoder) == "CallableEncoder('topics', dim=64)"


@pytest.mark.parametrize(
    "rows",
    [
        [[3, 4], [0, -2]],
        ([3.0, 4.0], (0.0, -2.0)),
        np.array([[3, 4], [0, -2]], np.float16),
        [np.array([3e300, 4e300]), np.array([0.0, -1e-320])],
    ],
)
def test_vectors_come_out_in_float32_and_of_length_1(rows):
    found = encoder_of(lambda texts: rows, dim=2).encode(["a", "b"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, -1.0]], atol=1e-6)


def test_the_function_s_own_array_stays_as_it_is():
    rows = np.array([[3.0, 4.0]])
    encoder_of(lambda texts: rows, dim=2).encode(["a"])
    assert rows.tolist() == [[3.0, 4.0]]


def test_name_version_and_dimensions_make_the_fingerprint():
    made = [{}, {"version": "2"}, {"name": "other"}, {"dim": 3}, {"name": "topic", "version": "s"}]
    prints = [encoder_of(topics, **options).fingerprint for options in made]
    assert len(set(prints)) == len(made)
    assert encoder_of(topics_later).fingerprint == prints[0]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([[1.0, 2.0]], llmfast.BatchSizeError, "expected 2 vectors for 2 texts, got 1"),
        (np.ones((3, 2)), llmfast.BatchSizeError, "expected 2 vectors for 2 texts, got 3"),
        (np.ones((2, 3)), llmfast.DimensionMismatchError, "expected 2 dimensions, got 3"),
        ([[1.0, 2.0], [1.0]], llmfast.DimensionMismatchError, "expected 2 dimensions, got 1 in vector 1"),
        (np.ones(2), llmfast.DimensionMismatchError, r"expected vectors of shape \(2, 2\), got \(2,\)"),
        (np.ones((2, 2, 2)), llmfast.DimensionMismatchError, r"got \(2, 2, 2\)"),
        ([[1.0, 2.0], [float("nan"), 1.0]], llmfast.InvalidVectorError, "vector 1 of 2 holds NaN or infinity"),
        ([[float("inf"), 2.0], [1.0, 1.0]], llmfast.InvalidVectorError, "vector 0 of 2 holds NaN or infinity"),
        ([[1.0, 2.0], [0.0, 0.0]], llmfast.InvalidVectorError, "vector 1 of 2 is all zeros"),
        ([["a", "b"], ["c", "d"]], llmfast.InvalidVectorError, "expected vectors of numbers, got list"),
        ([5, 6], llmfast.DimensionMismatchError, r"got \(2,\)"),
        ({"data": 1, "model": 2}, llmfast.InvalidVectorError, "expected vectors of numbers, got dict"),
        (None, llmfast.InvalidVectorError, "expected vectors of numbers, got NoneType"),
        (np.array(3.0), llmfast.InvalidVectorError, "expected vectors of numbers, got ndarray"),
        ([["1", "2"], ["3", "4"]], llmfast.InvalidVectorError, "expected vectors of numbers, got list"),
        (np.ones((2, 2)) + 1j, llmfast.InvalidVectorError, "they are of dtype complex128"),
        ([[True, False], [True, True]], llmfast.InvalidVectorError, "they are of dtype bool"),
        ([[10**400, 1], [1, 1]], llmfast.InvalidVectorError, "they are of dtype object"),
    ],
)
def test_what_is_wrong_with_vectors_is_said(rows, error, message):
    async def later(texts: list[str]) -> Any:
        return rows

    for function in (lambda texts: rows, later):
        with pytest.raises(error, match=message):
            encoder_of(function, dim=2).encode(["a", "b"])


@pytest.mark.parametrize("rows", [None, [], [[1.0]], [[float("nan"), 1.0]], [[0.0, 0.0]], [["a", "b"]]])
def test_what_is_wrong_with_vectors_costs_the_hit_and_not_the_call(rows, caplog):
    async def later(texts: list[str]) -> Any:
        return rows

    for function in (lambda texts: rows, later):
        cache = cache_of(function, dim=2)
        answers = [
            asyncio.run(cache.get_or_generate("a", str.upper)),
            cache.get_or_generate_sync("b", str.upper),
            cache.get_or_generate_sync("b", str.lower),
        ]
        assert [tuple(answer) for answer in answers] == [("A", "llm_call"), ("B", "llm_call"), ("B", "exact_hit")]
        assert answers[0].decision.reason.startswith("looking for it by meaning failed: expected") or "vector 0" in str(
            answers[0].decision
        )
        assert cache.stats().failures == {"L3": 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "dim must be a whole number from 1 to 4096, got 0"),
        ({"dim": 4097}, "dim must be a whole number from 1 to 4096, got 4097"),
        ({"dim": 2.5}, "dim must be a whole number"),
        ({"dim": True}, "dim must be a whole number"),
        ({"dim": None}, "dim must be a whole number"),
        ({"name": 5}, r"name must be a text \(str\), got 5"),
        ({"name": "\ud800"}, "name must be valid Unicode"),
        ({"version": None}, r"version must be a text \(str\), got None"),
        ({"max_tokens": 2.5}, "max_tokens must be a whole number of 1 or more, got 2.5"),
        ({"name": ""}, "needs the name"),
        ({"max_tokens": 0}, "max_tokens must be a whole number of 1 or more, got 0"),
        ({"function": 5}, "expected a function of a list of texts, got int"),
    ],
)
def test_bad_parameters_are_refused(options, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        CallableEncoder(**{"function": topics, "dim": 3, "name": "n", **options})


@pytest.mark.parametrize("texts", ["abc", b"abc", None, 5, (text for text in "ab"), {"a": 1}, [b"a"], ["a", None]])
def test_what_is_no_list_of_texts_is_refused(texts):
    for function in (topics, topics_later):
        encoder = encoder_of(function)
        with pytest.raises(llmfast.ConfigError, match="texts must be a list of texts"):
            encoder.encode(texts)
        with pytest.raises(llmfast.ConfigError, match="texts must be a list of texts"):
            asyncio.run(encoder.encode_async(texts))


def test_a_function_that_lets_out_a_generator_exit_fails_and_ends_nobody():
    def encode(texts: list[str]) -> Any:
        raise GeneratorExit

    async def encode_later(texts: list[str]) -> Any:
        raise GeneratorExit

    for function in (encode, encode_later):
        encoder = encoder_of(function)
        with pytest.raises(RuntimeError, match="let out GeneratorExit"):
            encoder.encode(["a"])
        with pytest.raises(RuntimeError, match="let out GeneratorExit"):
            asyncio.run(encoder.encode_async(["a"]))
        cache = Cache(encoder=encoder)
        assert asyncio.run(cache.get_or_generate("a", str.upper)).response == "A"


def test_a_text_that_is_much_longer_than_what_is_read_is_not_encoded():
    asked = []
    cache = cache_of(lambda texts: asked.append(texts) or topics(texts), max_tokens=10)
    answer = cache.get_or_generate_sync("x" * 1_001, lambda query: "answer")
    assert "1,001 characters" in answer.decision.reason
    assert asked == []


# ---- async functions -------------------------------------------------------------------------------------------------


class Awaited:
    """A model that is awaited, and remembers on which loop."""

    def __init__(self) -> None:
        self.loops: list[Any] = []

    async def __call__(self, texts: list[str]) -> Any:
        return await self.embed(texts)

    async def embed(self, texts: list[str]) -> Any:
        self.loops.append(asyncio.get_running_loop())
        return await topics_later(texts)


@pytest.mark.parametrize(
    "declared",
    [lambda one: one, lambda one: one.embed, lambda one: functools.partial(one.embed)],
    ids=["object", "method", "partial"],
)
def test_an_async_function_is_awaited_on_the_loop_of_whoever_asks(declared):
    one, before = Awaited(), loop_threads()
    cache = cache_of(declared(one))

    async def ask() -> None:
        first = await cache.get_or_generate("cards/a", lambda query: "answer")
        second = await cache.get_or_generate("cards/b", lambda query: "another")
        assert [first.source, second.source] == ["llm_call", "semantic_hit"]
        assert second.response == "answer"
        assert set(one.loops) == {asyncio.get_running_loop()}

    asyncio.run(ask())
    assert len(one.loops) == 2
    assert cache.stats().failures == {}
    assert set(loop_threads()) <= set(before)


def test_threads_without_a_loop_share_one_of_the_encoder_s():
    one, before = Awaited(), set(loop_threads())
    cache = cache_of(one)
    assert cache.get_or_generate_sync("cards/a", lambda query: "answer").source == "llm_call"
    assert tuple(cache.get_or_generate_sync("cards/b", lambda query: "another")) == ("answer", "semantic_hit")
    assert len(one.loops) == 2
    assert len(set(one.loops)) == 1
    assert cache.stats().failures == {}
    (thread,) = set(loop_threads()) - before
    del cache
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_a_function_that_returns_an_awaitable_is_awaited_too():
    one = Awaited()

    def embed(texts: list[str]) -> Any:
        return one.embed(texts)

    cache = cache_of(embed)
    assert asyncio.run(cache.get_or_generate("cards/a", lambda query: "answer")).source == "llm_call"
    assert cache.get_or_generate_sync("cards/b", lambda query: "another").source == "semantic_hit"
    assert len(set(one.loops)) == 1


def test_a_batched_function_gets_its_lists_in_batches():
    sizes = []

    @llmfast.batch(max_batch_size=8)
    async def embed(texts: list[str]) -> list[Any]:
        sizes.append(len(texts))
        return await topics_later(texts)

    for function in (embed, embed.map):
        sizes.clear()
        cache = cache_of(function)

        async def ask(cache: Cache) -> None:
            await asyncio.gather(*(cache.get_or_generate(f"topic {n}/a", lambda query: "answer") for n in range(16)))

        asyncio.run(ask(cache))
        assert sizes == [8, 8]
        assert cache.get_or_generate_sync("topic 3/b", lambda query: "another").source == "semantic_hit"
        assert cache.stats().failures == {}


def test_a_question_is_encoded_once_and_remembered():
    one = Awaited()
    cache = cache_of(one)

    async def ask() -> None:
        await asyncio.gather(*(cache.get_or_generate("cards/a", lambda query: "answer") for _ in range(20)))
        for _ in range(3):
            await cache.get_or_generate("cards/b", lambda query: "another")
        await cache.get_or_generate("cards/c", lambda query: "public", scope=llmfast.PUBLIC)

    asyncio.run(ask())
    assert len(one.loops) == 2


def test_encode_refuses_to_stop_a_loop():
    def undeclared(texts: list[str]) -> Any:
        return topics_later(texts)

    async def ask() -> None:
        for function in (topics_later, undeclared):
            with pytest.raises(RuntimeError, match="await encode_async instead"):
                encoder_of(function).encode(["a"])
        for function in (topics_later, topics):
            assert (await encoder_of(function).encode_async(["a", "b"])).shape == (2, TOPICS.dim)

    asyncio.run(ask())


@pytest.mark.parametrize("error", [ValueError("no key"), TimeoutError(), StopIteration(), asyncio.CancelledError()])
def test_a_failure_of_an_async_function_costs_the_hit_and_not_the_call(error, caplog):
    async def fail(texts: list[str]) -> Any:
        raise error

    cache = cache_of(fail)
    answer = asyncio.run(cache.get_or_generate("a", lambda query: "answer"))
    assert (answer.response, answer.source) == ("answer", "llm_call")
    assert cache.get_or_generate_sync("b", lambda query: "answer").source == "llm_call"
    assert cache.stats().failures == {"L3": 2}


def test_a_caller_that_leaves_stops_the_encoding():
    stopped = []

    async def wait(texts: list[str]) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(texts)
            raise

    cache = cache_of(wait)

    async def ask() -> None:
        asking = asyncio.create_task(cache.get_or_generate("a", lambda query: "answer"))
        await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(0.01)

    asyncio.run(ask())
    assert stopped == [["a"]]
    assert cache.stats().failures == {}
