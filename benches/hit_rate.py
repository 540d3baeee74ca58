"""How often a cache of 1 %, 5 % and 20 % of a recorded trace's distinct keys answers, beside strict LRU.

Nothing is timed: the figures are hit ratios by object, a miss inserts. Bars: `policy="lru"` loses at most half a point
to strict LRU on each trace and size; `policy="s3-fifo"` is better than strict LRU in the mean of all of them. Peers are
printed without a bar.
"""

from __future__ import annotations

import statistics
import sys
from typing import TYPE_CHECKING, Any

import llmfast
from _harness import Bench
from _traces import MAX_LOSS_POINTS, MIN_GAIN_POINTS, SHARES, TRACES, StrictLru, capacity, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _traces import ReplayedCache

HitRatios = dict[str, list[float]]


class Theine:
    """theine (W-TinyLFU) behind the two calls of a replay; its `get` gives a pair, its insertion is `set`."""

    def __init__(self, module: Any, size: int) -> None:
        self.cache = module.Cache(size)

    def get(self, key: int, /) -> object:
        return self.cache.get(key)[0]

    def insert(self, key: int, value: bool, /) -> None:
        self.cache.set(key, value)


def policies(bench: Bench) -> dict[str, Callable[[int], ReplayedCache]]:
    """Return what makes each contender, by name, strict LRU first."""
    cachebox, theine = bench.need_module("cachebox"), bench.need_module("theine")
    return {
        "strict LRU": StrictLru,
        "lru": lambda size: llmfast.LruCache(size, policy="lru"),
        "s3-fifo": lambda size: llmfast.LruCache(size, policy="s3-fifo"),
        "cachebox": cachebox.LRUCache,
        "theine": lambda size: Theine(theine, size),
    }


def measure(
    bench: Bench, trace: str, keys: Sequence[int], makers: Mapping[str, Callable[[int], ReplayedCache]]
) -> HitRatios:
    """Replay one trace at every size; note a line of the table each and return the ratios in percent by contender."""
    ratios: HitRatios = {name: [] for name in makers}
    for share in SHARES:
        size = capacity(keys, share)
        for name, make in makers.items():
            ratios[name].append(100.0 * replay(make(size), keys))
        line = "  ".join(f"{name} {values[-1]:5.2f} %" for name, values in ratios.items())
        bench.note(f"{trace}, {share:.0%}, {size:,} entries", line)
    bench.raw[trace] = {"unit": "% hits", **ratios}
    return ratios


def lru_bars(bench: Bench, trace: str, ratios: HitRatios) -> None:
    """Hold `policy="lru"` against strict LRU at every size."""
    for share, strict, ours in zip(SHARES, ratios["strict LRU"], ratios["lru"], strict=True):
        bench.bar(
            f"{trace}, {share:.0%}: lru minus strict LRU", ours - strict, unit="points", at_least=-MAX_LOSS_POINTS
        )


def main() -> int:
    bench = Bench("hit_rate", __doc__, libraries=("cachebox", "theine"))
    makers = policies(bench)
    every: HitRatios = {name: [] for name in makers}
    for trace, (relative, read) in TRACES.items():
        ratios = measure(bench, trace, read(bench.need_data(relative)), makers)
        lru_bars(bench, trace, ratios)
        for name, values in ratios.items():
            every[name] += values
    means = {name: statistics.fmean(values) for name, values in every.items()}
    bench.note("mean", "  ".join(f"{name} {mean:5.2f} %" for name, mean in means.items()))
    gain = means["s3-fifo"] - means["strict LRU"]
    bench.bar("mean of s3-fifo minus mean of strict LRU", gain, unit="points", at_least=MIN_GAIN_POINTS)
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
