"""Readers that leave a stream: the call goes on for the others, and is stopped or drained when there are none."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing

import pytest

from llmfast import Cache, CachePolicy
from loops import cancelled
from streaming import Tap, read, run


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
    await cancelled(reading)


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
        await cancelled(*waiting)
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
