"""Drivers of the way: they do what its generator yields, on an event loop or in the calling thread."""

from __future__ import annotations

import inspect
import math
import os
import threading
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ._bridge import Bridge, Search
from ._flight import ABANDONED, LOOK_AGAIN_AFTER, Abandoned, Failed, as_inside
from ._loop_thread import LoopThread
from ._loops import is_async_generator, on_loop, running_loop, runs_in, wake
from ._stream import breathe, close_source, ended_by, is_stream
from ._types import Reply
from ._worker import Worker, call_threads

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Generator
    from concurrent.futures import Future

    from ._flight import Flight, FlightTable, Seat


class OffLoop(NamedTuple):
    """Run `job()`, which computes for milliseconds, where it holds up no event loop.

    What `encodes` has a thread to itself: answers that have arrived must not be stored after all those that have not.
    What is not begun within `max_wait` seconds is not, which raises OverloadedError.
    """

    job: Callable[[], Any]
    encodes: bool
    max_wait: float = math.inf


class Call(NamedTuple):
    """Call the caller's own function, wait for what it returns.

    A thread cannot be stopped: what the function returns there after whoever waited has left is given to `late`, in
    that thread.
    """

    function: Callable[..., Any]
    query: str
    keywords: dict[str, Any]
    late: Callable[[Any], None]


class Consult(NamedTuple):
    """Ask a function of the caller's, sync or async, on what becomes of an answer: its failure must not cost it."""

    function: Callable[..., Any]
    query: str
    value: Any


class Await(NamedTuple):
    """Await `start()` on the event loop of whoever asks. A thread that has none passes it by."""

    start: Callable[[], Awaitable[None]]


class Pour(NamedTuple):
    """Read the stream `source` to its end, give each item to `take`, and wait for `room` where that returns False.

    What closing it before its end raises is told to `unclosed`: that it was not read to its end counts more.
    """

    source: Any
    take: Callable[[Any], bool]
    room: Callable[[], Awaitable[None]]
    unclosed: Callable[[Exception], None]


class Fly(NamedTuple):
    """Wait in `seat` for what its flight brings. Who leads it has the rest of the `way` to it driven.

    The answer is what the way of the flight returned, or `Failed`, or `Abandoned`.
    """

    seat: Seat
    way: Generator[Any, Any, Any] | None


class Behind(NamedTuple):
    """Run `start()` behind the back of whoever asks, unless that is on its way for `key` already.

    The answer is whether somebody does: a thread without an event loop has nobody for it.
    """

    key: bytes
    start: Callable[[], Generator[Any, Any, None]]


Step: TypeAlias = Search | OffLoop | Await | Call | Consult | Pour | Fly | Behind

#: Items of a stream that are read in one go where they are there already. Then the readers have a turn: maybe they have
#: had enough.
_READ_AHEAD = 64


#: Where threads without a loop await async functions that are consulted: one loop for all, since what they use, such as
#: the connections of a client, belongs to the loop that it was made on.
_consulted = LoopThread()


class AsyncDriver:
    """Drives on the running event loop of each caller. Nothing is bound to a loop at construction."""

    def __init__(self, flights: FlightTable | None) -> None:
        self._flights = flights
        self._encoding = Worker()
        self._storing = Worker()
        self._bridge = Bridge()
        # The loop itself keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        #: On which loop of which process runs what runs behind, by key.
        self._behind: dict[bytes, tuple[asyncio.AbstractEventLoop, int]] = {}

    async def drive(self, way: Generator[Step, Any, Any], loop: asyncio.AbstractEventLoop) -> Any:
        """Run `way` to its end, on `loop`, which runs here, and return what it returns."""
        result: Any = None
        failure: BaseException | None = None
        try:
            while True:
                step = way.send(result) if failure is None else way.throw(failure)
                result, failure = None, None
                try:
                    # What a hit by meaning waits for, without a call more.
                    result = await (self._bridge.look_up(step, loop) if type(step) is Search else self._do(step, loop))
                except Exception as error:  # noqa: BLE001 - thrown into the way, which decides
                    failure = error
        except StopIteration as end:
            return end.value
        finally:
            way.close()

    def later(self, job: Callable[[], None]) -> None:
        """Run a job of some microseconds, or rarely milliseconds, on the thread that stores; nobody waits for it."""
        self._storing.submit(job)

    async def _do(
        self, step: OffLoop | Await | Call | Consult | Pour | Fly | Behind, loop: asyncio.AbstractEventLoop
    ) -> Any:
        if isinstance(step, OffLoop):
            import asyncio

            worker = self._encoding if step.encodes else self._storing
            if worker.is_here():
                # An encoder that asks the cache again from a loop of its own.
                return _within(step.job)
            return await _contained(asyncio.wrap_future(worker.submit(partial(_within, step.job), step.max_wait)))
        if isinstance(step, Await):
            return await _contained(_inside(step.start))
        if isinstance(step, Consult):
            consult = partial(step.function, step.query, step.value)
            # An object whose call is async is no coroutine function, and its partial neither.
            start = consult if is_async(step.function) else partial(_beside, None, consult)
            return await _contained(_inside(start))
        if isinstance(step, Call):
            return await _call(step)
        if isinstance(step, Pour):
            return await _pour(step)
        if isinstance(step, Behind):
            return self._start_behind(step, loop)
        return await self._fly(step, loop)

    def _start_behind(self, step: Behind, loop: asyncio.AbstractEventLoop) -> bool:
        other, process = self._behind.get(step.key, (None, 0))
        # One that has stopped may never run again.
        if other is None or not other.is_running() or process != os.getpid():
            mine = self._behind[step.key] = loop, os.getpid()
            task = loop.create_task(self.drive(step.start(), loop))
            self._keep(task, partial(self._is_done_behind, step.key, mine))
        return True

    def _is_done_behind(self, key: bytes, mine: tuple[asyncio.AbstractEventLoop, int]) -> None:
        if self._behind.get(key) is mine:
            del self._behind[key]

    def _keep(self, task: asyncio.Task[None], then: Callable[[], None]) -> None:
        """Keep a task until it is done, then call `then`: one that is cancelled before its first turn runs nothing."""
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            then()

        task.add_done_callback(done)

    async def _fly(self, step: Fly, loop: asyncio.AbstractEventLoop) -> Any:
        import asyncio

        flights, seat = self._flights, step.seat
        flight = seat.flight
        assert flights is not None
        if step.way is not None:
            # A task of its own, so that the caller can leave and the others still get the answer.
            landing = self._to_land(flight, step.way, loop)
            try:
                task = loop.create_task(landing)
            except BaseException:
                # At the limit of recursion, say. The flight is abandoned, and nobody else would end this.
                landing.close()
                raise
            flight.is_driven = True
            self._keep(task, partial(flights.land, flight, ABANDONED))
            flight.soon = partial(on_loop, loop)
            flight.cancel = partial(on_loop, loop, task.cancel)
        landed = loop.create_future()
        flights.listen(flight, partial(wake, loop, landed))
        try:
            is_over = await seat.wait(landed)
        except BaseException:
            seat.leave()
            raise
        if not is_over:
            seat.leave()
            return ABANDONED
        if step.way is not None and isinstance(flight.outcome, Abandoned):
            # The call itself ended by cancellation, which nobody here asked for.
            raise asyncio.CancelledError
        return flight.outcome

    async def _to_land(self, flight: Flight, way: Generator[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        assert self._flights is not None
        outcome: Any = ABANDONED
        try:
            with as_inside():
                outcome = await self.drive(way, loop)
        except (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - handed to everybody who waits, such as what pytest.fail raises
            outcome = Failed(error, error.__traceback__)
        finally:
            # Also when the loop cancels us at its end: others may wait in other loops.
            self._flights.land(flight, outcome)


def drive_sync(way: Generator[Any, Any, Any], flights: FlightTable | None) -> Any:
    """Run `way` to its end in the calling thread and return what it returns.

    Raises RuntimeError if an event loop is running in this thread.
    """
    if loop_is_running():
        way.close()
        message = "get_or_generate_sync would stop the event loop of this thread: await get_or_generate instead"
        raise RuntimeError(message)
    return _drive_here(way, flights)


def _drive_here(way: Generator[Any, Any, Any], flights: FlightTable | None) -> Any:
    result: Any = None
    failure: BaseException | None = None
    try:
        while True:
            step = way.send(result) if failure is None else way.throw(failure)
            result, failure = None, None
            try:
                result = _do_here(step, flights)
            except Exception as error:  # noqa: BLE001 - thrown into the way, which decides
                failure = error
    except StopIteration as end:
        return end.value
    finally:
        way.close()


def _do_here(step: Step, flights: FlightTable | None) -> Any:
    if isinstance(step, OffLoop):
        return _within(step.job)
    if isinstance(step, Search | Await):
        # A thread without a loop has nobody to hold up, and waits for nothing.
        return None
    if isinstance(step, Behind):
        return False
    if isinstance(step, Call):
        return _call_here(step)
    if isinstance(step, Consult):
        return _consult_here(step)
    assert isinstance(step, Fly), "what a call returns here is no stream"
    return _fly_here(step, flights)


def _call_here(step: Call) -> Any:
    result = _sealed(step.function, step.query, **step.keywords)
    if inspect.isawaitable(result) or is_stream(result.value if isinstance(result, Reply) else result):
        if inspect.iscoroutine(result):
            result.close()
        message = "llm_callable is async, and get_or_generate_sync cannot await it: await get_or_generate instead"
        raise TypeError(message)
    return result


def _consult_here(step: Consult) -> Any:
    try:
        with as_inside():
            result = step.function(step.query, step.value)
            return _consulted.wait(result) if inspect.isawaitable(result) else result
    except _CALLERS_OWN:
        raise
    except BaseException as error:
        raise _let_out(error) from error


def _fly_here(step: Fly, flights: FlightTable | None) -> Any:
    assert flights is not None
    seat = step.seat
    if step.way is None:
        return seat.flight.outcome if _wait(flights, seat) else ABANDONED
    outcome: Any = ABANDONED
    try:
        with as_inside():
            outcome = _drive_here(step.way, flights)
    except Exception as error:  # noqa: BLE001 - handed to everybody who waits
        outcome = Failed(error, error.__traceback__)
    # If this fails, or what was let out above, the way abandons the flight.
    flights.land(seat.own, outcome)
    return outcome


def _wait(flights: FlightTable, seat: Seat) -> bool:
    """Wait for the outcome of a flight; return False, and leave it, if the loop of its call has stopped."""
    told = threading.Event()
    try:
        flights.listen(seat.flight, told.set)
        while not told.wait(LOOK_AGAIN_AFTER):
            if seat.is_stopped():
                seat.leave()
                return False
    except BaseException:
        seat.leave()
        raise
    return True


async def _call(step: Call) -> Any:
    import asyncio

    function, task = step.function, asyncio.current_task()
    try:
        if is_async(function):
            return await function(step.query, **step.keywords)
        if is_async_generator(function):
            # Makes the iterator, and runs nothing yet.
            return function(step.query, **step.keywords)
        return await _beside(step.late, function, step.query, **step.keywords)
    except GeneratorExit as error:
        if not runs_in(task):
            # The loop was closed under us: there is nothing that could be awaited.
            raise
        raise ended_by(error, function) from error


async def _beside(
    late: Callable[[Any], None] | None, function: Callable[..., Any], /, *arguments: Any, **keywords: Any
) -> Any:
    """Call a sync function in a thread; if it returns something to be awaited, await that."""
    import asyncio

    call = partial(_sealed, function, *arguments, **keywords)
    running = call_threads(asyncio.get_running_loop()).submit(copy_context().run, call)
    try:
        result = await asyncio.wrap_future(running)
    except (asyncio.CancelledError, GeneratorExit):
        if late is not None and not running.cancel():
            running.add_done_callback(partial(_hand_over, late))
        raise
    return await result if inspect.isawaitable(result) else result


def _hand_over(late: Callable[[Any], None], ended: Future[Any]) -> None:
    if ended.exception() is not None:
        return
    result = ended.result()
    if not inspect.isawaitable(result):
        late(result)
    elif inspect.iscoroutine(result):
        # Nothing of it has run.
        result.close()


async def _pour(step: Pour) -> None:
    import asyncio

    iterator, taken, task = aiter(step.source), 0, asyncio.current_task()
    try:
        async for item in iterator:
            if not step.take(item):
                await step.room()
            taken += 1
            if taken % _READ_AHEAD == 0:
                await breathe()
    except BaseException as error:
        if isinstance(error, GeneratorExit) and not runs_in(task):
            # As above.
            raise
        # What it raised counts, not how it took its end.
        try:
            await close_source(iterator, step.source)
        except Exception as unclosed:  # noqa: BLE001 - counted
            step.unclosed(unclosed)
        if isinstance(error, GeneratorExit):
            raise ended_by(error, step.source) from error
        raise


async def _inside(start: Callable[[], Awaitable[Any]]) -> Any:
    # What is awaited may ask the cache as well.
    with as_inside():
        return await start()


async def _contained(awaitable: Awaitable[Any]) -> Any:
    """Await code that is not the call, such as an encoder: whatever it lets out must not end the request.

    So all that would pass for the request's own cancellation, or end its task, becomes an error; what is meant for the
    program passes.
    """
    import asyncio

    task = asyncio.current_task()
    try:
        return await awaitable
    except _CALLERS_OWN:
        raise
    except GeneratorExit as error:
        if not runs_in(task):
            # As above.
            raise
        raise _let_out(error) from error
    except asyncio.CancelledError as error:
        if task is None or task.cancelling():
            raise
        # Nobody cancelled us: what was awaited gave up, and that must not look as if the request had been.
        raise RuntimeError("what was awaited was cancelled from within") from error
    except BaseException as error:
        raise _let_out(error) from error


#: What a failure is as it stands, and what ends a program.
_CALLERS_OWN = (Exception, KeyboardInterrupt, SystemExit)


def _let_out(error: BaseException) -> RuntimeError:
    return RuntimeError(f"what was asked let out {type(error).__name__}, which is no Exception")


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a function is declared async, or is a method, partial or callable object of one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _sealed(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call `function`. No future can carry what ends a generator: whoever waits for it would wait for ever, or end."""
    try:
        return function(*arguments, **keywords)
    except (StopIteration, GeneratorExit) as error:
        raise ended_by(error, function) from error


def _within(job: Callable[[], Any]) -> Any:
    """Do a job of the way, inside of its flight: an encoder may ask the cache as well."""
    try:
        with as_inside():
            return _sealed(job)
    except _CALLERS_OWN:
        raise
    except BaseException as error:
        raise _let_out(error) from error


def loop_is_running() -> bool:
    return running_loop() is not None
