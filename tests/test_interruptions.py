"""What a signal's handler raises, such as KeyboardInterrupt, leaves the cache whole, wherever it comes."""

from __future__ import annotations

import gc
import threading
import warnings

import numpy as np
import pytest

from asking import Clock
from interrupting import each_interruption
from llmfast import PUBLIC, Cache, CachePolicy
from llmfast._flight import ABANDONED, FlightTable, is_inside
from llmfast._invalidation import Criteria
from llmfast._loop_thread import LoopThread

LONG_S = 30.0

#: The code that keeps rows, vectors and flights, and what leads there.
STORING = ("_memory.py", "_groups.py", "_ids.py", "_storing.py", "_semantic.py")
FLYING = ("_flight.py", "_engine.py", "_drivers.py")

#: An answer lives for 100 s, and questions of one topic are the same.
POLICY = CachePolicy(mode="static", ttl=100.0, jitter=0.0)


class TimeLimit(Exception):
    """What the handler of an alarm raises."""


class Topics:
    """Texts that begin with the same letter are near each other."""

    dim, fingerprint = 8, "first letters"

    def encode(self, texts):
        vectors = np.zeros((len(texts), self.dim))
        for vector, text in zip(vectors, texts, strict=True):
            vector[ord(text[0]) % 4], vector[4 + ord(text[-1]) % 4] = 1.0, 0.1
        return vectors


def cache_of(*questions, clock=None, capacity=100, **keywords):
    cache = Cache(encoder=Topics(), clock=clock or Clock(), capacity=capacity, policy=POLICY)
    for question in questions:
        cache.get_or_generate_sync(question, lambda _: "old", **keywords)
    return cache


def elsewhere(function, *arguments, **keywords):
    """Do it in another thread, which would wait for ever for a lock or a flight that was left behind."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*arguments, **keywords)), daemon=True)
    thread.start()
    thread.join(LONG_S)
    assert results, "it waits for ever, or failed"
    return results[0]


def ask_all(cache, questions, **keywords):
    return [cache.get_or_generate_sync(question, lambda _: "new", **keywords).response for question in questions]


def check(cache):
    """Every row is found by all that it can be taken back by, every key has the groups that are noted for it."""
    memory = cache._memory
    assert not is_inside()
    assert len(cache.flights) == 0
    for key in list(memory.rows_by_key):
        row = memory.rows_by_key.peek(key)
        named = [Criteria(scope=row.scope), Criteria(until=row.created_at), *(Criteria(tag=tag) for tag in row.tags)]
        for criteria in [*named, *([Criteria(version=row.version)] if row.version else [])]:
            assert key in set(memory.candidates(criteria)), criteria
    for shelf in memory._groups._shelves:
        for group, keys in shelf.keys_of.items():
            assert all(group in shelf._groups[shelf._number_by_key[key]] for key in keys)
        numbers = list(shelf._number_by_key.values())
        assert all(shelf._rows[number] >= numbers.count(number) for number in numbers)
    for key in memory.ids:
        assert memory.ids.key_of(memory.ids.id_of(key)) in (key, None)


def check_emptied(cache):
    cache.clear()
    memory = cache._memory
    assert (memory.rows, memory.vectors, len(memory._groups), len(memory.index)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("error", "files", "step"),
    [(KeyboardInterrupt, STORING, 1), (KeyboardInterrupt, FLYING, 1), (TimeLimit, FLYING, 3)],
)
def test_a_request_that_is_interrupted_leaves_all_whole(error, files, step):
    for interruption in each_interruption(error, *files, step=step):
        clock = Clock()
        cache = cache_of("a1", "b1", "c1", clock=clock, capacity=3, tags=["before", "both"], version="1")
        clock.now += 200
        try:
            with interruption.around():
                # One that takes the place of another, with other tags, and one that has another one evicted.
                cache.get_or_generate_sync("a1", lambda _: "old", tags=["both", "doc"], version="1")
                cache.get_or_generate_sync("d1", lambda _: "old", tags=["doc"], version="2")
        except error:
            pass
        check(cache)
        elsewhere(ask_all, cache, ("a1", "d1", "a2"), tags=["doc"])
        check(cache)
        cache.invalidate_sync(tag="doc")
        cache.invalidate_sync(tag="both")
        assert cache.stats().rows == 0
        assert ask_all(cache, ["a1"]) == ["new"]
        check_emptied(cache)
    assert interruption.nth > 50


def test_who_waits_for_a_leader_that_is_interrupted_goes_on():
    for interruption in each_interruption(KeyboardInterrupt, *FLYING):
        cache, answers = Cache(), []

        def follow(cache=cache, answers=answers):
            answers.append(cache.get_or_generate_sync("q", lambda _: "new").response)

        follower = threading.Thread(target=follow, daemon=True)

        def model(_, cache=cache, follower=follower):
            (flight,) = cache.flights._flights.values()
            follower.start()
            while flight.waiters < 2:
                pass
            return "old"

        try:
            with interruption.around():
                cache.get_or_generate_sync("q", model)
        except KeyboardInterrupt:
            pass
        if follower.ident is not None:
            follower.join(LONG_S)
            assert answers in (["old"], ["new"])
        check(cache)
    assert interruption.nth > 50


def test_a_search_that_is_interrupted_leaves_all_whole():
    for interruption in each_interruption(KeyboardInterrupt, *STORING):
        clock = Clock()
        cache = cache_of("a1", "a2", "a3", "a4", "a5", clock=clock, tags=["doc"])
        clock.now += 200
        cache.get_or_generate_sync("b1", lambda _: "old", scope=PUBLIC, user="first")
        try:
            with interruption.around():
                # Removes the rows that are over on its way.
                cache.get_or_generate_sync("a6", lambda _: "old", tags=["doc"])
                row = cache._memory.rows_by_key.peek(cache._memory._held and next(iter(cache._memory._held)))
                cache.release(row)
                answer = cache.get_or_generate_sync("a7", lambda _: "old", tags=["doc"])
                cache.feedback_sync(answer, ok=False)
        except KeyboardInterrupt:
            pass
        check(cache)
        elsewhere(ask_all, cache, ("a1", "a6", "a8", "b1"), tags=["doc"])
        check(cache)
        wrong = cache.semantic._wrong
        assert all(wrong.known[key] >= list(wrong._keys.values()).count(key) for key in wrong._keys.values())
        cache.invalidate_sync(tag="doc")
        assert cache.stats().rows <= 1, "the public one"
        check_emptied(cache)
    assert interruption.nth > 50


def test_an_invalidation_that_is_interrupted_is_done_by_the_next_one():
    files = ("_memory.py", "_groups.py", "_ids.py", "_invalidation.py", "_cache.py")
    for interruption in each_interruption(KeyboardInterrupt, *files, step=11):
        cache = cache_of("a1", "b1", tags=["doc", "more"], version="1")
        cache.get_or_generate_sync("c1", lambda _: "old", tags=["more"])
        try:
            with interruption.around():
                cache.invalidate_sync(tag="doc")
                cache.clear()
        except KeyboardInterrupt:
            pass
        check(cache)
        cache.invalidate_sync(tag="doc")
        assert elsewhere(ask_all, cache, ("a1", "b1")) == ["new", "new"]
        cache.invalidate_sync(older_than=0)
        assert cache.stats().rows == 0
        check_emptied(cache)
    assert interruption.nth > 50


def test_who_joins_a_flight_and_is_interrupted_has_left_it():
    """Whoever is not in it any more must not keep the call going, nor have it wait for somebody who reads."""
    for interruption in each_interruption(KeyboardInterrupt, "_flight.py"):
        flights = FlightTable()
        leader, follower = flights.seat(), flights.seat()
        assert flights.join(leader, b"k")
        try:
            with interruption.around():
                flights.join(follower, b"k")
                flights.listen(follower.flight, lambda: None)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            flights.give_up(follower)
        # Between the state machine's word and its being noted here nobody knows of the seat: the call goes on then.
        assert leader.flight.waiters == 1 or follower.flight is follower.own
        flights.land(leader.flight, ABANDONED)
        assert flights.join(flights.seat(), b"k")


def test_a_flight_that_was_begun_and_never_entered_is_over():
    flights = FlightTable()
    flights._state.join(b"k")
    seat = flights.seat()
    assert flights.join(seat, b"k")
    assert flights.counts()["abandoned"] == 1
    assert flights.detach(lambda _: True) == 0


def test_vectors_without_a_key_are_passed_by_and_removed():
    cache = cache_of("a1")
    memory, vector = cache._memory, Topics().encode(["a1"])[0]
    (key,) = memory.rows_by_key
    partition = memory.rows_by_key.peek(key).partition
    for stray in range(100, 300):
        memory.index.add(stray, vector, partition=partition)
    cache.policies["general"] = CachePolicy(mode="shadow", ttl=100.0)
    elsewhere(ask_all, cache, ["a2"])
    cache.policies["general"] = POLICY
    assert elsewhere(ask_all, cache, ["a3"]) == ["old"]
    cache.invalidate_sync(older_than=0)
    assert elsewhere(ask_all, cache, ["a4"]) == ["new"]
    assert len(memory.index) == memory.vectors == 1


def test_a_search_ends_though_what_it_meets_stays(monkeypatch):
    cache = cache_of("a1")
    memory, vector = cache._memory, Topics().encode(["a1"])[0]
    (key,) = memory.rows_by_key
    partition = memory.rows_by_key.peek(key).partition
    cache.invalidate_sync(older_than=0)
    for stray in range(100, 300):
        memory.index.add(stray, vector, partition=partition)
    monkeypatch.setattr(memory, "_forget_stray", lambda _: None)
    assert elsewhere(ask_all, cache, ["a2"]) == ["new"]


def test_a_loop_s_thread_that_was_interrupted_as_it_began_begins_again():
    async def answer():
        return 1

    with warnings.catch_warnings():
        # Of loops that were made and never ran.
        warnings.simplefilter("ignore", ResourceWarning)
        for interruption in each_interruption(KeyboardInterrupt, "_loop_thread.py"):
            loop = LoopThread()
            try:
                with interruption.around():
                    loop._started()
            except KeyboardInterrupt:
                pass
            assert elsewhere(lambda loop=loop: loop.wait(answer())) == 1
        del loop
        gc.collect()
