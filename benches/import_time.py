"""What `import llmfast` adds to the start of a bare interpreter: at most 30 ms.

Each round starts both interpreters in turn; the figure is the median of the rounds' differences. `import asyncio` is
measured beside it as a measure of how much that is.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from _harness import Bench

RUNS_A_ROUND = 5
BAR_MS = 30.0


def start_ms(program: str) -> float:
    """Return the milliseconds in which a new interpreter runs `program`: the least of a few starts."""
    return min(_one_start_ms(program) for _ in range(RUNS_A_ROUND))


def _one_start_ms(program: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, stdin=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1e3


def main() -> int:
    bench = Bench("import_time", __doc__)
    programs = {"bare": "pass", "llmfast": "import llmfast", "asyncio": "import asyncio"}
    contenders = {name: lambda program=program: start_ms(program) for name, program in programs.items()}
    rounds = bench.rounds(contenders, label="start of an interpreter", unit="ms")
    added = {
        name: statistics.median(a - b for a, b in zip(rounds[name], rounds["bare"], strict=True))
        for name in ("llmfast", "asyncio")
    }
    bench.note("import asyncio, for comparison", f"{added['asyncio']:.2f} ms")
    bench.time_bar("import llmfast", added["llmfast"], unit="ms", at_most=BAR_MS)
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
