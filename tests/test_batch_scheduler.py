"""The batch scheduler on a virtual clock: what it refuses, and how a small day goes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from llmfast import ConfigError, DeadlineError, ItemTooLargeError, OverloadedError
from llmfast._llmfast import BatchScheduler


def slots(tickets: list[int]) -> list[int]:
    return [ticket & 0xFFFF_FFFF for ticket in tickets]


class TestLimits:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"max_batch_size": 0}, "max_batch_size must be 1 to 4294967295, got 0"),
            ({"concurrency": -1}, "concurrency must be 1 to 4294967295, got -1"),
            ({"max_queue": 1 << 32}, "max_queue must be 1 to 4294967295, got 4294967296"),
            ({"max_batch_tokens": 0}, "max_batch_tokens must be at least 1, got 0"),
            ({"max_queue_tokens": -5}, "max_queue_tokens must be at least 1, got -5"),
            ({"max_wait": -0.5}, r"max_wait must be 0 or a finite number of seconds above, got -0\.5"),
            ({"max_wait": float("nan")}, "max_wait must be 0 or a finite number of seconds above, got NaN"),
            ({"ageing": 0.0}, "ageing must be at least 1e-9 seconds, got 0"),
            ({"bins": 0}, "expected 1 to 1024 bins, got 0"),
            ({"bins": [64, 32]}, "the bounds of bins must ascend, got 64 before 32"),
        ],
    )
    def test_a_bound_outside_what_is_accepted_is_named_with_its_number(self, options, message):
        with pytest.raises(ConfigError, match=message):
            BatchScheduler(**options)

    def test_bins_of_another_type_are_a_type_error(self):
        with pytest.raises(TypeError, match="bins must be None, an int or a sequence of int, got many"):
            BatchScheduler(bins="many")  # type: ignore[arg-type]


class TestRefusals:
    def test_a_full_queue(self):
        scheduler = BatchScheduler(max_queue=2, max_queue_tokens=10)
        scheduler.submit(0, cost=7)
        with pytest.raises(OverloadedError, match="queue holds 7 of at most 10 tokens, no room for 4 more"):
            scheduler.submit(0, cost=4)
        scheduler.submit(0, cost=3)
        with pytest.raises(OverloadedError, match="queue holds 2 of at most 2 items"):
            scheduler.submit(0, cost=0)
        stats = scheduler.stats()
        assert (stats["submitted"], stats["refused_items"], stats["refused_tokens"]) == (2, 1, 1)

    def test_an_item_that_no_batch_can_hold(self):
        scheduler = BatchScheduler(max_batch_tokens=512)
        with pytest.raises(ItemTooLargeError, match="item of 513 tokens is larger than the largest of 512"):
            scheduler.submit(0, cost=513)
        assert scheduler.stats()["refused_too_large"] == 1

    def test_a_deadline_that_cannot_be_met(self):
        scheduler = BatchScheduler(max_batch_tokens=1000)
        scheduler.submit(0, cost=500)
        batch, _, _ = scheduler.next(0)
        assert scheduler.finish(0.5, batch)
        # A millisecond a token, as far as one batch tells. Something runs that would tell whether it is still so.
        scheduler.submit(1, cost=1)
        assert scheduler.next(1) is not None
        with pytest.raises(DeadlineError, match=r"deadline is 0\.099000 s away, service takes 0\.100000 s"):
            scheduler.submit(1, cost=100, deadline=1.099)
        scheduler.submit(1, cost=100, deadline=1.1)
        assert scheduler.stats()["refused_too_late"] == 1

    def test_an_item_whose_deadline_is_over_although_nothing_runs(self):
        scheduler = BatchScheduler()
        with pytest.raises(DeadlineError, match="deadline is 0"):
            scheduler.submit(1, deadline=0.5)

    def test_an_end_that_there_is_not(self):
        scheduler = BatchScheduler()
        with pytest.raises(ConfigError, match="no batch ends as 'well'"):
            scheduler.finish(0, 0, "well")  # type: ignore[arg-type]


def test_a_small_day():
    scheduler = BatchScheduler(max_batch_size=3, max_wait=0.010, concurrency=1, ageing=1.0)
    assert scheduler.wake() is None
    first = scheduler.submit(0.000)
    assert scheduler.next(0.005) is None
    assert scheduler.wake() == pytest.approx(0.010)
    scheduler.submit(0.006, priority=1)
    batch, tickets, reason = scheduler.next(0.010)
    assert (slots(tickets), reason) == ([1, 0], "wait")

    # The only worker is busy; a third slot, then the fourth.
    waiting = [scheduler.submit(0.011, key=key) for key in (7, 7, 8, 7, 7)]
    assert slots(waiting) == [2, 3, 4, 5, 6]
    assert (scheduler.next(0.012), scheduler.wake()) == (None, None)
    assert (scheduler.cancel(first), scheduler.cancel(tickets[0])) == ("running", "last")
    assert scheduler.finish(0.013, batch, "cancelled")
    assert (scheduler.finish(0.013, batch), scheduler.cancel(first)) == (False, "unknown")

    # Four of one key: full at once. Slots 0 and 1 are free again.
    batch, tickets, reason = scheduler.next(0.014)
    assert (slots(tickets), reason) == ([2, 3, 5], "items")
    assert slots([scheduler.submit(0.014, key=8, deadline=0.015)]) == [0]
    assert scheduler.cancel(waiting[4]) == "waiting"
    assert scheduler.wake() == pytest.approx(0.015)
    assert (scheduler.next(0.016), slots(scheduler.late()), scheduler.late()) == (None, [0], [])
    assert scheduler.finish(0.020, batch)

    batch, tickets, reason = scheduler.next(0.021)
    assert (slots(tickets), reason) == ([4], "wait")
    assert scheduler.finish(0.022, batch, "failed")
    stats = scheduler.stats()
    assert (stats["batches"], stats["formed"], stats["largest"], stats["late"]) == (3, 6, 3, 1)
    assert (stats["cancelled_waiting"], stats["cancelled_running"]) == (1, 2)
    assert stats["reasons"] == {"items": 1, "tokens": 0, "worker": 0, "wait": 2, "deadline": 0, "compatible": 0}
    assert stats["service_time"]["count"] == 1
    assert stats["service_time"]["max"] == pytest.approx(0.006)
    assert sum(count for _, count in stats["queue_time"]["buckets"]) == 6


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 3), st.integers(-2, 2)), min_size=1, max_size=80),
    st.integers(100, 400),
    st.sampled_from([None, 3, [20, 60]]),
)
def test_everything_is_served_once_within_the_budget(items, budget, bins):
    scheduler = BatchScheduler(max_batch_size=16, max_batch_tokens=budget, padded=True, bins=bins)
    costs = {}
    for number, (cost, tenant, priority) in enumerate(items):
        costs[scheduler.submit(number * 0.001, cost=cost, tenant=tenant, priority=priority)] = cost
    now = 1.0
    while (formed := scheduler.next(now)) is not None:
        batch, tickets, _ = formed
        batch_costs = [costs.pop(ticket) for ticket in tickets]
        assert len(batch_costs) <= 16
        assert len(batch_costs) * max(batch_costs) <= budget
        now += 0.001
        assert scheduler.finish(now, batch)
    assert costs == {}
    assert scheduler.stats()["tokens"] == sum(cost for cost, _, _ in items)


# ---- what is known of service grows old ------------------------------------------------------------------------------


def serve(scheduler, now, seconds, **item):
    """Submit an item, have its batch served, and return how many items that had."""
    scheduler.submit(now, **item)
    batch, tickets, _ = scheduler.next(now)
    assert scheduler.finish(now + seconds, batch)
    return len(tickets)


def test_one_slow_call_does_not_have_deadlines_refused_for_ever():
    scheduler = BatchScheduler()
    serve(scheduler, 0.0, 10.0)
    now = 10.0
    for _ in range(50):
        # One at a time finds nothing running, whatever was learned.
        assert serve(scheduler, now, 0.001, deadline=now + 0.5) == 1
        now += 0.01
    scheduler.submit(now)
    assert scheduler.next(now) is not None
    scheduler.submit(now, deadline=now + 0.5)
    stats = scheduler.stats()
    assert (stats["refused_too_late"], stats["late"]) == (0, 0), "beside a call that runs as well"


def test_several_that_are_predicted_to_be_late_tell_together():
    scheduler = BatchScheduler(max_batch_size=3)
    serve(scheduler, 0.0, 10.0)
    for number in range(4):
        scheduler.submit(10.0, deadline=10.5 + number)
    _, tickets, _ = scheduler.next(10.0)
    assert len(tickets) == 3
    assert (scheduler.next(10.0), len(scheduler.late())) == (None, 1), "the others wait behind a call that runs"


def test_what_is_predicted_to_be_late_gives_way_to_what_is_not():
    scheduler = BatchScheduler()
    serve(scheduler, 0.0, 10.0)
    late, other = scheduler.submit(10.0, deadline=10.5), scheduler.submit(10.0)
    _, tickets, _ = scheduler.next(10.0)
    assert (tickets, scheduler.late()) == ([other], [late])


def test_a_deadline_that_is_no_longer_than_max_wait_is_met():
    scheduler = BatchScheduler(max_wait=0.05)
    scheduler.submit(0.0, deadline=0.05)
    batch, _, reason = scheduler.next(0.0)
    assert reason == "deadline", "it is not known how long service takes"
    assert scheduler.finish(0.002, batch)
    scheduler.submit(1.0, deadline=1.05)
    assert scheduler.next(1.0) is None
    assert scheduler.wake() == pytest.approx(1.05 - 0.002 - 0.005), "early enough for a timer that comes late"
    assert scheduler.next(1.047) is not None
