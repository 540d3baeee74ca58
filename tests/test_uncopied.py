"""Answers that cannot be copied: nobody waits for one in vain, and whoever returns them is told."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from asking import ask, sources
from llmfast import Cache, Reply
from llmfast._uncopied import Uncopied


class Completion:
    """As client libraries return it."""

    def model_dump(self):
        return {}


class Model:
    """Answers with what it is given, once as many calls are under way as `barrier` says."""

    def __init__(self, value):
        self.value = value
        self.calls = 0
        self.barrier = asyncio.Barrier(1)

    async def __call__(self, query):
        self.calls += 1
        async with asyncio.timeout(30), self.barrier:
            return self.value

    async def method(self, query):
        return await self(query)


def decorated(function):
    @functools.wraps(function)
    async def wrapper(*arguments):
        return await function(*arguments)

    return wrapper


#: Ways to make a callable anew for each request.
MADE_ANEW = {
    "object": lambda model: model,
    "lambda": lambda model: lambda query, extra="": model(query + extra),
    "method": lambda model: model.method,
    "partial": lambda model: partial(lambda extra, query: model(query), "extra"),
    "partial of a method": lambda model: partial(model.method),
    "decorated": lambda model: decorated(model.method),
}


async def together(cache, make, count, query="q"):
    return await asyncio.gather(*(cache.get_or_generate(query, make()) for _ in range(count)))


@pytest.mark.parametrize("make", MADE_ANEW.values(), ids=MADE_ANEW)
def test_once_its_answer_could_not_be_copied_nobody_waits_for_a_call(make):
    async def run():
        cache, model = Cache(), Model(object())
        await cache.get_or_generate("q", make(model))
        model.value, model.barrier, model.calls = Completion(), asyncio.Barrier(5), 0
        # Each call ends when all five are under way.
        answers = await together(cache, lambda: make(model), 5)
        assert model.calls == 5
        assert {(answer.source, answer.coalesced) for answer in answers} == {("llm_call", False)}

    asyncio.run(run())


def test_another_call_is_shared_meanwhile_and_the_same_one_once_it_can_be_copied():
    async def run():
        cache, model, other = Cache(), Model(object()), Model("text")

        async def call(query):
            return await model(query)

        await cache.get_or_generate("a", call)
        answers = await together(cache, lambda: other.method, 3, "b")
        assert (other.calls, [answer.coalesced for answer in answers]) == (1, [False, True, True])
        model = Model("text")
        await cache.get_or_generate("c", call)
        answers = await together(cache, lambda: call, 3, "d")
        assert (model.calls, [answer.coalesced for answer in answers]) == (2, [False, True, True])

    asyncio.run(run())


def test_threads_do_not_wait_either():
    cache, values = Cache(), []
    under_way = threading.Barrier(4, timeout=30)

    def call(query):
        values.append(object())
        if query == "q":
            under_way.wait()
        return values[-1]

    cache.get_or_generate_sync("first", call)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: cache.get_or_generate_sync("q", call), range(4)))
    assert len(values) == 5


def test_what_is_remembered_is_bounded():
    uncopied = Uncopied()
    kinds = [type(f"Call{number}", (), {"__call__": print}) for number in range(1_000)]
    for kind in kinds:
        uncopied.note(kind(), copied=False)
    remembered = [kind() in uncopied for kind in kinds]
    assert (remembered[-256:], sum(remembered)) == ([True] * 256, 256)
    uncopied.note(kinds[-1](), copied=True)
    assert kinds[-1]() not in uncopied


def test_a_function_of_other_code_is_another_call():
    noted = Uncopied()

    def first(query):
        return object()

    def second(query):
        return query

    noted.note(first, copied=False)
    assert first in noted
    assert second not in noted
    noted.note(second, copied=True)
    assert first in noted
    noted.note(first, copied=True)
    assert first not in noted


def test_a_method_of_another_object_is_another_call():
    async def run():
        uncopied, models = Uncopied(), [Model(object()), Model("text")]
        uncopied.note(models[0].method, copied=False)
        assert [model.method in uncopied for model in models] == [True, False]
        assert [partial(decorated(model.method)) in uncopied for model in models] == [True, False]

    asyncio.run(run())


def test_classes_and_functions_of_c_are_told_apart():
    uncopied = Uncopied()
    uncopied.note(Completion, copied=False)
    uncopied.note(len, copied=False)
    assert [call in uncopied for call in (Completion, Model, len, abs)] == [True, False, True, False]


OF_A_LIBRARY = "answers of type test_uncopied.Completion are not stored: return its model_dump(), the text or a Reply"
NO_FORM = "are not stored: JSON has no form for it: too deep or large, names that are no str, NaN, lone surrogates"
WARNED = [
    (Completion(), OF_A_LIBRARY),
    (Reply(Completion()), OF_A_LIBRARY),
    (("a", "b"), "answers of type tuple are not stored: return str, bytes, JSON data or a Reply of these"),
    ({"a": [{1}]}, "answers with an object of type set are not stored: return str, bytes, JSON data or a Reply of th"),
    ({1: "a"}, f"answers of type dict {NO_FORM}"),
    ([math.nan], f"answers of type list {NO_FORM}"),
    ("\ud800", f"answers of type str {NO_FORM}"),
]


@pytest.mark.parametrize(("value", "message"), WARNED, ids=lambda value: ascii(value)[:20])
def test_each_type_is_warned_of_once(value, message, caplog):
    cache = Cache()
    answers = ask(cache, "q", "q", "another", llm=lambda _: value)
    assert sources(answers) == ["llm_call"] * 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith(message)
    assert cache.stats().failures == {}


def test_items_of_a_stream_are_warned_of_too(caplog):
    async def model(_):
        yield "a"
        yield Completion()

    async def run():
        for _ in range(2):
            answer = await cache.get_or_generate("q", model)
            assert len([item async for item in answer.response]) == 2

    cache = Cache()
    asyncio.run(run())
    (message,) = caplog.messages
    assert message.startswith("streams with an object of type test_uncopied.Completion are not stored: yield its ")


def test_a_log_handler_that_fails_costs_nothing(monkeypatch):
    class Broken(logging.Handler):
        def emit(self, record):
            raise OSError

    handler = Broken()
    logging.getLogger("llmfast").addHandler(handler)
    try:
        cache = Cache()
        assert ask(cache, "q", llm=lambda _: ())[0].response == ()
        assert (cache.stats().reasons, cache.stats().failures) == ({"not_stored:type": 1}, {})
    finally:
        logging.getLogger("llmfast").removeHandler(handler)


@pytest.mark.parametrize(
    ("value", "name"), [((), "type"), (Reply("a", finish_reason="length"), "truncated"), ("a", None)], ids=repr
)
def test_the_decision_says_why_an_answer_was_not_stored(value, name):
    (answer,) = ask(Cache(), "q", llm=lambda _: value)
    said = "no encoder is set" if name is None else f"no encoder is set; the answer was not stored: {name}"
    assert (answer.decision.not_stored, answer.decision.reason) == (name, said)
    assert (answer.key is None) is (name is not None)
