"""The batcher beside dloader, aiodataloader, batched, async-batcher, Ray Serve, BentoML and two loops by hand.

How it is measured:

- Peers run in the same process, on one thread, in turn, with batches of up to 64 and their caches off; how each is
  driven stands in `_batch_peers.py`. Ray Serve and BentoML take part where they are installed.
- A burst is 10,000 items asked at once and awaited by one `asyncio.gather`, through a backend that returns its list.
  What an item costs is held against futures alone: made, gathered and resolved without a batcher. The collector is on.
- One at a time is `await f(x)` in a loop, less the same loop over the backend itself.
- `virtual`, `padded` and `bins` run on a virtual clock and are the same on every machine.
- `wall` is an open loop: arrivals come by a schedule drawn once, whatever became of earlier ones, and latency counts
  from when an item was due. The backend sleeps 2 ms and .1 ms an item. It is either a device, which serves one call
  at a time whoever calls it, or takes any number of calls. Contenders that cannot gather while one call runs take no
  part at 2,000 items a second on the device, for they fall behind. The loop waits with `select`, whose timers are
  exact to some 60 us; `epoll` would add up to a millisecond to every sleep.
- `idle` counts what wakes the loop, and other threads, above an empty loop that is watched the same way.

`--only SECTION` runs one section (repeat it for more).
"""

from __future__ import annotations

import asyncio
import functools
import statistics
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import _batch_load as load
import _batch_simulation as simulation
from _batch_peers import MANY, Peer, batched_function, load as load_peers, open_call, open_submit
from _batch_virtual import run_bins, run_padded, run_virtual
from _harness import Bench, ratio

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping, Sequence

OURS = "llmfast"
TO_DLOADER, TO_BATCHED = 0.95, 10.0
BURST_CPU, MAP_CPU, ALONE_US = 1.3, 0.5, 15.0
#: Items a second, and for how many seconds they come.
WALL_RATES = {200: 2.5, 2_000: 1.0}
WALL_P50, WALL_P99 = 1.05, 1.3
GROWTH_MIB = 1.0


@dataclass
class Run:
    """One run: where figures go, and with whom to compare."""

    bench: Bench
    peers: Mapping[str, Peer]


# ---- cost ------------------------------------------------------------------------------------------------------------


def run_burst(run: Run) -> None:
    """Hold a burst against peers and bare futures, then the same under uvloop without bars."""
    contenders = burst_contenders(run)
    run.bench.rounds(contenders, label="burst, an item", unit="us")
    wall = {name: one.figures(0) for name, one in contenders.items()}
    for peer, least in (("dloader", TO_DLOADER), ("batched", TO_BATCHED)):
        run.bench.ratio_bar(f"burst: rate of {OURS} / {peer}", ratio(wall[peer], wall[OURS]), at_least=least)
    for name, at_most in ((OURS, BURST_CPU), (f"{OURS}, map", MAP_CPU)):
        found = ratio(contenders["bare futures"].figures(1), contenders[name].figures(1))
        what = f"burst, CPU: bare futures / {name} (at most {at_most:g}x)"
        run.bench.ratio_bar(what, found, at_least=1.0 / at_most)
    run_alone(run)
    run_uvloop(run)


def burst_contenders(run: Run, new_loop: load.NewLoop = asyncio.new_event_loop) -> dict[str, load.Sampled]:
    jobs = {OURS: load.burst_of(open_submit), f"{OURS}, map": load.list_of(open_map)}
    jobs |= {name: load.burst_of(peer.open) for name, peer in run.peers.items() if name != "Ray Serve, 5 ms"}
    jobs |= {"batched, a list": load.list_of(functools.partial(open_list, run.peers["batched"]))}
    jobs |= {"bare futures": load.bare_futures}
    return {name: load.Sampled(job, new_loop) for name, job in jobs.items()}


async def open_map(backend: Any) -> Any:
    return batched_function(backend).map


async def open_list(peer: Peer, backend: Any) -> Any:
    return await peer.open(backend, 1)


def alone_contenders(run: Run, new_loop: load.NewLoop = asyncio.new_event_loop) -> dict[str, load.Sampled]:
    opened = {OURS: open_call} | {name: peer.open for name, peer in run.peers.items()}
    return {name: load.Sampled(load.alone_of(open_), new_loop) for name, open_ in opened.items()}


def run_alone(run: Run) -> None:
    rounds = run.bench.rounds(alone_contenders(run), label="one at a time, above the backend", unit="us")
    run.bench.time_bar("one at a time", statistics.median(rounds[OURS]), unit="us", at_most=ALONE_US)


def run_uvloop(run: Run) -> None:
    try:
        uvloop = import_module("uvloop")
    except ImportError as error:
        run.bench.note("uvloop: left out", str(error))
        return
    shown = (OURS, f"{OURS}, map", "dloader", "aiodataloader", "batched", "greedy loop", "bare futures")
    for label, made in (("burst", burst_contenders), ("one at a time", alone_contenders)):
        contenders = {name: one for name, one in made(run, uvloop.new_event_loop).items() if name in shown}
        run.bench.rounds(contenders, label=f"uvloop, {label}, an item", unit="us")


# ---- latency ---------------------------------------------------------------------------------------------------------


def run_wall(run: Run) -> None:
    for rate, seconds in WALL_RATES.items():
        schedule = simulation.poisson(float(rate), int(rate * seconds), seed=rate)
        falls_behind = rate * simulation.service_of(1) > 1.0
        gathers = {name: peer for name, peer in run.peers.items() if peer.one_worker or not falls_behind}
        measure_wall(run, f"a device, {rate:,}/s", gathers, schedule, 1)
        many = {name: peer for name, peer in run.peers.items() if peer.many_workers}
        measure_wall(run, f"any number of calls, {rate:,}/s", many, schedule, MANY)


def measure_wall(run: Run, label: str, peers: Mapping[str, Peer], schedule: Sequence[float], workers: int) -> None:
    """Time one rate with one backend; our p50 and p99 are each held against those of the best peer there."""
    opened = {OURS: open_call} | {name: peer.open for name, peer in peers.items()}
    if workers > 1:
        opened["the backend alone"] = load.open_direct
    contenders = {
        name: load.Sampled(load.latencies_of(open_, schedule, workers), load.exact_timers)
        for name, open_ in opened.items()
    }
    run.bench.rounds(contenders, label=f"{label}: p50", unit="ms")
    for place, what, at_most in ((0, "p50", WALL_P50), (1, "p99", WALL_P99)):
        figures = {name: one.figures(place) for name, one in contenders.items()}
        if place > 0:
            run.bench.raw[f"{label}: {what}"] = {"unit": "ms", **figures}
            for name, values in figures.items():
                run.bench.note(f"{label}: {what}: {name}", f"{statistics.median(values):.4g} ms")
        best = min(peers, key=lambda name: statistics.median(figures[name]))
        found = ratio(figures[best], figures[OURS])
        run.bench.ratio_bar(f"{label}: {what}: {best} / {OURS} ({OURS} <= {at_most:g}x)", found, at_least=1 / at_most)


# ---- idleness and memory ---------------------------------------------------------------------------------------------


def user(open_: load.Open) -> Callable[[], Awaitable[object]]:
    """Return what asks some items and keeps the batcher."""

    async def use() -> object:
        ask = await open_(load.no_op, 1)
        for _ in range(3):
            await asyncio.gather(*[ask(item) for item in range(200)])
        return ask

    return use


async def use_from_threads() -> object:
    """Ask from the loop and, by `sync`, from another thread."""
    function = batched_function(load.no_op)
    await asyncio.gather(*[function(item) for item in range(200)])
    for item in range(20):
        await asyncio.to_thread(function.sync, item)
    return function


async def open_waiting(backend: Any, workers: int) -> Any:
    return batched_function(backend, workers, max_wait=0.005).submit


async def use_nothing() -> object:
    return None


def run_idle(run: Run) -> None:
    """Hold what wakes after use at zero; peers are printed."""
    empty = load.least_wakes(use_nothing)
    ours = {OURS: user(open_submit), f"{OURS}, max_wait": user(open_waiting), f"{OURS}, sync": use_from_threads}
    for name, use in ours.items():
        loop, threads = (max(0.0, seen - none) for seen, none in zip(load.least_wakes(use), empty, strict=True))
        run.bench.bar(f"idle: {name}: of the loop", loop, unit="wakes a second", at_most=0.0)
        run.bench.bar(f"idle: {name}: of other threads", threads, unit="wakes a second", at_most=0.0)
    for name, peer in run.peers.items():
        loop, threads = load.least_wakes(user(peer.open), times=1)
        text = f"{loop - empty[0]:g} wakes a second of the loop, {threads - empty[1]:g} of other threads"
        run.bench.note(f"idle: {name}", text)


def run_memory(run: Run) -> None:
    """Hold the growth from 100,000 to a million items; dloader is printed."""
    for name, open_ in ((OURS, open_submit), ("dloader", run.peers["dloader"].open)):
        grown = load.Sampled(load.growth_of(open_))()
        what = f"memory: {name}: growth from 10^5 to 10^6 items"
        if name == OURS:
            run.bench.bar(what, grown, unit="MiB", at_most=GROWTH_MIB)
        else:
            run.bench.note(what, f"{grown:.3g} MiB")


# ---- the run ---------------------------------------------------------------------------------------------------------

#: Memory first: what later sections leave behind would hide its growth.
SECTIONS: dict[str, Callable[[Run], None]] = {
    "memory": run_memory,
    "burst": run_burst,
    "virtual": lambda run: run_virtual(run.bench),
    "wall": run_wall,
    "idle": run_idle,
    "padded": lambda run: run_padded(run.bench),
    "bins": lambda run: run_bins(run.bench),
}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=SECTIONS, help="run this section; may be repeated")


def main() -> int:
    libraries = ("dloader", "aiodataloader", "batched", "async-batcher", "uvloop", "ray", "bentoml")
    bench = Bench("batcher", __doc__, libraries=libraries, options=options)
    run = Run(bench, load_peers(bench))
    for name in bench.arguments.only or SECTIONS:
        start = time.perf_counter()
        SECTIONS[name](run)
        bench.note(f"section {name}", f"{time.perf_counter() - start:.0f} s")
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
