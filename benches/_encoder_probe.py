"""What the encoder bench measures in another process: a kernel chosen by environment, loading, memory, two at once.

    python benches/_encoder_probe.py kernel
    python benches/_encoder_probe.py load PRECISION
    python benches/_encoder_probe.py memory PRECISION TEXTS.json
    python benches/_encoder_probe.py vectors PRECISION TEXTS.json OUT.npy
    python benches/_encoder_probe.py serve PRECISION TEXTS.json

Prints one line of JSON; `serve` one more for each line that it reads: `p50 PART` or `batches PART`.
`{"refused": ...}` stands for a precision or a kernel that there is not.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import _machine
import llmfast
from llmfast._llmfast import kernel_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BATCH = 32
#: Of the texts, one of so many parts is measured in a round, the next one in the next round.
PARTS = 3


def read(path: str) -> list[str]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def p50_ms(encode: Callable[[str], object], texts: list[str]) -> float:
    """Return the median milliseconds of a text on its own."""
    took = []
    for text in texts:
        start = time.perf_counter()
        encode(text)
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1e3


def parts(texts: list[str]) -> list[list[str]]:
    """Cut texts into PARTS, each spread over all of them."""
    return [texts[at::PARTS] for at in range(PARTS)]


def in_turn(measure: Callable[[Any], float], parts: Iterable[Any]) -> Callable[[], float]:
    """Return what measures the next part each time that it is called."""
    turns = itertools.cycle(parts)
    return lambda: measure(next(turns))


def in_batches(texts: list[str]) -> list[list[str]]:
    """Cut texts into whole batches; what is left over is left out."""
    return [texts[at : at + BATCH] for at in range(0, len(texts) - BATCH + 1, BATCH)]


def texts_per_second(encode: Callable[[list[str]], object], texts: list[str]) -> float:
    """Return how many texts a second are encoded in batches, one after the other."""
    batches = in_batches(texts)
    start = time.perf_counter()
    for batch in batches:
        encode(batch)
    return len(batches) * BATCH / (time.perf_counter() - start)


def load(precision: str) -> dict[str, Any]:
    """Return the milliseconds of the constructor alone."""
    make = llmfast.MiniLM
    start = time.perf_counter()
    make(precision=precision)
    return {"ms": (time.perf_counter() - start) * 1e3}


def memory(precision: str, path: str) -> dict[str, Any]:
    """Return what the resident memory grows by, that of files included, for an encoder that encodes these texts."""
    texts, make = read(path), llmfast.MiniLM
    before = _machine.resident_bytes()
    encoder = make(precision=precision)
    for text in texts:
        encoder.encode(text)
    return {"bytes": _machine.resident_bytes() - before}


def vectors(precision: str, path: str, out: str) -> dict[str, Any]:
    """Write the vectors of these texts; by all cores, which changes nothing in them."""
    encoder = llmfast.MiniLM(precision=precision, threads=_machine.cores())
    np.save(out, encoder.encode(read(path)))
    return {"kernel": kernel_name()}


def serve(precision: str, path: str) -> dict[str, Any]:
    """Measure each time a line asks for it, so that other processes can be measured in between."""
    encode, cut = llmfast.MiniLM(precision=precision).encode, parts(read(path))
    measures = {"p50": p50_ms, "batches": texts_per_second}
    answer({"kernel": kernel_name()})
    for line in sys.stdin:
        what, part = line.split()
        answer({"figure": measures[what](encode, cut[int(part)])})
    return {}


def kernel() -> dict[str, Any]:
    return {"kernel": kernel_name()}


def answer(found: dict[str, Any]) -> None:
    print(json.dumps(found), flush=True)


def main() -> None:
    what, *arguments = sys.argv[1:]
    measures = {"kernel": kernel, "load": load, "memory": memory, "vectors": vectors, "serve": serve}
    try:
        answer(measures[what](*arguments))
    except llmfast.ConfigError as error:
        answer({"refused": str(error)})


if __name__ == "__main__":
    main()
