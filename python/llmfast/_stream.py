"""Streamed answers, as callers read them."""

from __future__ import annotations

import inspect
import logging
import threading
from typing import TYPE_CHECKING, Any, Protocol, Self

from ._arguments import refuse
from ._failures import log, shown
from ._loops import on_loop, runs_in
from ._usage import NOTHING_TOLD, Told

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ._failures import Failures
    from ._provider_json import Event
    from ._usage import Usage

    #: Told the model that served and the tokens that it took.
    Listener = Callable[[str, Usage | None], None]

#: Items that are read one after the other before other tasks of the loop have a turn.
TURN = 256

#: What an item brings that is none, but says what the call took.
NOTHING = object()


class Stream:
    """The items of a streamed answer: an async iterator, `async for item in answer.response`.

    Each caller has one of its own, which begins with the first item and is read at the caller's pace, on any event
    loop. str and bytes come as they are, JSON data as a fresh copy; an object of another type, which keeps the stream
    from being stored, is the same one for all who read along.

    Who stops early says so with `aclose()`, or reads inside of `async with answer.response as stream`; cancelling a
    read or dropping the stream does the same. The call behind it is stopped when nobody reads it any more (see
    `CachePolicy.on_abandon`). If the call fails midway, everybody gets the items that came before, then its error, or
    ClosedError if the event loop that it ran on has ended.
    """

    __slots__ = ("__weakref__", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source

    def __aiter__(self) -> Self:
        """Return the stream itself: it is read once."""
        return self

    async def __anext__(self) -> Any:
        """Return the next item."""
        return await self._source.next()

    async def aclose(self) -> None:
        """Stop reading; there are no items after that."""
        await self._source.close()

    async def close(self) -> None:
        """Do the same as `aclose`: so the streams of client libraries call it."""
        await self._source.close()

    async def __aenter__(self) -> Self:
        """Return the stream itself, which is closed when the block ends."""
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._source.close()

    @property
    def usage(self) -> Usage | None:
        """Tokens that the call took, then or now; None if it did not say, or has not ended."""
        ending = self._source.ending
        return ending.usage if ending.ended else None

    @property
    def model(self) -> str:
        """The model that served, as far as it is known."""
        return self._source.ending.model

    def when_ended(self, listener: Listener) -> None:
        """Call `listener(model, usage)` when the call has ended, at once if it has; that may be in another thread."""
        self._source.ending.listen(listener)

    def __repr__(self) -> str:
        return f"<Stream of {self.model or 'an unknown model'}, {'ended' if self._source.ending.ended else 'going on'}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if not isinstance(self._source, Replay):
            raise TypeError("a stream that is being read is not copied: read it, and copy its items")
        return Stream, (self._source,)

    def __del__(self) -> None:
        source = getattr(self, "_source", None)
        # A copy that failed has none.
        if source is not None:
            source.drop()


class Source(Protocol):
    """Where the items of one stream come from."""

    ending: Ending

    async def next(self) -> Any:
        """Return the next item, or raise StopAsyncIteration."""

    async def close(self) -> None:
        """Give no more items."""

    def drop(self) -> None:
        """Do the same from within a garbage collection, where no lock may be waited for that others take."""


class Ending:
    """What is known of a stream when it has ended."""

    def __init__(
        self, model: str, usage: Usage | None, *, ended: bool = False, failures: Failures | None = None
    ) -> None:
        self.model = model
        #: As far as it is known now.
        self.usage = usage
        self.finish_reason: str | None = None
        self.ended = ended
        self._told = NOTHING_TOLD if usage is None or ended else Told.by(usage)
        #: Whether the usage was told when the answer was whole.
        self._is_final = False
        #: Of the provider's answer whose events told the usage, and whether there was another one.
        self._answer: str | None = None
        self._is_of_many = False
        self._failures = failures
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def note(self, model: str | None, told: Told | None, finish_reason: str | None) -> None:
        """Take what an item says of the whole: the last one counts, of usage each count by itself.

        A usage that cannot be read (`NOTHING_TOLD`) leaves none: what came before it was not the whole.
        """
        self.model = model or self.model
        self.finish_reason = finish_reason or self.finish_reason
        if told is not None:
            self._told = told if told == NOTHING_TOLD else self._told.then(told)
            self.usage = self._told.usage
            self._is_final = self.finish_reason is not None

    def note_event(self, event: Event, model: str | None, told: Told | None) -> None:
        """Take what an item that is a provider's `event` says, `model` and usage as they were read.

        Where several answers go through one stream, none of their usages is the whole: then it is not known, unless a
        `Reply` says it.
        """
        if told is not None and event.id is not None:
            self._is_of_many |= self._answer not in (None, event.id)
            self._answer = event.id
        self.note(model, NOTHING_TOLD if told is not None and self._is_of_many else told, None)
        if told is not None:
            self._is_final |= event.is_last

    def end(self, *, cut: bool = False) -> None:
        """Tell everybody who listens; only the first call counts.

        `cut`: the stream was not read to its end, so that what was told of the usage by then is not all of it.
        """
        with self._lock:
            if self.ended:
                return
            if cut and not self._is_final:
                self._told, self.usage = NOTHING_TOLD, None
            self.ended = True
            listeners, self._listeners = self._listeners, []
        if self.usage is None and self._told != NOTHING_TOLD and self._failures is not None:
            self._failures.note("usage", refuse("usage", self._told, "the tokens of input and output"))
        for listener in listeners:
            self._tell(listener)

    def _tell(self, listener: Listener) -> None:
        try:
            listener(self.model, self.usage)
        except Exception as error:  # noqa: BLE001 - of the listener's own
            # Those who read the stream wait for what comes after this.
            log(logging.ERROR, "a listener of a stream's end failed: %s", shown(listener, 200), error=error)

    def listen(self, listener: Listener) -> None:
        """Call `listener` at the end, at once if that was."""
        with self._lock:
            if not self.ended:
                self._listeners.append(listener)
                return
        self._tell(listener)


class Replay:
    """The items of a stream that was recorded."""

    def __init__(self, items: list[Any], model: str, usage: Usage | None) -> None:
        self.ending = Ending(model, usage, ended=True)
        self._items = items
        self._next = 0

    async def next(self) -> Any:
        """Return the next item."""
        if self._next >= len(self._items):
            raise StopAsyncIteration
        item = self._items[self._next]
        self._next += 1
        if self._next % TURN == 0:
            await breathe()
        return item

    async def close(self) -> None:
        """Give no more items."""
        self._items = []

    def drop(self) -> None:
        """Do nothing: nobody waits for anything."""

    def __reduce__(self) -> tuple[Any, ...]:
        # What is still to be read.
        return Replay, (self._items[self._next :], self.ending.model, self.ending.usage)


class Passage:
    """The items of a stream that is neither shared nor stored, read from the provider as they are asked for."""

    def __init__(
        self,
        source: Any,
        unwrap: Callable[[Any], Any],
        ending: Ending,
        loop: asyncio.AbstractEventLoop,
        unclosed: Callable[[Exception], None],
    ) -> None:
        self.ending = ending
        #: Told what closing the source raised, where something else is raised already.
        self._unclosed = unclosed
        self._source = source
        self._iterator = aiter(source)
        self._unwrap = unwrap
        self._loop = loop

    async def next(self) -> Any:
        """Return the next item."""
        import asyncio

        task = asyncio.current_task()
        while not self.ending.ended:
            try:
                item = await anext(self._iterator)
            except StopAsyncIteration:
                self.ending.end()
                raise
            except BaseException as error:
                if isinstance(error, GeneratorExit) and not runs_in(task):
                    # The loop was closed under us: there is nothing that could be awaited.
                    raise
                # What it raised counts, not how it took its end.
                try:
                    await self.close()
                except Exception as unclosed:  # noqa: BLE001 - counted
                    self._unclosed(unclosed)
                if isinstance(error, GeneratorExit):
                    raise ended_by(error, self._source) from error
                raise
            value = self._unwrap(item)
            if value is not NOTHING:
                return value
        raise StopAsyncIteration

    async def close(self) -> None:
        """Close the provider's iterator."""
        if not self.ending.ended:
            self.ending.end(cut=True)
            await close_source(self._iterator, self._source)

    def drop(self) -> None:
        """Close it when the loop has time; where that was closed nobody else is left to say that this has ended."""
        if self.ending.ended:
            return
        if self._loop.is_closed():
            self.ending.end(cut=True)
        else:
            on_loop(self._loop, self._close_soon)

    def _close_soon(self) -> None:
        task = self._loop.create_task(self.close())
        _closing.add(task)
        task.add_done_callback(_closing.discard)


#: The loop itself keeps only weak references to tasks.
_closing: set[asyncio.Task[None]] = set()


def is_stream(value: Any) -> bool:
    """Whether what a call returned is read item by item."""
    return hasattr(type(value), "__aiter__")


def ended_by(error: BaseException, source: Any) -> RuntimeError:
    """Return the error for what ends a generator, raised by code of the caller's: it would end who awaits that too."""
    return RuntimeError(f"{source!r} raised {type(error).__name__}")


async def breathe() -> None:
    """Let the other tasks of the loop have a turn."""
    import asyncio

    await asyncio.sleep(0)


async def close_source(iterator: Any, source: Any) -> None:
    """Close an iterator that was not read to its end, by its own `aclose` or that of what it iterates over."""
    for holder, name in ((iterator, "aclose"), (source, "aclose"), (source, "close")):
        close = getattr(holder, name, None)
        if close is not None:
            closed = close()
            if inspect.isawaitable(closed):
                await closed
            return
