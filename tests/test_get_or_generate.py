"""The way of a request: what hits exactly, what is stored, what a failure of ours costs."""

from __future__ import annotations

import asyncio
import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from asking import Model, ask, sources, static
from encoders import TopicEncoder
from llmfast import Cache, Engine, Reply, Usage
from llmfast._llmfast import Row

# ---- exact -----------------------------------------------------------------------------------------------------------


def test_a_repeat_is_an_exact_hit():
    model, cache = Model(), Cache()
    first, second = ask(cache, "q", "q", llm=model)
    response, source = first
    assert (response, source, first.tier, first.coalesced, first.age) == ("q #1", "llm_call", None, False, None)
    response, source = second
    assert (response, source, second.tier, second.score) == ("q #1", "exact_hit", "L1", 1.0)
    assert (second.key, len(second.key)) == (first.key, 32)
    assert model.calls == ["q"]


def test_cache_and_engine_show_what_they_are_made_of():
    cache = Cache(capacity=10)
    ask(cache, "q")
    assert repr(cache) == "Cache(rows=1, capacity=10, encoder=None)"
    assert repr(Engine(cache=cache)) == f"Engine(cache={cache!r}, router=None, ledger=None)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"model": "a"}, {"model": "b"}),
        ({"system": "a"}, {"system": "b"}),
        ({"messages": [{"role": "user", "content": "a"}]}, {"messages": [{"role": "user", "content": "b"}]}),
        ({"params": {"temperature": 0}}, {"params": {"temperature": 1}}),
        ({"params": {"unknown": 0}}, {"params": {}}),
        ({"context": ["doc1"]}, {"context": ["doc2"]}),
        ({"context": {"doc": "old"}}, {"context": {"doc": "new"}}),
        ({"messages": [{"role": "a"}]}, {"messages": [{"role": "b"}]}),
        ({"scope": "K"}, {"scope": "\u212a"}),
        ({"version": "1"}, {"version": "2"}),
        ({"scope": "a"}, {"scope": "b"}),
        ({"scope": "a"}, {}),
    ],
)
def test_whatever_can_change_the_answer_separates(one, other):
    cache = static(encoder=TopicEncoder())
    # Long enough to be no follow-up of the turns before it.
    a, b, c = (f"fees/what does the bank take for a transfer of {amount} to Lima" for amount in ("ten", "six", "two"))
    assert sources(ask(cache, a, **one)) == ["llm_call"]
    assert sources(ask(cache, a, b, **other)) == ["llm_call", "semantic_hit"]
    assert sources(ask(cache, a, c, **one)) == ["exact_hit", "semantic_hit"]


@pytest.mark.parametrize("keywords", [{"user": "u"}, {"feature": "f"}, {"kind": "faq"}, {"tags": ["t"]}, {"ttl": 5.0}])
def test_what_cannot_change_the_answer_does_not_separate(keywords):
    cache = Cache()
    ask(cache, "q")
    assert sources(ask(cache, "q", **keywords)) == ["exact_hit"]


def test_the_query_may_stand_at_the_end_of_the_messages():
    cache, history = Cache(), [{"role": "user", "content": "before"}, {"role": "assistant", "content": "yes"}]
    ask(cache, "q", messages=history)
    assert sources(ask(cache, "q", messages=[*history, {"role": "user", "content": "q"}])) == ["exact_hit"]
    assert sources(ask(cache, "q", messages=[*history, {"role": "user", "content": "x"}])) == ["llm_call"]


def test_an_answer_of_each_kind_comes_back_as_it_was():
    cache = Cache()
    for value in ["text", b"bytes", {"a": [1, 2.5, None, True]}, [], {}, 0, False]:
        model = lambda _, value=value: value  # noqa: E731
        question = repr(value)
        first, second = ask(cache, question, question, llm=model)
        assert (first.response, second.response) == (value, value)
        assert type(second.response) is type(value)
        assert second.source == "exact_hit"


def test_a_caller_that_changes_its_answer_changes_nobody_elses():
    cache = Cache()
    answers = ask(cache, "q", "q", "q", llm=lambda _: {"items": [1]})
    for answer in answers:
        answer.response["items"].append(2)
    assert ask(cache, "q")[0].response == {"items": [1]}


def test_an_answer_of_another_type_passes_through_and_is_counted():
    cache, value = Cache(), object()
    first, second = ask(cache, "q", "q", llm=lambda _: value)
    assert first.response is second.response is value
    assert sources((first, second)) == ["llm_call", "llm_call"]
    assert (cache.stats().not_stored, cache.stats().rows) == (2, 0)


def test_a_reply_brings_usage_and_model():
    cache = Cache()
    model = lambda _: Reply("a", usage=Usage(3, 4), model="served")  # noqa: E731
    for answer in ask(cache, "q", "q", llm=model):
        assert (answer.response, answer.usage, answer.model) == ("a", Usage(3, 4), "served")


class ProviderUsage:
    __slots__ = ("completion_tokens", "prompt_tokens")

    def __init__(self):
        self.prompt_tokens, self.completion_tokens = 3, 4


@pytest.mark.parametrize(
    "usage",
    [(3, 4), {"input_tokens": 3, "output_tokens": 4}, {"prompt_tokens": 3, "completion_tokens": 4}, ProviderUsage()],
)
def test_a_usage_may_have_a_providers_shape(usage):
    assert ask(Cache(), "q", llm=lambda _: Reply("a", usage=usage))[0].usage == Usage(3, 4)


@pytest.mark.parametrize("usage", ["?", {"tokens": 3}, object(), (1, 2, 3)])
def test_a_usage_that_cannot_be_read_does_not_cost_the_answer(usage, caplog):
    cache = Cache()
    answer = ask(cache, "q", llm=lambda _: Reply("a", usage=usage))[0]
    assert (answer.response, answer.usage) == ("a", None)
    assert cache.stats().failures == {"usage": 1}


def test_failures_of_the_model_are_passed_on_and_nothing_is_stored():
    cache, model = static(encoder=TopicEncoder()), Model()

    def failing(_):
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        ask(cache, "t/a", llm=failing)
    assert cache.stats().rows == 0
    assert sources(ask(cache, "t/a", llm=model)) == ["llm_call"]


def test_the_oldest_answers_go_when_the_capacity_is_reached():
    cache = static(encoder=TopicEncoder(), capacity=2)
    ask(cache, "a/=", "b/=", "c/=")
    assert (cache.stats().rows, cache.stats().vectors) == (2, 2)
    assert sources(ask(cache, "b/x", "c/x", "a/x")) == ["semantic_hit", "semantic_hit", "llm_call"]


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_row_that_cannot_be_read_costs_the_hit_and_not_the_call(caplog):
    cache = Cache()
    key = ask(cache, "q")[0].key
    damaged = Row(key=key, partition=0, payload=b"{", codec="json", created_at=cache.clock())
    cache._memory.rows_by_key.insert(key, damaged)
    assert sources(ask(cache, "q", "q")) == ["llm_call", "exact_hit"], "the new answer takes its place"
    assert cache.stats().failures == {"L1": 1}


@pytest.mark.parametrize("keywords", [{"params": {"format": object()}}, {"context": [object()]}, {"system": "\ud800"}])
def test_a_request_without_an_identity_is_called_and_counted(keywords, caplog):
    cache = Cache()
    assert sources(ask(cache, "q", "q", **keywords)) == ["llm_call", "llm_call"]
    assert cache.stats().uncacheable == 2
    assert cache.stats().failures == {"identity": 2}


def test_each_argument_and_type_that_keeps_requests_out_of_the_cache_is_logged_once(caplog):
    cache, whole = Cache(), {"a": {1, 2}, "b": dt.date(2020, 1, 1), "c": object()}
    for name, value in [*whole.items(), *whole.items(), ("a", {3}), ("a", whole["b"])]:
        ask(cache, "q", params={name: value})
    ask(cache, "q", context=[{1}])
    told = [record.getMessage() for record in caplog.records]
    assert [said.split("it: ")[1].split(" must")[0] for said in told] == [
        *("params.a", "params.b", "params.c", "params.a"),
        "context",
    ]
    assert [said.rsplit(" ", 1)[1] for said in told] == ["set", "date", "object", "date", "set"]
    assert cache.stats().failures == {"identity": 9}


def test_names_without_end_do_not_flood_the_log(caplog):
    cache = Cache()
    for number in range(100):
        ask(cache, "q", params={f"p{number}": {1}})
    assert (len(caplog.records), cache.stats().failures) == (64, {"identity": 100})


def test_a_query_with_a_lone_surrogate_is_called(caplog):
    assert ask(static(encoder=TopicEncoder()), "x\ud800")[0].response == "x\ud800 #1"


# ---- drivers ---------------------------------------------------------------------------------------------------------


def test_threads_have_the_same_way():
    cache, calls = static(encoder=TopicEncoder()), []

    def model(query):
        calls.append(query)
        return query.upper()

    answers = [cache.get_or_generate_sync(question, model) for question in ("t/=", "t/=", "t/a", "u/=")]
    assert sources(answers) == ["llm_call", "exact_hit", "semantic_hit", "llm_call"]
    assert calls == ["t/=", "u/="]
    assert sources(ask(cache, "t/=")) == ["exact_hit"], "both drivers share the cache"


def test_the_sync_driver_refuses_what_would_stop_a_loop():
    async def inside():
        Cache().get_or_generate_sync("q", lambda _: "a")

    with pytest.raises(RuntimeError, match="await get_or_generate instead"):
        asyncio.run(inside())
    with pytest.raises(TypeError, match="llm_callable is async"):
        Cache().get_or_generate_sync("q", Model())


def test_a_sync_callable_runs_beside_the_loop():
    import threading

    async def run():
        return await Cache().get_or_generate("q", lambda _: threading.current_thread() is threading.main_thread())

    assert asyncio.run(run()).response is False


def test_encoding_does_not_hold_up_the_loop():
    import threading

    class Slow(TopicEncoder):
        def encode(self, texts):
            assert released.wait(10), "the loop did not run while the encoder worked"
            return super().encode(texts)

    async def run():
        request = asyncio.ensure_future(cache.get_or_generate("t/=", Model()))
        await asyncio.sleep(0)
        released.set()
        return await request

    released, cache = threading.Event(), static(encoder=Slow())
    assert asyncio.run(run()).source == "llm_call"


def test_one_cache_serves_one_loop_after_another():
    cache = static(encoder=TopicEncoder())
    assert [sources(ask(cache, "t/=")) for _ in range(3)] == [["llm_call"], ["exact_hit"], ["exact_hit"]]


# ---- the cache as a whole --------------------------------------------------------------------------------------------


def test_disabled_it_passes_everything_through(monkeypatch):
    monkeypatch.setenv("LLMFAST_DISABLE", "1")
    cache = static(encoder=TopicEncoder())
    assert sources(ask(cache, "q", "q")) == ["llm_call", "llm_call"]
    assert (cache.stats().rows, cache.stats().uncacheable) == (0, 2)


@pytest.mark.parametrize(
    ("value", "disables"),
    [
        *((value, True) for value in ("1", "true", "YES", "On", " 1 ")),
        *((value, False) for value in ("", "0", "false", "No", "OFF", " 0", "  ")),
    ],
)
def test_what_disables_it(value, disables, monkeypatch, caplog):
    monkeypatch.setenv("LLMFAST_DISABLE", value)
    assert Cache().disabled is disables
    assert caplog.text == ""


def test_a_misspelt_switch_disables_and_says_so_once(monkeypatch, caplog):
    monkeypatch.setenv("LLMFAST_DISABLE", "ture")
    assert Cache().disabled
    assert Cache().disabled
    (record,) = caplog.records
    assert record.getMessage() == "LLMFAST_DISABLE is 'ture', which is neither 1 nor 0: caches are disabled"


def test_clear_forgets_everything():
    cache = static(encoder=TopicEncoder())
    ask(cache, "t/=")
    cache.clear()
    assert (cache.stats().rows, cache.stats().vectors) == (0, 0)
    assert sources(ask(cache, "t/=")) == ["llm_call"]


def test_the_stats_add_up():
    cache = static(encoder=TopicEncoder())
    ask(cache, "t/=", "t/=", "t/a", "u/=")
    stats = cache.stats()
    assert (stats.requests, stats.exact_hits, stats.semantic_hits, stats.llm_calls) == (4, 1, 1, 2)
    assert (stats.coalesced, stats.uncacheable, stats.failures, stats.rows) == (0, 0, {}, 2)


def test_exact_hits_of_many_threads_are_all_counted():
    cache = Cache()
    cache.get_or_generate_sync("question", lambda query: "answer")

    def ask() -> None:
        for _ in range(1_000):
            cache.get_or_generate_sync("question", lambda query: "answer")

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(ask) for _ in range(8)]:
            done.result()
    assert cache.stats().exact_hits == 8_000
