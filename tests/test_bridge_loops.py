"""The native way of a lookup under event loops that stop, close or take turns: nothing hangs or holds one up."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import selectors
import threading
import weakref
from pathlib import Path

from bridging import QUESTIONS, answer


async def turn():
    """Give the loop one turn."""
    await asyncio.sleep(0)


def port_here():
    from llmfast import _bridge

    return _bridge._here.port


def is_watched(loop, port):
    """Whether the loop watches the port; it no longer does afterwards."""
    return loop.remove_reader(port.queue.fileno())


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


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
