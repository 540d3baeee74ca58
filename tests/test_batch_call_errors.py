"""Errors of a batch that are about its call, such as too many requests, are not traced to items."""

from __future__ import annotations

import asyncio
import http
import socket
import types
import urllib.error

import pytest

from batching import outcomes
from llmfast import batch


def error(name="APIStatusError", bases=(Exception,), **attributes):
    """Make an exception as a client library has it."""
    return type(name, bases, attributes)("what it says")


def answered(**attributes):
    return types.SimpleNamespace(**attributes)


class Touchy(Exception):
    """An error whose attributes cannot be read."""

    @property
    def status_code(self):
        raise RuntimeError("not now")


CONNECTION = error("APIConnectionError")
OF_THE_CALL = [
    *(error(status_code=status) for status in (401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 529)),
    error("ClientResponseError", status=429),
    error("ClientError", code=429),
    error(status_code=http.HTTPStatus.TOO_MANY_REQUESTS),
    error("HTTPStatusError", response=answered(status_code=503)),
    error("HTTPError", response=answered(status=429)),
    urllib.error.HTTPError("http://here", 429, "slow down", None, None),
    urllib.error.URLError("refused"),
    CONNECTION,
    error("APITimeoutError", (type(CONNECTION),)),
    error("ReadTimeout", (type(error("TransportError")),)),
    error("ServerDisconnectedError", (type(error("ClientConnectionError")),)),
    error("ConnectTimeout", (type(error("Timeout")),)),
    ConnectionResetError("reset"),
    TimeoutError("too slow"),
    socket.gaierror("no such host"),
]
OF_ITEMS = [
    error(status_code=400),
    error(status_code=413),
    error(status_code=422),
    error("HTTPStatusError", response=answered(status_code=400)),
    urllib.error.HTTPError("http://here", 400, "no", None, None),
    error(status_code="429"),
    error(code="rate_limit"),
    error(status=3),
    error(response={"status": 429}),
    Touchy("429"),
    FileNotFoundError("a file of an item's"),
    ValueError("429"),
]


def failing(raised, **options):
    """Return a batch function that raises for all, or only for item 0, and its calls."""
    calls = []

    @batch(**options)
    async def embed(items):
        calls.append(list(items))
        if 0 in items:
            raise raised
        return items

    return embed, calls


@pytest.mark.parametrize("raised", OF_THE_CALL, ids=repr)
def test_an_error_that_is_about_the_call_is_that_of_all_items_at_once(raised):
    embed, calls = failing(raised)
    results = asyncio.run(outcomes(embed, range(64)))
    assert len(calls) == 1
    assert {type(result) for result in results} == {type(raised)}
    assert (embed.stats().failed, embed.stats().retries) == (64, 0)


@pytest.mark.parametrize("raised", OF_ITEMS, ids=repr)
def test_another_is_traced_to_its_item(raised):
    embed, calls = failing(raised)
    results = asyncio.run(outcomes(embed, range(64)))
    assert (type(results[0]), results[1:]) == (type(raised), list(range(1, 64)))
    assert len(calls) > 1


@pytest.mark.parametrize("raised", OF_THE_CALL[:1] + OF_ITEMS[:1], ids=repr)
@pytest.mark.parametrize(("bisect", "is_tried"), [(True, True), (False, False), (Exception, True), (KeyError, False)])
def test_who_asks_for_one_of_both_gets_it_whatever_was_raised(raised, bisect, is_tried):
    embed, calls = failing(raised, bisect=bisect)
    results = asyncio.run(outcomes(embed, range(64)))
    assert (len(calls) > 1, sum(isinstance(result, int) for result in results)) == (is_tried, 63 if is_tried else 0)


def test_an_error_of_the_call_on_the_way_to_an_item_ends_the_search():
    calls = []

    @batch
    async def embed(items):
        calls.append(len(items))
        if len(calls) == 3:
            raise error("RateLimitError", status_code=429)
        if 63 in items:
            raise ValueError(63)
        return items

    results = asyncio.run(outcomes(embed, range(64)))
    assert calls == [64, 32, 16]
    assert results[:32] == list(range(32))
    assert {type(result).__name__ for result in results[32:]} == {"RateLimitError"}


def test_of_a_function_on_a_thread_too():
    calls = []

    @batch
    def embed(items):
        calls.append(len(items))
        raise error("RateLimitError", status_code=429)

    results = asyncio.run(outcomes(embed, range(8)))
    assert (sum(calls), len(results)) == (8, 8)
