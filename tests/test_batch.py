"""`batch`: what goes together, who gets what, and that nobody hangs. No test waits for time to pass."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import gc
import inspect
import pickle
import threading
import weakref

import pytest
from hypothesis import given, strategies as st

from batching import open_gate, outcomes, shut_gate, turns
from llmfast._batch import Batched, BatchedMethod, batch
from llmfast._batch_calls import as_list
from llmfast._errors import BatchSizeError, ClosedError, ConfigError, OverloadedError

# ---- what goes together ----------------------------------------------------------------------------------------------


def test_one_burst_is_one_batch_and_everybody_gets_their_own():
    gate, embed = open_gate()

    async def main():
        return await asyncio.gather(*(embed(letter) for letter in "abcde"))

    assert asyncio.run(main()) == ["A", "B", "C", "D", "E"]
    assert gate.calls == [["a", "b", "c", "d", "e"]]


def test_a_single_item_goes_at_once():
    gate, embed = shut_gate()

    async def main():
        future = embed.submit("a")
        assert gate.calls == []
        await turns(2)
        assert gate.calls == [["a"]]
        gate.open[0].set()
        return await future

    assert asyncio.run(main()) == "A"


def test_items_gather_only_while_every_worker_is_busy():
    gate, embed = shut_gate(concurrency=2, max_batch_size=3)

    async def main():
        futures = [embed.submit("a")]
        await turns()
        futures.append(embed.submit("b"))
        await turns()
        assert gate.calls == [["a"], ["b"]], "the second worker was free"
        futures += [embed.submit(letter) for letter in "cdef"]
        await turns()
        assert len(gate.calls) == 2
        gate.open[1].set()
        await turns()
        assert gate.calls[2:] == [["c", "d", "e"]], "as many as fit, in order"
        gate.open[0].set()
        await turns()
        assert gate.calls[3:] == [["f"]]
        gate.open[2].set()
        gate.open[3].set()
        return await asyncio.gather(*futures)

    assert asyncio.run(main()) == list("ABCDEF")


@given(st.lists(st.integers()), st.integers(1, 5), st.integers(1, 3), st.integers(1, 7))
def test_map_keeps_order_and_bounds(items, max_batch_size, concurrency, max_queue):
    running = most = 0
    sizes = []

    @batch(max_batch_size=max_batch_size, concurrency=concurrency, max_queue=max_queue)
    async def negate(numbers: list[int]) -> list[int]:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        sizes.append(len(numbers))
        await asyncio.sleep(0)
        running -= 1
        return [-number for number in numbers]

    async def main():
        return await negate.map(iter(items))

    assert asyncio.run(main()) == [-item for item in items]
    assert sum(sizes) == len(items)
    assert max(sizes, default=1) <= max_batch_size
    assert most <= concurrency
    stats = negate.stats()
    assert (stats.submitted, stats.completed, stats.rejected) == (len(items), len(items), 0)
    assert (stats.batches, stats.largest_batch, stats.queued, stats.running) == (
        len(sizes),
        max(sizes, default=0),
        0,
        0,
    )


def test_every_way_to_decorate_is_the_same():
    async def double(numbers: list[int]) -> list[int]:
        """Double."""
        return [2 * number for number in numbers]

    for embed in (batch(double), batch()(double), batch(double, max_batch_size=2), batch(max_queue=3)(double)):
        assert asyncio.run(embed.map([1, 2, 3])) == [2, 4, 6]
        assert (embed.__name__, embed.__doc__) == ("double", "Double.")


@pytest.mark.parametrize("name", ["max_batch_size", "concurrency", "max_queue"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_a_bound_below_one_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} must be an int of at least 1, got {value!r}"):
        batch(**{name: value})


def test_a_function_of_other_parameters_is_refused():
    async def none() -> list[int]:
        return []

    async def three(self, items, more):
        return []

    async def keyword(items, *, model):
        return []

    async def optional(items, scale=2, *rest, model="m", **more):
        return items

    with pytest.raises(ConfigError, match="got one that takes nothing"):
        batch(none)
    with pytest.raises(ConfigError, match="got one that takes self, items, more"):
        batch(three)
    with pytest.raises(ConfigError, match="got one that takes items, model"):
        batch(keyword)
    with pytest.raises(ConfigError, match="expected a function to batch, got int"):
        batch(3)
    assert isinstance(batch(lambda *items: None), Batched)
    assert isinstance(batch(lambda items=(): None), Batched)
    assert asyncio.run(batch(optional).map([1])) == [1]


# ---- who gets which error --------------------------------------------------------------------------------------------


def test_a_returned_exception_fails_its_item_alone():
    _, embed = open_gate(lambda items: [KeyError(item) if item == "b" else item for item in items])
    first, second, third = asyncio.run(outcomes(embed, "abc"))
    assert (first, repr(second), third) == ("a", "KeyError('b')", "c")
    assert (embed.stats().completed, embed.stats().failed) == (2, 1)


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


# ---- bounds, drain and close -----------------------------------------------------------------------------------------


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


def test_drain_waits_for_everything_and_for_nothing():
    gate, embed = shut_gate(max_batch_size=1)

    async def main():
        await embed.drain()
        futures = [embed.submit(letter) for letter in "ab"]
        drained = asyncio.ensure_future(embed.drain())
        await turns()
        gate.open[0].set()
        await turns()
        assert not drained.done()
        gate.open[1].set()
        await drained
        assert all(future.done() for future in futures)

    asyncio.run(main())


def test_close_refuses_new_items_and_waits_for_the_others():
    gate, embed = shut_gate(max_batch_size=1)

    async def main():
        futures = [embed.submit(letter) for letter in "ab"]
        await turns()
        closing = asyncio.ensure_future(embed.close())
        await turns()
        with pytest.raises(ClosedError):
            embed.submit("c")
        with pytest.raises(ClosedError):
            await embed("c")
        with pytest.raises(ClosedError):
            await embed.map("c")
        assert not closing.done()
        gate.shut = False
        gate.open[0].set()
        await closing
        await embed.close()
        return [future.result() for future in futures]

    assert asyncio.run(main()) == ["A", "B"]
    assert asyncio.run(embed.map("c")) == ["C"], "another loop has a queue of its own"


def test_close_with_cancel_fails_what_waits_and_stops_what_runs():
    gate, embed = shut_gate(max_batch_size=2)

    async def main():
        futures = [embed.submit(letter) for letter in "abc"]
        mapping = asyncio.ensure_future(embed.map("de"))
        await turns()
        await embed.close(cancel=True)
        assert gate.cancelled == [0]
        results = await asyncio.gather(*futures, mapping, return_exceptions=True)
        return [type(result) for result in results]

    assert asyncio.run(main()) == [ClosedError] * 4
    assert gate.calls == [["a", "b"]]


def test_a_map_that_waits_for_room_ends_when_the_queue_is_closed():
    _, embed = shut_gate(max_batch_size=1, max_queue=1)

    async def main():
        mapping = asyncio.ensure_future(embed.map("abcd"))
        await turns()
        assert embed.stats().submitted < 4
        await embed.close(cancel=True)
        with pytest.raises(ClosedError):
            await mapping

    asyncio.run(main())


# ---- loops, threads and contexts -------------------------------------------------------------------------------------


def test_it_works_under_one_loop_after_the_other_and_holds_none():
    _, embed = open_gate()
    loops = []

    async def main():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await embed.map("abc")

    for _ in range(3):
        assert asyncio.run(main()) == ["A", "B", "C"]
    gc.collect()
    assert [loop() for loop in loops] == [None] * 3
    assert embed.stats().completed == 9


def test_a_loop_that_ends_with_items_pending_takes_them_along():
    gate, embed = shut_gate(max_batch_size=1)
    loops = []

    async def main():
        loops.append(weakref.ref(asyncio.get_running_loop()))
        for letter in "abc":
            embed.submit(letter)
        await turns()

    asyncio.run(main())
    gate.open.clear()  # its events hold the loop that they were awaited on
    gc.collect()
    assert gate.calls == [["a"]]
    assert gate.cancelled == [0]
    assert loops[0]() is None
    stats = embed.stats()
    assert (stats.cancelled, stats.queued, stats.running) == (3, 0, 0)


def test_a_loop_that_ends_while_callers_wait_starts_nothing_more():
    gate, embed = shut_gate(max_batch_size=1)

    async def main():
        caller = asyncio.ensure_future(embed("a"))
        await turns()
        embed.submit("b")
        return caller

    assert asyncio.run(main()).cancelled()
    assert gate.calls == [["a"]]
    assert (embed.stats().cancelled, embed.stats().queued) == (2, 0)


def test_loops_of_several_threads_do_not_mix():
    @batch
    async def thread_of(items):
        return [(item, threading.get_ident()) for item in items]

    def work(number):
        results = asyncio.run(thread_of.map([(number, item) for item in range(200)]))
        seen[number] = results == [((number, item), threading.get_ident()) for item in range(200)]

    seen: dict[int, bool] = {}
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == dict.fromkeys(range(4), True)
    assert thread_of.stats().completed == 800


def test_without_a_loop_there_is_no_queue():
    _, embed = open_gate()
    with pytest.raises(RuntimeError, match="no running event loop"):
        embed.submit("a")


def test_a_batch_sees_the_context_of_its_first_item():
    variable = contextvars.ContextVar("tenant", default="nobody")

    @batch(max_batch_size=2)
    async def embed(items):
        seen = [variable.get() for _ in items]
        variable.set("the function's own")
        return seen

    @batch(max_batch_size=2)
    def threaded(items):
        return [variable.get() for _ in items]

    async def ask(name, function):
        variable.set(name)
        answer = await function(name)
        assert variable.get() == name
        return answer

    async def main(function):
        return await asyncio.gather(*(ask(name, function) for name in "abcde"), function("f"))

    for function in (embed, threaded):
        assert asyncio.run(main(function)) == ["a", "a", "c", "c", "e", "e"]


def test_a_batch_of_who_has_no_variables_sees_none():
    variable = contextvars.ContextVar("tenant", default="nobody")

    @batch(max_batch_size=1)
    async def embed(items):
        return [variable.get() for _ in items]

    async def ask(name):
        variable.set(name)
        return await embed(name)

    async def main():
        loop = asyncio.get_running_loop()
        plain = loop.create_task(embed("b"), context=contextvars.Context())
        return await asyncio.gather(ask("a"), plain)

    assert asyncio.run(main()) == ["a", "nobody"]


# ---- methods ---------------------------------------------------------------------------------------------------------


class Model:
    __hash__ = None

    def __init__(self, name):
        self.name = name
        self.calls = []

    def __eq__(self, other):
        return True

    @batch(max_batch_size=2)
    async def embed(self, texts):
        """Embed."""
        self.calls.append(texts)
        return [f"{self.name}:{text}" for text in texts]

    @staticmethod
    @batch
    async def plain(texts):
        return texts


def test_each_object_has_batches_of_its_own():
    one, two = Model("one"), Model("two")

    async def main():
        return await asyncio.gather(one.embed("a"), two.embed("b"), one.embed("c"), two.plain("d"))

    assert asyncio.run(main()) == ["one:a", "two:b", "one:c", "d"]
    assert (one.calls, two.calls) == ([["a", "c"]], [["b"]])
    assert (one.embed.stats().batches, Model("three").embed.stats().batches) == (1, 0)
    assert isinstance(Model.embed, BatchedMethod)
    assert Model.embed.__doc__ == "Embed."


def test_an_object_lives_while_items_wait_and_no_longer():
    async def main():
        model = Model("x")
        alive = weakref.ref(model)
        futures = [model.embed.submit(text) for text in "abc"]
        del model
        gc.collect()
        assert alive() is not None
        assert await asyncio.gather(*futures) == ["x:a", "x:b", "x:c"]
        await turns()
        gc.collect()
        assert alive() is None, "the loop and its queue are still there"

    asyncio.run(main())
    assert all(reference() is not None for reference, _ in Model.embed._queues.values())


def test_an_object_without_weak_references_is_refused_with_the_cure():
    class Slotted:
        __slots__ = ()

        @batch
        async def embed(self, texts):
            return texts

    with pytest.raises(TypeError, match=r"add '__weakref__' to its __slots__"):
        Slotted().embed  # noqa: B018


# ---- what a batched function is, beside what it does ----------------------------------------------------------------


@batch
async def of_a_module(items):
    return items


class OfAClass:
    @batch
    async def method(self, items):
        return items


def test_a_batched_function_is_pickled_and_copied_by_its_name():
    assert pickle.loads(pickle.dumps(of_a_module)) is of_a_module
    assert copy.deepcopy(of_a_module) is of_a_module
    assert asyncio.run(pickle.loads(pickle.dumps(OfAClass().method))("a")) == "a"

    class Nameless:
        def __call__(self, items):
            return items

    with pytest.raises(TypeError, match="has no name to be pickled by"):
        pickle.dumps(batch(Nameless()))


def test_its_signature_is_that_of_a_call():
    assert list(inspect.signature(of_a_module).parameters) == ["item", "priority", "deadline", "tenant", "key"]


@pytest.mark.parametrize("function", [max, str, dict])
def test_a_function_that_does_not_say_what_it_takes_is_refused(function):
    with pytest.raises(ConfigError, match="does not say what it takes: wrap it"):
        batch(function)


def test_a_function_of_two_parameters_that_is_no_method_says_so_when_it_is_called():
    def embed(model, items):
        return items

    with pytest.raises(TypeError, match=r"embed takes two parameters, .* functools.partial"):
        batch(embed)("a")


def test_sync_under_an_event_loop_is_refused_instead_of_stopping_it():
    async def main():
        with pytest.raises(RuntimeError, match="sync would stop the event loop"):
            of_a_module.sync("a")

    asyncio.run(main())
