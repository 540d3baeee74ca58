"""Questions that differ in a word and its opposite, or in a modifier that excludes the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from _pair_contrasts import ADJECTIVES, MODIFIERS, OTHERS, STATEMENTS, VERBS
from _pair_frames import NO_NOUN, both, changed, framed

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from _pairs import Pair, Questions

#: What stands before a verb in its base form.
_BASE_BEFORE = r"(?:\b(?:to|i|you|can|could|should|will|not|did|please) |n't |^)"


def verb_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    one, other = rng.choice(VERBS)
    before = "" if one.endswith(("ed", "ing", "ld", "st", "wn")) else _BASE_BEFORE
    return swapped_in_place(questions, one, other, rng, before=before)


def other_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    return swapped_in_place(questions, *rng.choice(OTHERS), rng)


def swapped_in_place(
    questions: Questions, one: str, other: str, rng: random.Random, *, before: str = ""
) -> Pair | None:
    if not before and rng.random() < 0.5:
        one, other = other, one
    found = questions.matching(
        re.compile(rf"{before}\b(?P<word>{re.escape(one)})\b(?!['’-])", re.IGNORECASE), rng, word=one
    )
    if found is None:
        return None
    text, match = found
    start, end = match.span("word")
    other = other.capitalize() if text[start].isupper() else other
    return changed(text, text[:start] + other + text[end:], "antonym", "in place")


def adjective(questions: Questions, rng: random.Random) -> Pair | None:
    nouns, choices = rng.choice(ADJECTIVES)
    one, other = rng.choice(choices)
    return before_noun(questions, nouns, (one, other), "antonym", rng)


def statement(questions: Questions, rng: random.Random) -> Pair | None:
    line, _, choices = rng.choice(STATEMENTS).partition(": ")
    chosen = framed(questions, [line], rng)
    if chosen is None:
        return None
    one, other = (side.replace("_", " ") for side in choices.split())
    return changed(*both(chosen, [one], [other], rng), "antonym", "beside")


def modifier(questions: Questions, rng: random.Random) -> Pair | None:
    nouns, choices = rng.choice(MODIFIERS)
    return before_noun(questions, nouns, rng.sample(choices, 2), "modifier", rng)


def before_noun(
    questions: Questions, nouns: Sequence[str], sides: Sequence[str], category: str, rng: random.Random
) -> Pair | None:
    """Return a question with one or the other word before a noun that it has."""
    noun = rng.choice(nouns)
    found = questions.matching(
        re.compile(rf"\b(?:my|the|this|your|any|some|new) (?={noun}{NO_NOUN})", re.IGNORECASE), rng, word=noun
    )
    if found is None:
        return None
    text, match = found
    a, b = (f"{text[: match.end()]}{side} {text[match.end() :]}" for side in sides)
    return changed(a, b, category, "before a noun, in place")


#: What makes a category's pairs, and how much of each is wanted.
ANTONYM = ((3, verb_in_place), (3, other_in_place), (6, adjective), (4, statement))
MODIFIER = ((1, modifier),)
