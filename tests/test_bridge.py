"""The native way of a lookup: the same answers as the Python way, and nothing that hangs or holds up the loop."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import os
import random
import select
import selectors
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from encoders import TopicEncoder
from llmfast import Cache, CachePolicy, MiniLM, OverloadedError
from llmfast._bridge import MOST, Port, Search
from llmfast._encoder import is_native
from llmfast._llmfast import Arrival, CompletionQueue, FlatIndex, LookupWorker

QUESTIONS = [
    "How do I reset my card PIN?",
    "how can I reset the PIN of my card",
    "What is the exchange rate?",
    "what's the current exchange rate",
    "I lost my phone, what now?",
    "My phone was stolen",
    "Why was my transfer declined?",
    "My transfer was declined. Why?",
    "Do you have an office in Paris?",
    "How do I reset my card PIN? 😀",
    "long " * 2000,
    "words " * 40_000,
]

SECRET = bytes(32)


class Clock:
    """Seconds that pass when a test says so."""

    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture
def native(minilm):
    """A cache whose lookups go over the bridge, and the lookups that `nearest` did after all."""
    cache = Cache(
        encoder=minilm, policy=CachePolicy(threshold=0.8, ttl=100, mode="static"), clock=Clock(), secret=SECRET
    )
    cache.searched = []
    nearest = cache.semantic.nearest

    def watched(plan, place):
        cache.searched.append(plan.ask.query)
        return nearest(plan, place)

    cache.semantic.nearest = watched
    return cache


async def answer(query):
    return f"answer to {query[:40]}"


async def turn():
    """Give the loop one turn."""
    await asyncio.sleep(0)


def said(answer):
    return answer.source, answer.response, answer.score, answer.age, answer.decision


def port_here():
    from llmfast import _bridge

    return _bridge._here.port


def is_watched(loop, port):
    """Whether the loop watches the port; it no longer does afterwards."""
    return loop.remove_reader(port.queue.fileno())


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def arrived(queue, count):
    """Wait until `count` completions lie in the queue, holding up the loop."""
    while len(queue) < count:
        select.select([queue.fileno()], [], [], 60)


# ---- the same answers ------------------------------------------------------------------------------------------------


def test_the_answers_are_those_of_the_python_way(minilm, native):
    clock = Clock()
    plain = Cache(encoder=minilm, policy=CachePolicy(threshold=0.8, ttl=100, mode="static"), clock=clock, secret=SECRET)
    choose = random.Random(5)
    asked = [
        (choose.choice(QUESTIONS), choose.choice(["general", "broad", "faq"]), choose.choice([None, 30.0]))
        for _ in range(150)
    ]

    async def all_of_them():
        seen = []
        for at, (query, kind, ttl) in enumerate(asked):
            native.clock.now = 1e9 + at
            seen.append(said(await native.get_or_generate(query, answer, kind=kind, ttl=ttl)))
        return seen

    def call(query):
        return f"answer to {query[:40]}"

    expected = []
    for at, (query, kind, ttl) in enumerate(asked):
        clock.now = 1e9 + at
        expected.append(said(plain.get_or_generate_sync(query, call, kind=kind, ttl=ttl)))
    assert asyncio.run(all_of_them()) == expected
    assert {source for source, *_ in expected} == {"exact_hit", "semantic_hit", "llm_call"}
    assert native.stats().failures == plain.stats().failures == {}
    assert (native.stats().rows, native.stats().vectors) == (plain.stats().rows, plain.stats().vectors)
    # Texts that are too long, and searches that met rows which are over, are for Python; the rest went over the bridge.
    semantic = [query for query, *_ in asked if len(query) < 1000]
    assert len([query for query in native.searched if len(query) < 1000]) < len(semantic) / 2


def test_a_hit_is_decided_without_python_searching(native):
    async def ask():
        await native.get_or_generate(QUESTIONS[0], answer)
        return await native.get_or_generate(QUESTIONS[1], answer), await native.get_or_generate(QUESTIONS[1], answer)

    first, second = asyncio.run(ask())
    assert (first.source, second.source) == ("semantic_hit", "semantic_hit")
    assert first.score == second.score == first.decision.nearest
    assert native.searched == []


def test_rows_that_are_over_are_left_to_the_python_way(native):
    async def ask():
        await native.get_or_generate(QUESTIONS[0], answer)
        native.clock.now += 101
        return await native.get_or_generate(QUESTIONS[1], answer)

    assert asyncio.run(ask()).source == "llm_call"
    assert native.searched == [QUESTIONS[1]]
    assert native.stats().vectors == 1


def test_a_text_that_is_not_read_whole_is_not_compared(native):
    async def ask():
        return [await native.get_or_generate(f"Customer review: {sign}", answer) for sign in "😀😡"]

    answers = asyncio.run(ask())
    assert [answer.source for answer in answers] == ["llm_call"] * 2
    assert "does not know" in answers[1].decision.reason
    assert (native.searched, native.stats().vectors) == ([], 0)


def test_many_at_a_time(native):
    questions = [f"{question} number {number}" for number in range(20) for question in QUESTIONS[:9]]

    async def ask():
        return await asyncio.gather(*(native.get_or_generate(question, answer) for question in questions))

    assert [answer.response for answer in asyncio.run(ask())] != []
    assert native.stats().failures == {}
    assert native.stats().requests == len(questions)


# ---- loops -----------------------------------------------------------------------------------------------------------


def test_loops_in_several_threads(native):
    def run(number):
        async def ask():
            return await asyncio.gather(
                *(native.get_or_generate(f"{number} {question}", answer) for question in QUESTIONS[:9])
            )

        answers.append(asyncio.run(ask()))

    answers = []
    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(some) for some in answers] == [9] * 3
    assert native.stats().failures == {}


def test_a_loop_that_was_used_does_not_wake_by_itself(native):
    class Counting(selectors.DefaultSelector):
        returned = 0

        def select(self, timeout=None):
            found = super().select(timeout)
            self.returned += 1
            return found

    async def ask():
        await native.get_or_generate(QUESTIONS[0], answer)
        await turn()
        before = selector.returned
        await asyncio.sleep(0.3)
        return selector.returned - before

    selector = Counting()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(ask()) <= 3, "the timer itself, which may come a little early"


def test_a_loop_goes_when_it_is_closed(native):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(native.get_or_generate(QUESTIONS[0], answer))
    loop.close()
    seen = weakref.ref(loop)
    del loop
    gc.collect()
    assert seen() is None


def test_loops_that_take_turns_in_a_thread_pile_up_no_pipes(native):
    loops = [asyncio.new_event_loop() for _ in range(2)]
    before = []
    for number in range(40):
        loops[number % 2].run_until_complete(native.get_or_generate(f"question {number}", answer))
        before.append(open_files())
    assert before[-1] <= before[1]
    for loop in loops:
        loop.close()


def test_who_waits_in_a_loop_that_pauses_for_another_one_is_answered(native):
    async def until_it_waits(task):
        while (port := port_here()) is None or not port.arrivals:
            await turn()

    first = asyncio.new_event_loop()
    task = first.create_task(native.get_or_generate(QUESTIONS[0], answer))
    first.run_until_complete(until_it_waits(task))
    port = port_here()
    assert asyncio.run(native.get_or_generate(QUESTIONS[1], answer)).source == "llm_call"
    assert first.run_until_complete(task).source == "llm_call"
    assert not is_watched(first, port)
    first.close()


def test_who_is_cancelled_leaves_nothing_behind(native):
    async def ask():
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(native.get_or_generate(f"question {n}", answer)) for n in range(50)]
        while (port := port_here()) is None or port.loop() is not loop or len(port.arrivals) < 50:
            await turn()
        for task in tasks[1:]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        while port.arrivals:
            await turn()
        return results

    results = asyncio.run(ask())
    assert results[0].source == "llm_call"
    assert [type(result) for result in results[1:]] == [asyncio.CancelledError] * 49
    # Whoever comes next waits for what was being encoded at most.
    assert asyncio.run(native.get_or_generate("question 0", answer)).source == "exact_hit"


def test_a_loop_that_is_closed_under_a_lookup_hangs_nobody(native):
    async def until_it_waits(task):
        loop = asyncio.get_running_loop()
        while (port := port_here()) is None or port.loop() is not loop or not port.arrivals:
            await turn()

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    task = loop.create_task(native.get_or_generate(QUESTIONS[0], answer))
    loop.run_until_complete(until_it_waits(task))
    loop.close()
    assert asyncio.run(native.get_or_generate(QUESTIONS[0], answer)).source == "llm_call"
    del task, loop
    gc.collect()


def test_a_loop_that_watches_no_pipes_has_the_python_way(native):
    class Bare(asyncio.SelectorEventLoop):
        def add_reader(self, *arguments):
            raise NotImplementedError

    loop = Bare()
    assert loop.run_until_complete(native.get_or_generate(QUESTIONS[0], answer)).source == "llm_call"
    loop.close()
    assert native.searched == [QUESTIONS[0]]
    assert native.stats().failures == {}


def test_the_callers_context_goes_along(native):
    who = contextvars.ContextVar("who")
    seen = []

    async def llm(query):
        seen.append(who.get())
        return query

    async def ask(name):
        who.set(name)
        await native.get_or_generate(f"I am {name}", llm)
        assert who.get() == name

    async def both():
        await asyncio.gather(ask("a"), ask("b"))

    asyncio.run(both())
    assert sorted(seen) == ["a", "b"]


# ---- deliveries ------------------------------------------------------------------------------------------------------


def lookups(minilm, count):
    """A port of the running loop with `count` completions, and what is to arrive of each."""
    loop, worker = asyncio.get_running_loop(), LookupWorker()
    times = iter(range(1000))
    port = Port(loop, clock=lambda: next(times))
    index = FlatIndex(minilm.dim)
    vector = minilm._encode_for_index("a")
    tickets = [worker.submit(port.queue, Search(minilm, index, "a", vector, 1, 0.5, bytes(16))) for _ in range(count)]
    arrivals = [Arrival(loop) for _ in tickets]
    port.arrivals.update(zip(tickets, arrivals, strict=True))
    arrived(port.queue, count)
    return port, arrivals


def test_a_turn_delivers_what_it_has_time_for(minilm):
    async def deliver():
        port, futures = lookups(minilm, 3)
        # On this clock every look takes a second.
        port.deliver()
        done = [future.done() for future in futures]
        # The rest keeps the loop awake, one a turn.
        await asyncio.gather(*futures)
        return done

    assert asyncio.run(deliver()) == [True, False, False]


def test_a_turn_wakes_so_many_tasks(minilm):
    async def deliver():
        port, futures = lookups(minilm, MOST + 1)
        port._clock = lambda: 0.0
        port.deliver()
        done = sum(future.done() for future in futures)
        await asyncio.gather(*futures)
        return done

    assert asyncio.run(deliver()) == MOST


def test_a_queue_without_completions_gives_none():
    queue = CompletionQueue()
    assert (queue.take(), len(queue)) == (None, 0)
    assert select.select([queue.fileno()], [], [], 0)[0] == []


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_worker_that_has_too_much_to_do_costs_the_hit_and_not_the_call(native, caplog):
    class Full:
        def submit(self, queue, search):
            raise OverloadedError("4096 lookups wait")

    native.engine._driver._bridge._worker = Full()
    result = asyncio.run(native.get_or_generate(QUESTIONS[0], answer))
    assert result.source == "llm_call"
    assert native.stats().failures == {"L3": 1}
    assert "4096 lookups wait" in result.decision.reason


def test_what_the_index_refuses_costs_the_hit_and_not_the_call(native, caplog):
    native._memory.index = FlatIndex(3)
    assert asyncio.run(native.get_or_generate(QUESTIONS[0], answer)).source == "llm_call"
    assert native.stats().failures["L3"] == 1


def test_failed_lookups_leave_no_garbage(native, monkeypatch):
    # A log keeps what it reports.
    monkeypatch.setattr(logging.getLogger("llmfast"), "disabled", True)

    async def ask():
        for number in range(20):
            await native.get_or_generate(f"question {number}", answer)
        return weakref.ref(asyncio.get_running_loop())

    native._memory.index = FlatIndex(3)
    loop = asyncio.run(ask())
    assert native.stats().failures["L3"] == 20
    # A thread keeps the port of its last loop.
    asyncio.run(Cache(encoder=native.encoder).get_or_generate(QUESTIONS[0], answer))
    gc.collect()
    assert loop() is None
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Search)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("encoder", "index", "text", None, 1, 0.5, 0), "Asked.0"),
        ((), "length"),
    ],
)
def test_a_lookup_of_other_things_is_refused(asked, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LookupWorker().submit(CompletionQueue(), asked)


# ---- other encoders --------------------------------------------------------------------------------------------------


def test_an_encoder_that_is_not_native_has_the_python_way(minilm):
    class Louder(MiniLM):
        def encode(self, texts, **keywords):
            return super().encode([text.upper() for text in texts], **keywords)

    own = MiniLM()
    assert is_native(own)
    own.unread = lambda text: None
    assert not any(map(is_native, [own, Louder(), TopicEncoder(), None]))

    async def ask(cache):
        await cache.get_or_generate("topic/a", answer)
        return await cache.get_or_generate("topic/b", answer)

    cache = Cache(encoder=TopicEncoder(), policy=CachePolicy(threshold=0.9))
    assert asyncio.run(ask(cache)).source == "semantic_hit"
    assert "_worker" not in vars(cache.engine._driver._bridge)


# ---- processes -------------------------------------------------------------------------------------------------------

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
