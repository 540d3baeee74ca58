"""What is stored and what is not: failures, half answers, what the hook refuses, and floods."""

from __future__ import annotations

import asyncio
import enum
import json
import threading

import pytest

from asking import STATIC, Clock, Model, ask, sources
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy, Reply


class Ended(enum.StrEnum):
    """Ends as a client library may name them: each is the provider's word."""

    STOP = "stop"
    OTHER = "max_tokens"


COMPLETE = [
    Reply("a", finish_reason="stop"),
    Reply("a", finish_reason="end_turn"),
    Reply("a", finish_reason="STOP"),
    Reply("a", finish_reason=None),
    Reply("a", finish_reason=""),
    Reply("a", finish_reason=Ended.STOP),
    {"object": "chat.completion", "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]},
    {"object": "chat.completion", "choices": [{"finish_reason": "tool_calls"}], "error": None},
    {"object": "response", "status": "completed", "error": None, "output": [{"type": "function_call"}]},
    {"type": "message", "stop_reason": "end_turn", "content": [{"type": "text", "text": "a"}]},
    {"choices": "of mine", "status": "incomplete", "stop_reason": "max_tokens"},
    {"error": "is a word", "and": "this is the caller's own JSON"},
    ["length", "incomplete"],
    {"choices": [], "object": "mine"},
    {"choices": [{"delta": {"words": 2}}, {"delta": 3}]},
    {"type": "message", "content": "hello", "role": "assistant"},
    {"type": "message", "content": [{"type": "text"}], "role": "assistant", "status": "done by me"},
    {"type": "response.of.mine", "status": "queued"},
    {"status": "queued", "object": "parcel"},
    {"error": None, "answer": "fine"},
    {"error": {}, "answer": "fine"},
    {"object": "chat.completion", "choices": [{"message": {"content": "a", "refusal": None}, "finish_reason": "stop"}]},
    [{"type": "delta", "text": "a"}, {"type": "delta", "text": "b"}],
]

INCOMPLETE = [
    (Reply("a", finish_reason="length"), "truncated"),
    (Reply("a", finish_reason="max_tokens"), "truncated"),
    (Reply("a", finish_reason="MAX_TOKENS"), "truncated"),
    (Reply("a", finish_reason="content_filter"), "filtered"),
    (Reply("a", finish_reason="SAFETY"), "filtered"),
    (Reply("a", finish_reason="refusal"), "filtered"),
    (Reply("a", finish_reason="abort"), "failed"),
    (Reply("a", finish_reason=Ended.OTHER), "truncated"),
    (Reply("a", finish_reason=7), "failed"),
    ({"object": "chat.completion", "choices": [{"finish_reason": "length"}]}, "truncated"),
    ({"choices": [{"finish_reason": "stop"}, {"finish_reason": "content_filter"}]}, "filtered"),
    ({"choices": [3, {"finish_reason": "length"}]}, "truncated"),
    ({"object": "response", "status": "incomplete"}, "truncated"),
    ({"object": "response", "status": "failed", "error": {"code": "server_error"}}, "failed"),
    ({"type": "message", "stop_reason": "max_tokens"}, "truncated"),
    ({"type": "message", "stop_reason": "refusal"}, "filtered"),
    ({"type": "error", "error": {"type": "overloaded_error"}}, "failed"),
    ({"type": "error", "code": "server_error", "message": "boom"}, "failed"),
    ({"error": {"message": "rate limit"}}, "failed"),
    ({"error": {"code": 402, "message": "no credits"}, "user_id": "u"}, "failed"),
    ({"object": "error", "message": "boom", "type": "BadRequestError", "param": None, "code": 400}, "failed"),
    (Reply("a", finish_reason="in_progress"), "unfinished"),
    ({"object": "response", "status": "queued", "output": [], "background": True}, "unfinished"),
    ({"object": "response", "status": "in_progress", "output": []}, "unfinished"),
    ({"object": "response", "output": []}, "unfinished"),
    ({"object": "response", "status": "cancelled"}, "failed"),
    (
        {
            "object": "response",
            "status": "completed",
            "output": [{"type": "message", "content": [{"type": "refusal"}]}],
        },
        "filtered",
    ),
    ({"object": "chat.completion", "choices": [{"message": {"content": "a"}, "finish_reason": None}]}, "unfinished"),
    ({"object": "chat.completion", "choices": [{"message": {"content": "a"}}]}, "unfinished"),
    ({"object": "chat.completion", "choices": []}, "unfinished"),
    ({"object": "chat.completion", "choices": [{"finish_reason": "stop"}, {"finish_reason": None}]}, "unfinished"),
    ({"choices": [{"message": {"content": "a"}, "finish_reason": None}]}, "unfinished"),
    ({"choices": [{"message": {"content": None, "refusal": "I can't"}, "finish_reason": "stop"}]}, "filtered"),
    ({"type": "message", "role": "assistant", "content": [], "stop_reason": None}, "unfinished"),
    ({"type": "message", "role": "assistant", "content": [], "model": "m"}, "unfinished"),
]


def chunk(delta, finish_reason=None, index=0):
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "choices": [choice]}


USAGE = {"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 1}}
MESSAGE = {"type": "message_start", "message": {"type": "message", "content": [], "stop_reason": None}}
BLOCK = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}
CREATED = {"type": "response.created", "response": {"object": "response", "status": "in_progress"}}
TEXT = {"type": "response.output_text.delta", "delta": "Hel"}
DONE = {"type": "response.completed", "response": {"object": "response", "status": "completed"}}

STREAMS = [
    (["Hel", "lo"], None),
    ([{"text": "Hel"}, {"text": "lo", "choices": []}], None),
    ([chunk({"role": "assistant"}), chunk({"content": "Hel"}), chunk({}, "stop"), USAGE], None),
    ([chunk({"content": "Hel"}), chunk({}, "stop"), chunk({"role": "assistant", "content": ""})], None),
    ([chunk({"role": "assistant"}), chunk({"content": "Hel"})], "unfinished"),
    ([chunk({"content": "Hel"}), USAGE], "unfinished"),
    ([USAGE], "unfinished"),
    ([chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk({}, "stop")], "unfinished"),
    ([chunk({"content": "a"}), chunk({}, "tool_calls"), chunk({"content": "b"})], "unfinished"),
    ([{"choices": [{"delta": {"content": "Hel"}, "finish_reason": None}]}], "unfinished"),
    ([{"choices": [{"delta": {"role": "assistant"}, "finish_reason": None}]}], "unfinished"),
    ([chunk({"content": "a"}), chunk({"role": "assistant"}, index=1), chunk({}, "stop")], "unfinished"),
    ([chunk({"refusal": "I can't"}), chunk({}, "stop")], "filtered"),
    ([chunk({"content": "Hel"}), {"error": {"code": 502}, "provider": "p"}], "failed"),
    ([MESSAGE, BLOCK, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}], None),
    ([MESSAGE, BLOCK, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}], None),
    ([MESSAGE, BLOCK, {"type": "message_stop"}], None),
    ([MESSAGE], "unfinished"),
    ([MESSAGE, BLOCK], "unfinished"),
    ([MESSAGE, BLOCK, {"type": "ping"}], "unfinished"),
    ([MESSAGE, BLOCK, {"type": "message_delta", "delta": {"stop_reason": None}}], "unfinished"),
    ([CREATED, TEXT, DONE], None),
    ([CREATED, TEXT], "unfinished"),
    ([CREATED, TEXT, {"type": "response.of.another.kind"}], "unfinished"),
    (
        [CREATED, {"type": "response.incomplete", "response": {"object": "response", "status": "incomplete"}}],
        "truncated",
    ),
    ([CREATED, {"type": "response.refusal.done", "refusal": "no"}, DONE], "filtered"),
    ([json.dumps(chunk({"content": "Hel"})), json.dumps(chunk({}, "stop"))], None),
    ([json.dumps(chunk({"content": "Hel"})), json.dumps(chunk({}, "length"))], "truncated"),
    ([json.dumps(chunk({"content": "Hel"})).encode()], "unfinished"),
    (['{"a": ', '{"b": 1}', "}"], None),
    ([json.dumps(chunk({"content": "x" * 70_000}))], "unfinished"),
]


@pytest.mark.parametrize("value", COMPLETE, ids=repr)
def test_a_complete_answer_is_stored(value):
    assert sources(ask(Cache(), "q", "q", llm=lambda _: value)) == ["llm_call", "exact_hit"]


@pytest.mark.parametrize(("value", "reason"), INCOMPLETE, ids=repr)
def test_another_is_returned_and_not_stored(value, reason):
    cache = Cache(encoder=TopicEncoder(), policy=STATIC)
    first, second = ask(cache, "t/=", "t/=", llm=lambda _: value)
    assert first.response == getattr(value, "value", value)
    assert sources((first, second)) == ["llm_call", "llm_call"]
    assert (cache.stats().not_stored, cache.stats().rows, cache.stats().vectors) == (2, 0, 0)
    assert cache.stats().reasons[f"not_stored:{reason}"] == 2


@pytest.mark.parametrize(
    "value",
    [
        *(json.dumps(value) for value in COMPLETE if type(value) is dict),
        '{"city": "Rome"}',
        '[{"error": {"message": "of a list of mine"}}]',
        "{not JSON}",
        b"{\xff",
        "[" * 5_000,
        '{"a":' * 5_000,
        '{"a": ' + "9" * 5_000 + "}",
        "{" + "long and no JSON " * 10_000,
    ],
    ids=lambda value: repr(value[:40]),
)
def test_text_that_is_json_is_stored_as_text_if_it_is_complete(value):
    assert [answer.response for answer in ask(Cache(), "q", "q", llm=lambda _: value)] == [value, value]
    assert sources(ask(Cache(), "q", "q", llm=lambda _: value)) == ["llm_call", "exact_hit"]


@pytest.mark.parametrize("make", [str, str.encode, lambda text: "\n " + text, Reply])
@pytest.mark.parametrize("padding", [0, 100_000])
@pytest.mark.parametrize(("value", "reason"), [case for case in INCOMPLETE if type(case[0]) is dict], ids=repr)
def test_a_provider_s_json_as_text_is_read_for_its_end(value, reason, padding, make):
    cache = Cache()
    text = make(json.dumps(value) + " " * padding)
    assert cache.get_or_generate_sync("q", lambda _: text).response == getattr(text, "value", text)
    assert cache.stats().reasons == {f"not_stored:{reason}": 1}


#: What providers, and servers that are compatible with them, call the end of an answer.
ENDS = {
    None: "stop end_turn stop_sequence tool_use tool_calls tool_call function_call complete completed finish eos "
    "eos_token",
    "truncated": "length max_tokens max_output_tokens incomplete model_length pause_turn",
    "filtered": "content_filter content_filtered refusal safety recitation blocklist prohibited_content",
    "unfinished": "queued in_progress",
    "failed": "failed cancelled error malformed_function_call a_new_one",
}


@pytest.mark.parametrize(("reason", "name"), [(why, name) for why, names in ENDS.items() for name in names.split()])
def test_what_providers_call_an_end_says_whether_it_was_a_good_one(reason, name):
    cache = Cache()
    for spelt in (name, name.upper()):
        cache.get_or_generate_sync(spelt, lambda _, spelt=spelt: Reply("a", finish_reason=spelt))
    assert cache.stats().reasons == ({} if reason is None else {f"not_stored:{reason}": 2})
    assert cache.stats().rows == (2 if reason is None else 0)


@pytest.mark.parametrize("value", [None, Reply(None), Reply(None, finish_reason="tool_calls")], ids=repr)
def test_a_call_that_returns_nothing_is_not_stored(value):
    cache = Cache()
    assert sources(ask(cache, "q", "q", llm=lambda _: value)) == ["llm_call", "llm_call"]
    assert (cache.stats().reasons, cache.stats().rows) == ({"not_stored:nothing": 2}, 0)


@pytest.mark.parametrize(("items", "reason"), STREAMS, ids=repr)
def test_a_stream_is_stored_if_it_says_that_it_ended_where_its_provider_does(items, reason):
    async def model(_):
        for item in items:
            yield item

    async def run():
        for _ in range(2):
            answer = await cache.get_or_generate("q", model)
            assert [item async for item in answer.response] == items
        return answer.source

    cache = Cache()
    assert asyncio.run(run()) == ("llm_call" if reason else "exact_hit")
    assert cache.stats().reasons == ({f"not_stored:{reason}": 2} if reason else {})


def test_those_who_waited_for_an_answer_that_is_not_stored_have_copies():
    async def run():
        cache, calls = Cache(), []

        async def model(_):
            calls.append(1)
            await asyncio.sleep(0)
            return {"type": "message", "stop_reason": "max_tokens", "content": []}

        answers = await asyncio.gather(*(cache.get_or_generate("q", model) for _ in range(10)))
        return calls, answers

    calls, answers = asyncio.run(run())
    assert len(calls) == 1
    assert len({id(answer.response) for answer in answers}) == 10


# ---- the hook -------------------------------------------------------------------------------------------------------


def test_the_hook_is_asked_and_decides():
    seen = []

    def admit(query, value):
        seen.append((query, value))
        return "secret" not in value

    cache = Cache(admit=admit)
    assert sources(ask(cache, "a", "a", llm=lambda _: "fine")) == ["llm_call", "exact_hit"]
    assert sources(ask(cache, "b", "b", llm=lambda _: "a secret")) == ["llm_call", "llm_call"]
    assert seen == [("a", "fine"), ("b", "a secret"), ("b", "a secret")]
    assert cache.stats().reasons == {"not_stored:refused": 2}
    assert cache.get_or_generate_sync("c", lambda _: "a secret").response == "a secret"
    assert cache.stats().rows == 1


def test_the_hook_may_be_async_and_its_failure_costs_the_row_and_not_the_answer(caplog):
    async def admit(query, value):
        await asyncio.sleep(0)
        if query == "bad":
            raise OSError("no moderation")
        return True

    cache = Cache(admit=admit)
    assert sources(ask(cache, "q", "q")) == ["llm_call", "exact_hit"]
    assert sources(ask(cache, "bad", "bad")) == ["llm_call", "llm_call"]
    assert cache.stats().failures == {"admit hook": 2}


def test_shadow_counts_what_would_have_been_hits_and_no_flood():
    cache = Cache(encoder=TopicEncoder(), policy=CachePolicy(mode="shadow", threshold=0.9), clock=Clock())
    ask(cache, *[f"red/{'x' * number}" for number in range(60)], scope="tenant")
    reasons = cache.stats().reasons
    assert (reasons["shadow:semantic_hit"], reasons.get("not_compared:burst")) == (59, None)


# ---- public rows ----------------------------------------------------------------------------------------------------


def public(**more):
    return Cache(encoder=TopicEncoder(), policy=STATIC, clock=Clock(), **more)


def settled(cache):
    """Wait for what the cache does behind its callers."""
    cache.engine._driver._storing.submit(lambda: None).result(10)


def test_a_public_row_is_fuzzy_once_two_principals_asked_for_it():
    cache = public()
    ask(cache, "t/=", scope=PUBLIC, user="one")
    assert sources(ask(cache, "t/=", scope=PUBLIC, user="one")) == ["exact_hit"]
    settled(cache)
    assert cache.stats().vectors == 0
    assert sources(ask(cache, "t/=", scope=PUBLIC, user="two")) == ["exact_hit"]
    settled(cache)
    assert cache.stats().vectors == 1
    assert sources(ask(cache, "t/a", scope=PUBLIC, user="three")) == ["semantic_hit"]
    assert sources(ask(cache, "t/b", scope=PUBLIC)) == ["semantic_hit"]
    assert sources(ask(cache, "t/c", scope="tenant")) == ["semantic_hit"]


def test_two_who_ask_for_a_public_row_at_once_make_it_fuzzy_once():
    cache, go = public(), threading.Event()
    ask(cache, "t/=", scope=PUBLIC, user="one")
    cache.engine._driver._storing.submit(go.wait)
    for user in ("two", "three"):
        assert sources(ask(cache, "t/=", scope=PUBLIC, user=user)) == ["exact_hit"]
    go.set()
    settled(cache)
    assert cache.stats().vectors == 1
    assert sources(ask(cache, "t/a", scope=PUBLIC, user="four")) == ["semantic_hit"]


def test_who_asked_for_a_public_row_counts_for_no_later_one_in_its_place():
    cache = public()
    key = ask(cache, "t/=", scope=PUBLIC, user="one")[0].key
    before = cache._memory.rows_by_key.peek(key)
    cache.invalidate_sync(key=key)
    ask(cache, "t/=", scope=PUBLIC, user="one")
    # As the storing thread does it, late, where somebody asked before the invalidation.
    cache.release(before)
    assert cache.stats().vectors == 0
    assert sources(ask(cache, "t/=", scope=PUBLIC, user="two")) == ["exact_hit"]
    settled(cache)
    assert cache.stats().vectors == 1, "nor does it cost the later one its own"
    assert sources(ask(cache, "t/a", scope=PUBLIC, user="three")) == ["semantic_hit"]


def test_without_a_principal_never():
    cache = public()
    for _ in range(3):
        ask(cache, "t/=", scope=PUBLIC)
    settled(cache)
    assert cache.stats().vectors == 0
    assert sources(ask(cache, "t/a", scope=PUBLIC, user="one")) == ["llm_call"]


def test_a_tenants_own_row_comes_before_a_nearer_public_one():
    cache = public()
    for user in ("one", "two"):
        ask(cache, "t/=", scope=PUBLIC, user=user)
    settled(cache)
    own = ask(cache, "t/own", scope="tenant", ttl=0.001)[0]
    assert own.source == "semantic_hit"
    model = Model()
    ask(cache, "u/=", scope="tenant", llm=model)
    assert ask(cache, "u/a", scope="tenant")[0].response == "u/= #1"
    assert sources(ask(cache, "u/a", scope="other")) == ["llm_call"], "a tenant's rows are nobody else's"


# ---- floods ---------------------------------------------------------------------------------------------------------


def test_a_flood_of_near_duplicates_of_one_principal_is_stored_for_exact_repeats_only():
    clock = Clock()
    cache = Cache(encoder=TopicEncoder(0.999), policy=CachePolicy(threshold=0.9, mode="shadow"), clock=clock)
    for number in range(40):
        ask(cache, f"t/v{number}", user="mallory")
    assert cache.stats().rows == 40
    # The first has no near-duplicate before it.
    assert cache.stats().vectors == 31
    assert cache.stats().reasons["not_compared:burst"] == 9
    ask(cache, "t/from another", user="alice")
    assert cache.stats().vectors == 32
    clock.now += 61
    ask(cache, "t/later", user="mallory")
    assert cache.stats().vectors == 33


def test_who_names_no_principal_is_not_counted():
    cache = Cache(encoder=TopicEncoder(0.999), policy=CachePolicy(threshold=0.9, mode="shadow"), clock=Clock())
    ask(cache, *[f"t/v{number}" for number in range(40)])
    assert cache.stats().vectors == 40
