"""What callers hand in, hooks, encoders, clocks, routers and replies: their failures cost the hit, never the call."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import enum
import functools
import logging
import threading
from contextvars import ContextVar
from decimal import Decimal

import numpy as np
import pytest

from asking import Clock, Model, ask, sources, static
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy, Engine, Reply, Usage


class Stop(BaseException):
    """What no `except Exception` catches."""


class Wordless(Exception):
    """An error that fails to say what it is."""

    def __str__(self):
        raise OSError("no words")

    __repr__ = __str__


def raises(error):
    def function(*_):
        raise error

    return function


def raises_async(error):
    async def function(*_):
        raise error

    return function


@dataclasses.dataclass(frozen=True)
class RateLimited(Exception):
    """Nothing may be assigned to it."""

    retry_after: float


LET_OUT = [
    Stop("x"),
    RateLimited(1.5),
    Wordless(),
    StopIteration(),
    GeneratorExit(),
    asyncio.CancelledError(),
    concurrent.futures.CancelledError(),
]


# ---- hooks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", LET_OUT, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("made", [raises, raises_async])
@pytest.mark.parametrize("way", ["async", "sync"])
def test_whatever_a_hook_lets_out_costs_the_row_and_not_the_answer(made, error, way, caplog):
    cache = Cache(admit=made(error))
    if way == "async":
        answers = ask(cache, "q", "q")
    else:
        answers = [cache.get_or_generate_sync("q", lambda _: "a") for _ in range(2)]
    assert sources(answers) == ["llm_call", "llm_call"]
    assert cache.stats().failures == {"admit hook": 2}
    assert cache.stats().reasons == {"not_stored:refused": 2}


def test_a_hook_that_says_neither_costs_the_row_and_not_those_who_wait(caplog):
    async def run():
        calls = Model()
        cache = Cache(admit=lambda query, value: np.array([True, False]))
        answers = await asyncio.gather(*(cache.get_or_generate("q", calls) for _ in range(5)))
        return len(calls.calls), {answer.response for answer in answers}, cache.stats().failures

    assert asyncio.run(run()) == (1, {"q #1"}, {"admit hook": 1})


def test_a_hook_leaves_the_callers_own_cancellation_alone():
    async def run():
        asked = asyncio.Event()

        async def admit(query, value):
            asked.set()
            await asyncio.Event().wait()

        cache = Cache(admit=admit)
        request = asyncio.ensure_future(cache.get_or_generate("q", Model()))
        await asked.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        return cache.stats().failures

    assert asyncio.run(run()) == {}


def test_a_hook_for_the_program_is_not_swallowed():
    for error in (KeyboardInterrupt(), SystemExit(3)):
        for made in (raises, raises_async):
            cache = Cache(admit=made(error))
            with pytest.raises(type(error)):
                cache.get_or_generate_sync("q", lambda _: "a")
    assert Cache(admit=good).get_or_generate_sync("q", lambda _: "a").key is not None, "the loop goes on"


async def good(query, value):
    await asyncio.sleep(0)
    return True


def test_an_async_hook_serves_threads_too():
    place, loops = ContextVar("place"), set()

    async def admit(query, value):
        loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return place.get() == "here" and query == "good"

    place.set("here")
    cache = Cache(admit=admit)
    answers = [cache.get_or_generate_sync(query, lambda _: "a") for query in ("good", "good", "bad", "bad")]
    assert sources(answers) == ["llm_call", "exact_hit", "llm_call", "llm_call"]
    assert (cache.stats().failures, len(loops)) == ({}, 1)


def test_an_async_hook_may_ask_the_cache_for_what_it_decides_on():
    async def admit(query, value):
        if value == "outer":
            # Whoever waited for the flight that this is part of would wait for ever.
            inner = await asyncio.to_thread(cache.get_or_generate_sync, query, lambda _: "inner")
            return inner.response == "inner"
        return True

    cache, answers = Cache(admit=admit), []
    asks = threading.Thread(target=lambda: answers.append(cache.get_or_generate_sync("q", lambda _: "outer")))
    asks.daemon = True
    asks.start()
    asks.join(10)
    assert [answer.response for answer in answers] == ["outer"]


# ---- encoders -------------------------------------------------------------------------------------------------------


class Failing(TopicEncoder):
    def __init__(self, error, *, is_async):
        super().__init__()
        self.is_async = is_async
        self.encode = raises(error)
        self.encode_async = raises_async(error)


@pytest.mark.parametrize("error", LET_OUT, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("way", ["async", "sync"])
def test_whatever_an_encoder_lets_out_costs_the_hit_and_not_the_call(error, is_async, way, caplog):
    cache = Cache(encoder=Failing(error, is_async=is_async))
    if way == "async":
        answers = ask(cache, "a question", "a question")
    else:
        answers = [cache.get_or_generate_sync("a question", lambda _: "a") for _ in range(2)]
    assert sources(answers) == ["llm_call", "exact_hit"]
    assert cache.stats().failures == {"L3": 1}
    assert "failed" in answers[0].decision.reason


# ---- errors of calls -------------------------------------------------------------------------------------------------


class Stubborn(Exception):
    """Has a method that does not do what it should."""

    def with_traceback(self, _):
        raise TypeError("not with me")


@pytest.mark.parametrize("error", [RateLimited(1.5), Stubborn("q")])
@pytest.mark.parametrize("made", [Cache, Engine])
def test_what_a_call_raises_is_raised_as_it_is(made, error):
    with pytest.raises(type(error)) as told:
        made().get_or_generate_sync("q", raises(error))
    assert told.value is error

    async def run():
        asking = made()
        return await asyncio.gather(
            *[asking.get_or_generate("q", raises_async(error)) for _ in range(3)], return_exceptions=True
        )

    assert asyncio.run(run()) == [error] * 3


# ---- clock, router, users -------------------------------------------------------------------------------------------


def test_a_clock_that_fails_costs_the_hit_and_not_the_call(caplog):
    cache = Cache(clock=raises(OSError("no clock")))
    assert sources(ask(cache, "q", "q")) == ["llm_call", "llm_call"]
    assert (cache.stats().failures, cache.stats().uncacheable) == ({"clock": 2}, 2)


def test_a_clock_that_fails_where_the_call_does_hides_no_error(caplog):
    now = Clock()
    cache = Cache(clock=now, policy=CachePolicy(ttl=10.0, jitter=0.0, stale_if_error=60.0))
    ask(cache, "q")
    now.now += 20

    def model(_):
        cache.clock = raises(OSError("no clock"))
        raise ConnectionError("the call's own")

    with pytest.raises(ConnectionError, match="the call's own"):
        ask(cache, "q", llm=model)


def test_a_router_whose_generation_fails_costs_the_hit_and_not_the_call(caplog):
    class Routes:
        generation = property(raises(OSError("no rules")))

        def route(self, query):
            return None

    engine = Engine(cache=Cache(), router=Routes())
    assert sources(ask(engine, "q", "q")) == ["llm_call", "llm_call"]
    assert engine.cache.stats().failures == {"router": 2}


def test_a_route_that_is_none_of_ours_costs_nothing():
    class Routes:
        def route(self, query):
            return "gpt"

    engine = Engine(cache=Cache(), router=Routes())
    answer = ask(engine, "q", llm=lambda query, decision: f"by {decision}", model="asked")[0]
    assert (answer.response, answer.model) == ("by gpt", "asked")


def test_a_route_that_fails_to_name_its_model_costs_the_decision_and_not_the_call(caplog):
    class Route:
        model = property(raises(OSError("no model")))

    class Routes:
        def route(self, query):
            return Route()

    engine = Engine(cache=Cache(), router=Routes())
    answer = ask(engine, "q", llm=lambda query, decision: f"by {decision}", model="asked")[0]
    assert (answer.response, answer.model, answer.decision.route) == ("by None", "asked", None)
    assert engine.cache.stats().failures == {"router": 1}


@pytest.mark.parametrize("scope", [None, "tenant", PUBLIC])
def test_a_user_whose_name_is_no_text_has_answers(scope, caplog):
    cache = Cache(encoder=TopicEncoder())
    ask(cache, "t/=", scope=scope, user="ann")
    assert sources(ask(cache, "t/=", scope=scope, user="\ud800")) == ["exact_hit"]
    assert sources(ask(cache, "other/=", "other/=", scope=scope, user="\ud800")) == ["llm_call", "exact_hit"]
    assert set(cache.stats().failures) == {"user"}


@pytest.fixture
def no_disk():
    """A handler of the application's that cannot write what llmfast logs; the list counts what it was given."""
    given = []

    class Handler(logging.Handler):
        def emit(self, record):
            given.append(record.getMessage())
            raise OSError("no disk")

    logger, handler = logging.getLogger("llmfast"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield given
    logger.setLevel(level)
    logger.removeHandler(handler)


def test_a_handler_of_logs_that_fails_costs_no_call(no_disk):
    assert sources(ask(static(encoder=Failing(ValueError("x"), is_async=False)), "q")) == ["llm_call"]
    assert len(no_disk) == 1


def test_a_handler_of_logs_that_fails_costs_no_row_in_shadow(no_disk):
    cache = Cache(encoder=TopicEncoder(), policy=CachePolicy(mode="shadow"))
    ask(cache, "t/=", "t/=a")
    assert no_disk == ["shadow: 't/=' (cosine 0.9900) would answer 't/=a'"]
    assert (cache.stats().failures, cache.stats().vectors) == ({}, 2)


@pytest.mark.parametrize("made", [Cache, Engine])
def test_a_handler_of_logs_that_fails_costs_no_end_of_a_stream(made, no_disk):
    async def words(_):
        yield "a"
        yield "b"

    async def run():
        answer = await made().get_or_generate("q", words)
        answer.response.when_ended(raises(OSError("a listener's own")))
        return [item async for item in answer.response]

    assert asyncio.run(run()) == ["a", "b"]
    assert len(no_disk) == 1


def test_a_follower_that_cannot_be_judged_makes_its_own_call(caplog):
    async def run():
        cache = static(encoder=TopicEncoder(), policies={"faq": CachePolicy()})
        await cache.get_or_generate("t/=", Model())
        cache.semantic.suits = raises(OSError("no judge"))
        both = (cache.get_or_generate("t/a", Model(), kind=kind) for kind in ("general", "faq"))
        return await asyncio.gather(*both)

    for answer in asyncio.run(run()):
        assert answer.response in {"t/= #1", "t/a #1"}


# ---- the call's own parameter ---------------------------------------------------------------------------------------


def told(query, decision):
    return f"by {decision}"


def test_a_decision_that_the_caller_has_bound_stands_where_no_router_chose():
    assert ask(Cache(), "q", llm=functools.partial(told, decision="mine"))[0].response == "by mine"
    assert ask(Cache(), "q", llm=told)[0].response == "by None"


def test_a_callable_without_a_readable_signature_takes_no_decision():
    class Broken:
        @property
        def __signature__(self):
            raise NameError("name 'Client' is not defined")

        def __call__(self, query):
            return "a"

    assert ask(Cache(), "q", llm=Broken())[0].response == "a"


# ---- replies --------------------------------------------------------------------------------------------------------


class Ended(enum.IntEnum):
    STOP = 1
    MAX_TOKENS = 2


async def many(cache, reply):
    calls = []

    async def model(_):
        calls.append(1)
        await asyncio.sleep(0)
        return reply

    answers = await asyncio.gather(*(cache.get_or_generate("q", model) for _ in range(5)))
    answers.append(await cache.get_or_generate("q", model))
    return len(calls), answers


@pytest.mark.parametrize(
    "usage",
    [
        Usage(None, None),
        Usage(-1, 2),
        Usage(1.5, 2),
        Usage(2**70, 2),
        Usage(float("nan"), 2),
        Usage("many", 2),
        {"input_tokens": -1, "output_tokens": 3},
        {"input_tokens": 1},
    ],
    ids=repr,
)
def test_a_usage_that_cannot_be_read_is_unknown_and_the_answer_is_shared(usage, caplog):
    cache = Cache()
    calls, answers = asyncio.run(many(cache, Reply("x", usage=usage)))
    assert (calls, answers[-1].source, {answer.usage for answer in answers}) == (1, "exact_hit", {None})
    assert cache.stats().failures == {"usage": 1}


@pytest.mark.parametrize(
    "usage", [Usage(3.0, Decimal(4)), (np.int64(3), 4), {"input_tokens": "3", "output_tokens": "4"}], ids=repr
)
def test_numbers_of_other_types_are_counts(usage):
    cache = Cache()
    _, answers = asyncio.run(many(cache, Reply("x", usage=usage)))
    assert {answer.usage for answer in answers} == {Usage(3, 4)}
    assert cache.stats().failures == {}


@pytest.mark.parametrize("model", [5, "m\ud800", b"m"], ids=repr)
def test_a_model_that_is_no_name_is_unknown_and_the_answer_is_shared(model, caplog):
    cache = Cache()
    calls, answers = asyncio.run(many(cache, Reply("x", model=model)))
    assert (calls, answers[-1].source, {answer.model for answer in answers}) == (1, "exact_hit", {""})
    assert cache.stats().failures == {"reply": 1}


@pytest.mark.parametrize(
    ("reason", "not_stored"),
    [
        (Ended.STOP, {}),
        (Ended.MAX_TOKENS, {"not_stored:truncated": 2}),
        (1, {"not_stored:failed": 2}),
        ("", {}),
        (None, {}),
    ],
)
def test_a_finish_reason_may_be_a_providers_enum(reason, not_stored):
    cache = Cache()
    calls, answers = asyncio.run(many(cache, Reply("x", finish_reason=reason)))
    assert calls == (2 if not_stored else 1)
    assert {answer.response for answer in answers} == {"x"}
    assert (cache.stats().reasons, cache.stats().failures) == (not_stored, {})


def test_a_stream_says_what_cannot_be_read_too(caplog):
    async def model(_):
        yield "a"
        yield Reply("b", usage=Usage(None, 1), model=5, finish_reason=Ended.STOP)

    async def run():
        cache = Cache()
        for _ in range(2):
            answer = await cache.get_or_generate("q", model)
            assert [item async for item in answer.response] == ["a", "b"]
        return answer.source, cache.stats().failures

    assert asyncio.run(run()) == ("exact_hit", {"usage": 1, "reply": 1})


def test_an_answer_that_could_not_be_stored_is_counted(caplog, monkeypatch):
    cache = Cache()
    monkeypatch.setattr(cache.storing, "clock", raises(OSError("no clock")))
    assert sources(ask(cache, "q", "q")) == ["llm_call", "llm_call"]
    assert (cache.stats().not_stored, cache.stats().failures) == (2, {"admission": 2})
