"""What a run cost is known for requests whose prices are, and is unknown for the others: never zero."""

from __future__ import annotations

import re

import pytest

from llmfast._cli.replay_text import headlines, sheet
from llmfast._cli.sheet import plain
from llmfast._replay import words
from llmfast._replay.log import Request, Skipped
from llmfast._replay.page import page
from llmfast._replay.report import Curve, Source, build
from llmfast._replay.run import Replay, Settings


def report(*models: str):
    replay, skipped = Replay(Settings(router=False), None), Skipped()
    replay.run([Request("a", model=model) for model in models], skipped)
    return build(replay, Source("log", bundled=False), skipped, Curve([], 0))


def shown(made) -> str:
    """The page's text."""
    return re.sub(r"<style>.*?</style>|<[^>]*>", " ", page(made), flags=re.DOTALL)


def test_without_any_price_every_amount_is_unknown():
    made = report("no-such-model", "no-such-model")
    money = made["money"]
    amounts = [money[name] for name in ("without", "with", "saved", "saved_share")]
    assert [*amounts, *money["saved_by"].values(), *money["exact_pico"]["saved_by"].values()] == [None] * 12
    assert (money["unpriced_requests"], money["unpriced_models"]) == (2, ["no-such-model"])
    assert headlines(made)[1] == "saved: unknown (no price is known for any of 2 requests)"
    for text in (plain(sheet(made)), shown(made)):
        assert "$" not in text
        assert "unknown" in text


def test_amounts_of_a_part_say_of_how_many_requests():
    made = report("gpt-4o", "gpt-4o", "no-such-model", "another")
    assert made["money"]["saved"] > 0
    assert "saved (50.0 %) of 2 of 4 requests" in headlines(made)[1]
    assert "saved of 2 of 4 requests" in shown(made)


def test_amounts_of_all_requests_say_nothing_more():
    assert "requests" not in headlines(report("gpt-4o", "gpt-4o"))[1]


def test_nothing_costs_nothing():
    assert report()["money"]["without"] == 0.0


@pytest.mark.parametrize(
    ("amount", "beside", "text"),
    [
        (None, None, "unknown"),
        (0.0, None, "$0.00"),
        (1234.5, None, "$1,234.50"),
        (0.0123, None, "$0.0123"),
        (0.0001, 12.0, "$0.00"),
        (0.00042, None, "$0.000420"),
        (1.2e-9, None, "$0.0000000012"),
        (-2.0, None, "-$2.00"),
    ],
)
def test_dollars_have_the_decimals_that_they_need(amount, beside, text):
    assert words.usd(amount, beside) == text
