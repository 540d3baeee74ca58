"""The page stands alone, is well formed, and holds nothing from a log that is not escaped."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from llmfast._cli.replay_text import sheet
from llmfast._cli.sheet import plain
from llmfast._replay import words
from llmfast._replay.curve import curve
from llmfast._replay.log import Request, Skipped
from llmfast._replay.neighbours import find_neighbours
from llmfast._replay.page import page
from llmfast._replay.report import Curve, Source, build
from llmfast._replay.run import Replay, Settings
from llmfast._replay.traffic import traffic
from replay_tools import ScanIndex, TopicEncoder, questions

EVIL = "<script>alert(1)</script>\"'&\x1b[31m"
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Checker(HTMLParser):
    """Balances tags and collects what could fetch or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def report(requests, *, name="log", bundled=False, encoder=None, **settings):
    replay = Replay(Settings(**settings), encoder)
    skipped = Skipped()
    replay.run(requests, skipped)
    skipped.add(9, "not JSON", EVIL)
    near = find_neighbours(replay.vectors, replay.trace.partitions, ScanIndex)
    served, own = replay.trace.served, replay.settings.threshold
    points = [] if encoder is None else curve(served, near, ttl=86_400.0, own=own)
    source = Source(
        name, bundled=bundled, seed=1 if bundled else None, format="jsonl", attribution="CC BY 4.0" if bundled else None
    )
    return build(replay, source, skipped, Curve(points, len(served)), notes=[f"note {EVIL}"])


EVIL_LOG = [Request(f"{EVIL} {n}", model="gpt-4o" if n % 2 else EVIL, intent=EVIL, user=EVIL) for n in range(6)]
CASES = {
    "labelled": lambda: report(traffic(questions(300, 30), 600, 1), bundled=True, encoder=TopicEncoder()),
    "unlabelled": lambda: report([Request(text) for text, _ in questions(50, 5)], encoder=TopicEncoder()),
    "one request": lambda: report([Request("a")], encoder=TopicEncoder()),
    "all the same": lambda: report([Request("a", intent="x")] * 5, encoder=TopicEncoder()),
    "no encoder": lambda: report([Request("a"), Request("a")]),
    "nothing": lambda: report([]),
    "threshold below the curve": lambda: report(
        traffic(questions(30, 3), 60, 1), encoder=TopicEncoder(), threshold=-1.0
    ),
    "hostile": lambda: report(EVIL_LOG, name=EVIL, encoder=TopicEncoder()),
    "no tokens": lambda: report([Request("a", usage=(0, 0))]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_page_is_well_formed_and_stands_alone(case):
    text = page(CASES[case]())
    checker = Checker(text)
    assert not checker.tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "a",
        "image",
        "use",
    }
    assert not checker.attributes & {"src", "href", "srcset", "style", "action", "xlink:href"}
    assert not any(name.startswith("on") for name in checker.attributes)
    assert not re.search(r"url\(|@import|@font-face", text)
    assert "prefers-color-scheme: dark" in text
    for bad in ("nan", "None", "inf %", "{"):
        assert bad not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).replace("<script>", "")


@pytest.mark.parametrize("case", CASES)
def test_the_text_fits_80_columns(case):
    lines = plain(sheet(CASES[case]())).splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("\x1b" in line for line in lines)


def test_what_a_log_holds_is_shown_escaped():
    text = page(CASES["hostile"]())
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(("form", "shown"), [("jsonl", "log (JSON lines)"), ("text", "log (plain text)")])
def test_the_format_of_the_log_is_said(form, shown):
    replay = Replay(Settings(), None)
    replay.run([Request("a")], Skipped())
    made = build(replay, Source("log", bundled=False, format=form), Skipped(), Curve([], 0))
    assert plain(sheet(made)).startswith(f"llmfast replay: {shown}, 1 requests")
    assert shown in page(made)


def test_a_long_name_of_a_model_loses_its_middle_and_shows_it():
    names = [f"openrouter/anthropic/claude-sonnet-4-2025{day}" for day in ("0514", "0601")]
    text = plain(sheet(report([Request("a", model=name) for name in names], router=False)))
    for name in names:
        assert f"{name[:17]}…{name[-18:]} " in text
    assert words.shortened("x" * 36, 36) == "x" * 36


def test_figures_of_the_report_are_on_the_page():
    made = CASES["labelled"]()
    shown = Checker(page(made)).text
    for figure in (
        made["requests"],
        made["tiers"][0]["requests"],
        made["calls"]["requests"],
        made["tokens"]["with"]["input"],
    ):
        assert f"{figure:,}" in shown
    assert "CC BY 4.0" in shown
    assert f"{made['hits']['share'] * 100:.1f} %" in shown


def test_a_tier_that_caught_nothing_says_why_and_design_figures_what_they_are():
    made = report([Request("a")])
    for text in (plain(sheet(made)), Checker(page(made)).text):
        flat = " ".join(text.split())
        assert re.search(r"shared store ?- ?not built yet", flat)
        assert re.search(r"by meaning ?- ?not configured", flat)
        assert "esign figure: the share of all requests that the tier was designed to catch" in flat


def test_without_labels_the_truth_is_unknown():
    made = CASES["unlabelled"]()
    assert made["wrong"]["truth"] is False
    assert "truth unknown" in plain(sheet(made))
    assert "Truth unknown" in page(made)


def test_the_shares_of_the_tiers_sum_to_all():
    made = CASES["labelled"]()
    first, shared, third = made["tiers"]
    assert shared["requests"] is None
    assert first["requests"] + third["requests"] == made["hits"]["requests"]
    assert made["hits"]["requests"] + made["calls"]["requests"] == made["requests"]


def test_the_money_adds_up():
    money = CASES["labelled"]()["money"]
    assert money["without"] - money["with"] == pytest.approx(money["saved"], abs=1e-9)
    assert sum(money["saved_by"].values()) == pytest.approx(money["saved"], abs=1e-9)
    assert money["saved_by"]["exact"] > 0
    assert money["saved_by"]["coalesced"] == 0
