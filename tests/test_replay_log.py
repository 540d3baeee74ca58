"""Reading logs: every line is a request or is counted with its reason, and nothing crashes."""

from __future__ import annotations

import gzip
import io
import json
import re

import pytest
from hypothesis import example, given, strategies as st

from llmfast import ConfigError
from llmfast._replay.log import SHOWN, BadLineError, Log, Request, parse_body
from llmfast._replay.run import Replay, Settings


def read(data: bytes, **options) -> tuple[list[Request], Log]:
    log = Log(io.BytesIO(data), **options)
    return list(log), log


def body(**fields) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "hello"}], **fields}).encode()


def test_a_full_body_becomes_a_request():
    line = json.dumps(
        {
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "yes"},
                {"role": "user", "content": "second"},
            ],
            "temperature": 0.5,
            "tools": [{"type": "function"}],
            "scope": "acme",
            "user": "u1",
            "intent": "greeting",
            "time": 12.5,
            "usage": {"prompt_tokens": 10, "completion_tokens": 3},
            "response": "fine",
            "id": "abc",
        }
    )
    (request,), log = read(line.encode())
    assert log.form == "jsonl"
    assert request == Request(
        "second",
        body={
            "model": "gpt-4o",
            "messages": json.loads(line)["messages"],
            "temperature": 0.5,
            "tools": [{"type": "function"}],
        },
        model="gpt-4o",
        scope="acme",
        user="u1",
        intent="greeting",
        time=12.5,
        usage=(10, 3),
        response="fine",
        line=1,
    )


def test_a_body_with_messages_alone_is_enough():
    (request,), _ = read(body())
    assert request == Request("hello", body={"messages": [{"role": "user", "content": "hello"}]}, line=1)


USER = {"role": "user", "content": "q"}


def turns_of(request: Request) -> list:
    return request.body["messages"]


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ([{"role": "assistant", "content": "a"}], "a"),
        ([{"role": "assistant", "content": [{"type": "text", "text": "a"}]}], "a"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], None),
        ([{"role": "assistant", "content": None}, {"role": "assistant", "content": "a"}], "a"),
        ([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}], "a\nb"),
    ],
)
def test_the_assistants_turns_at_the_end_are_the_answer(answer, response):
    (request,), _ = read(json.dumps({"messages": [USER, *answer]}).encode())
    assert (request.query, turns_of(request), request.response, request.finish_reason) == ("q", [USER], response, None)


def test_a_refusal_is_an_answer_that_is_not_stored():
    turns = [USER, {"role": "assistant", "content": None, "refusal": "I can't"}]
    (request,), _ = read(json.dumps({"messages": turns}).encode())
    assert (turns_of(request), request.response, request.finish_reason) == ([USER], None, "content_filter")


def test_what_a_tool_returned_goes_on_from_the_question():
    turns = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "42"},
    ]
    (request,), _ = read(json.dumps({"messages": [*turns, {"role": "assistant", "content": "It is 42"}]}).encode())
    assert (request.query, turns_of(request), request.response) == ("q", turns, "It is 42")


CUT = {"object": "chat.completion", "choices": [{"finish_reason": "length", "message": {"content": "b"}}]}
MESSAGE = {"type": "message", "model": "m", "content": [{"type": "text", "text": "b"}], "stop_reason": "end_turn"}


@pytest.mark.parametrize(
    ("response", "finish_reason"),
    [
        ("b", None),
        ({"choices": [{"message": {"content": "b"}}]}, None),
        (CUT, "length"),
        ({**CUT, "choices": [{"finish_reason": "stop", "message": {"content": "b"}}]}, None),
        ({**CUT, "choices": [{"finish_reason": "content_filter", "message": {"content": "b"}}]}, "content_filter"),
        ({**CUT, "choices": [{"message": {"content": "b"}}]}, "in_progress"),
        (MESSAGE, None),
        ({**MESSAGE, "stop_reason": "max_tokens"}, "length"),
        ({"role": "assistant", "content": [{"type": "text", "text": "b"}]}, None),
    ],
)
def test_a_response_may_be_what_the_provider_returned(response, finish_reason):
    (request,), _ = read(body(response=response))
    assert (request.response, request.finish_reason) == ("b", finish_reason)


def test_tokens_and_the_finish_reason_are_told_by_the_response_or_beside_it():
    usage = {"input_tokens": 1, "output_tokens": 2}
    (request,), _ = read(body(response={"usage": usage}, finish_reason="max_tokens"))
    assert (request.usage, request.finish_reason) == ((1, 2), "max_tokens")


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "be brief"},
        {"model": "claude-sonnet-4"},
        {"stop_sequences": ["x"]},
        {"tools": [{"name": "f", "input_schema": {}}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "42"}]}]},
    ],
)
def test_a_body_of_anthropics_is_recognised(fields):
    assert read(body(**fields))[0][0].api == "anthropic.messages"
    system = {"role": "system", "content": "be brief"}
    turns = [system, *json.loads(body(**fields))["messages"]]
    assert read(body(**{**fields, "messages": turns}))[0][0].api == "openai.chat"


def test_text_parts_are_joined_and_images_stay_in_the_body():
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}]
    request = parse_body(json.dumps({"messages": [{"role": "user", "content": [*parts, parts[0]]}]}).encode())
    assert request.query == "a\na"
    assert turns_of(request)[0]["content"][1] == parts[1]
    for content in ([], ["a"], [{"text": "a"}], 7, None):
        with pytest.raises(BadLineError, match="not text"):
            parse_body(json.dumps({"messages": [{"role": "user", "content": content}]}).encode())


@pytest.mark.parametrize(
    ("first", "form"),
    [
        (b'{"messages": []}', "jsonl"),
        (b"  {broken", "jsonl"),
        (b"how are you", "text"),
        (b"[1]", "text"),
        (b"\xff", "text"),
    ],
)
def test_the_first_line_decides_the_format(first, form):
    assert read(b"\n \n" + first)[1].form == form


@pytest.mark.parametrize("first", [b'tail of a rotated line"}]}', b"# comment", b"null", b"\xff", b"7\n" * 17 + b"7"])
def test_a_body_among_the_first_lines_makes_a_log_of_bodies(first):
    requests, log = read(first + b"\n" + body() + b"\n" + body())
    assert log.form == "jsonl"
    assert [request.query for request in requests] == ["hello", "hello"]
    assert log.skipped.lines == first.count(b"\n") + 1


def test_objects_in_a_text_are_questions_and_are_noted():
    requests, log = read(b"what is this?\n" * 30 + body() + b'\n{"a": 1}\n{not so}')
    assert (log.form, len(requests)) == ("text", 33)
    (note,) = log.notes()
    assert note.startswith("2 lines of this text are JSON objects (the first is line 31), and count as questions")
    assert read(body(), form="text")[1].notes() == []


def test_the_format_can_be_forced():
    requests, log = read(b'{"messages": []}\n', form="text")
    assert [request.query for request in requests] == ['{"messages": []}']
    assert log.skipped.lines == 0


def test_text_is_one_question_a_line_without_its_ends():
    requests, _ = read(b"\xef\xbb\xbfone\r\n\n  two \n\nthree")
    assert [(request.query, request.line) for request in requests] == [("one", 1), ("two", 3), ("three", 5)]


BAD = {
    b"{nope": "not JSON",
    b"[1, 2]": "not a JSON object",
    b'{"model": "x"}': "no list of messages",
    b'{"messages": "x"}': "no list of messages",
    b'{"messages": [1]}': "no list of messages",
    b'{"messages": []}': "no user turn",
    b'{"messages": [{"role": "assistant", "content": "x"}]}': "no user turn",
    b'{"messages": [{"role": "user"}]}': "content that is not text",
    b'{"messages": [{"role": "user", "content": NaN}]}': "not JSON",
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}': "a lone surrogate, which is not text",
    b'{"messages": [{"role": "user", "content": "a"}], "x": {"\\uDFFF": 1}}': "a lone surrogate, which is not text",
    b'{"messages": [{"role": "user", "content": "\xff"}]}': "not UTF-8",
    b'{"a": ' + b"[" * 100_000: "not JSON",
    b'{"a": ' + b"1" * 10_000 + b"}": "not JSON",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items(), ids=lambda value: str(value)[:40])
def test_a_bad_line_is_counted_with_its_number_and_the_next_is_read(line, reason):
    requests, log = read(body() + b"\n" + line + b"\n" + body())
    assert [request.line for request in requests] == [1, 3]
    assert log.skipped.reasons == {reason: 1}
    assert log.skipped.first[0].startswith(f"line 2: {reason}")


def test_a_pair_of_surrogates_is_text():
    (request,), _ = read(b'{"messages": [{"role": "user", "content": "\\ud83d\\ude00"}]}')
    assert request.query == "\N{GRINNING FACE}"


def test_only_the_first_few_bad_lines_are_kept_in_words():
    _, log = read(body() + b"\n{" * 100)
    assert log.skipped.lines == 100
    assert len(log.skipped.first) == SHOWN


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": True}, {"prompt_tokens": 1e9}, [], "x", None],
)
def test_usage_that_cannot_be_counts_is_no_usage(usage):
    assert read(body(usage=usage))[0][0].usage is None


def test_times_that_cannot_be_read_are_noted():
    requests, log = read(b"\n".join([body(time=5), body(time="soon"), body(time=None), body(), body(time=True)]))
    assert [request.time for request in requests] == [5.0, None, None, None, None]
    (note,) = log.notes()
    assert note.startswith("2 times cannot be read (the first, in line 2: 'soon')")


def test_gzip_is_opened_whatever_its_name():
    requests, _ = read(gzip.compress(b"one\ntwo\n"))
    assert [request.query for request in requests] == ["one", "two"]


def test_a_damaged_gzip_file_gives_what_can_be_read():
    lines = b"".join(b"question %d %d\n" % (n, n * n % 1009) for n in range(20_000))
    requests, log = read(gzip.compress(lines)[:-4000])
    assert 0 < len(requests) < 20_000
    assert "damaged" in log.cut_short


def test_a_line_of_ten_megabytes():
    (request,), _ = read(body(messages=[{"role": "user", "content": "x" * 10_000_000}]))
    assert len(request.query) == 10_000_000


def test_the_share_read_grows_to_one(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(b"question\n" * 100_000)
    log = Log.open(str(path))
    shares = [log.fraction() for _ in log]
    assert shares == sorted(shares)
    assert shares[0] < 0.2
    assert shares[-1] == 1.0
    log.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ODD = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(
            st.fixed_dictionaries(
                {}, optional={"role": st.sampled_from(["user", "system", "assistant", "tool", 7]), "content": JSON}
            )
        )
        | JSON,
        "model": JSON,
        "user": JSON,
        "usage": JSON,
        "time": JSON,
        "system": JSON,
        "tools": JSON,
        "finish_reason": JSON,
        "intent": JSON,
        "response": JSON,
        "temperature": JSON,
    },
)


@given(st.lists(ODD | JSON, max_size=5))
def test_any_json_is_a_request_or_counted(values):
    lines = [json.dumps(value).encode() for value in values]
    requests, log = read(b"\n".join(lines), form="jsonl")
    assert len(requests) + log.skipped.lines == len(lines)
    replay = Replay(Settings(), None)
    replay.run(requests, log.skipped)
    assert len(replay.trace.served) + log.skipped.lines == len(lines)


@given(st.binary(max_size=300), st.sampled_from(["auto", "jsonl", "text"]))
@example(b"\xfe\xff", "auto")
@example(b"[", "auto")
@example(b"[ {", "auto")
@example(b"\n [\n", "auto")
def test_any_bytes_are_requests_or_counted(data, form):
    lines = [line.strip(b" \t\r\n") for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    full = [line for line in lines if line]
    if form == "auto" and data.startswith((b"\xff\xfe", b"\xfe\xff")):
        with pytest.raises(ConfigError, match="UTF-16"):
            read(data, form=form)
    elif form == "auto" and full and re.match(rb"\[\s*(\{|$)", full[0]):
        with pytest.raises(ConfigError, match="JSON list"):
            read(data, form=form)
    else:
        requests, log = read(data, form=form)
        assert len(requests) + log.skipped.lines == len(full) or log.cut_short


@pytest.mark.parametrize(
    ("scope", "read"), [(None, None), ("", None), ("acme", "acme"), (17, "17"), (["a", 1], '["a", 1]')]
)
def test_a_scope_that_is_no_text_keeps_answers_apart_all_the_same(scope, read):
    assert parse_body(json.dumps({"messages": [USER], "scope": scope}).encode()).scope == read
