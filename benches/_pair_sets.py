"""The two sets of pairs of the semantics bench: changed questions and harmless edits."""

from __future__ import annotations

import collections
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from _pair_directions import DIRECTION
from _pair_edits import CONTRACTION, POLITENESS, SIGN, TYPO
from _pair_names import ENTITY, IDENTIFIER
from _pair_negations import NEGATION
from _pair_numbers import NUMBER
from _pair_opposites import ANTONYM, MODIFIER
from _pairs import Questions, make_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set as AbstractSet

    from _pairs import Pair

MUST_MISS = {
    "number": NUMBER,
    "identifier": IDENTIFIER,
    "entity": ENTITY,
    "negation": NEGATION,
    "direction": DIRECTION,
    "antonym": ANTONYM,
    "modifier": MODIFIER,
}
HARMLESS = {"typo": TYPO, "politeness": POLITENESS, "contraction": CONTRACTION, "signs": SIGN}


def changed_questions(
    questions: Questions, counts: Mapping[str, int], seed: int, known: AbstractSet[str] = frozenset()
) -> list[Pair]:
    """Return `counts` pairs of every category that must miss, without the words in `known`."""
    return make_pairs(questions, MUST_MISS, counts, seed, known)


def harmless_edits(questions: Questions, changed: list[Pair], seed: int) -> list[Pair]:
    """Return as many edits as there are changed questions, half of them edits of these."""
    counts = dict.fromkeys(HARMLESS, -(-len(changed) // (2 * len(HARMLESS))))
    mixed = random.Random(seed).sample([pair.a for pair in changed], len(changed))
    sources = (questions, replace(questions, texts=tuple(dict.fromkeys(mixed)), _found={}, _by_word={}))
    found = [make_pairs(source, HARMLESS, counts, seed + at) for at, source in enumerate(sources)]
    return [pair for edits in found for pair in edits][: len(changed)]


def by_category(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Return the pairs of each category."""
    found: dict[str, list[Pair]] = collections.defaultdict(list)
    for pair in pairs:
        found[pair.category].append(pair)
    return dict(found)
