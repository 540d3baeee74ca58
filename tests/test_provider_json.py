"""What a provider's JSON says of the model that served and of the tokens that it took."""

from __future__ import annotations

import json

import pytest

from asking import ask
from llmfast import Cache, Engine, Ledger, Reply, Usage
from llmfast._worker import Worker

CHAT = {
    "object": "chat.completion",
    "model": "gpt-4o-mini",
    "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}
RESPONSE = {
    "object": "response",
    "model": "gpt-4o-mini",
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}],
    "usage": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8},
}
MESSAGE = {
    "type": "message",
    "model": "gpt-4o-mini",
    "content": [{"type": "text", "text": "a"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 5},
}
BARE = {name: value for name, value in CHAT.items() if name != "object"}

#: JSON of the caller's own.
OWN = [
    {"usage": {"input_tokens": 3, "output_tokens": 5}, "model": "T"},
    {"object": "car", "model": "T", "usage": {"daily": 1}},
    {"object": ["chat.completion"], "model": "T"},
    {"type": "message", "content": "hi", "model": "T"},
    {"choices": [{"name": "a"}], "model": "T"},
    ["T"],
    "T",
]


@pytest.mark.parametrize("form", [CHAT, RESPONSE, MESSAGE, BARE], ids=["chat", "response", "message", "bare"])
@pytest.mark.parametrize("make", [dict, json.dumps, lambda form: json.dumps(form).encode()])
def test_model_and_usage_are_read(form, make):
    engine = Engine(cache=Cache(), ledger=Ledger())
    answers = ask(engine, "q", "q", llm=lambda _: make(form), model="gpt-4o")
    assert [(answer.source, answer.model, answer.usage) for answer in answers] == [
        ("llm_call", "gpt-4o-mini", Usage(3, 5)),
        ("exact_hit", "gpt-4o-mini", Usage(3, 5)),
    ]
    assert (engine.ledger.summary().requests, engine.ledger.summary().unpriced) == (2, 0)


def test_they_are_read_without_a_cache_too():
    engine = Engine(ledger=Ledger())
    assert ask(engine, "q", llm=lambda _: CHAT, model="gpt-4o")[0].usage == Usage(3, 5)
    assert engine.ledger.summary().unpriced == 0


def test_a_reply_says_all_that_is_said():
    (answer,) = ask(Cache(), "q", llm=lambda _: Reply(CHAT, model="mine"))
    assert (answer.model, answer.usage) == ("mine", None)


def test_a_reply_that_says_nothing_beside_its_answer_costs_nothing():
    cache = Cache()
    (answer,) = ask(cache, "q", llm=lambda _: Reply("a"), model="asked")
    assert (answer.model, answer.usage, cache.stats().failures) == ("asked", None, {})


@pytest.mark.parametrize(("usage", "model"), [(None, None), ([1, 2], 7), ("1, 2", ["m"])], ids=repr)
def test_what_a_provider_says_in_no_form_of_its_own_is_passed_by(usage, model):
    cache = Cache()
    (answer,) = ask(cache, "q", llm=lambda _: {**CHAT, "usage": usage, "model": model}, model="asked")
    assert (answer.model, answer.usage, cache.stats().failures) == ("asked", None, {})


@pytest.mark.parametrize("value", OWN, ids=repr)
def test_json_of_the_caller_s_own_tells_nothing(value):
    cache = Cache()
    (answer,) = ask(cache, "q", llm=lambda _: value, model="asked")
    assert (answer.model, answer.usage, cache.stats().failures) == ("asked", None, {})


@pytest.mark.parametrize("usage", [None, 5, {"prompt_tokens": 3}, {"input_tokens": -1, "output_tokens": "x"}], ids=repr)
def test_what_cannot_be_read_costs_nothing_but_itself(usage, caplog):
    answers = ask(Cache(), "q", "q", llm=lambda _: {**CHAT, "usage": usage, "model": 7}, model="asked")
    assert [(answer.source, answer.model, answer.usage) for answer in answers] == [
        ("llm_call", "asked", None),
        ("exact_hit", "asked", None),
    ]


def test_what_fails_while_a_long_answer_is_read_does_not_cost_it(monkeypatch, caplog):
    def full(worker, job):
        raise RuntimeError("cannot start new threads")

    monkeypatch.setattr(Worker, "submit", full)
    cache, text = Cache(), json.dumps({**CHAT, "padding": "x" * 100_000})
    (answer,) = ask(cache, "q", llm=lambda _: text)
    assert (answer.response, answer.usage, answer.decision.not_stored) == (text, None, "failure")
    assert cache.stats().failures == {"reply": 1, "admission": 1}
