"""Questions of which one goes the other way: from and to, before and after, who does it to whom."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from _pair_contrasts import pairs
from _pair_frames import beside, both, framed, opposed
from _pair_words import CITIES, COUNTRIES, CURRENCIES, FIRST_NAMES, LANGUAGES, PEOPLE, PRODUCTS, lines, words
from _pairs import Pair, differing, words_of

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from _pairs import Questions

_FROM_TO = re.compile(
    r"\bfrom (?:my |the )?(?P<a>[\w'-]+(?: (?:account|card|airport))?) to (?:my |the )?"
    r"(?P<b>[\w'-]+(?: (?:account|card|airport))?)"
    r"(?=\s*(?:[?.,]|$|on\b|for\b|in\b|this\b|next\b|with\b|by\b|please\b))",
    re.IGNORECASE,
)
_WHEN = re.compile(r"\b(before|after)\b(?= (?:i|you|we|it|they|the|my|a|\w+ing)\b)", re.IGNORECASE)
_WAYS = lines("""
    travel| I am flying from {} to {}.
    travel| I am driving from {} to {}.
    money office| I moved from {} to {}.
    order| The parcel went from {} to {}.
    travel| I took the train from {} to {}.
    order money| I want to send it from {} to {}.
    travel| My luggage was sent from {} to {}.
    travel| My connection goes from {} to {}.
    travel| I need a visa to go from {} to {}.
    travel| I drove to {} from {}.
    travel| I left {} for {}.
    travel| We sailed out of {} towards {}.
    travel| from {} to {}
    travel| going from {} to {}
    travel| to {} from {}
    money office| when moving from {} to {}
    order| from {} to {}
""")
_CONVERSIONS = lines("""
    money| I want to change {} into {}.
    money| I have to convert {} to {}.
    money| I exchanged {} for {}.
    money| I want to swap {} for {}.
    money| Please convert {} into {}.
    money| I prefer {} over {}.
    money| I paid with {} instead of {}.
""")
_TRANSLATIONS = lines("""
    device travel money| I have to translate it from {} into {}.
    device travel money| I switched from {} to {}.
    device travel money| I prefer {} to {}.
    device travel money| Somebody translated {} poems into {}.
""")
#: Where something is moved from and to, and what is said of it.
_MOVES = (
    (
        words("pension Revolut PayPal Wise Monzo brokerage wallet Skrill Payoneer Venmo Starling Vault escrow ISA"),
        lines("""
            money| I sent it from my {} to my {}.
            money| It should go out of my {} into my {}.
            money| I deducted it from my {} and added it to my {}.
            money| It was taken from my {} instead of my {}.
            money| from my {} to my {}
            money| out of my {} into my {}
        """),
    ),
    (
        words("kitchen garage attic basement greenhouse pantry bathroom lounge nursery porch cellar hallway"),
        lines("""
            order device| I moved it from the {} to the {}.
            device| I carried it out of the {} into the {}.
            device| from the {} to the {}
        """),
    ),
    (
        words("Dropbox OneDrive Nextcloud iCloud laptop tablet desktop server Evernote Notion Trello Jira"),
        lines("""
            device| I copied it from my {} to my {}.
            device office| I am merging my {} into my {}.
            device| I replaced my {} by my {}.
            device order| I switched from {} to {}.
            device office| from my {} to my {}
        """),
    ),
    (
        words("school nursery gym library clinic pharmacy museum cathedral stadium harbour campus market"),
        lines("""
            travel| I am going from the {} to the {}.
            travel| It is on the way from the {} to the {}.
            travel| from the {} to the {}
            travel| to the {} from the {}
        """),
    ),
    (
        words("marketing legal logistics payroll finance engineering procurement catering reception"),
        lines("""
            office| I was moved from {} to {}.
            office money| I redirected it from {} to {}.
            office| when I go from {} to {}
        """),
    ),
)
#: One acts on the other; `{}` are persons.
_ROLES = lines("""
    money| {} owes {} the money.
    money| {} lent {} the card.
    office| {} hired {}.
    money| {} sued {}.
    money| {} paid {}.
    money| {} is the guarantor of {}.
    device| {} sent {} the link.
    food office travel| {} invited {}.
    money| {} blamed {}.
    money| {} forwarded the invoice to {}.
    money| {} borrowed it from {}.
    office| {} works for {}.
    money| {} replaced {}.
    office| {} outranks {}.
    office| {} supervises {}.
    money| {} sponsors {}.
    money| {} adopted {}.
    travel| {} taught {} to drive.
    money| {} reported {} to the bank.
    money| {} gave {} the pin.
    travel food order| {} is waiting for {}.
    money| {} trusts {} with the key.
    money| {} vouched for {}.
    money| {} inherited the house from {}.
    money| {} evicted {}.
    money| {} bought the car from {}.
    money| {} overtook {}.
    money| {} stole the card from {}.
    money| {} insured {}.
    travel| {} vaccinated {}.
    money| {} insulted {}.
    money| {} thanked {} for it.
""")
_VOICES = lines("""
    office| {} was hired by {}.|{} hired {}.
    money office| {} was paid by {}.|{} paid {}.
    money office| {} was sued by {}.|{} sued {}.
    food office travel| {} was invited by {}.|{} invited {}.
    money office| {} was blamed by {}.|{} blamed {}.
    office| {} was replaced by {}.|{} replaced {}.
    money office| {} was evicted by {}.|{} evicted {}.
    office| {} was taught by {}.|{} taught {}.
    money office| {} was reported by {}.|{} reported {}.
    office| {} is supervised by {}.|{} supervises {}.
    money office| {} is represented by {}.|{} represents {}.
    money office| {} was insulted by {}.|{} insulted {}.
    money office| {} was adopted by {}.|{} adopted {}.
    money office| {} was overtaken by {}.|{} overtook {}.
    money office| {} is sponsored by {}.|{} sponsors {}.
    device money| {} was called by {}.|{} called {}.
""")
_EVENTS = words("""
    the_wedding the_audit my_exam the_holidays the_funeral my_surgery the_conference lunch the_election my_retirement
    the_auction the_concert the_eclipse our_honeymoon the_harvest the_merger christening the_marathon my_shift sunset
    the_lecture the_rehearsal easter the_renovation my_pregnancy the_lockdown the_hearing graduation
""")
#: Words for one order of time or way and the other, with what may follow.
_ORDERS = pairs("""
    before/after prior_to/following ahead_of/after shortly_before/shortly_after long_before/long_after
    in_the_run-up_to/in_the_wake_of in_advance_of/subsequent_to the_day_before/the_day_after
    in_anticipation_of/in_the_aftermath_of just_ahead_of/just_after right_before/right_after
""")
_ORDERED = lines("""
    money device order| I asked {}.
    money device| It happened {}.
    money order| I noticed it {}.
    travel food office| I planned it {}.
    travel food office| {}
    money order| {}
""")
#: Who gives and who gets, what goes in and what goes out.
_GIVING = lines("""
    money| I want to {} the flat.|rent_out/rent sublet/lease
    money travel| I {} the car.|lent/borrowed sold/bought gave_away/was_given bequeathed/inherited
    money| I am the {}.|lender/borrower buyer/seller payer/payee landlord/tenant sender/addressee donor/beneficiary \
        employer/employee
    money| I am the {}.|drawer/drawee lessor/lessee licensor/licensee consignor/consignee creditor/debtor host/visitor
    device| It is about the {} call.|incoming/outgoing inbound/outbound
    order| It is an {} parcel.|incoming/outgoing inbound/outbound
    food| We {} olives.|import/export buy/sell grow/eat
    travel| The lift goes {}.|up/down upward/downward
    travel| I walked {} the hill.|up/down
    travel| The path leads {} the tunnel.|into/out_of through/around towards/away_from
    money| The rate is {} average.|above/below
    money| It is {} the limit.|above/below over/under beyond/within
    travel food| The shop is {} the station.|behind/in_front_of opposite/inside
    device| I {} the photos.|uploaded/downloaded sent/received exported/imported
    money| I {} the stock.|bought/sold acquired/divested
    travel office| My {} is ill.|son/father daughter/mother grandson/grandfather niece/aunt nephew/uncle
    money office device| My {} asked me.|pupil/teacher patient/doctor apprentice/master client/lawyer
    travel| The village lies {}.|upstream/downstream uphill/downhill inland/offshore
    order travel food| They {} the price.|raised/lowered upped/cut
    device| I {} the ladder.|climbed/descended mounted/dismounted
    travel| I {} the ship.|boarded/disembarked
    travel money office| I {} to the country.|immigrated/emigrated_from
    money| The money was {} my account.|credited_to/debited_from paid_into/taken_out_of added_to/deducted_from
    money| I am {} money from abroad.|sending/getting wiring/awaiting
    office| I will {} the course.|teach/take give/attend
    office order| I {} the offer.|made/got extended/received
""")


def turned(a: str, b: str, kind: str, content: Sequence[str], operators: Sequence[str] | None = None) -> Pair:
    """Return the pair: `content` is what changed places, the operators are what only one side has, or else given."""
    swapped = frozenset(word for text in content for word in words_of(text))
    apart = (differing(a, b) if operators is None else frozenset(operators)) - swapped
    return Pair(a, b, "direction", kind, content=swapped, operators=frozenset(apart))


def from_to_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    found = questions.matching(_FROM_TO, rng)
    if found is None:
        return None
    text, match = found
    (a_start, a_end), (b_start, b_end) = match.span("a"), match.span("b")
    turned_text = text[:a_start] + match["b"] + text[a_end:b_start] + match["a"] + text[b_end:]
    return turned(text, turned_text, "from and to, in place", (match["a"], match["b"]), ("from", "to"))


def when_in_place(questions: Questions, rng: random.Random) -> Pair | None:
    found = questions.matching(_WHEN, rng)
    if found is None:
        return None
    text, match = found
    other = {"before": "after", "after": "before"}[match[1].lower()]
    other = other.capitalize() if match[1][0].isupper() else other
    return turned(text, text[: match.start()] + other + text[match.end() :], "before and after, in place", ())


def journey(questions: Questions, rng: random.Random) -> Pair | None:
    return two_places(questions, _WAYS, rng.sample(rng.choice([CITIES, CITIES, COUNTRIES]), 2), "a journey", rng)


def conversion(questions: Questions, rng: random.Random) -> Pair | None:
    if rng.random() < 0.3:
        return two_places(questions, _TRANSLATIONS, rng.sample(LANGUAGES, 2), "a translation", rng)
    things = rng.choice([CURRENCIES, CURRENCIES, rng.choice(PRODUCTS)])
    return two_places(questions, _CONVERSIONS, rng.sample(things, 2), "a conversion", rng)


def move(questions: Questions, rng: random.Random) -> Pair | None:
    places, frames = rng.choice(_MOVES)
    return two_places(questions, frames, rng.sample(places, 2), "a move", rng)


def roles(questions: Questions, rng: random.Random) -> Pair | None:
    return two_places(questions, _ROLES, two_persons(rng), "roles", rng)


def two_places(
    questions: Questions, frames: Sequence[str], sides: Sequence[str], kind: str, rng: random.Random
) -> Pair | None:
    """Return a question with a frame of two names, and with these in each other's place."""
    chosen = framed(questions, frames, rng)
    if chosen is None:
        return None
    return turned(*both(chosen, sides, sides[::-1], rng), kind, bare(sides), words_of(chosen[1]))


def voices(questions: Questions, rng: random.Random) -> Pair | None:
    """Return who did it to whom, in the passive and with the same order in the active: the other way round."""
    sides = two_persons(rng)
    passive, _, active = rng.choice(_VOICES).rpartition("|")
    chosen = framed(questions, [passive], rng)
    if chosen is None:
        return None
    question, frame = chosen
    texts = [text[0].upper() + text[1:] for text in (frame.format(*sides), active.format(*sides))]
    before = rng.random() < 0.5
    a, b = (beside(question, text, before=before) for text in texts)
    return turned(a, b, "active and passive", bare(sides))


def order(questions: Questions, rng: random.Random) -> Pair | None:
    chosen = framed(questions, _ORDERED, rng)
    if chosen is None:
        return None
    (one, other), event = rng.choice(_ORDERS), rng.choice(_EVENTS)
    return turned(*both(chosen, [f"{one} {event}"], [f"{other} {event}"], rng), "before and after", ())


def giving(questions: Questions, rng: random.Random) -> Pair | None:
    sides = opposed(questions, _GIVING, rng)
    return None if sides is None else turned(*sides, "giving and getting", ())


def two_persons(rng: random.Random) -> list[str]:
    """Return two first names, or two of those whom one knows."""
    return rng.sample(FIRST_NAMES, 2) if rng.random() < 0.5 else [f"my {role}" for role in rng.sample(PEOPLE, 2)]


def bare(sides: Sequence[str]) -> list[str]:
    """Return who changed places, without the "my"."""
    return [side.removeprefix("my ") for side in sides]


#: What makes a category's pairs, and how much of each is wanted.
DIRECTION = (
    (2, from_to_in_place),
    (2, when_in_place),
    (5, journey),
    (4, conversion),
    (4, move),
    (5, roles),
    (3, voices),
    (4, order),
    (6, giving),
)
