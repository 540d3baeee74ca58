"""Taking answers back: by each cause, with counts, also while the answer is on its way."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

import llmfast
from asking import STATIC, Clock, Model, ask, sources
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy
from llmfast._groups import SHELVES
from llmfast._invalidation import Criteria


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


async def overtaken(cache, invalidate):
    """Ask "q", call `invalidate` while the answer is on its way, and return where the next one has its answer from."""
    entered, go = asyncio.Event(), asyncio.Event()

    async def model(_):
        entered.set()
        await go.wait()
        return "old"

    leader = asyncio.ensure_future(cache.get_or_generate("q", model, tags=["doc"]))
    await entered.wait()
    await invalidate()
    go.set()
    await leader
    return (await cache.get_or_generate("q", Model())).source


@pytest.mark.parametrize(("named", "source"), [("q", "llm_call"), ("other", "exact_hit")])
def test_a_key_is_taken_back_while_its_answer_is_on_its_way(named, source):
    async def run():
        cache = Cache()
        key = (await cache.get_or_generate(named, Model())).key
        cache.clear()
        return await overtaken(cache, lambda: cache.invalidate(key=key))

    assert asyncio.run(run()) == source


def test_each_invalidation_that_an_answer_meets_on_its_way_counts_by_itself():
    cache = Cache()

    async def invalidate():
        await cache.invalidate(scope="tenant")
        await cache.invalidate(tag="doc")

    assert asyncio.run(overtaken(cache, invalidate)) == "llm_call"


@pytest.mark.parametrize(("older_than", "source"), [(5, "llm_call"), (5.5, "exact_hit")])
def test_an_answer_on_its_way_is_as_old_as_its_request(older_than, source):
    clock = Clock()
    cache = Cache(clock=clock)

    async def invalidate():
        clock.now += 5
        await cache.invalidate(older_than=older_than)

    assert asyncio.run(overtaken(cache, invalidate)) == source


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
        assert len(cache._memory.invalidations._latest) < 2_000, "what is remembered is bounded"
        go.set()
        await leader
        return await cache.get_or_generate("q", Model()), cache.stats()

    answer, stats = asyncio.run(run())
    assert (answer.source, stats.reasons["not_stored:invalidated"], stats.failures) == ("llm_call", 1, {})


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({}, "invalidate needs a scope, tag, version, key or older_than"),
        ({"dry_run": True}, "invalidate needs"),
        ({"older_than": -1}, "older_than must be 0 seconds or more, got -1"),
        ({"older_than": math.nan}, "older_than must be 0 seconds or more, got nan"),
        ({"older_than": "1h"}, r"older_than must be seconds, 0 or more, got '1h' \(str\)"),
        ({"older_than": timedelta(1)}, "got datetime.timedelta.*pass its total_seconds"),
        ({"scope": 5}, "scope must be a str"),
        ({"tag": ["doc"]}, r"tag must be a str, got \['doc'\] \(list\)"),
        ({"version": 2}, r"version must be a str, got 2 \(int\)"),
        ({"key": "abc"}, r"key must be the 32 bytes of an answer's `key`, got 'abc' \(str\)"),
        ({"key": b"ab"}, r"key must be the 32 bytes .* got b'ab' \(bytes\)"),
    ],
    ids=repr,
)
def test_bad_criteria_are_refused_before_they_take_effect(criteria, message):
    async def run():
        cache, entered, go = Cache(), asyncio.Event(), asyncio.Event()

        async def model(_):
            entered.set()
            await go.wait()
            return "stored"

        leader = asyncio.ensure_future(cache.get_or_generate("q", model, tags=["doc"]))
        await entered.wait()
        with pytest.raises(llmfast.ConfigError, match=message):
            await cache.invalidate(**criteria)
        go.set()
        await leader
        return cache.stats().rows

    assert asyncio.run(run()) == 1


@pytest.mark.parametrize("now", [1_000_000.0004, 1_000_000.0005, 1_000_000.0006, 1_000_000.9999])
@pytest.mark.parametrize("older_than", [0, 2.5, Decimal("2.5")])
def test_an_age_counts_though_rows_tell_whole_milliseconds(now, older_than):
    clock = Clock(now)
    cache = Cache(clock=clock)
    ask(cache, "q")
    clock.now += float(older_than)
    assert cache.invalidate_sync(older_than=float(older_than) + 0.002) == 0
    assert cache.invalidate_sync(older_than=older_than) == 1


def test_everything_goes_though_the_clock_was_set_back():
    clock = Clock()
    cache, in_flight = filled(clock), []

    async def call(query):
        clock.now -= 5
        in_flight.append(await cache.invalidate(older_than=0))
        return query

    ask(cache, "q", llm=call)
    assert in_flight == [4]
    assert cache.stats().rows == 0


def test_rows_whose_time_is_over_are_removed_and_not_counted():
    clock, llm = Clock(), Model()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=10, jitter=0, stale_if_error=60))
    ask(cache, "a", llm=llm, tags=["x"])
    clock.now += 50
    ask(cache, "b", llm=llm, tags=["x"])
    assert cache.invalidate_sync(tag="x", dry_run=True) == 2, "an answer that may serve stale is one"
    clock.now += 50
    assert cache.invalidate_sync(tag="x", dry_run=True) == 1
    assert cache.invalidate_sync(tag="x") == 1
    assert cache.stats().rows == 0


@pytest.mark.parametrize("name", ["scope", "tag", "version"])
def test_under_what_is_no_text_nothing_is_stored(name):
    cache = filled()
    assert cache.invalidate_sync(**{name: "\ud800"}) == 0
    assert cache.stats().rows == 4


def test_nothing_is_older_than_for_ever():
    cache = Cache()
    ask(cache, "q")
    assert cache.invalidate_sync(older_than=math.inf) == 0


def test_the_empty_version_is_that_of_requests_that_name_none():
    cache = filled()
    assert cache.invalidate_sync(version="", scope="tenant", dry_run=True) == 1
    assert cache.invalidate_sync(version="") == 2
    assert held(cache) == "ab"


@pytest.mark.parametrize(("stored", "named"), [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")])
def test_a_version_is_one_however_it_is_spelt(stored, named):
    async def run():
        cache, entered, go = Cache(), asyncio.Event(), asyncio.Event()

        async def model(_):
            entered.set()
            await go.wait()
            return "old"

        await cache.get_or_generate("a", Model(), version=stored)
        leader = asyncio.ensure_future(cache.get_or_generate("b", model, version=stored))
        await entered.wait()
        removed = await cache.invalidate(version=named)
        go.set()
        await leader
        return removed, cache.stats().rows

    assert asyncio.run(run()) == (1, 0)


def test_the_tags_of_the_request_that_made_the_call_count():
    cache = Cache()
    ask(cache, "q", tags=["first"])
    ask(cache, "q", tags=["second"])
    assert cache.invalidate_sync(tag="second") == 0
    assert cache.invalidate_sync(tag="first") == 1


def test_feedback_wants_the_answer_itself():
    cache = Cache()
    response, source = ask(cache, "q")[0]
    with pytest.raises(
        llmfast.ConfigError, match=r"answer must be the Answer .* not unpacked, got \('q #1', .* \(tuple\)"
    ):
        asyncio.run(cache.feedback((response, source), ok=False))
    assert cache.stats().reasons == {}


def test_replacing_and_evicting_leave_no_group_behind():
    cache = Cache(capacity=2, clock=Clock())
    for number in range(50):
        ask(cache, str(number % 7), tags=[str(number), "all"], version=str(number % 3), ttl=1e9)
        if number % 5 == 0:
            cache.invalidate_sync(tag="all")
    memory = cache._memory
    assert set(memory.candidates(Criteria())) == set(memory.rows_by_key)
    assert len(memory._groups) == len(memory.rows_by_key)
    kept = [memory.rows_by_key.peek(key) for key in memory.rows_by_key]
    for shelf in memory._groups._shelves:
        members = {(group, key) for group, keys in shelf.keys_of.items() for key in keys}
        numbers = shelf._number_by_key
        assert members == {(group, key) for key, number in numbers.items() for group in shelf._groups[number]}
        assert shelf._rows == Counter(numbers.values())
        assert {number: groups for groups, number in shelf._number_of.items()} == shelf._groups
    named = {group for shelf in memory._groups._shelves for group in shelf.keys_of}
    assert {value for field, value in named if field == "tag"} == {tag for row in kept for tag in row.tags}
    cache.clear()
    assert len(memory._groups) == 0
    assert not any(shelf.keys_of for shelf in memory._groups._shelves)


def test_no_step_reads_more_than_a_shelf():
    cache = Cache(clock=Clock())
    ask(cache, *map(str, range(6_400)), tags=["all"])
    groups = cache._memory._groups
    for criteria in (Criteria(), Criteria(tag="all"), Criteria(until=0.0)):
        steps = [len(groups.may_mean(criteria, shelf)) for shelf in range(SHELVES)]
        assert sum(steps) == 6_400
        # Keys are hashes: a hundred on each of the 64 shelves, give or take ten.
        assert max(steps) < 200


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ab"), st.sets(st.sampled_from("xyz")), st.sampled_from("12")), max_size=40
    ),
    scope=st.sampled_from([None, "a", "b"]),
    tag=st.sampled_from([None, "x", "y", "z"]),
    version=st.sampled_from([None, "1", "2"]),
)
def test_what_goes_is_what_a_search_of_all_rows_finds(rows, scope, tag, version):
    cache = Cache(clock=Clock())
    for number, (owner, tags, edition) in enumerate(rows):
        ask(cache, str(number), scope=owner, tags=sorted(tags), version=edition)
    covered = [
        number
        for number, (owner, tags, edition) in enumerate(rows)
        if (scope in {None, owner}) and (tag is None or tag in tags) and version in {None, edition}
    ]
    criteria = {"scope": scope, "tag": tag, "version": version}
    named = {field: value for field, value in criteria.items() if value is not None} or {"older_than": 0}
    assert cache.invalidate_sync(**named, dry_run=True) == len(covered)
    assert cache.invalidate_sync(**named) == len(covered)
    assert cache.stats().rows == len(rows) - len(covered)
    for number, (owner, tags, edition) in enumerate(rows):
        answer = ask(cache, str(number), scope=owner, tags=sorted(tags), version=edition)[0]
        assert answer.source == ("llm_call" if number in covered else "exact_hit")


@pytest.mark.parametrize(
    "named",
    [
        {"scope": "a", "tag": "x"},
        {"scope": "a", "version": "1"},
        {"tag": "x", "version": "1"},
        {"scope": "a", "tag": "x", "version": "1"},
    ],
    ids=repr,
)
def test_of_many_rows_those_that_agree_in_part_stay(named):
    cache, expected = Cache(clock=Clock()), 0
    # Ten on each shelf, so that each group shares its shelves with the others.
    for number in range(640):
        fields = {"scope": "ab"[number % 2], "version": "12"[number // 2 % 2], "tags": ["xy"[number // 4 % 2]]}
        ask(cache, str(number), **fields)
        expected += all(value in fields.get(name, fields["tags"]) for name, value in named.items())
    assert cache.invalidate_sync(**named, dry_run=True) == expected
    assert cache.invalidate_sync(**named) == expected
    assert cache.stats().rows == 640 - expected


def test_a_key_with_what_its_row_does_not_agree_in_means_nothing():
    clock = Clock()
    cache = Cache(clock=clock)
    key = ask(cache, "q", scope="a", tags=["x"], version="1")[0].key
    for other in ({"scope": "b"}, {"tag": "y"}, {"version": "2"}, {"older_than": 1}):
        assert cache.invalidate_sync(key=key, **other) == 0
    assert cache.invalidate_sync(key=key, scope="a", tag="x", version="1", older_than=0) == 1


def test_what_is_stored_while_rows_go_costs_no_row_its_end():
    async def run():
        cache = Cache()
        for number in range(500):
            await cache.get_or_generate(str(number), Model(), tags=["all"])

        async def keep_on():
            for number in range(500, 1_000):
                await cache.get_or_generate(str(number), Model(), tags=["later"])

        storing = asyncio.ensure_future(keep_on())
        removed = await cache.invalidate(tag="all")
        await storing
        return removed, cache.stats().rows

    assert asyncio.run(run()) == (500, 500)
