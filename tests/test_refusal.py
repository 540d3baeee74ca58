"""Requests that are not compared by meaning: by example, and how many ordinary questions are among them."""

from __future__ import annotations

import gzip
import json

import pytest

from llmfast._llmfast import NormalRequest, refusal

DAY = 86_400.0
TALK = [{"role": "user", "content": "Which cards do you offer?"}, {"role": "assistant", "content": "Two."}]


def name(query, messages=None, params=None, **terms):
    why = refusal(query, messages, params, **{"ttl": DAY, "public": False, **terms})
    return why and why[0]


@pytest.mark.parametrize(
    "query",
    [
        "What is my checking account balance right now?",
        "What's my current checking balance?",
        "What's today's 30-year fixed mortgage rate?",
        "What's the USD to EUR exchange rate today?",
        "Show my current pending transactions.",
    ],
)
def test_what_changes_within_a_day_is_not_kept_for_one(query):
    assert name(query) == name(query, ttl=None) == "fresh"
    assert name(query, ttl=30.0) is None
    assert "86400" in refusal(query, ttl=DAY, public=False)[1]


def test_each_reason_has_its_name():
    assert name("How do I open a current account?") is None
    assert name("what about it?", TALK) == "follow_up"
    assert name("what about it?") is name("what about it?", [{"role": "system", "content": "S"}]) is None
    assert name("How do I order one?", params={"temperature": 1.2}) == "temperature"
    assert name("How do I order one?", params={"temperature": 1.2}, max_temperature=2.0) is None
    tools = {"tools": [{"type": "function", "function": {"name": "pay"}}]}
    assert name("How do I order one?", params=tools) == "tools"
    assert name("How do I order one?", params=tools, read_only_tools=["pay"]) is None
    assert name("Is jane@example.com blocked?", public=True) == "personal_data"
    assert name("Is jane@example.com blocked?") is None
    assert name(None) == "no_user_turn"
    assert name(None, [{"role": "user", "content": []}]) == "not_text"


def test_a_request_in_normal_form_is_asked_the_same():
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    for content, why in [("What is a card?", None), ("What time is it?", "fresh"), (parts, "not_text")]:
        request = NormalRequest.from_keywords("openai.chat", {"messages": [{"role": "user", "content": content}]})
        found = request.refusal(ttl=DAY, public=False)
        assert (found and found[0]) == why


@pytest.mark.parametrize(
    ("file", "fields", "at_most"),
    # CLINC150 has whole intents that ask for the time, the weather, the traffic and the balance.
    [("banking77", ["text"], 0.025), ("clinc150", ["text"], 0.07), ("qqp_pairs", ["a", "b"], 0.02)],
)
def test_few_ordinary_questions_are_refused(evaluation_data, file, fields, at_most):
    with gzip.open(evaluation_data / "semantic" / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        questions = {json.loads(line)[field] for line in lines for field in fields}
    refused = sum(refusal(question, ttl=DAY, public=False) is not None for question in questions)
    assert 0 < refused <= at_most * len(questions)
