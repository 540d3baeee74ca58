"""Callers that leave a shared call: it goes on for the others, and is cancelled or drained when there are none."""

from __future__ import annotations

import asyncio

import pytest

from asking import Gate, Model
from llmfast import Cache, CachePolicy
from llmfast._flight import FlightTable
from loops import cancelled, in_time


def test_a_leader_that_is_cancelled_fails_nobody_else():
    async def run():
        gate, cache = Gate(), Cache()
        leader = asyncio.ensure_future(cache.get_or_generate("q", gate))
        await gate.entered.wait()
        follower = asyncio.ensure_future(cache.get_or_generate("q", gate))
        await asyncio.sleep(0)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        gate.open.set()
        return gate, await follower

    gate, answer = asyncio.run(run())
    assert (gate.calls, gate.cancelled, answer.response) == (1, 0, {"answer": "q"})


def test_when_the_last_one_leaves_the_call_is_cancelled():
    async def run():
        gate, cache = Gate(), Cache()
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", gate)) for _ in range(3)]
        await gate.entered.wait()
        await cancelled(*waiting)
        await gate.stopped.wait()
        gate.open.set()
        return gate, cache, await cache.get_or_generate("q", gate)

    gate, cache, answer = asyncio.run(run())
    assert (gate.calls, gate.cancelled, answer.source) == (2, 1, "llm_call")
    assert cache.stats().failures == {}


def test_or_goes_on_where_the_policy_says_drain():
    async def run():
        gate, cache = Gate(), Cache(policy=CachePolicy(on_abandon="drain"))
        leader = asyncio.ensure_future(cache.get_or_generate("q", gate))
        await gate.entered.wait()
        await cancelled(leader)
        late = asyncio.ensure_future(cache.get_or_generate("q", gate))
        await asyncio.sleep(0)
        gate.open.set()
        return gate, await late

    gate, answer = asyncio.run(run())
    assert (gate.calls, gate.cancelled, answer.coalesced) == (1, 0, True)


def test_a_model_that_cancels_itself_cancels_its_caller_alone():
    async def run():
        async def model(_):
            calls.append(1)
            if len(calls) == 1:
                entered.set()
                await go.wait()
                raise asyncio.CancelledError
            return "a"

        calls, entered, go, cache = [], asyncio.Event(), asyncio.Event(), Cache()
        leader = asyncio.ensure_future(cache.get_or_generate("q", model))
        await entered.wait()
        follower = asyncio.ensure_future(cache.get_or_generate("q", model))
        await asyncio.sleep(0)
        go.set()
        results = await asyncio.gather(leader, follower, return_exceptions=True)
        return calls, results

    calls, (first, second) = asyncio.run(run())
    assert isinstance(first, asyncio.CancelledError)
    assert (second.response, len(calls)) == ("a", 2)


@pytest.mark.parametrize("on_abandon", ["cancel", "drain"])
def test_a_flight_whose_task_is_cancelled_before_its_first_turn_is_landed(on_abandon):
    cache = Cache(policy=CachePolicy(on_abandon=on_abandon))

    async def run():
        before = asyncio.all_tasks()
        asking = asyncio.create_task(cache.get_or_generate("q", Model()))
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - before
        assert len(tasks) == 2, "the caller's and the flight's"
        for task in tasks:
            task.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return await cache.get_or_generate("q", Model())

    assert in_time(run()).source == "llm_call"
    assert len(cache.flights) == 0


def test_a_seat_that_is_left_twice_leaves_the_others_theirs():
    flights, stopped = FlightTable(), []
    seats = [flights.seat(), flights.seat()]
    assert [flights.join(seat, b"k") for seat in seats] == [True, False]
    flight = seats[0].flight
    flight.cancel = lambda: stopped.append(1)
    for _ in range(3):
        seats[0].leave()
    assert (flight.waiters, stopped) == (1, [])
    seats[1].leave()
    assert (flight.waiters, stopped, flight.detached) == (0, [1], True)
    flights.land(flight, "late")
    assert flights.join(flights.seat(), b"k")
