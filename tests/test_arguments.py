"""Arguments: any type that is declared works, any other is refused by name before it costs something."""

from __future__ import annotations

import asyncio
import types
from collections import deque

import pytest

import llmfast
from asking import Model, ask, sources
from llmfast import Cache
from llmfast._request import Ask

TURN = {"role": "assistant", "content": "yes?"}


def failing():
    """An iterator that fails before its first item."""
    raise OSError("no documents")
    yield


# ---- iterators ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "make"),
    [("context", lambda: iter(["secret"])), ("messages", lambda: iter([TURN])), ("context", lambda: {"secret"})],
)
def test_a_request_that_is_made_twice_is_the_same_both_times(field, make):
    async def run():
        cache, request = Cache(), Ask("q", **{field: make()})
        answers = [await cache.run(request, Model()) for _ in range(2)]
        bare = await cache.get_or_generate("q", lambda _: "of nothing else")
        same = await cache.get_or_generate("q", Model(), **{field: list(make())})
        return sources([*answers, bare, same])

    assert asyncio.run(run()) == ["llm_call", "exact_hit", "llm_call", "exact_hit"]


def test_a_request_that_is_made_again_after_a_failure_keeps_its_tags():
    async def run():
        cache, request = Cache(), Ask("q", tags=(tag for tag in ["doc"]))

        def down(_):
            raise ConnectionError

        with pytest.raises(ConnectionError):
            await cache.run(request, down)
        await cache.run(request, Model())
        return await cache.invalidate(tag="doc")

    assert asyncio.run(run()) == 1


def test_facts_of_an_sdk_s_request_are_held_too():
    request = Ask.from_wire("openai.chat", b"{}", context=iter(["d"]), tags=iter(["t"]))
    assert (request.context, request.tags) == (("d",), ("t",))


@pytest.mark.parametrize(("field", "step"), [("context", "identity"), ("messages", "identity"), ("tags", "tags")])
def test_an_iterator_that_fails_costs_the_hit_and_not_the_call(field, step, caplog):
    cache = Cache()
    for _ in range(2):
        assert sources(ask(cache, "q", **{field: failing()})) == ["llm_call"]
    assert (cache.stats().failures, cache.stats().uncacheable, cache.stats().rows) == ({step: 2}, 2, 0)
    assert "no documents" in caplog.text


def test_a_tag_that_no_row_can_hold_costs_the_hit_and_not_the_call(caplog):
    cache = Cache()
    assert sources(ask(cache, "q", "q", tags=["\ud800"])) == ["llm_call", "llm_call"]
    assert cache.stats().failures == {"tags": 2}


@pytest.mark.parametrize(
    "keywords",
    [
        {"params": types.MappingProxyType({"a": 1})},
        {"messages": deque([TURN])},
        {"messages": (TURN,)},
        {"context": types.MappingProxyType({"a": 1})},
    ],
    ids=repr,
)
def test_any_mapping_and_any_sequence_will_do(keywords):
    cache = Cache()
    ((field, value),) = keywords.items()
    plain = dict(value) if isinstance(value, types.MappingProxyType) else list(value)
    assert sources(ask(cache, "q", **keywords) + ask(cache, "q", **{field: plain})) == ["llm_call", "exact_hit"]
    assert cache.stats().failures == {}


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"tags": 5}, r"tags must be names in a list, got 5 \(int\)"),
        ({"tags": [1]}, r"tags must be names \(str\) in a list, got 1 \(int\)"),
        ({"params": [1]}, r"params must be a mapping of names to JSON data or None, got \[1\] \(list\)"),
        ({"params": "{}"}, "params must be a mapping"),
        ({"context": object()}, r"context must be a list or another iterable of JSON data, got <object .* \(object\)"),
        ({"messages": object()}, "messages must be a list or another iterable"),
        ({"query": b"q"}, r"query must be a str, got b'q' \(bytes\)"),
    ],
    ids=repr,
)
def test_other_types_are_refused_by_name(keywords, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        ask(Cache(), keywords.pop("query", "q"), **keywords)
