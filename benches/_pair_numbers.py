"""Questions that differ in a number: a count, an amount, a date, a time, a unit."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

from _pair_frames import both, changed, filled, framed, replaced
from _pair_words import CURRENCIES, lines, words

if TYPE_CHECKING:
    import random

    from _pairs import Pair, Questions

_DIGITS = re.compile(r"(?<![\w.,:/#-])[$£€]?(\d{1,6})(?=(?:st|nd|rd|th)\b|[ap]m\b|[\s?.!%]|$)(?![.,:]\d)(?!\s*\()")
_SPELLED = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|ninety)\b",
    re.IGNORECASE,
)
_SPELLED_NUMBERS = words("two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty")
_WEEKDAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_MONTHS = words("January February March April May June July August September October November December")

#: `{}` is a number, of the range that is named after the colon.
_COUNTED = lines("""
    money| I have {} cards.:2-9
    money device| I have tried {} times.:2-12
    food travel| There are {} of us.:2-40
    money order| It has been {} days.:2-30
    money order travel| I have waited {} hours.:2-48
    money travel device| I am {} years old.:14-88
    money| I lost {} cheques.:2-20
    food travel| We are a family of {}.:3-9
    money| My rate is {} percent.:2-28
    money| My rate is {}%.:2-28
    money device| I got {} texts from you.:2-30
    order| I ordered {} of them.:2-60
    money office| I moved here {} weeks ago.:2-50
    travel food| I live {} miles away.:2-90
    money office| My lease ends in {} months.:2-24
    money office| I already paid {} percent of it.:5-95
    money| There were {} transactions.:2-40
    travel food office| I only have {} minutes.:2-55
    office| I work {} hours a week.:4-60
    order travel| The parcel weighs {} kilos.:2-30
    money order| within {} days:2-30
    travel office| in the next {} weeks:2-48
    food travel| for {} people:2-40
    food| in less than {} minutes:2-55
    money office| for the next {} months:2-20
    money| {} times a month:2-20
    money| for {} children:2-9
    device| in {} minutes:2-55
""")
_AMOUNTS = lines("""
    money order| It is about {}.
    money| The amount is {}.
    money travel order| I have {} left.
    money office| I earn {} a month.
    money| My limit is {}.
    money| I sent {} last week.
    money order| I was told it costs {}.
    money| I owe {}.
    money| for {}
    money| with a balance of {}
    order travel| for under {}
    order travel food| for less than {}
    money| if it is over {}
    money| of up to {}
""")
_DATED = lines("""
    money order device| I asked on {}.
    money office| It was due on {}.
    money device| This happened on {}.
    office travel| I was born on {}.
    travel| I leave on {}.
    office money| My contract started on {}.
    money| The statement is of {}.
    order| It was sent on {}.
    travel office| on {}
    money order| by {}
""")
_DUE = lines("""
    money office| It was due on {}.
    travel| I leave on {}.
    order| It was sent on {}.
    travel food office| on {}
""")
_TIMED = lines("""
    travel| My train leaves at {}.
    money device order| I called at {}.
    food device| I get home at {}.
    office| My shift starts at {}.
    money device| It happened at {}.
    *| Please call me back at {}.
    travel food office| at {}
    device office| before {}
""")


def number_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    found = questions.matching(_DIGITS, rng)
    if found is None:
        return None
    text, match = found
    old = int(match[1])
    after = text[match.end(1) :]
    new = other_number(old, rng)
    suffix = re.match(r"(st|nd|rd|th)\b", after)
    if suffix:
        new = rng.choice([day for day in range(1, 29) if day != old])
        after = ordinal_suffix(new) + after[2:]
    return changed(text, text[: match.start(1)] + str(new) + after, "number", "a number, in place")


def spelled_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    return replaced(questions, _SPELLED, _SPELLED_NUMBERS, rng, "number", "a spelled number, in place")


def counted(questions: Questions, rng: random.Random) -> Pair | None:
    chosen = framed(questions, _COUNTED, rng)
    if chosen is None:
        return None
    frame, _, limits = chosen[1].rpartition(":")
    low, high = map(int, limits.split("-"))
    one, other = rng.sample(range(low, high + 1), 2)
    return changed(*both((chosen[0], frame), [one], [other], rng), "number", "a count")


def amount(questions: Questions, rng: random.Random) -> Pair | None:
    one = rng.choice([rng.randrange(20, 100), 5 * rng.randrange(20, 200), rng.randrange(100, 5_000) * 10])
    cents = rng.random() < 0.25
    show = rng.choice([_dollars, _pounds, _euros, _code])
    sides = [show(value, cents) for value in (one, other_number(one, rng))]
    return filled(questions, _AMOUNTS, sides, "number", "an amount", rng)


def _dollars(value: int, cents: bool) -> str:
    return f"${value:,}.50" if cents else f"${value:,}"


def _pounds(value: int, cents: bool) -> str:
    return f"£{value}.99" if cents else f"£{value}"


def _euros(value: int, cents: bool) -> str:
    return f"{value}.20 euros" if cents else f"{value} euros"


def _code(value: int, cents: bool) -> str:
    return f"EUR {value}.75" if cents else f"{value:,} GBP"


def date(questions: Questions, rng: random.Random) -> Pair | None:
    days, months = rng.sample(range(1, 29), 2), [rng.randrange(12)] * 2
    years = [rng.randrange(2015, 2027)] * 2
    what = rng.choice(["day", "day", "month", "year"])
    if what != "day":
        days[1] = days[0]
    if what == "month":
        months = rng.sample(range(12), 2)
    if what == "year":
        years = rng.sample(range(2015, 2027), 2)
    shapes = [_iso, _slashes, _day_month_year] if what == "year" else [_iso, _slashes, _day_month, _month_day]
    shape = rng.choice(shapes)
    sides = [shape(day, month, year) for day, month, year in zip(days, months, years, strict=True)]
    return filled(questions, _DATED, sides, "number", f"a date: {what}", rng)


def _iso(day: int, month: int, year: int) -> str:
    return f"{year}-{month + 1:02}-{day:02}"


def _slashes(day: int, month: int, year: int) -> str:
    return f"{day:02}/{month + 1:02}/{year}"


def _day_month(day: int, month: int, _: int) -> str:
    return f"{day} {_MONTHS[month]}"


def _month_day(day: int, month: int, _: int) -> str:
    return f"{_MONTHS[month]} {day}{ordinal_suffix(day)}"


def _day_month_year(day: int, month: int, year: int) -> str:
    return f"{day} {_MONTHS[month]} {year}"


def time(questions: Questions, rng: random.Random) -> Pair | None:
    hour, other_hour = rng.sample(range(1, 13), 2)
    minute, other_minute = rng.sample(range(0, 60, 5), 2)
    half = rng.choice(["am", "pm", " am", " pm"])
    sides = rng.choice(
        [
            (f"{hour}{half}", f"{other_hour}{half}"),
            (f"{hour}:{minute:02}{half}", f"{hour}:{other_minute:02}{half}"),
            (f"{hour + 11}:{minute:02}", f"{other_hour + 11}:{minute:02}"),
            (f"{hour}:{minute:02} am", f"{hour}:{minute:02} pm"),
            (f"{hour}am", f"{hour}pm"),
        ]
    )
    return filled(questions, _TIMED, sides, "number", "a time", rng)


def weekday(questions: Questions, rng: random.Random) -> Pair | None:
    names = rng.choice([_WEEKDAYS, _MONTHS])
    frames = [frame.replace(" on {}", " in {}") if names is _MONTHS else frame for frame in _DUE]
    return filled(questions, frames, rng.sample(names, 2), "number", "a weekday or month", rng)


def other_number(value: int, rng: random.Random) -> int:
    """Return another number that could stand in its place: never 1 for more, for the noun has its plural."""
    if value <= 2:
        return rng.choice([number for number in range(2, 10) if number != value]) if value == 2 else value
    if value <= 31:
        low, high = (2, 12) if value <= 12 else (13, 31)
        return rng.choice([number for number in range(low, high + 1) if number != value])
    digits, ways = str(value), (swapped_digits, replaced_digit, replaced_digit, _ten_times)
    while True:
        new = rng.choice(ways)(digits, rng)
        if new != digits and not new.startswith("0"):
            return int(new)


def _ten_times(digits: str, _: random.Random) -> str:
    return digits + "0"


def swapped_digits(digits: str, rng: random.Random) -> str:
    """Return a string in which two neighbours have changed places; they may be equal."""
    at = rng.randrange(len(digits) - 1)
    return digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]


def replaced_digit(digits: str, rng: random.Random) -> str:
    """Return a string in which one digit is another one."""
    at = rng.choice([at for at, sign in enumerate(digits) if sign.isdigit()])
    return digits[:at] + rng.choice([sign for sign in string.digits if sign != digits[at]]) + digits[at + 1 :]


def ordinal_suffix(number: int) -> str:
    return "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


#: Units of one kind, with the frame that they stand in.
_UNITS = (
    ("device order| The cable is {} {} long.", words("metres yards feet inches furlongs fathoms centimetres")),
    ("food| I have {} {} of it.", words("grams ounces pounds kilos litres pints quarts gallons teaspoons tablespoons")),
    ("food| for {} {} of rice", words("grams ounces pounds kilos cups pints quarts teaspoons tablespoons")),
    ("device| The file has {} {}.", words("kilobytes megabytes gigabytes terabytes pages chapters")),
    ("device travel| It took {} {}.", words("seconds minutes fortnights decades semesters")),
    ("money| I was paid {} {}.", CURRENCIES),
    ("money| for {} {}", CURRENCIES),
    ("travel device| It is {} degrees {} outside.", words("Celsius Fahrenheit Kelvin")),
    ("travel order| My suitcase weighs {} {}.", words("stone pounds kilos ounces")),
)


def unit(questions: Questions, rng: random.Random) -> Pair | None:
    frame, units = rng.choice(_UNITS)
    chosen = framed(questions, [frame], rng)
    if chosen is None:
        return None
    value, (one, other) = rng.randrange(2, 90), rng.sample(units, 2)
    return changed(*both(chosen, (value, one), (value, other), rng), "number", "a unit")


#: What makes a category's pairs, and how much of each is wanted.
NUMBER = (
    (8, number_in_place),
    (1, spelled_in_place),
    (4, counted),
    (5, amount),
    (4, date),
    (3, time),
    (1, weekday),
    (2, unit),
)
