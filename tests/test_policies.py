"""How long an answer lives, by kind, and what serves when its time is over."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from asking import Clock, Model, ask, sources, static
from encoders import TopicEncoder
from llmfast import Cache, CachePolicy, ConfigError
from llmfast._policy import POLICIES, shortened
from loops import turns

HOURS = {"general": 24, "faq": 24, "news": 1, "critical": 24, "broad": 24, "exploratory": 24}


@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_the_life_of_each_kind(kind):
    clock, hours = Clock(), HOURS[kind]
    cache = Cache(clock=clock)
    ask(cache, "q", kind=kind)
    clock.now += hours * 3600 * 0.95 - 1
    assert sources(ask(cache, "q", kind=kind)) == ["exact_hit"], "jitter takes a twentieth at most"
    clock.now += hours * 3600 * 0.05 + 1
    assert sources(ask(cache, "q", kind=kind)) == ["llm_call"]


def test_jitter_spreads_the_ends_and_never_prolongs():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=1000.0, jitter=0.5))
    questions = [str(number) for number in range(400)]
    ask(cache, *questions)
    left = []
    for _ in range(4):
        clock.now += 500 / 4 + (500 if not left else 0)
        left.append(sum("the same request" in cache.explain(question).reason for question in questions))
    assert left[-1] == 0
    for share, count in zip((0.75, 0.5, 0.25), left[:3], strict=True):
        assert abs(count / 400 - share) < 0.1


def test_shortening_keeps_within_its_share():
    assert shortened(100.0, 0.0, b"\xff" * 32) == 100.0
    assert shortened(100.0, 0.5, bytes(32)) == 100.0
    assert 50.0 <= shortened(100.0, 0.5, b"\xff" * 32) < 50.1


def test_an_answer_ends_after_its_time_to_live():
    clock = Clock()
    cache = static(encoder=TopicEncoder(), clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0))
    ask(cache, "t/=")
    clock.now += 99.5
    exact, near = ask(cache, "t/=", "t/a")
    assert sources((exact, near)) == ["exact_hit", "semantic_hit"]
    assert exact.age == near.age == pytest.approx(99.5)
    clock.now += 0.5
    assert sources(ask(cache, "t/b")) == ["llm_call"]
    assert cache.stats().rows == cache.stats().vectors == 1, "the row that was over is gone with its vector"


def test_the_time_to_live_is_absolute():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0))
    assert sources(ask(cache, "q", "q")) == ["llm_call", "exact_hit"]
    clock.now += 60
    assert sources(ask(cache, "q")) == ["exact_hit"]
    clock.now += 60
    assert sources(ask(cache, "q")) == ["llm_call"], "being used must not make it live longer"


def test_a_request_sets_its_own_time_to_live():
    clock = Clock()
    cache = Cache(clock=clock)
    ask(cache, "short", ttl=10.0)
    ask(cache, "forever", ttl=1e9)
    clock.now += 86_500
    assert sources(ask(cache, "forever")) == ["exact_hit"]
    assert sources(ask(cache, "short")) == ["llm_call"]


def test_a_request_that_asks_for_a_younger_answer_gets_none_that_is_older():
    clock = Clock()
    cache = static(encoder=TopicEncoder(), clock=clock)
    ask(cache, "t/=")
    clock.now += 50
    assert sources(ask(cache, "t/=", "t/a", ttl=60.0)) == ["exact_hit", "semantic_hit"]
    assert sources(ask(cache, "t/=", ttl=40.0)) == ["llm_call"]


def test_a_kind_with_a_shorter_life_does_not_take_older_answers_of_another_kind():
    clock = Clock()
    cache = static(encoder=TopicEncoder(), clock=clock)
    ask(cache, "t/=")
    clock.now += 3700
    assert sources(ask(cache, "t/=", "t/a")) == ["exact_hit", "semantic_hit"]
    assert sources(ask(cache, "t/c", kind="news")) == ["llm_call"]


def test_rows_that_are_over_do_not_hide_ones_that_are_not():
    clock = Clock()
    cache = static(encoder=TopicEncoder(0.9999), clock=clock, policy=CachePolicy(threshold=0.99999))
    ask(cache, *[f"t/{n}" for n in range(20)], ttl=10.0)
    ask(cache, "t/survivor")
    clock.now += 11
    cache.policies["general"] = CachePolicy(threshold=0.99, mode="static")
    answer = ask(cache, "t/=")[0]
    assert (answer.source, answer.response) == ("semantic_hit", "t/survivor #1")


def test_the_default_clock_is_the_wall_clock():
    before = time.time()
    answer = ask(Cache(), "q", "q")[1]
    assert 0 <= answer.age <= time.time() - before + 0.001


# ---- stale if the call fails -----------------------------------------------------------------------------------------


def down(_):
    raise OSError("the provider is down")


def test_an_answer_that_is_over_serves_where_the_call_fails():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0, stale_if_error=50.0))
    ask(cache, "q")
    clock.now += 149
    answer = ask(cache, "q", llm=down)[0]
    assert (answer.response, answer.source, answer.stale, answer.tier) == ("q #1", "exact_hit", True, "L1")
    assert answer.age == pytest.approx(149)
    assert "the provider is down" in answer.decision.reason
    assert cache.stats().reasons == {"stale:if_error": 1}
    assert cache.get_or_generate_sync("q", down).stale
    clock.now += 1
    with pytest.raises(OSError, match="the provider is down"):
        ask(cache, "q", llm=down)


def test_a_call_that_succeeds_replaces_it():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0, stale_if_error=50.0))
    ask(cache, "q")
    clock.now += 120
    assert ask(cache, "q", llm=lambda _: "new")[0].response == "new"
    answer = ask(cache, "q", llm=down)[0]
    assert (answer.response, answer.stale) == ("new", False)


def test_without_the_policy_a_failure_is_the_callers():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0))
    ask(cache, "q")
    clock.now += 101
    with pytest.raises(OSError, match="down"):
        ask(cache, "q", llm=down)


def test_a_request_that_wants_a_younger_answer_gets_no_stale_one():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0, stale_if_error=50.0))
    ask(cache, "q")
    clock.now += 120
    with pytest.raises(OSError, match="down"):
        ask(cache, "q", llm=down, ttl=60.0)


@pytest.mark.parametrize(
    ("stored_ttl", "own_ttl", "age", "serves"),
    [
        # Its time is over at its own end, at 10 s here and 100 s below.
        (10.0, 10.0, 59, True),
        (10.0, 10.0, 60, False),
        (10.0, 1000.0, 59, True),
        (10.0, 1000.0, 60, False),
        # At the asker's, where that is earlier.
        (None, 60.0, 80, True),
        (None, 60.0, 109, True),
        (None, 60.0, 110, False),
        # A row that has lived longer than both does not come back by a longer one.
        (None, 1000.0, 149, True),
        (None, 1000.0, 150, False),
        (10.0, None, 59, True),
        (10.0, None, 60, False),
    ],
)
def test_a_window_begins_where_the_shorter_life_ends(stored_ttl, own_ttl, age, serves):
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0, stale_if_error=50.0))
    ask(cache, "q", ttl=stored_ttl)
    clock.now += age
    if serves:
        answer = ask(cache, "q", llm=down, ttl=own_ttl)[0]
        assert (answer.response, answer.stale, answer.age) == ("q #1", True, age)
        assert cache.get_or_generate_sync("q", down, ttl=own_ttl).stale
    else:
        with pytest.raises(OSError, match="down"):
            ask(cache, "q", llm=down, ttl=own_ttl)


def test_an_answer_that_lives_for_ever_has_an_end_for_who_names_one():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=None, stale_if_error=50.0))
    ask(cache, "q")
    clock.now += 109
    assert ask(cache, "q", llm=down, ttl=60.0)[0].stale
    clock.now += 1
    with pytest.raises(OSError, match="down"):
        ask(cache, "q", llm=down, ttl=60.0)
    assert ask(cache, "q", llm=down)[0].source == "exact_hit"


def test_another_kind_s_answer_does_not_serve_stale_with_a_time_of_one_s_own():
    clock = Clock()
    lax = CachePolicy(ttl=10.0, jitter=0.0, stale_if_error=50.0)
    cache = Cache(clock=clock, policies={"lax": lax, "other": lax})
    ask(cache, "q", kind="lax")
    clock.now += 20
    with pytest.raises(OSError, match="down"):
        ask(cache, "q", llm=down, kind="other", ttl=10.0)


def test_what_is_over_answers_nobody_by_meaning():
    clock = Clock()
    policy = CachePolicy(ttl=100.0, jitter=0.0, stale_if_error=1000.0, mode="static")
    cache = Cache(encoder=TopicEncoder(), clock=clock, policy=policy)
    ask(cache, "t/=")
    clock.now += 101
    assert sources(ask(cache, "t/a")) == ["llm_call"]


# ---- stale while a new one is fetched --------------------------------------------------------------------------------


def test_an_answer_that_is_over_serves_while_a_new_one_is_fetched():
    clock = Clock()
    policy = CachePolicy(ttl=100.0, jitter=0.0, stale_while_revalidate=50.0, mode="static")
    cache = Cache(encoder=TopicEncoder(), clock=clock, policy=policy)
    ask(cache, "t/=")

    async def run():
        calls, fetched, go = [], asyncio.Event(), asyncio.Event()

        async def model(_):
            calls.append(1)
            await go.wait()
            fetched.set()
            return "new"

        clock.now += 120
        stale = [await cache.get_or_generate("t/=", model) for _ in range(5)]
        assert len(calls) <= 1, "one call renews for all"
        go.set()
        await fetched.wait()
        await asyncio.gather(*cache.engine._driver._tasks)
        return stale, calls, await cache.get_or_generate("t/=", model), await cache.get_or_generate("t/a", model)

    stale, calls, fresh, near = asyncio.run(run())
    assert {(answer.response, answer.source, answer.stale) for answer in stale} == {("t/= #1", "exact_hit", True)}
    assert len(calls) == 1
    assert (fresh.response, fresh.source, fresh.stale) == ("new", "exact_hit", False)
    assert (near.response, near.source) == ("new", "semantic_hit"), "the new row is found by meaning too"
    assert cache.stats().reasons["stale:while_revalidate"] == 5
    assert cache.stats().llm_calls == 1, "nobody asked for the call behind the callers"
    assert cache.stats().reasons["stale:renewed"] == 1


def test_a_time_of_one_s_own_is_renewed_too():
    async def run():
        clock = Clock()
        cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0, stale_while_revalidate=50.0))
        model, answers = Model(), []
        for _ in range(3):
            answers.append(await cache.get_or_generate("q", model, ttl=10.0))
            await turns()
            clock.now += 6
        answer = await cache.get_or_generate("q", model, ttl=10.0)
        return [(each.response, each.stale) for each in answers], answer.response

    assert asyncio.run(run()) == ([("q #1", False), ("q #1", False), ("q #1", True)], "q #2")


def test_a_renewal_that_fails_is_counted_and_hurts_nobody(caplog):
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0, stale_while_revalidate=50.0))
    ask(cache, "q")
    clock.now += 120

    async def run():
        answer = await cache.get_or_generate("q", down)
        await asyncio.gather(*cache.engine._driver._tasks)
        return answer

    assert asyncio.run(run()).stale
    assert cache.stats().failures == {"revalidation": 1}
    clock.now += 31
    assert sources(ask(cache, "q")) == ["llm_call"], "past the window nothing stale serves"


def test_a_thread_without_a_loop_makes_the_call_itself():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0, stale_while_revalidate=50.0))
    cache.get_or_generate_sync("q", lambda _: "old")
    clock.now += 120
    answer = cache.get_or_generate_sync("q", lambda _: "new")
    assert (answer.response, answer.source) == ("new", "llm_call")


def test_a_policy_is_data():
    policy = CachePolicy(stale_if_error=5.0, stale_while_revalidate=7.0)
    assert policy.stale_for == 7.0
    assert dataclasses.replace(policy, threshold=0.9).stale_if_error == 5.0


def test_the_ends_of_each_range_lie_within_it():
    for threshold in (-1.0, 1.0):
        assert CachePolicy(threshold=threshold, jitter=0.0, max_temperature=0.0).threshold == threshold
    with pytest.raises(ConfigError, match=r"threshold must be a cosine from -1 to 1, got -1\.5"):
        CachePolicy(threshold=-1.5)
    with pytest.raises(ConfigError, match=r"kind \['faq'\] has no policy"):
        ask(Cache(), "q", kind=["faq"])


# ---- shadow ----------------------------------------------------------------------------------------------------------


def test_shadow_serves_no_hit_by_meaning_and_says_which_there_would_have_been(caplog):
    caplog.set_level("INFO", "llmfast")
    cache, model = Cache(encoder=TopicEncoder(), policy=CachePolicy(mode="shadow")), Model()
    first, second, third = ask(cache, "t/=", "t/a", "t/=", llm=model)
    assert sources((first, second, third)) == ["llm_call", "llm_call", "exact_hit"]
    assert second.decision.would_serve.key == first.key
    assert second.decision.would_serve.question == "t/="
    assert "mode is 'shadow'" in second.decision.reason
    assert cache.stats().reasons == {"shadow:semantic_hit": 1}
    assert cache.stats().semantic_hits == 0
    assert "'t/=' (cosine 0.99" in caplog.text
    assert cache.get_or_generate_sync("t/b", lambda _: "c").source == "llm_call"
    assert cache.stats().reasons == {"shadow:semantic_hit": 2}
