"""Streams that an error, or the end of a loop or a process, cuts off: readers are told, and nothing is stored."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from llmfast import Cache, ClosedError, Engine
from loops import LONG_S
from streaming import Tap, read, run


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
def test_an_error_on_closing_does_not_hide_the_providers_and_is_counted(made, caplog):
    async def main():
        asked = made()
        for _ in range(2):
            with pytest.raises(ConnectionError, match="429"):
                await read(await asked.get_or_generate("q", lambda _: Breaking()))
        assert asked.engine.failures.counts() == {"closing a stream": 2}
        logged = [record.message for record in caplog.records if record.name == "llmfast"]
        assert ["already closed" in message for message in logged] == [True], "logged once"

    run(main)


def test_an_error_on_closing_what_nobody_reads_any_more_is_counted(caplog):
    class Endless(Breaking):
        async def __anext__(self):
            await asyncio.sleep(0)
            return "a"

    async def main():
        cache = Cache()
        answer = await cache.get_or_generate("q", lambda _: Endless())
        assert await read(answer, 2) == ["a", "a"]
        await answer.response.aclose()
        await asyncio.gather(*cache.engine._driver._tasks, return_exceptions=True)
        assert cache.stats().failures == {"closing a stream": 1}

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


# ---- loops and processes that end ------------------------------------------------------------------------------------


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
