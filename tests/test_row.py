"""Rows through Python: every field survives the seal, damage does not."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, strategies as st

import llmfast
from llmfast._llmfast import Row
from llmfast._values import MAX_DEPTH, Events, freeze, pack, unpack

KEY = bytes(range(32))
texts = st.text(max_size=8)
whole = st.integers(0, 2**64 - 1)
rows = st.builds(
    Row,
    key=st.binary(min_size=32, max_size=32),
    partition=st.integers(0, 2**128 - 1),
    payload=texts.map(str.encode),
    codec=st.sampled_from(["text", "bytes", "json", "events"]),
    created_at=st.integers(0, 2**40).map(lambda ms: ms / 1000),
    expires_at=st.none() | st.integers(0, 2**40).map(lambda ms: ms / 1000),
    usage=st.none() | st.tuples(whole, whole),
    model=texts,
    version=texts,
    tags=st.lists(texts, max_size=3),
    kind=texts,
    principal=st.none() | st.integers(0, 2**128 - 1),
    cluster=st.none() | whole,
    scope=st.integers(0, 2**128 - 1),
    question=texts,
    stale_for=st.integers(0, 2**40).map(lambda ms: ms / 1000),
)
FIELDS = (
    "key", "partition", "payload", "codec", "created_at", "expires_at", "usage", "model", "version", "tags", "kind",
    "principal", "cluster", "scope", "question", "stale_for",
)  # fmt: skip


@given(rows)
def test_a_sealed_row_opens_as_it_was(row):
    opened = Row.open(row.seal(KEY), KEY)
    assert opened == row
    assert [getattr(opened, name) for name in FIELDS] == [getattr(row, name) for name in FIELDS]


@given(rows, st.data())
def test_damage_and_forgery_are_noticed(row, data):
    sealed = bytearray(row.seal(KEY))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(llmfast.CorruptRowError, match="damaged or forged row"):
        Row.open(bytes(sealed), KEY)
    with pytest.raises(llmfast.CorruptRowError, match="seal does not fit"):
        Row.open(row.seal(bytes(32)), KEY)


def test_an_unknown_codec_is_refused():
    with pytest.raises(llmfast.ConfigError, match=r"codec must be .* got 'pickle'"):
        Row(key=KEY, partition=0, payload=b"", codec="pickle", created_at=0.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(json_values | st.binary(max_size=8))
def test_an_answer_comes_back_as_it_was(value):
    packed = pack(value)
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return
    assert packed is not None
    back = unpack(Row(key=KEY, partition=0, payload=packed[1], codec=packed[0], created_at=0.0))
    assert repr(back) == repr(value)


BYTES_AS_JSON = {"$bytes": "AA=="}


@pytest.mark.parametrize(
    "item",
    [
        b"\0",
        BYTES_AS_JSON,
        {"$json": BYTES_AS_JSON},
        {**BYTES_AS_JSON, "more": 1},
        {"more": 1, **BYTES_AS_JSON},
        {"more": 1, "$json": 2},
        [BYTES_AS_JSON],
        '{"$bytes":"AA=="}',
    ],
    ids=repr,
)
def test_an_item_of_a_stream_comes_back_as_it_was(item):
    codec, payload = pack(Events((freeze(item), freeze("next"))))
    row = Row(key=KEY, partition=0, payload=payload, codec=codec, created_at=0.0)

    async def read():
        return [found async for found in unpack(row)]

    assert asyncio.run(read()) == [item, "next"]


class Text(str):
    """A text that would come back as a plain one."""


def test_answers_that_would_not_come_back_as_they_are_are_not_packed():
    deep = []
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    doubled = []
    for _ in range(40):
        doubled = [doubled, doubled]
    for value in [
        doubled,
        (1, 2),
        {1: 2},
        {"a": (1,)},
        float("nan"),
        [float("inf")],
        "\ud800",
        object(),
        Text("a"),
        {1},
        deep,
    ]:
        assert pack(value) is None


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_a_row_lies_in_its_partition_alone(number, other):
    row = Row(key=KEY, partition=number, payload=b"", codec="text", created_at=0.0)
    assert row.lies_in(number.to_bytes(16, "little"))
    assert row.lies_in(other.to_bytes(16, "little")) == (other == number)
    for wrong in (b"", bytes(15), bytes(17)):
        with pytest.raises(ValueError, match="16"):
            row.lies_in(wrong)


@pytest.mark.parametrize(("codec", "shared"), [("text", "{}"), ("bytes", b"{}"), ("json", None), ("events", None)])
def test_what_cannot_change_may_be_shared(codec, shared):
    row = Row(key=KEY, partition=0, payload=b"{}", codec=codec, created_at=0.0)
    assert row.shared == shared
    assert type(row.shared) is type(shared)
    assert row.shared is row.shared
