"""The same question written otherwise: typos, politeness, contractions, signs and white space.

Half of the questions are those that changed questions were made of, numbers and names included: a guard that takes
every question with a name for another one is to be found out.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from _pair_frames import finished, is_lower
from _pair_words import CITIES, COMMON_PLACES, COMPANIES, COUNTRIES, FIRST_NAMES, LAST_NAMES, PRODUCTS, lines
from _pairs import Pair, words_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from _pairs import Questions

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NAMES = frozenset(
    part
    for name in (*FIRST_NAMES, *LAST_NAMES, *CITIES, *COUNTRIES, *COMMON_PLACES, *COMPANIES, *sum(PRODUCTS, ()))
    for part in words_of(name)
)
#: Letters of a word that a slip is made in.
_LONG_ENOUGH = 5
_LONG_WORD = re.compile(rf"(?<![\w'’#-])[a-z]{{{_LONG_ENOUGH},}}(?![\w'’-])")


# ---- typos -----------------------------------------------------------------------------------------------------------


def typo(questions: Questions, rng: random.Random) -> Pair | None:
    """Slip in one word, or in two of a long question; what comes out is no word that anybody knows."""
    text = questions.any(rng)
    changed, kinds = text, []
    for _ in range(2 if len(text.split()) > 12 and rng.random() < 0.25 else 1):
        slip = _slipped(changed, questions.vocabulary, rng)
        if slip is None:
            return None
        changed, kind = slip
        kinds.append(kind)
    return Pair(text, changed, "typo", kinds[0] if len(kinds) == 1 else "two slips", same=True)


def _slipped(text: str, vocabulary: frozenset[str], rng: random.Random) -> tuple[str, str] | None:
    places = [match for match in _LONG_WORD.finditer(text) if match[0] in vocabulary and match[0] not in _NAMES]
    if not places:
        return None
    match = rng.choice(places)
    kind = rng.choice(list(SLIPS))
    new = SLIPS[kind](match[0], rng)
    if new == match[0] or new in vocabulary or new in _NAMES:
        return None
    return text[: match.start()] + new + text[match.end() :], kind


def _swapped(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _dropped(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word))
    return word[:at] + word[at + 1 :]


def _doubled(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word))
    return word[:at] + word[at] + word[at:]


def _beside_on_keyboard(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word))
    row = next(row for row in _KEYS if word[at] in row)
    place = row.index(word[at])
    return word[:at] + rng.choice(row[max(0, place - 1) : place] + row[place + 1 : place + 2]) + word[at + 1 :]


SLIPS: dict[str, Callable[[str, random.Random], str]] = {
    "letters swapped": _swapped,
    "letter dropped": _dropped,
    "letter doubled": _doubled,
    "next key": _beside_on_keyboard,
}

#: A contraction that stays one when its apostrophe is missing; "we're" and "I'll" are other words then.
_APOSTROPHE = re.compile(
    r"\b(?:\w+n['’]t|(?:what|where|how|that|there|it)['’]s|i['’](?:m|ve)|(?:you|they)['’](?:re|ve))\b", re.IGNORECASE
)


def apostrophe_missing(questions: Questions, rng: random.Random) -> Pair | None:
    found = questions.matching(_APOSTROPHE, rng)
    if found is None:
        return None
    text, match = found
    return Pair(text, _replaced(text, match, re.sub("['’]", "", match[0])), "typo", "apostrophe missing", same=True)


def _replaced(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


# ---- politeness ------------------------------------------------------------------------------------------------------

_BEFORE = lines("""
    Please,
    Hi,
    Hello,
    Hey,
    Hi there,
    Hello there,
    Hey there,
    Good morning,
    Good afternoon,
    Good evening,
    Excuse me,
    Sorry,
    Sorry to bother you,
    Sorry to bother you, but
    Quick question:
    Just a quick question:
    Hi, quick question:
    One more question:
    A question:
    Dear team,
    Dear support team,
    Dear Sir or Madam,
    Hello support,
    Hi, I have a question:
    Hello, could you help me with this:
    Could you tell me:
    Can you please tell me:
    I was wondering:
    I'd like to ask:
    I'd be grateful for your help:
    Could you help me out:
    Would you mind telling me:
    If you have a moment:
    When you get a chance:
    May I ask:
    Please tell me:
    Please help:
    Help please,
    Greetings,
    Good day,
    Ok so,
    So,
    Well,
    Hmm,
    Um,
    Alright,
    Hey guys,
    Hi folks,
    Pardon me,
    Thanks for your time.
    Hope you are well.
    I hope you're doing well.
    Hi! Hope you can help.
    I could use some help.
    Hello! I need a bit of help.
    Can someone help me?
    Can anybody help me out?
    Happy Friday!
    Not sure who to ask, but
    I'm curious:
""")
_AFTER = lines("""
    please
    , please
    , please?
    pls
    plz
    thanks
    , thanks
    Thanks!
    Thanks.
    Thank you.
    Thank you!
    Thank you very much.
    Thank you so much!
    Thanks a lot.
    Thanks a million!
    Many thanks.
    Many thanks in advance.
    Thanks in advance.
    Thank you in advance!
    Thanks for your help.
    Thank you for your time.
    Cheers.
    Cheers!
    Much appreciated.
    Very much appreciated!
    I'd appreciate it.
    I would appreciate your help.
    Any help is appreciated.
    Any help would be great.
    Hope you can help.
    Please help.
    Please let me know.
    Let me know.
    Please advise.
    Kind regards.
    Best regards.
    Looking forward to your answer.
    Have a nice day!
    thx
    ty
    tia
    , if you don't mind
    , if that's ok
    if possible
    , kindly
    :)
    Sorry for the trouble.
    Sorry if this is a stupid question.
    I'm new here.
    Just curious.
    Just wondering.
    Asking for a friend.
    Thanks again!
    Bless you.
    You're the best.
    That would help me a lot.
    Appreciate it!
    Take care.
    Talk soon.
""")


def polite(questions: Questions, rng: random.Random) -> Pair | None:
    text = questions.any(rng)
    if re.search(r"\b(please|thanks?|hi|hello|hey)\b", text, re.IGNORECASE):
        return None
    where = rng.choice(["before", "after", "both"])
    edited = _after(text, rng.choice(_AFTER)) if where != "before" else text
    edited = _before(edited, rng.choice(_BEFORE)) if where != "after" else edited
    return Pair(text, edited, "politeness", where, same=True)


def asked_politely(text: str, number: int) -> str:
    """Return a question with one of the phrases after it, another one for each number."""
    return _after(text, _AFTER[number % len(_AFTER)])


def _before(text: str, phrase: str) -> str:
    if is_lower(text):
        return f"{phrase.lower()} {text}"
    lowers = phrase[-1] not in ".!?" and not re.match(r"(I\b|I'|[A-Z]{2})", text)
    return f"{phrase} {text[0].lower() + text[1:] if lowers else text}"


def _after(text: str, phrase: str) -> str:
    phrase = phrase.lower() if is_lower(text) else phrase
    if phrase[0] == ",":
        bare = text.rstrip(" ?.!,")
        return bare + phrase.rstrip("?") + (text[len(bare) :].strip()[:1] or phrase[len(phrase.rstrip("?")) :])
    return f"{finished(text) if phrase[0].isupper() else text} {phrase}"


# ---- contractions ----------------------------------------------------------------------------------------------------

#: Not before a participle, where "'s" may be "has".
_NO_PARTICIPLE = r"(?= (?!been|got|gone|happened|taken|come|had|lost|made|done|\w+ed\b))"
#: What is written in full, and what for short; the parts in brackets stay.
_SHORT = tuple(
    (re.compile(pattern, re.IGNORECASE), short)
    for pattern, short in (
        (rf"\b(what|where|how|that|there|who|it) is{_NO_PARTICIPLE}", r"\1's"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|could|would|should) not\b", r"\1n't"),
        (r"\b(can)(?:not| not)\b", r"\1't"),
        (r"\b(i) am(?= \w)", r"\1'm"),
        (r"\b(you|they|we) are(?= \w)", r"\1're"),
        (r"\b(i|you|we|they) have(?= (?:been|got|made|not|already|just|tried|lost|\w+ed)\b)", r"\1've"),
        (r"\b(i) would(?= (?:like|love|appreciate|need|prefer)\b)", r"\1'd"),
        (r"\b(i|you|we|they|it) will(?= \w)", r"\1'll"),
    )
)
_FULL = tuple(
    (re.compile(pattern, re.IGNORECASE), full)
    for pattern, full in (
        (rf"\b(what|where|how|that|there|who|it)['’]s{_NO_PARTICIPLE}", r"\1 is"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|could|would|should)n['’]t\b", r"\1 not"),
        (r"\b(ca)n['’]t\b", r"\1nnot"),
        (r"\b(wo)n['’]t\b", "will not"),
        (r"\b(i)['’]m\b", r"\1 am"),
        (r"\b(you|they|we)['’]re\b", r"\1 are"),
        (r"\b(i|you|we|they)['’]ve\b", r"\1 have"),
        (r"\b(i)['’]d(?= (?:like|love|appreciate|prefer)\b)", r"\1 would"),
        (r"\b(i|you|we|they|it)['’]ll\b", r"\1 will"),
    )
)


def contracted(questions: Questions, rng: random.Random) -> Pair | None:
    return _rewritten(questions, rng.choice(_SHORT), "in full to short", rng)


def expanded(questions: Questions, rng: random.Random) -> Pair | None:
    return _rewritten(questions, rng.choice(_FULL), "short to in full", rng)


def _rewritten(questions: Questions, rule: tuple[re.Pattern[str], str], kind: str, rng: random.Random) -> Pair | None:
    found = questions.matching(rule[0], rng)
    if found is None:
        return None
    text, match = found
    # "Won't you" in full is "will you not": a negation before its subject is left as it is.
    if kind == "short to in full" and "n" in match[0] and re.match(r"^\W*$", text[: match.start()]):
        return None
    new = match.expand(rule[1])
    new = new.capitalize() if match[0][0].isupper() else new
    return Pair(text, _replaced(text, match, new), "contraction", kind, same=True)


# ---- signs, case and white space -------------------------------------------------------------------------------------


def rewritten(questions: Questions, rng: random.Random) -> Pair | None:
    text = questions.any(rng)
    kind = rng.choice(list(SIGNS))
    return Pair(text, SIGNS[kind](text, rng), "signs", kind, same=True)


def _other_end(text: str, rng: random.Random) -> str:
    return text.rstrip(" ?.!,") + rng.choice(["", "?", "??", "!", ".", "...", " ?", "?!", "???"])


def _spaces(text: str, rng: random.Random) -> str:
    places = [at for at, sign in enumerate(text) if sign == " "]
    at = rng.choice(places)
    return rng.choice(
        [
            f" {text}",
            f"{text}  ",
            text[:at] + "  " + text[at + 1 :],
            text[:at] + "\n" + text[at + 1 :],
            text[:at] + "\u00a0" + text[at + 1 :],
            f"\t{text}\n",
        ]
    )


def _apostrophes(text: str, _: random.Random) -> str:
    return text.replace("'", "’") if "'" in text else text.replace("’", "'")


def _commas(text: str, _: random.Random) -> str:
    return re.sub(r",(?= [a-z])", "", text)


def _capital(text: str, _: random.Random) -> str:
    return text[0].swapcase() + text[1:]


def _every_capital(text: str, _: random.Random) -> str:
    return string.capwords(text)


def _hyphen(text: str, _: random.Random) -> str:
    both = {"top up": "top-up", "top-up": "top up", "e-mail": "email", "email": "e-mail", "pre-paid": "prepaid"}
    return re.sub(r"\b(top up|top-up|e-mail|email|pre-paid)\b", lambda match: both[match[0]], text)


SIGNS: dict[str, Callable[[str, random.Random], str]] = {
    "other end": _other_end,
    "all lower": lambda text, _: text.lower(),
    "all upper": lambda text, _: text.upper(),
    "first letter": _capital,
    "every first letter": _every_capital,
    "white space": _spaces,
    "other apostrophe": _apostrophes,
    "commas": _commas,
    "hyphen": _hyphen,
    "quoted": lambda text, _: f'"{text}"',
}

#: What makes each category's edits, and how much of each is wanted.
TYPO = ((6, typo), (1, apostrophe_missing))
POLITENESS = ((1, polite),)
CONTRACTION = ((1, contracted), (1, expanded))
SIGN = ((1, rewritten),)
