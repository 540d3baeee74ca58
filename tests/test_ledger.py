"""Prices and the ledger: exact amounts, nothing unknown counted as zero, books that balance in every split."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import pickle
import sys
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from llmfast._errors import ConfigError, LedgerError, UnknownPriceError
from llmfast._ledger import Ledger, TokenCount
from llmfast._prices import Price, Prices, format_usd, usd
from llmfast._types import Usage

OUTCOMES = ("exact_hit", "semantic_hit", "coalesced", "llm_call")
SAVED_BY = ("exact", "semantic", "coalesced", "router")
OWN = Prices({"dear": ("2.50", 10), "cheap": (0.15, Decimal("0.6"))})


# ---- prices ----------------------------------------------------------------------------------------------------------


def test_prices_are_pico_dollars_a_token():
    assert OWN["dear"] == Price(2_500_000, 10_000_000)
    assert OWN["cheap"] == Price(150_000, 600_000)
    assert OWN.cost("dear", Usage(1_000_000, 0)) == 2_500_000_000_000


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("openai/gpt-4o", "gpt-4o"),
        ("openrouter/openai/gpt-4o-2024-11-20", "gpt-4o"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("anthropic/claude-opus-4-20250514", "claude-opus-4"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
    ],
)
def test_dates_and_sellers_resolve(name, same_as):
    prices = Prices.bundled()
    assert prices[name] == prices[same_as]
    assert name in prices


def test_a_dated_name_with_a_price_of_its_own_keeps_it():
    prices = Prices.bundled()
    assert prices["gpt-4o-2024-05-13"] == prices["openai/gpt-4o-2024-05-13"] == Price(5_000_000, 15_000_000)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "gpt-4",
        "gpt-4o-2024-13-06",
        "gpt-4o-20240806-x",
        "ft:gpt-4o:me",
        "azure/gpt-4o",
        "openai/openai/gpt-4o",
    ],
)
def test_an_unknown_price_is_none_and_never_zero(name):
    prices = Prices({"gpt-4o": (1, 1)})
    assert prices.cost(name, Usage(1, 1)) is None
    assert prices.get(name) is None
    assert name not in prices
    with pytest.raises(UnknownPriceError, match=f"no price for model '{name}' among 1"):
        prices[name]


def test_a_seller_is_what_a_name_begins_with():
    prices = Prices({"my-gpt-4o": (1, 1), "openai/gpt-5": (2, 2)})
    assert prices.get("my-openai/gpt-4o") is None
    assert prices["openai/gpt-5-2025-08-07"] == Price(2_000_000, 2_000_000), "a price of the seller's own, and a date"


def test_names_that_were_found_once_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("llmfast._prices._REMEMBERED", 10)
    prices = Prices({"m": (1, 2), "n": (3, 4)})
    for day in range(10, 29):
        for month in range(1, 13):
            date = f"2024-{month:02d}-{day}"
            assert (prices[f"m-{date}"], prices[f"n-{date}"]) == (prices["m"], prices["n"])
            assert len(prices._resolved) <= 10


def test_the_bundled_table_says_how_old_it_is():
    prices = Prices.bundled()
    assert prices.as_of is not None
    assert prices["gpt-4o"] == Price(2_500_000, 10_000_000)
    assert set(prices) >= {"gpt-4o-mini", "claude-sonnet-4", "claude-opus-4"}
    assert all(price.input > 0 for price in prices.values())


def test_own_prices_come_first():
    both = Prices.bundled() | Prices({"gpt-4o": (1, 2), "mine": ("0.000001", 0)})
    assert (both["gpt-4o"], both["mine"]) == (Price(1_000_000, 2_000_000), Price(1, 0))
    assert both["gpt-4o-mini"] == Prices.bundled()["gpt-4o-mini"]
    assert len(both) == len(Prices.bundled()) + 1


def test_prices_of_one_day_together_are_of_that_day():
    day, next_day = dt.date(2025, 1, 1), dt.date(2025, 1, 2)
    old, new = Prices({"a": (1, 1)}, as_of=day), Prices({"b": (1, 1)}, as_of=next_day)
    assert (old | Prices({"c": (1, 1)}, as_of=day)).as_of == day
    assert (old | new).as_of is None
    assert (old | Prices({"c": (1, 1)})).as_of is None


@given(st.decimals(0, 10**6, places=6), st.integers(0, 2**53), st.integers(0, 2**53))
def test_cost_is_exact(per_million, input_tokens, output_tokens):
    for amount in (per_million, str(per_million)):
        prices = Prices({"m": (amount, 1)})
        exact = (Fraction(per_million) * input_tokens + output_tokens) * 10**6
        assert prices.cost("m", Usage(input_tokens, output_tokens)) == exact


@given(st.floats(0, 1000).map(lambda value: round(value, 6)))
def test_a_float_counts_as_it_prints(value):
    assert Prices({"m": (value, 0)})["m"].input == Decimal(repr(value)) * 10**6


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        (
            "1e-10000000",
            "input price of 'm' must be a multiple of 0.000001 USD per million tokens, got 1e-10000000",
        ),
        ("1e10000000", "input price of 'm' must be from 0 to 1000000000000 USD per million tokens, got 1e10000000"),
        (-1, "input price of 'm' must be from 0 to 1000000000000 USD per million tokens, got -1"),
        ("nan", "input price of 'm' must be from 0 to 1000000000000 USD per million tokens, got nan"),
        ("0.0000001", "input price of 'm' must be a multiple of 0.000001 USD per million tokens, got 0.0000001"),
        ("free", "input price of 'm' must be a number, got 'free'"),
    ],
)
def test_an_amount_out_of_range_is_refused_with_the_number(amount, message):
    with pytest.raises(ConfigError) as caught:
        Prices({"m": (amount, 1)})
    assert str(caught.value) == message


def test_numbers_of_other_libraries_count_as_they_print():
    prices = Prices({"m": (np.float64(0.1), np.int64(10)), "zero": ("0e-9999999", "-0")})
    assert (prices["m"], prices["zero"]) == (Price(100_000, 10_000_000), Price(0, 0))
    assert Price(np.int32(1), np.int64(2)) == Price(1, 2)
    assert prices.cost("m", Usage(np.int64(1), np.uint8(1))) == 10_100_000
    assert Prices({"m": ("2.50" + "0" * 10_000, 1)})["m"].input == 2_500_000


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="input price of 'm' must be a str, Decimal, int or float, got bool"):
        Prices({"m": (True, 1)})
    for pair in (3, (1,), (1, 2, 3)):
        with pytest.raises(TypeError, match="must be a pair"):
            Prices({"m": pair})
    with pytest.raises(TypeError):
        OWN | {"m": (1, 2)}
    with pytest.raises(TypeError, match="model must be a str, got int"):
        OWN.get(3)
    with pytest.raises(TypeError, match="input price must be an int, got float"):
        Price(1.0, 1)
    with pytest.raises(ConfigError, match="output price must be at least 0 pico-dollars a token, got -1"):
        Price(1, -1)
    with pytest.raises(ConfigError, match="input price has more than 127 bits"):
        Price(2**127, 1)


# ---- dollars ---------------------------------------------------------------------------------------------------------


@given(st.integers(-(2**127), 2**127 - 1), st.integers(1, 40))
def test_dollars_are_exact_in_any_context(pico, precision):
    with decimal.localcontext(prec=precision):
        amount, text = usd(pico), format_usd(pico)
    assert Fraction(amount) == Fraction(pico, 10**12)
    assert Fraction(text.replace("$", "").replace(",", "")) == Fraction(pico, 10**12)


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (0, "$0.00"),
        (1_234_500_000_000_000, "$1,234.50"),
        (-150_000, "-$0.00000015"),
        (10**12, "$1.00"),
        (1, "$0.000000000001"),
    ],
)
def test_dollars_are_written_to_the_cent_or_as_fine_as_needed(pico, text):
    assert format_usd(pico) == text


def test_nothing_is_no_debt():
    assert not usd(0).is_signed()


# ---- the ledger ------------------------------------------------------------------------------------------------------

USAGE = Usage(1_000, 100)


def test_a_day_in_the_books():
    ledger = Ledger(prices=OWN)
    for outcome in OUTCOMES:
        ledger.record(outcome=outcome, requested="dear", model="cheap", usage=USAGE, user="ann")
    ledger.record(
        outcome="llm_call", requested="cheap", model="dear", usage=USAGE, user="bob", feature="chat", estimated=True
    )
    sums = ledger.summary()
    assert sums.requests == 5
    assert sums.by_outcome == {"exact_hit": 1, "semantic_hit": 1, "coalesced": 1, "llm_call": 2}
    assert sums.without_usd == Decimal("0.01421")
    assert sums.with_usd == Decimal("0.00371")
    assert sums.saved == dict(zip(SAVED_BY, map(Decimal, ("0.0035", "0.0035", "0.0035", "0")), strict=True))
    assert sums.saved_usd == sums.without_usd - sums.with_usd
    assert sums.tokens["llm_call"] == TokenCount(2_000, 200)
    assert (sums.unpriced, sums.estimated) == (0, 1)
    assert sums.models["cheap"].requests == 4
    assert sums.models["dear"].tokens["llm_call"] == TokenCount(1_000, 100)
    assert ledger.by_user()["bob"].saved["router"] == Decimal("-0.00329"), "a dearer model saves less than nothing"
    assert ledger.by_feature()[None].requests == 4
    assert str(ledger.by_user()["ann"]) == (
        "4 requests (0 unpriced): $0.014 without, $0.00021 with llmfast; "
        "saved: exact $0.0035, semantic $0.0035, coalesced $0.0035, router $0.00329"
    )


def test_the_baseline_stands_in_where_no_model_was_asked_for():
    ledger = Ledger(prices=OWN, baseline="dear")
    ledger.record(outcome="llm_call", model="cheap", usage=USAGE)
    ledger.record(outcome="llm_call", requested="cheap", model="cheap", usage=USAGE)
    sums = ledger.summary()
    assert (sums.without_usd, sums.with_usd) == (Decimal("0.00371"), Decimal("0.00042"))
    with pytest.raises(UnknownPriceError):
        Ledger(prices=OWN, baseline="mystery")


def test_a_call_that_nobody_named_a_model_for_costs_what_the_baseline_asks():
    ledger = Ledger(prices=OWN, baseline="dear")
    for outcome in ("llm_call", "exact_hit", "renewal"):
        ledger.record(outcome=outcome, usage=USAGE)
    sums = ledger.summary()
    assert (sums.without_usd, sums.with_usd, sums.unpriced) == (Decimal("0.007"), Decimal("0.007"), 0)
    assert (sums.models[""].requests, sums.saved["router"]) == (2, 0)
    for named in ({"model": "mystery"}, {"requested": "dear", "model": "mystery"}, {"requested": "dear"}):
        ledger = Ledger(prices=OWN, baseline="dear")
        ledger.record(outcome="llm_call", usage=USAGE, **named)
        assert ledger.summary().unpriced == 1, named


def test_a_renewal_is_priced_where_the_requests_are_that_it_was_made_for():
    ledger = Ledger(prices=OWN)
    for outcome in ("exact_hit", "renewal"):
        ledger.record(outcome=outcome, requested="alias", model="dear", usage=USAGE, estimated=True)
    sums = ledger.summary()
    assert (sums.requests, sums.renewals, sums.unpriced, sums.estimated) == (1, 1, 2, 2)
    assert (sums.without_pico, sums.with_pico, set(sums.saved_pico.values())) == (0, 0, {0})


@pytest.mark.parametrize("field", ["user", "feature", "model"])
def test_a_lone_surrogate_costs_the_name_and_not_the_entry(field):
    ledger = Ledger(prices=OWN)
    ledger.record(outcome="exact_hit", requested="dear", usage=USAGE, **{field: "a\ud800"})
    split = {"user": ledger.by_user(), "feature": ledger.by_feature(), "model": ledger.summary().models}[field]
    assert {name: part.requests for name, part in split.items()} == {"a\\ud800": 1}
    assert ledger.summary().unpriced == 0


@pytest.mark.parametrize(
    "entry",
    [
        {"outcome": "exact_hit", "requested": "dear", "model": "dear"},
        {"outcome": "exact_hit", "requested": "mystery", "model": "dear", "usage": USAGE},
        {"outcome": "exact_hit", "usage": USAGE},
        {"outcome": "llm_call", "requested": "dear", "model": "mystery", "usage": USAGE},
        {"outcome": "llm_call", "requested": "mystery", "model": "dear", "usage": USAGE},
    ],
)
def test_what_is_unknown_is_unpriced(entry):
    ledger = Ledger(prices=OWN)
    ledger.record(**entry)
    sums = ledger.summary()
    assert (sums.requests, sums.unpriced, sums.without_pico, sums.with_pico) == (1, 1, 0, 0)
    assert sums.tokens[entry["outcome"]] == TokenCount(*entry.get("usage", (0, 0)))


def test_what_is_wrong_is_refused_and_not_booked():
    ledger = Ledger(prices=OWN)
    with pytest.raises(LedgerError, match="input_tokens must be from 0 to 9007199254740992, got -1"):
        ledger.record(outcome="llm_call", requested="dear", model="dear", usage=Usage(-1, 0))
    with pytest.raises(LedgerError, match=f"output_tokens must be from 0 to 9007199254740992, got {2**53 + 1}"):
        ledger.record(outcome="llm_call", requested="dear", model="dear", usage=Usage(0, 2**53 + 1))
    with pytest.raises(LedgerError, match="output_tokens has more than 127 bits"):
        ledger.record(outcome="llm_call", requested="dear", model="dear", usage=Usage(0, 2**200))
    with pytest.raises(TypeError, match="input_tokens must be an int, got float"):
        ledger.record(outcome="llm_call", requested="dear", model="dear", usage=Usage(1.5, 0))
    with pytest.raises(ConfigError, match=r"outcome must be one of 'exact_hit', .* got 'hit'"):
        ledger.record(outcome="hit", requested="dear", model="dear", usage=USAGE)
    assert ledger.summary().requests == 0


def test_splits_come_by_name_whatever_was_booked_first():
    ledger = Ledger(prices=OWN)
    for name in ("bob", None, "carl", "ann", "dora"):
        ledger.record(outcome="llm_call", requested="dear", model=name or "", usage=USAGE, user=name, feature=name)
    for split in (ledger.by_user(), ledger.by_feature()):
        assert list(split) == [None, "ann", "bob", "carl", "dora"]
    assert list(ledger.summary().models) == ["", "ann", "bob", "carl", "dora"]


def test_a_ledger_says_which_prices_it_counts_with():
    assert Ledger(prices=OWN).prices is OWN
    assert dict(Ledger().prices) == dict(Prices.bundled())


def test_sums_cannot_be_changed():
    sums = Ledger().summary()
    with pytest.raises(AttributeError):
        sums.requests = 1


def test_sums_are_data():
    ledger = booked([{"outcome": outcome, "model": "cheap", "usage": USAGE, "user": "ann"} for outcome in OUTCOMES])
    sums = ledger.summary()
    for twin in (pickle.loads(pickle.dumps(sums)), copy.deepcopy(sums), copy.copy(sums)):
        assert twin == sums
    as_dict = dataclasses.asdict(sums)
    assert as_dict["by_outcome"] == dict(sums.by_outcome)
    assert as_dict["models"]["cheap"]["without_pico"] == sums.without_pico
    sums.by_outcome["llm_call"] = 100
    assert ledger.summary().by_outcome["llm_call"] == 1, "and one's own"


def test_prices_are_data():
    for twin in (pickle.loads(pickle.dumps(OWN)), copy.deepcopy(OWN)):
        assert (dict(twin), twin.as_of) == (dict(OWN), OWN.as_of)
        assert twin["openai/dear"] == OWN["dear"]


MODELS = st.sampled_from(["", "dear", "cheap", "mystery"])
NAMES = st.sampled_from([None, "", "ann", "bob"])
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "outcome": st.sampled_from(OUTCOMES),
            "requested": MODELS,
            "model": MODELS,
            "usage": st.none() | st.builds(Usage, st.integers(0, 2**53), st.integers(0, 2**53)),
            "estimated": st.booleans(),
            "user": NAMES,
            "feature": NAMES,
        }
    ),
    max_size=30,
)


def expected(entries):
    """The same by hand: without, with, saved by source, unpriced."""
    per_token = {"dear": (2_500_000, 10_000_000), "cheap": (150_000, 600_000)}
    without = paid = unpriced = 0
    saved = dict.fromkeys(SAVED_BY, 0)
    for entry in entries:
        usage, asked, model = entry["usage"], entry["requested"] or "dear", entry["model"]
        called = entry["outcome"] == "llm_call"
        model = model if model or entry["requested"] else "dear"
        if usage is None or asked not in per_token or (called and model not in per_token):
            unpriced += 1
            continue
        cost = {name: usage[0] * price[0] + usage[1] * price[1] for name, price in per_token.items()}
        without += cost[asked]
        paid += cost[model] if called else 0
        saved[SAVED_BY[OUTCOMES.index(entry["outcome"])]] += cost[asked] - (cost[model] if called else 0)
    return without, paid, saved, unpriced


def booked(entries):
    ledger = Ledger(prices=OWN, baseline="dear")
    for entry in entries:
        ledger.record(**entry)
    return ledger


@given(ENTRIES, st.randoms(use_true_random=False))
def test_the_books_balance_in_every_split_whatever_the_order(entries, random):
    ledger = booked(entries)
    sums = ledger.summary()
    assert (sums.without_pico, sums.with_pico, sums.saved_pico, sums.unpriced) == expected(entries)
    for split in (ledger.by_user(), ledger.by_feature(), sums.models):
        assert sum(part.requests for part in split.values()) == len(entries)
        assert sum(part.without_pico for part in split.values()) == sums.without_pico
        for part in (sums, *split.values()):
            assert part.without_pico == part.with_pico + sum(part.saved_pico.values())
            assert part.without_usd == part.with_usd + part.saved_usd
    for user, part in ledger.by_user().items():
        of_user = [entry for entry in entries if entry["user"] == user]
        assert (part.without_pico, part.with_pico, part.saved_pico, part.unpriced) == expected(of_user)
    shuffled = random.sample(entries, len(entries))
    assert booked(shuffled).summary() == sums
    assert booked(shuffled).by_feature() == ledger.by_feature()


def test_threads_lose_nothing():
    ledger = Ledger(prices=OWN)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(name):
        for _ in range(2_000):
            ledger.record(outcome="llm_call", requested="dear", model="cheap", usage=USAGE, user=name)

    try:
        threads = [threading.Thread(target=work, args=(f"user {number % 2}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    sums = ledger.summary()
    assert (sums.requests, sums.without_usd) == (8_000, 8_000 * Decimal("0.0035"))
    assert {name: part.requests for name, part in ledger.by_user().items()} == {"user 0": 4_000, "user 1": 4_000}
