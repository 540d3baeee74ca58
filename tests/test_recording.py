"""What of a stream in flight is kept, and how much of it."""

from __future__ import annotations

import pytest

from llmfast._recording import Recording, _count_of
from llmfast._stream import Ending


def recording(limit):
    return Recording(Ending("m", None), limit)


@pytest.mark.parametrize(
    ("item", "fit"),
    [("x" * 36, 10), (b"x" * 36, 10), (["x" * 32], 10), (object(), 0)],
    ids=["str", "bytes", "json", "object"],
)
def test_items_count_with_what_they_hold_and_64_more(item, fit):
    kept = recording(limit=1_000)
    assert [kept.put(item) for _ in range(fit)] == [True] * fit
    assert (kept.overflown, None if kept.events() is None else len(kept.events().items)) == (False, fit)
    assert not kept.put(item)
    assert (kept.overflown, kept.events()) == (True, None)


@pytest.mark.parametrize(("enough", "count"), [(1, 1), (100, 1), (101, 2), (250, 3), (500, 5)])
def test_so_many_items_make_room(enough, count):
    assert _count_of(["x" * 36] * 5, enough) == count
