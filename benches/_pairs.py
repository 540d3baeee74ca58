"""Pairs of questions to try guards on: a changed question beside its original, and the same question written otherwise.

The questions are those of Banking77 and CLINC150. A changed question differs from its original in one thing that
changes what it asks: a number, a name, a "not", a direction. Where a question has no such thing, both sides get it. A
harmless edit changes the wording alone: a typo, a "please", a contraction.

What is swapped is kept away from what a guard has in its own lists: a pair whose swapped words are among `known` is not
made. Where words like "not" or "from" make the change, and every guard must know them, that holds for the words beside
them, and each pair says whether its operator is known.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
    from pathlib import Path

    Maker = Callable[["Questions", random.Random], "Pair | None"]

SOURCES = ("semantic/banking77.jsonl.gz", "semantic/clinc150.jsonl.gz")
#: Words of a question: a shorter one is no question, and nobody caches a longer one by meaning.
FEWEST_WORDS, MOST_WORDS = 3, 22
#: Draws for one pair before its category is given up.
PATIENCE = 400
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TOKEN = re.compile(r"\S+")
_SUFFIXES = ("s", "es", "ed", "d", "ing", "ly", "er", "est")


# ---- pairs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two questions: `same` when they ask the same thing. `kind` is the way in which they differ."""

    a: str
    b: str
    category: str
    kind: str
    same: bool = False
    #: The words that were swapped, lower case.
    content: frozenset[str] = frozenset()
    #: Words that make the change between others: "not", "from", "lend".
    operators: frozenset[str] = frozenset()

    @property
    def swap(self) -> frozenset[str]:
        """What was changed: the words that changed places, or whatever one side alone has."""
        apart = frozenset(self.a.lower().split()) ^ frozenset(self.b.lower().split())
        return self.content | self.operators | apart

    def outside(self, known: AbstractSet[str]) -> bool:
        """Return whether the guards' lists know nothing of what makes the change."""
        return not any(map(in_list(known), self.content | self.operators))


def in_list(known: AbstractSet[str]) -> Callable[[str], bool]:
    """Return what says whether a word, or the word that it is a form of, is in a list."""
    return lambda word: not known.isdisjoint(base_forms(word))


def base_forms(word: str) -> set[str]:
    """Return a word and what it may be a form of: "opened" is one of "open", "closes" one of "close"."""
    forms = {word}
    for suffix in _SUFFIXES:
        stem = word.removesuffix(suffix)
        if stem != word and len(stem) >= 3:
            forms |= {stem, stem + "e"}
            if stem[-1] == stem[-2]:
                forms.add(stem[:-1])
            if stem[-1] == "i":
                forms.add(stem[:-1] + "y")
    return forms


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower case; what holds a digit is none."""
    plain = text.replace("’", "'").lower()
    return [word for token in _TOKEN.findall(plain) if not re.search(r"\d", token) for word in _WORD.findall(token)]


def differing(a: str, b: str) -> frozenset[str]:
    """Return the words that only one of two texts has."""
    return frozenset(words_of(a)) ^ frozenset(words_of(b))


# ---- questions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Questions:
    """The questions to begin with, and every word that is known to be one."""

    texts: tuple[str, ...]
    vocabulary: frozenset[str] = field(repr=False, default=frozenset())
    #: The texts in which a pattern occurs, by pattern.
    _found: dict[re.Pattern[str], list[str]] = field(repr=False, compare=False, default_factory=dict)
    _by_word: dict[str, list[str]] = field(repr=False, compare=False, default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str], more: Iterable[str] = ()) -> Questions:
        """Take the texts that are questions of usual length, and their words and those of `more` as the vocabulary."""
        every = list(dict.fromkeys(" ".join(text.split()) for text in texts))
        vocabulary = frozenset(itertools.chain.from_iterable(map(words_of, itertools.chain(every, more))))
        fit = (text for text in every if FEWEST_WORDS <= len(text.split()) <= MOST_WORDS)
        return cls(tuple(fit), vocabulary)

    @classmethod
    def read(cls, paths: Iterable[Path], more: Iterable[str] = ()) -> Questions:
        """Read the files of questions."""
        return cls.of(itertools.chain.from_iterable(map(texts_of, paths)), more)

    def any(self, rng: random.Random) -> str:
        return rng.choice(self.texts)

    def matching(
        self, pattern: re.Pattern[str], rng: random.Random, *, word: str | None = None
    ) -> tuple[str, re.Match[str]] | None:
        """Return a question in which the pattern occurs, and where; None if there is none.

        A `word` that the pattern needs spares the reading of all others.
        """
        if pattern not in self._found:
            self._found[pattern] = [text for text in self._having(word) if pattern.search(text)]
        if not self._found[pattern]:
            return None
        text = rng.choice(self._found[pattern])
        return text, rng.choice(list(pattern.finditer(text)))

    def _having(self, word: str | None) -> Sequence[str]:
        if word is None:
            return self.texts
        if not self._by_word:
            for text in self.texts:
                for one in set(text.lower().replace("’", "'").replace("-", " ").split()):
                    self._by_word.setdefault(one.strip("?.,!;:'\""), []).append(text)
        return self._by_word.get(word.lower(), ())


def texts_of(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


# ---- all of them -----------------------------------------------------------------------------------------------------


def make_pairs(
    questions: Questions,
    makers: Mapping[str, Sequence[tuple[int, Maker]]],
    counts: Mapping[str, int],
    seed: int,
    known: AbstractSet[str] = frozenset(),
) -> list[Pair]:
    """Return `counts` distinct pairs of every category, none of whose swapped words is in `known`.

    `makers` has for each category what makes its pairs, and how much of each is wanted. The same arguments give the
    same pairs. ValueError for a category of which there are not as many.
    """
    return [
        pair
        for category, some in makers.items()
        for pair in _one_category(questions, category, some, counts[category], seed, known)
    ]


def _one_category(
    questions: Questions,
    category: str,
    makers: Sequence[tuple[int, Maker]],
    count: int,
    seed: int,
    known: AbstractSet[str],
) -> list[Pair]:
    rng = random.Random(f"{seed}/{category}")
    weights, choices = zip(*makers, strict=True)
    found: dict[tuple[str, str], Pair] = {}
    for pair in _drawn(questions, choices, weights, count * PATIENCE, rng):
        if is_sound(pair, known):
            found.setdefault(tuple(sorted((pair.a, pair.b))), pair)
        if len(found) == count:
            return list(found.values())
    raise ValueError(f"{category}: {len(found)} of {count} pairs could be made; the lists leave no more")


def _drawn(
    questions: Questions, choices: Sequence[Maker], weights: Sequence[int], draws: int, rng: random.Random
) -> Iterator[Pair]:
    for _ in range(draws):
        pair = rng.choices(choices, weights)[0](questions, rng)
        if pair is not None:
            yield pair


def is_sound(pair: Pair, known: AbstractSet[str]) -> bool:
    """Return whether the sides differ, and no swapped word is in the guards' lists."""
    if pair.a == pair.b or (not pair.same and plain(pair.a) == plain(pair.b)):
        return False
    return pair.same or not any(map(in_list(known), pair.content))


def plain(text: str) -> str:
    """Return a text without case, signs at its ends and white space: what no change of a question comes down to."""
    return " ".join(text.lower().split()).strip(" ?.!,;")
