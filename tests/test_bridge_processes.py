"""The native way of a lookup in processes that fork or end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRELUDE = """
import asyncio, os, sys
from llmfast import Cache, MiniLM
cache = Cache(encoder=MiniLM())
async def answer(query):
    return query
async def ask(*questions):
    return await asyncio.gather(*(cache.get_or_generate(question, answer) for question in questions))
async def until_they_wait(count):
    from llmfast import _bridge
    while _bridge._here.port is None or len(_bridge._here.port.arrivals) < count:
        await asyncio.sleep(0)
"""


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_has_a_worker_of_its_own(minilm):
    program = """
asyncio.run(ask("one", "two"))
child = os.fork()
os.write(1, " ".join([*(answer.source for answer in asyncio.run(ask("one", "three", "Three?"))), "\\n"]).encode())
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    assert run(program) == (0, "exact_hit llm_call llm_call \n" * 2, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_forked_under_lookups_asks_for_itself(minilm):
    program = """
async def fork():
    tasks = [asyncio.ensure_future(ask(f"question {n}")) for n in range(20)]
    await until_they_wait(20)
    child = os.fork()
    if not child:
        # A child's copy of a loop that runs is of no use.
        asyncio._set_running_loop(None)
        print(asyncio.run(ask("child"))[0].source, flush=True)
        os._exit(0)
    await asyncio.gather(*tasks)
    return os.waitpid(child, 0)[1]
assert asyncio.run(fork()) == 0
print(cache.stats().llm_calls, cache.stats().failures)
"""
    assert run(program) == (0, "llm_call\n20 {}\n", "")


def test_an_interpreter_ends_with_lookups_pending(minilm):
    program = """
async def leave():
    tasks = [asyncio.ensure_future(ask(f"question {n}")) for n in range(200)]
    await until_they_wait(200)
    sys.exit(3)
asyncio.run(leave())
"""
    assert run(program) == (3, "", "")


def test_an_interpreter_ends_under_a_loop_that_nobody_runs_any_more(minilm):
    program = """
import logging
logging.disable()
loop = asyncio.new_event_loop()
tasks = [loop.create_task(ask(f"question {n}")) for n in range(200)]
loop.run_until_complete(until_they_wait(200))
print("end")
"""
    assert run(program)[:2] == (0, "end\n")


def test_a_cache_that_goes_takes_its_thread_along(minilm):
    program = """
import gc, pathlib
def name(task):
    try:
        return task.joinpath("comm").read_text()
    except OSError:
        return "it ended meanwhile"
def threads():
    return [name(task) for task in pathlib.Path("/proc/self/task").iterdir()].count("llmfast\\n")
for _ in range(3):
    asyncio.run(ask("one"))
    assert threads() >= 1
    cache = Cache(encoder=cache.encoder)
while threads():
    # Again and again: the thread that stored the answer may still hold the cache, which is one of a cycle.
    gc.collect()
print("gone")
"""
    if not os.path.isdir("/proc/self/task"):  # noqa: PTH112
        pytest.skip("the system does not list threads")
    assert run(program) == (0, "gone\n", "")
