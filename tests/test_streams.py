"""Streamed answers: one call is read once, everybody reads along, a hit replays it."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import threading
import weakref
from contextlib import aclosing, nullcontext

import pytest
from hypothesis import given, settings, strategies as st

from encoders import TopicEncoder
from llmfast import Cache, CachePolicy, ClosedError, Engine, Reply, Stream, Usage
from llmfast._request import Ask
from llmfast._values import Events, freeze, pack, unpack

LONG_S = 20.0


def run(main):
    """Run `main()` on a loop of its own, for a bounded time."""
    return asyncio.run(asyncio.wait_for(main(), LONG_S))


async def read(answer, count=None):
    """Return the items of a streamed answer, all or the first `count`."""
    items = []
    async for item in answer.response:
        items.append(item)
        if len(items) == count:
            break
    return items


class Tap:
    """A model that streams what it is given, item by item, until it is given None or an error."""

    def __init__(self):
        self.calls, self.read = 0, []
        self.items, self.entered, self.closed = asyncio.Queue(), asyncio.Event(), asyncio.Event()

    async def __call__(self, query):
        self.calls += 1
        self.entered.set()
        try:
            while (item := await self.items.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                self.read.append(item)
                yield item
        finally:
            self.closed.set()

    def give(self, *items):
        for item in items:
            self.items.put_nowait(item)


def words(*items):
    """Return a model that streams `items` and counts its calls."""

    async def model(_):
        model.calls += 1
        for item in items:
            await asyncio.sleep(0)
            yield item

    model.calls = 0
    return model


# ---- what is streamed -----------------------------------------------------------------------------------------------

ITEMS = [
    "a",
    "",
    b"\x00\xff",
    {"b": [1, {"c": None}]},
    [],
    1,
    2.5,
    True,
    None,
    {"$bytes": "AA=="},
    {"$json": {"$bytes": 1}},
]


@pytest.mark.parametrize("returned", ["itself", "plainly", "after an await", "in a Reply"])
def test_a_hit_replays_what_the_call_streamed(returned):
    async def main():
        source, cache = words(*ITEMS), Cache()
        model = {
            "itself": source,
            "plainly": _plainly(source),
            "after an await": _after_await(source),
            "in a Reply": _plainly(source, Reply),
        }[returned]
        first = await cache.get_or_generate("q", model)
        assert (type(first.response), first.source, await read(first)) == (Stream, "llm_call", ITEMS)
        for _ in range(2):
            again = await cache.get_or_generate("q", model)
            assert (type(again.response), again.source, again.key) == (Stream, "exact_hit", first.key)
            items = await read(again)
            assert (items, [type(item) for item in items]) == (ITEMS, [type(item) for item in ITEMS])
            assert await read(again) == [], "it is read once"
        assert (source.calls, cache.stats().rows, len(cache.flights)) == (1, 1, 0)

    run(main)


def _plainly(source, wrap=lambda stream: stream):
    def model(query):
        return wrap(source(query))

    return model


def _after_await(source):
    async def model(query):
        await asyncio.sleep(0)
        return source(query)

    return model


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["$bytes", "$json"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(json_data | st.binary(), max_size=8))
def test_any_data_comes_back_from_a_row_as_it_was(items):
    from types import SimpleNamespace

    codec, payload = pack(Events(tuple(map(freeze, items))))
    row = SimpleNamespace(codec=codec, payload=payload, usage=None, model="")
    stream = unpack(row)

    async def main():
        return [item async for item in stream]

    assert codec == "events"
    assert repr(asyncio.run(main())) == repr(items)


def test_an_empty_stream_is_an_answer():
    async def main():
        cache = Cache()
        answers = [await cache.get_or_generate("q", words()) for _ in range(2)]
        assert [(answer.source, await read(answer)) for answer in answers] == [("llm_call", []), ("exact_hit", [])]

    run(main)


def test_a_stream_out_of_the_cache_is_copied_with_what_is_left_to_read():
    async def main():
        cache, tap = Cache(), Tap()
        tap.give("a", b"b", {"c": 1}, None)
        await read(await cache.get_or_generate("q", tap))
        answer = await cache.get_or_generate("q", tap)
        first = await anext(answer.response)
        copies = [pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)]
        return first, [await read(twin) for twin in (*copies, answer)]

    assert run(main) == ("a", [[b"b", {"c": 1}]] * 3)


def test_a_stream_in_flight_is_not_copied():
    async def main():
        cache, tap = Cache(), Tap()
        tap.give("a")
        answer = await cache.get_or_generate("q", tap)
        for copied in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="read it, and copy its items"):
                copied(answer)
        tap.give(None)
        return await read(answer)

    assert run(main) == ["a"]


def test_a_stream_hits_by_meaning_too():
    async def main():
        model, cache = words("a", "b"), Cache(encoder=TopicEncoder())
        for question, source in [("t/=", "llm_call"), ("t/other", "semantic_hit"), ("u/=", "llm_call")]:
            answer = await cache.get_or_generate(question, model)
            assert (answer.source, await read(answer)) == (source, ["a", "b"])

    run(main)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_a_block_closes_its_stream_as_those_of_client_libraries_do(cached, fails):
    async def main():
        tap, asked = Tap(), Cache() if cached else Engine()
        tap.give("a", "b")
        answer = await asked.get_or_generate("q", tap)
        with pytest.raises(ZeroDivisionError) if fails else nullcontext():
            async with answer.response as stream:
                assert stream is answer.response
                assert await anext(stream) == "a"
                if fails:
                    raise ZeroDivisionError
        await tap.closed.wait()
        assert [item async for item in stream] == []

    run(main)


def test_a_stream_may_be_closed_by_either_name():
    async def main():
        tap, cache = Tap(), Cache()
        tap.give("a", "b")
        answer = await cache.get_or_generate("q", tap)
        assert await anext(answer.response) == "a"
        await answer.response.close()
        await tap.closed.wait()
        assert await read(answer) == []

    run(main)


def test_an_item_that_is_no_data_is_passed_on_and_the_stream_is_not_stored():
    async def main():
        value, cache = object(), Cache()
        for _ in range(2):
            answer = await cache.get_or_generate("q", words("a", value))
            assert await read(answer) == ["a", value]
        assert (cache.stats().not_stored, cache.stats().rows, cache.stats().llm_calls) == (2, 0, 2)

    run(main)


def test_streams_without_a_cache_are_read_as_they_are_asked_for():
    async def main():
        tap, book = Tap(), Book()
        tap.give("a", Reply("b", usage=Usage(1, 2), model="served"), "c", None)
        answer = await Engine(ledger=book).get_or_generate("q", tap)
        assert (tap.calls, await read(answer, 2), book.entries) == (0, ["a", "b"], [])
        assert (answer.usage, len(tap.read)) == (None, 2)
        assert (await read(answer), answer.usage, answer.model) == (["c"], Usage(1, 2), "served")
        assert [(entry["outcome"], entry["usage"]) for entry in book.entries] == [("llm_call", Usage(1, 2))]

        tap, cache = Tap(), Cache()
        tap.give("a", "b")
        answer = await cache.get_or_generate("q", tap, params={"no": object()})
        assert (await read(answer, 1), cache.stats().uncacheable) == (["a"], 1)
        await answer.response.aclose()
        assert (tap.closed.is_set(), await read(answer)) == (True, [])

        tap = Tap()
        tap.give("a", "b")
        answer = await cache.get_or_generate("q", tap, params={"no": object()})
        await read(answer, 1)
        del answer
        gc.collect()
        await tap.closed.wait()

    run(main)


# ---- the kind is part of the key ------------------------------------------------------------------------------------


def test_a_stream_and_a_plain_answer_are_never_taken_for_each_other():
    async def main():
        cache = Cache(encoder=TopicEncoder())
        plain = lambda _: "plain"  # noqa: E731
        for keywords in ({}, {"params": {"stream": True}}):
            assert (await cache.get_or_generate("t/=", plain, **keywords)).response == "plain"
            for question in ("t/=", "t/other"):
                answer = await cache.get_or_generate(question, words("a"), **keywords)
                assert (answer.source, await read(answer)) == (
                    "llm_call" if question == "t/=" else "semantic_hit",
                    ["a"],
                )

    run(main)


def test_what_asks_for_a_stream_by_its_parameters_finds_that_of_an_async_generator():
    async def main():
        cache, params = Cache(), {"stream": True}
        await read(await cache.get_or_generate("q", words("a"), params=params))
        answer = await cache.get_or_generate("q", _after_await(words("b")), params=params)
        assert (answer.source, await read(answer)) == ("exact_hit", ["a"])

    run(main)


def asks(**keywords):
    messages = [{"role": "user", "content": "hi"}]
    return Ask.from_keywords("openai.chat", {"model": "m", "messages": messages, **keywords})


@pytest.mark.parametrize("streaming", [{}, {"stream": True}])
def test_nor_are_those_of_a_request_to_an_api(streaming):
    async def words(_):
        yield "a"

    async def main():
        cache, ask = Cache(), asks(**streaming)
        found = []
        for _ in range(2):
            streamed = await cache.run(ask, words)
            found.append((streamed.source, await read(streamed)))
            plain = await asyncio.to_thread(cache.run_sync, ask, lambda _: {"x": 1})
            found.append((plain.source, plain.response))
        return found

    answers = [["a"], {"x": 1}]
    assert run(main) == [(source, answer) for source in ("llm_call", "exact_hit") for answer in answers]


def test_a_stream_and_a_plain_answer_of_one_request_to_an_api_share_no_flight():
    async def main():
        cache, ask, both = Cache(), asks(), asyncio.Event()

        async def words(_):
            await both.wait()
            yield "a"

        async def whole(_):
            both.set()
            return {"x": 1}

        streamed, plain = await asyncio.gather(cache.run(ask, words), cache.run(ask, whole))
        return await read(streamed), plain.response

    assert run(main) == (["a"], {"x": 1})


def test_a_thread_without_a_loop_gets_no_stream():
    async def main():
        # Nothing says before the call that this is a stream, so it has the key of a plain answer.
        await read(await cache.get_or_generate("t/=", _after_await(words("a"))))

    for question in ("t/=", "t/other"):
        cache = Cache(encoder=TopicEncoder())
        run(main)
        answer = cache.get_or_generate_sync(question, str.upper)
        assert (answer.response, answer.source) == (question.upper(), "llm_call")
    for model in (words("a"), _plainly(words("a")), _plainly(words("a"), Reply)):
        with pytest.raises(TypeError, match="llm_callable is async"):
            cache.get_or_generate_sync("new", model)
    assert (len(cache.flights), cache.stats().failures) == (0, {})


def test_a_thread_without_a_loop_does_not_join_a_stream():
    async def main():
        tap, cache = Tap(), Cache()
        tap.give("a")
        answer = await cache.get_or_generate("q", _plainly(tap))
        (flight,) = cache.flights._flights.values()
        beside = await asyncio.to_thread(cache.get_or_generate_sync, "q", str.upper)
        assert (beside.response, beside.coalesced, flight.waiters) == ("Q", False, 1)
        tap.give(None)
        assert (await read(answer), tap.calls) == (["a"], 1)

    run(main)


# ---- sharing --------------------------------------------------------------------------------------------------------


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


async def turns(count=300):
    for _ in range(count):
        await asyncio.sleep(0)


# ---- failures -------------------------------------------------------------------------------------------------------


def test_an_error_midway_reaches_all_after_the_items_before_it_and_nothing_is_stored():
    async def main():
        tap, cache = Tap(), Cache()
        answers = [asyncio.ensure_future(cache.get_or_generate("q", tap)) for _ in range(3)]
        tap.give("a", "b")
        answers = [await answer for answer in answers]
        assert await read(answers[0], 2) == ["a", "b"]
        tap.give(error := OSError("cut"))
        for answer, items in zip(answers, (0, 2, 2), strict=True):
            assert len(await read(answer, items)) == items if items else True
            with pytest.raises(OSError, match="cut") as raised:
                await anext(answer.response)
            assert raised.value is error
            assert await read(answer) == [], "it is over after that"
        assert (cache.stats().rows, len(cache.flights)) == (0, 0)
        assert cache.flights.counts()["failed"] == 1

    run(main)


class Breaking:
    """Fails with its first item, and again when it is closed."""

    def __aiter__(self):
        return self

    async def __anext__(self):
        raise ConnectionError("429: rate limited")

    async def aclose(self):
        raise RuntimeError("already closed")


@pytest.mark.parametrize("made", [Cache, Engine])
def test_an_error_on_closing_does_not_hide_the_providers(made):
    async def main():
        with pytest.raises(ConnectionError, match="429"):
            await read(await made().get_or_generate("q", lambda _: Breaking()))

    run(main)


def test_an_error_before_the_first_item_is_that_of_the_request():
    async def main():
        tap, cache = Tap(), Cache()
        tap.give(OSError("no network"))
        results = await asyncio.gather(*[cache.get_or_generate("q", tap) for _ in range(3)], return_exceptions=True)
        assert ([type(result) for result in results], tap.calls) == ([OSError] * 3, 1)

    run(main)


def test_a_call_that_is_cancelled_from_within_cuts_the_stream_off():
    async def main():
        tap, cache = Tap(), Cache()
        tap.give("a", asyncio.CancelledError())
        answer = await cache.get_or_generate("q", tap)
        assert await read(answer, 1) == ["a"]
        with pytest.raises(ClosedError, match="cut off"):
            await read(answer)

    run(main)


# ---- leaving --------------------------------------------------------------------------------------------------------


async def leave_by_closing(answer):
    async with aclosing(answer.response) as stream:
        async for _ in stream:
            break


async def leave_by_dropping(answer):
    await read(answer, 1)
    answer.response = None
    gc.collect()


async def leave_by_being_cancelled(answer):
    await read(answer, 1)
    reading = asyncio.ensure_future(read(answer))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


LEAVE = pytest.mark.parametrize("leave", [leave_by_closing, leave_by_dropping, leave_by_being_cancelled])


@LEAVE
def test_the_call_goes_on_until_the_last_reader_leaves(leave):
    async def main():
        tap, cache = Tap(), Cache()
        answers = [asyncio.ensure_future(cache.get_or_generate("q", tap)) for _ in range(3)]
        tap.give("a")
        first, second, third = [await answer for answer in answers]
        await leave(first)
        await leave(second)
        tap.give("b")
        assert await read(third, 2) == ["a", "b"]
        assert not tap.closed.is_set()
        await third.response.aclose()
        await tap.closed.wait()
        assert (cache.stats().rows, len(cache.flights)) == (0, 0)
        assert await read(third) == []
        tap.give("new", None)
        fresh = await cache.get_or_generate("q", tap)
        assert (await read(fresh), tap.calls, cache.stats().rows) == (["new"], 2, 1)

    run(main)


@LEAVE
def test_or_is_read_to_its_end_and_stored_where_the_policy_says_drain(leave):
    async def main():
        tap, cache = Tap(), Cache(policy=CachePolicy(on_abandon="drain"))
        tap.give("a")
        await leave(await cache.get_or_generate("q", tap))
        late = await cache.get_or_generate("q", tap)
        await leave(late)
        tap.give("b", None)
        await tap.closed.wait()
        again = await cache.get_or_generate("q", tap)
        assert (await read(again), tap.calls, cache.stats().rows) == (["a", "b"], 1, 1)

    run(main)


def test_callers_that_leave_before_the_first_item_stop_the_call():
    async def main():
        tap, cache = Tap(), Cache()
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", tap)) for _ in range(3)]
        await tap.entered.wait()
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await tap.closed.wait()
        assert len(cache.flights) == 0

    run(main)


def test_a_leader_that_is_cancelled_leaves_the_stream_to_the_others():
    async def main():
        tap, cache = Tap(), Cache()
        leader = asyncio.ensure_future(cache.get_or_generate("q", tap))
        await tap.entered.wait()
        follower = asyncio.ensure_future(cache.get_or_generate("q", tap))
        await asyncio.sleep(0)
        leader.cancel()
        tap.give("a", None)
        assert (await read(await follower), tap.calls) == (["a"], 1)

    run(main)


def test_an_endless_stream_ends_when_its_reader_has_had_enough():
    async def main():
        async def endless(_):
            try:
                while True:
                    yield "again"
            finally:
                closed.set()

        closed = asyncio.Event()
        answer = await Cache().get_or_generate("q", endless)
        assert await read(answer, 3) == ["again"] * 3
        await answer.response.aclose()
        await closed.wait()

    run(main)


def test_an_iterator_that_is_no_generator_is_closed_too():
    class Source:
        """As providers' clients have it: iterated by a generator, closed by itself."""

        def __aiter__(self):
            return self

        async def __anext__(self):
            await asyncio.sleep(0)
            return "a"

        async def close(self):
            closed.set()

    async def main():
        answer = await Cache().get_or_generate("q", lambda _: Source())
        await leave_by_closing(answer)
        await closed.wait()

    closed = asyncio.Event()
    run(main)


# ---- invalidation, limits -------------------------------------------------------------------------------------------


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
        await turns()
        assert len(tap.read) == 101, "who has not begun to read is waited for"
        got = await read(slow, 50)
        await turns()
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
        await turns()
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


# ---- money ----------------------------------------------------------------------------------------------------------


class Book:
    """A ledger that writes down what it is told."""

    def __init__(self):
        self.entries = []

    def record(self, **entry):
        self.entries.append(entry)


def test_usage_is_known_and_booked_when_the_stream_has_ended():
    async def main():
        book, tap = Book(), Tap()
        engine = Engine(cache=Cache(), ledger=book)
        tap.give(Reply("a", usage=Usage(1, 1), model="first"))
        leader, follower = await asyncio.gather(
            *[engine.get_or_generate("q", tap, model="asked", user=user) for user in ("u", "v")]
        )
        await read(follower, 1)
        await follower.response.aclose()
        assert (leader.usage, book.entries) == (None, [])
        tap.give("b", Reply(None, usage={"prompt_tokens": 3, "completion_tokens": 4}, model="served"), None)
        assert await read(leader) == ["a", "b"]
        assert (leader.usage, leader.model, follower.usage) == (Usage(3, 4), "served", Usage(3, 4))
        hit = await engine.get_or_generate("q", tap, model="asked", user="w")
        assert (hit.usage, hit.model, hit.source) == (Usage(3, 4), "served", "exact_hit")
        outcomes = sorted((entry["user"], entry["outcome"]) for entry in book.entries)
        assert outcomes == [("u", "llm_call"), ("v", "coalesced"), ("w", "exact_hit")]
        assert {(entry["usage"], entry["model"], entry["requested"]) for entry in book.entries} == {
            (Usage(3, 4), "served", "asked")
        }

    run(main)


def test_a_stream_that_breaks_off_is_booked_with_what_is_known():
    async def main():
        book, tap = Book(), Tap()
        answer = None
        tap.give("a", OSError("cut"))
        answer = await Engine(cache=Cache(), ledger=book).get_or_generate("q", tap, model="asked")
        with pytest.raises(OSError, match="cut"):
            await read(answer)
        assert [(entry["outcome"], entry["usage"]) for entry in book.entries] == [("llm_call", None)]

    run(main)


# ---- loops and processes that end -----------------------------------------------------------------------------------


def test_a_loop_that_ends_under_a_stream_cuts_it_off_for_the_others():
    async def lead():
        tap.give("a")
        answer = await cache.get_or_generate("q", tap)
        begun.set()
        await asyncio.to_thread(reading.wait, LONG_S)
        return answer

    async def follow():
        answer = await cache.get_or_generate("q", tap)
        assert await read(answer, 1) == ["a"]
        reading.set()
        with pytest.raises(ClosedError, match="loop that it ran on has ended"):
            await read(answer)
        results.append("cut off")

    cache, tap, begun, reading, results = Cache(), Tap(), threading.Event(), threading.Event(), []
    leader = threading.Thread(target=lambda: run(lead))
    leader.start()
    assert begun.wait(LONG_S)
    run(follow)
    leader.join(LONG_S)
    assert (results, len(cache.flights)) == (["cut off"], 0)


def test_a_loop_that_is_closed_under_a_stream_is_noticed_by_who_would_wait():
    async def hang(_):
        yield "a"
        await loop.create_future()

    cache, loop = Cache(), asyncio.new_event_loop()
    answer = loop.run_until_complete(cache.get_or_generate("q", hang))
    loop.close()

    async def follow():
        with pytest.raises(ClosedError, match="is closed"):
            await read(answer)
        fresh = Tap()
        fresh.give("b", None)
        return await read(await cache.get_or_generate("q", fresh))

    assert run(follow) == ["b"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_its_parents_stream():
    async def main():
        tap, cache = Tap(), Cache()
        tap.give("a")
        answer = await cache.get_or_generate("q", tap)
        await read(answer, 1)
        child = os.fork()
        if child == 0:
            os._exit(_in_the_child(cache, answer))
        assert os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, child, 0))[1]) == 0
        tap.give("b", None)
        assert await read(answer) == ["b"]

    run(main)


def _in_the_child(cache, answer):
    try:
        answer.response.__anext__().send(None)
    except ClosedError:
        return 0 if cache.get_or_generate_sync("q", str.upper).response == "Q" else 1
    return 2
