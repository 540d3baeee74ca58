"""`batch`: who goes first, with whom, and who is refused. A test waits for a fixed time only to be late."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, strategies as st

from batching import open_gate, outcomes, shut_gate
from llmfast._batch import batch
from llmfast._errors import ConfigError, DeadlineError, ItemTooLargeError, OverloadedError
from loops import turns


async def behind_a_call(gate, embed, items):
    """Submit items, each (item, wishes), while the worker is busy; return the calls that follow."""
    first = embed.submit("busy")
    await turns()
    futures = [embed.submit(item, **wishes) for item, wishes in items]
    gate.open_all()
    await asyncio.gather(first, *futures)
    return gate.calls[1:]


def test_a_higher_priority_goes_first():
    gate, embed = shut_gate(max_batch_size=2)
    items = [("a", {}), ("b", {"priority": 1}), ("c", {"priority": -1}), ("d", {"priority": 1}), ("e", {})]
    calls = asyncio.run(behind_a_call(gate, embed, items))
    assert calls == [["b", "d"], ["a", "e"], ["c"]]


def test_of_equal_priority_the_earliest_deadline_goes_first():
    gate, embed = shut_gate(max_batch_size=1)
    items = [("a", {}), ("b", {"deadline": 60}), ("c", {"deadline": 30}), ("d", {"deadline": 90, "priority": 1})]
    calls = asyncio.run(behind_a_call(gate, embed, items))
    assert calls == [["d"], ["c"], ["b"], ["a"]]


def test_tenants_share_a_batch_equally():
    gate, embed = shut_gate(max_batch_size=4)
    items = [(f"a{number}", {"tenant": "a"}) for number in range(10)] + [
        (f"b{number}", {"tenant": "b"}) for number in range(3)
    ]
    calls = asyncio.run(behind_a_call(gate, embed, items))
    assert [sum(item.startswith("b") for item in call) for call in calls[:2]] == [2, 1]
    assert [item for call in calls for item in call if item.startswith("a")] == [f"a{number}" for number in range(10)]


@given(st.lists(st.sampled_from(["x", "y", 1, 1.0, None, ("t",)]), max_size=30))
def test_only_items_of_equal_keys_share_a_batch(keys):
    gate, embed = open_gate(lambda items: items)

    async def main():
        futures = [embed.submit((place, key), key=key) for place, key in enumerate(keys)]
        return await asyncio.gather(*futures)

    assert asyncio.run(main()) == list(enumerate(keys))
    assert all(len({key for _, key in call}) == 1 for call in gate.calls)
    assert len(gate.calls) == len(set(keys))


def test_a_key_without_a_hash_is_refused_and_queues_nothing():
    gate, embed = open_gate()

    async def main():
        for wishes in ({"key": []}, {"tenant": []}, {"key": [], "tenant": "t"}):
            with pytest.raises(TypeError, match="unhashable"):
                embed.submit("a", **wishes)
            with pytest.raises(TypeError, match="unhashable"):
                await embed.map("ab", **wishes)
        return await embed("b", tenant="t")

    assert asyncio.run(main()) == "B"
    assert gate.calls == [["b"]]


@pytest.mark.parametrize("padded", [False, True])
@given(costs=st.lists(st.integers(0, 20), max_size=60), most=st.integers(20, 60))
def test_no_batch_exceeds_its_tokens(padded, costs, most):
    sizes = []

    @batch(max_batch_tokens=most, cost=lambda item: item[1], padded=padded)
    async def embed(items):
        sizes.append([cost for _, cost in items])
        return items

    items = list(enumerate(costs))
    assert asyncio.run(embed.map(items)) == items
    assert sorted(cost for size in sizes for cost in size) == sorted(costs)
    assert all((len(size) * max(size) if padded else sum(size)) <= most for size in sizes)
    stats = embed.stats()
    assert stats.tokens == sum(costs)
    if padded:
        assert stats.padded_tokens == sum(len(size) * max(size) for size in sizes)


def test_an_item_that_is_too_large_is_refused_with_the_numbers():
    gate, embed = open_gate(max_batch_tokens=10, cost=len)

    async def main():
        with pytest.raises(ItemTooLargeError, match=r"11\b.*\b10\b"):
            embed.submit("x" * 11)
        with pytest.raises(ItemTooLargeError, match=r"11\b.*\b10\b"):
            await embed.map(["a", "x" * 11])
        return await embed("x" * 10)

    assert asyncio.run(main()) == "X" * 10
    assert gate.calls == [["x" * 10]]
    assert embed.stats().dropped["too large"] == 1


@pytest.mark.parametrize("cost", [-1, 1.5, "3", None, 2**32])
def test_a_cost_that_is_no_count_is_refused(cost):
    _, embed = open_gate(cost=lambda item: cost)

    async def main():
        embed.submit("a")

    with pytest.raises(ConfigError, match="the cost of an item must be an int from 0 to 4294967295, got"):
        asyncio.run(main())


def test_a_full_queue_refuses_and_counts():
    gate, embed = shut_gate(max_queue=3, max_batch_size=1)

    async def main():
        running = embed.submit("a")
        await turns()
        waiting = [embed.submit(letter) for letter in "bcd"]
        with pytest.raises(OverloadedError, match="queue holds 3 of at most 3 items"):
            embed.submit("e")
        stats = embed.stats()
        assert (stats.queued, stats.running, stats.rejected, stats.submitted) == (3, 1, 1, 4)
        waiting[1].cancel()
        await turns()
        waiting.append(embed.submit("e"))
        gate.shut = False
        gate.open[0].set()
        return await asyncio.gather(running, *waiting, return_exceptions=True)

    results = asyncio.run(main())
    assert [result for result in results if isinstance(result, str)] == ["A", "B", "D", "E"]


def test_a_queue_that_is_full_of_tokens_refuses():
    gate, embed = shut_gate(max_queue_tokens=10, cost=len)

    async def main():
        first = embed.submit("x" * 10)
        await turns()
        second = embed.submit("y" * 8)
        with pytest.raises(OverloadedError, match=r"8\b.*\b10\b"):
            embed.submit("zzz")
        third = embed.submit("zz")
        stats = embed.stats()
        assert (stats.queued, stats.queued_tokens, stats.rejected, stats.dropped["queue tokens"]) == (2, 10, 1, 1)
        gate.open_all()
        await asyncio.gather(first, second, third)

    asyncio.run(main())


def test_a_list_leaves_half_of_the_queue_to_others():
    gate, embed = shut_gate(max_batch_size=2, max_queue=8)

    async def main():
        mapping = asyncio.ensure_future(embed.map(f"m{number}" for number in range(100)))
        await turns()
        assert (embed.stats().queued, embed.stats().running) == (4, 1)
        others = [embed.submit(letter) for letter in "abcd"]
        with pytest.raises(OverloadedError):
            embed.submit("e")
        gate.open_all()
        assert await mapping == [f"M{number}" for number in range(100)]
        return await asyncio.gather(*others)

    assert asyncio.run(main()) == list("ABCD")


def test_a_list_goes_sorted_by_cost_and_comes_back_in_order():
    gate, embed = open_gate(max_batch_size=2, cost=len)
    words = ["aaa", "b", "cccc", "dd", "e"]
    assert asyncio.run(embed.map(words)) == [word.upper() for word in words]
    assert gate.calls == [["cccc", "aaa"], ["dd", "b"], ["e"]]


def test_a_list_that_is_cancelled_takes_its_items_along():
    gate, embed = shut_gate(max_batch_size=2, max_queue=4)

    async def main():
        mapping = asyncio.ensure_future(embed.map("abcdefghij"))
        await turns()
        other = embed.submit("z")
        mapping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await mapping
        await turns()
        assert gate.cancelled == [0]
        gate.open_all()
        return await other

    assert asyncio.run(main()) == "Z"
    stats = embed.stats()
    assert (stats.submitted, stats.cancelled, stats.completed, stats.queued) == (5, 4, 1, 0)


# ---- deadlines and max_wait ------------------------------------------------------------------------------------------


def test_a_deadline_that_is_over_is_refused_at_once():
    gate, embed = open_gate()

    async def main():
        with pytest.raises(DeadlineError):
            embed.submit("a", deadline=-1)
        with pytest.raises(DeadlineError):
            await embed.map("ab", deadline=-1.0)
        with pytest.raises(ConfigError, match="deadline must be a finite number of seconds from now, got NaN"):
            embed.submit("a", deadline=float("nan"))
        return await embed("b", deadline=3600)

    assert asyncio.run(main()) == "B"
    assert gate.calls == [["b"]]
    assert embed.stats().dropped["deadline"] >= 1


def test_an_item_whose_deadline_passes_in_the_queue_is_dropped_without_anybodys_help():
    gate, embed = shut_gate()

    async def main():
        first = embed.submit("a")
        await turns()
        late = embed.submit("b", deadline=0.02)
        other = embed.submit("c", deadline=3600)
        mapping = asyncio.ensure_future(embed.map("de", deadline=0.02))
        with pytest.raises(DeadlineError, match="could not be met any more"):
            await late
        with pytest.raises(DeadlineError):
            await mapping
        gate.open_all()
        return await asyncio.gather(first, other)

    assert asyncio.run(main()) == ["A", "C"]
    assert gate.calls == [["a"], ["c"]]
    stats = embed.stats()
    assert (stats.submitted, stats.late + stats.cancelled, stats.completed, stats.queued) == (5, 3, 2, 0)
    assert (stats.late >= 2, stats.failed) == (True, 0)


def test_max_wait_holds_a_batch_until_it_is_full_or_the_time_is_over():
    gate, embed = open_gate(max_wait=0.02, max_batch_size=3)

    async def main():
        loop = asyncio.get_running_loop()
        first = embed.submit("a")
        await turns()
        assert gate.calls == []
        before = loop.time()
        assert await asyncio.gather(first, embed("b")) == ["A", "B"]
        assert gate.calls == [["a", "b"]]
        assert loop.time() - before < 10
        full = [embed.submit(letter) for letter in "cde"]
        await turns()
        assert gate.calls[1:] == [["c", "d", "e"]], "it is full"
        return await asyncio.gather(*full)

    assert asyncio.run(main()) == ["C", "D", "E"]
    fired = embed.stats().fired
    assert (fired["wait"], fired["items"]) == (1, 1)


@pytest.mark.parametrize("drains", [False, True])
def test_a_batch_formed_together_with_a_list_that_is_late_is_served(drains):
    @batch(concurrency=2, max_wait=0.1)
    async def embed(items):
        return [item.upper() for item in items]

    async def main():
        # What is known of service, so that nothing goes at once.
        await embed("c")
        single = embed.submit("b")
        listed = asyncio.ensure_future(embed.map(["a"], deadline=0.09, key="another"))
        await asyncio.sleep(0.002)
        # The loop is held up until both are due.
        time.sleep(0.15)  # noqa: ASYNC251
        if drains:
            await embed.drain()
            assert single.done()
        return await asyncio.gather(listed, single, return_exceptions=True)

    listed, single = asyncio.run(main())
    assert isinstance(listed, DeadlineError)
    assert single == "B"


def test_drain_and_close_wait_for_no_company():
    async def main(end):
        gate, embed = open_gate(max_wait=3600)
        future = embed.submit("a")
        await turns()
        assert gate.calls == []
        await asyncio.wait_for(end(embed), 60)
        assert future.result() == "A"

    asyncio.run(main(lambda embed: embed.drain()))
    asyncio.run(main(lambda embed: embed.close()))


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_the_counters_add_up():
    gate, embed = shut_gate(max_batch_size=3, max_queue=5, cost=len)

    async def main():
        running = [embed.submit(word) for word in ("a", "bb")]
        await turns()
        waiting = [embed.submit("c" * length) for length in (1, 2, 3, 4, 5)]
        with pytest.raises(OverloadedError):
            embed.submit("d")
        stats = embed.stats()
        assert (stats.queued, stats.queued_tokens, stats.running, stats.dropped["queue full"]) == (5, 15, 1, 1)
        waiting[4].cancel()
        assert embed.stats().queued == 4, "who counts sees what was cancelled"
        gate.answer = lambda items: [KeyError(item) if item == "a" else item for item in items]
        gate.open_all()
        await asyncio.gather(*running, *waiting, return_exceptions=True)

    asyncio.run(main())
    stats = embed.stats()
    assert (stats.submitted, stats.completed, stats.failed, stats.cancelled, stats.late) == (7, 5, 1, 1, 0)
    assert stats.dropped["cancelled"] == 1
    assert (stats.batches, sum(stats.fired.values()), stats.largest_batch) == (3, 3, 3)
    assert (stats.fired["worker"], stats.fired["items"]) == (2, 1)
    assert (stats.batch_sizes.count, stats.batch_sizes.mean, stats.batch_sizes.largest) == (3, 2.0, 3)
    assert stats.queue_time.count == 6
    assert stats.service_time.count == 3
    assert 0 < stats.service_time.quantile(0.5) <= stats.service_time.quantile(1.0) == stats.service_time.largest
    assert (stats.tokens, stats.padding) == (13, 1.0)
    with pytest.raises(ValueError, match="share from 0 to 1"):
        stats.queue_time.quantile(1.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_batch_tokens": 0, "cost": len}, "max_batch_tokens must be an int of at least 1, got 0"),
        ({"max_batch_tokens": 8}, "max_batch_tokens=8 needs cost="),
        ({"max_queue_tokens": 8}, "max_queue_tokens=8 needs cost="),
        ({"bins": 4}, "bins=4 needs cost="),
        ({"bins": 0, "cost": len}, "bins must be an int of at least 1, got 0"),
        ({"bins": [3, 2], "cost": len}, r"bins must be rising costs of at least 1, got \[3, 2\]"),
        ({"bins": [], "cost": len}, "bins must be rising costs"),
        ({"padded": True, "cost": len}, "padded=True needs max_batch_tokens"),
        ({"cost": 3}, "cost must be a function of one item, got 3"),
        ({"max_wait": -1}, "max_wait must be a finite number of seconds of at least 0, got -1"),
        ({"max_wait": float("inf")}, "max_wait must be a finite number"),
        ({"max_wait": True}, "max_wait must be a finite number"),
        ({"ageing": 0}, "ageing must be a finite number of seconds above 0, got 0"),
        ({"max_queue": 2**32}, "max_queue must be below 4294967296"),
        ({"max_wait": 1e300}, "max_wait must be 1e-09 to 1.84e.10 seconds, got 1e.300"),
        ({"max_wait": 10**400}, "max_wait must be"),
        ({"ageing": 1e-10}, "ageing must be 1e-09 to"),
        ({"bins": 1025, "cost": len}, "bins must be 1024 at most, got 1025"),
        ({"bins": range(1, 2000), "cost": len}, "bins must be 1023 bounds at most, got 1999"),
        ({"bins": [1, 2**33], "cost": len}, "bins must be rising costs"),
        ({"bins": [1, "a"], "cost": len}, "bins must be rising costs"),
        ({"bins": {3, 1}, "cost": len}, "bins must be a number of bins or a list of their upper bounds, got {1, 3}"),
        ({"padded": "no", "cost": len}, "padded must be True or False, got 'no'"),
        ({"bisect": 3}, "bisect must be None, True, False or the exceptions to bisect, got 3"),
        ({"bisect": KeyboardInterrupt}, "bisect must be"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_the_numbers(options, message):
    with pytest.raises(ConfigError, match=message):
        batch(**options)


def test_bins_keep_lengths_apart_as_long_as_there_are_enough():
    gate, embed = shut_gate(max_batch_size=3, cost=len, bins=[2, 9])
    items = [(letter * length, {}) for letter, length in zip("abcdefgh", (1, 5, 2, 6, 1, 7, 2, 8), strict=True)]
    calls = asyncio.run(behind_a_call(gate, embed, items))
    assert [[len(item) for item in call] for call in calls[:2]] == [[1, 2, 1], [5, 6, 7]]
    assert sorted(len(item) for call in calls for item in call) == [1, 1, 2, 2, 5, 6, 7, 8]


def test_outcomes_are_the_callers_own():
    _, embed = open_gate()
    assert asyncio.run(outcomes(embed, "ab", priority=2, tenant="t", key=("k", 1), deadline=60)) == ["A", "B"]
