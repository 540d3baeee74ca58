"""One call for all who ask the same at the same time."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from contextvars import copy_context

import pytest

from encoders import TopicEncoder
from llmfast import Cache, CachePolicy
from llmfast._flight import ABANDONED, FlightTable, Seat, as_inside, is_inside


class Gate:
    """A model that answers when it is told to."""

    def __init__(self):
        self.calls, self.cancelled = 0, 0
        self.entered, self.open, self.stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, query):
        self.calls += 1
        self.entered.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.stopped.set()
            raise
        return {"answer": query}


def test_a_thousand_identical_misses_make_one_call():
    async def run():
        gate, cache = Gate(), Cache(encoder=TopicEncoder())
        waiting = [asyncio.ensure_future(cache.get_or_generate("t/=", gate)) for _ in range(1000)]
        await gate.entered.wait()
        gate.open.set()
        return gate, cache, await asyncio.gather(*waiting)

    gate, cache, answers = asyncio.run(run())
    assert gate.calls == 1
    assert [answer.response for answer in answers] == [{"answer": "t/="}] * 1000
    assert {answer.source for answer in answers} == {"llm_call"}
    assert sum(answer.coalesced for answer in answers) == 999
    assert len({id(answer.response) for answer in answers}) == 1000, "everybody has a copy"
    assert (cache.stats().llm_calls, cache.stats().coalesced, len(cache.flights)) == (1, 999, 0)


def test_who_changes_a_shared_answer_changes_nobody_elses():
    async def run():
        gate, cache = Gate(), Cache()
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", gate)) for _ in range(10)]
        await gate.entered.wait()
        gate.open.set()
        for one in waiting:
            answer = (await one).response
            assert answer == {"answer": "q"}
            answer.clear()
        return await cache.get_or_generate("q", gate)

    assert asyncio.run(run()).response == {"answer": "q"}


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
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
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
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
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


def test_an_answer_that_cannot_be_copied_is_not_shared():
    async def run():
        async def model(_):
            values.append(object())
            entered.set()
            await go.wait()
            return values[-1]

        values, entered, go, cache = [], asyncio.Event(), asyncio.Event(), Cache()
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", model)) for _ in range(3)]
        await entered.wait()
        go.set()
        return values, await asyncio.gather(*waiting)

    values, answers = asyncio.run(run())
    assert len(values) == 3
    assert {id(answer.response) for answer in answers} == {id(value) for value in values}
    assert not any(answer.coalesced for answer in answers)


def test_a_question_asked_inside_its_own_call_does_not_wait_for_itself():
    async def run():
        async def model(query):
            depth.append(query)
            if len(depth) < 3:
                return (await cache.get_or_generate("q", model)).response
            return "bottom"

        depth, cache = [], Cache()
        return await cache.get_or_generate("q", model)

    assert asyncio.run(run()).response == "bottom"
    cache = Cache()
    inner = lambda query: cache.get_or_generate_sync(query, str.upper).response  # noqa: E731
    assert cache.get_or_generate_sync("q", inner).response == "Q"


def test_calls_that_ask_for_each_other_do_not_wait_for_each_other():
    async def run():
        async def ask(query):
            other = "b" if query == "a" else "a"
            inside[query].set()
            await inside[other].wait()
            return f"{query} and {(await cache.get_or_generate(other, lambda query: query)).response}"

        inside, cache = {"a": asyncio.Event(), "b": asyncio.Event()}, Cache()
        both = asyncio.gather(cache.get_or_generate("a", ask), cache.get_or_generate("b", ask))
        return await asyncio.wait_for(both, 10)

    assert [answer.response for answer in asyncio.run(run())] == ["a and b", "b and a"]


def test_a_task_that_outlives_the_call_that_began_it_shares_flights():
    async def run():
        cache, asked, gate = Cache(), asyncio.Queue(), Gate()
        loop = asyncio.get_running_loop()

        async def serve():
            answers = []
            while (question := await asked.get()) is not None:
                answers.append(asyncio.ensure_future(cache.get_or_generate(question, gate)))
            return await asyncio.gather(*answers)

        async def begin(query):
            started.append(loop.create_task(serve()))
            return query

        started = []
        await cache.get_or_generate("first", begin)
        for question in ["q"] * 20 + [None]:
            asked.put_nowait(question)
        await gate.entered.wait()
        gate.open.set()
        return gate, await started[0]

    gate, answers = asyncio.run(run())
    assert (gate.calls, len(answers)) == (1, 20)


def test_a_task_that_an_encoder_began_is_inside_until_the_call_is_over():
    with as_inside():
        with as_inside():
            context = copy_context()
        assert context.run(is_inside)
        assert is_inside()
    assert not context.run(is_inside)
    assert not is_inside()


def test_a_callable_that_raises_stop_iteration_hangs_nobody():
    async def run():
        return await asyncio.wait_for(Cache().get_or_generate("q", lambda _: next(iter(()))), 10)

    with pytest.raises(RuntimeError, match="raised StopIteration"):
        asyncio.run(run())


def test_what_all_raise_does_not_grow_with_their_number():
    async def run():
        async def fail(_):
            await asyncio.sleep(0)
            raise OSError("no network")

        cache = Cache()
        results = await asyncio.gather(*[cache.get_or_generate("q", fail) for _ in range(200)], return_exceptions=True)
        return len(traceback.extract_tb(results[0].__traceback__))

    assert asyncio.run(run()) < 30


def test_a_flight_whose_loop_was_closed_is_abandoned_when_somebody_asks():
    flights, loop, woken = FlightTable(), asyncio.new_event_loop(), []

    async def begin():
        return flights.join(b"k", loop), flights.join(b"k")

    (stranded, leads), other = loop.run_until_complete(begin())
    assert leads
    assert other == (stranded, False)
    flights.listen(stranded, lambda: woken.append(stranded.outcome))
    alone, leads = flights.join(b"k")
    assert leads, "a loop that has stopped may never run again: whoever asks now makes a call of its own"
    flights.land(alone, ABANDONED)
    loop.close()
    fresh, leads = flights.join(b"k")
    assert leads
    assert woken == [ABANDONED]
    assert flights.join(b"k") == (fresh, False)


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
    parents, _ = flights.join(b"k", label="parent")
    seat = Seat(flights, parents, drain=False)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    own, leads = flights.join(b"k", label="own")
    assert (leads, own.number, own.waiters) == (True, parents.number, 1)
    seat.leave()
    flights.detach_one(parents)
    flights.land(parents, "late")
    assert (own.waiters, own.detached, own.told, flights.join(b"k")) == (1, False, False, (own, False))


def test_semantic_hits_are_shared_too():
    async def run():
        cache = Cache(encoder=(encoder := TopicEncoder()))
        await cache.get_or_generate("t/=", lambda query: query)
        answers = await asyncio.gather(*[cache.get_or_generate("t/a", lambda query: query) for _ in range(50)])
        return encoder, answers

    encoder, answers = asyncio.run(run())
    assert {answer.source for answer in answers} == {"semantic_hit"}
    assert encoder.texts == ["t/=", "t/a"]


def test_who_waits_with_a_stricter_policy_does_not_take_a_looser_answer():
    class Held(TopicEncoder):
        def encode(self, texts):
            if texts == ["t/a"] and not joined.is_set():
                assert joined.wait(10)
            return super().encode(texts)

    async def run():
        cache = Cache(encoder=Held(closeness=0.9))
        await cache.get_or_generate("t/=", lambda query: f"answer to {query}")
        kinds = ["exploratory", "critical", "critical", "general", "exploratory"]
        waiting = [asyncio.ensure_future(cache.get_or_generate("t/a", model, kind=kind)) for kind in kinds]
        waiting.append(asyncio.ensure_future(cache.get_or_generate("t/a", model, kind="exploratory", ttl=1e-9)))
        await asyncio.sleep(0)
        assert [flight.waiters for flight in cache.flights._flights.values()] == [6]
        joined.set()
        return await asyncio.gather(*waiting)

    async def model(query):
        calls.append(query)
        await asyncio.sleep(0)
        return f"answer to {query}"

    joined, calls = threading.Event(), []
    answers = asyncio.run(run())
    assert [answer.response for answer in answers] == [
        "answer to t/=", "answer to t/a", "answer to t/a", "answer to t/a", "answer to t/=", "answer to t/a"
    ]  # fmt: skip
    assert answers[1].coalesced != answers[2].coalesced, "the strict ones share a call"


def test_loops_and_threads_share_one_call():
    calls, answers, lock = [], [], threading.Lock()
    go, cache = threading.Event(), Cache()
    ready = threading.Barrier(7)

    def model(query):
        with lock:
            calls.append(query)
        assert go.wait(10)
        return ["answer"]

    def with_loop():
        async def run():
            requests = [asyncio.ensure_future(cache.get_or_generate("q", model)) for _ in range(250)]
            await asyncio.sleep(0)
            ready.wait(10)
            return await asyncio.gather(*requests)

        found = asyncio.run(run())
        with lock:
            answers.extend(found)

    def without_loop():
        ready.wait(10)
        found = cache.get_or_generate_sync("q", model)
        with lock:
            answers.append(found)

    threads = [threading.Thread(target=with_loop) for _ in range(4)]
    threads += [threading.Thread(target=without_loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait(10)
    go.set()
    for thread in threads:
        thread.join(20)
    # A thread that came after the landing hits what was stored; nobody calls again.
    assert calls == ["q"]
    assert [answer.response for answer in answers] == [["answer"]] * 1002


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


# ---- invalidation in flight ------------------------------------------------------------------------------------------


def test_a_detached_flight_answers_those_who_wait_and_stores_nothing():
    async def run():
        old, new, other, cache = Gate(), Gate(), Gate(), Cache(encoder=TopicEncoder())
        waiting = [asyncio.ensure_future(cache.get_or_generate("t/=", old, tags=["t"])) for _ in range(3)]
        beside = asyncio.ensure_future(cache.get_or_generate("u/=", other))
        await asyncio.gather(old.entered.wait(), other.entered.wait())
        assert cache.flights.detach(lambda plan: "t" in plan.ask.tags) == 1
        assert cache.flights.detach(lambda plan: "t" in plan.ask.tags) == 0, "it is detached already"
        late = asyncio.ensure_future(cache.get_or_generate("t/=", new))
        await new.entered.wait()
        for gate in (new, other):
            gate.open.set()
        await asyncio.gather(late, beside)
        old.open.set()
        return old, cache, await asyncio.gather(*waiting), await late, await cache.get_or_generate("t/=", new)

    old, cache, answers, late, after = asyncio.run(run())
    assert old.calls == 1
    assert [answer.response for answer in answers] == [{"answer": "t/="}] * 3
    assert {answer.key for answer in answers} == {None}, "nothing of theirs is stored"
    assert (late.coalesced, after.source, after.key) == (False, "exact_hit", late.key)
    assert (cache.stats().rows, cache.stats().vectors, cache.stats().not_stored) == (2, 2, 1)
    counts = {"led": 3, "followed": 2, "answered": 3, "failed": 0, "abandoned": 0, "detached": 1}
    assert cache.flights.counts() == counts


def test_a_call_inside_of_a_flight_is_detached_too():
    async def run():
        async def outer(_):
            return (await cache.get_or_generate("inner", gate)).response

        gate, cache = Gate(), Cache()
        request = asyncio.ensure_future(cache.get_or_generate("outer", outer))
        await gate.entered.wait()
        assert cache.flights.detach(lambda plan: plan.ask.query == "inner") == 1
        gate.open.set()
        await request
        return [row.source for row in [await cache.get_or_generate(key, str.upper) for key in ("inner", "outer")]]

    assert asyncio.run(run()) == ["llm_call", "exact_hit"]


def test_a_call_that_drains_for_nobody_is_cancelled_when_it_is_detached():
    async def run():
        gate, cache = Gate(), Cache(policy=CachePolicy(on_abandon="drain"))
        leader = asyncio.ensure_future(cache.get_or_generate("q", gate))
        await gate.entered.wait()
        leader.cancel()
        await asyncio.gather(leader, return_exceptions=True)
        assert len(cache.flights) == 1
        assert cache.flights.detach(lambda _: True) == 1
        await asyncio.wait_for(gate.stopped.wait(), 10)
        return cache

    cache = asyncio.run(run())
    assert (len(cache.flights), cache.stats().rows) == (0, 0)


def test_a_seat_that_is_left_twice_leaves_the_others_theirs():
    flights, stopped = FlightTable(), []
    flight, _ = flights.join(b"k")
    flight.cancel = lambda: stopped.append(1)
    seats = [Seat(flights, flight, drain=False), Seat(flights, flights.join(b"k")[0], drain=False)]
    for _ in range(3):
        seats[0].leave()
    assert (flight.waiters, stopped) == (1, [])
    seats[1].leave()
    assert (flight.waiters, stopped, flight.detached) == (0, [1], True)
    flights.land(flight, "late")
    assert flights.join(b"k")[1]


def test_an_answer_that_could_not_be_admitted_is_shared_all_the_same(monkeypatch, caplog):
    async def run():
        gate, cache = Gate(), Cache()
        monkeypatch.setattr(cache, "admit", lambda *_: 1 / 0)
        waiting = [asyncio.ensure_future(cache.get_or_generate("q", gate)) for _ in range(5)]
        await gate.entered.wait()
        gate.open.set()
        return gate, cache, await asyncio.gather(*waiting)

    gate, cache, answers = asyncio.run(run())
    assert (gate.calls, [answer.response for answer in answers]) == (1, [{"answer": "q"}] * 5)
    assert (cache.stats().failures, answers[0].key) == ({"admission": 1}, None)


def unreadable_index(cache):
    return {"choices": [{"index": [0], "finish_reason": "stop", "message": {"content": "x"}}]}


def unreadable_status(cache):
    return {"type": "response.queued", "response": {"object": "response", "status": ["queued"]}}


def timeless(cache):
    cache.clock = lambda: 1 / 0
    return {"answer": "x"}


@pytest.mark.parametrize("making", [unreadable_index, unreadable_status, timeless])
def test_an_answer_that_cannot_be_judged_or_dated_is_shared_all_the_same(making, caplog):
    async def run():
        gate, cache = Gate(), Cache()

        async def call(query):
            await gate(query)
            return making(cache)

        waiting = [asyncio.ensure_future(cache.get_or_generate("q", call)) for _ in range(5)]
        await gate.entered.wait()
        gate.open.set()
        return gate.calls, await asyncio.gather(*waiting)

    calls, answers = asyncio.run(run())
    assert calls == 1
    assert [answer.response for answer in answers] == [making(Cache())] * 5


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


def test_an_encoder_that_asks_the_cache_waits_for_no_flight():
    class Asks(TopicEncoder):
        cache = None

        def encode(self, texts):
            cache, self.cache = self.cache, None
            if cache is not None:
                cache.get_or_generate_sync(texts[0], lambda _: "inner")
            return super().encode(texts)

    async def run():
        async def outer(_):
            return "outer"

        encoder = Asks()
        cache = encoder.cache = Cache(encoder=encoder)
        return await asyncio.wait_for(cache.get_or_generate("q", outer), 10)

    assert asyncio.run(run()).response in ("inner", "outer")
