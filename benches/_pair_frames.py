"""What both sides of a pair can be given: sentences beside a question and phrases in it, which fit what it is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from _pairs import Pair, differing

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from _pairs import Questions

_ASKING = re.compile(
    r"(what|who|whose|when|where|which|why|how|is|are|am|was|were|do|does|did|can|could|will|would|should|shall|may|"
    r"might|has|have|had)(n't|'s)?\b",
    re.IGNORECASE,
)

# ---- a sentence beside a question, a phrase in it --------------------------------------------------------------------


def is_lower(text: str) -> bool:
    """Return whether somebody wrote without capitals, as in CLINC150."""
    return text == text.lower()


def finished(text: str) -> str:
    """Return a question with the sign that it ends with."""
    bare = text.rstrip(" ?.!,;")
    sign = text[len(bare) :].strip()[:1]
    return bare + (sign if sign in {"?", ".", "!"} and sign else "?" if _ASKING.match(bare) else ".")


def beside(question: str, sentence: str, *, before: bool) -> str:
    """Return a question with a sentence before or after it, in the question's way of writing."""
    if is_lower(question):
        lowered = sentence[0].lower() + sentence[1:]
        sentence = re.sub(r"\bI\b", "i", lowered)
    return f"{sentence} {question}" if before else f"{finished(question)} {sentence}"


def within(question: str, phrase: str) -> str:
    """Return a question with a phrase at its end, before the sign."""
    bare = question.rstrip(" ?.!,;")
    return f"{bare} {phrase}{question[len(bare) :].strip()[:1]}"


#: What a question is about, so that what is said with it belongs to it.
_ABOUT = {
    "money": r"accounts?|cards?|transfer\w*|payments?|pay|charged?|money|refund|fees?|atm|pin|top.?ups?|cash|"
    r"deposit\w*|currenc\w+|exchange|credit|statement|balance|bank|bill|che(?:que|ck)s?|withdraw\w*|apr",
    "travel": r"flights?|travel\w*|trip|vacation|hotels?|visa|luggage|airport|airlines?|plane|carry.?on|uber|shots|"
    r"plug|timezone|car rental|rent a car|country|passport|traffic|bus|weather|directions|book",
    "food": r"restaurants?|reservations?|recipe|cook\w*|meal|dinner|lunch|calories|ingredients?|food|eat|bake|"
    r"pizza|chicken",
    "office": r"meetings?|calendar|schedule|pto|taxes|paycheck|insurance|salary|income|remind(?:ers?)?|application|"
    r"payday|holiday|job|to.?do",
    "device": r"phone|app|alarm|timer|playlist|passcode|password|device|machine|battery|settings|volume|lights?|tv|"
    r"message|text|gps|bluetooth|sync",
    "order": r"order(?:ed)?|deliver\w*|package|arrived?|purchased?|bought|items?|store|ship\w*|shopping|seller",
}
TOPICS = {topic: re.compile(rf"\b(?:{some})\b", re.IGNORECASE) for topic, some in _ABOUT.items()}
#: The same for a question of one short sentence, which a phrase can be put at the end of.
_SHORT = {
    topic: re.compile(rf"^(?=.*\b(?:{some})\b)(?:[^\s.?!]+\s+){{2,12}}[^\s.?!]+\s*[?.!]?$", re.IGNORECASE)
    for topic, some in _ABOUT.items()
}


def framed(questions: Questions, frames: Sequence[str], rng: random.Random) -> tuple[str, str] | None:
    """Return a question and a frame that belongs to it.

    A frame is "topics| text": a sentence to stand beside the question, or, when it begins with a small letter or is
    nothing but what fills it, a phrase to stand at its end. `*` is every topic.
    """
    topics, _, frame = rng.choice(frames).partition("| ")
    topic = rng.choice(list(TOPICS) if topics == "*" else topics.split())
    found = questions.matching((_SHORT if is_phrase(frame) else TOPICS)[topic], rng)
    return None if found is None else (found[0], frame)


def is_phrase(frame: str) -> bool:
    """Return whether a frame belongs into a question and not beside it."""
    return frame[0].islower() or frame == "{}"


def both(
    chosen: tuple[str, str], one: Sequence[object], other: Sequence[object], rng: random.Random
) -> tuple[str, str]:
    """Return a question with its frame filled in one and in the other way, in the same place."""
    question, frame = chosen
    filled = [frame.format(*side) for side in (one, other)]
    if is_phrase(frame):
        return finished(within(question, filled[0])), finished(within(question, filled[1]))
    before = rng.random() < 0.5
    sides = [text[0].upper() + text[1:] for text in filled]
    return beside(question, sides[0], before=before), beside(question, sides[1], before=before)


#: After a noun that is not part of a longer name: "card payment" is no card.
NO_NOUN = (
    r"(?=[?.,!]|$| (?:is|was|were|are|has|have|had|did|does|will|would|can|could|should|to|for|in|on|from|at|and|or|be|"
    r"but|that|which|it|i|if|when|with|by|because|yet|please|not|going|works?|getting|isn't|wasn't|hasn't|didn't|won't)\b)"
)

# ---- the simplest makers ---------------------------------------------------------------------------------------------


def changed(a: str, b: str, category: str, kind: str) -> Pair:
    """Return the pair, the words that only one side has being what was swapped."""
    return Pair(a, b, category, kind, content=differing(a, b))


def filled(
    questions: Questions, frames: Sequence[str], sides: Sequence[str], category: str, kind: str, rng: random.Random
) -> Pair | None:
    """Return a question with one and with the other side in a frame."""
    chosen = framed(questions, frames, rng)
    if chosen is None:
        return None
    return changed(*both(chosen, sides[:1], sides[1:], rng), category, kind)


def replaced(
    questions: Questions, pattern: re.Pattern[str], names: Sequence[str], rng: random.Random, category: str, kind: str
) -> Pair | None:
    """Return a question and the same with another name in the place where the pattern occurs."""
    found = questions.matching(pattern, rng)
    if found is None:
        return None
    text, match = found
    new = rng.choice(names)
    if not match[1][0].isupper():
        new = new.lower()
    return changed(text, text[: match.start(1)] + new + text[match.end(1) :], category, kind)


def opposed(questions: Questions, frames: Sequence[str], rng: random.Random) -> tuple[str, str] | None:
    """Return a question with one and with the other side of a choice in a frame, "frame|one/other one/other"."""
    line, _, choices = rng.choice(frames).rpartition("|")
    chosen = framed(questions, [line], rng)
    if chosen is None:
        return None
    one, other = opposite_sides(rng.choice(choices.split()))
    return both(chosen, [one], [other], rng)


def opposite_sides(entry: str) -> tuple[str, str]:
    one, _, other = entry.replace("_", " ").partition("/")
    return one, other
