"""Answers whose time is over, in the company of others: taken back meanwhile, shared flights, streams, renewals."""

from __future__ import annotations

import asyncio

import pytest

from asking import Clock, Model, ask
from llmfast import Cache, CachePolicy, Engine, Ledger, Reply, Usage
from llmfast._llmfast import Row
from llmfast._stream import Stream

DOWN = OSError("the provider is down")
LAX = CachePolicy(ttl=10.0, jitter=0.0, stale_if_error=1e6)
STRICT = CachePolicy(ttl=10.0, jitter=0.0)
RENEWED = CachePolicy(ttl=10.0, jitter=0.0, stale_while_revalidate=100.0)


async def down(_):
    raise DOWN


def failing(go):
    async def fail(_):
        await go.wait()
        raise DOWN

    return fail


TAKEN_BACK = {
    "clear": lambda cache, _: asyncio.to_thread(cache.clear),
    "scope": lambda cache, _: cache.invalidate(scope="t"),
    "tag": lambda cache, _: cache.invalidate(tag="doc"),
    "key": lambda cache, answer: cache.invalidate(key=answer.key),
    "feedback": lambda cache, answer: cache.feedback(answer, ok=False),
}


@pytest.mark.parametrize("way", TAKEN_BACK)
def test_what_was_taken_back_meanwhile_does_not_serve_where_the_call_fails(way):
    async def run():
        clock, go = Clock(), asyncio.Event()
        cache = Cache(clock=clock, policy=LAX)
        first = await cache.get_or_generate("q", Model(), scope="t", tags=["doc"])
        clock.now += 20
        leader = asyncio.create_task(cache.get_or_generate("q", failing(go), scope="t"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await TAKEN_BACK[way](cache, first)
        later = asyncio.create_task(cache.get_or_generate("q", failing(go), scope="t"))
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(leader, later, return_exceptions=True)

    assert asyncio.run(run()) == [DOWN, DOWN]


def test_an_old_answer_says_what_its_call_took_and_books_nothing():
    async def run():
        clock = Clock()
        asked = Engine(cache=Cache(clock=clock, policy=LAX), ledger=Ledger())
        for llm in (lambda _: Reply("x", usage=Usage(1, 2), model="gpt-4o"), down):
            answer = await asked.get_or_generate("q", llm, model="gpt-4o")
            clock.now += 20
        return answer, asked.ledger.summary()

    answer, sums = asyncio.run(run())
    assert (answer.response, answer.source, answer.stale, answer.score, answer.age) == ("x", "exact_hit", True, 1.0, 20)
    assert (answer.model, answer.usage) == ("gpt-4o", Usage(1, 2))
    assert (sums.by_outcome["exact_hit"], sums.by_outcome["llm_call"], sums.unpriced) == (1, 1, 0)
    assert sums.saved_pico["exact"] == sums.with_pico > 0


@pytest.mark.parametrize(("leads", "follows", "expected"), [("lax", "strict", "down"), ("strict", "lax", "old")])
def test_each_caller_s_own_policy_says_whether_an_old_answer_will_do(leads, follows, expected):
    async def run():
        clock, go = Clock(), asyncio.Event()
        cache = Cache(clock=clock, policies={"lax": LAX, "strict": STRICT})
        await cache.get_or_generate("q", Model(), kind=follows)
        clock.now += 500_000
        leader = asyncio.create_task(cache.get_or_generate("q", failing(go), kind=leads))
        await asyncio.sleep(0)
        follower = asyncio.create_task(cache.get_or_generate("q", failing(go), kind=follows))
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(leader, return_exceptions=True)
        try:
            answer = await follower
        except OSError:
            return "down"
        assert answer.stale
        assert answer.age == 500_000
        return "old" if answer.response == "q #1" else answer.response

    assert asyncio.run(run()) == expected


def test_a_caller_gets_an_old_answer_only_in_the_form_that_it_takes():
    async def words(_):
        yield "a"

    async def run():
        clock = Clock()
        cache = Cache(clock=clock, policy=LAX)
        streamed = await cache.get_or_generate("streamed", words)
        assert [item async for item in streamed.response] == ["a"]
        await cache.get_or_generate("whole", Model(), params={"stream": True})
        clock.now += 20
        with pytest.raises(OSError, match="down"):
            await asyncio.to_thread(cache.get_or_generate_sync, "streamed", lambda _: (_ for _ in ()).throw(DOWN))
        anew = await cache.get_or_generate("whole", words, params={"stream": True})
        return isinstance(anew.response, Stream), anew.source

    assert asyncio.run(run()) == (True, "llm_call")


def test_an_old_stream_serves_where_the_new_one_fails_before_its_first_item():
    async def words(_):
        yield "a"
        yield "b"

    async def fails(_):
        raise DOWN
        yield

    async def run():
        clock = Clock()
        cache = Cache(clock=clock, policy=LAX)
        first = await cache.get_or_generate("q", words)
        assert [item async for item in first.response] == ["a", "b"]
        clock.now += 20
        second = await cache.get_or_generate("q", fails)
        return [item async for item in second.response], second.stale

    assert asyncio.run(run()) == (["a", "b"], True)


def damaged(cache, key):
    """Put a row in the place of one that is over that nobody can read."""
    row = Row(
        key=key, partition=0, payload=b"{", codec="json", kind="general",
        created_at=cache.clock() - 20, expires_at=cache.clock() - 10, stale_for=1e6,
    )  # fmt: skip
    cache._memory.rows_by_key.insert(key, row)


@pytest.mark.parametrize("has_loop", [True, False])
def test_an_old_answer_that_cannot_be_read_costs_neither_the_call_nor_its_error(has_loop, caplog):
    lax = CachePolicy(ttl=10.0, jitter=0.0, stale_if_error=1e6, stale_while_revalidate=1e6)
    cache = Cache(clock=Clock(), policy=lax)

    def asked(model):
        return ask(cache, "q", llm=model)[0] if has_loop else cache.get_or_generate_sync("q", model)

    def fails(_):
        raise DOWN

    damaged(cache, asked(lambda _: "old").key)
    with pytest.raises(OSError) as told:
        asked(fails)
    assert told.value is DOWN
    assert asked(lambda _: "new").response == "new"
    assert set(cache.stats().failures) == {"L1"}


# ---- renewals -------------------------------------------------------------------------------------------------------


def renewing(policy=RENEWED):
    clock, ledger = Clock(), Ledger()
    cache = Cache(clock=clock, policy=policy)
    return clock, ledger, cache, Engine(cache=cache, ledger=ledger)


async def paid(_):
    return Reply("x", usage=Usage(10, 10), model="gpt-4o")


async def settle(engine):
    while engine._driver._tasks:
        await asyncio.gather(*engine._driver._tasks)
        await asyncio.sleep(0)


def test_a_renewal_is_paid_for_and_no_request():
    async def run():
        clock, ledger, cache, engine = renewing()
        for _ in range(10):
            await engine.get_or_generate("q", paid, model="gpt-4o")
            await settle(engine)
            clock.now += 20
        return cache.stats(), ledger.summary()

    stats, summary = asyncio.run(run())
    assert (stats.requests, stats.llm_calls, stats.exact_hits, stats.reasons["stale:renewed"]) == (10, 1, 9, 9)
    assert (summary.requests, summary.renewals) == (10, 9)
    assert summary.with_pico == summary.without_pico, "ten calls were made for ten requests"
    assert summary.without_pico == summary.with_pico + sum(summary.saved_pico.values())


def test_a_renewal_that_fails_is_counted_and_books_nothing():
    async def run():
        both = CachePolicy(ttl=10.0, jitter=0.0, stale_while_revalidate=100.0, stale_if_error=100.0)
        clock, ledger, cache, engine = renewing(both)
        await engine.get_or_generate("q", paid, model="gpt-4o")
        clock.now += 20
        await engine.get_or_generate("q", down, model="gpt-4o")
        await settle(engine)
        return cache.stats(), ledger.summary()

    stats, summary = asyncio.run(run())
    assert (stats.requests, stats.failures) == (2, {"revalidation": 1})
    assert (summary.requests, summary.renewals) == (2, 0)


def test_a_renewal_on_a_loop_that_was_closed_is_begun_anew():
    clock, calls = Clock(), []
    cache = Cache(clock=clock, policy=RENEWED)

    async def hold(query):
        calls.append(query)
        await asyncio.Event().wait()

    asyncio.run(cache.get_or_generate("q", Model()))
    clock.now += 20
    loop = asyncio.new_event_loop()
    loop.run_until_complete(cache.get_or_generate("q", hold))
    assert len(cache.engine._driver._behind) == 1
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    # A loop that is closed before its tasks have heard of it.
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()

    async def again():
        stale = await cache.get_or_generate("q", Model())
        await settle(cache.engine)
        return stale, await cache.get_or_generate("q", Model())

    stale, fresh = asyncio.run(again())
    assert stale.stale
    assert not fresh.stale
    assert cache.engine._driver._behind == {}
