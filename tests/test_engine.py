"""The engine: without its parts, with a router and with a ledger, and what their failures cost."""

from __future__ import annotations

import asyncio

import pytest

from asking import Model, sources, static
from encoders import TopicEncoder
from llmfast import Cache, Engine, Ledger, Reply, Usage


class Routes:
    """A router that sends long questions to the big model."""

    generation = "1"

    def route(self, query):
        from types import SimpleNamespace

        if query == "raise":
            raise ValueError("no route")
        return SimpleNamespace(model="big" if len(query) > 5 else "small")


def test_parts_are_given_once():
    engine = Engine(router=Routes(), ledger=Ledger())
    for name in ("router", "ledger"):
        with pytest.raises(AttributeError):
            setattr(engine, name, None)
    assert engine.router.generation == "1"
    assert engine.ledger.summary().requests == 0


def test_an_engine_without_parts_only_calls():
    answer = asyncio.run(Engine().get_or_generate("q", Model()))
    assert (answer.response, answer.source) == ("q #1", "llm_call")
    assert Engine().get_or_generate_sync("q", str.upper).response == "Q"


def test_a_callable_that_takes_the_decision_gets_it():
    engine = Engine(router=Routes())
    taking = lambda query, decision: decision.model  # noqa: E731
    answer = engine.get_or_generate_sync("a long question", taking, model="asked")
    assert (answer.response, answer.model, answer.decision.route.model) == ("big", "big", "big")
    for not_told in (lambda query: {}, lambda query, **rest: rest):
        answer = engine.get_or_generate_sync("q", not_told, model="asked")
        assert (answer.response, answer.model) == ({}, "asked"), "who is not told cannot have followed"


def test_a_router_that_fails_costs_the_decision_and_not_the_call(caplog):
    engine = Engine(router=Routes())
    assert engine.get_or_generate_sync("raise", lambda query, decision: decision).response is None
    assert engine.failures.counts() == {"router": 1}


def test_another_generation_of_the_router_asks_again():
    cache, router = Cache(), Routes()
    engine = Engine(cache=cache, router=router)
    assert sources(engine.get_or_generate_sync("q", str.upper) for _ in range(2)) == ["llm_call", "exact_hit"]
    router.generation = "2"
    assert engine.get_or_generate_sync("q", str.upper).source == "llm_call"


def test_a_ledger_sees_every_request_and_its_failure_costs_nothing(caplog):
    class Book:
        def __init__(self):
            self.entries = []

        def record(self, **entry):
            self.entries.append(entry)
            if len(self.entries) == 3:
                raise OSError("disk full")

    book = Book()
    engine = Engine(cache=static(encoder=TopicEncoder()), ledger=book)
    model = lambda _: Reply("a", usage=Usage(1, 2), model="served")  # noqa: E731
    for question in ("t/=", "t/=", "t/a"):
        engine.get_or_generate_sync(question, model, model="asked", user="u", feature="f")
    assert [entry["outcome"] for entry in book.entries] == ["llm_call", "exact_hit", "semantic_hit"]
    for entry in book.entries:
        assert entry["usage"] == Usage(1, 2)
        assert (entry["requested"], entry["model"], entry["user"], entry["feature"]) == ("asked", "served", "u", "f")
    assert engine.failures.counts() == {"ledger": 1}
