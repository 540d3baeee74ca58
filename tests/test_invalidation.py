"""Taking answers back: by each cause, with counts, also while the answer is on its way."""

from __future__ import annotations

import asyncio

import pytest

import llmfast
from asking import Clock, Model, ask, sources
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy

STATIC = CachePolicy(mode="static")


def filled(clock=None):
    """A cache of rows that differ in all that an invalidation can name."""
    cache = Cache(encoder=TopicEncoder(), policy=STATIC, clock=clock or Clock())
    ask(cache, "a/=", tags=["doc1", "doc2"], version="1")
    ask(cache, "b/=", tags=["doc2"], version="2")
    ask(cache, "c/=", scope="tenant", tags=["doc1"])
    ask(cache, "d/=", scope=PUBLIC)
    return cache


def held(cache):
    """The rows that are still there, by their first letter."""
    names = {"a": {"version": "1"}, "b": {"version": "2"}, "c": {"scope": "tenant"}, "d": {"scope": PUBLIC}}
    return "".join(
        name for name, fields in names.items() if "the same request" in cache.explain(f"{name}/=", **fields).reason
    )


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"tag": "doc1"}, "bd"),
        ({"tag": "doc2"}, "cd"),
        ({"tag": "doc3"}, "abcd"),
        ({"version": "1"}, "bcd"),
        ({"scope": "tenant"}, "abd"),
        ({"scope": None}, "cd"),
        ({"scope": PUBLIC}, "abc"),
        ({"tag": "doc1", "scope": "tenant"}, "abd"),
        ({"tag": "doc2", "version": "2"}, "acd"),
        ({"tag": "doc1", "version": "2"}, "abcd"),
        ({"older_than": 0}, ""),
        ({"older_than": 1}, "abcd"),
    ],
    ids=repr,
)
def test_what_agrees_in_all_that_is_named_goes(criteria, left):
    cache = filled()
    assert held(cache) == "abcd"
    gone = 4 - len(left)
    assert asyncio.run(cache.invalidate(**criteria, dry_run=True)) == gone
    assert held(cache) == "abcd", "a dry run counts and leaves everything"
    assert asyncio.run(cache.invalidate(**criteria)) == gone
    assert held(cache) == left
    assert asyncio.run(cache.invalidate(**criteria)) == 0
    assert cache.stats().rows == len(left)


def test_by_key_and_by_age():
    clock = Clock()
    cache = Cache(clock=clock)
    first = ask(cache, "a")[0]
    clock.now += 10
    ask(cache, "b")
    assert cache.invalidate_sync(older_than=5) == 1
    assert sources(ask(cache, "b", "a")) == ["exact_hit", "llm_call"]
    assert cache.invalidate_sync(key=first.key, dry_run=True) == 1
    assert cache.invalidate_sync(key=first.key) == 1
    assert cache.invalidate_sync(key=bytes(32)) == 0
    assert sources(ask(cache, "b", "a")) == ["exact_hit", "llm_call"]


def test_the_vector_goes_with_the_row():
    cache = filled()
    assert sources(ask(cache, "a/x", version="1")) == ["semantic_hit"]
    cache.invalidate_sync(tag="doc1")
    assert sources(ask(cache, "a/x", version="1")) == ["llm_call"]
    assert cache.stats().vectors == 2


def test_thousands_of_rows_go_without_holding_up_the_loop():
    async def run():
        cache, turns = Cache(), 0
        for number in range(1000):
            await cache.get_or_generate(str(number), Model(), tags=["all"])

        async def count_turns():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count_turns())
        removed = await cache.invalidate(tag="all")
        counting.cancel()
        return removed, turns, cache.stats().rows

    removed, turns, rows = asyncio.run(run())
    assert (removed, rows) == (1000, 0)
    assert turns >= 10


@pytest.mark.parametrize(
    ("criteria", "stored"),
    [
        ({"tag": "doc"}, False),
        ({"version": "1"}, False),
        ({"scope": None}, False),
        ({"older_than": 0}, False),
        ({"tag": "other"}, True),
        ({"scope": "tenant"}, True),
        ({"version": "2"}, True),
        ({"older_than": 1}, True),
    ],
    ids=repr,
)
def test_an_invalidation_wins_over_the_answer_in_flight(criteria, stored):
    async def run():
        cache, entered, go = Cache(clock=Clock()), asyncio.Event(), asyncio.Event()

        async def model(_):
            entered.set()
            await go.wait()
            return "old"

        ask = {"tags": ["doc"], "version": "1"}
        leader = asyncio.ensure_future(cache.get_or_generate("q", model, **ask))
        await entered.wait()
        assert await cache.invalidate(**criteria) == 0
        late = asyncio.ensure_future(cache.get_or_generate("q", Model(), **ask))
        await asyncio.sleep(0)
        go.set()
        return await leader, await late, await cache.get_or_generate("q", Model(), **ask), cache.stats().reasons

    leader, late, after, reasons = asyncio.run(run())
    assert leader.response == "old", "who asked before the invalidation gets the answer of that time"
    assert late.response == ("old" if stored else "q #1"), "who asks after it does not"
    assert after.source == "exact_hit"
    assert after.response == late.response
    assert ("not_stored:invalidated" in reasons) is not stored


def test_clearing_wins_too():
    async def run():
        cache, entered, go = Cache(encoder=TopicEncoder(), policy=STATIC), asyncio.Event(), asyncio.Event()

        async def model(_):
            entered.set()
            await go.wait()
            return "old"

        leader = asyncio.ensure_future(cache.get_or_generate("t/=", model))
        await entered.wait()
        cache.clear()
        go.set()
        await leader
        return await cache.get_or_generate("t/=", Model())

    assert asyncio.run(run()).source == "llm_call"


def test_more_invalidations_than_are_remembered_keep_an_old_answer_out():
    async def run():
        cache, entered, go = Cache(), asyncio.Event(), asyncio.Event()

        async def model(_):
            entered.set()
            await go.wait()
            return "old"

        leader = asyncio.ensure_future(cache.get_or_generate("q", model))
        await entered.wait()
        for number in range(2_000):
            cache.invalidate_sync(tag=str(number))
        go.set()
        await leader
        return await cache.get_or_generate("q", Model())

    assert asyncio.run(run()).source == "llm_call"


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({}, "invalidate needs a scope, tag, version, key or older_than"),
        ({"dry_run": True}, "invalidate needs"),
        ({"older_than": -1}, "older_than must be 0 seconds or more, got -1"),
        ({"scope": 5}, "scope must be a str"),
    ],
)
def test_bad_criteria_are_refused(criteria, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        Cache().invalidate_sync(**criteria)


def test_replacing_and_evicting_leave_no_group_behind():
    cache = Cache(capacity=2, clock=Clock())
    for number in range(50):
        ask(cache, str(number % 7), tags=[str(number), "all"], version=str(number % 3), ttl=1e9)
        if number % 5 == 0:
            cache.invalidate_sync(tag="all")
    memory = cache._memory
    assert set(memory._groups_of) == set(memory.rows_by_key)
    members = {(group, key) for group, keys in memory._groups.items() for key in keys}
    assert members == {(group, key) for key, groups in memory._groups_of.items() for group in groups}
    cache.clear()
    assert memory._groups == memory._groups_of == {}
