"""Batching on a virtual clock: the scheduler of llmfast, and what it is compared with, written independently of it.

Nothing here sleeps or reads a clock, so that every figure is the same on every machine. Times are seconds.
"""

from __future__ import annotations

import bisect
import heapq
import math
import random
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Service = Callable[[int], float]

#: What a batch of n items takes, and how many it may hold: 64 items take 8.4 ms.
FIXED_S, ITEM_S, LIMIT = 0.002, 0.0001, 64


def service_of(items: int) -> float:
    """Return the seconds that a batch of `items` items takes."""
    return FIXED_S + ITEM_S * items


# ---- arrivals in time ------------------------------------------------------------------------------------------------


def poisson(rate: float, count: int, seed: int) -> list[float]:
    """Return `count` times of a Poisson process of `rate` arrivals a second."""
    rng, now, times = random.Random(seed), 0.0, []
    for _ in range(count):
        now += rng.expovariate(rate)
        times.append(now)
    return times


def rate_at(load: float) -> float:
    """Return the arrivals a second that are this share of what one worker can do with full batches."""
    return load * LIMIT / service_of(LIMIT)


def mean_sojourn(batches: Iterable[tuple[float, Sequence[float]]]) -> float:
    """Return the mean time from arrival to answer over batches of (end, arrivals)."""
    total, count = 0.0, 0
    for end, arrived in batches:
        total += sum(end - when for when in arrived)
        count += len(arrived)
    return total / count


def windowed(
    arrivals: Sequence[float], window: float, *, service: Service = service_of, limit: int = LIMIT
) -> Iterator[tuple[float, Sequence[float]]]:
    """Yield the batches of one worker that starts when `limit` wait or the oldest has waited `window`.

    With a window of 0 it is greedy: a free worker takes whatever is there.
    """
    first, free = 0, 0.0
    while first < len(arrivals):
        full = arrivals[first + limit - 1] if first + limit <= len(arrivals) else math.inf
        start = max(free, min(full, arrivals[first] + window))
        after = first
        while after < len(arrivals) and after - first < limit and arrivals[after] <= start:
            after += 1
        free = start + service(after - first)
        yield free, arrivals[first:after]
        first = after


def scheduled(
    scheduler: Any, arrivals: Sequence[float], *, service: Service = service_of
) -> Iterator[tuple[float, Sequence[float]]]:
    """Yield the batches that a `BatchScheduler` without `max_wait` forms, asked after every arrival and every end."""
    arrived: dict[int, float] = {}
    running: list[tuple[float, int]] = []
    coming = deque(arrivals)
    while coming or running:
        if running and (not coming or running[0][0] <= coming[0]):
            now, batch = heapq.heappop(running)
            scheduler.finish(now, batch)
        else:
            now = coming.popleft()
            arrived[scheduler.submit(now)] = now
        while (formed := scheduler.next(now)) is not None:
            batch, tickets, _ = formed
            end = now + service(len(tickets))
            heapq.heappush(running, (end, batch))
            yield end, [arrived.pop(ticket) for ticket in tickets]
    if arrived:
        raise AssertionError(f"{len(arrived)} items wait for ever")


# ---- lengths in a standing queue -------------------------------------------------------------------------------------


class Queue(Protocol):
    """Items of some length that wait, and leave in batches."""

    def add(self, length: int) -> None:
        """Let one more item wait."""

    def take(self) -> list[int]:
        """Return the lengths of the next batch, which has left; nothing if none is to be had."""


class FirstCome:
    """Takes items in order until the next one would not fit into the padded budget."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.waiting: deque[int] = deque()

    def add(self, length: int) -> None:
        self.waiting.append(length)

    def take(self) -> list[int]:
        taken: list[int] = []
        longest = 0
        while self.waiting and (len(taken) + 1) * max(longest, self.waiting[0]) <= self.budget:
            taken.append(self.waiting.popleft())
            longest = max(longest, taken[-1])
        return taken


class LongestFirst:
    """Sorts what waits and takes the longest that fit into the padded budget: little padding, but short ones starve."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.waiting: list[int] = []

    def add(self, length: int) -> None:
        bisect.insort(self.waiting, length)

    def take(self) -> list[int]:
        count = min(len(self.waiting), self.budget // self.waiting[-1]) if self.waiting else 0
        cut = len(self.waiting) - count
        taken, self.waiting = self.waiting[cut:], self.waiting[:cut]
        return taken


class Scheduled:
    """A `BatchScheduler` whose items cost their length, with one worker on a virtual clock."""

    def __init__(self, scheduler: Any, service: Callable[[list[int]], float]) -> None:
        self.scheduler = scheduler
        self.service = service
        self.now = 0.0
        self.lengths: dict[int, int] = {}

    def add(self, length: int) -> None:
        self.lengths[self.scheduler.submit(self.now, cost=length)] = length

    def take(self) -> list[int]:
        formed = self.scheduler.next(self.now)
        if formed is None:
            return []
        batch, tickets, _ = formed
        taken = [self.lengths.pop(ticket) for ticket in tickets]
        self.now += self.service(taken)
        self.scheduler.finish(self.now, batch)
        return taken


def refilled(queue: Queue, lengths: Iterator[int], *, standing: int, batches: int) -> list[list[int]]:
    """Return the next `batches` batches of a queue that is filled up to `standing` items before each."""
    made, waiting = [], 0
    for _ in range(batches):
        while waiting < standing:
            queue.add(next(lengths))
            waiting += 1
        made.append(queue.take())
        waiting -= len(made[-1])
        if not made[-1]:
            raise AssertionError(f"{waiting} items wait and there is no batch")
    return made


def drained(queue: Queue, lengths: Iterable[int]) -> list[list[int]]:
    """Return the batches in which a queue of these items empties."""
    for length in lengths:
        queue.add(length)
    return list(iter(queue.take, []))


def padding(batches: Iterable[Sequence[int]]) -> float:
    """Return tokens after padding every item to the longest of its batch, over tokens before."""
    made = list(batches)
    return sum(len(batch) * max(batch) for batch in made) / sum(map(sum, made))


def lognormal_lengths(seed: int, *, mu: float = 4.0, sigma: float = 1.0, longest: int = 512) -> Iterator[int]:
    """Yield lengths from 1 to `longest`, lognormal and capped."""
    rng = random.Random(seed)
    while True:
        yield max(1, min(longest, round(rng.lognormvariate(mu, sigma))))


def uniform_lengths(seed: int, shortest: int, longest: int) -> Iterator[int]:
    """Yield the whole numbers nearest to lengths uniform on [shortest, longest]."""
    rng = random.Random(seed)
    while True:
        yield round(rng.uniform(shortest, longest))


def mean_longest(shortest: float, longest: float, *, batch: int, bins: int) -> float:
    """Return the expected longest of a batch where lengths are uniform and cut into bins of equal shares.

    Guldogan et al., "Multi-Bin Batching for Increasing LLM Inference Throughput", 2024: the service time of a batch is
    that of its longest item.
    """
    return (shortest + longest) / 2 + (longest - shortest) * (batch - 1) / (2 * bins * (batch + 1))
