"""`calculate_monthly_cost`: the formula, exactly, and the three scenarios of the documentation."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from llmfast._cost import MonthlyCost, calculate_monthly_cost
from llmfast._errors import ConfigError

# A query takes 500 tokens at 10 USD per million. The small service has a cache alone; the larger ones reach their cost
# with a cache alone, or with fewer hits and a router that halves the rest.
SCENARIOS = [
    (1_000, 0.7, 0.0, 150, 45),
    (10_000, 0.75, 0.0, 1_500, 375),
    (10_000, 0.5, 0.5, 1_500, 375),
    (100_000, 0.8, 0.0, 15_000, 3_000),
    (100_000, 0.6, 0.5, 15_000, 3_000),
]


@pytest.mark.parametrize(("queries", "hit_rate", "routing", "without", "with_llmfast"), SCENARIOS)
def test_the_three_scenarios(queries, hit_rate, routing, without, with_llmfast):
    assert calculate_monthly_cost(queries, 500, 10.0) == MonthlyCost(without / 30, without, 0)
    cost = calculate_monthly_cost(queries, 500, 10.0, cache_hit_rate=hit_rate, routing_savings=routing)
    assert cost == MonthlyCost(with_llmfast / 30, with_llmfast, without - with_llmfast)


AMOUNTS = st.floats(0, 1e9) | st.integers(0, 10**9)
SHARES = st.floats(0, 1) | st.integers(0, 1)


@given(AMOUNTS, AMOUNTS, AMOUNTS, SHARES, SHARES)
def test_each_result_is_the_exact_one_rounded_once(queries, tokens, price, hit_rate, routing):
    cost = calculate_monthly_cost(queries, tokens, price, hit_rate, routing)
    exact = [Fraction(str(number)) for number in (queries, tokens, price, hit_rate, routing)]
    without = exact[0] * exact[1] * exact[2] / 1_000_000
    daily = without * (1 - exact[3]) * (1 - exact[4])
    assert cost == MonthlyCost(float(daily), float(30 * daily), float(30 * (without - daily)))
    assert 0 <= cost.savings <= float(30 * without)


def test_fields_are_read_by_name_too():
    cost = calculate_monthly_cost(1_000, 500, 10.0)
    assert cost["monthly_cost"] == cost.monthly_cost == 150
    assert dict(cost) == {"daily_cost": 5.0, "monthly_cost": 150.0, "savings": 0.0}
    with pytest.raises(KeyError):
        cost["yearly_cost"]
    with pytest.raises(AttributeError):
        cost.monthly_cost = 0.0


@pytest.mark.parametrize("name", ["queries_per_day", "avg_tokens_per_query", "model_cost_per_1m"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), 1e19])
def test_an_amount_out_of_range_is_refused_with_the_number(name, value):
    given = {"queries_per_day": 1, "avg_tokens_per_query": 1, "model_cost_per_1m": 1, name: value}
    with pytest.raises(ConfigError) as caught:
        calculate_monthly_cost(**given)
    assert str(caught.value) == f"{name} must be from 0 to 1e+18, got {value}"


@pytest.mark.parametrize("name", ["cache_hit_rate", "routing_savings"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused_with_the_number(name, value):
    with pytest.raises(ConfigError) as caught:
        calculate_monthly_cost(1, 1, 1, **{name: value})
    assert str(caught.value) == f"{name} must be from 0 to 1, got {value}"


def test_numbers_of_other_types_count_as_they_print():
    same = calculate_monthly_cost(1_000, 500, 10.0, 0.7)
    assert calculate_monthly_cost(np.int64(1_000), np.float64(500), Decimal(10), np.float64(0.7)) == same
    assert calculate_monthly_cost(1_000, 500, Decimal("10.000"), Decimal("0.7")) == same


def test_a_number_of_endless_places_is_refused_at_once():
    with pytest.raises(ConfigError, match="model_cost_per_1m must have at most 2000 decimal places, got 1E-10000000"):
        calculate_monthly_cost(1, 1, Decimal("1e-10000000"))
    with pytest.raises(ConfigError, match=r"queries_per_day must be from 0 to 1e\+18, got"):
        calculate_monthly_cost(10**10_000, 1, 1)


@pytest.mark.parametrize("value", ["1", None, True, 1 + 0j, np.float32(1)])
def test_what_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match="queries_per_day must be a number, got"):
        calculate_monthly_cost(value, 1, 1)
