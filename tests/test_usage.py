"""What providers tell of tokens: cached ones, parts of it item by item, streams that are cut off."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import pickle
from contextlib import aclosing
from decimal import Decimal

import pytest

from asking import ask
from llmfast import Cache, ConfigError, Engine, Ledger, Prices, Reply, Usage
from llmfast._replay.log import parse_body
from llmfast._replay.model import tokens
from llmfast._usage import whole
from loops import in_time

PRICES = Prices({"m": (1, 10)})
CACHED = [
    {"input_tokens": 21, "cache_creation_input_tokens": 188, "cache_read_input_tokens": 1000, "output_tokens": 3},
    {"input_tokens": 1209, "input_tokens_details": {"cached_tokens": 1000}, "output_tokens": 3, "total_tokens": 1212},
    {"prompt_tokens": 1209, "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens": 3},
    {"prompt_tokens": 1209, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 0, "completion_tokens": 3},
    {"prompt_tokens": 1209, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 188, "completion_tokens": 3},
    {"input_tokens": 21, "prompt_tokens": 21, "cache_read_input_tokens": 1188, "output_tokens": 3},
    {"input_tokens": 21, "cache_read_input_tokens": 1188, "total_tokens": 1212},
]
WHOLE = [
    {"input_tokens": 1209, "cache_creation_input_tokens": 0, "cache_read_input_tokens": None, "output_tokens": 3},
    {"prompt_tokens": 1209, "prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens": 3},
    {"prompt_tokens": None, "input_tokens": 1209, "output_tokens": 3, "input_tokens_details": None},
    {"prompt_tokens": 1209, "completion_tokens": 3, "total_tokens": 5000},
]


def engine():
    return Engine(cache=Cache(), ledger=Ledger(prices=PRICES))


class AsObject:
    """A usage as the client libraries return it."""

    def __init__(self, fields):
        for name, value in fields.items():
            setattr(self, name, AsObject(value) if isinstance(value, dict) else value)


@pytest.mark.parametrize("form", [dict, AsObject])
@pytest.mark.parametrize(("usage", "estimated"), [(usage, 1) for usage in CACHED] + [(usage, 0) for usage in WHOLE])
def test_cached_tokens_are_of_the_prompt_and_no_price_of_theirs_is_exact(usage, estimated, form):
    asked = engine()
    call, hit = ask(asked, "q", "q", llm=lambda _: Reply("x", usage=form(usage), model="m"), model="m")
    for answer in (call, hit):
        assert (answer.usage, answer.usage.estimated) == (Usage(1209, 3), bool(estimated))
    sums = asked.ledger.summary()
    assert (sums.without_usd, sums.with_usd) == (2 * Decimal("0.001239"), Decimal("0.001239"))
    assert (sums.unpriced, sums.estimated) == (0, 2 * estimated)
    assert asked.cache.stats().failures == {}


@pytest.mark.parametrize("usage", [*CACHED, *WHOLE])
def test_a_log_is_read_the_same_way(usage):
    body = {"messages": [{"role": "user", "content": "q"}], "usage": usage}
    request = parse_body(json.dumps(body).encode())
    assert tokens(request) == ((1209, 3), usage in CACHED)


def test_an_embedding_has_no_output():
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    asked = engine()
    assert ask(asked, "q", llm=lambda _: Reply([0.5], usage=usage), model="m")[0].usage == Usage(8, 0)
    assert (asked.ledger.summary().unpriced, asked.cache.stats().failures) == (0, {})
    body = {"messages": [{"role": "user", "content": "q"}], "usage": usage}
    assert parse_body(json.dumps(body).encode()).usage == (8, 0)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 8},
        {"prompt_tokens": 8, "total_tokens": 7},
        {"input_tokens": 1, "cache_read_input_tokens": "many", "output_tokens": 1},
        {"input_tokens": 2**53, "cache_read_input_tokens": 2**53, "output_tokens": 1},
        {"input_tokens": True, "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": False},
    ],
    ids=repr,
)
def test_what_lacks_a_part_is_unknown(usage, caplog):
    asked = engine()
    assert ask(asked, "q", llm=lambda _: Reply("x", usage=usage), model="m")[0].usage is None
    assert (asked.ledger.summary().unpriced, asked.cache.stats().failures) == (1, {"usage": 1})


def told(usage):
    """What an answer tells of the usage that its `Reply` was given."""
    return ask(Cache(), "q", llm=lambda _: Reply("x", usage=usage))[0].usage


def test_a_usage_of_cached_tokens_is_a_pair_like_any_other():
    usage = told(CACHED[0])
    for twin in (usage, copy.deepcopy(usage), pickle.loads(pickle.dumps(usage)), told(usage)):
        assert (twin, tuple(twin), twin.estimated) == (Usage(1209, 3), (1209, 3), True)


@pytest.mark.parametrize("usage", [(1209, 3), [1209, 3], Usage(1209, 3)])
def test_a_pair_of_which_nothing_else_is_said_is_paid_at_list_price(usage):
    assert (told(usage), told(usage).estimated) == (Usage(1209, 3), False)


@pytest.mark.parametrize("count", ["many", [1], {}, math.inf, math.nan, 1.5, -1, 2**53 + 1], ids=repr)
def test_what_is_no_count_of_tokens_is_refused_as_one(count):
    with pytest.raises(ConfigError, match=r"^a count of tokens must be a whole number from 0 to 9,007,199,254,740,992"):
        whole({"input_tokens": count, "output_tokens": 1})


def test_as_many_tokens_are_told_as_a_ledger_takes():
    assert whole(Usage(2**53, 2**53)) == (2**53, 2**53)
    assert whole({"input_tokens": 2**53 - 1, "cache_read_input_tokens": 1, "output_tokens": "3"}) == (2**53, 3)


@pytest.mark.parametrize("usage", [(), (1,), (1, 2, 3), 5, {"prompt": 1}, None])
def test_what_is_no_usage_is_refused_as_one(usage):
    with pytest.raises(ConfigError, match=r"^usage must be"):
        whole(usage)


# ---- streams --------------------------------------------------------------------------------------------------------


HANGS = object()


def streamed(items, read=None):
    """Return engine and answer after a stream of `items`, of which a reader takes `read`, or all."""

    async def model(_):
        for item in items:
            if isinstance(item, Exception):
                raise item
            if item is HANGS:
                await asyncio.Event().wait()
            yield item

    async def run():
        asked = engine()
        answer = await asked.get_or_generate("q", model, model="m")
        async with aclosing(answer.response):
            got = 0
            try:
                async for _ in answer.response:
                    got += 1
                    if got == read:
                        break
            except OSError:
                pass
        while asked._driver._tasks:
            await asyncio.gather(*asked._driver._tasks, return_exceptions=True)
            await asyncio.sleep(0)
        return asked, answer

    return in_time(run())


START = Reply("a", usage={"input_tokens": 25, "cache_read_input_tokens": 75, "output_tokens": 1})
DELTA = Reply(None, usage={"output_tokens": 500}, finish_reason="end_turn")


@pytest.mark.parametrize(
    ("items", "usage"),
    [
        ([START, "b", DELTA], Usage(100, 500)),
        ([START, "b", Reply(None, usage=Usage(None, 500))], Usage(100, 500)),
        ([Reply("a", usage={"output_tokens": 1}), Reply(None, usage=AsObject({"input_tokens": 2}))], Usage(2, 1)),
        ([START, Reply(None, usage={"input_tokens": 30, "cache_read_input_tokens": 70, "output_tokens": 5})], (100, 5)),
        ([Reply("a", usage="?"), Reply(None, usage=Usage(1, 2))], Usage(1, 2)),
        ([Reply("a", usage=Usage(1, 2)), Reply("b", finish_reason="stop"), Reply("c", model="m")], Usage(1, 2)),
        ([Reply("a", usage={"input_tokens": 2}), Reply(None, usage={"output_tokens": 1})], Usage(2, 1)),
    ],
)
def test_of_usage_each_count_is_the_last_one_told(items, usage, caplog):
    asked, answer = streamed(items)
    assert (answer.usage, asked.ledger.summary().unpriced) == (usage, 0)


CACHED_PROMPT = {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 75}}


@pytest.mark.parametrize(
    "usages", [[CACHED_PROMPT, {"completion_tokens": 5}], [{"completion_tokens": 5}, CACHED_PROMPT]], ids=repr
)
def test_tokens_that_any_item_of_a_stream_calls_cached_are_estimated(usages):
    asked, answer = streamed([Reply("a", usage=usages[0]), Reply(None, usage=usages[1])])
    assert (answer.usage, answer.usage.estimated) == (Usage(100, 5), True)
    assert asked.ledger.summary().estimated == 1


@pytest.mark.parametrize("broken", [{"output_tokens": "many"}, "?", {"output_tokens": -1}, {}])
def test_a_later_usage_that_cannot_be_read_leaves_none(broken, caplog):
    asked, answer = streamed([START, "b", Reply(None, usage=broken)])
    assert (answer.usage, asked.ledger.summary().unpriced) == (None, 1)
    assert asked.cache.stats().failures == {"usage": 1}


def test_a_stream_that_tells_half_of_its_usage_has_none(caplog):
    asked, answer = streamed(["a", DELTA])
    assert (answer.usage, asked.cache.stats().failures) == (None, {"usage": 1})


END = Reply("c", finish_reason="stop")
LAST = Reply("c", usage={"output_tokens": 500}, finish_reason="end_turn")


@pytest.mark.parametrize(
    ("items", "read", "usage"),
    [
        ([START, "b", HANGS], 2, None),
        ([START, "b", LAST, HANGS], 3, Usage(100, 500)),
        ([START, "b", OSError("cut")], None, None),
        ([Reply("a", usage=Usage(1, 2)), END, OSError("cut")], None, None),
        (["a", END, Reply("d", usage=Usage(1, 2)), OSError("cut")], None, Usage(1, 2)),
        (["a", Reply("b", usage=Usage(1, 2), finish_reason="stop"), OSError("cut")], None, Usage(1, 2)),
        ([Reply("a", usage=Usage(1, 2)), "b"], None, Usage(1, 2)),
    ],
)
@pytest.mark.parametrize("shared", [True, False])
def test_a_stream_that_is_cut_off_has_the_usage_of_its_end_alone(items, read, usage, shared, monkeypatch):
    if not shared:
        monkeypatch.setitem(globals(), "engine", lambda: Engine(ledger=Ledger(prices=PRICES)))
    asked, answer = streamed(items, read)
    sums = asked.ledger.summary()
    assert (answer.usage, sums.by_outcome["llm_call"], sums.unpriced) == (usage, 1, int(usage is None))


def test_a_stream_of_cached_tokens_stays_estimated_in_its_row():
    async def model(_):
        yield START
        yield DELTA

    async def run():
        asked = engine()
        answers = []
        for _ in range(2):
            answer = await asked.get_or_generate("q", model, model="m")
            assert [item async for item in answer.response] == ["a"]
            answers.append(answer)
        assert asked.cache.stats().failures == {}
        return answers, asked.ledger.summary()

    answers, sums = asyncio.run(run())
    assert [(answer.source, answer.usage, answer.usage.estimated) for answer in answers] == [
        ("llm_call", (100, 500), True),
        ("exact_hit", (100, 500), True),
    ]
    assert (sums.requests, sums.estimated, sums.unpriced) == (2, 2, 0)
