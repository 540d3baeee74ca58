"""When the queue of a batched function wakes itself: one timer, for the first deadline of its lists and items.

What has to hold whenever the loop has had its turns:

- while a list with a deadline waits for room, one timer is pending, and it comes at the first deadline at the latest;
- no second timer is ever pending: one that is replaced is cancelled;
- a timer that comes too early, since its list has gone, sets the next one, or none;
- when nothing is left that has a deadline, none is pending.

The loop's clock is set forward by the tests; the deadlines are minutes away, so that none comes by itself.
"""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from batching import open_gate, shut_gate
from llmfast._errors import DeadlineError
from loops import cancelled, turns


class WatchedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be set forward, and which shows the timers of queues that are pending."""

    def __init__(self):
        super().__init__()
        self.ahead = 0.0
        self._alarms = []

    def time(self):
        return super().time() + self.ahead

    def call_at(self, when, callback, *arguments, context=None):
        handle = super().call_at(when, callback, *arguments, context=context)
        if getattr(callback, "__name__", "") == "_time_is_up":
            self._alarms.append(handle)
        return handle

    def alarms(self):
        """Seconds until the timers that are pending come, rounded."""
        self._alarms = [handle for handle in self._alarms if handle._scheduled and not handle.cancelled()]
        return [round(handle.when() - self.time()) for handle in self._alarms]


def on_watched_loop(main):
    loop = WatchedLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.close()


async def full(gate, embed):
    """Fill the queue with items that have no deadline, all workers busy, and return the task that waits for them."""
    task = asyncio.ensure_future(embed.map([f"a{number}" for number in range(8)]))
    await turns()
    assert len(gate.calls) == 1
    return task


async def waiting(embed, *deadlines):
    """Have lists with these deadlines wait for room."""
    tasks = [asyncio.ensure_future(embed.map(f"b{index}", deadline=seconds)) for index, seconds in enumerate(deadlines)]
    await turns()
    return tasks


async def left(*tasks):
    await cancelled(*tasks)
    await turns()


def busy_gate():
    return shut_gate(max_batch_size=2, max_queue=4)


def test_one_timer_waits_for_the_first_deadline_of_the_lists():
    async def main(loop):
        gate, embed = busy_gate()
        tasks, seen = [await full(gate, embed)], [loop.alarms()]
        for deadline in (300, 500, 100, 200):
            tasks += await waiting(embed, deadline)
            seen.append(loop.alarms())
        await left(*tasks)
        return seen

    assert on_watched_loop(main) == [[], [300], [300], [100], [100]]


def test_a_list_that_meets_a_free_worker_has_a_timer_when_that_has_looked():
    async def main(loop):
        _, embed = busy_gate()
        task = asyncio.ensure_future(embed.map("abcdefgh", deadline=100))
        await turns()
        seen = loop.alarms()
        await left(task)
        return seen

    assert on_watched_loop(main) == [100]


def test_items_that_a_free_worker_leaves_behind_have_a_timer_when_it_has_looked():
    async def main(loop):
        _, embed = shut_gate(max_batch_size=1)
        tasks = [asyncio.ensure_future(embed(item, deadline=100)) for item in "ab"]
        await turns()
        seen = loop.alarms()
        await left(*tasks)
        return seen, loop.alarms()

    assert on_watched_loop(main) == ([100], [])


@pytest.mark.parametrize(("item", "listed"), [(100, 300), (300, 100)])
@pytest.mark.parametrize("first", ["item", "list"])
def test_the_timer_waits_for_the_first_of_items_and_lists(item, listed, first):
    async def main(loop):
        gate, embed = shut_gate(max_batch_size=2, max_queue=6)
        tasks = [await full(gate, embed)]
        steps = [
            lambda: asyncio.ensure_future(embed("x", deadline=item)),
            lambda: asyncio.ensure_future(embed.map("yz", deadline=listed)),
        ]
        for step in steps if first == "item" else reversed(steps):
            tasks.append(step())
            await turns()
        seen = loop.alarms()
        await left(*tasks)
        return seen

    assert on_watched_loop(main) == [100]


def test_a_timer_that_comes_too_early_sets_the_next_one():
    async def main(loop):
        gate, embed = busy_gate()
        task = await full(gate, embed)
        first, second, third = await waiting(embed, 100, 250, 400)
        await left(first)
        seen = [loop.alarms()]
        for seconds in (101, 100, 100):
            loop.ahead += seconds
            await turns()
            seen.append(loop.alarms())
            if seconds == 101:
                await left(second)
        await left(third, task)
        return seen

    # At 101 s for the second one, which leaves then; at 250 s for the third one.
    assert on_watched_loop(main) == [[100], [149], [49], [99]]


def test_a_timer_that_finds_nothing_with_a_deadline_sets_none():
    async def main(loop):
        gate, embed = busy_gate()
        task = await full(gate, embed)
        await left(*await waiting(embed, 100, 200))
        loop.ahead += 101
        await turns()
        seen = loop.alarms()
        await left(task)
        return seen

    assert on_watched_loop(main) == []


@pytest.mark.parametrize("end", ["served", "left", "closed"])
def test_no_timer_outlives_what_has_a_deadline(end):
    async def main(loop):
        gate, embed = busy_gate()
        tasks = [await full(gate, embed), *await waiting(embed, 100, 50, 300)]
        assert loop.alarms() == [50]
        if end == "served":
            gate.open_all()
        elif end == "left":
            await left(*tasks)
        else:
            await embed.close(cancel=True)
        await asyncio.gather(*tasks, return_exceptions=True)
        await turns()
        return loop.alarms(), embed._queues.of(loop)._lists._deadlines

    assert on_watched_loop(main) == ([], [])


@pytest.mark.parametrize("form", ["item", "list"])
def test_no_timer_outlives_what_is_left_before_there_is_a_call(form):
    async def main(loop):
        _, embed = shut_gate(max_wait=100.0)
        task = asyncio.ensure_future(embed("x") if form == "item" else embed.map("xy"))
        await turns()
        seen = loop.alarms()
        await left(task)
        return seen, loop.alarms()

    assert on_watched_loop(main) == ([100], [])


def test_a_list_that_is_late_leaves_the_timer_to_the_next_one():
    async def main(loop):
        gate, embed = busy_gate()
        task = await full(gate, embed)
        # The one deadline that passes here: it is told by the scheduler, whose clock nobody sets.
        later, soon = await waiting(embed, 200, 0.01)
        with pytest.raises(DeadlineError):
            await soon
        await turns()
        seen = loop.alarms()
        await left(later, task)
        return seen

    assert on_watched_loop(main) == [200]


def test_a_queue_without_deadlines_sets_no_timer():
    async def main(loop):
        _, embed = open_gate(max_batch_size=2, max_queue=4)
        await embed.map("abcdefgh")
        return loop._alarms

    assert on_watched_loop(main) == []


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_goes_one_timer_waits_for_the_first_deadline(seed):
    draw = random.Random(seed)

    async def main(loop):
        gate, embed = busy_gate()
        tasks = [await full(gate, embed)]
        lists = embed._queues.of(loop)._lists
        for _ in range(40):
            act = draw.choice(["list", "list", "leave", "serve", "pass"])
            if act == "list":
                tasks += await waiting(embed, draw.choice([None, *range(2000, 9000, 100)]))
            elif act == "leave" and tasks:
                await left(tasks.pop(draw.randrange(len(tasks))))
            elif act == "serve":
                gate.open[-1].set()
            else:
                loop.ahead += draw.choice([1, 30])
            await turns(10)
            first = min((listed.deadline for listed in lists.values()), default=math.inf) - loop.time()
            alarms = loop.alarms()
            assert len(alarms) <= 1
            assert (alarms or [math.inf])[0] <= first + 1
        await left(*tasks)
        return loop.alarms()

    assert on_watched_loop(main) == []
