"""`batch` with synchronous functions, from threads without a loop, over forks and at the interpreter's end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from batching import outcomes
from llmfast._batch import batch
from llmfast._errors import ClosedError, OverloadedError


def test_a_synchronous_function_runs_on_a_thread_of_its_own():
    threads = []

    @batch
    def double(numbers):
        threads.append(threading.current_thread())
        return [2 * number for number in numbers]

    async def main():
        return await asyncio.gather(*map(double, range(5))), await double.map([7])

    assert asyncio.run(main()) == ([0, 2, 4, 6, 8], [14])
    assert len(set(threads)) == 1
    assert threads[0] is not threading.main_thread()
    assert threads[0].name.startswith("llmfast-batch")


def test_the_loop_goes_on_while_a_synchronous_function_runs():
    go_on, started = threading.Event(), threading.Semaphore(0)

    @batch(concurrency=2, max_batch_size=1)
    def wait(items):
        started.release()
        assert go_on.wait(60)
        return items

    async def main():
        first, second = wait.submit("a"), wait.submit("b")
        for _ in range(2):
            await asyncio.to_thread(started.acquire, timeout=60)
        assert wait.stats().running == 2
        go_on.set()
        return await asyncio.gather(first, second)

    assert asyncio.run(main()) == ["a", "b"]


def test_errors_of_a_synchronous_function_reach_its_callers():
    @batch
    def fail(items):
        if "stop" in items:
            raise StopIteration
        if "bad" in items:
            raise KeyError("bad")
        return items

    results = asyncio.run(outcomes(fail, ["a", "bad", "b"]))
    assert (results[0], type(results[1]), results[2]) == ("a", KeyError, "b")
    (stopped,) = asyncio.run(outcomes(fail, ["stop"]))
    assert isinstance(stopped, RuntimeError)
    assert isinstance(stopped.__cause__, StopIteration)


def test_a_synchronous_function_that_nobody_waits_for_keeps_its_worker_until_it_returns():
    go_on, started, running = threading.Event(), threading.Event(), []

    @batch
    def wait(items):
        running.append(items)
        started.set()
        assert go_on.wait(60)
        return items

    async def main():
        first = wait.submit("a")
        await asyncio.to_thread(started.wait, 60)
        first.cancel()
        second = wait.submit("b")
        for _ in range(20):
            await asyncio.sleep(0)
        assert running == [["a"]]
        assert wait.stats().running == 1
        go_on.set()
        return await second

    assert asyncio.run(main()) == "b"
    assert running == [["a"], ["b"]]


def test_close_with_cancel_waits_for_a_synchronous_function_that_runs():
    go_on, started, ended = threading.Event(), threading.Event(), []

    @batch(max_batch_size=1)
    def wait(items):
        started.set()
        assert go_on.wait(60)
        ended.append(items)
        return items

    async def main():
        first, second = wait.submit("a"), wait.submit("b")
        await asyncio.to_thread(started.wait, 60)
        closing = asyncio.ensure_future(wait.close(cancel=True))
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result) for result in results] == [ClosedError] * 2
        assert not closing.done()
        go_on.set()
        await closing
        assert ended == [["a"]]

    asyncio.run(main())


def test_a_function_that_returns_something_to_await_is_awaited():
    async def double(numbers):
        return [2 * number for number in numbers]

    assert asyncio.run(batch(lambda numbers: double(list(numbers))).map([1, 2])) == [2, 4]


def test_the_threads_end_with_the_function():
    @batch
    def own(items):
        threads.append(threading.current_thread())
        return items

    threads: list[threading.Thread] = []
    asyncio.run(own.map([1]))
    del own
    gc.collect()
    threads[0].join(60)
    assert not threads[0].is_alive()


# ---- sync ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [True, False])
def test_sync_works_from_any_thread(is_async):
    async def on_loop(numbers):
        return [number + 1 for number in numbers]

    function = batch(on_loop if is_async else lambda numbers: [number + 1 for number in numbers])
    assert function.sync(1) == 2
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(function.sync, range(200))) == list(range(1, 201))
    assert function.stats().completed == 201


def test_sync_takes_the_same_wishes_and_raises_the_same_errors():
    @batch(max_queue=1)
    async def embed(items):
        return [KeyError(item) if item == "bad" else item for item in items]

    assert embed.sync("a", priority=1, tenant="t", key="k", deadline=60) == "a"
    with pytest.raises(KeyError, match="bad"):
        embed.sync("bad")
    with pytest.raises(TypeError, match="unhashable"):
        embed.sync("a", key=[])


def test_sync_sees_the_context_of_its_thread():
    variable = contextvars.ContextVar("tenant", default="nobody")

    @batch
    async def embed(items):
        return [variable.get() for _ in items]

    def ask():
        variable.set("somebody")
        return embed.sync("a")

    assert contextvars.copy_context().run(ask) == "somebody"


def test_sync_inside_of_its_own_function_gets_an_error_instead_of_waiting_for_ever():
    @batch
    async def embed(items):
        return [embed.sync("b") if item == "a" else item for item in items]

    with pytest.raises(RuntimeError, match="would stop the event loop"):
        embed.sync("a")
    assert embed.sync("c") == "c"


def test_the_loop_of_threads_ends_with_the_function():
    @batch
    async def thread(items):
        return [threading.current_thread() for _ in items]

    serving = thread.sync("a")
    del thread
    gc.collect()
    serving.join(60)
    assert not serving.is_alive()


class Model:
    @batch
    async def embed(self, texts):
        return [f"{id(self)}:{text}" for text in texts]


def test_sync_does_not_keep_an_object_alive():
    model = Model()
    assert model.embed.sync("a") == f"{id(model)}:a"
    alive = weakref.ref(model)
    del model
    # The task that answered may still be on its way out.
    for _ in range(1000):
        gc.collect()
        if alive() is None:
            break
    assert alive() is None


def test_a_queue_of_one_thread_does_not_fill_that_of_another():
    @batch(max_queue=1)
    async def embed(items):
        return items

    async def main():
        embed.submit("a")
        with pytest.raises(OverloadedError):
            embed.submit("b")
        return await asyncio.to_thread(embed.sync, "c")

    assert asyncio.run(main()) == "c"


# ---- forks, and the end ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_queues_of_its_own():
    @batch
    async def embed(items):
        return [(os.getpid(), item) for item in items]

    @batch
    def threaded(items):
        return [(os.getpid(), item) for item in items]

    async def main():
        return await asyncio.gather(embed("a"), threaded("b"))

    def ask():
        return [*asyncio.run(main()), embed.sync("c"), threaded.sync("d")]

    def expected():
        return [(os.getpid(), item) for item in "abcd"]

    assert ask() == expected()
    child = os.fork()
    if child == 0:
        # No assert: pytest would go on in the child.
        os._exit(0 if ask() == expected() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask() == expected()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_is_forked_by_a_batch_starts_empty():
    @batch(max_batch_size=1)
    async def embed(items):
        if items == ["fork"]:
            child = os.fork()
            if child == 0:
                os._exit(0 if embed.stats().queued == 0 and embed.sync("c") == "c" else 1)
            return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]  # noqa: ASYNC222 - a test may block its loop
        return items

    async def main():
        return await asyncio.gather(embed("fork"), embed("waits"))

    assert asyncio.run(main()) == [0, "waits"]


@pytest.mark.parametrize(
    "ending",
    [
        "asyncio.run(embed.map('ab'))",
        "embed.sync('a'); threaded.sync('a')",
        "asyncio.run(threaded.map('ab'))",
        "embed.sync('a'); raise SystemExit(0)",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(embed('a')); loop.close()",
        "asyncio.run(pending())",
        "kept = asyncio.run(pending())",
    ],
)
def test_nothing_is_left_at_the_interpreters_end(ending):
    program = textwrap.dedent(
        """
        import asyncio
        from llmfast import batch

        @batch
        async def embed(items):
            if "z" in items:
                await asyncio.Event().wait()
            return items

        @batch
        def threaded(items):
            return items

        async def pending():
            return embed.submit("z"), embed.submit("y")

        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program + ending], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
    assert "never" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_counts_anew():
    @batch
    async def embed(items):
        return items

    async def main():
        embed.submit("a")
        child = os.fork()
        if child == 0:
            os._exit(embed.stats().submitted)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # noqa: ASYNC222 - a test may block its loop

    embed.sync("b")
    assert asyncio.run(main()) == 0
    assert embed.stats().submitted == 2
