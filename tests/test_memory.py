"""A row, its vector and what is known of it come and go together."""

from __future__ import annotations

import pytest

from asking import Clock, Model, ask, sources
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy

STATIC = CachePolicy(mode="static", ttl=10.0, jitter=0.0)


def made(**more):
    clock = Clock()
    return Cache(encoder=TopicEncoder(), policy=STATIC, clock=clock, **more), clock


def held(cache):
    """Rows, rows found by meaning, and rows found by what an invalidation may name."""
    stats = cache.stats()
    return stats.rows, stats.vectors, len(cache._memory._groups)


async def down(_):
    raise OSError


def test_a_row_whose_time_is_over_goes_with_all_that_is_known_of_it():
    cache, clock = made()
    ask(cache, "a/=", tags=["doc"])
    assert held(cache) == (1, 1, 1)
    clock.now += 20
    with pytest.raises(OSError):
        ask(cache, "a/=", llm=down)
    assert held(cache) == (0, 0, 0)


def test_a_row_that_makes_room_goes_with_all_that_is_known_of_it():
    cache, _ = made(capacity=2)
    ask(cache, *(f"{topic}/=" for topic in "abcdefgh"))
    assert held(cache) == (2, 2, 2)


class Full:
    """An index without room for one vector more."""

    def add(self, *_, **__):
        raise MemoryError

    def search(self, *_, **__):
        return []

    def remove(self, _):
        # Nothing is there to be removed.
        return False


def test_a_row_whose_vector_the_index_refuses_is_stored_for_exact_repeats(monkeypatch, caplog):
    cache, _ = made()
    monkeypatch.setattr(cache._memory, "index", Full())
    first, second = ask(cache, "a/=", "a/=")
    assert (first.source, second.source, second.response) == ("llm_call", "exact_hit", "a/= #1")
    assert first.key == second.key, "it is stored, and says so"
    assert (first.decision.not_stored, cache.stats().not_stored) == (None, 0)
    assert (cache.stats().failures, cache.stats().rows, cache.stats().vectors) == ({"admission": 1}, 1, 0)
    assert cache.invalidate_sync(key=first.key) == 1


def test_a_row_that_the_table_refuses_is_not_stored_and_says_so(monkeypatch, caplog):
    cache, _ = made()

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(cache.storing, "_put", full)
    [answer] = ask(cache, "a/=")
    assert (answer.response, answer.key, answer.decision.not_stored) == ("a/= #1", None, "failure")
    assert (cache.stats().failures, cache.stats().not_stored, held(cache)) == ({"admission": 1}, 1, (0, 0, 0))


def test_a_confirmed_row_whose_vector_the_index_refuses_is_counted(monkeypatch, caplog):
    cache, _ = made()
    ask(cache, "a/=", scope=PUBLIC, user="one")
    monkeypatch.setattr(cache._memory, "index", Full())
    assert sources(ask(cache, "a/=", scope=PUBLIC, user="two")) == ["exact_hit"]
    cache.engine._driver._storing.submit(lambda: None).result(10)
    assert (cache.stats().failures, cache.stats().rows, cache.stats().vectors) == ({"confirmation": 1}, 1, 0)


def test_nothing_far_is_told_to_be_near():
    cache, _ = made()
    ask(cache, "a/=")
    decision = ask(cache, "b/=")[0].decision
    assert (decision.nearest, decision.neighbours, decision.reason) == (None, (), "nothing near enough is stored")


def test_a_public_row_that_nobody_named_does_not_inherit_a_vector():
    cache, _ = made()
    key = ask(cache, "a/=", scope=PUBLIC, user="one")[0].key
    cache.invalidate_sync(key=key)
    ask(cache, "a/=", scope=PUBLIC)
    assert sources(ask(cache, "a/=", scope=PUBLIC, user="two")) == ["exact_hit"]
    cache.engine._driver._storing.submit(lambda: None).result(10)
    assert held(cache) == (1, 0, 1)
    assert sources(ask(cache, "a/x", scope=PUBLIC, user="three")) == ["llm_call"]


def test_clearing_leaves_nothing_that_waits():
    cache, _ = made()
    key = ask(cache, "a/=", scope=PUBLIC, user="one")[0].key
    assert cache._memory.is_held(key)
    cache.clear()
    assert not cache._memory.is_held(key)
    assert held(cache) == (0, 0, 0)
    llm = Model()
    assert sources(ask(cache, "a/=", "a/=", scope=PUBLIC, user="two", llm=llm)) == ["llm_call", "exact_hit"]
