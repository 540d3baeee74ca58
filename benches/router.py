"""What a routing decision costs from Python: p99 at most 1 ms for a question of 1 kB.

Three lengths, each a different question every time, so that nothing can be remembered. Every call is timed by itself;
a round's figure is its p99 (and its median), and the median of the rounds decides.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import TYPE_CHECKING

import llmfast
from _harness import Bench, percentile

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS_A_ROUND = 1_000
BAR_MS = 1.0
TEXT = """what is the exchange rate for my card when I travel abroad explain step by step why the transfer failed
compare both plans write a function in python that parses JSON and prove that it terminates summarise this text"""
WORDS = TEXT.split()


def question(length: int, rng: random.Random) -> str:
    """Return a question of exactly `length` characters, one byte each."""
    text = " ".join(rng.choices(WORDS, k=length // 3))
    return text[:length]


def call_times_us(route: Callable[[str], object], questions: list[str]) -> list[float]:
    """Return the microseconds of every single call."""
    times = []
    for text in questions:
        begin = time.perf_counter_ns()
        route(text)
        times.append((time.perf_counter_ns() - begin) / 1e3)
    return times


def main() -> int:
    bench = Bench("router", __doc__)
    router = llmfast.Router.default()
    rng = random.Random(11)
    p99_ms: dict[int, list[float]] = {}
    for length in (64, 1_000, 16_000):
        medians: list[float] = []

        def p99(length: int = length, medians: list[float] = medians) -> float:
            times = call_times_us(router.route, [question(length, rng) for _ in range(CALLS_A_ROUND)])
            medians.append(statistics.median(times))
            return percentile(times, 0.99)

        rounds = bench.rounds({"p99": p99}, label=f"route, {length:,} bytes", unit="us")
        bench.note(f"route, {length:,} bytes: median", f"{statistics.median(medians[1:]):.4g} us")
        p99_ms[length] = [us / 1e3 for us in rounds["p99"]]
    bench.time_bar("p99 at 1 kB", statistics.median(p99_ms[1_000]), unit="ms", at_most=BAR_MS)
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
