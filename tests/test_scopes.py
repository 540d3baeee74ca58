"""Scopes: what a public row serves, whose row wins, and how a scope is required or preset."""

from __future__ import annotations

import asyncio

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


def test_none_is_the_cache_s_own_scope_in_an_invalidation_as_in_a_request():
    cache = Cache(scope="acme")
    ask(cache, "q")
    ask(cache, "q", scope="other")
    assert cache.invalidate_sync(scope=None, dry_run=True) == cache.invalidate_sync(scope="acme", dry_run=True) == 1
    assert asyncio.run(cache.invalidate(scope=None)) == 1
    assert sources([*ask(cache, "q", scope="other"), *ask(cache, "q")]) == ["exact_hit", "llm_call"]
    assert Cache().invalidate_sync(scope=None) == 0


def test_none_is_the_scope_of_those_that_have_none():
    cache = Cache()
    ask(cache, "q")
    ask(cache, "q", scope="other")
    assert cache.invalidate_sync(scope=None) == 1
    assert sources([*ask(cache, "q", scope="other"), *ask(cache, "q")]) == ["exact_hit", "llm_call"]


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
