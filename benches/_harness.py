"""What every comparison shares: rounds in turn, ratios with an interval, calibration, gates, records.

    bench = Bench("lru_cache", __doc__, libraries=("cachetools",))
    cachetools = bench.need_module("cachetools")
    rounds = bench.rounds({"llmfast": measure_ours, "cachetools": measure_theirs}, unit="ns")
    bench.ratio_bar("get, hit", ratio(rounds["cachetools"], rounds["llmfast"]), at_least=5.0)
    raise SystemExit(bench.finish())

Exit codes: 0, or 1 when `--gate` was given and a figure misses its bar, or 2 when data, weights or a peer are missing.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import random
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import _machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ONE_THREAD = {
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1"),
    "TOKENIZERS_PARALLELISM": "false",
}
REFERENCE = Path(__file__).resolve().parent / "reference.json"
MIN_ROUNDS = 9
SCALE_LOW, SCALE_HIGH = 0.67, 1.5
PASSED, MISSED, NOT_RUN = 0, 1, 2


# ---- statistics ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f}x [{self.low:.2f}, {self.high:.2f}]"


def ratio(numerators: Sequence[float], denominators: Sequence[float], *, draws: int = 2_000, seed: int = 1) -> Ratio:
    """Return median(numerators) / median(denominators) with its 95 % percentile bootstrap interval.

    Both must hold one positive figure a round: rounds are drawn in pairs, so that a slow spell of the machine, which
    hits both sides of a round, does not widen the interval.
    """
    if len(numerators) != len(denominators) or not numerators:
        raise ValueError(f"expected as many rounds on both sides, got {len(numerators)} and {len(denominators)}")
    if min(*numerators, *denominators) <= 0.0:
        raise ValueError("expected positive figures")
    pairs = list(zip(numerators, denominators, strict=True))
    rng = random.Random(seed)
    resampled = sorted(_ratio_of_medians(rng.choices(pairs, k=len(pairs))) for _ in range(draws))
    cut = round(0.025 * (draws - 1))
    return Ratio(_ratio_of_medians(pairs), resampled[cut], resampled[-1 - cut])


def _ratio_of_medians(pairs: Sequence[tuple[float, float]]) -> float:
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least `share` (0 to 1) of the samples do not exceed."""
    if not samples or not 0.0 < share <= 1.0:
        raise ValueError(f"expected samples and a share in (0, 1], got {len(samples)} samples and {share}")
    ordered = sorted(samples)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def alternate(
    contenders: Mapping[str, Callable[[], float]],
    rounds: int = MIN_ROUNDS,
    *,
    before: Callable[[], object] = lambda: None,
) -> dict[str, list[float]]:
    """Run every contender once a round, each round starting with the next one; return the figures by name.

    A contender is called without arguments, does its whole measurement and returns its figure. One unrecorded round
    goes first; `before` is called before each of the others. The collector is off while a contender runs.
    """
    names = list(contenders)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(-1, rounds):
        start = round_ % len(names)
        if round_ >= 0:
            before()
        for name in names[start:] + names[:start]:
            figure = _without_collector(contenders[name])
            if round_ >= 0:
                figures[name].append(figure)
    return figures


def _without_collector(measure: Callable[[], float]) -> float:
    gc.collect()
    gc.disable()
    try:
        return measure()
    finally:
        gc.enable()


def per_call(call: Callable[[], object], number: int) -> float:
    """Return the seconds that one of `number` calls takes, the loop's own cost included (about 20 ns)."""
    start = time.perf_counter()
    for _ in itertools.repeat(None, number):
        call()
    return (time.perf_counter() - start) / number


# ---- calibration -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Calibration:
    """How fast this machine was at the time, beside the machine that the bars were set on; above 1 is faster."""

    integer_ns: float
    memory_gb_s: float
    integer_scale: float
    memory_scale: float

    def scale(self, by: str) -> float:
        """Return the factor that turns a time measured here into one of the reference machine."""
        return {"integer": self.integer_scale, "memory": self.memory_scale}[by]


def clamp_scale(scale: float) -> float:
    """Bound a scale, so that calibration forgives a slower machine and not a slower program."""
    return min(SCALE_HIGH, max(SCALE_LOW, scale))


def integer_loop(steps: int = 200_000, *, runs: int = 5) -> float:
    """Return the nanoseconds of one step of a 64-bit generator in plain Python; the median of the runs."""
    return statistics.median(_integer_run(steps) for _ in range(runs))


def _integer_run(steps: int) -> float:
    state, mask = 1, 2**64 - 1
    start = time.perf_counter()
    for _ in range(steps):
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) & mask
    return (time.perf_counter() - start) * 1e9 / steps


def memory_loop(mebibytes: int = 128, *, runs: int = 5) -> float:
    """Return the GB/s at which one thread reads a block far larger than its caches; the median of the runs."""
    import numpy as np

    block = np.ones(mebibytes * 2**20 // 8, dtype=np.int64)
    return statistics.median(block.nbytes / _seconds(block.max) / 1e9 for _ in range(runs))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def calibrate(reference: Mapping[str, float], measured: Sequence[tuple[float, float]] = ()) -> Calibration:
    """Scale both loops by `reference` (`integer_ns`, `memory_gb_s`).

    They are measured now, or each is the median of what was `measured`, in pairs of integer and memory.
    """
    integer, memory = map(statistics.median, zip(*measured or [(integer_loop(), memory_loop())], strict=True))
    return Calibration(
        integer_ns=integer,
        memory_gb_s=memory,
        integer_scale=clamp_scale(reference["integer_ns"] / integer),
        memory_scale=clamp_scale(memory / reference["memory_gb_s"]),
    )


# ---- a bench ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """One figure as it stands in the record; `met` is None without a bar."""

    name: str
    text: str
    bar: str | None
    met: bool | None


class Bench:
    """One comparison: reads the command line, collects figures and bars, writes the record, knows its exit code."""

    def __init__(
        self,
        name: str,
        about: str | None,
        *,
        libraries: tuple[str, ...] = (),
        arguments: Sequence[str] | None = None,
        reference: Path = REFERENCE,
        options: Callable[[argparse.ArgumentParser], object] | None = None,
    ) -> None:
        self.name = name
        self.libraries = libraries
        self.figures: list[Figure] = []
        self.raw: dict[str, Any] = {}
        self.arguments = _parse(name, about, arguments, options)
        self.reference = json.loads(reference.read_text(encoding="utf-8"))
        #: That of the last rounds: machines change their pace within minutes by as much as they differ.
        self.calibration = calibrate(self.reference)
        print(f"{name} on {_machine.cpu_model()}, {_machine.cores()} cores; {self._calibration_line()}")

    def need_data(self, relative: str) -> Path:
        """Return the path of an evaluation file below `LLMFAST_DATA`, or exit 2 with what is missing."""
        root = os.environ.get("LLMFAST_DATA")
        if not root:
            not_run(self.name, "LLMFAST_DATA is not set: it names the folder of the evaluation data")
        path = Path(root) / relative
        if not path.exists():
            not_run(self.name, f"LLMFAST_DATA has no {relative}")
        return path

    def need_module(self, module: str, how: str = "pip install '.[bench]'") -> Any:
        """Import a peer, or exit 2 with the command that installs it."""
        try:
            return import_module(module)
        except ImportError as error:
            not_run(self.name, f"{module} is not importable ({error}): {how}")

    def need_encoder(self, **options: Any) -> Any:
        """Return `llmfast.MiniLM(**options)`, or exit 2 when its weights are missing."""
        import llmfast

        try:
            return llmfast.MiniLM(**options)
        except llmfast.EncoderNotFoundError as error:
            not_run(self.name, str(error))

    def rounds(self, contenders: Mapping[str, Callable[[], float]], *, label: str, unit: str) -> dict[str, list[float]]:
        """Run the contenders in turn, print and keep their medians, and return the figures of all rounds.

        What is held against an absolute bar afterwards is scaled by what the calibration loops took in these rounds.
        """
        measured: list[tuple[float, float]] = []
        figures = alternate(
            contenders,
            self.arguments.rounds,
            before=lambda: measured.append((integer_loop(runs=1), memory_loop(runs=1))),
        )
        self.calibration = calibrate(self.reference, measured)
        self.raw[label] = {"unit": unit, **figures}
        for name, values in figures.items():
            spread = f"{min(values):.4g} to {max(values):.4g}"
            self.note(f"{label}: {name}", f"{statistics.median(values):.4g} {unit} ({spread}, {len(values)} rounds)")
        return figures

    def note(self, name: str, text: str) -> None:
        """Add a figure without a bar."""
        self._add(Figure(name, text, None, None))

    def ratio_bar(self, name: str, ours: Ratio, *, at_least: float) -> None:
        """Hold a ratio against a bar: its median decides, the interval is printed beside it."""
        self._add(Figure(name, str(ours), f">= {at_least:g}x", ours.value >= at_least))

    def time_bar(self, name: str, value: float, *, unit: str, at_most: float, by: str | None = "integer") -> None:
        """Hold a time against an absolute bar, scaled to the reference machine by the loop `by` names."""
        scale = self.calibration.scale(by) if by else 1.0
        scaled = value * scale
        text = f"{value:.4g} {unit} raw, {scaled:.4g} {unit} scaled by {scale:.2f}" if by else f"{value:.4g} {unit}"
        self._add(Figure(name, text, f"<= {at_most:g} {unit}", scaled <= at_most))

    def bar(
        self, name: str, value: float, *, unit: str = "", at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """Hold a figure that no machine's speed changes (a rate, a size) against its bar."""
        if (at_least is None) == (at_most is None):
            raise ValueError("expected one of at_least and at_most")
        bound = f">= {at_least:g} {unit}" if at_least is not None else f"<= {at_most:g} {unit}"
        met = value >= at_least if at_least is not None else value <= (at_most or 0.0)
        self._add(Figure(name, f"{value:.4g} {unit}".strip(), bound.strip(), met))

    def missing(self, name: str, why: str, *, bar: str) -> None:
        """Miss a bar because there is nothing to measure yet."""
        self._add(Figure(name, why, bar, False))

    def finish(self) -> int:
        """Write the record, print the verdict and return the exit code."""
        if not self.arguments.no_record:
            self._write()
        missed = [figure for figure in self.figures if figure.met is False]
        for figure in missed:
            print(f"missed: {figure.name}: {figure.text}, bar {figure.bar}", file=sys.stderr)
        return MISSED if missed and self.arguments.gate else PASSED

    def _add(self, figure: Figure) -> None:
        self.figures.append(figure)
        print(_line(figure))

    def _calibration_line(self) -> str:
        c = self.calibration
        return (
            f"calibration: integer {c.integer_ns:.1f} ns (scale {c.integer_scale:.2f}), "
            f"memory {c.memory_gb_s:.1f} GB/s (scale {c.memory_scale:.2f})"
        )

    def _write(self) -> None:
        machine = _machine.describe(self.libraries)
        stem = _machine.record_stem(self.name)
        stem.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "name": self.name,
            "machine": machine,
            "calibration": asdict(self.calibration),
            "figures": [asdict(figure) for figure in self.figures],
            "rounds": self.raw,
        }
        stem.with_name(stem.name + ".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        head = [f"{key}: {value}" for key, value in machine.items()]
        lines = [self.name, "", *head, self._calibration_line(), "", *map(_line, self.figures)]
        stem.with_name(stem.name + ".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def not_run(name: str, reason: str) -> NoReturn:
    """Say why a bench measures nothing, and exit 2: what is not measured is not passed."""
    print(f"{name}: not run: {reason}", file=sys.stderr)
    raise SystemExit(NOT_RUN)


def with_one_thread() -> None:
    """Start again with the libraries held to one thread, which they read when they are loaded."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        os.environ.update(ONE_THREAD)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _line(figure: Figure) -> str:
    verdict = "" if figure.met is None else f"  [bar {figure.bar}: {'met' if figure.met else 'MISSED'}]"
    return f"{figure.name:<44} {figure.text}{verdict}"


def _parse(
    name: str,
    about: str | None,
    arguments: Sequence[str] | None,
    options: Callable[[argparse.ArgumentParser], object] | None,
) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name, description=(about or "").strip().split("\n")[0])
    parser.add_argument("--gate", action="store_true", help="exit 1 when a figure misses its bar")
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, help=f"{MIN_ROUNDS} or more, of each contender")
    parser.add_argument("--no-record", action="store_true", help="write nothing below benches/results")
    if options is not None:
        options(parser)
    parsed = parser.parse_args(arguments)
    if parsed.rounds < MIN_ROUNDS:
        parser.error(f"expected {MIN_ROUNDS} rounds or more, got {parsed.rounds}")
    return parsed
