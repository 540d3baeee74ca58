"""Drivers of the way: they do what its generator yields, on an event loop or in the calling thread."""

from __future__ import annotations

import inspect
import threading
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ._bridge import Bridge
from ._flight import ABANDONED, Abandoned, Failed, Seat
from ._loops import is_async_generator, on_loop, running_loop, wake
from ._stream import breathe, close_source, is_stream
from ._types import Reply
from ._worker import Worker

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Generator

    from ._bridge import Search
    from ._flight import Flight, FlightTable


class OffLoop(NamedTuple):
    """Run `job()`, which computes for milliseconds, where it holds up no event loop."""

    job: Callable[[], Any]


class LookUp(NamedTuple):
    """Do the search that `make()` returns on the native worker. The answer is None where there is none."""

    make: Callable[[], Search | None]


class Call(NamedTuple):
    """Call the caller's own function, wait for what it returns."""

    function: Callable[..., Any]
    query: str
    keywords: dict[str, Any]
    #: Passed behind the query.
    more: tuple[Any, ...] = ()


class Await(NamedTuple):
    """Await `start()` on the event loop of whoever asks. A thread that has none passes it by."""

    start: Callable[[], Awaitable[None]]


class Pour(NamedTuple):
    """Read the stream `source` to its end, give each item to `take`, and wait for `room` where that returns False."""

    source: Any
    take: Callable[[Any], bool]
    room: Callable[[], Awaitable[None]]


class Share(NamedTuple):
    """Run `start(flight)` once for all who share `key` at this time, or for this one alone without a key.

    `label` is what the flight is found by when an invalidation arrives. The answer is a `Shared`.
    """

    key: bytes | None
    label: Any
    start: Callable[[Flight], Generator[Any, Any, Any]]
    drain: bool


class Behind(NamedTuple):
    """Run `start()` behind the back of whoever asks, unless that is on its way for `key` already.

    The answer is whether somebody does: a thread without an event loop has nobody for it.
    """

    key: bytes
    start: Callable[[], Generator[Any, Any, None]]


class Shared(NamedTuple):
    """What came of a flight: what the generator returned, or `Failed`, or `Abandoned`."""

    leads: bool
    outcome: Any
    seat: Seat


Step: TypeAlias = LookUp | OffLoop | Await | Call | Pour | Share | Behind

#: Items of a stream that are read in one go where they are there already. Then the readers have a turn: maybe they have
#: had enough.
_READ_AHEAD = 64

#: Whether this context is inside of a flight. A call that asks again makes its own call and waits for no other flight:
#: that one may wait for this.
_inside: ContextVar[bool] = ContextVar("llmfast_inside", default=False)


class AsyncDriver:
    """Drives on the running event loop of each caller. Nothing is bound to a loop at construction."""

    def __init__(self, flights: FlightTable | None) -> None:
        self._flights = flights
        self._worker = Worker()
        self._bridge = Bridge()
        # The loop itself keeps only weak references to tasks.
        self._tasks: set[asyncio.Task[None]] = set()
        #: Keys of what runs behind.
        self._behind: set[bytes] = set()

    async def drive(self, way: Generator[Any, Any, Any], step: Step | None = None) -> Any:
        """Run `way` to its end and return what it returns; `step` is what it has yielded already."""
        try:
            return (await self._advance(way, step))[1]
        finally:
            way.close()

    async def _advance(
        self, way: Generator[Any, Any, Any], step: Step | None, *, to_call: bool = False
    ) -> tuple[Call | None, Any]:
        """Do what `way` yields, to its end or `to_call`; return that call, and what the way returned at its end."""
        result: Any = None
        failure: BaseException | None = None
        while True:
            if step is None:
                try:
                    step = way.send(result) if failure is None else way.throw(failure)
                except StopIteration as end:
                    return None, end.value
                if to_call and isinstance(step, Call):
                    return step, None
            result, failure = None, None
            try:
                result = await self._do(step)
            except Exception as error:  # noqa: BLE001 - thrown into the way, which decides
                failure = error
            step = None

    def later(self, job: Callable[[], None]) -> None:
        """Run a job of some microseconds, or rarely milliseconds, on the worker thread; nobody waits for it."""
        self._worker.submit(job)

    async def _do(self, step: Step) -> Any:
        if isinstance(step, LookUp):
            search = step.make()
            return None if search is None else await self._bridge.look_up(search)
        if isinstance(step, OffLoop):
            import asyncio

            return await asyncio.wrap_future(self._worker.submit(partial(_sealed, step.job)))
        if isinstance(step, Await):
            return await _await(step)
        if isinstance(step, Call):
            return await _call(step)
        if isinstance(step, Pour):
            return await _pour(step)
        if isinstance(step, Behind):
            return self._start_behind(step)
        return await self._share(step)

    def _start_behind(self, step: Behind) -> bool:
        import asyncio

        if step.key not in self._behind:
            self._behind.add(step.key)
            self._keep(asyncio.get_running_loop().create_task(self._run_behind(step)))
        return True

    async def _run_behind(self, step: Behind) -> None:
        try:
            await self.drive(step.start())
        finally:
            self._behind.discard(step.key)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _share(self, step: Share) -> Shared:
        import asyncio

        flights, loop = self._flights, asyncio.get_running_loop()
        assert flights is not None
        if step.key is None or _inside.get():
            flight, leads = flights.solo(loop.is_closed, step.label), True
        else:
            flight, leads = flights.join(step.key, loop.is_closed, step.label)
        seat = Seat(flights, flight, drain=step.drain)
        if leads:
            way = step.start(flight)
            call = await self._to_call(flight, seat, way)
            if call is None:
                return Shared(leads, flight.outcome, seat)
            # A task of its own, so that the caller can leave and the others still get the answer.
            task = loop.create_task(self._fly(flight, way, call))
            self._keep(task)
            flight.soon = partial(on_loop, loop)
            flight.cancel = partial(on_loop, loop, task.cancel)
        landed = loop.create_future()
        flights.listen(flight, partial(wake, loop, landed))
        try:
            await landed
        except BaseException:
            seat.leave()
            raise
        if leads and isinstance(flight.outcome, Abandoned):
            # The call itself ended by cancellation, which nobody here asked for.
            raise asyncio.CancelledError
        return Shared(leads, flight.outcome, seat)

    async def _to_call(self, flight: Flight, seat: Seat, way: Generator[Any, Any, Any]) -> Call | None:
        """Take a flight as far as the call, in the task of whoever leads it; None if it has landed without one.

        Most that are answered by meaning need no task of their own so. Nothing has been paid for yet: if this caller is
        cancelled, those who wait choose another one, who looks again.
        """
        assert self._flights is not None
        before = _inside.get()
        _inside.set(True)
        try:
            call, outcome = await self._advance(way, None, to_call=True)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits
            call, outcome = None, Failed(error, error.__traceback__)
        except BaseException:
            way.close()
            seat.leave()
            self._flights.land(flight, ABANDONED)
            raise
        finally:
            _inside.set(before)
        if call is None:
            self._flights.land(flight, outcome)
        return call

    async def _fly(self, flight: Flight, way: Generator[Any, Any, Any], call: Call) -> None:
        assert self._flights is not None
        _inside.set(True)
        outcome: Any = ABANDONED
        try:
            outcome = await self.drive(way, call)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits
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
        return step.job()
    if isinstance(step, LookUp | Await):
        # A thread without a loop has nobody to hold up, and waits for nothing.
        return None
    if isinstance(step, Behind):
        return False
    if isinstance(step, Call):
        return _call_here(step)
    assert isinstance(step, Share), "what a call returns here is no stream"
    return _share_here(step, flights)


def _call_here(step: Call) -> Any:
    result = step.function(step.query, *step.more, **step.keywords)
    if inspect.isawaitable(result) or is_stream(result.value if isinstance(result, Reply) else result):
        if inspect.iscoroutine(result):
            result.close()
        message = "llm_callable is async, and get_or_generate_sync cannot await it: await get_or_generate instead"
        raise TypeError(message)
    return result


def _share_here(step: Share, flights: FlightTable | None) -> Shared:
    assert flights is not None
    if step.key is None or _inside.get():
        flight, leads = flights.solo(label=step.label), True
    else:
        flight, leads = flights.join(step.key, label=step.label)
    seat = Seat(flights, flight, drain=step.drain)
    if not leads:
        _wait(flights, seat)
        return Shared(False, flight.outcome, seat)
    outcome: Any = ABANDONED
    token = _inside.set(True)
    try:
        outcome = _drive_here(step.start(flight), flights)
    except Exception as error:  # noqa: BLE001 - handed to everybody who waits
        outcome = Failed(error, error.__traceback__)
    finally:
        _inside.reset(token)
        flights.land(flight, outcome)
    return Shared(True, outcome, seat)


def _wait(flights: FlightTable, seat: Seat) -> None:
    told = threading.Event()
    flights.listen(seat.flight, told.set)
    try:
        told.wait()
    except BaseException:
        seat.leave()
        raise


async def _call(step: Call) -> Any:
    function = step.function
    if is_async(function):
        return await function(step.query, *step.more, **step.keywords)
    if is_async_generator(function):
        # Makes the iterator, and runs nothing yet.
        return function(step.query, *step.more, **step.keywords)
    import asyncio

    result = await asyncio.to_thread(_sealed, function, step.query, *step.more, **step.keywords)
    return await result if inspect.isawaitable(result) else result


async def _pour(step: Pour) -> None:
    iterator, taken = aiter(step.source), 0
    try:
        async for item in iterator:
            if not step.take(item):
                await step.room()
            taken += 1
            if taken % _READ_AHEAD == 0:
                await breathe()
    except GeneratorExit:
        # The loop was closed under us: there is nothing that could be awaited.
        raise
    except BaseException:
        await close_source(iterator, step.source)
        raise


async def _await(step: Await) -> None:
    import asyncio

    try:
        await step.start()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody cancelled us: what was awaited gave up, and that must not look as if the request had been.
        raise RuntimeError("what was awaited was cancelled from within") from error


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a function is declared async, or is a method, partial or callable object of one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _sealed(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call `function`. No future can carry a StopIteration: whoever waits for it would wait for ever."""
    try:
        return function(*arguments, **keywords)
    except StopIteration as error:
        raise RuntimeError(f"{function!r} raised StopIteration") from error


def loop_is_running() -> bool:
    return running_loop() is not None
