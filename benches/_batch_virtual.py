"""The sections of the batcher bench that run on a virtual clock, and padding through `@batch` itself."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from typing import TYPE_CHECKING, Any

import _batch_simulation as simulation
import llmfast
from _batch_load import exact_timers
from llmfast._llmfast import BatchScheduler

if TYPE_CHECKING:
    from _harness import Bench

LOADS = (0.05, 0.2, 0.5, 0.8, 0.95)
WINDOWS_MS = (1, 2, 5, 10)
ARRIVALS, SEEDS = 200_000, (1, 2, 3)
OFF_GREEDY_PERCENT, TO_WINDOW = 1.0, 1.01

BUDGET, STANDING, PADDED_BATCHES, DRAINS = 8_192, 256, 1_000, 20
PADDING_AT_MOST = 1.5
#: What a batch takes on the virtual clock, and when `@batch` is asked: a call, and a padded token.
CALL_S, TOKEN_S = 0.002, 1e-6

SHORTEST, LONGEST, BIN_BATCH, BIN_COUNTS = 16, 1_024, 32, (1, 2, 4, 8, 16, 32)
BIN_BATCHES, BIN_STANDING = 10_000, 16
OFF_FORMULA_PERCENT = 2.0


def scheduler_of(**changed: Any) -> Any:
    """Return a scheduler of one worker and a queue without a bound that matters."""
    options = {
        "max_batch_size": simulation.LIMIT,
        "max_batch_tokens": None,
        "padded": False,
        "max_wait": 0.0,
        "concurrency": 1,
        "max_queue": 10_000_000,
        "max_queue_tokens": None,
        "bins": None,
        "ageing": 1.0,
    }
    return BatchScheduler(**options | changed)


# ---- sojourn ---------------------------------------------------------------------------------------------------------


def run_virtual(bench: Bench) -> None:
    """Hold the mean sojourn of Poisson arrivals against a greedy simulator's and those of waiting windows."""
    for load in LOADS:
        means = [sojourns(load, seed) for seed in SEEDS]
        mean = {name: statistics.fmean(one[name] for one in means) for name in means[0]}
        windows = {name: value for name, value in mean.items() if name.startswith("window")}
        best = min(windows, key=windows.__getitem__)
        label = f"virtual, load {load * 100:g} %"
        shown = ", ".join(f"{name} {value * 1e3:.3f}" for name, value in mean.items())
        bench.note(f"{label}: mean sojourn in ms", shown)
        off = max(abs(one["llmfast"] / one["greedy"] - 1.0) for one in means) * 100.0
        bench.bar(f"{label}: off greedy", off, unit="%", at_most=OFF_GREEDY_PERCENT)
        bench.bar(f"{label}: llmfast / {best}", mean["llmfast"] / windows[best], unit="x", at_most=TO_WINDOW)


def sojourns(load: float, seed: int) -> dict[str, float]:
    """Return the mean sojourn in seconds of the scheduler, of the greedy worker and of every window."""
    arrivals = simulation.poisson(simulation.rate_at(load), ARRIVALS, seed)
    batches = {"llmfast": simulation.scheduled(scheduler_of(), arrivals), "greedy": simulation.windowed(arrivals, 0.0)}
    batches |= {f"window {ms} ms": simulation.windowed(arrivals, ms / 1e3) for ms in WINDOWS_MS}
    return {name: simulation.mean_sojourn(made) for name, made in batches.items()}


# ---- padding ---------------------------------------------------------------------------------------------------------


def seconds_of(lengths: list[int]) -> float:
    return CALL_S + TOKEN_S * len(lengths) * max(lengths)


def padded_scheduler() -> simulation.Queue:
    made = scheduler_of(max_batch_size=STANDING, max_batch_tokens=BUDGET, padded=True)
    return simulation.Scheduled(made, seconds_of)


def run_padded(bench: Bench) -> None:
    """Hold padded tokens over real ones, with 256 waiting and as they drain; first come and sorted are printed."""
    queues = {
        "first come": lambda: simulation.FirstCome(BUDGET),
        "longest first (short ones starve)": lambda: simulation.LongestFirst(BUDGET),
    }
    for name, make in queues.items():
        for way, ratio in paddings(make).items():
            bench.note(f"padded, {way}: {name}", f"{ratio:.3f} x")
    for way, ratio in paddings(padded_scheduler).items():
        bench.bar(f"padded, {way}: the scheduler", ratio, unit="x", at_most=PADDING_AT_MOST)
    with asyncio.Runner(loop_factory=exact_timers) as runner:
        found = runner.run(Padded().paddings())
    for way, ratio in found.items():
        bench.bar(f"padded, {way}: @batch", ratio, unit="x", at_most=PADDING_AT_MOST)


def paddings(make: Any) -> dict[str, float]:
    """Return the padding of a queue that is refilled, and of queues that drain."""
    kept = simulation.refilled(make(), simulation.lognormal_lengths(1), standing=STANDING, batches=PADDED_BATCHES)
    drains = [
        simulation.drained(make(), itertools.islice(simulation.lognormal_lengths(seed), STANDING))
        for seed in range(DRAINS)
    ]
    return {"refilled": simulation.padding(kept), "drained": simulation.padding(itertools.chain(*drains))}


class Padded:
    """Texts through `@batch`, whose calls sleep as long as the virtual ones take."""

    def __init__(self) -> None:
        options: Any = {"max_batch_size": STANDING, "max_batch_tokens": BUDGET, "padded": True, "cost": len}
        self.function: Any = llmfast.batch(self.run, **options)
        self.lengths = simulation.lognormal_lengths(1)
        self.batches: list[list[int]] = []
        self.started: asyncio.Queue[int] = asyncio.Queue()
        self.futures: list[asyncio.Future[int]] = []

    async def run(self, texts: list[str]) -> list[int]:
        lengths = [len(text) for text in texts]
        self.batches.append(lengths)
        self.started.put_nowait(len(texts))
        await asyncio.sleep(seconds_of(lengths))
        return lengths

    def ask(self, count: int) -> None:
        self.futures += [self.function.submit("x" * length) for length in itertools.islice(self.lengths, count)]

    async def paddings(self, batches: int = 300) -> dict[str, float]:
        """Return padded tokens over real ones while 256 texts wait, and as 256 drain."""
        self.ask(STANDING)
        for _ in range(batches):
            self.ask(await self.started.get())
        kept = self.batches[:batches]
        await self.function.drain()
        self.batches.clear()
        for _ in range(DRAINS):
            self.ask(STANDING)
            await self.function.drain()
        await asyncio.gather(*self.futures)
        return {"refilled": simulation.padding(kept), "drained": simulation.padding(self.batches)}


# ---- bins ------------------------------------------------------------------------------------------------------------


def run_bins(bench: Bench) -> None:
    """Hold the mean longest item of a batch against what multi-bin batching predicts."""
    for bins in BIN_COUNTS:
        expected = simulation.mean_longest(SHORTEST, LONGEST, batch=BIN_BATCH, bins=bins)
        measured = mean_longest_measured(bins)
        off = abs(measured / expected - 1.0) * 100.0
        label = f"bins, {bins}: longest {measured:.1f}, expected {expected:.1f}: off"
        bench.bar(label, off, unit="%", at_most=OFF_FORMULA_PERCENT)


def mean_longest_measured(bins: int) -> float:
    """Return the mean longest of the batches that come once all items of the beginning have left."""
    standing = BIN_STANDING * max(BIN_COUNTS) * BIN_BATCH
    queue = simulation.Scheduled(scheduler_of(max_batch_size=BIN_BATCH, bins=bins), lambda lengths: max(lengths) * 1e-3)
    lengths = simulation.uniform_lengths(bins, SHORTEST, LONGEST)
    warm = 2 * standing // BIN_BATCH
    made = simulation.refilled(queue, lengths, standing=standing, batches=warm + BIN_BATCHES)
    return statistics.fmean(map(max, made[warm:]))
