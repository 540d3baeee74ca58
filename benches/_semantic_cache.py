"""Caches of the semantics bench, filled with real questions without encoding them again, and what hits them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import llmfast
from _pair_edits import asked_politely
from _vectors import QUESTIONS, SignFlips, distinct_questions, question_vectors
from _verdicts import kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from numpy.typing import NDArray

    from _guards import Guards
    from _harness import Bench

    Rows = NDArray[np.float32]

#: Some questions are not compared by meaning (they want a fresh answer): more than the 100,000 rows that are asked for.
ROWS, LEAST_ROWS = 108_000, 100_000
#: The kind that questions are asked under, and the one that they are stored under: only a copy hits while a cache is
#: filled.
LENIENT, ASKED, STORED = 0.85, "general", "stored"
#: How much nearer than the threshold a question must be to be asked: precisions differ a little.
MARGIN = 0.01
SEED = 20_261_126


@dataclass(frozen=True)
class Stored:
    """What caches are filled with: questions and their vectors, of which the first `real` are real."""

    texts: list[str]
    vectors: Rows
    real: int

    @classmethod
    def read(cls, bench: Bench, count: int = ROWS) -> Stored:
        """Take the questions of QQP, and of flipped points (`_vectors.py`) as many as are missing."""
        texts, vectors = distinct_questions(bench.need_data(QUESTIONS))[:count], question_vectors(bench)[:count]
        real, missing = len(texts), count - len(texts)
        if missing > 0:
            flips = SignFlips(vectors)
            more = np.concatenate([flips.block(number) for number in range(-(-missing // 10_000))])[:missing]
            texts = texts + [f"{texts[at % real]} ({at})" for at in range(missing)]
            vectors = np.concatenate([vectors, more])
        return cls(texts, vectors, real)


def filled_cache(stored: Stored, precision: str = "auto") -> llmfast.Cache:
    """Return a cache with these rows, put there by its public way, whose encoder is a MiniLM of one thread.

    While it is filled, the vectors are looked up: those of the default precision, whatever the encoder's is. Where
    precisions differ by a hundredth, a search takes as long and finds the same row.
    """
    place = {text: at for at, text in enumerate(stored.texts)}
    encoder = llmfast.MiniLM(precision=precision)
    encoder.encode = lambda texts: stored.vectors[[place[text] for text in texts]]
    policies = {ASKED: llmfast.CachePolicy(threshold=LENIENT), STORED: llmfast.CachePolicy(threshold=1.0)}
    cache = llmfast.Cache(encoder=encoder, policies=policies, capacity=2 * len(stored.texts))
    for text in stored.texts:
        cache.get_or_generate_sync(text, lambda query: f"the answer to {query}", kind=STORED)
    # Without an encode of its own the encoder is the native one again.
    del encoder.encode
    return cache


def timed_fill(bench: Bench, stored: Stored, precision: str = "auto") -> llmfast.Cache:
    """Fill a cache and say how long that took, and how many rows can be found by meaning."""
    start = time.perf_counter()
    cache = filled_cache(stored, precision)
    took = time.perf_counter() - start
    bench.note(f"a cache of {precision}", f"filled in {took:.0f} s")
    label, rows = f"a cache of {precision}: rows by meaning", cache.stats().vectors
    if len(stored.texts) >= LEAST_ROWS:
        bench.bar(label, float(rows), at_least=float(LEAST_ROWS))
    else:
        bench.note(label, f"{rows:,}")
    return cache


def hitting_questions(stored: Stored, encoder: Any, guards: Guards, count: int) -> list[str]:
    """Return `count` questions that nobody asked before, each of which the row of a stored one answers.

    They are stored questions with a "please" or the like, near enough, against which no guard has anything. They are no
    rows themselves.
    """
    drawn = np.random.default_rng(SEED).permutation(stored.real)[: 2 * count]
    texts = [asked_politely(stored.texts[at], number) for number, at in enumerate(drawn)]
    near = np.einsum("ij,ij->i", kept(encoder, texts), stored.vectors[drawn])
    known, found = set(stored.texts), []
    for text, at, cosine in zip(texts, drawn, near, strict=True):
        free = text not in known and guards.refusal(text) is None and guards.veto(stored.texts[at], text) is None
        if cosine >= LENIENT + MARGIN and free:
            known.add(text)
            found.append(text)
    if len(found) < count:
        raise AssertionError(f"expected {count} questions that hit, found {len(found)}")
    return found[:count]


class Loop:
    """One event loop, on which calls are made one after the other and timed one by one."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def microseconds(self, ask: Callable[[str], Awaitable[object]], texts: Sequence[str]) -> list[float]:
        """Return how long each answer took."""

        async def run() -> list[float]:
            took = []
            for text in texts:
                start = time.perf_counter_ns()
                await ask(text)
                took.append((time.perf_counter_ns() - start) / 1e3)
            return took

        return self.run(run())

    def run(self, work: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self._loop.close()


class Asker:
    """Asks a cache, and counts by where the answers came from."""

    def __init__(self, cache: llmfast.Cache) -> None:
        self.cache = cache
        self.sources: dict[str, int] = {}

    async def __call__(self, text: str) -> None:
        answer = await self.cache.get_or_generate(text, _call, kind=ASKED)
        self.sources[answer.source] = self.sources.get(answer.source, 0) + 1


async def _call(query: str) -> str:
    return f"the answer to {query}"
