"""Hammers every part from several threads for some minutes: right answers, progress, and memory that stays flat.

Exits 1 if a worker saw a wrong answer, stood still, or if the resident memory of the last third of the run lies more
than 3 % + 16 MiB above that of the second third (the first one fills the caches).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import traceback
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from llmfast import Cache, CachePolicy, ClosedError, FlatIndex, LruCache, batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DIM = 64
GROWTH_SHARE, GROWTH_MIB = 0.03, 16.0
STANDSTILL_S = 60.0


class ToyEncoder:
    """Gives every text a direction of its own, so that only the same text is near."""

    dim = DIM
    fingerprint = "soak"

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = [np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIM) for text in texts]
        matrix = np.asarray(rows, dtype=np.float32)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@dataclass
class Worker:
    """One thread that repeats `step` until the deadline; `step` raises AssertionError on a wrong answer."""

    name: str
    step: Callable[[random.Random], object]
    seed: int
    steps: int = 0
    failure: str = ""
    thread: threading.Thread = field(init=False)

    def start(self, deadline: float) -> None:
        self.thread = threading.Thread(target=self._run, args=(deadline,), name=self.name, daemon=True)
        self.thread.start()

    def _run(self, deadline: float) -> None:
        rng = random.Random(self.seed)
        try:
            while time.monotonic() < deadline:
                self.step(rng)
                self.steps += 1
        except BaseException:
            self.failure = traceback.format_exc()


def lru_step(cache: LruCache[int, tuple[str, int]]) -> Callable[[random.Random], object]:
    """Gets, inserts with short lives, removes; a value must be its key's."""

    def step(rng: random.Random) -> None:
        for _ in range(200):
            key = int(rng.paretovariate(0.7)) % 50_000
            found = cache.get(key)
            assert found is None or found == ("value", key), (key, found)
            if found is None:
                cache.insert(key, ("value", key), time_to_live=rng.choice([None, 0.01, 60.0]))
            elif rng.random() < 0.05:
                cache.remove(key)
        assert len(cache) <= 5_000

    return step


def index_step(index: FlatIndex, worker: int, file: Path) -> Callable[[random.Random], object]:
    """Adds, finds and removes vectors in a partition of its own; now and then all rows move to a file."""
    encoder, live, serial = ToyEncoder(), [], iter(range(worker << 40, (worker + 1) << 40))

    def step(rng: random.Random) -> None:
        added = next(serial)
        (vector,) = encoder.encode([str(added)])
        index.add(added, vector, partition=worker)
        live.append(added)
        (best,) = index.search(vector, 1, min_score=0.9 if added % 2 else -1.0, partition=worker)
        assert best.id == added, (added, best)
        assert best.score > 0.999, best
        if len(live) > 500:
            assert index.remove(live.pop(rng.randrange(len(live))))
        if worker == 1 and added % 5_000 == 4_999:
            index.compact(file)

    return step


def ask_of(rng: random.Random) -> tuple[str, str, str]:
    """Return a question, a scope and the one right answer to that pair."""
    query, scope = f"question {int(rng.paretovariate(0.6)) % 20_000}", f"tenant {rng.randrange(3)}"
    return query, scope, f"{scope}: {query}"


def sync_step(cache: Cache) -> Callable[[random.Random], object]:
    """Asks the cache from a thread; the answer must be this scope's."""

    def step(rng: random.Random) -> None:
        query, scope, expected = ask_of(rng)
        answer = cache.get_or_generate_sync(query, lambda _: expected, scope=scope)
        assert answer.response == expected, (answer.response, expected)

    return step


def async_step(cache: Cache) -> Callable[[random.Random], object]:
    """Asks 50 questions at once from a loop that lives for one step; one in ten callers leaves early."""

    async def ask(rng: random.Random) -> None:
        query, scope, expected = ask_of(rng)

        async def call(_: str) -> str:
            await asyncio.sleep(0)
            return expected

        answer = await cache.get_or_generate(query, call, scope=scope)
        assert answer.response == expected, (answer.response, expected)

    async def leave_early(rng: random.Random) -> None:
        task = asyncio.ensure_future(ask(rng))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def many(rng: random.Random) -> None:
        await asyncio.gather(*((leave_early if rng.random() < 0.1 else ask)(rng) for _ in range(50)))

    return lambda rng: asyncio.run(many(rng))


def stream_step(cache: Cache) -> Callable[[random.Random], object]:
    """Streams 50 answers at once, the same in all threads; some readers stop early, some answers are detached."""

    async def ask(rng: random.Random) -> None:
        query, expected = f"stream {rng.randrange(30)}", 20

        async def call(_: str) -> AsyncIterator[object]:
            for number in range(expected):
                await asyncio.sleep(0)
                yield {"query": query, "number": number}

        answer = await cache.get_or_generate(query, call)
        enough, number = rng.choice([1, 5, expected]), 0
        try:
            async for item in answer.response:
                assert item == {"query": query, "number": number}, (item, query, number)
                item["query"] = "spoilt"
                number += 1
                if number == enough:
                    break
            assert number == enough, (number, enough)
        except ClosedError:
            # The loop of another worker, which made the call, has ended.
            pass
        if rng.random() < 0.02:
            cache.flights.detach(lambda plan: plan.ask.query == query)

    async def many(rng: random.Random) -> None:
        await asyncio.gather(*(ask(rng) for _ in range(50)))

    return lambda rng: asyncio.run(many(rng))


def batch_steps() -> dict[str, Callable[[random.Random], object]]:
    """One batched function that fails by chance, asked from loops that live for one step and from plain threads.

    Batches are so small that each bad item of several is sure to be found.
    """

    @batch(max_batch_size=4, concurrency=2, max_batch_tokens=64, cost=len, padded=True)
    async def double(texts: list[str]) -> list[object]:
        await asyncio.sleep(0)
        if any(text.startswith("bad") for text in texts):
            raise KeyError("bad")
        return [ValueError(text) if text.startswith("odd") else text + text for text in texts]

    def text_of(rng: random.Random) -> str:
        return rng.choice(["bad", "odd", "a", "b", "c", "d"]) + "x" * rng.randrange(20)

    def check(text: str, result: object) -> None:
        right = {"bad": KeyError, "odd": ValueError}.get(text[:3])
        assert (result == text + text) if right is None else isinstance(result, right), (text, result)

    async def ask(rng: random.Random) -> None:
        text = text_of(rng)
        wishes: dict[str, object] = (
            {"tenant": rng.choice("ab"), "priority": rng.randrange(3)} if rng.random() < 0.3 else {}
        )
        future = double.submit(text, **wishes)
        if rng.random() < 0.1:
            await asyncio.sleep(0)
            future.cancel()
        (result,) = await asyncio.gather(future, return_exceptions=True)
        if not isinstance(result, asyncio.CancelledError):
            check(text, result)

    async def many(rng: random.Random) -> None:
        texts = [text_of(rng) for _ in range(30)]
        asking = asyncio.gather(*(ask(rng) for _ in range(50)))
        for text, result in zip(texts, await double.map(texts, return_exceptions=True), strict=True):
            check(text, result)
        await asking

    def sync(rng: random.Random) -> None:
        text = text_of(rng)
        try:
            result: object = double.sync(text)
        except (KeyError, ValueError) as error:
            result = error
        check(text, result)

    return {
        "batch-1": lambda rng: asyncio.run(many(rng)),
        "batch-2": lambda rng: asyncio.run(many(rng)),
        "batch-3": sync,
    }


def resident_mib() -> float:
    """Return this process's resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def growth_problem(samples: list[float]) -> str | None:
    """Return a complaint if the last third of the samples (MiB) lies above the second one by more than is allowed."""
    third = len(samples) // 3
    if third == 0:
        return f"only {len(samples)} samples of the memory: run longer"
    before, after = statistics.median(samples[third : 2 * third]), statistics.median(samples[-third:])
    allowed = before * (1.0 + GROWTH_SHARE) + GROWTH_MIB
    return f"memory grew from {before:.1f} to {after:.1f} MiB, at most {allowed:.1f}" if after > allowed else None


def watch(workers: list[Worker], deadline: float) -> tuple[list[float], list[str]]:
    """Sample memory and progress until the deadline; return the samples (MiB) and the names of who stood still."""
    samples, still = [], []
    seen = {worker.name: (0, time.monotonic()) for worker in workers}
    pause = threading.Event()
    while time.monotonic() < deadline and not still and not any(worker.failure for worker in workers):
        pause.wait(1.0)
        samples.append(resident_mib())
        now = time.monotonic()
        for worker in workers:
            if worker.steps != seen[worker.name][0]:
                seen[worker.name] = (worker.steps, now)
            elif now - seen[worker.name][1] > STANDSTILL_S:
                still.append(worker.name)
    return samples, still


def make_workers(folder: Path) -> list[Worker]:
    lru: LruCache[int, tuple[str, int]] = LruCache(5_000)
    index = FlatIndex(DIM)
    cache = Cache(encoder=ToyEncoder(), policy=CachePolicy(ttl=2.0), capacity=5_000)
    streams = Cache(policy=CachePolicy(ttl=0.05))
    steps = {
        "lru-1": lru_step(lru),
        "lru-2": lru_step(lru),
        "index-1": index_step(index, 1, folder / "soak.index"),
        "index-2": index_step(index, 2, folder / "soak.index"),
        "sync-1": sync_step(cache),
        "sync-2": sync_step(cache),
        "async-1": async_step(cache),
        "async-2": async_step(cache),
        "stream-1": stream_step(streams),
        "stream-2": stream_step(streams),
        **batch_steps(),
    }
    return [Worker(name, step, seed) for seed, (name, step) in enumerate(steps.items())]


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    deadline = time.monotonic() + 60.0 * parser.parse_args().minutes
    folder = tempfile.TemporaryDirectory()
    workers = make_workers(Path(folder.name))
    for worker in workers:
        worker.start(deadline)
    samples, still = watch(workers, deadline)
    for worker in workers:
        worker.thread.join(timeout=0.0 if still else STANDSTILL_S)
        print(f"{worker.name:<10} {worker.steps:>12,} steps")
    problems = [f"{worker.name}: {worker.failure}" for worker in workers if worker.failure]
    problems += [f"{name} stood still for {STANDSTILL_S:.0f} s" for name in still]
    problems += [f"{worker.name} did not stop" for worker in workers if worker.thread.is_alive() and not still]
    grown = growth_problem(samples) if not problems else None
    problems += [grown] if grown else []
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"memory: {samples[0]:.1f} MiB at first, {samples[-1]:.1f} MiB at last; {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
