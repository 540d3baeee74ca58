"""`LruCache.get_or_insert_with` when others come in between: keys that run Python code, signals."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from llmfast import LruCache


class Key:
    """A key whose comparisons are where somebody else gets in: at the one numbered `at`, once."""

    def __init__(self, cache, at):
        self.cache, self.at, self.seen = cache, at, 0

    def __hash__(self):
        self.step()
        return 7

    def __eq__(self, other):
        self.step()
        return isinstance(other, Key)

    def step(self):
        self.seen += 1
        if self.seen == self.at:
            self.cache.remove(Key(self.cache, 0))
            assert self.cache.get_or_insert_with(Key(self.cache, 0), lambda: "another's") in ("mine", "another's")


def test_another_that_takes_over_at_any_comparison_is_no_error():
    for at in range(1, 100):
        cache = LruCache(10)
        key = Key(cache, at)
        assert cache.get_or_insert_with(key, lambda: "mine") in ("mine", "another's")
        assert cache.get(Key(cache, 0)) in ("mine", "another's")
        # Nothing is left of any flight: who asks next computes anew.
        cache.clear()
        assert cache.get_or_insert_with(Key(cache, 0), lambda: "the next") == "the next"
        if key.seen < at:
            return
    pytest.fail("it never ends comparing")


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="the system sends no signals to threads")
def test_a_signal_whose_handler_waits_for_another_flight_leaves_the_wait_as_it_was():
    cache, turn, turn_of_inner, handled = LruCache(10), *(threading.Semaphore(0) for _ in range(3))
    led = {"outer": threading.Event(), "inner": threading.Event()}

    def outer():
        led["outer"].set()
        turn.acquire(timeout=30)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        handled.acquire(timeout=30)
        return "outer"

    def inner():
        led["inner"].set()
        turn_of_inner.acquire(timeout=30)
        return "inner"

    def handler(*_):
        turn_of_inner.release()
        answers.append(cache.get_or_insert_with("inner", str))
        handled.release()

    answers, threads = [], []
    for key, factory in (("outer", outer), ("inner", inner)):
        threads.append(threading.Thread(target=cache.get_or_insert_with, args=(key, factory)))
        threads[-1].start()
        led[key].wait(30)
    before, interval = signal.signal(signal.SIGUSR1, handler), sys.getswitchinterval()
    # Nobody else runs until this thread waits.
    sys.setswitchinterval(30)
    try:
        turn.release()
        answers.append(cache.get_or_insert_with("outer", str))
    finally:
        sys.setswitchinterval(interval)
        signal.signal(signal.SIGUSR1, before)
        for thread in threads:
            thread.join(30)
    assert answers == ["inner", "outer"]
