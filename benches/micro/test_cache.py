"""What an exact hit costs: the bare LruCache, then the whole way through a Cache."""

from __future__ import annotations

import asyncio

import pytest

from llmfast import Cache, LruCache

KEYS = [f"key {number}" for number in range(1_000)]


@pytest.fixture
def full():
    cache = LruCache(len(KEYS))
    for key in KEYS:
        cache.insert(key, key)
    return cache


def test_get_hit(benchmark, full):
    assert benchmark(full.get, KEYS[500]) == KEYS[500]


def test_get_miss(benchmark, full):
    assert benchmark(full.get, "absent") is None


def test_dict_get_for_comparison(benchmark):
    assert benchmark(dict.fromkeys(KEYS, 1).get, KEYS[500]) == 1


def test_insert_that_evicts(benchmark, full):
    serial = iter(range(10**12))
    benchmark(lambda: full.insert(next(serial), 1))
    assert len(full) == len(KEYS)


def test_exact_hit_sync(benchmark):
    cache = Cache()
    cache.get_or_generate_sync("a question", lambda _: "an answer")
    answer = benchmark(lambda: cache.get_or_generate_sync("a question", lambda _: "another"))
    assert (answer.response, answer.source) == ("an answer", "exact_hit")


def test_exact_hits_async_1000(benchmark):
    cache = Cache()

    async def call(_: str) -> str:
        return "an answer"

    async def hits() -> str:
        for _ in range(1_000):
            answer = await cache.get_or_generate("a question", call)
        return answer.source

    with asyncio.Runner() as runner:
        assert benchmark(lambda: runner.run(hits())) == "exact_hit"
