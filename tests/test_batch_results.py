"""`batch`: whatever the function returns or lets out, each item gets a result or an error, and is counted."""

from __future__ import annotations

import asyncio

import pytest

from batching import open_gate, outcomes
from llmfast._batch import batch
from llmfast._batch_calls import as_list
from llmfast._errors import BatchSizeError
from loops import turns


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


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda items: items[:2], "expected 3 results, got 2"),
        (lambda items: [*items, "d"], "expected 3 results, got 4"),
        (lambda items: None, "expected 3 results, got None"),
        (lambda items: "abc", "expected a list of 3 results, got str"),
        (lambda items: {"a", "b", "c"}, "expected a list of 3 results, got set"),
        (lambda items: 3, "expected a list of 3 results, got int"),
        (dict.fromkeys, "expected a list of 3 results, got dict"),
        (lambda items: (item for item in items), "expected a list of 3 results, got generator"),
    ],
)
def test_another_number_of_results_fails_everybody(answer, message):
    _, embed = open_gate(answer)
    results = asyncio.run(outcomes(embed, "abc"))
    assert [(type(result), str(result)) for result in results] == [(BatchSizeError, message)] * 3
    assert len(set(map(id, results))) == 3, "each its own, or tracebacks would pile up on one"


def test_a_list_of_results_that_grows_while_it_is_handed_out_gives_no_more(monkeypatch):
    def growing(results, expected):
        listed = as_list(results, expected)
        listed.append(ValueError("more"))
        return listed

    monkeypatch.setattr("llmfast._batch_queue.as_list", growing)
    _, embed = open_gate(lambda items: [ValueError("a"), *items[1:]])
    first, second = asyncio.run(outcomes(embed, "ab"))
    assert str(first) == "a"
    assert second == "b"


def test_items_that_a_call_leaves_without_a_result_fail_when_it_ends(monkeypatch):
    _, embed = open_gate(tuple)
    monkeypatch.setattr("llmfast._batch_queue.as_list", lambda results, expected: list(results)[:1])
    first, second = asyncio.run(outcomes(embed, "ab"))
    assert first == "a"
    assert isinstance(second, BatchSizeError)
    assert "without a result" in str(second)


# ---- errors that are raised ------------------------------------------------------------------------------------------


def test_a_raised_exception_that_is_not_bisected_fails_its_batch_and_the_next_one_works():
    error = RuntimeError("down")
    answers = [error, None]

    @batch(max_batch_size=2, bisect=False)
    async def embed(items):
        if (failure := answers.pop(0)) is not None:
            raise failure
        return items

    first, second, third = asyncio.run(outcomes(embed, "abc"))
    assert (first, third) == (error, "c")
    # Each its own, which its caller may raise and annotate.
    assert second is not error
    assert (repr(second), second.__cause__) == (repr(error), error)
    assert embed.stats().retries == 0


def test_an_exception_that_cannot_be_copied_is_shared():
    class Odd(Exception):
        def __init__(self, code, text):
            super().__init__(text)

    error = Odd(1, "down")

    @batch(bisect=False)
    async def embed(items):
        raise error

    assert asyncio.run(outcomes(embed, "ab")) == [error, error]


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


def test_exceptions_that_futures_cannot_hold_hang_nobody():
    _, embed = open_gate(lambda items: [StopIteration("s"), asyncio.CancelledError(), items[2]])
    stop, cancelled, third = asyncio.run(outcomes(embed, "abc"))
    assert isinstance(stop, RuntimeError)
    assert isinstance(stop.__cause__, StopIteration)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert third == "c"


def test_a_function_that_was_cancelled_inside_hangs_nobody():
    @batch
    async def embed(items):
        raise asyncio.CancelledError

    async def main():
        futures = [embed.submit(item) for item in "ab"]
        await asyncio.wait(futures)
        assert all(future.cancelled() for future in futures)
        return await outcomes(embed, "c")

    assert isinstance(asyncio.run(main())[0], asyncio.CancelledError)


def test_an_interrupt_reaches_whoever_runs_the_loop_and_hangs_nobody():
    @batch
    async def embed(items):
        raise KeyboardInterrupt

    async def main():
        await embed("a")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


# ---- errors as values ------------------------------------------------------------------------------------------------


def test_a_returned_exception_fails_its_item_alone():
    _, embed = open_gate(lambda items: [KeyError(item) if item == "b" else item for item in items])
    first, second, third = asyncio.run(outcomes(embed, "abc"))
    assert (first, repr(second), third) == ("a", "KeyError('b')", "c")
    assert (embed.stats().completed, embed.stats().failed) == (2, 1)


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
