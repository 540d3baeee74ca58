"""MiniLM beside sentence-transformers and onnxruntime: a question, a batch, loading, memory, fidelity, hostile texts.

How it is measured:

- Texts are 600 questions of QQP, a third of them in each round; tokenizing is part of every figure.
- One thread each, in one process and in turn, which starts itself again with every library held to one thread. Peers
  run in their best setting (`_encoder_peers.py`).
- What a precision that is not built would have to reach counts as missed.
- A kernel that is not this processor's best is timed in a process of its own, which waits while others are measured.
- Loading, memory and the two processes beside two threads are measured in fresh processes (`_encoder_probe.py`).
- Fidelity is held against the vectors of sentence-transformers in f32, kept in `target/bench`: `_encoder_fidelity.py`.

`--only SECTION` runs one section (repeat it for more).
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import llmfast
from _encoder_fidelity import Fidelity, Pairs, compare, evenly, kept_vectors
from _encoder_hostile import has_surrogate, hostile_texts
from _encoder_peers import ORT_F32, ORT_INT8, TORCH, Peers
from _encoder_probe import BATCH, PARTS, in_turn, p50_ms, parts, texts_per_second
from _encoder_process import Other, probe
from _harness import Bench, ratio, with_one_thread
from _vectors import CACHE, QUESTIONS, distinct_questions
from llmfast._llmfast import kernel_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

ASKED = 600
PRECISIONS = ("f32", "int16", "bf16", "int8")
KERNELS = ("scalar", "avx2", "avx512", "avx512bf16", "amx", "neon")
LIBRARIES = ("sentence-transformers", "torch", "transformers", "tokenizers", "onnxruntime", "onnx")
OURS, OURS_F32, OURS_INT8, OURS_AVX2 = "llmfast", "llmfast f32", "llmfast int8", "llmfast f32, avx2"
#: Who is how many times faster than whom.
ONE_FASTER = {
    (OURS, TORCH): 4.5,
    (OURS_INT8, TORCH): 12.0,
    (OURS_INT8, ORT_INT8): 1.0,
    (OURS_F32, ORT_F32): 1.0,
    (OURS_AVX2, TORCH): 2.0,
}
MANY_FASTER = {(OURS, TORCH): 5.0, (OURS_INT8, TORCH): 10.0}
OF_TWO_PROCESSES = 0.85
LOAD_MS = 150.0
#: Bytes of a weight of the matrices, which are packed, and of the embedding table, which is the mapped file's.
MATRIX_WEIGHTS, MATRIX_BYTES = 6 * (4 * 384 * 384 + 2 * 384 * 1536), {"f32": 4, "int16": 2, "bf16": 2, "int8": 1}
TABLE_WEIGHTS, TABLE_BYTES = 30_522 * 384, 4
OF_HELD, MEMORY_TEXTS = 1.3, 100
#: Of the pairs, one in FEWER is compared where that takes long.
PAIRS, FEWER = 6_000, 12
LEAST_COSINE = {"f32": 0.999999, "int16": 0.9999, "bf16": 0.9999, "int8": 0.99}
MOST_CHANGED = {"f32": 0.0002, "int16": 0.001, "bf16": 0.001, "int8": 0.012}
AUC_OFF = 0.001


@dataclass
class Run:
    """One run: where figures go, the questions, the peers, our encoders, and why a precision has none."""

    bench: Bench
    data: Path
    texts: list[str]
    peers: Peers
    folder: Path
    ours: dict[str, llmfast.MiniLM]
    absent: dict[str, str]

    @classmethod
    def prepare(cls, bench: Bench, folder: Path) -> Self:
        """Read the questions and open the model in every precision and with every peer, or exit 2."""
        data = bench.need_data(QUESTIONS)
        questions = distinct_questions(data)
        texts = [questions[place] for place in evenly(len(questions), ASKED)]
        path = bench.need_encoder().path
        ours, absent = {}, {}
        for name, precision in ((OURS, "auto"), *((f"{OURS} {precision}", precision) for precision in PRECISIONS)):
            try:
                ours[name] = llmfast.MiniLM(path, precision=precision)
            except llmfast.ConfigError as error:
                absent[name] = f"not built: {error}"
        return cls(bench, data, texts, Peers.load(bench, path), folder, ours, absent)

    def encodes(self) -> dict[str, tuple[Callable[[str], Any], Callable[[list[str]], Any]]]:
        """Return what encodes one text and what encodes a batch, ours and the peers'."""
        ours = {name: (encoder.encode, encoder.encode) for name, encoder in self.ours.items()}
        return ours | {name: (peer.one, peer.many) for name, peer in self.peers.contestants.items()}

    def write(self, texts: list[str]) -> str:
        """Write texts for another process and return the path."""
        path = self.folder / f"{len(texts)}.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        return str(path)

    def hold(
        self,
        label: str,
        figures: Mapping[str, Sequence[float]],
        bars: Mapping[tuple[str, str], float],
        *,
        higher: bool = False,
    ) -> None:
        """Hold how many times faster one contender is than another; `higher` says that the higher figure is faster."""
        for (mine, peer), at_least in bars.items():
            name = f"{label}: {mine} / {peer}" if higher else f"{label}: {peer} / {mine}"
            if mine in figures:
                pair = (figures[mine], figures[peer]) if higher else (figures[peer], figures[mine])
                self.bench.ratio_bar(name, ratio(*pair), at_least=at_least)
            else:
                self.bench.missing(name, self.absent[mine], bar=f">= {at_least:g}x")


# ---- speed -----------------------------------------------------------------------------------------------------------


def run_one(run: Run) -> None:
    """Time a question on its own."""
    contenders = {
        name: in_turn(functools.partial(p50_ms, one), parts(run.texts)) for name, (one, _) in run.encodes().items()
    }
    label = "one question, p50"
    with contextlib.ExitStack() as stack:
        if kernel_name() != "avx2":
            contenders |= forced_avx2(run, stack)
        rounds = run.bench.rounds(contenders, label=label, unit="ms")
    if kernel_name() == "avx2":
        rounds[OURS_AVX2] = rounds[OURS_F32]
    run.hold(label, rounds, ONE_FASTER)


def forced_avx2(run: Run, stack: contextlib.ExitStack) -> dict[str, Callable[[], float]]:
    """Return our f32 on the AVX2 kernel, in a process of its own until `stack` ends; nothing without AVX2."""
    try:
        other = stack.enter_context(Other("f32", run.write(run.texts), "avx2"))
    except llmfast.ConfigError as error:
        run.absent[OURS_AVX2] = str(error)
        return {}
    return {OURS_AVX2: in_turn(functools.partial(other.ask, "p50"), range(PARTS))}


def run_many(run: Run) -> None:
    """Time batches of 32."""
    label = f"batches of {BATCH}"
    contenders = {
        name: in_turn(functools.partial(texts_per_second, many), parts(run.texts))
        for name, (_, many) in run.encodes().items()
    }
    run.hold(label, run.bench.rounds(contenders, label=label, unit="texts/s"), MANY_FASTER, higher=True)


def run_threads(run: Run) -> None:
    """Hold two threads of one call beside two processes of one thread at the same time: what the machine can give."""
    path, two = run.write(run.texts), llmfast.MiniLM(run.ours[OURS].path, threads=2)
    with Other("auto", path) as first, Other("auto", path) as second:

        def both(part: int) -> float:
            for other in (first, second):
                other.tell("batches", part)
            return first.figure() + second.figure()

        contenders = {
            "one process": in_turn(functools.partial(first.ask, "batches"), range(PARTS)),
            "two processes": in_turn(both, range(PARTS)),
            "two threads": in_turn(functools.partial(texts_per_second, two.encode), parts(run.texts)),
        }
        label = f"batches of {BATCH}, two threads"
        rounds = run.bench.rounds(contenders, label=label, unit="texts/s")
    for name in ("two processes", "two threads"):
        run.bench.note(f"{label}: {name} / one process", str(ratio(rounds[name], rounds["one process"])))
    run.hold(label, rounds, {("two threads", "two processes"): OF_TWO_PROCESSES}, higher=True)


# ---- loading and memory ----------------------------------------------------------------------------------------------


def run_load(run: Run) -> None:
    """Time the constructor in fresh processes, the files being in the page cache."""
    built = [precision for precision in ("auto", *PRECISIONS) if named(precision) in run.ours]
    contenders = {precision: lambda precision=precision: probe("load", precision)["ms"] for precision in built}
    rounds = run.bench.rounds(contenders, label="load", unit="ms")
    for precision in ("auto", *PRECISIONS):
        name = f"load, {precision}"
        if precision in rounds:
            run.bench.time_bar(name, statistics.median(rounds[precision]), unit="ms", at_most=LOAD_MS)
        else:
            run.bench.missing(name, run.absent[named(precision)], bar=f"<= {LOAD_MS:g} ms")


def run_memory(run: Run) -> None:
    """Weigh an encoder that has encoded, mapped pages included, beside the weights that it needs."""
    path = run.write(run.texts[:MEMORY_TEXTS])
    for precision in PRECISIONS:
        held = MATRIX_WEIGHTS * MATRIX_BYTES[precision] + TABLE_WEIGHTS * TABLE_BYTES
        name, most = f"resident, {precision}", OF_HELD * held / 2**20
        try:
            grown = probe("memory", precision, path)["bytes"] / 2**20
        except llmfast.ConfigError as error:
            run.bench.missing(name, f"not built: {error}", bar=f"<= {most:.4g} MiB")
            continue
        run.bench.note(name, f"{grown:.1f} MiB, {grown * 2**20 / held:.2f} of matrices and embedding table")
        run.bench.bar(name, grown, unit="MiB", at_most=most)


def named(precision: str) -> str:
    """Return what an encoder of this precision is called as a contender."""
    return OURS if precision == "auto" else f"{OURS} {precision}"


# ---- fidelity --------------------------------------------------------------------------------------------------------


def run_fidelity(run: Run) -> None:
    """Compare the vectors of every kernel and precision with the reference's, and print those of onnxruntime."""
    pairs = Pairs.sampled(run.data, PAIRS)
    peer, libraries = run.peers.contestants[TORCH], ("sentence-transformers", "torch")
    reference = kept_vectors(TORCH, libraries, pairs.texts, lambda: peer.many(pairs.texts))
    for kernel in KERNELS:
        try:
            probe("kernel", kernel=kernel)
        except llmfast.ConfigError as error:
            run.bench.note(f"fidelity, kernel {kernel}", str(error))
            continue
        # The oracle takes a minute for what the others take some seconds for.
        step = FEWER if kernel == "scalar" else 1
        for precision in PRECISIONS:
            measure_fidelity(run, kernel, precision, pairs.every(step), every(reference, step))
    few, expected = pairs.every(FEWER), every(reference, FEWER)
    for name in (ORT_F32, ORT_INT8):
        # One by one: dynamic quantisation has the texts of a batch change each other's vectors.
        vectors = np.stack([run.peers.contestants[name].one(text) for text in few.texts])
        run.bench.note(f"fidelity of {len(few):,} pairs, {name}", str(compare(vectors, expected, few.same)))


def every(reference: np.ndarray, step: int) -> np.ndarray:
    """Return the vectors of each `step`-th pair: of the first texts, then of the second ones."""
    return np.concatenate([half[::step] for half in np.split(reference, 2)])


def measure_fidelity(run: Run, kernel: str, precision: str, pairs: Pairs, reference: np.ndarray) -> None:
    """Hold one kernel in one precision; with fewer pairs than PAIRS, shares of them are printed without a bar."""
    label, out = f"fidelity of {len(pairs):,} pairs, {kernel} {precision}", str(run.folder / "vectors.npy")
    try:
        probe("vectors", precision, run.write(pairs.texts), out, kernel=kernel)
    except llmfast.ConfigError as error:
        run.bench.missing(label, f"not built: {error}", bar=f"cosine >= {LEAST_COSINE[precision]}")
        return
    found = compare(np.load(out), reference, pairs.same)
    run.bench.note(label, str(found))
    # Beside 1 the harness's four digits say nothing.
    off, most_off = (1 - cosine for cosine in (found.least_cosine, LEAST_COSINE[precision]))
    run.bench.bar(f"{label}: 1 - least cosine", off, at_most=round(most_off, 9))
    if len(pairs) == PAIRS:
        hold_shares(run.bench, label, precision, found)


def hold_shares(bench: Bench, label: str, precision: str, found: Fidelity) -> None:
    bench.bar(f"{label}: decisions that differ", found.changed * 100, unit="%", at_most=MOST_CHANGED[precision] * 100)
    bench.bar(f"{label}: AUC off by", abs(found.auc - found.reference_auc), at_most=AUC_OFF)


# ---- hostile texts ---------------------------------------------------------------------------------------------------


def run_hostile(run: Run) -> None:
    """Compare the token ids of texts that no user writes with the reference's; what is no Unicode is to be refused."""
    encoder, texts = run.ours[OURS], hostile_texts()
    refused, wrong = 0, []
    for text in texts:
        try:
            ids, vector = encoder.token_ids(text), encoder.encode(text)
        except llmfast.InvalidTextError:
            refused += 1
            right = has_surrogate(text)
        else:
            right = ids == run.peers.token_ids(text) and abs(float(np.linalg.norm(vector)) - 1.0) < 1e-5
        if not right:
            wrong.append(text)
    run.bench.note("hostile texts: refused with a clear error", f"{refused} of {len(texts):,}")
    for text in wrong[:5]:
        run.bench.note("hostile texts: wrong", ascii(text[:80]))
    run.bench.bar(f"hostile texts: other than the reference, of {len(texts):,}", len(wrong), at_most=0.0)


# ---- the run ---------------------------------------------------------------------------------------------------------

SECTIONS = {
    "one": run_one,
    "many": run_many,
    "threads": run_threads,
    "load": run_load,
    "memory": run_memory,
    "fidelity": run_fidelity,
    "hostile": run_hostile,
}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=SECTIONS, help="run this section; may be repeated")


def main() -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    bench = Bench("encoder", __doc__, libraries=LIBRARIES, options=options)
    bench.note("kernel", kernel_name())
    with tempfile.TemporaryDirectory(dir=made(CACHE)) as folder:
        run = Run.prepare(bench, Path(folder))
        for name in bench.arguments.only or SECTIONS:
            start = time.perf_counter()
            SECTIONS[name](run)
            bench.note(f"section {name}", f"{time.perf_counter() - start:.0f} s")
    return bench.finish()


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    with_one_thread()
    sys.exit(main())
