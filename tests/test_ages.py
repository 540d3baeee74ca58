"""Which age of an answer serves whom: every combination of lives, windows and callers, against what the documents say.

The oracle is written from the docstrings of `CachePolicy` and `get_or_generate` and from DESIGN ("Stale rows are exact
only", "Across kinds the asker's time to live holds as well"), and knows nothing of plans and rows.
"""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest

from asking import Clock, static
from encoders import TopicEncoder
from llmfast import Cache, CachePolicy
from loops import in_time

#: Seconds that answers live by their kind.
LIVES = {"mine": 10.0, "other": 16.0, "lasting": None}

#: Off the ends of all lives and windows, which are whole seconds.
AGES = [age + 0.5 for age in range(0, 34, 3)]

#: `stale_if_error` and `stale_while_revalidate`.
WINDOWS = [(7.0, 0.0), (0.0, 7.0), (7.0, 4.0)]

OWN = (None, 3.0, 12.0)


def cache_with(clock, windows, **more):
    policies = {
        kind: CachePolicy(ttl=ttl, jitter=0.0, stale_if_error=windows[0], stale_while_revalidate=windows[1])
        for kind, ttl in LIVES.items()
    }
    return (static if more else Cache)(clock=clock, policies=policies, **more)


def end_of(stored, kind, ttl):
    """At which age the time of an answer is over for a request of a kind and a time to live of its own."""
    stored_kind, stored_ttl = stored
    end = math.inf if LIVES[stored_kind] is None else LIVES[stored_kind]
    if stored_ttl is not None:
        end = stored_ttl
    if ttl is not None:
        return min(end, ttl)
    if kind != stored_kind and LIVES[kind] is not None:
        return min(end, LIVES[kind])
    return end


def expected(stored, kind, ttl, age, windows, *, fails, has_loop):
    """What a request gets: a "fresh" answer, a "stale" one, a "new" one, or the "error" of its call."""
    end = end_of(stored, kind, ttl)
    if age < end:
        return "fresh"
    over_for = age - end if kind == stored[0] else math.inf
    if has_loop and over_for < windows[1]:
        return "stale"
    if not fails:
        return "new"
    return "stale" if over_for < windows[0] else "error"


def got(answer, age):
    if isinstance(answer, OSError):
        return "error"
    if isinstance(answer, BaseException):
        raise answer
    if answer.response == "new":
        assert not answer.stale
        return "new"
    assert (answer.response, answer.source, answer.age) == ("old", "exact_hit", pytest.approx(age))
    return "stale" if answer.stale else "fresh"


def old(_):
    return "old"


def new(_):
    return "new"


def down(_):
    raise OSError("the provider is down")


async def renewed(cache):
    """Wait for what runs behind the callers' backs."""
    while tasks := cache.engine._driver._tasks:
        await asyncio.wait(tasks)


STORED = list(itertools.product(LIVES, (None, 5.0, 20.0)))


def cases():
    """Every combination, each with a question that no other one asks."""
    for number, case in enumerate(itertools.product(STORED, LIVES, OWN, AGES)):
        yield f"question {number}", *case


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("windows", WINDOWS)
def test_an_exact_repeat_gets_what_the_documents_say_in_a_thread(windows, fails):
    clock, wrong = Clock(), []
    cache = cache_with(clock, windows)
    for question, stored, kind, ttl, age in cases():
        cache.get_or_generate_sync(question, old, kind=stored[0], ttl=stored[1])
        clock.now += age
        try:
            answer = cache.get_or_generate_sync(question, down if fails else new, kind=kind, ttl=ttl)
        except OSError as error:
            answer = error
        if got(answer, age) != expected(stored, kind, ttl, age, windows, fails=fails, has_loop=False):
            wrong.append((stored, kind, ttl, age))
    assert wrong == []


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("windows", WINDOWS)
def test_an_exact_repeat_gets_what_the_documents_say_on_a_loop(windows, fails, caplog):
    async def run():
        clock, wrong = Clock(), []
        cache = cache_with(clock, windows)
        call = later(down if fails else new)
        for question, stored, kind, ttl, age in cases():
            await cache.get_or_generate(question, later(old), kind=stored[0], ttl=stored[1])
            clock.now += age
            asked = cache.get_or_generate(question, call, kind=kind, ttl=ttl)
            [answer] = await asyncio.gather(asked, return_exceptions=True)
            if got(answer, age) != expected(stored, kind, ttl, age, windows, fails=fails, has_loop=True):
                wrong.append((stored, kind, ttl, age))
            await renewed(cache)
        return wrong

    assert in_time(run()) == []


def later(function):
    async def call(query):
        return function(query)

    return call


@pytest.mark.parametrize("fails", [True, False])
def test_those_who_share_a_flight_get_each_what_the_documents_say(fails):
    """Different lives are asked for at the same time, in every order of two: one of them leads."""

    async def run():
        wrong = []
        pairs = itertools.permutations(itertools.product(("mine", "other"), OWN), 2)
        for pair, stored, age in itertools.product(pairs, (("mine", None), ("mine", 20.0)), AGES[::2]):
            clock, go = Clock(), asyncio.Event()
            cache = cache_with(clock, (7.0, 0.0))
            await cache.get_or_generate("q", later(old), kind=stored[0], ttl=stored[1])
            clock.now += age

            async def call(query, go=go):
                await go.wait()
                return (down if fails else new)(query)

            asked = [asyncio.create_task(cache.get_or_generate("q", call, kind=kind, ttl=ttl)) for kind, ttl in pair]
            await asyncio.sleep(0)
            go.set()
            answers = await asyncio.gather(*asked, return_exceptions=True)
            told = [got(answer, age) for answer in answers]
            meant = [expected(stored, kind, ttl, age, (7.0, 0.0), fails=fails, has_loop=True) for kind, ttl in pair]
            if told != meant:
                wrong.append((pair, stored, age, told, meant))
        return wrong

    assert in_time(run()) == []


def test_a_near_question_gets_an_answer_whose_time_is_not_over_and_no_other():
    wrong = []
    encoder = TopicEncoder()
    for stored, kind, ttl, age in itertools.product(STORED, LIVES, OWN, AGES[::2]):
        clock = Clock()
        cache = cache_with(clock, WINDOWS[-1], encoder=encoder)
        cache.get_or_generate_sync("t/=", old, kind=stored[0], ttl=stored[1])
        clock.now += age
        answer = cache.get_or_generate_sync("t/a", new, kind=kind, ttl=ttl)
        assert not answer.stale
        serves = answer.source == "semantic_hit"
        assert answer.response == ("old" if serves else "new")
        if serves != (age < end_of(stored, kind, ttl)):
            wrong.append((stored, kind, ttl, age))
    assert wrong == []
