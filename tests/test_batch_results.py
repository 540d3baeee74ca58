"""`batch`: whatever the function returns or lets out, each item gets a result or an error, and is counted."""

from __future__ import annotations

import asyncio

import pytest

from batching import open_gate, outcomes, turns
from llmfast._batch import batch
from llmfast._errors import BatchSizeError


class Rows:
    """A sequence that says one length and has another."""

    def __init__(self, length, items):
        self.length, self.items = length, items

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.items[index]


class Table:
    """As data frames are: as long as it has rows, and columns when it is iterated."""

    columns = property(lambda self: ["score", "label"])

    def __len__(self):
        return 2

    def __getitem__(self, name):
        return [1, 2]

    def __iter__(self):
        return iter(self.columns)


def raises(error):
    raise error


class NoLength:
    def __len__(self):
        return raises(ValueError("no length"))

    def __getitem__(self, index):
        return index


class NoItems:
    def __len__(self):
        return 2

    def __getitem__(self, index):
        raises(ValueError("no items"))


def adds_up(batched):
    stats = batched.stats()
    ended = stats.completed + stats.failed + stats.cancelled + stats.late
    return (ended, stats.queued, stats.running) == (stats.submitted, 0, 0)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (Rows(2, [1]), "expected 2 results, got 1"),
        (Rows(2, [1, 2, 3]), "expected 2 results, got 3"),
        (Rows(3, [1, 2]), "expected 2 results, got Rows of length 3 with 2 items"),
        (Table(), "got Table, which gives its columns: return rows"),
        (NoLength(), "NoLength, which cannot be read: ValueError.'no length'"),
        (NoItems(), "NoItems, which cannot be read: ValueError.'no items'"),
        (bytearray(b"ab"), "got bytearray"),
        (memoryview(b"ab"), "got memoryview"),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_what_is_no_list_of_as_many_results_fails_all_items(results, message, listed):
    _, embed = open_gate(lambda items: results)

    async def main():
        found = embed.map("ab", return_exceptions=True) if listed else outcomes(embed, "ab")
        return await asyncio.wait_for(found, 60), embed.stats()

    found, stats = asyncio.run(main())
    assert [type(error) for error in found] == [BatchSizeError] * 2
    with pytest.raises(BatchSizeError, match=message):
        raise found[1]
    assert (stats.failed, adds_up(embed)) == (2, True)


def test_items_that_a_call_leaves_without_a_result_fail_when_it_ends(monkeypatch):
    _, embed = open_gate(tuple)
    monkeypatch.setattr("llmfast._batch_queue.as_list", lambda results, expected: list(results)[:1])
    first, second = asyncio.run(outcomes(embed, "ab"))
    assert first == "a"
    assert isinstance(second, BatchSizeError)
    assert "without a result" in str(second)


# ---- what is no Exception --------------------------------------------------------------------------------------------


class Let(BaseException):
    """As what `pytest.fail` raises."""


@pytest.mark.parametrize("threaded", [False, True])
def test_what_is_no_exception_reaches_the_callers_and_frees_the_worker(threaded):
    async def call(items):
        return raises(Let("out")) if "a" in items else items

    embed = batch((lambda items: raises(Let("out")) if "a" in items else items) if threaded else call)

    async def main():
        found = await asyncio.wait_for(outcomes(embed, "ab"), 60)
        return found, await asyncio.wait_for(embed("c"), 60)

    (first, second), third = asyncio.run(main())
    assert (repr(first), repr(second), third) == ("Let('out')", "Let('out')", "c")
    assert embed.stats().failed == 2
    assert adds_up(embed)


@pytest.mark.parametrize("threaded", [False, True])
def test_a_generator_exit_of_the_function_is_an_error_and_frees_the_worker(threaded):
    async def call(items):
        return raises(GeneratorExit("out")) if "a" in items else items

    embed = batch((lambda items: raises(GeneratorExit("out")) if "a" in items else items) if threaded else call)

    async def main():
        found = await asyncio.wait_for(outcomes(embed, "ab"), 60)
        return found, await asyncio.wait_for(embed("c"), 60)

    (first, second), third = asyncio.run(main())
    assert {type(first), type(second)} == {RuntimeError}
    assert isinstance(first.__cause__, GeneratorExit)
    assert (third, embed.stats().failed) == ("c", 2)


def test_what_a_part_of_a_batch_lets_out_reaches_its_callers():
    @batch
    async def embed(items):
        raise ValueError if len(items) > 2 else Let("out")

    found = asyncio.run(outcomes(embed, "abcd"))
    assert {type(error) for error in found} == {Let}
    assert adds_up(embed)


def test_it_is_told_to_no_more_than_wait():
    @batch
    async def embed(items):
        for future in futures:
            future.cancel()
        raise Let("out")

    futures = []

    async def main():
        futures.extend(embed.submit(letter) for letter in "ab")
        await asyncio.gather(*futures, return_exceptions=True)
        await asyncio.wait_for(embed.drain(), 60)

    asyncio.run(main())
    assert embed.stats().cancelled == 2
    assert adds_up(embed)


# ---- errors as values ------------------------------------------------------------------------------------------------


def answers(value):
    return lambda items: [value if item == "b" else item for item in items]


def test_an_item_whose_result_is_a_cancellation_is_cancelled_and_counted():
    _, embed = open_gate(answers(asyncio.CancelledError()))
    first, second, third = asyncio.run(outcomes(embed, "abc"))
    assert (first, type(second), third) == ("a", asyncio.CancelledError, "c")
    assert embed.stats().cancelled == 1
    assert adds_up(embed)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_an_item_whose_result_would_end_who_awaits_it_gets_an_error(kind):
    _, embed = open_gate(answers(kind("out")))
    first, second, third = asyncio.run(outcomes(embed, "abc"))
    assert (first, type(second), type(second.__cause__), third) == ("a", RuntimeError, kind, "c")
    assert adds_up(embed)


@pytest.mark.parametrize("kind", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit, Let, KeyError])
def test_a_list_that_keeps_errors_keeps_all_of_them(kind):
    _, embed = open_gate(answers(kind("out")))
    first, second, third = asyncio.run(embed.map("abc", return_exceptions=True))
    assert (first, type(second), third) == ("a", kind, "c")
    assert adds_up(embed)


# ---- functions that only turn out to be async ------------------------------------------------------------------------


def test_what_a_lambda_returns_to_be_awaited_is_cancelled_when_everybody_left():
    started, cancelled = asyncio.Event(), []

    async def call(items):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(items)
            raise

    def plain(items):
        return call(items)

    embed = batch(plain)

    async def main():
        task = asyncio.ensure_future(embed("a"))
        await started.wait()
        task.cancel()
        await asyncio.wait_for(embed.drain(), 60)
        started.clear()
        future = embed.submit("b")
        await started.wait()
        await asyncio.wait_for(embed.close(cancel=True), 60)
        return await asyncio.gather(future, return_exceptions=True)

    asyncio.run(main())
    assert cancelled == [["a"], ["b"]]
    assert adds_up(embed)


def test_a_loop_that_was_closed_with_a_call_runs_nothing():
    @batch
    async def embed(items):
        await asyncio.Event().wait()

    async def main():
        embed.submit("a")
        await turns()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    assert (embed.stats().running, embed.stats().queued) == (0, 0)
