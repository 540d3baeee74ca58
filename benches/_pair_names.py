"""Questions that differ in what they name: an account or a flight, a person, a place, a company, a thing."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from _pair_frames import both, changed, filled, framed, is_lower, replaced
from _pair_numbers import replaced_digit
from _pair_words import (
    CITIES,
    COMMON_PLACES,
    COMPANIES,
    COUNTRIES,
    CURRENCIES,
    FIRST_NAMES,
    LANGUAGES,
    LAST_NAMES,
    PRODUCTS,
    lines,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from _pairs import Pair, Questions

# ---- identifiers -----------------------------------------------------------------------------------------------------

#: What an identifier is of, and its shape: `9` is a digit, `A` a letter, all else stands for itself.
_IDENTIFIERS = lines("""
    money| account LN-9999
    money| account number 99999999
    money| account 9999-9999
    order| order #99999
    order| order 999-9999999
    money order device| case #A-9999
    money device| case 99-A-9999
    money device travel| ticket AAAA-9999
    money device| ticket 999999
    travel| flight AA999
    travel| flight AA-9999
    money order| invoice INV-2024-9999
    money order| invoice 99/9999
    travel food| booking reference AA9A9A
    travel food| reservation AAA999
    device| version 9.9.9
    device| version 9.99
    device| release 2.9.99
    order| tracking number AA999999999GB
    money| transaction 9a9b99f9
    money order| reference 99A-99
    office| policy PN-999999
    money| branch #9999
    travel office| room 999
    travel| gate A99
    travel| terminal 9A
    travel| bus 999
    travel| seat 99A
    office| contract K-99999
    money device order| phone number 555-9999
    travel food| zip code 99999
    device order| model XR-999
    device order| part number 99-999-A
    money office| member #M-9999
    office| employee 99999
    device| error E-9999
    device| error code 99999
    order| ISBN 978-9-99-999999-9
    office money| form W-99
    office| form 9999-A
    device| bug #9999
    order| SKU A9999-99
    money| sort code 99-99-99
    office| student number s9999999
    order| parcel 99AA9999
    travel| licence plate AA99-AAA
    money| loan LN-9999A
    money| cheque 999999
    money| card ending in 9999
""")
_WITH_IDENTIFIER = lines("""
    This is about {}.
    It concerns {}.
    I am asking about {}.
    It is for {}.
    I was given {}.
    for {}
    for {}
    regarding {}
    concerning {}
""")
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def identifier(questions: Questions, rng: random.Random) -> Pair | None:
    topics, _, what = rng.choice(_IDENTIFIERS).partition("| ")
    noun, _, shape = what.rpartition(" ")
    one = "".join(_filled(sign, rng) for sign in shape)
    other, way = other_identifier(one, rng)
    frame = f"{topics}| {rng.choice(_WITH_IDENTIFIER)}"
    return filled(questions, [frame], [f"{noun} {value}" for value in (one, other)], "identifier", way, rng)


def _filled(sign: str, rng: random.Random) -> str:
    if sign == "9":
        return rng.choice(string.digits[1:])
    return rng.choice(_LETTERS) if sign == "A" else sign


def other_identifier(value: str, rng: random.Random) -> tuple[str, str]:
    """Return another identifier of that shape, and how it differs."""
    while True:
        way = rng.choice(["neighbours swapped", "digit changed", "digit changed", "letter changed", "one sign more"])
        new = {
            "neighbours swapped": _swapped_signs,
            "digit changed": replaced_digit,
            "letter changed": _replaced_letter,
            "one sign more": _one_sign_more,
        }[way](value, rng)
        if new != value:
            return new, way


def _swapped_signs(value: str, rng: random.Random) -> str:
    places = [at for at in range(len(value) - 1) if value[at].isdigit() and value[at + 1].isdigit()]
    if not places:
        return value
    at = rng.choice(places)
    return value[:at] + value[at + 1] + value[at] + value[at + 2 :]


def _replaced_letter(value: str, rng: random.Random) -> str:
    places = [at for at, sign in enumerate(value) if sign in _LETTERS]
    if not places:
        return value
    at = rng.choice(places)
    return value[:at] + rng.choice(_LETTERS.replace(value[at], "")) + value[at + 1 :]


def _one_sign_more(value: str, rng: random.Random) -> str:
    return value + rng.choice(string.digits if value[-1] in _LETTERS else "ABCDEX123")


# ---- names -----------------------------------------------------------------------------------------------------------

#: Names of places that are more often something else.
_AMBIGUOUS = {"Turkey", "Split", "Cork", "Chad", "Jordan", "Regina", "Leon", "Essen", "Darwin", "Georgia", "Linz"}
_PLACES_KNOWN = sorted({*CITIES, *COUNTRIES, *COMMON_PLACES} - _AMBIGUOUS)
_PLACE = re.compile(r"\b(" + "|".join(map(re.escape, _PLACES_KNOWN)) + r")\b(?!['’])", re.IGNORECASE)
_LANGUAGE = re.compile(
    r"\b(" + "|".join([*LANGUAGES, "French", "Spanish", "German", "Italian"]) + r")\b(?!['’])", re.IGNORECASE
)
_CURRENCY = re.compile(r"\b(" + "|".join([*CURRENCIES, "euros", "dollars"]) + r")\b(?!['’])", re.IGNORECASE)
_PERSONS = lines("""
    money office| My adviser is {}.
    *| It is for {}.
    money| The account is in the name of {}.
    money travel office order| I am asking on behalf of {}.
    money device order| I spoke to {} about it.
    money travel food order| My name is {}.
    money order| It was sent to {}.
    money travel order| I was told to ask by {}.
    money| I share the account with {}.
    money travel food office| for {}
    travel food office| with {}
    money order| on behalf of {}
    money order| to {}
""")
_PLACES = lines("""
    *| I am in {}.
    money travel order| I live in {}.
    money travel office| I am flying to {} soon.
    money device| I am calling from {}.
    office money| My office is in {}.
    order| The parcel went to {}.
    travel| My plane lands in {}.
    money travel food device| in {}
    money| while I am in {}
    money office| when travelling to {}
    order travel| from {}
    travel| for my trip to {}
    food order| near {}
""")
_FIRMS = lines("""
    order money| I bought it from {}.
    office money| I work for {}.
    order| My order is with {}.
    money| The charge is by {}.
    order money| I got a voucher from {}.
    device office| My contract is with {}.
    order| It was sold by {}.
    money travel order| with {}
    money order| at {}
    money order| from {}
    office| for my job at {}
""")
_THINGS = lines("""
    device| I am using {}.
    device order| I own a {}.
    order money| It is about {}.
    money order| I paid for {}.
    device| I switched to {}.
    device| with {}
    device order| for my {}
""")
_TONGUES = lines("""
    *| I only speak {}.
    money travel| My mother tongue is {}.
    *| Please answer in {}.
    money office| The letter is in {}.
    device money travel| in {}
""")


def place_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    return replaced(questions, _PLACE, CITIES + COUNTRIES, rng, "entity", "a place, in place")


def language_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    return replaced(questions, _LANGUAGE, LANGUAGES, rng, "entity", "a language, in place")


def currency_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    return replaced(questions, _CURRENCY, CURRENCIES, rng, "entity", "a currency, in place")


def person(questions: Questions, rng: random.Random) -> Pair | None:
    first, other_first = rng.sample(FIRST_NAMES, 2)
    last, other_last = rng.sample(LAST_NAMES, 2)
    what, one, other = rng.choice(
        [
            ("first name", f"{first} {last}", f"{other_first} {last}"),
            ("last name", f"{first} {last}", f"{first} {other_last}"),
            ("person", f"{first} {last}", f"{other_first} {other_last}"),
            ("person", first, other_first),
            ("title and name", f"Dr {last}", f"Dr {other_last}"),
        ]
    )
    return named(questions, _PERSONS, (one, other), what, rng)


def place(questions: Questions, rng: random.Random) -> Pair | None:
    return named(questions, _PLACES, rng.sample(rng.choice([CITIES, COUNTRIES]), 2), "a place", rng)


def company(questions: Questions, rng: random.Random) -> Pair | None:
    return named(questions, _FIRMS, rng.sample(COMPANIES, 2), "a company", rng)


def product(questions: Questions, rng: random.Random) -> Pair | None:
    return named(questions, _THINGS, rng.sample(rng.choice(PRODUCTS), 2), "a product", rng)


def language(questions: Questions, rng: random.Random) -> Pair | None:
    return named(questions, _TONGUES, rng.sample(LANGUAGES, 2), "a language", rng)


def named(
    questions: Questions, frames: Sequence[str], sides: Sequence[str], kind: str, rng: random.Random
) -> Pair | None:
    """Return a question with each of two names; of those who write without capitals, half write names so too."""
    chosen = framed(questions, frames, rng)
    if chosen is None:
        return None
    if is_lower(chosen[0]) and rng.random() < 0.5:
        sides, kind = [side.lower() for side in sides], f"{kind}, lower case"
    return changed(*both(chosen, sides[:1], sides[1:], rng), "entity", kind)


#: What makes a category's pairs, and how much of each is wanted.
IDENTIFIER = ((1, identifier),)
ENTITY = (
    (3, place_in_place),
    (1, language_in_place),
    (1, currency_in_place),
    (6, person),
    (4, place),
    (4, company),
    (3, product),
    (1, language),
)
