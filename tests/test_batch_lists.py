"""`batch`: lists that wait for room in the queue. No test waits for time to pass, but to be late."""

from __future__ import annotations

import asyncio

import pytest

from batching import open_gate, shut_gate
from llmfast._batch import batch
from llmfast._errors import ConfigError, DeadlineError, ItemTooLargeError, NestedBatchError
from loops import turns


def test_an_item_that_no_queue_can_hold_fails_its_list_and_holds_up_nobody():
    gate, embed = open_gate(cost=len, max_queue_tokens=10)

    async def main():
        with pytest.raises(ItemTooLargeError, match="item of 11 tokens is larger than the largest of 10"):
            await asyncio.wait_for(embed.map(["a", "x" * 11]), 60)
        return await asyncio.wait_for(embed.map(["b"]), 60)

    assert asyncio.run(main()) == ["B"]
    assert gate.calls == [["b"]]


def test_map_raises_the_first_error_in_order_and_cancels_the_rest():
    gate, embed = shut_gate(max_batch_size=2)
    gate.answer = lambda items: [ValueError(item) for item in items]

    async def main():
        task = asyncio.ensure_future(embed.map("abcd"))
        await turns()
        gate.open[0].set()
        with pytest.raises(ValueError, match="a"):
            await task
        await turns()
        return embed.stats()

    stats = asyncio.run(main())
    assert gate.calls in ([["a", "b"]], [["a", "b"], ["c", "d"]])
    assert (stats.failed, stats.cancelled, stats.queued, stats.running) == (2, 2, 0, 0)


def test_a_list_that_fails_while_others_wait_holds_up_none_of_them():
    gate, embed = shut_gate(cost=len, max_queue_tokens=10, max_queue=4, max_batch_size=2)

    async def main():
        first = asyncio.ensure_future(embed.map([f"a{number}" for number in range(8)]))
        await turns()
        # More than there are calls whose ends might see to them.
        lists = [asyncio.ensure_future(embed.map(["x" * 11])) for _ in range(20)]
        lists.append(asyncio.ensure_future(embed.map(["b"])))
        await turns()
        gate.open_all()
        return await asyncio.wait_for(asyncio.gather(first, *lists, return_exceptions=True), 10)

    _, *too_large, last = asyncio.run(main())
    assert ({type(error) for error in too_large}, last) == ({ItemTooLargeError}, ["B"])


def busy_gate(**options):
    return shut_gate(max_queue=4, max_batch_size=2, **options)


async def behind_a_list(gate, embed, *lists):
    """Map a long list, and others behind it; return the order in which they are called."""
    tasks = [asyncio.ensure_future(embed.map([f"a{number}" for number in range(8)], tenant="a"))]
    await turns()
    for items, wishes in lists:
        tasks.append(asyncio.ensure_future(embed.map(items, **wishes)))
        await turns()
    gate.open_all()
    await asyncio.gather(*tasks)
    return [item for call in gate.calls for item in call]


def test_tenants_take_turns_at_the_room_for_lists():
    gate, embed = busy_gate()
    order = asyncio.run(behind_a_list(gate, embed, (["b0", "b1"], {"tenant": "b"}), (["c0"], {"tenant": "c"})))
    assert max(order.index(item) for item in ("b0", "b1", "c0")) < order.index("a7")


def test_of_one_tenant_the_more_urgent_list_is_fed_first():
    gate, embed = busy_gate()
    order = asyncio.run(
        behind_a_list(
            gate,
            embed,
            (["plain"], {"tenant": "a"}),
            (["soon"], {"tenant": "a", "deadline": 600}),
            (["urgent"], {"tenant": "a", "priority": 5}),
        )
    )
    last = order.index("a7")
    assert order.index("urgent") < order.index("soon") < order.index("plain")
    assert order.index("soon") < last


def test_a_list_whose_deadline_passes_before_there_is_room_fails_in_time():
    gate, embed = busy_gate()

    async def main():
        long = asyncio.ensure_future(embed.map([f"a{number}" for number in range(8)]))
        await turns()
        with pytest.raises(DeadlineError):
            await asyncio.wait_for(embed.map("bc", deadline=0.01), 60)
        kept = await asyncio.wait_for(embed.map("bc", deadline=0.01, return_exceptions=True), 60)
        gate.open_all()
        await long
        return kept

    kept = asyncio.run(main())
    assert [type(error) for error in kept] == [DeadlineError, DeadlineError]
    assert all(item.startswith("a") for call in gate.calls for item in call)


def test_a_list_that_is_late_behind_a_more_urgent_one_fails_in_time():
    gate, embed = busy_gate()

    async def main():
        urgent = asyncio.ensure_future(embed.map([f"a{number}" for number in range(8)], priority=1))
        await turns()
        with pytest.raises(DeadlineError):
            await asyncio.wait_for(embed.map("bc", deadline=0.01), 60)
        gate.open_all()
        return len(await urgent)

    assert asyncio.run(main()) == 8


def test_a_list_that_keeps_errors_keeps_the_results_it_had_when_its_deadline_passes():
    gate, embed = busy_gate()

    async def main():
        task = asyncio.ensure_future(embed.map("abcdef", deadline=0.02, return_exceptions=True))
        await turns()
        # What waits behind this call is late, in the queue or before it.
        await asyncio.sleep(0.05)
        gate.open_all()
        return await asyncio.wait_for(task, 60)

    results = asyncio.run(main())
    assert results[:2] == ["A", "B"]
    assert [type(error) for error in results[2:]] == [DeadlineError] * 4


def test_many_lists_that_are_late_at_once_fail_one_by_one():
    gate, embed = busy_gate()

    async def main():
        long = asyncio.ensure_future(embed.map([f"a{number}" for number in range(8)]))
        await turns()
        late = [asyncio.ensure_future(embed.map("b", deadline=0.01)) for _ in range(2000)]
        found = await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), 60)
        gate.open_all()
        await long
        return found

    assert {type(error) for error in asyncio.run(main())} == {DeadlineError}


@pytest.mark.parametrize("end", ["drain", "close"])
def test_a_function_that_waits_for_its_own_end_gets_an_error(end):
    @batch
    async def embed(items):
        await getattr(embed, end)()
        return items

    async def main():
        with pytest.raises(NestedBatchError, match=rf"{end}\(\) inside of the batch function"):
            await asyncio.wait_for(embed("a"), 60)
        await asyncio.wait_for(embed.close(), 60)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wishes", "error", "message"),
    [
        ({"priority": 1.5}, ConfigError, "priority must be an int from -2147483648 to 2147483647, got 1.5"),
        ({"priority": 2**31}, ConfigError, "priority must be an int"),
        ({"deadline": "1"}, ConfigError, "deadline must be a finite number of seconds from now, got '1'"),
        ({"tenant": []}, TypeError, "tenant must have a hash, got <class 'list'>: unhashable"),
        ({"key": {}}, TypeError, "key must have a hash, got <class 'dict'>: unhashable"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_name(wishes, error, message):
    _, embed = open_gate()

    async def main():
        with pytest.raises(error, match=message):
            embed.submit("a", **wishes)
        with pytest.raises(error, match=message):
            await embed("a", **wishes)
        with pytest.raises(error, match=message):
            await embed.map("ab", **wishes)
        with pytest.raises(ConfigError, match="return_exceptions must be True or False, got 1"):
            await embed.map("ab", return_exceptions=1)

    asyncio.run(main())
    assert embed.stats().queued == 0
