"""Reading logs: every line is a request or is counted with its reason, and nothing crashes."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from hypothesis import example, given, strategies as st

from llmfast import ConfigError
from llmfast._replay.log import SHOWN, BadLineError, Log, Request, parse_body


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
        system="be brief",
        history=[{"role": "user", "content": "first"}, {"role": "assistant", "content": "yes"}],
        model="gpt-4o",
        params={"temperature": 0.5, "tools": [{"type": "function"}]},
        user="u1",
        intent="greeting",
        time=12.5,
        usage=(10, 3),
        response="fine",
        line=1,
    )


def test_a_body_with_messages_alone_is_enough():
    (request,), _ = read(body())
    assert request == Request("hello", line=1)


def test_the_answer_may_be_the_last_turn_or_a_response_object():
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    (request,), _ = read(json.dumps({"messages": turns}).encode())
    assert (request.query, request.history, request.response) == ("q", None, "a")
    answer = {"choices": [{"message": {"content": "b"}}], "usage": {"input_tokens": 1, "output_tokens": 2}}
    (request,), _ = read(body(response=answer))
    assert (request.response, request.usage) == ("b", (1, 2))


def test_turns_after_the_question_count_as_history():
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "42"},
    ]
    (request,), _ = read(json.dumps({"messages": turns}).encode())
    assert request.query == "q"
    assert request.history == turns[1:]


def test_text_parts_are_joined_and_other_parts_refused():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parse_body(json.dumps({"messages": [{"role": "user", "content": parts}]}).encode()).query == "a\nb"
    image = [{"type": "image_url", "image_url": {"url": "x"}}]
    with pytest.raises(BadLineError, match="not text"):
        parse_body(json.dumps({"messages": [{"role": "user", "content": image}]}).encode())


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


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (5, 5.0),
        ("1970-01-01T00:01:00+00:00", 60.0),
        ("1970-01-01T00:01:00Z", 60.0),
        ("soon", None),
        (True, None),
        (1e300, None),
    ],
)
def test_times_are_seconds_or_iso_8601(time, seconds):
    assert read(body(time=time))[0][0].time == seconds


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


@given(st.binary(max_size=300), st.sampled_from(["auto", "jsonl", "text"]))
@example(b"\xfe\xff", "auto")
@example(b"[", "auto")
@example(b"\n [\n", "auto")
def test_any_bytes_are_requests_or_counted(data, form):
    lines = [line.strip(b" \t\r\n") for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    full = [line for line in lines if line]
    if form == "auto" and data.startswith((b"\xff\xfe", b"\xfe\xff")):
        with pytest.raises(ConfigError, match="UTF-16"):
            read(data, form=form)
    elif form == "auto" and full and (full[0] == b"[" or full[0].startswith(b"[{")):
        with pytest.raises(ConfigError, match="JSON list"):
            read(data, form=form)
    else:
        requests, log = read(data, form=form)
        assert len(requests) + log.skipped.lines == len(full) or log.cut_short
