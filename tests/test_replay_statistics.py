"""Shares, Wilson intervals and percentiles."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from llmfast._replay.statistics import percentile, rate, spread, wilson

Z = 1.959963984540054


@given(st.integers(1, 10_000), st.data())
def test_wilson_bounds_are_where_the_score_test_turns(trials, data):
    successes = data.draw(st.integers(0, trials))
    observed = successes / trials
    for bound in wilson(successes, trials):
        if 0 < bound < 1:
            # At the bound the observed rate lies exactly z standard errors of the bound's own rate away.
            assert abs(observed - bound) == pytest.approx(Z * math.sqrt(bound * (1 - bound) / trials), rel=1e-6)


@given(st.integers(1, 1000), st.data())
def test_wilson_holds_the_rate_and_mirrors(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_against_published_figures():
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3.
    for (successes, trials), bounds in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (1, 29): (0.0061, 0.1718),
    }.items():
        assert wilson(successes, trials) == pytest.approx(bounds, abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_no_trial_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)
    assert rate(0, 0)["rate"] is None
    assert spread([])["p50"] is None


@given(st.lists(st.floats(0, 1e9), min_size=1), st.floats(0.001, 1.0))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(values, level):
    ordered = sorted(values)
    found = percentile(ordered, level)
    assert found == min(value for value in ordered if sum(other <= value for other in ordered) >= level * len(ordered))
