"""Arguments: any type that is declared works, any other is refused by name before it costs something."""

from __future__ import annotations

import asyncio
import copy
import math
import pickle
import types
import warnings
from collections import deque
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

import llmfast
from asking import Clock, Model, ask, sources
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy, Engine, Ledger, MiniLM, Router
from llmfast._llmfast import NormalRequest
from llmfast._request import _NOT_COUNTED, Ask

TURN = {"role": "assistant", "content": "yes?"}


def failing():
    """An iterator that fails before its first item."""
    raise OSError("no documents")
    yield


# ---- iterators -------------------------------------------------------------------------------------------------------


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


#: What is no number of seconds, and what is said of it.
NO_SECONDS = [
    ("1h", r"got '1h' \(str\)"),
    (timedelta(hours=1), r"got datetime.timedelta.* \(timedelta\): pass its total_seconds\(\)"),
    (True, r"got True \(bool\)"),
    (10**400, r"got 1000.* \(int\)"),
    (10**5000, r"got an object of type int"),
    (1j, r"got 1j \(complex\)"),
    ([5], r"got \[5\] \(list\)"),
    (Decimal("NaN"), "got [Nn]a[Nn]"),
    (Decimal(-1), "got -1"),
]


@pytest.mark.parametrize(("ttl", "got"), NO_SECONDS, ids=lambda value: str(type(value).__name__))
def test_a_time_to_live_is_a_number_of_seconds(ttl, got):
    for make in (lambda: ask(Cache(), "q", ttl=ttl), lambda: CachePolicy(ttl=ttl)):
        with pytest.raises(llmfast.ConfigError, match=f"ttl must be a finite number of seconds above 0, {got}"):
            make()


@pytest.mark.parametrize("ttl", [5, 5.0, Decimal(5), Fraction(5), np.float32(5), np.int64(5)], ids=repr)
def test_a_real_number_of_any_type_will_do(ttl):
    for keywords, policy in (({"ttl": ttl}, CachePolicy(jitter=0.0)), ({}, CachePolicy(ttl=ttl, jitter=0.0))):
        clock = Clock()
        cache = Cache(clock=clock, policy=policy)
        ask(cache, "q", **keywords)
        clock.now += 4.9
        assert sources(ask(cache, "q", **keywords)) == ["exact_hit"]
        clock.now += 0.2
        assert sources(ask(cache, "q", **keywords)) == ["llm_call"]


class Lacks:
    dim = 3

    def encode(self, texts):
        return []


class Routes:
    def __init__(self, generation):
        self.generation = generation

    def route(self, query):
        return None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CachePolicy(threshold="x"), r"threshold must be a cosine from -1 to 1, got 'x' \(str\)"),
        (lambda: CachePolicy(threshold=None), r"threshold must be a cosine .* got None \(NoneType\)"),
        (lambda: CachePolicy(jitter="x"), "jitter must be a share of the ttl"),
        (lambda: CachePolicy(stale_if_error=timedelta(1)), r"stale_if_error .*: pass its total_seconds\(\)"),
        (lambda: CachePolicy(max_temperature="hot"), "max_temperature must be 0 or more, or None, got 'hot'"),
        (lambda: CachePolicy(read_only_tools=(1,)), r"read_only_tools must be names in a tuple, got \(1,\)"),
        (lambda: CachePolicy(fold_case=1), "fold_case must be True or False, got 1"),
        (lambda: CachePolicy(fold_case="no"), "fold_case must be True or False, got 'no'"),
        (lambda: CachePolicy(fold_case=None), "fold_case must be True or False, got None"),
        (lambda: Cache(capacity="a"), r"capacity must be a whole number from 1 to 2,147,483,648, got 'a' \(str\)"),
        (lambda: Cache(capacity=1.5), r"capacity must be a whole number .* got 1.5 \(float\)"),
        (lambda: Cache(encoder=MiniLM), r"encoder must be an encoder, got the class MiniLM: call it, MiniLM\(\)"),
        (lambda: Cache(encoder="MiniLM"), r"encoder must be .* got 'MiniLM' \(str\), without dim, fingerprint"),
        (lambda: Cache(encoder=Lacks()), "encoder must be .*, without fingerprint$"),
        (lambda: Cache(secret="x" * 20), "secret must be bytes or None, got str$"),
        (lambda: Cache(policies=[1]), r"policies must be a dict of policies by kind or None, got \[1\] \(list\)"),
        (lambda: Engine(cache=5), r"cache must be a Cache or None, got 5 \(int\)"),
        (lambda: Engine(cache=Engine()), r"cache must be a Cache or None, got Engine\(.* \(Engine\)"),
        (lambda: Cache(policies={1: CachePolicy()}), r"the kinds of policies must be names \(str\), got 1"),
        (lambda: Engine(cache=Cache), "cache must be a Cache or None, got <class .*Cache"),
        (lambda: Engine(router=Router), r"router must be a router, got the class Router: call it, Router\(\)"),
        (lambda: Engine(router="r.toml"), r"router must be one such as Router.default\(\), .*, got 'r.toml' \(str\)"),
        (lambda: Engine(router=Routes(5)), r"the router's generation must be a str .*, or left out, got 5 \(int\)"),
        (lambda: Engine(ledger=Ledger), r"ledger must be a ledger, got the class Ledger: call it, Ledger\(\)"),
        (lambda: Engine(ledger=[]), r"ledger must be one such as Ledger\(\), with a method record, got \[\] \(list\)"),
    ],
)
def test_what_is_made_of_a_wrong_type_says_which(make, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        make()


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


def test_numbers_are_names_as_json_writes_them():
    cache, llm = Cache(encoder=TopicEncoder(), policy=CachePolicy(mode="static")), Model()
    numbers, names = ({"logit_bias": {name: -100}, "stop": ("a",)} for name in (50256, "50256"))
    assert sources(ask(cache, "q/=", llm=llm, params=numbers)) == ["llm_call"]
    assert sources(ask(cache, "q/=", llm=llm, params=names)) == ["exact_hit"]
    assert sources(ask(cache, "q/1", llm=llm, params=numbers)) == ["semantic_hit"]
    assert cache.stats().failures == {}
    both = {"logit_bias": {1: 0, "1": 0}}
    assert sources(ask(cache, "q/=", "q/=", llm=llm, params=both)) == ["llm_call"] * 2

    def key(bias):
        asked = Ask.from_keywords("openai.chat", {"model": "m", "messages": [], "logit_bias": bias})
        return cache.identities.identifier.identify_request(None, asked.normal).key

    assert key({50256: -100}) == key({"50256": -100})


def test_whole_numbers_and_decimals_of_other_types_make_a_cache():
    policy = CachePolicy(threshold=Decimal("0.5"), ttl=None, max_temperature=None)
    cache = Cache(capacity=np.int64(2), policy=policy, encoder=TopicEncoder())
    assert policy.threshold == 0.5
    assert sources(ask(cache, "a", "a")) == ["llm_call", "exact_hit"]


def test_outside_of_asyncio_a_miss_says_what_is_needed():
    # As another library's loop drives it, such as trio's.
    request = Cache().get_or_generate("q", Model())
    with pytest.raises(RuntimeError, match=r"no event loop of asyncio runs .* get_or_generate_sync \(under trio"):
        request.send(None)


async def answered(query):
    return query


async def parts(query):
    yield query


class Late:
    def __await__(self):
        yield


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda: answered("q"), "a coroutine: pass the function, not its call"),
        (Late, "an object of type Late: pass the function, not its call"),
        (lambda: parts("q"), "an object of type async_generator: pass the function, not its call"),
        (lambda: "gpt-4o", r"'gpt-4o' \(str\)"),
        (lambda: None, r"None \(NoneType\)"),
    ],
)
def test_what_cannot_be_called_is_refused_on_a_hit_too(make, got):
    async def run():
        cache, message = Cache(), f"llm_callable must be a function of the query, got {got}"
        ask_sync = partial(asyncio.to_thread, cache.get_or_generate_sync)
        for begin in (cache.get_or_generate, cache.run, ask_sync):
            for query in ("known", "new"):
                await cache.get_or_generate("known", Model())
                with pytest.raises(llmfast.ConfigError, match=message):
                    await begin(Ask(query) if begin == cache.run else query, make())
        assert cache.stats().rows == 1

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(run())


# ---- objects of client libraries in the ordinary way -----------------------------------------------------------------


class Shape:
    """A model as pydantic makes it: the class tells its schema, an object of it its JSON."""

    fields = ("a",)

    @classmethod
    def model_json_schema(cls):
        return {"properties": dict.fromkeys(cls.fields, "int")}

    def model_dump(self, *, mode, exclude_unset):
        return {"a": 1}


class Other(Shape):
    fields = ("a", "b")


class NotGiven:
    """As client libraries mark an argument that was not given."""


@pytest.mark.parametrize(
    ("keywords", "plain"),
    [
        ({"messages": [TURN, Shape()]}, {"messages": [TURN, {"a": 1}]}),
        ({"params": {"temperature": NotGiven(), "top_p": 1}}, {"params": {"top_p": 1}}),
        ({"context": (Shape(),)}, {"context": [{"a": 1}]}),
        ({"params": {"response_format": Shape}}, None),
    ],
    ids=["messages", "not given", "context", "class"],
)
def test_an_object_of_an_sdk_counts_as_what_it_sends(keywords, plain):
    cache = Cache(encoder=TopicEncoder())
    assert sources(ask(cache, "q", "q", **keywords)) == ["llm_call", "exact_hit"]
    if plain is not None:
        assert sources(ask(cache, "q", **plain)) == ["exact_hit"]
    assert sources(ask(cache, "q")) == ["llm_call"]
    assert (cache.stats().failures, cache.stats().uncacheable) == ({}, 0)


def test_two_classes_of_an_sdk_are_two_requests():
    cache = Cache()
    asked = [ask(cache, "q", params={"response_format": shape})[0] for shape in (Shape, Other, Shape)]
    assert sources(asked) == ["llm_call", "llm_call", "exact_hit"]


def test_an_object_that_fails_to_say_what_it_sends_costs_the_hit_and_not_the_call(caplog):
    class Broken:
        def model_dump(self, **_):
            raise OSError("no dump")

    cache = Cache()
    assert sources(ask(cache, "q", "q", messages=[Broken()])) == ["llm_call", "llm_call"]
    assert (cache.stats().failures, cache.stats().uncacheable) == ({"identity": 2}, 2)
    assert "no dump" in caplog.text


# ---- the keywords of a client library --------------------------------------------------------------------------------


def chat(**more):
    return Ask.from_keywords("openai.chat", {"messages": [{"role": "user", "content": "hi"}], **more}).normal


def test_a_class_that_tells_its_schema_counts_as_it():
    shapes = [chat(response_format=shape) for shape in (Shape, Other)]
    assert shapes[0] == chat(response_format=Shape)
    assert shapes[0] not in (shapes[1], chat(), chat(response_format=Shape.model_json_schema()))
    with pytest.raises(
        TypeError, match=r"keywords\.response_format must be JSON data, got the class int, which tells no"
    ):
        chat(response_format=int)


@pytest.mark.parametrize("api", ["openai.chat", "openai.responses", "openai.embeddings", "anthropic.messages"])
@pytest.mark.parametrize("name", sorted(_NOT_COUNTED))
def test_what_does_not_count_need_not_be_json(api, name):
    bare = NormalRequest.from_keywords(api, {"model": "m"})
    assert NormalRequest.from_keywords(api, {"model": "m", name: {"any": "thing"}}) == bare, "it counts: mend the table"
    assert Ask.from_keywords(api, {"model": "m", name: object()}).normal == bare


def test_mappings_and_sequences_of_keywords_count_as_what_they_hold():
    turns = [{"role": "user", "content": "hi"}]
    assert chat(messages=deque(map(types.MappingProxyType, turns))) == chat(messages=turns)
    with pytest.raises(TypeError, match=r"keywords\.stop must be JSON data .* got bytearray"):
        chat(stop=bytearray(b"x"))


# ---- PUBLIC ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, *(partial(pickle.dumps, protocol=protocol) for protocol in range(6))]
)
def test_a_copy_of_public_is_public(copied):
    twin = copied(PUBLIC)
    assert (pickle.loads(twin) if isinstance(twin, bytes) else twin) is PUBLIC


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"tags": 5}, r"tags must be names in a list, got 5 \(int\)"),
        ({"tags": [1]}, r"tags must be names \(str\) in a list, got 1 \(int\)"),
        ({"params": [1]}, r"params must be a mapping of names to JSON data or None, got \[1\] \(list\)"),
        ({"params": "{}"}, "params must be a mapping"),
        ({"context": 5}, r"context must be a list or another iterable of JSON data, got 5 \(int\)"),
        ({"messages": object}, "messages must be a list or another iterable"),
        ({"messages": 5}, r"messages must be a list of messages, .* got 5 \(int\)"),
        ({"messages": "hi"}, r"messages must be a list of messages, each a dict with role .* got 'hi' \(str\)"),
        ({"messages": TURN}, r"messages must be a list of messages, .* got \{'role': .*\(dict\)"),
        ({"messages": [TURN, 2]}, r"messages must be a list of messages, .* got 2 \(int\)"),
        ({"messages": ["hi"]}, r"messages must be a list of messages, .* got 'hi' \(str\)"),
        ({"context": "doc1"}, r"context must be a list .* got 'doc1' \(str\): pass it in a list"),
        ({"model": None}, r"model must be a str, got None \(NoneType\)"),
        ({"version": None}, r"version must be a str, got None \(NoneType\)"),
        ({"query": b"q"}, r"query must be a str, got b'q' \(bytes\)"),
    ],
    ids=repr,
)
def test_other_types_are_refused_by_name(keywords, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        ask(Cache(), keywords.pop("query", "q"), **keywords)


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
