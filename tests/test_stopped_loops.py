"""Loops that are stopped or closed under a call, as those are that run for one request at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from asking import Clock, Model
from llmfast import Cache, CachePolicy, ClosedError, _drivers, _flight
from loops import LONG_S, in_time


@pytest.fixture(autouse=True)
def short_looks(monkeypatch):
    for module in (_flight, _drivers):
        monkeypatch.setattr(module, "LOOK_AGAIN_AFTER", 0.01)


class Leader:
    """A loop that runs in a thread of its own until it is told to stop or to close."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks = []

    def begin(self, coroutine):
        async def begin():
            self._tasks.append(asyncio.ensure_future(coroutine))

        asyncio.run_coroutine_threadsafe(begin(), self.loop).result(LONG_S)

    def end(self, how):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(LONG_S)
        if how == "closed":
            self.loop.close()

    def tidy(self):
        if not self.loop.is_closed():
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()


@pytest.fixture
def leader():
    leader = Leader()
    yield leader
    if leader._thread.is_alive():
        leader.end("stopped")
    leader.tidy()


def in_thread(function, *arguments):
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments)), daemon=True)
    thread.start()
    return thread, found


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
@pytest.mark.parametrize("follows", ["sync", "async"])
@pytest.mark.parametrize("how", ["stopped", "closed"])
def test_who_waits_for_a_call_of_a_loop_that_ends_calls_itself(how, follows, leader):
    cache, entered = Cache(), threading.Event()

    async def hang(_):
        entered.set()
        await asyncio.Event().wait()

    leader.begin(cache.get_or_generate("q", hang))
    assert entered.wait(LONG_S)
    [flight] = cache.flights._flights.values()
    if follows == "sync":
        thread, found = in_thread(lambda: cache.get_or_generate_sync("q", str.upper))
    else:
        thread, found = in_thread(lambda: in_time(cache.get_or_generate("q", Model())))
    while flight.waiters < 2:
        assert thread.is_alive()
    leader.end(how)
    thread.join(LONG_S)
    assert [answer.response for answer in found] == [{"sync": "Q", "async": "q #1"}[follows]]
    assert cache.get_or_generate_sync("q", str.upper).source == "exact_hit"


@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
@pytest.mark.parametrize("how", ["stopped", "closed"])
def test_who_reads_along_on_a_loop_that_ends_is_told(how, leader):
    cache, begun, waits = Cache(), threading.Event(), threading.Event()

    async def hang(_):
        yield "a"
        begun.set()
        await asyncio.Event().wait()

    async def follow():
        answer = await cache.get_or_generate("q", hang)
        found = [await anext(answer.response)]
        asyncio.get_running_loop().call_soon(waits.set)
        with pytest.raises(ClosedError):
            await anext(answer.response)
        return found

    leader.begin(cache.get_or_generate("q", hang))
    assert begun.wait(LONG_S)
    thread, found = in_thread(lambda: in_time(follow()))
    assert waits.wait(LONG_S)
    leader.end(how)
    thread.join(LONG_S)
    assert found == [["a"]]


def test_a_renewal_on_a_loop_that_has_stopped_is_begun_anew(leader):
    clock, llm = Clock(), Model()
    policy = CachePolicy(ttl=10, jitter=0, stale_while_revalidate=3600)
    cache = Cache(policy=policy, clock=clock)
    cache.get_or_generate_sync("q", str.upper)
    clock.now += 20

    async def hang(_):
        await asyncio.Event().wait()

    asking = asyncio.run_coroutine_threadsafe(cache.get_or_generate("q", hang), leader.loop)
    assert asking.result(LONG_S).stale
    leader.end("stopped")

    async def other():
        first = await cache.get_or_generate("q", llm)
        for _ in range(1000):
            await asyncio.sleep(0)
            answer = await cache.get_or_generate("q", llm)
            if not answer.stale:
                break
        return first, answer

    first, second = in_time(other())
    assert (first.stale, second.response, llm.calls) == (True, "q #1", ["q"])
