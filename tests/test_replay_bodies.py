"""A request of a log is the one that the live engine sees: the same bodies are the same request."""

from __future__ import annotations

import json

import pytest

from llmfast import Cache
from llmfast._replay.log import Skipped, parse_body
from llmfast._replay.report import Curve, Source, build
from llmfast._replay.run import Replay, Settings
from llmfast._request import Ask

USER = [{"role": "user", "content": "the same question"}]
CHAT = {"model": "gpt-4o", "messages": USER}
MESSAGES = {"model": "claude-sonnet-4", "messages": USER, "max_tokens": 9, "system": "be brief"}


def report(*bodies: dict) -> dict:
    replay, skipped = Replay(Settings(router=False), None), Skipped()
    replay.run([parse_body(json.dumps(body).encode()) for body in bodies], skipped)
    assert skipped.lines == 0
    return build(replay, Source("log", bundled=False), skipped, Curve([], 0))


def live(api: str, *bodies: dict) -> int:
    """How many different requests the bodies are to the cache."""
    cache = Cache()
    return len({cache.plan(Ask.from_wire(api, json.dumps(body).encode()), "").key for body in bodies})


@pytest.mark.parametrize(
    "field",
    ["metadata", "user", "safety_identifier", "prompt_cache_key", "service_tier", "store", "timeout", "trace_id"],
)
@pytest.mark.parametrize(("api", "base"), [("openai.chat", CHAT), ("anthropic.messages", MESSAGES)])
def test_what_counts_is_what_counts_for_the_live_engine(api, base, field):
    value = (lambda n: {"run": f"{n}"}) if field == "metadata" else str
    bodies = [{**base, field: value(n)} for n in range(3)]
    assert report(*bodies)["distinct_requests"] == live(api, *bodies)


@pytest.mark.parametrize(
    "bodies",
    [
        [CHAT, {**CHAT, "temperature": None}, {**CHAT, "stream": False, "n": None}],
        [CHAT, {**CHAT, "stream": True}, {**CHAT, "stream": True, "stream_options": {"include_usage": True}}],
        [CHAT, {**CHAT, "messages": [{"role": "user", "content": [{"type": "text", "text": "the same question"}]}]}],
        [CHAT, {**CHAT, "messages": [{"role": "system", "content": "x"}, *USER]}],
        [CHAT, {**CHAT, "messages": [*USER, {"role": "user", "content": "and?"}]}],
    ],
)
def test_bodies_have_the_normal_form_of_the_live_engine(bodies):
    assert report(*bodies)["distinct_requests"] == live("openai.chat", *bodies)


def test_a_log_may_say_more_than_the_request_beside_it():
    more = {
        "id": "x",
        "request_id": "r",
        "time": 5,
        "response": "a",
        "usage": {},
        "intent": "i",
        "finish_reason": "stop",
    }
    made = report(CHAT, {**CHAT, **more})
    assert (made["distinct_requests"], made["hits"]["requests"]) == (1, 1)
    assert made["notes"] == []


def test_images_are_a_part_of_the_request_and_not_of_the_estimate():
    def image(data: str) -> dict:
        return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}

    def body(data: str) -> dict:
        return {**CHAT, "messages": [{"role": "user", "content": [image(data * 10_000)]}]}

    made = report(body("A"), body("A"), body("B"))
    assert (made["distinct_requests"], made["hits"]["requests"]) == (2, 1)
    assert made["tokens"]["without"]["input"] == 0
    assert made["notes"] == ["3 requests hold images, sounds or files, which no estimate of tokens counts"]


def test_parameters_that_alone_tell_requests_apart_are_named():
    bodies = [{**CHAT, "trace_id": f"t{n}", "latency_ms": n // 2, "temperature": 0} for n in range(6)]
    made = report(*bodies, {**CHAT, "messages": [{"role": "user", "content": "another"}], "trace_id": "t9"})
    assert made["hits"]["requests"] == 0
    (note,) = made["notes"]
    assert note.startswith(
        "5 requests differ from an earlier one in their parameters alone: trace_id (5), latency_ms (4)."
    )


def test_what_is_not_stored_is_counted_with_the_reason():
    made = report(*[{**CHAT, "response": "cut", "finish_reason": "length"}] * 3)
    assert made["hits"]["requests"] == 0
    assert made["notes"] == ["3 answers are not stored, and serve nobody else: 3 truncated"]
