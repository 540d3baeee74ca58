"""One stream for all who ask: everybody reads along from the first item, as slowly as the slowest beyond the limit."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest
from hypothesis import given, settings, strategies as st

from llmfast import Cache, CachePolicy
from loops import LONG_S, turns
from streaming import Tap, read, run, words


def test_the_answer_is_there_when_the_stream_has_begun_and_late_callers_read_from_the_first_item():
    async def main():
        tap, cache = Tap(), Cache()
        leader = asyncio.ensure_future(cache.get_or_generate("q", tap))
        follower = asyncio.ensure_future(cache.get_or_generate("q", tap))
        await tap.entered.wait()
        assert not leader.done()
        tap.give("a")
        answers = [await leader, await follower]
        assert [await read(answer, 1) for answer in answers] == [["a"], ["a"]]
        tap.give("b", "c")
        assert await read(answers[0], 2) == ["b", "c"]
        late = await cache.get_or_generate("q", tap)
        assert (late.source, late.coalesced, await read(late, 3)) == ("llm_call", True, ["a", "b", "c"])
        tap.give("d", None)
        answers.append(late)
        assert [await read(answer) for answer in answers] == [["d"], ["b", "c", "d"], ["d"]]
        after = await cache.get_or_generate("q", tap)
        assert (after.source, await read(after)) == ("exact_hit", ["a", "b", "c", "d"])
        assert (tap.calls, cache.stats().llm_calls, cache.stats().coalesced) == (1, 1, 2)

    run(main)


def test_a_thousand_readers_make_one_call_and_each_has_its_own_items():
    async def main():
        items = [{"n": n} for n in range(20)]
        model, cache = words(*items), Cache()

        async def ask():
            answer = await cache.get_or_generate("q", model)
            got = []
            async for item in answer.response:
                got.append(item["n"])
                item["n"] = "spoilt"
            return got

        assert await asyncio.gather(*[ask() for _ in range(1000)]) == [list(range(20))] * 1000
        again = await cache.get_or_generate("q", model)
        assert (again.source, await read(again), model.calls) == ("exact_hit", items, 1)
        assert items == [{"n": n} for n in range(20)]

    run(main)


def test_loops_and_threads_read_one_stream():
    async def model(_):
        calls.append(1)
        entered.set()
        # Everybody has joined before the first item.
        await asyncio.to_thread(joined.wait, LONG_S)
        for n in range(200):
            if n % 50 == 0:
                await asyncio.sleep(0)
            yield f"item {n}"

    async def ask():
        items = await read(await cache.get_or_generate("q", model))
        with lock:
            found.append(items)

    async def many(leads):
        requests = [asyncio.ensure_future(ask()) for _ in range(250)]
        await asyncio.sleep(0)
        if not leads:
            await asyncio.to_thread(joined.wait, LONG_S)
        await asyncio.gather(*requests)

    calls, found, lock, cache = [], [], threading.Lock(), Cache()
    entered, joined = threading.Event(), threading.Barrier(4)
    threads = [threading.Thread(target=lambda n=n: run(lambda: many(leads=n == 0))) for n in range(4)]
    threads[0].start()
    assert entered.wait(LONG_S)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert (calls, len(found)) == ([1], 1000)
    assert all(items == [f"item {n}" for n in range(200)] for items in found)


class Play:
    """Any order of joining, reading, leaving and streaming, beside a plain account of what has to come of it."""

    def __init__(self):
        self.cache = Cache()
        #: Of each call what it streams, what it gave so far, and how it ended.
        self.calls, self.given, self.ends = [], [], []
        #: Of each reader the answer, its call, and how far it has come; None when it left.
        self.answers, self.call_of, self.come = [], [], []

    async def model(self, query):
        tap = Tap()
        self.calls.append(tap)
        self.given.append([])
        self.ends.append(None)
        self.put()
        async for item in tap(query):
            yield item

    def put(self):
        item = {"call": len(self.calls) - 1, "item": len(self.given[-1])}
        self.given[-1].append(item)
        self.calls[-1].give(dict(item))

    @property
    def flies(self):
        return bool(self.calls) and self.ends[-1] is None

    async def join(self):
        flew, before = self.flies, len(self.calls)
        answer = await self.cache.get_or_generate("q", self.model)
        if self.ends and self.ends[-1] == "well":
            assert answer.source == "exact_hit"
        else:
            assert (answer.coalesced, len(self.calls)) == (flew, before + (not flew))
        self.answers.append(answer)
        self.call_of.append(len(self.calls) - 1)
        self.come.append(0)

    async def read(self, reader):
        call, come = self.call_of[reader], self.come[reader]
        if come is None:
            assert await read(self.answers[reader]) == []
        elif come < len(self.given[call]):
            assert await read(self.answers[reader], 1) == [self.given[call][come]]
            self.come[reader] += 1
        elif self.ends[call] == "well":
            assert await read(self.answers[reader]) == []
        elif self.ends[call] == "ill":
            with pytest.raises(OSError, match="ill"):
                await read(self.answers[reader])
            self.come[reader] = None

    async def leave(self, reader):
        self.come[reader] = None
        await self.answers[reader].response.aclose()
        here = [come for call, come in zip(self.call_of, self.come, strict=True) if call == len(self.calls) - 1]
        if self.flies and all(come is None for come in here):
            self.ends[-1] = "left"
            await self.calls[-1].closed.wait()

    async def end(self, how):
        self.ends[-1] = how
        self.calls[-1].give(None if how == "well" else OSError("ill"))
        await self.calls[-1].closed.wait()
        await turns(5)

    async def take(self, step, number):
        if step == "join":
            await self.join()
        elif step in ("read", "leave"):
            if self.answers:
                await getattr(self, step)(number % len(self.answers))
        elif self.flies:
            if step == "put":
                self.put()
                await turns(5)
            else:
                await self.end(step)


STEPS = st.sampled_from(["join", "join", "read", "read", "read", "read", "put", "put", "leave", "leave", "well", "ill"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(0, 50)), max_size=40))
def test_any_order_of_joining_reading_and_leaving(steps):
    async def main():
        play = Play()
        for step, number in steps:
            await play.take(step, number)
        assert len(play.cache.flights) == play.flies

    run(main)


# ---- invalidation, limits --------------------------------------------------------------------------------------------


def test_a_detached_stream_goes_on_for_its_readers_and_is_not_stored():
    async def main():
        old, new, cache = Tap(), Tap(), Cache()
        old.give("old")
        answer = await cache.get_or_generate("q", old)
        assert cache.flights.detach(lambda plan: plan.ask.query == "q") == 1
        new.give("new", None)
        late = await cache.get_or_generate("q", new)
        assert (late.coalesced, await read(late)) == (False, ["new"])
        old.give("end", None)
        assert await read(answer) == ["old", "end"]
        again = await cache.get_or_generate("q", new)
        assert (again.source, await read(again), cache.stats().not_stored) == ("exact_hit", ["new"], 1)

    run(main)


async def two_with_a_limit(monkeypatch, tap, cache):
    """Return two answers of one stream that has begun with an item; 100 items of 100 characters are recorded."""
    tap.give("0" * 100)
    answers = await asyncio.gather(*[cache.get_or_generate("q", tap) for _ in range(2)])
    monkeypatch.setattr(answers[0].response._source._recording, "_limit", 16_400)
    return answers


def test_a_stream_beyond_the_limit_is_read_no_faster_than_its_slowest_reader(monkeypatch):
    async def main():
        items = [f"{n:0100}" for n in range(2000)]
        tap, cache = Tap(), Cache(policy=CachePolicy(on_abandon="drain"))
        fast, slow = await two_with_a_limit(monkeypatch, tap, cache)
        tap.give(*items[1:], None)
        ahead = asyncio.ensure_future(read(fast))
        await turns(300)
        assert len(tap.read) == 101, "who has not begun to read is waited for"
        got = await read(slow, 50)
        await turns(300)
        assert 101 < len(tap.read) < 200
        fresh = Tap()
        fresh.give("fresh", None)
        late = await cache.get_or_generate("q", fresh)
        assert (late.coalesced, await read(late)) == (False, ["fresh"])
        most = 0
        async for item in slow.response:
            got.append(item)
            most = max(most, slow.response._source._recording._size)
        assert got == items
        assert await ahead == items
        assert most <= 16_400 + 164
        assert cache.stats().not_stored == 1

    run(main)


def test_a_slow_reader_that_leaves_no_longer_holds_the_others_up(monkeypatch):
    async def main():
        tap, cache = Tap(), Cache()
        fast, slow = await two_with_a_limit(monkeypatch, tap, cache)
        tap.give(*["x" * 100] * 1999, None)
        ahead = asyncio.ensure_future(read(fast))
        await turns(300)
        assert not ahead.done()
        await slow.response.aclose()
        assert len(await ahead) == 2000

    run(main)


def test_a_stream_that_was_read_leaves_nothing_for_the_garbage_collector():
    async def main():
        cache = Cache()
        leader, follower = await asyncio.gather(*[cache.get_or_generate("q", words("a", "b")) for _ in range(2)])
        recording = weakref.ref(leader.response._source._recording)
        await read(leader)
        await read(follower, 1)
        del leader, follower
        await turns(10)
        return recording()

    gc.collect()
    gc.disable()
    try:
        assert run(main) is None
    finally:
        gc.enable()
