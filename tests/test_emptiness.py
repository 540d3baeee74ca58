"""An answer that says nothing is returned and not stored; data of the application's own is an answer."""

from __future__ import annotations

import json

import pytest

from asking import ask, sources
from llmfast import Cache, Reply
from streaming import read, run, words


def chat(message, finish_reason="stop", **more):
    return {"object": "chat.completion", "choices": [{"message": message, "finish_reason": finish_reason}], **more}


def response(*output):
    return {"object": "response", "status": "completed", "output": list(output)}


def message(*content):
    return {"type": "message", "model": "m", "content": list(content), "stop_reason": "end_turn"}


def output_text(text):
    return {"type": "message", "content": [{"type": "output_text", "text": text, "annotations": []}]}


NOBODY = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "audio": None, "tool_calls": None}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

EMPTY = [
    "",
    " \n\t",
    b"",
    b" \n",
    Reply("", finish_reason="stop"),
    Reply(" ", finish_reason="tool_calls"),
    chat({"content": ""}),
    chat({"content": " \n"}),
    chat(NOBODY),
    chat({**NOBODY, "content": "", "tool_calls": [], "provider_specific_fields": {"refusal": None}}),
    chat({"content": "", "reasoning_content": "I think, therefore"}),
    chat({"content": [{"type": "text", "text": ""}]}),
    {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]},
    {"object": "text_completion", "choices": [{"text": " ", "finish_reason": "stop"}]},
    response(),
    response({"type": "reasoning", "summary": []}),
    response({"type": "reasoning", "summary": []}, output_text("")),
    message(),
    message({"type": "text", "text": " "}),
    message({"type": "thinking", "thinking": "I think, therefore"}, {"type": "text", "text": ""}),
]

SAID = [
    "0",
    "[]",
    "{}",
    b"\0",
    [],
    {},
    0,
    False,
    [""],
    {"answer": ""},
    {"content": ""},
    {"type": "message", "content": []},
    {"type": "text", "text": ""},
    {"choices": []},
    {"choices": [{"text": ""}]},
    Reply([], finish_reason="stop"),
    chat({"content": "a"}),
    chat({**NOBODY, "tool_calls": [CALL]}, "tool_calls"),
    chat({**NOBODY, "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
    chat({**NOBODY, "audio": {"id": "a", "data": "AA=="}}),
    chat({**NOBODY, "content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
    {
        "object": "chat.completion",
        "choices": [{"message": {"content": text}, "finish_reason": "stop"} for text in ("", "a")],
    },
    {"object": "text_completion", "choices": [{"text": "a", "finish_reason": "stop"}]},
    response(output_text("a")),
    response({"type": "reasoning", "summary": []}, {"type": "function_call", "name": "f", "arguments": "{}"}),
    message({"type": "text", "text": ""}, {"type": "tool_use", "id": "t", "name": "f", "input": {}}),
]


def as_text(values):
    return [json.dumps(value) for value in values if type(value) is dict]


@pytest.mark.parametrize("value", [*EMPTY, *as_text(EMPTY)], ids=repr)
def test_an_answer_that_says_nothing_is_returned_and_not_stored(value):
    cache = Cache()
    answers = ask(cache, "q", "q", llm=lambda _: value)
    assert sources(answers) == ["llm_call", "llm_call"]
    assert answers[0].response == getattr(value, "value", value)
    assert answers[0].decision.not_stored == "empty"
    assert (cache.stats().reasons, cache.stats().rows) == ({"not_stored:empty": 2}, 0)


@pytest.mark.parametrize("value", [*SAID, *as_text(SAID)], ids=repr)
def test_what_says_something_or_is_data_of_the_application_s_own_is_stored(value):
    assert sources(ask(Cache(), "q", "q", llm=lambda _: value)) == ["llm_call", "exact_hit"]


# ---- streams --------------------------------------------------------------------------------------------------------


def chunk(delta, finish_reason=None):
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return {"object": "chat.completion.chunk", "choices": choices}


USAGE = {"object": "chat.completion.chunk", "choices": [], "usage": None}
BEGINS, ENDS = chunk({"role": "assistant", "content": ""}), chunk({}, "stop")
CREATED = {"type": "response.created", "response": {"object": "response", "status": "in_progress", "output": []}}
PART = {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}}
START = {"type": "message_start", "message": {"type": "message", "content": [], "stop_reason": None}}
STOPS = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]


def completed(*output):
    return {"type": "response.completed", "response": response(*output)}


def text(said):
    return {"type": "response.output_text.delta", "delta": said}


def item(kind, **more):
    return {"type": "response.output_item.added", "item": {"type": kind, **more}}


def block(kind, **more):
    return {"type": "content_block_start", "index": 0, "content_block": {"type": kind, **more}}


def delta(kind, **more):
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **more}}


EMPTY_STREAMS = [
    [],
    [""],
    ["", " ", "\n"],
    ["", Reply(None, finish_reason="stop")],
    [BEGINS, ENDS, USAGE],
    [BEGINS, chunk({"reasoning_content": "hm"}), ENDS],
    [CREATED, item("reasoning"), item("message", content=[]), PART, text(""), completed(output_text(""))],
    [CREATED, completed()],
    [START, *STOPS],
    [START, block("text", text=""), delta("text_delta", text=" "), {"type": "content_block_stop"}, *STOPS],
    [START, block("thinking", thinking=""), delta("thinking_delta", thinking="hm"), {"type": "ping"}, *STOPS],
]

SAID_STREAMS = [
    ["", "a"],
    [{}],
    [[]],
    [BEGINS, chunk({"content": "a"}), ENDS, USAGE],
    [BEGINS, chunk({"tool_calls": [{"index": 0, "function": {"arguments": ""}}]}), chunk({}, "tool_calls")],
    [CREATED, text("a"), {"type": "response.completed", "response": {"object": "response", "status": "completed"}}],
    [CREATED, item("function_call", name="f"), completed({"type": "function_call"})],
    [START, block("text", text=""), delta("text_delta", text="a"), *STOPS],
    [START, block("tool_use", name="f", input={}), delta("input_json_delta", partial_json=""), *STOPS],
]


def sources_of(items):
    async def main():
        cache, found = Cache(), []
        for _ in range(2):
            answer = await cache.get_or_generate("q", words(*items))
            assert await read(answer) == [item for item in items if type(item) is not Reply]
            found.append(answer.source)
        return found, cache.stats().reasons

    return run(main)


@pytest.mark.parametrize("items", [*EMPTY_STREAMS, *map(as_text, EMPTY_STREAMS)], ids=repr)
def test_a_stream_that_says_nothing_is_not_stored(items):
    assert sources_of(items) == (["llm_call", "llm_call"], {"not_stored:empty": 2})


@pytest.mark.parametrize("items", SAID_STREAMS, ids=repr)
def test_a_stream_that_says_something_is_stored(items):
    assert sources_of(items) == (["llm_call", "exact_hit"], {})
