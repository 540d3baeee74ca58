"""How flights end that do not end well, by an error or with a loop or a process: nobody hangs."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import traceback

import pytest

from encoders import TopicEncoder
from llmfast import Cache, Engine
from llmfast._flight import ABANDONED, FlightTable
from loops import in_time, turns


def test_a_call_that_raises_fails_all_and_stores_nothing():
    async def model(_):
        calls.append(1)
        await asyncio.sleep(0)
        raise OSError("no network")

    async def run():
        cache = Cache()
        requests = [cache.get_or_generate("q", model) for _ in range(1000)]
        return cache, await asyncio.gather(*requests, return_exceptions=True)

    calls = []
    cache, results = asyncio.run(run())
    assert len(calls) == 1
    assert {type(result) for result in results} == {OSError}
    assert (cache.stats().rows, len(cache.flights)) == (0, 0)


def test_what_all_raise_does_not_grow_with_their_number():
    async def run():
        async def fail(_):
            await asyncio.sleep(0)
            raise OSError("no network")

        cache = Cache()
        results = await asyncio.gather(*[cache.get_or_generate("q", fail) for _ in range(200)], return_exceptions=True)
        return len(traceback.extract_tb(results[0].__traceback__))

    assert asyncio.run(run()) < 30


def test_a_callable_that_raises_stop_iteration_hangs_nobody():
    async def run():
        return await asyncio.wait_for(Cache().get_or_generate("q", lambda _: next(iter(()))), 10)

    with pytest.raises(RuntimeError, match="raised StopIteration"):
        asyncio.run(run())


def leaves(_):
    raise GeneratorExit


async def leaves_late(_):
    await asyncio.sleep(0)
    raise GeneratorExit


async def leaves_midway(_):
    yield "a"
    raise GeneratorExit


@pytest.mark.parametrize("model", [leaves, leaves_late, leaves_midway])
@pytest.mark.parametrize("asked", [Cache, Engine])
def test_a_callable_that_raises_generator_exit_fails_as_any_other(model, asked):
    async def ask(service):
        answer = await service.get_or_generate("q", model)
        return [item async for item in answer.response]

    async def run():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
        service = asked()
        found = await asyncio.gather(*(ask(service) for _ in range(3)), return_exceptions=True)
        await turns(3)
        gc.collect()
        return found, complaints

    found, complaints = in_time(run())
    assert [type(error) for error in found] == [RuntimeError] * 3
    assert all("raised GeneratorExit" in str(error) for error in found)
    assert complaints == []


@pytest.mark.parametrize("asked", [Cache, Engine])
def test_in_a_thread_too(asked):
    with pytest.raises(RuntimeError, match="raised GeneratorExit"):
        asked().get_or_generate_sync("q", leaves)


def test_what_is_no_exception_reaches_the_caller_as_it_was_raised():
    class Stop(BaseException):
        pass

    async def stop(_):
        raise Stop("enough")

    async def run():
        cache = Cache()
        return await asyncio.gather(*[cache.get_or_generate("q", stop) for _ in range(3)], return_exceptions=True)

    assert [type(outcome) for outcome in in_time(run())] == [Stop] * 3


def test_a_listener_that_fails_holds_up_no_reader(caplog):
    async def words(_):
        yield "a"
        yield "b"

    async def run():
        told = []
        answer = await Cache().get_or_generate("q", words)
        answer.response.when_ended(lambda *_: 1 / 0)
        answer.response.when_ended(lambda model, _: told.append(model))
        return [item async for item in answer.response], told

    assert in_time(run()) == (["a", "b"], [""])
    assert "ZeroDivisionError" in caplog.text


# ---- what can fail between joining and landing -----------------------------------------------------------------------


def deep(depth, call):
    return call() if depth == 0 else deep(depth - 1, call)


async def deep_async(depth, call):
    return await call() if depth == 0 else await deep_async(depth - 1, call)


@pytest.fixture
def shallow():
    """Room for a few hundred calls, so that every one of ours fails at some depth."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(before)


def test_whoever_asks_at_the_limit_of_recursion_hangs_nobody(shallow):
    failed = 0
    for depth in range(250, 400):
        cache = Cache(encoder=TopicEncoder())
        cache.get_or_generate_sync("warm", lambda query: query)
        try:
            deep(depth, lambda cache=cache: cache.get_or_generate_sync("q", lambda query: "deep"))
        except RecursionError:
            failed += 1
        later = threading.Thread(target=cache.get_or_generate_sync, args=("q", lambda query: "later"), daemon=True)
        later.start()
        later.join(10)
        assert not later.is_alive(), depth
    assert failed > 20


def test_whoever_awaits_at_the_limit_of_recursion_hangs_nobody(shallow):
    async def run():
        failed = 0
        for depth in range(250, 400):
            cache = Cache(encoder=TopicEncoder())
            await cache.get_or_generate("warm", answer)
            try:
                await deep_async(depth, lambda cache=cache: cache.get_or_generate("q", answer))
            except RecursionError:
                failed += 1
            assert (await asyncio.wait_for(cache.get_or_generate("q", answer), 10)).response == "q", depth
        return failed

    async def answer(query):
        return query

    assert asyncio.run(run()) > 20


def test_a_task_that_cannot_be_made_strands_nobody():
    def none(loop, coroutine, **keywords):
        coroutine.close()
        raise RuntimeError("no more tasks")

    async def run():
        async def answer(query):
            return query

        loop, cache = asyncio.get_running_loop(), Cache()
        loop.set_task_factory(none)
        with pytest.raises(RuntimeError, match="no more tasks"):
            await cache.get_or_generate("q", answer)
        loop.set_task_factory(None)
        return await asyncio.wait_for(cache.get_or_generate("q", answer), 10), len(cache.flights)

    answer, left = asyncio.run(run())
    assert (answer.source, left) == ("llm_call", 0)


# ---- loops and processes that end ------------------------------------------------------------------------------------


def test_a_flight_whose_loop_was_closed_is_abandoned_when_somebody_asks():
    flights, loop, woken = FlightTable(), asyncio.new_event_loop(), []

    def join(loop=None):
        seat = flights.seat(loop)
        return seat.flight, flights.join(seat, b"k"), seat.flight

    async def begin():
        return join(loop), join()

    (stranded, leads, _), (_, follows, other) = loop.run_until_complete(begin())
    assert (leads, follows, other) == (True, False, stranded)
    flights.listen(stranded, lambda: woken.append(stranded.outcome))
    _, leads, alone = join()
    assert leads, "a loop that has stopped may never run again: whoever asks now makes a call of its own"
    flights.land(alone, ABANDONED)
    assert stranded.waiters == 2
    loop.close()
    _, leads, fresh = join()
    assert leads
    assert woken == [ABANDONED]
    assert join()[1:] == (False, fresh)


def test_a_loop_that_ends_under_a_call_does_not_strand_the_others():
    async def hang(_):
        entered.set()
        await asyncio.Event().wait()

    async def lead():
        request = asyncio.ensure_future(cache.get_or_generate("q", hang))
        await asyncio.to_thread(followed.wait, 10)
        del request

    def follow():
        assert entered.wait(10)
        flight = cache.flights._flights[next(iter(cache.flights._flights))]
        found.append(None)
        waiter = threading.Thread(target=lambda: found.append(cache.get_or_generate_sync("q", str.upper)))
        waiter.start()
        while flight.waiters < 2:
            pass
        followed.set()
        waiter.join(10)

    cache, entered, followed, found = Cache(), threading.Event(), threading.Event(), []
    other = threading.Thread(target=follow)
    other.start()
    asyncio.run(lead())
    other.join(10)
    assert found[-1].response == "Q"


def test_a_thread_does_not_wait_for_a_loop_that_was_stopped():
    cache = Cache()

    async def leave_behind():
        asyncio.get_running_loop().call_later(0, lambda: None)
        asking = asyncio.ensure_future(cache.get_or_generate("q", hold))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asking

    async def hold(_):
        await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    asking = loop.run_until_complete(leave_behind())
    assert cache.get_or_generate_sync("q", str.upper).response == "Q"
    asking.cancel()
    loop.run_until_complete(asyncio.gather(asking, return_exceptions=True))
    loop.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_its_parents_calls():
    cache, entered, go = Cache(), threading.Event(), threading.Event()

    def hold(_):
        entered.set()
        go.wait(10)
        return "parent"

    leader = threading.Thread(target=cache.get_or_generate_sync, args=("q", hold))
    leader.start()
    assert entered.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if cache.get_or_generate_sync("q", str.upper).response == "Q" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    go.set()
    leader.join(10)


def test_what_a_child_inherited_does_not_touch_its_own_flights(monkeypatch):
    flights = FlightTable()
    parents = flights.seat(label="parent")
    flights.join(parents, b"k")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    own, later = flights.seat(label="own"), flights.seat()
    assert flights.join(own, b"k")
    flight = own.flight
    assert (flight.number, flight.waiters) == (parents.flight.number, 1)
    parents.leave()
    flights.detach_one(parents.flight)
    flights.land(parents.flight, "late")
    assert (flight.waiters, flight.detached, flight.told) == (1, False, False)
    assert (flights.join(later, b"k"), later.flight) == (False, flight)
