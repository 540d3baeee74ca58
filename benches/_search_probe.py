"""What the search bench measures in a fresh process: the memory of a loaded index, and a kernel chosen by environment.

    python benches/_search_probe.py resident|partitions|latency QUERIES.npy INDEX ...

Prints one line of JSON.
"""

from __future__ import annotations

import functools
import gc
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import llmfast
from _machine import resident_bytes
from llmfast._llmfast import kernel_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: What is asked, by name: (k, min_score).
ASKED = {"tau .9": (1, 0.9), "tau .8": (1, 0.8), "top 10": (10, -1.0)}
SECONDS = 2.0
FEWEST = 20


def partition_ids(count: int) -> list[int]:
    """Return partitions as the cache has them: 128 bits in no order."""
    rng = random.Random(11)
    return [rng.getrandbits(128) for _ in range(count)]


def microseconds(call: Callable[[Any], object], query: Any) -> float:
    start = time.perf_counter_ns()
    call(query)
    return (time.perf_counter_ns() - start) / 1e3


def p50(call: Callable[[Any], object], queries: Iterable[Any]) -> float:
    """Return the median microseconds of a call a query: of all queries, or of those that SECONDS allow."""
    samples: list[float] = []
    until = time.perf_counter() + SECONDS
    for query in queries:
        samples.append(microseconds(call, query))
        if time.perf_counter() > until and len(samples) >= FEWEST:
            break
    return statistics.median(samples)


def asked(index: Any, name: str) -> Callable[[Any], object]:
    k, min_score = ASKED[name]
    return functools.partial(index.search, k=k, min_score=min_score)


def touch_code(queries: Sequence[Any]) -> None:
    """Run what is measured once on a small index, so that the code is not counted as the index's memory."""
    index = llmfast.FlatIndex(len(queries[0]))
    index.add_many(range(len(queries)), np.stack(queries))
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "small")
        index = llmfast.FlatIndex.load(Path(folder) / "small")
        for name in ASKED:
            asked(index, name)(queries[0])
    del index
    gc.collect()


def load(path: str) -> tuple[Any, float]:
    """Return the index and the milliseconds that opening it took."""
    start = time.perf_counter()
    index = llmfast.FlatIndex.load(path)
    return index, (time.perf_counter() - start) * 1e3


def resident(queries: Sequence[Any], path: str) -> dict[str, float]:
    """Ask all queries at thresholds and a tenth of them without; return the growth of the resident set."""
    touch_code(queries)
    before = resident_bytes()
    index, opened_ms = load(path)
    found = {"opened_ms": opened_ms, "first_us": microseconds(asked(index, "tau .9"), queries[0])}
    for name in ("tau .9", "tau .8"):
        found[name] = statistics.median(microseconds(asked(index, name), query) for query in queries)
    found["with thresholds"] = (resident_bytes() - before) / len(index)
    found["top 10"] = statistics.median(microseconds(asked(index, "top 10"), query) for query in queries[::10])
    found["growth"] = (resident_bytes() - before) / len(index)
    found["heap"] = index.memory_bytes / len(index)
    return found


def partitions(queries: Sequence[Any], path: str, count: str) -> dict[str, float]:
    """Search every partition at .9, then every one without a threshold; return the growth of the resident set."""
    touch_code(queries)
    chosen = partition_ids(int(count))
    before = resident_bytes()
    index, opened_ms = load(path)
    found = {"opened_ms": opened_ms}
    for name, min_score in (("tau .9", 0.9), ("no threshold", -1.0)):
        samples = []
        for number, partition in enumerate(chosen):
            call = functools.partial(index.search, min_score=min_score, partition=partition)
            samples.append(microseconds(call, queries[number % len(queries)]))
        found[f"{name}, us"] = statistics.median(samples)
        found[f"{name}, bytes"] = (resident_bytes() - before) / len(index)
    found["heap"] = index.memory_bytes / len(index)
    return found


def latency(queries: Sequence[Any], *paths: str) -> dict[str, Any]:
    """Return the kernel, and the p50 of each index for everything that is asked."""
    indexes = [load(path)[0] for path in paths]
    for index in indexes:
        for query in queries[:FEWEST]:
            asked(index, "top 10")(query)
    rows = {len(index): {name: p50(asked(index, name), queries) for name in ASKED} for index in indexes}
    return {"kernel": kernel_name(), "rows": rows}


def main() -> None:
    what, queries, *arguments = sys.argv[1:]
    measure = {"resident": resident, "partitions": partitions, "latency": latency}[what]
    print(json.dumps(measure(list(np.load(queries)), *arguments)))


if __name__ == "__main__":
    main()
