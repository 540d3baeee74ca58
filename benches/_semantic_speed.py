"""The sections of the semantics bench about time: a decision, an exact hit, a hit by meaning and its parts."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
import re
import shutil
import statistics
import subprocess
import time
from typing import TYPE_CHECKING, Any

import _machine
import llmfast
from _encoder_peers import sentence_transformer
from _harness import not_run, percentile, ratio
from _semantic_cache import ASKED, LENIENT, Asker, Loop, Stored, hitting_questions, timed_fill
from llmfast._request import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from _guards import Guards
    from _harness import Bench

DECIDED, DECISION_US = 1_000, 100.0
EXACT_CALLS, EXACT_US, PROMPT_BYTES = 20_000, 5.0, 1_024
KEY_AND_HIT_NS = 2_000.0
#: Questions a round: of the parts of a hit, and of the race with the peer. No question is asked twice of a cache.
OF_PARTS, RACED = 60, 40
#: Percent of these that must be answered by meaning: else something else was timed.
LEAST_HIT = 99.0
OVERHEAD_US = 300.0
FASTER = {"llmfast": 5.5, "llmfast int8": 11.0}
PEER = "sentence-transformers, faiss, dict"


def check_peers(bench: Bench) -> None:
    """Exit 2 at once where a peer is missing that bars are about: after ten minutes it would be a pity."""
    for module in ("sentence_transformers", "faiss"):
        if importlib.util.find_spec(module) is None:
            not_run(bench.name, f"{module} is not installed: pip install '.[bench]'")


# ---- the decision ----------------------------------------------------------------------------------------------------


def run_decision(bench: Bench, encoder: Any, guards: Guards) -> None:
    """Time what lies between the result of a search and the answer, for questions that hit at 100,000 rows."""
    stored = Stored.read(bench)
    cache = timed_fill(bench, stored)
    texts = hitting_questions(stored, encoder, guards, DECIDED)
    prepared = [decision(cache, text) for text in texts]
    found = sum(decide()[1] is not None for decide in prepared)
    bench.note("decision: questions answered", f"{found:,} of {len(texts):,}")

    def p99() -> float:
        return percentile([one_call(decide) for decide in prepared], 0.99)

    def p50() -> float:
        return percentile([one_call(decide) for decide in prepared], 0.5)

    label = f"decision, {len(stored.texts):,} rows"
    rounds = bench.rounds({"p50": p50, "p99": p99}, label=label, unit="us")
    bench.time_bar(f"{label}: p99", statistics.median(rounds["p99"]), unit="us", at_most=DECISION_US)


def decision(cache: llmfast.Cache, text: str) -> Callable[[], Any]:
    """Return what decides about a question whose search is done: what the cache does between that and the answer."""
    plan, semantic, (place, search) = planned(cache, text)
    vector = search.encoder._encode_for_index(text)
    partition = int.from_bytes(search.partition, "little")
    hits = search.rows.search(vector, search.breadth, min_score=search.min_score, partition=partition)

    def decide() -> Any:
        # As the first time: the text has not been read, and nothing was found.
        plan.reading = None
        plan.passed_by.clear()
        plan.serving = None
        return semantic.decide(plan, place, (vector, hits))

    return decide


def planned(cache: llmfast.Cache, text: str) -> tuple[Any, Any, tuple[bytes, Any]]:
    """Return the plan of a question, the tier that decides about it, and the first place searched with the search."""
    plan, semantic = cache.plan(Ask(text, kind=ASKED), ""), cache.semantic
    if plan is None or semantic is None:
        raise AssertionError(f"the cache does not search for {text!r}")
    place = semantic.places(plan)[0]
    return plan, semantic, (place, semantic.search(plan, place))


def one_call(call: Callable[[], object]) -> float:
    """Return the microseconds of a call."""
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e3


# ---- a hit -----------------------------------------------------------------------------------------------------------


def run_hit(bench: Bench, encoder: Any, guards: Guards) -> None:
    """Time an exact hit, then hits by meaning at 100,000 rows on one core, alone and beside a peer."""
    # Before anything else takes memory: absent peers are to be known at once.
    peer_model = sentence_transformer(bench, encoder.path)
    faiss = bench.need_module("faiss")
    faiss.omp_set_num_threads(1)
    exact_hit(bench)
    key_and_hit(bench)
    stored = Stored.read(bench)
    # One round more than is recorded.
    rounds = bench.arguments.rounds + 1
    texts = hitting_questions(stored, encoder, guards, rounds * (OF_PARTS + RACED))
    with one_core(), contextlib.closing(Loop()) as loop:
        asker = Asker(timed_fill(bench, stored))
        parts_of_a_hit(bench, loop, asker, texts[: rounds * OF_PARTS])
        small = Asker(timed_fill(bench, stored, "int8"))
        ours = {"llmfast": asker, "llmfast int8": small}
        race(bench, loop, ours, Peer(peer_model, faiss, stored), texts[-rounds * RACED :])
        for name, one in ours.items():
            bench.note(f"{name}: answers", ", ".join(f"{source} {count:,}" for source, count in one.sources.items()))
            share = 100.0 * one.sources.get("semantic_hit", 0) / sum(one.sources.values())
            bench.bar(f"{name}: answered by meaning", share, unit="%", at_least=LEAST_HIT)


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread and those that it starts on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def exact_hit(bench: Bench) -> None:
    """Time an exact repeat of a prompt of 1 kB, above a coroutine of the same signature that does nothing."""
    prompt = ("what is the exchange rate for my card? " * 40)[:PROMPT_BYTES]
    cache = llmfast.Cache()

    async def call(_: str) -> str:
        return "an answer"

    async def nothing(query: str, llm_callable: Any, *, scope: Any = None, kind: str = "general") -> None:
        del query, llm_callable, scope, kind

    async def run(function: Any) -> float:
        start = time.perf_counter()
        for _ in itertools.repeat(None, EXACT_CALLS):
            await function(prompt, call)
        return (time.perf_counter() - start) * 1e6 / EXACT_CALLS

    with contextlib.closing(Loop()) as loop:
        loop.run(cache.get_or_generate(prompt, call))
        contenders = {
            "get_or_generate": lambda: loop.run(run(cache.get_or_generate)),
            "nothing": lambda: loop.run(run(nothing)),
        }
        rounds = bench.rounds(contenders, label="an exact hit, 1 kB", unit="us")
    took = statistics.median(a - b for a, b in zip(rounds["get_or_generate"], rounds["nothing"], strict=True))
    bench.time_bar("an exact hit, 1 kB", took, unit="us", at_most=EXACT_US)


def parts_of_a_hit(bench: Bench, loop: Loop, asker: Asker, texts: Sequence[str]) -> None:
    """Hold what a hit by meaning takes above encoding and searching.

    Each part is measured on its own, for every text one right after the other: machines change their pace within a
    round by more than what is looked for. The encoder remembers nothing, so that it may encode what it encoded before.
    """
    encoder = asker.cache.encoder
    _, _, (_, search) = planned(asker.cache, texts[0])
    partition = int.from_bytes(search.partition, "little")
    look = functools.partial(search.rows.search, k=search.breadth, min_score=search.min_score, partition=partition)
    turns, parts = in_parts(texts, OF_PARTS), {"hit": [], "encode": [], "search": []}

    def hit(text: str) -> None:
        parts["hit"] += loop.microseconds(asker, [text])

    def encode_and_search(text: str) -> None:
        parts["encode"].append(one_call(lambda: encoder.encode(text)))
        vector = encoder._encode_for_index(text)
        parts["search"].append(one_call(lambda: look(vector)))

    def above() -> float:
        texts = next(turns)
        for number, text in enumerate(texts):
            # What comes second finds the processor's caches warmer: each is that as often.
            for measure in (hit, encode_and_search) if number % 2 else (encode_and_search, hit):
                measure(text)
        last = (parts[name][-len(texts) :] for name in ("hit", "encode", "search"))
        return statistics.median(whole - encoded - found for whole, encoded, found in zip(*last, strict=True))

    label = f"a hit by meaning, {asker.cache.stats().vectors:,} rows"
    rounds = bench.rounds({"above its parts": above}, label=label, unit="us")
    for name, took in parts.items():
        bench.note(f"{label}: {name}", f"p50 {statistics.median(took):.0f} us, p99 {percentile(took, 0.99):.0f} us")
    most = statistics.median(rounds["above its parts"])
    bench.time_bar(f"{label}: above encoding and searching", most, unit="us", at_most=OVERHEAD_US)


def in_parts(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield the next `size` texts each time."""
    return (texts[at : at + size] for at in range(0, len(texts), size))


class Peer:
    """What one writes without a semantic cache: sentence-transformers, faiss `IndexFlatIP` and a dict."""

    def __init__(self, model: Any, faiss: Any, stored: Stored) -> None:
        self.model = model
        self.index = faiss.IndexFlatIP(stored.vectors.shape[1])
        self.index.add(stored.vectors)
        self.answers = {at: f"the answer to {text}" for at, text in enumerate(stored.texts)}
        self.hits = 0

    def ask(self, text: str) -> str | None:
        vector = self.model.encode(text, normalize_embeddings=True, show_progress_bar=False)
        scores, rows = self.index.search(vector.reshape(1, -1), 1)
        if scores[0, 0] < LENIENT:
            return None
        self.hits += 1
        return self.answers[int(rows[0, 0])]


def race(bench: Bench, loop: Loop, ours: dict[str, Asker], peer: Peer, texts: Sequence[str]) -> None:
    """Hold how many times faster a hit by meaning is than the peer's, on texts that were not asked before."""
    turns = {name: in_parts(texts, RACED) for name in (*ours, PEER)}

    def timed(name: str) -> float:
        return statistics.median(loop.microseconds(ours[name], next(turns[name])))

    def theirs() -> float:
        return statistics.median(one_call(lambda text=text: peer.ask(text)) for text in next(turns[PEER]))

    contenders = {name: (lambda name=name: timed(name)) for name in ours}
    label = "a hit by meaning, raced"
    rounds = bench.rounds({**contenders, PEER: theirs}, label=label, unit="us")
    for name, least in FASTER.items():
        bench.ratio_bar(f"{label}: {PEER} / {name}", ratio(rounds[PEER], rounds[name]), at_least=least)
    bench.note(f"{PEER}: hits", f"{peer.hits:,} of {len(texts):,}")


# ---- without Python --------------------------------------------------------------------------------------------------

_MEASURED = re.compile(r"^(?P<name>\S.*?)\s{2,}(?P<ns>[\d.]+) ns\b", re.MULTILINE)


def key_and_hit(bench: Bench) -> None:
    """Hold what the core takes for a key and the hit under it, by its own bench; cargo builds it first."""
    cargo, label, bar = shutil.which("cargo"), "key and hit in the core", f"<= {KEY_AND_HIT_NS:g} ns"
    if cargo is None:
        bench.missing(label, "there is no cargo", bar=bar)
        return
    command = [
        cargo,
        "bench",
        "--offline",
        "-p",
        "llmfast-core",
        "--no-default-features",
        "--bench",
        "parts",
        "--",
        "key",
    ]
    done = subprocess.run(command, cwd=_machine.ROOT, capture_output=True, text=True, check=False)
    found = key_and_hit_ns(done.stdout)
    for name, took in found.items():
        bench.note(f"core, {name}", f"{took:.1f} ns")
    hits = [took for name, took in found.items() if "hit" in name]
    if hits:
        bench.time_bar(label, max(hits), unit="ns", at_most=KEY_AND_HIT_NS)
    else:
        why = done.stderr.strip().splitlines()[-1:] if done.returncode else ["the bench measures no key with a hit"]
        bench.missing(label, f"not measured: {' '.join(why)}", bar=bar)


def key_and_hit_ns(printed: str) -> dict[str, float]:
    """Return the nanoseconds of each line that the core's bench prints."""
    return {match["name"]: float(match["ns"]) for match in _MEASURED.finditer(printed)}
