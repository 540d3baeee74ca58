"""Scopes: what a public row serves, whose row wins, and how a scope is required or preset."""

from __future__ import annotations

import pytest

import llmfast
from asking import Model, ask, sources, static
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache


def test_a_public_row_serves_every_scope_exactly_and_never_by_meaning():
    cache = static(encoder=TopicEncoder())
    ask(cache, "t/=", scope=PUBLIC)
    assert sources(ask(cache, "t/=", "t/a", scope="tenant")) == ["exact_hit", "llm_call"]
    assert sources(ask(cache, "t/b", "t/b", scope=PUBLIC)) == ["llm_call", "exact_hit"]


def test_a_tenants_own_row_wins_over_a_public_one_and_stays_its_own():
    cache, model = Cache(), Model()
    ask(cache, "q", scope="tenant", llm=model)
    ask(cache, "q", scope=PUBLIC, llm=model)
    assert ask(cache, "q", scope="tenant", llm=model)[0].response == "q #1"
    assert ask(cache, "q", scope="other", llm=model)[0].response == "q #2"


def test_a_scope_can_be_required_and_preset():
    strict = Cache(require_scope=True)
    with pytest.raises(llmfast.ScopeRequiredError, match=r"names no scope: pass scope= .*llmfast\.PUBLIC"):
        ask(strict, "q")
    assert sources(ask(strict, "q", scope="a")) == ["llm_call"]
    with pytest.raises(llmfast.ScopeRequiredError):
        ask(strict, "q", scope="")
    preset = Cache(scope="a", require_scope=True)
    assert sources(ask(preset, "q", "q")) == ["llm_call", "exact_hit"]
    assert sources(ask(preset, "q", scope="b")) == ["llm_call"]
