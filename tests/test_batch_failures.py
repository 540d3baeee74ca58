"""`batch` when something goes wrong: the bad item fails alone, and nobody hangs. No test waits for time to pass."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from hypothesis import given, strategies as st

from batching import open_gate, outcomes, shut_gate
from llmfast._batch import batch
from llmfast._errors import BatchSizeError, NestedBatchError, UntriedItemError
from loops import turns


class Bad(Exception):
    """What a bad item raises."""


def fragile(bad, **options):
    """Return a batch function that fails for some items, and its calls."""
    calls = []

    @batch(**options)
    async def double(numbers):
        calls.append(list(numbers))
        await asyncio.sleep(0)
        found = [number for number in numbers if number in bad]
        if found:
            raise Bad(found[0])
        return [2 * number for number in numbers]

    return double, calls


def is_bad(outcome):
    return isinstance(outcome, Bad)


# ---- the bad item fails alone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", range(64))
def test_one_bad_item_of_64_fails_alone_and_costs_12_calls_at_most(bad):
    double, calls = fragile({bad})
    results = asyncio.run(outcomes(double, range(64)))
    assert is_bad(results[bad])
    assert results[bad].args == (bad,)
    assert [result for number, result in enumerate(results) if number != bad] == [
        2 * number for number in range(64) if number != bad
    ]
    assert len(calls) - 1 <= 12
    stats = double.stats()
    assert (stats.completed, stats.failed, stats.batches, stats.retries) == (63, 1, 1, len(calls) - 1)


@given(st.sets(st.integers(0, 40), max_size=4), st.integers(1, 41))
def test_a_few_bad_items_fail_alone(bad, count):
    double, calls = fragile(bad)
    results = asyncio.run(outcomes(double, range(count)))
    expected = {number for number in bad if number < count}
    # As many as the calls are enough for: each of them takes two halvings a level at most.
    assert {number for number, result in enumerate(results) if is_bad(result)} == expected
    assert len(calls) - 1 <= 2 + 8 * max(1, (count - 1).bit_length())


@pytest.mark.parametrize("count", [1, 2, 3, 16, 64])
def test_a_function_that_is_down_is_not_asked_for_ever(count):
    double, calls = fragile(range(100))
    results = asyncio.run(outcomes(double, range(count)))
    assert not any(isinstance(result, int) for result in results)
    for number, result in enumerate(results):
        # Never the exception of another item.
        assert result.args == (number,) if is_bad(result) else isinstance(result, UntriedItemError)
        assert is_bad(result) or is_bad(result.__cause__)
    assert len(calls) - 1 <= 2 + 2 * max(1, (count - 1).bit_length())


def test_errors_of_other_types_are_not_the_same_error():
    kinds = [KeyError, ValueError]

    @batch
    async def down(items):
        kinds.reverse()
        raise kinds[0]("the same words")

    found = asyncio.run(outcomes(down, range(64)))
    assert any(isinstance(error, UntriedItemError) for error in found)


@pytest.mark.parametrize("count", [2, 16, 64])
def test_an_error_that_every_call_raises_is_that_of_all_items(count):
    @batch
    async def embed(items):
        raise RuntimeError("down")

    results = asyncio.run(outcomes(embed, range(count)))
    assert {repr(result) for result in results} == {"RuntimeError('down')"}
    assert len({id(result) for result in results}) >= count - 1, "copies"


@pytest.mark.parametrize("bad", [range(0, 64, 8), range(8), range(56, 64), range(30, 34), (0, 1, 62, 63)])
def test_many_bad_items_of_64_fail_alone(bad):
    double, calls = fragile(set(bad))
    results = asyncio.run(outcomes(double, range(64)))
    assert [number for number, result in enumerate(results) if is_bad(result)] == list(bad)
    assert all(result == 2 * number for number, result in enumerate(results) if number not in bad)
    assert len(calls) - 1 <= 2 + 8 * 6


@given(st.sets(st.integers(0, 63)), st.integers(1, 64))
def test_an_item_fails_with_its_own_exception_or_says_that_it_was_not_tried(bad, count):
    double, calls = fragile(bad)
    results = asyncio.run(outcomes(double, range(count)))
    for number, result in enumerate(results):
        if is_bad(result):
            assert (number in bad, result.args) == (True, (number,))
        else:
            assert isinstance(result, UntriedItemError) or (number not in bad and result == 2 * number)
    assert len(calls) - 1 <= 2 + 8 * max(1, (count - 1).bit_length())


@pytest.mark.parametrize("count", range(1, 34))
def test_one_bad_item_takes_two_calls_for_each_halving_at_most(count):
    for bad in range(count):
        double, calls = fragile({bad})
        asyncio.run(outcomes(double, range(count)))
        assert len(calls) - 1 <= 2 * (count - 1).bit_length()


def test_an_item_that_nobody_waits_for_any_more_is_not_tried_again():
    double, calls = fragile({0})

    async def main():
        futures = [double.submit(number) for number in range(8)]
        await turns(1)
        assert calls == [list(range(8))]
        futures[7].cancel()
        return await asyncio.gather(*futures, return_exceptions=True)

    results = asyncio.run(main())
    assert is_bad(results[0])
    assert results[1:7] == [2, 4, 6, 8, 10, 12]
    assert isinstance(results[7], asyncio.CancelledError)
    assert all(7 not in call for call in calls[1:])


def test_a_batch_that_everybody_leaves_while_it_is_bisected_is_cancelled():
    started = asyncio.Event()

    @batch
    async def embed(items):
        if len(items) > 1:
            raise Bad
        started.set()
        await asyncio.Event().wait()

    async def main():
        futures = [embed.submit(number) for number in range(2)]
        await started.wait()
        for future in futures:
            future.cancel()
        await embed.drain()
        return embed.stats()

    stats = asyncio.run(main())
    assert (stats.cancelled, stats.running) == (2, 0)


def test_only_the_exceptions_asked_for_are_bisected():
    for classes, expected in ((Bad, 63), ((KeyError, Bad), 63), (KeyError, 0), (False, 0), (True, 63)):
        double, calls = fragile({5}, bisect=classes)
        results = asyncio.run(outcomes(double, range(64)))
        assert sum(not is_bad(result) for result in results) == expected
        assert (len(calls) == 1) is (expected == 0)


def test_a_half_with_another_number_of_results_fails_that_half():
    @batch
    async def embed(items):
        if len(items) == 4:
            raise Bad
        return items[:1] if 0 in items else items

    results = asyncio.run(outcomes(embed, range(4)))
    assert [type(result) for result in results] == [BatchSizeError, BatchSizeError, int, int]
    assert str(results[0]) == "expected 2 results, got 1"


def test_a_half_whose_results_are_errors_fails_those():
    @batch
    async def embed(items):
        if len(items) == 4:
            raise Bad
        return [KeyError(item) if item in {1, 2} else item for item in items]

    results = asyncio.run(outcomes(embed, range(4)))
    assert list(map(repr, results)) == ["0", "KeyError(1)", "KeyError(2)", "3"]


def test_a_list_gets_its_results_around_a_bad_item():
    double, _ = fragile({3}, max_batch_size=4)

    async def main():
        return await double.map(range(10), return_exceptions=True)

    results = asyncio.run(main())
    assert is_bad(results.pop(3))
    assert results == [0, 2, 4, 8, 10, 12, 14, 16, 18]
    assert double.stats().failed == 1


# ---- nobody hangs ----------------------------------------------------------------------------------------------------


def test_a_cost_that_raises_reaches_its_caller_and_queues_nothing():
    def cost(item):
        if item == "b":
            raise KeyError("no tokens")
        return len(item)

    gate, embed = open_gate(cost=cost)

    async def main():
        results = await outcomes(embed, "abc")
        with pytest.raises(KeyError, match="no tokens"):
            await embed.map("abc")
        return results

    results = asyncio.run(main())
    assert (results[0], type(results[1]), results[2]) == ("A", KeyError, "C")
    assert gate.calls == [["a", "c"]]
    assert embed.stats().submitted == 2


def test_callbacks_that_raise_disturb_nobody():
    _, embed = open_gate()
    reported = []

    def callback(_):
        raise KeyError("callback")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        futures = [embed.submit(letter) for letter in "abc"]
        futures[1].add_done_callback(callback)
        return await asyncio.gather(*futures)

    assert asyncio.run(main()) == ["A", "B", "C"]
    assert list(map(repr, reported)) == ["KeyError('callback')"]


def test_a_future_that_its_caller_has_resolved_disturbs_nobody():
    gate, embed = shut_gate()

    async def main():
        futures = [embed.submit(letter) for letter in "abc"]
        await turns()
        futures[0].set_result("mine")
        futures[1].set_exception(KeyError("mine"))
        gate.open_all()
        return await asyncio.gather(*futures, return_exceptions=True)

    first, second, third = asyncio.run(main())
    assert (first, repr(second), third) == ("mine", "KeyError('mine')", "C")


def test_a_function_that_returns_tuples_or_arrays_is_understood():
    np = pytest.importorskip("numpy")
    for answer in (tuple, lambda items: np.arange(6.0).reshape(3, 2)):
        _, embed = open_gate(answer)
        assert [type(result) for result in asyncio.run(outcomes(embed, "abc"))] in ([str] * 3, [np.ndarray] * 3)
    _, embed = open_gate(lambda items: np.float64(3.0))
    assert {type(result) for result in asyncio.run(outcomes(embed, "abc"))} == {BatchSizeError}


def test_a_function_that_awaits_itself_gets_an_error_instead_of_waiting_for_ever():
    @batch(concurrency=1)
    async def count_down(numbers):
        return [0 if number == 0 else await count_down(number - 1) for number in numbers]

    async def main():
        assert await count_down(0) == 0
        return await outcomes(count_down, [1])

    (error,) = asyncio.run(main())
    assert isinstance(error, NestedBatchError)
    assert "1 of its 1 workers (concurrency=) would wait" in str(error)


def test_a_function_that_awaits_itself_may_as_long_as_a_worker_is_left():
    @batch(concurrency=3, max_batch_size=1)
    async def count_down(numbers):
        return [0 if number == 0 else 1 + await count_down(number - 1) for number in numbers]

    async def main():
        assert await count_down(2) == 2
        assert await asyncio.gather(*(count_down(1) for _ in range(2))) == [1, 1]
        return await asyncio.wait_for(outcomes(count_down, [3]), 10)

    (error,) = asyncio.run(main())
    assert isinstance(error, NestedBatchError)


def test_of_those_who_wait_for_a_worker_each_counts_once_and_who_works_not_at_all():
    @batch(concurrency=2, max_batch_size=1)
    async def embed(items):
        (item,) = items
        if item == "works":
            await go.wait()
        elif item == "awaits two":
            return [sorted(await asyncio.gather(embed("b"), embed("c")))]
        return items

    async def main():
        nonlocal go
        go = asyncio.Event()
        assert await asyncio.wait_for(embed("awaits two"), 10) == ["b", "c"]
        tasks = [asyncio.ensure_future(embed(item)) for item in ("works", "awaits two")]
        await turns()
        go.set()
        return await asyncio.wait_for(asyncio.gather(*tasks), 10)

    go = None
    assert asyncio.run(main()) == ["works", ["b", "c"]]


def test_a_function_that_awaits_another_one_works():
    @batch
    async def inner(numbers):
        return [number + 1 for number in numbers]

    @batch
    async def outer(numbers):
        return [2 * number for number in await inner.map(numbers)]

    async def main():
        return await asyncio.gather(*map(outer, range(5)))

    assert asyncio.run(main()) == [2, 4, 6, 8, 10]


def test_a_task_that_a_function_leaves_behind_may_submit_when_the_call_has_ended():
    tasks = []

    @batch
    async def embed(items):
        async def later():
            await ended.wait()
            return await embed("later")

        if items == ["first"]:
            tasks.append(asyncio.ensure_future(later()))
        return items

    async def main():
        nonlocal ended
        ended = asyncio.Event()
        await embed("first")
        ended.set()
        return await tasks[0]

    ended = None
    assert asyncio.run(main()) == "later"


def test_a_request_to_cancel_that_a_function_leaves_behind_is_not_meant_for_the_next_batch():
    @batch(max_batch_size=1)
    async def embed(items):
        await asyncio.sleep(0)
        if items == ["rude"]:
            asyncio.current_task().cancel()
        return items

    async def main():
        return await asyncio.gather(*map(embed, ["a", "rude", "b", "c"])), await embed("d")

    assert asyncio.run(main()) == (["a", "rude", "b", "c"], "d")


def test_batches_of_one_worker_share_neither_variables_nor_time_limits():
    variable = contextvars.ContextVar("seen", default=None)

    @batch(max_batch_size=1)
    async def embed(items):
        before = variable.get()
        variable.set(items[0])
        try:
            async with asyncio.timeout(0 if items == ["slow"] else None):
                await asyncio.sleep(0 if items != ["slow"] else 3600)
        except TimeoutError:
            return [(before, "timed out")]
        return [(before, items[0])]

    async def main():
        return await asyncio.gather(*map(embed, ["a", "slow", "b"]))

    assert asyncio.run(main()) == [(None, "a"), (None, "timed out"), (None, "b")]
