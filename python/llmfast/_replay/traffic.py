"""The bundled traffic: Banking77's training questions, asked again as often as real users ask.

A request is, with probability one half, a repeat: one of the distinct questions asked so far, drawn by Zipf's law with
exponent 1 over the order in which they were first asked (the oldest has rank 1). Else it is a question not yet asked,
in a seeded random order; when there is none left, a repeat. The intent of a question is the truth that decides whether
an answer served for it was right.
"""

from __future__ import annotations

import gzip
import json
import random
from bisect import bisect_left
from importlib import resources
from typing import TYPE_CHECKING

from .log import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPEATS = 0.5
NAME = "Banking77, 10,003 training questions"
ATTRIBUTION = (
    "Banking77: Casanueva, Temčinas, Gerz, Henderson, Vulić, "
    '"Efficient Intent Detection with Dual Sentence Encoders", 2020, PolyAI; CC BY 4.0 '
    "(https://creativecommons.org/licenses/by/4.0/); converted to JSON lines."
)


def bundled_questions() -> list[tuple[str, str]]:
    """Return the bundled questions as (text, intent), all distinct."""
    packed = resources.files("llmfast").joinpath("_data/banking77.jsonl.gz").read_bytes()
    rows = (json.loads(line) for line in gzip.decompress(packed).decode("utf-8").splitlines())
    return [(row["text"], row["intent"]) for row in rows]


def traffic(questions: Sequence[tuple[str, str]], requests: int, seed: int) -> Iterator[Request]:
    """Yield `requests` requests over the distinct `questions`; the same seed gives the same ones."""
    rng = random.Random(seed)
    fresh = list(range(len(questions)))
    rng.shuffle(fresh)
    harmonic: list[float] = []  # harmonic[i] = 1/1 + … + 1/(i + 1); question fresh[i] has rank i + 1
    for number in range(requests if questions else 0):
        asked = len(harmonic)
        if asked and (rng.random() < REPEATS or asked == len(fresh)):
            rank = _zipf(rng, harmonic)
        else:
            rank = asked
            harmonic.append((harmonic[-1] if harmonic else 0.0) + 1.0 / (asked + 1))
        text, intent = questions[fresh[rank]]
        yield Request(text, intent=intent, line=number + 1)


def _zipf(rng: random.Random, harmonic: list[float]) -> int:
    """Draw a rank (from 0) with a probability proportional to 1 / (rank + 1)."""
    return min(bisect_left(harmonic, rng.random() * harmonic[-1]), len(harmonic) - 1)
