"""The calls of a batched function, and the tasks that make them.

A worker's task is made when an item finds none, by whoever submits it, and serves that item's batch. Then it looks once
more in the next turn of the loop, and goes on as long as something has come: those who got their results in this turn
may ask again. So one item after the other costs one turn each, where a task for each batch and a callback that starts
it cost three.
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._batch_queue import LoopQueue
    from ._llmfast import FormedBatch

#: The calls that this code runs in: it may be awaited by their functions.
INSIDE: ContextVar[tuple[Call, ...]] = ContextVar("llmfast_batches", default=())


class Worker(asyncio.Task[None]):
    """The task that makes calls of the function."""

    #: Whether it was cancelled before it began.
    early = False

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel it as any task, but so that its coroutine sees it even if it has not begun."""
        work = self.get_coro()
        if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
            # It would be closed without a word. To begin with it always, or to add a callback for the end, would take
            # longer after a pause than the scheduler does.
            self.early = True
            work.send(None)
        return super().cancel(msg)


class Call:
    """A call of the function, from the task that is to make it to its end."""

    __slots__ = ("batch", "is_left", "nested", "number", "on_thread", "queue", "stops", "task")

    def __init__(self, queue: LoopQueue) -> None:
        self.queue = queue
        #: What is called; None before there is a batch.
        self.batch: FormedBatch | None = None
        self.number = -1
        #: None once its function has returned.
        self.task: Worker | None = None
        #: How often the queue asked it to stop.
        self.stops = 0
        #: Items of the same queue that its function waits for.
        self.nested = 0
        #: Whether its function runs on a thread now, and whether it was to be stopped meanwhile.
        self.on_thread = self.is_left = False

    def stop(self) -> None:
        """Cancel the call; a thread cannot be stopped, and keeps its worker until it returns."""
        if self.on_thread:
            self.is_left = True
        elif self.task is not None:
            # A task that has ended already does not count it.
            self.stops += self.task.cancel()

    def watched(self, future: asyncio.Future[Any]) -> None:
        """Look whether everybody left the batch, one of whose items is done."""
        if self.task is None or self.batch is None or not future.cancelled():
            return
        if self.queue.sweep_running(self.batch):
            self.queue.stop(self.number)
        else:
            self.batch.watch(self.watched)

    def waits_for(self, future: asyncio.Future[Any]) -> None:
        """Note that its function waits for an item of the queue whose worker it holds."""

        def has_it(_: asyncio.Future[Any]) -> None:
            self.nested -= 1

        self.nested += 1
        future.add_done_callback(has_it)
