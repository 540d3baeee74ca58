"""Threads of Python's that a cache has."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

from asking import ask, static
from encoders import TopicEncoder
from llmfast import Cache
from llmfast._worker import MOST_CALL_THREADS, Worker
from loops import LONG_S, in_time


def test_a_thread_ends_with_its_owner():
    worker = Worker()
    thread = worker.submit(threading.current_thread).result(10)
    dropped = weakref.ref(worker)
    del worker
    gc.collect()
    assert dropped() is None
    thread.join(10)
    assert not thread.is_alive()


def test_a_cache_that_is_dropped_leaves_no_thread():
    before = set(threading.enumerate())
    cache = static(encoder=TopicEncoder())
    ask(cache, "t/=", "t/1")
    threads = set(threading.enumerate()) - before
    gone = threading.Event()
    weakref.finalize(cache, gone.set)
    assert threads
    del cache
    # Its thread may still let go of the last job.
    assert any(gone.wait(0.01) for _ in range(1000) if gc.collect() >= 0)
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_as_many_synchronous_calls_as_there_may_be_threads_wait_at_a_time():
    all_there = threading.Barrier(MOST_CALL_THREADS)

    def model(query):
        all_there.wait(LONG_S)
        return query

    async def run():
        cache = Cache()
        return await asyncio.gather(*(cache.get_or_generate(str(n), model) for n in range(MOST_CALL_THREADS)))

    assert [answer.response for answer in in_time(run())] == [str(n) for n in range(MOST_CALL_THREADS)]
