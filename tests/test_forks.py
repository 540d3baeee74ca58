"""A forked child finds every lock open, and what it guards whole."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # it has hooks, and must not be imported while one forks
import faulthandler
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from llmfast import Cache, FlatIndex, LruCache, _forks as forks
from llmfast._worker import Worker

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

#: Seconds after which a child counts as hung.
HUNG = 30


class Encoder:
    """Makes a unit vector of a text's hash."""

    dim = 64
    fingerprint = "a test's"

    def encode(self, texts):
        rows = [np.random.default_rng(abs(hash(text))).normal(size=self.dim) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def child(work):
    """Fork; run `work` in the child; return its exit status, of a child that hangs the signal that ends it."""
    number = os.fork()
    if not number:
        # Where it hangs, if it does.
        faulthandler.dump_traceback_later(HUNG - 5, file=sys.__stderr__)
        signal.alarm(HUNG)
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


async def answer(query):
    return query.upper()


def held(lock, fork):
    """Return what `fork` does while another thread holds `lock`, which lets go of it a moment later."""
    has_taken, may_go = threading.Event(), threading.Event()

    def hold():
        with lock:
            has_taken.set()
            may_go.wait(HUNG)

    holder = threading.Thread(target=hold)
    holder.start()
    has_taken.wait(HUNG)
    threading.Timer(0.05, may_go.set).start()
    try:
        return fork()
    finally:
        may_go.set()
        holder.join()


def test_a_child_stores_and_finds_whatever_lock_another_thread_held():
    known = set(forks._all_locks())
    cache = Cache(encoder=Encoder())
    locks = [lock for lock in forks._all_locks() if lock not in known]
    assert len(locks) > 3

    def work():
        assert asyncio.run(cache.get_or_generate("a question", answer)).response == "A QUESTION"
        assert cache.stats().llm_calls == 1
        cache.clear()

    assert [held(lock, lambda: child(work)) for lock in locks] == [0] * len(locks)


def test_a_lock_that_is_held_at_a_fork_is_open_in_the_child_and_in_the_parent():
    locks = [forks.new_lock() for _ in range(5)]

    def work():
        assert all(lock.acquire(timeout=1) for lock in locks)

    assert held(locks[2], lambda: child(lambda: in_another_thread(work))) == 0
    in_another_thread(work)


def in_another_thread(work):
    """Run `work` in a thread, which takes no lock again that this one holds; raise what it raised."""
    raised = []

    def run():
        try:
            work()
        except BaseException as error:  # handed on
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in raised:
        raise error


def test_threads_that_take_locks_in_another_order_do_not_lock_out_who_forks():
    inner, outer = forks.new_lock(), forks.new_lock()
    has_outer, may_go = threading.Event(), threading.Event()

    def nested():
        with outer:
            has_outer.set()
            may_go.wait(HUNG)
            with inner:
                pass

    holder = threading.Thread(target=nested)
    holder.start()
    has_outer.wait(HUNG)
    threading.Timer(0.05, may_go.set).start()
    begun = time.monotonic()
    # It meets `inner` first.
    taken = forks._take([inner, outer])
    assert set(taken) == {inner, outer}
    assert time.monotonic() - begun < forks.PATIENCE
    for lock in taken:
        lock.release()
    holder.join()


def test_a_lock_that_is_never_let_go_of_holds_up_a_fork_for_a_moment_only(monkeypatch):
    monkeypatch.setattr(forks, "PATIENCE", 0.05)
    stuck, other = forks.new_lock(), forks.new_lock()

    def fork():
        taken = forks._take([stuck, other])
        for lock in taken:
            lock.release()
        return taken

    has_taken, may_go = threading.Event(), threading.Event()

    def hold():
        with stuck:
            has_taken.set()
            may_go.wait(HUNG)

    holder = threading.Thread(target=hold)
    holder.start()
    has_taken.wait(HUNG)
    assert fork() == (other,)
    may_go.set()
    holder.join()


def test_who_waits_for_locks_of_other_libraries_holds_none_of_ours():
    # A fork may have taken theirs first.
    worker = Worker()
    worker.submit(int).result()
    with concurrent.futures.thread._global_shutdown_lock:
        waiting = threading.Thread(target=worker.submit, args=(int,))
        waiting.start()
        while sys._current_frames()[waiting.ident].f_code is not concurrent.futures.ThreadPoolExecutor.submit.__code__:
            time.sleep(0)
        assert worker._lock.acquire(timeout=HUNG)
        worker._lock.release()
    waiting.join()


def test_a_lock_that_is_gone_is_known_no_longer():
    lock = forks.new_lock()
    assert lock in forks._all_locks()
    number = id(lock)
    del lock
    gc.collect()
    assert number not in forks._locks


def test_a_child_computes_what_a_thread_of_its_parent_was_computing():
    cache, begun, go = LruCache(10), threading.Event(), threading.Event()

    def factory():
        begun.set()
        go.wait(HUNG)
        return "the parent's"

    def work():
        assert cache.get_or_insert_with("a", lambda: "the child's") == "the child's"
        assert cache["a"] == "the child's"

    leader = threading.Thread(target=cache.get_or_insert_with, args=("a", factory))
    leader.start()
    begun.wait(HUNG)
    status = child(work)
    go.set()
    leader.join()
    assert (status, cache["a"]) == (0, "the parent's")


def test_a_child_that_a_factory_forks_goes_on_computing():
    cache = LruCache(10)

    def in_another():
        assert cache.get_or_insert_with("a", lambda: "another's") == "another's"

    def factory():
        number = os.fork()
        if number:
            return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        signal.alarm(HUNG)
        in_another_thread(in_another)
        return "the child's"

    value = cache.get_or_insert_with("a", factory)
    if value == "the child's":
        os._exit(0 if cache["a"] == value else 1)
    assert value == 0


def test_a_hook_of_somebody_elses_looks_into_a_cache():
    program = """
import os, signal
signal.alarm(30)
from llmfast import Cache, FlatIndex
caches, indexes = [], []
def look():
    for cache in caches:
        cache.stats()
    for index in indexes:
        index.search([1.0, 0.0, 0.0, 0.0])
os.register_at_fork(before=look, after_in_child=look, after_in_parent=look)
caches.append(Cache())
indexes.append(FlatIndex(4))
child = os.fork()
look()
if child:
    print(os.waitpid(child, 0)[1], flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_children_forked_under_threads_that_store_and_search():
    cache, index, over = Cache(encoder=Encoder()), FlatIndex(64), threading.Event()
    vectors = np.random.default_rng(1).normal(size=(256, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def store(name):
        async def many():
            for number in range(1_000_000):
                if over.is_set():
                    return
                await cache.get_or_generate(f"question {name} {number}", answer)

        asyncio.run(many())

    def add(first):
        number = first
        while not over.is_set():
            index.add(number, vectors[number % 256])
            index.search(vectors[0], 4)
            index.remove(number)
            number += 2

    threads = [threading.Thread(target=store, args=(name,)) for name in "ab"]
    threads += [threading.Thread(target=add, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()

    def work():
        index.add(10**12, vectors[0])
        assert index.search(vectors[0])[0].score > 0.999
        assert asyncio.run(cache.get_or_generate("of the child", answer)).response == "OF THE CHILD"

    try:
        assert [child(work) for _ in range(10)] == [0] * 10
    finally:
        over.set()
        for thread in threads:
            thread.join()
