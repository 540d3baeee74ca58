"""What the batcher bench does to a contender: bursts, items one by one, arrivals by a schedule, idleness, waves.

Every measurement opens its contender on an event loop of its own.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import selectors
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _batch_simulation import service_of
from _harness import percentile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from _batch_peers import Ask, Backend

    Open = Callable[[Backend, int], Awaitable[Ask]]
    Job = Callable[[], Coroutine[Any, Any, tuple[float, ...]]]
    NewLoop = Callable[[], asyncio.AbstractEventLoop]

BURST, REPEATS = 10_000, 5
ALONE_S = 0.15
WATCHED_S = 2.0
WAVE = 1_000


@dataclass
class Sampled:
    """A contender of the harness that measures several figures a round; the first is what the harness keeps."""

    job: Job
    new_loop: NewLoop = asyncio.new_event_loop
    samples: list[tuple[float, ...]] = field(default_factory=list)

    def __call__(self) -> float:
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            self.samples.append(runner.run(self.job()))
        return self.samples[-1][0]

    def figures(self, place: int) -> list[float]:
        """Return the figures at `place`, without the round that goes first unrecorded."""
        return [sample[place] for sample in self.samples[1:]]


# ---- bursts and single items -----------------------------------------------------------------------------------------


async def no_op(items: Any) -> Any:
    """Return the items; the least that a backend can do."""
    return items


async def bursts(once: Callable[[], Awaitable[Sequence[Any]]]) -> tuple[float, float]:
    """Return the microseconds of wall clock and of processor that an item takes; the median of the bursts.

    The collector is on, as it is in a service: what a batcher leaves to it is a part of its price.
    """
    expected = list(range(BURST))
    costs = []
    gc.freeze()
    gc.enable()
    try:
        for repeat in range(1 + REPEATS):
            wall, processor = time.perf_counter(), time.process_time()
            answers = await once()
            cost = (time.perf_counter() - wall, time.process_time() - processor)
            if list(answers) != expected:
                raise AssertionError("answers are lost or in disorder")
            costs += [cost] * (repeat > 0)
    finally:
        gc.disable()
        gc.unfreeze()
    wall, processor = (statistics.median(figures) * 1e6 / BURST for figures in zip(*costs, strict=True))
    return wall, processor


def burst_of(open_: Open) -> Job:
    """Ask 10,000 items at once and await them together."""

    async def job() -> tuple[float, ...]:
        ask = await open_(no_op, 1)

        async def once() -> Sequence[Any]:
            return await asyncio.gather(*[ask(item) for item in range(BURST)])

        return await bursts(once)

    return job


def list_of(open_list: Callable[[Backend], Awaitable[Callable[[list[int]], Awaitable[Sequence[Any]]]]]) -> Job:
    """Ask the same 10,000 items by one call that takes a list."""

    async def job() -> tuple[float, ...]:
        ask_all = await open_list(no_op)
        items = list(range(BURST))

        async def once() -> Sequence[Any]:
            return await ask_all(items)

        return await bursts(once)

    return job


async def bare_futures() -> tuple[float, ...]:
    """Make, gather and resolve futures without any batcher: the floor of whatever hands out futures."""
    loop = asyncio.get_running_loop()

    async def once() -> Sequence[Any]:
        futures = [loop.create_future() for _ in range(BURST)]
        together = asyncio.gather(*futures)
        for item, future in enumerate(futures):
            future.set_result(item)
        return await together

    return await bursts(once)


def alone_of(open_: Open) -> Job:
    """Return how many microseconds `await ask(item)` takes above the backend with a list of one item."""

    async def job() -> tuple[float, ...]:
        ask = await open_(no_op, 1)

        async def direct(item: int) -> Any:
            return (await no_op([item]))[0]

        await microseconds_each(ask)
        return (await microseconds_each(ask) - await microseconds_each(direct),)

    return job


async def microseconds_each(ask: Ask) -> float:
    """Return what an item takes, asked one after the other for some time."""
    start, asked = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < ALONE_S:
        for item in range(25):
            if await ask(item) != item:
                raise AssertionError(f"another answer than {item}")
        asked += 25
    return passed * 1e6 / asked


# ---- arrivals by a schedule ------------------------------------------------------------------------------------------


def exact_timers() -> asyncio.AbstractEventLoop:
    """Return a loop over `select`, which waits to the microsecond; `epoll` rounds every timer up to a millisecond."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def sleeping(workers: int) -> Backend:
    """Return a backend that sleeps 2 ms and .1 ms an item, `workers` calls at a time whoever calls it."""
    free = asyncio.Semaphore(workers)

    async def backend(items: Any) -> Any:
        async with free:
            await asyncio.sleep(service_of(len(items)))
        return items

    return backend


def latencies_of(open_: Open, schedule: Sequence[float], workers: int) -> Job:
    """Return p50 and p99 in milliseconds, from when an item was due to its answer."""

    async def job() -> tuple[float, ...]:
        taken = await latencies(await open_(sleeping(workers), workers), schedule)
        return tuple(percentile(taken, share) * 1e3 for share in (0.5, 0.99))

    return job


async def latencies(ask: Ask, schedule: Sequence[float]) -> list[float]:
    """Ask an item at each of these times, whatever became of the others, and return their latencies in seconds."""
    loop, taken = asyncio.get_running_loop(), []

    async def one(item: int, due: float) -> None:
        if await ask(item) != item:
            raise AssertionError(f"another answer than {item}")
        taken.append(loop.time() - due)

    async with asyncio.TaskGroup() as group:
        start = loop.time() + 0.01
        # Distinct items: a loader would answer equal ones by one call.
        for item, after in enumerate(schedule):
            wait = start + after - loop.time()
            if wait > 0.0:
                await asyncio.sleep(wait)
            group.create_task(one(item, start + after))
    return taken


async def open_direct(backend: Backend, _: int) -> Ask:
    """Open no batcher at all: every item is a call of its own."""

    async def ask(item: Any) -> Any:
        return (await backend([item]))[0]

    return ask


# ---- idleness and memory ---------------------------------------------------------------------------------------------


class CountingSelector(selectors.DefaultSelector):
    """A selector that knows how often it let its loop go on."""

    def __init__(self) -> None:
        super().__init__()
        self.returned = 0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(timeout)
        self.returned += 1
        return found


def other_threads_switches() -> int:
    """Return how often the threads of this process but the main one gave up the processor of their own accord."""
    total = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != os.getpid():
            status = (task / "status").read_text(encoding="ascii")
            total += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


async def wakes_after(use: Callable[[], Awaitable[object]], selector: CountingSelector) -> tuple[float, float]:
    """Use something, let it rest, and return how often the loop and other threads wake within two seconds."""
    kept = await use()
    await asyncio.sleep(0.2)
    before = selector.returned, other_threads_switches()
    await asyncio.sleep(WATCHED_S)
    after = selector.returned, other_threads_switches()
    del kept
    return after[0] - before[0], after[1] - before[1]


def least_wakes(use: Callable[[], Awaitable[object]], times: int = 3) -> tuple[float, float]:
    """Return the least wakes a second of the loop and of other threads: what polls does so every time."""
    seen = []
    for _ in range(times):
        selector = CountingSelector()
        with asyncio.Runner(loop_factory=lambda made=selector: asyncio.SelectorEventLoop(made)) as runner:
            seen.append(runner.run(wakes_after(use, selector)))
    loop, threads = (min(counts) / WATCHED_S for counts in zip(*seen, strict=True))
    return loop, threads


def resident_mib() -> float:
    """Return what this process keeps in memory, in MiB, after a collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def growth_of(open_: Open, *, early: int = 100, late: int = 1_000) -> Job:
    """Return the MiB by which the process grows between `early` and `late` waves of 1,000 items."""

    async def job() -> tuple[float, ...]:
        ask, resident = await open_(no_op, 1), 0.0
        for wave in itertools.count(1):
            await asyncio.gather(*[ask(item) for item in range(WAVE)])
            if wave == early:
                resident = resident_mib()
            if wave == late:
                break
        return (resident_mib() - resident,)

    return job
