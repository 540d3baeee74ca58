"""The way of a request: what hits, what is stored, what a failure of ours costs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time

import numpy as np
import pytest

import llmfast
from asking import Clock, Model, ask, sources, static
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy, Engine, Reply, Usage
from llmfast._llmfast import Row

# ---- exact ----------------------------------------------------------------------------------------------------------


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
    for value in ["text", b"bytes", {"a": [1, 2.5, None, True]}, [], "", 0]:
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


# ---- by meaning -----------------------------------------------------------------------------------------------------


def test_other_words_hit_by_meaning():
    encoder, model = TopicEncoder(closeness=0.99), Model()
    cache = static(encoder=encoder)
    first, second, third = ask(cache, "refund/=", "refund/please", "weather/please", llm=model)
    assert sources((first, second, third)) == ["llm_call", "semantic_hit", "llm_call"]
    assert (second.response, second.tier, second.key) == (first.response, "L3", first.key)
    assert second.score == pytest.approx(0.99, abs=1e-6)
    assert second.decision.threshold == 0.95
    assert second.decision.nearest == second.score
    assert "cosine 0.99" in second.decision.reason
    assert model.calls == ["refund/=", "weather/please"]


def test_the_threshold_is_the_cosine_that_counts():
    for threshold, source in [(0.969, "semantic_hit"), (0.971, "llm_call")]:
        cache = static(encoder=TopicEncoder(closeness=0.97), policy=CachePolicy(threshold=threshold))
        assert sources(ask(cache, "t/=", "t/a")) == ["llm_call", source]


def test_a_semantic_hit_writes_no_exact_row():
    encoder, cache = (encoder := TopicEncoder()), static(encoder=encoder)
    assert sources(ask(cache, "t/=", "t/a", "t/a")) == ["llm_call", "semantic_hit", "semantic_hit"]
    assert cache.stats().rows == 1
    assert encoder.texts == ["t/=", "t/a"], "the vector of a recent text is remembered"


def test_the_nearest_question_answers_and_of_equals_the_older():
    cache = static(encoder=TopicEncoder(closeness=0.99), policy=CachePolicy(threshold=0.999))
    first, second = ask(cache, "t/=", "t/a")
    loose = CachePolicy(threshold=0.9)
    cache.policies["general"] = dataclasses.replace(loose, mode="static")
    assert ask(cache, "t/b")[0].response == first.response
    assert second.source == "llm_call"


def test_each_kind_has_its_policy():
    expected = {"general": 0.95, "faq": 0.99, "news": 0.95, "critical": 0.99, "broad": 0.90, "exploratory": 0.85}
    for kind, threshold in expected.items():
        for closeness, source in [(threshold + 0.002, "semantic_hit"), (threshold - 0.002, "llm_call")]:
            cache = static(encoder=TopicEncoder(closeness=closeness))
            assert sources(ask(cache, "t/=", "t/a", kind=kind)) == ["llm_call", source], (kind, closeness)


def test_another_encoder_never_sees_old_vectors():
    encoder = TopicEncoder()
    cache = static(encoder=encoder)
    ask(cache, "t/=")
    encoder.fingerprint = "topics 2"
    assert sources(ask(cache, "t/a")) == ["llm_call"]


def test_a_text_longer_than_the_encoder_reads_is_not_compared():
    class Short(TopicEncoder):
        max_tokens = 4

        def unread(self, text):
            return "the text is too long" if len(text.split()) > 4 else None

    encoder = Short()
    cache = static(encoder=encoder)
    long = "t/a one two three four"
    assert sources(ask(cache, "t/=", long, long)) == ["llm_call", "llm_call", "exact_hit"]
    huge = "t/a " + "x" * 10_000_000
    assert sources(ask(cache, huge, huge)) == ["llm_call", "exact_hit"]
    assert encoder.texts == ["t/="]
    assert cache.stats().reasons == {"refused:unread": 2}


# ---- scopes ---------------------------------------------------------------------------------------------------------


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


# ---- time -----------------------------------------------------------------------------------------------------------


def test_an_answer_ends_after_its_time_to_live():
    clock = Clock()
    cache = static(encoder=TopicEncoder(), clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0))
    ask(cache, "t/=")
    clock.now += 99.5
    exact, near = ask(cache, "t/=", "t/a")
    assert sources((exact, near)) == ["exact_hit", "semantic_hit"]
    assert exact.age == near.age == pytest.approx(99.5)
    clock.now += 0.5
    assert sources(ask(cache, "t/b")) == ["llm_call"]
    assert cache.stats().rows == cache.stats().vectors == 1, "the row that was over is gone with its vector"


def test_the_time_to_live_is_absolute():
    clock = Clock()
    cache = Cache(clock=clock, policy=CachePolicy(ttl=100.0, jitter=0.0))
    assert sources(ask(cache, "q", "q")) == ["llm_call", "exact_hit"]
    clock.now += 60
    assert sources(ask(cache, "q")) == ["exact_hit"]
    clock.now += 60
    assert sources(ask(cache, "q")) == ["llm_call"], "being used must not make it live longer"


def test_a_request_sets_its_own_time_to_live():
    clock = Clock()
    cache = Cache(clock=clock)
    ask(cache, "short", ttl=10.0)
    ask(cache, "forever", ttl=1e9)
    clock.now += 86_500
    assert sources(ask(cache, "forever")) == ["exact_hit"]
    assert sources(ask(cache, "short")) == ["llm_call"]


def test_a_request_that_asks_for_a_younger_answer_gets_none_that_is_older():
    clock = Clock()
    cache = static(encoder=TopicEncoder(), clock=clock)
    ask(cache, "t/=")
    clock.now += 50
    assert sources(ask(cache, "t/=", "t/a", ttl=60.0)) == ["exact_hit", "semantic_hit"]
    assert sources(ask(cache, "t/=", ttl=40.0)) == ["llm_call"]


def test_a_kind_with_a_shorter_life_does_not_take_older_answers_of_another_kind():
    clock = Clock()
    cache = static(encoder=TopicEncoder(), clock=clock)
    ask(cache, "t/=")
    clock.now += 3700
    assert sources(ask(cache, "t/=", "t/a")) == ["exact_hit", "semantic_hit"]
    assert sources(ask(cache, "t/c", kind="news")) == ["llm_call"]


def test_rows_that_are_over_do_not_hide_ones_that_are_not():
    clock = Clock()
    cache = static(encoder=TopicEncoder(0.9999), clock=clock, policy=CachePolicy(threshold=0.99999))
    ask(cache, *[f"t/{n}" for n in range(20)], ttl=10.0)
    ask(cache, "t/survivor")
    clock.now += 11
    cache.policies["general"] = CachePolicy(threshold=0.99, mode="static")
    answer = ask(cache, "t/=")[0]
    assert (answer.source, answer.response) == ("semantic_hit", "t/survivor #1")


# ---- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "vector",
    [np.full(64, math.nan), np.zeros(64), np.ones(63), np.full(64, math.inf)],
    ids=["NaN", "zero", "63 dimensions", "infinity"],
)
def test_a_broken_encoder_costs_the_hit_and_not_the_call(vector, caplog):
    class Broken(TopicEncoder):
        def encode(self, texts):
            return np.stack([vector.astype(np.float32) for _ in texts])

    cache = static(encoder=Broken())
    with caplog.at_level(logging.WARNING, "llmfast"):
        assert sources(ask(cache, "t/a", "t/b", "t/a")) == ["llm_call", "llm_call", "exact_hit"]
    assert cache.stats().failures == {"L3": 2}
    assert len(caplog.records) == 1, "logged once"


def test_a_row_that_cannot_be_read_costs_the_hit_and_not_the_call(caplog):
    cache = Cache()
    key = ask(cache, "q")[0].key
    damaged = Row(key=key, partition=0, payload=b"{", codec="json", created_at=cache.clock())
    cache._memory.rows_by_key.insert(key, damaged)
    assert sources(ask(cache, "q", "q")) == ["llm_call", "exact_hit"], "the new answer takes its place"
    assert cache.stats().failures == {"L1": 1}


def test_an_encoder_that_raises_costs_the_hit_and_not_the_call(caplog):
    class Broken(TopicEncoder):
        def encode(self, texts):
            raise MemoryError("no room")

    cache = static(encoder=Broken())
    answer = ask(cache, "t/a")[0]
    assert (answer.source, answer.response) == ("llm_call", "t/a #1")
    assert "no room" in answer.decision.reason


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"scope": 17}, "scope must be a str, None or llmfast.PUBLIC, got 17"),
        ({"user": 42}, "user must be a str or None, got 42"),
        ({"system": None}, "system must be a str, got None"),
        ({"version": 3}, "version must be a str, got 3"),
    ],
)
def test_a_field_of_another_type_is_refused_before_it_keeps_all_out_of_the_cache(keywords, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        ask(Cache(), "q", **keywords)


@pytest.mark.parametrize("keywords", [{"params": {"format": object()}}, {"context": [object()]}, {"system": "\ud800"}])
def test_a_request_without_an_identity_is_called_and_counted(keywords, caplog):
    cache = Cache()
    assert sources(ask(cache, "q", "q", **keywords)) == ["llm_call", "llm_call"]
    assert cache.stats().uncacheable == 2
    assert cache.stats().failures == {"identity": 2}


def test_a_query_with_a_lone_surrogate_is_called(caplog):
    assert ask(static(encoder=TopicEncoder()), "x\ud800")[0].response == "x\ud800 #1"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CachePolicy(threshold=1.5), "threshold must be a cosine from -1 to 1, got 1.5"),
        (lambda: CachePolicy(threshold=math.nan), "got nan"),
        (lambda: CachePolicy(ttl=0), "ttl must be a finite number of seconds above 0, got 0"),
        (lambda: CachePolicy(ttl=math.inf), "got inf"),
        (lambda: CachePolicy(mode="learned"), "mode must be 'guarded', 'static' or 'shadow', got 'learned'"),
        (lambda: CachePolicy(jitter=1.0), "jitter must be a share of the ttl from 0 to below 1, got 1.0"),
        (
            lambda: CachePolicy(stale_if_error=-1),
            "stale_if_error must be a finite number of seconds, 0 or more, got -1",
        ),
        (lambda: CachePolicy(stale_while_revalidate=math.inf), "stale_while_revalidate must be .* got inf"),
        (lambda: CachePolicy(max_temperature=-1), "max_temperature must be 0 or more, or None, got -1"),
        (lambda: CachePolicy(read_only_tools="search"), "read_only_tools must be names in a tuple, got 'search'"),
        (lambda: Cache(admit=1), "admit must be a function, got 1"),
        (lambda: CachePolicy(on_abandon="x"), "on_abandon must be 'cancel' or 'drain', got 'x'"),
        (lambda: Cache(capacity=0), "capacity must be from 1 to .*, got 0"),
        (lambda: Cache(capacity=2**70), "capacity must be from 1 to"),
        (lambda: Cache(policies={"legal": 0.99}), "the policy of kind 'legal' must be a CachePolicy, got 0.99"),
        (lambda: Cache(scope=5), "scope must be a str"),
        (lambda: Cache(secret=b"short"), "secret must have at least 16 bytes, got 5"),
        (lambda: ask(Cache(), "q", kind="critcal"), "kind 'critcal' has no policy; the kinds are broad, critical"),
        (lambda: ask(Cache(), "q", tags="doc"), "tags must be names in a list, got the str 'doc'"),
        (lambda: ask(Cache(), "q", tags=""), "tags must be names in a list, got the str ''"),
        (lambda: ask(Cache(), "q", ttl=-1.0), "ttl must be .* got -1"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        make()


def test_disabled_it_passes_everything_through(monkeypatch):
    monkeypatch.setenv("LLMFAST_DISABLE", "1")
    cache = static(encoder=TopicEncoder())
    assert sources(ask(cache, "q", "q")) == ["llm_call", "llm_call"]
    assert (cache.stats().rows, cache.stats().uncacheable) == (0, 2)


# ---- drivers --------------------------------------------------------------------------------------------------------


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


# ---- the engine -----------------------------------------------------------------------------------------------------


class Routes:
    """A router that sends long questions to the big model."""

    generation = "1"

    def route(self, query):
        from types import SimpleNamespace

        if query == "raise":
            raise ValueError("no route")
        return SimpleNamespace(model="big" if len(query) > 5 else "small")


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


def test_the_default_clock_is_the_wall_clock():
    before = time.time()
    answer = ask(Cache(), "q", "q")[1]
    assert 0 <= answer.age <= time.time() - before + 0.001


@pytest.mark.weights
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Customer review: \U0001f600", "Customer review: \U0001f621"),
        ("如何取消我的订单", "如何查询我的账单"),
        ("Decode this: " + "a" * 120, "Decode this: " + "b" * 120),
        ("word " * 300 + "yes", "word " * 300 + "no"),
    ],
    ids=["emoji", "Chinese", "long words", "long texts"],
)
def test_texts_that_look_the_same_to_the_encoder_are_not_compared(minilm, one, other):
    assert minilm.encode(one) @ minilm.encode(other) > 0.99
    cache = static(encoder=minilm, policy=CachePolicy(threshold=0.85))
    first, second, again = ask(cache, one, other, other)
    assert sources((first, second, again)) == ["llm_call", "llm_call", "exact_hit"]
    assert "the encoder" in second.decision.reason
