"""Streamed answers: what a hit replays, and that a stream and a plain answer are never taken for each other."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from contextlib import nullcontext

import pytest
from hypothesis import given, strategies as st

from encoders import TopicEncoder
from llmfast import Cache, Engine, Reply, Stream, Usage
from llmfast._request import Ask
from llmfast._values import Events, freeze, pack, unpack
from streaming import Book, Tap, read, run, words

# ---- what is streamed ------------------------------------------------------------------------------------------------

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


def test_an_empty_stream_ends_at_once_and_is_not_stored():
    async def main():
        cache = Cache()
        answers = [await cache.get_or_generate("q", words()) for _ in range(2)]
        assert [(answer.source, await read(answer)) for answer in answers] == [("llm_call", []), ("llm_call", [])]

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


# ---- the kind is part of the key -------------------------------------------------------------------------------------


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
