"""The times of a log: in which forms they are read, and what becomes of requests that are out of order."""

from __future__ import annotations

import os
import time

import pytest

from llmfast._replay.clock import VirtualClock
from llmfast._replay.times import read_time

NOON = 1_709_985_600.0  # 2024-03-09 12:00:00 UTC


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (5, 5.0),
        (1_709_985_600_000, NOON),
        ("1709985600", NOON),
        (" 1709985600000 ", NOON),
        ("1709985600.5", NOON + 0.5),
        ("1.7099856e9", NOON),
        ("2024-03-09T12:00:00Z", NOON),
        ("2024-03-09T12:00:00+00:00", NOON),
        ("2024-03-09T13:00:00+01:00", NOON),
        ("2024-03-09T12:00:00", NOON),
        ("2024-03-09 12:00:00", NOON),
        ("2024-03-09 12:00:00 UTC", NOON),
        ("2024-03-09 12:00:00.500 utc", NOON + 0.5),
        ("20240309", NOON - 43_200),
        ("Sat, 09 Mar 2024 12:00:00 GMT", NOON),
        ("Sat, 09 Mar 2024 13:00:00 +0100", NOON),
        ("Sat, 09 Mar 2024 12:00:00 -0000", NOON),
        ("Sat Mar  9 12:00:00 2024", NOON),
        ("2024/03/09 12:00:00", NOON),
        ("09/Mar/2024:12:00:00 +0000", NOON),
    ],
)
def test_times_are_numbers_or_dates_in_common_forms(said, seconds):
    assert read_time({"time": said}) == (seconds, None)


@pytest.mark.parametrize("said", ["soon", "", "nan", "1e400", True, 1e300, "9999-99-99", "1_0", float("inf")])
def test_what_is_no_time_is_shown(said):
    assert read_time({"time": said}) == (None, repr(said)[:40])


def test_what_is_no_time_may_be_deep():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert read_time({"time": deep}) == (None, "a list")
    assert read_time({"time": {}}) == (None, "a dict")


def test_the_first_name_with_a_time_counts():
    assert read_time({"time": None, "timestamp": 5}) == (5.0, None)
    assert read_time({"time": "soon", "created": 5}) == (5.0, None)
    assert read_time({"time": "soon", "created": "later"}) == (None, "'soon'")
    assert read_time({"time": None}) == read_time({}) == (None, None)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs a zone that can be set")
def test_a_date_without_a_zone_does_not_depend_on_the_machine(monkeypatch):
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        with monkeypatch.context() as patch:
            patch.setitem(os.environ, "TZ", zone)
            time.tzset()
            assert read_time({"time": "2024-03-09T12:00:00"}) == (NOON, None)
    time.tzset()


def moved(*stamps: float | None) -> VirtualClock:
    clock = VirtualClock()
    for line, stamp in enumerate(stamps, start=1):
        clock.move(stamp, line)
    return clock


def test_the_virtual_clock_never_goes_back():
    clock = VirtualClock()
    assert [clock.move(stamp) for stamp in (None, 10.0, 5.0, None, 12.5)] == [0.0, 10.0, 10.0, 11.0, 12.5]
    assert clock() == 12.5
    assert VirtualClock().move(-5.0) == 0.0


def test_times_in_order_need_no_note():
    assert moved().notes() == moved(1.0, None, 2.0, 2.0).notes() == moved(None, None).notes() == []


def test_a_wrong_time_ahead_of_all_others_is_named():
    (note,) = moved(5.0, 1_000.0, 6.0, 7.0, None).notes()
    assert note.startswith("2 of 4 times are earlier than one before them, by up to 16.6 min (line 3, behind line 2).")
    assert note.endswith("Sort the log by time, or mend the times that are wrong")


def test_a_log_from_new_to_old_is_to_be_reversed():
    (note,) = moved(300_000.0, 200_000.0, 100_000.0).notes()
    assert note.startswith("2 of 3 times are earlier than one before them, by up to 2 days (line 3, behind line 1).")
    assert note.endswith("The log begins with its end: reverse it, for example with tac")
