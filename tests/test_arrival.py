"""What a task awaits and goes on with where it arrives: a future to asyncio, without a turn of the loop in between."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

import pytest

from llmfast import _bridge, _llmfast
from llmfast._llmfast import Arrival
from loops import turns

# asyncio has its task twice, in C and in Python; debuggers and instrumentation use the second one.
TASKS = {"C": asyncio.Task, "Python": asyncio.tasks._PyTask}


@pytest.fixture(params=TASKS)
def run(request):
    """Run a coroutine on a loop whose tasks are of this kind."""

    def factory(loop, coroutine, **keywords):
        return TASKS[request.param](coroutine, loop=loop, **keywords)

    def run(coroutine):
        async def with_tasks():
            asyncio.get_running_loop().set_task_factory(factory)
            return await asyncio.get_running_loop().create_task(coroutine)

        return asyncio.run(with_tasks())

    return run


@pytest.fixture(params=["itself", "a future that is done"], autouse=True)
def told(request, monkeypatch):
    """What a task is told when a value arrives."""
    if request.param != "itself":
        monkeypatch.setitem(globals(), "Arrival", lambda loop: _llmfast.Arrival(loop, _bridge._done()))


def soon(function, *arguments):
    asyncio.get_running_loop().call_soon(function, *arguments)


def test_a_value_arrives(run):
    async def main():
        arrival = Arrival(asyncio.get_running_loop())
        soon(arrival.arrive, ("a", [1]))
        return await arrival

    assert run(main()) == ("a", [1])


def test_a_task_goes_on_in_the_turn_in_which_it_arrives(run):
    async def main():
        loop, seen = asyncio.get_running_loop(), []
        arrival = Arrival(loop)

        async def wait():
            seen.append(await arrival)
            assert asyncio.current_task() is task

        task = loop.create_task(wait())
        await turns(1)

        def arrive():
            arrival.arrive("came")
            seen.append("after")

        soon(arrive)
        await task
        return seen

    assert run(main()) == ["came", "after"]


def test_an_error_is_raised_where_it_is_awaited(run):
    async def main():
        arrival = Arrival(asyncio.get_running_loop())
        soon(arrival.arrive, None, OSError("no"))
        with pytest.raises(OSError, match="no"):
            await arrival
        return arrival.done(), arrival.cancelled(), str(arrival.exception())

    assert run(main()) == (True, False, "no")


def test_what_came_before_is_there_at_once(run):
    async def main():
        arrival = Arrival(asyncio.get_running_loop())
        arrival.arrive(7)
        return await arrival, arrival.result(), arrival.exception()

    assert run(main()) == (7, 7, None)


def test_only_the_first_counts(run):
    async def main():
        arrival = Arrival(asyncio.get_running_loop())
        arrival.arrive(1)
        arrival.arrive(2)
        assert arrival.cancel() is False
        return await arrival

    assert run(main()) == 1


def test_a_task_that_waits_can_be_cancelled(run):
    async def main():
        loop = asyncio.get_running_loop()
        arrival = Arrival(loop)

        async def wait():
            await arrival

        task = loop.create_task(wait())
        await turns(1)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        # What comes now comes too late, and does no harm.
        arrival.arrive("late")
        with pytest.raises(asyncio.CancelledError):
            arrival.result()
        return arrival.cancelled(), task.cancelled()

    assert run(main()) == (True, True)


def test_a_task_that_is_cancelled_before_it_waits_does_not_hang(run):
    async def main():
        loop = asyncio.get_running_loop()
        arrival = Arrival(loop)

        async def wait():
            asyncio.current_task().cancel()
            await arrival

        task = loop.create_task(wait())
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        return arrival.cancelled()

    assert run(main()) is True


def test_a_timeout_ends_the_wait(run):
    async def main():
        arrival = Arrival(asyncio.get_running_loop())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await arrival
        return arrival.cancelled()

    assert run(main()) is True


def test_a_task_goes_on_in_its_own_context(run):
    who = contextvars.ContextVar("who", default="nobody")

    async def main():
        loop = asyncio.get_running_loop()
        arrivals = [Arrival(loop) for _ in range(2)]

        async def wait(name, arrival):
            who.set(name)
            await arrival
            return who.get()

        tasks = [loop.create_task(wait(name, arrival)) for name, arrival in zip("ab", arrivals, strict=True)]
        await turns(1)
        who.set("the one who brings it")
        soon(lambda: [arrival.arrive(None) for arrival in arrivals])
        return await asyncio.gather(*tasks), who.get()

    assert run(main()) == (["a", "b"], "the one who brings it")


def test_all_who_wait_are_told(run):
    async def main():
        loop = asyncio.get_running_loop()
        arrival = Arrival(loop)

        async def wait():
            return await arrival

        tasks = [loop.create_task(wait()) for _ in range(3)]
        await turns(1)
        soon(arrival.arrive, "x")
        return await asyncio.gather(*tasks, arrival)

    assert run(main()) == ["x"] * 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_a_task_lets_out_ends_the_loop_and_loses_nobody(error):
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    arrival, seen = Arrival(loop), []

    async def leave():
        await arrival
        raise error

    async def stay():
        seen.append(await arrival)

    tasks = [loop.create_task(leave()), loop.create_task(stay())]
    loop.call_later(0, arrival.arrive, "x")
    with pytest.raises(error):
        loop.run_forever()
    loop.run_until_complete(tasks[1])
    assert seen == ["x"]
    assert isinstance(tasks[0].exception(), error)
    loop.close()


def test_it_belongs_to_its_loop(run):
    other = asyncio.new_event_loop()

    async def main():
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            await Arrival(other)

    run(main())
    other.close()


def test_nothing_has_arrived_yet():
    loop = asyncio.new_event_loop()
    arrival = Arrival(loop)
    assert (arrival.done(), arrival.cancelled(), arrival.get_loop()) == (False, False, loop)
    for ask in (arrival.result, arrival.exception):
        with pytest.raises(asyncio.InvalidStateError):
            ask()
    loop.close()


def test_a_task_that_waits_for_ever_is_garbage():
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)

    class Held:
        pass

    async def wait(held):
        await Arrival(loop)

    held = Held()
    task = loop.create_task(wait(held))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    seen = weakref.ref(held)
    del held, task
    gc.collect()
    assert seen() is None
