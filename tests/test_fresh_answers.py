"""How long answers live to questions that ask for something fresh."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest

from asking import Clock, Model, ask, sources
from encoders import NamedTopics
from llmfast import PUBLIC, Ask, Cache, CachePolicy
from llmfast._llmfast import horizon, refusal

DAY, MINUTE, HOUR = 86_400.0, 60.0, 3_600.0
NOW, TODAY, WEEK, PLAIN = (
    "What is the price of bitcoin right now?",
    "What day is it today?",
    "What happens this week?",
    "What is a bond?",
)
POLICY = CachePolicy(jitter=0.0)


def cached(policy=POLICY, **more):
    clock = Clock()
    return Cache(policy=policy, clock=clock, **more), clock


def life(cache, answer):
    """Seconds that an answer was stored for; None for ever."""
    row = cache._memory.rows_by_key.peek(answer.key)
    return None if row.expires_at is None else row.expires_at - row.created_at


@pytest.mark.parametrize(("question", "seconds"), [(NOW, MINUTE), (TODAY, HOUR), (WEEK, 6 * HOUR), (PLAIN, DAY)])
@pytest.mark.parametrize("encoder", [None, NamedTopics({})])
def test_an_answer_lives_no_longer_than_it_holds(question, seconds, encoder):
    cache, clock = cached(encoder=encoder)
    llm = Model()
    found = []
    for passed in (0, seconds - 0.001, 0.001, seconds - 0.001):
        clock.now += passed
        found += ask(cache, question, llm=llm)
    assert sources(found) == ["llm_call", "exact_hit", "llm_call", "exact_hit"]
    assert life(cache, found[0]) == seconds
    shortened = None if seconds == DAY else seconds
    assert found[0].decision.fresh_for == cache.explain(question, scope="another").fresh_for == shortened


def test_each_life_ends_at_random_before_that():
    cache, _ = cached(CachePolicy(jitter=0.5))
    lives = [life(cache, answer) for answer in ask(cache, *(f"Who leads in race {n} right now?" for n in range(50)))]
    assert MINUTE / 2 <= min(lives) < max(lives) <= MINUTE
    assert len(set(lives)) > 40


@pytest.mark.parametrize(
    ("policy", "ttl", "expected"),
    [
        ({}, 7200.0, 7200.0),
        ({}, 5.0, 5.0),
        ({"ttl": 5.0}, None, 5.0),
        ({"ttl": None}, None, MINUTE),
        ({"mode": "shadow"}, None, MINUTE),
        ({"mode": "static"}, None, DAY),
        ({"mode": "static", "ttl": None}, None, None),
    ],
)
def test_who_knows_better_has_the_last_word(policy, ttl, expected):
    cache, _ = cached(dataclasses.replace(POLICY, **policy))
    (answer,) = ask(cache, NOW, ttl=ttl)
    assert life(cache, answer) == expected
    assert answer.decision.fresh_for == (MINUTE if expected == MINUTE else None)


@pytest.mark.parametrize("scope", [None, "tenant", PUBLIC])
def test_the_tenant_makes_no_difference(scope):
    cache, clock = cached()
    (answer,) = ask(cache, NOW, scope=scope)
    assert life(cache, answer) == MINUTE
    if scope is PUBLIC:
        clock.now += MINUTE
        assert sources(ask(cache, NOW, scope="another")) == ["llm_call"]


def test_a_stream_lives_no_longer():
    async def words(_):
        yield "a"

    async def run():
        cache, clock = cached()
        first = await cache.get_or_generate(NOW, words)
        assert [item async for item in first.response] == ["a"]
        second = await cache.get_or_generate(NOW, words)
        clock.now += MINUTE
        return first, second, await cache.get_or_generate(NOW, words)

    answers = asyncio.run(run())
    assert (sources(answers), answers[0].decision.fresh_for) == (["llm_call", "exact_hit", "llm_call"], MINUTE)


def test_stale_windows_begin_where_the_life_ends():
    def down(_):
        raise OSError("down")

    cache, clock = cached(dataclasses.replace(POLICY, stale_if_error=10.0))
    cache.get_or_generate_sync(NOW, str.upper)
    clock.now += MINUTE + 9
    assert cache.get_or_generate_sync(NOW, down).stale
    clock.now += 1
    with pytest.raises(OSError, match="down"):
        cache.get_or_generate_sync(NOW, down)


PICTURE = [{"type": "text", "text": NOW}, {"type": "image_url", "image_url": {"url": "x"}}]


@pytest.mark.parametrize("content", [NOW, PICTURE])
def test_so_it_is_for_the_request_of_a_client_library(content):
    cache, _ = cached()
    asked = Ask.from_keywords("openai.chat", {"model": "m", "messages": [{"role": "user", "content": content}]})
    assert life(cache, cache.run_sync(asked, str.upper)) == MINUTE


PIECES = "now, today, right now, current, this week, latest, weather, balance, my, i, what is, price of, rate, ?, the"


def test_no_answer_lives_past_where_its_question_would_be_refused():
    """Whatever the question: an answer that lived any longer than it does would be called out of date."""
    choose, pieces = random.Random(11), PIECES.split(", ")
    questions = {" ".join(choose.choices(pieces, k=choose.randint(1, 6))) for _ in range(400)}
    cache, _ = cached(dataclasses.replace(POLICY, ttl=None))
    lives = {answer.response.rsplit(" #")[0]: life(cache, answer) for answer in ask(cache, *questions)}

    def is_fresh(question, ttl):
        why = refusal(question, ttl=ttl)
        return why is not None and why[0] == "fresh"

    assert set(lives.values()) == {MINUTE, HOUR, 6 * HOUR, None}
    for question, seconds in lives.items():
        assert seconds == horizon(question)
        assert not is_fresh(question, seconds)
        assert seconds is None or is_fresh(question, seconds + 0.001)
