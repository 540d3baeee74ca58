"""The items of a batched function on one event loop, and the calls that are made of them.

Cancellation costs no callbacks: who awaits `f(x)` says when they leave, and a bare future of `submit` is asked when its
batch is formed, when a full queue would refuse, and when somebody counts. Of a running batch one pending future is
watched, and the next one when it is cancelled, as solvers watch literals. So submitted = completed + failed + cancelled
+ late.
"""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ._batch_bisect import isolate
from ._batch_calls import Retries, Threads, as_list, each, holdable, in_context, turn, variables_of
from ._batch_lists import Lists
from ._batch_worker import INSIDE, Call, Worker
from ._errors import BatchSizeError, ClosedError, DeadlineError, NestedBatchError
from ._llmfast import BatchQueue
from ._loops import runs_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from ._batch_lists import Listed
    from ._batch_options import Options
    from ._llmfast import BatchEntrance, BatchGroup, BatchTotals, FormedBatch

    #: Priority, seconds to the deadline, tenant, key.
    Wishes: TypeAlias = tuple[int, float | None, object, object]

#: What `next` would return where there is nothing to do.
_NOTHING = (None, None, False, False)


class LoopQueue(BatchQueue):
    """The items of one event loop, touched on that loop's thread alone.

    It holds the loop only through futures, tasks and timers that are pending, and the function, which may be a method
    that keeps its object alive, only while there are items.
    """

    def __new__(cls, options: Options, totals: BatchTotals, entrance: BatchEntrance, *, threaded: bool) -> Self:
        """Make the part of the queue that is the core's."""
        del entrance, threaded
        return super().__new__(cls, totals, options.cost, INSIDE, options.limits())

    def __init__(self, options: Options, totals: BatchTotals, entrance: BatchEntrance, *, threaded: bool) -> None:
        self.totals = totals
        self._entrance = entrance
        # The loop while there are items.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._options = options
        self._threads = Threads(options.concurrency) if threaded else None
        #: The function, or what calls it on a thread; None while there are no items.
        self.function: Any = None
        self._calls: dict[int, Call] = {}
        # Lists that did not fit into the queue whole.
        self._lists = Lists(options.ageing)
        self._feeds = False
        self._timed = options.max_wait > 0
        self._timer: asyncio.TimerHandle | None = None
        # Futures of those who wait until nothing is left to do.
        self._for_idle: list[asyncio.Future[None]] = []

    # ---- coming ------------------------------------------------------------------------------------------------------

    async def map(
        self, function: Callable[[list[Any]], Any], items: list[Any], wishes: Wishes, *, return_exceptions: bool
    ) -> list[Any]:
        """Return the results of items, as many of which are queued at a time as there is room for.

        Raises ClosedError after `close`.
        """
        self.check_open()
        if not items:
            return []
        context = copy_context()
        inside = self._inside(context)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Any]] = loop.create_future()
        group = self.group(items, future, context or None, wishes, return_exceptions=return_exceptions)
        for call in inside:
            call.waits_for(future)
        self._lists.add(group, future, wishes, loop.time())
        self._feed(loop.time())
        if not self.armed:
            self.armed = True
            self._arm(loop, function, None)
        if wishes[1] is not None:
            self._has_deadline()
        try:
            return await future
        except asyncio.CancelledError:
            self.drop(group)
            raise

    def _arm(
        self,
        loop: asyncio.AbstractEventLoop,
        function: Callable[[list[Any]], Any],
        future: asyncio.Future[Any] | None,
    ) -> None:
        """Have a worker look at the queue in the next iteration: whatever is submitted in this one goes along."""
        self.function = function if self._threads is None else self._threads.calling(function)
        self._loop = loop
        call = Call(self)
        # A task of whoever submitted the first item, with its variables: it serves that item's batch. Not by the loop's
        # factory, which may run it here and now.
        call.task = Worker(self._work(call, None, future), loop=loop, name="llmfast batch")

    def _inside(self, context: Context) -> list[Call]:
        """Return the calls of this queue that the context belongs to; NestedBatchError if no worker would be left."""
        own = [call for call in context.get(INSIDE, ()) if call.queue is self and call.task is not None]
        for call in own:
            waiting = 1 + sum(other.nested > 0 for other in self._calls.values() if other is not call)
            if waiting >= self._options.concurrency:
                raise NestedBatchError(
                    f"this batch function calls itself and would wait for ever: {waiting} of its "
                    f"{self._options.concurrency} workers (concurrency=) would wait for one that is free"
                )
        return own

    def _feed(self, now: float) -> bool:
        """Queue more of the lists that did not fit, and end those that are late; whether any got in."""
        if self._feeds:
            # A list that failed is dropped, which makes room for the next ones: that is seen below.
            return False
        self._feeds, before = True, self.waiting
        try:
            for listed in self._lists.over(now):
                self._feed_one(listed)
            while (first := self._lists.first()) is not None:
                if self._feed_one(first) is None:
                    break
                self._lists.pass_turn(first.tenant)
        finally:
            self._feeds = False
        return self.waiting > before

    def _feed_one(self, listed: Listed) -> bool | None:
        """Queue a batch of a list, or what is left of it; None if there is no room."""
        try:
            fed = self.feed(listed.group, self._options.max_batch_size)
        except Exception as error:  # noqa: BLE001 - a deadline that is over, or names without a hash
            if not listed.future.done():
                listed.future.set_exception(error)
            self.drop(listed.group)
            return True
        if fed:
            self._lists.discard(listed.group)
        return fed

    # ---- going -------------------------------------------------------------------------------------------------------

    def left(self, ticket: int) -> None:
        """Drop an item whose caller left, and stop a batch that everybody left."""
        batch = self.cancel(ticket)
        if batch is not None:
            self.stop(batch)
        self._vacated()

    def drop(self, group: BatchGroup) -> None:
        """Drop what is left of a list, and stop batches that everybody left."""
        self._lists.discard(group)
        for batch in self.abandon(group):
            self.stop(batch)
        self._vacated()

    def stop(self, number: int) -> None:
        """Stop a batch that nobody waits for."""
        if number in self._calls:
            self._calls[number].stop()

    def _vacated(self) -> None:
        if self._lists:
            loop = asyncio.get_running_loop()
            if self._feed(loop.time()) and not self.armed:
                self.armed = True
                loop.call_soon(self._fire)
        self._settle()

    def _settle(self) -> None:
        if self._calls or self._lists or self.armed or self.waiting:
            return
        if self._timer is not None:
            # Of an item or a list that was left: it would keep this until its deadline.
            self._timer.cancel()
        self.function = self._loop = self._timer = None
        self._entrance.release()
        for future in self._for_idle:
            if not future.done():
                future.set_result(None)
        self._for_idle.clear()

    # ---- calling -----------------------------------------------------------------------------------------------------

    def _fire(self) -> None:
        """Start batches while a worker is free and items wait."""
        self._start_all()

    def _start_all(self, late: FormedBatch | None = None) -> None:
        """Refuse what is too late, and start batches while a worker is free."""
        self.armed = True
        if late is not None:
            self._refuse_late(late)
        while True:
            while (formed := self.next(call := Call(self), None)) is not None:
                # Until the last one was looked at, there is something left to do.
                self.armed = True
                batch, number, _, _ = formed
                if number is None:
                    self._refuse_late(late := batch)
                elif late is not None and not batch.wanted():
                    # All of it belonged to lists that failed with what was late.
                    self.sweep_running(batch)
                    self.finish(batch, "cancelled")
                else:
                    self._start(call, batch, number)
            if not self._lists or not self._feed((self._loop or asyncio.get_running_loop()).time()):
                break
        self.rest()
        if self._timed:
            self._set_timer()
        if not self._calls:
            self._settle()

    def _refuse_late(self, batch: FormedBatch) -> None:
        message = "the deadline could not be met any more: the item was dropped from the queue"
        errors = [(place, DeadlineError(message)) for place in range(len(batch))]
        self.give_errors(batch, errors, counted=False)

    def _has_deadline(self) -> None:
        """See to it that an item with a deadline, which was submitted now, is dropped in time."""
        self._timed = True
        # Else somebody looks in the next turn of the loop, and sets the timer then.
        if self.load()[2] == self._options.concurrency:
            self._set_timer()

    def _set_timer(self) -> None:
        seconds, loop = self.wake(), self._loop or asyncio.get_running_loop()
        over = self._lists.earliest() if self._lists else None
        if over is not None:
            over = max(0.0, over - loop.time())
            seconds = over if seconds is None else min(seconds, over)
        if self._timer is not None:
            # One that comes too early sets the next one: to make a timer takes longer than to queue an item.
            if seconds is not None and self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = None if seconds is None else loop.call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self._start_all()

    def _start(self, call: Call, batch: FormedBatch, number: int) -> None:
        call.batch, call.number = batch, number
        self._calls[number] = call
        loop = self._loop or asyncio.get_running_loop()
        work = self._work(call, batch, None)
        call.task = Worker(work, loop=loop, name="llmfast batch", context=variables_of(batch))

    async def _work(self, call: Call, batch: FormedBatch | None, first: asyncio.Future[Any] | None) -> None:
        """Serve a batch, None for the one that comes next, and then others as long as they come.

        The variables of this task are those of the first item of `batch`, or of the one whose future is `first`.
        """
        try:
            task = call.task
            if task is None or task.early:
                await turn()
            own = batch is not None
            if batch is None:
                batch, own = self._next_here(call, first)
            # It goes with its result, however long this task has batches.
            del first
            while batch is not None:
                if own:
                    await self._serve(call, batch)
                    own = False
                else:
                    await in_context(variables_of(batch), self._serve(call, batch))
                if task is None or task.cancelling():
                    # Its function has left a request to cancel the task, which is not meant for the next batch.
                    self._start_all()
                    return
                # Those who get their results in this turn of the loop may come again: they find a worker that looks.
                self.armed = True
                await turn()
                call = Call(self)
                call.task = task
                batch, _ = self._next_here(call, None)
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not runs_in(task):
                # The loop has gone.
                raise
            if self._stopped(call, error):
                return
            # The task keeps the error, and the error this frame, which must keep neither the task nor its items.
            task = batch = first = None  # noqa: F841
            raise

    def _next_here(self, call: Call, first: asyncio.Future[Any] | None) -> tuple[FormedBatch | None, bool]:
        """Start batches; return the first one, for the task of `call`, and whether this future is its first item's."""
        batch, number, own, more = self.next(call, first) or _NOTHING
        if batch is None or number is None:
            call.task = None
            self._start_all(batch)
            return None, False
        call.batch, call.number = batch, number
        self._calls[number] = call
        if more or self._lists or self._timed:
            self._start_all()
        return batch, own

    async def _serve(self, call: Call, batch: FormedBatch) -> None:
        """Call the function on a batch, and hand out what comes of it."""
        outer = INSIDE.get()
        INSIDE.set((*(other for other in outer if other.task is not None), call) if outer else (call,))
        try:
            results = await self.function(batch.items())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is its callers'
            await self._serve_failed(call, batch, error)
            return
        # From here on there is nothing to stop.
        call.task = None
        if self.hand_out(batch, results) is None:
            self._end(call, batch, "served" if self.sort_out(batch, results, None) else "failed")
        else:
            del self._calls[call.number]
            call.batch = None

    async def _serve_failed(self, call: Call, batch: FormedBatch, error: Exception) -> None:
        if self._options.bisects(error) and not isinstance(error, NestedBatchError):
            await isolate(Retries(self, batch), len(batch), error, self._options.fails_all)
            call.task = None
        else:
            call.task = None
            self.give_errors(batch, enumerate(each(error, len(batch))))
        # Those whose callers left meanwhile were passed over, and nobody may have said so.
        self.sweep_running(batch)
        self._end(call, batch, "failed")

    def _end(self, call: Call, batch: FormedBatch, ended: Literal["served", "failed", "cancelled"]) -> None:
        del self._calls[call.number]
        if ended != "cancelled" and (left := batch.wanted()):
            # Whatever the results were: nobody waits for ever.
            self.give_errors(
                batch, [(place, BatchSizeError("the call ended without a result for this item")) for place in left]
            )
        # The variables of tasks that the function has left behind may hold the call.
        call.task = call.batch = None
        self.finish(batch, ended)

    def sort_out(self, batch: FormedBatch, results: Any, places: list[int] | None) -> bool:
        """Give items of a batch, None for all, their results, whatever these are; whether there was one for each."""
        given = range(len(batch)) if places is None else places
        listed = as_list(results, len(given))
        if isinstance(listed, BatchSizeError):
            self.give_errors(batch, zip(given, each(listed, len(given)), strict=True))
            return False
        failed = self.deliver(batch, listed, places)
        if failed:
            self.give_errors(batch, [(given[index], listed[index]) for index in failed])
        return True

    def give_errors(
        self, batch: FormedBatch, errors: Iterable[tuple[int, BaseException]], *, counted: bool = True
    ) -> None:
        """Fail items of a batch, and the lists that they belong to."""
        failed: list[BatchGroup] = []
        cancelled = False
        for place, error in errors:
            if batch.keeps_errors(place):
                self.fail(batch, [place], error, counted=counted)
            elif isinstance(error, asyncio.CancelledError):
                batch.cancel([place])
                cancelled = True
            else:
                failed += self.fail(batch, [place], holdable(error), counted=counted)
        if cancelled:
            # So that they are counted.
            self.sweep_running(batch)
        for group in failed:
            self.drop(group)

    def _stopped(self, call: Call, error: BaseException) -> bool:
        """See to a call that does not end in order; whether its callers were told why, and nobody else needs to be."""
        task = call.task or asyncio.current_task()
        call.task = None
        if not isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit) and call.batch is not None:
            batch, places = call.batch, call.batch.wanted()
            self.give_errors(batch, zip(places, each(holdable(error), len(places)), strict=True))
            self.sweep_running(batch)
            self._end(call, batch, "failed")
            self._start_all()
            return True
        if call.batch is not None:
            # Before the scheduler forgets them, so that they are counted.
            self._cancel_all(call.batch)
            self.sweep_running(call.batch)
            self._end(call, call.batch, "cancelled")
        if task is not None and not isinstance(error, Exception | asyncio.CancelledError):
            # It has gone through the event loop, to whoever runs it: nobody needs to be told again.
            task.add_done_callback(_retrieve)
        if task is not None and task.cancelling() > call.stops:
            # Cancelled from outside: the loop is shutting down, and a new task would be lost.
            self._give_up_waiting()
        self._start_all()
        return False

    def _cancel_all(self, batch: FormedBatch) -> None:
        batch.cancel(list(range(len(batch))))

    def _give_up_waiting(self) -> None:
        lists = self._lists.take_all()
        self._cancel_all(self.drop_waiting())
        for listed in lists:
            listed.future.cancel()
            self.drop(listed.group)

    # ---- the end -----------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Wait until there is neither an item nor a call; NestedBatchError in a call, which would wait for itself."""
        self._check_outside("drain()")
        if not (self._calls or self._lists or self.waiting):
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._for_idle.append(future)
        self.hurry(True)
        loop.call_soon(self._fire)
        try:
            await future
        finally:
            if future in self._for_idle:
                self._for_idle.remove(future)
            if not self._for_idle:
                self.hurry(False)

    async def close(self, *, cancel: bool) -> None:
        """Refuse new items and wait for the others; with `cancel` fail them and stop the calls."""
        if not cancel:
            self._check_outside("close()")
        self.shut()
        if cancel:
            self._abort()
        await self.drain()

    def _check_outside(self, what: str) -> None:
        if any(call.queue is self and call.task is not None for call in INSIDE.get()):
            raise NestedBatchError(f"{what} inside of the batch function would wait for its own call, for ever")

    def _abort(self) -> None:
        def closed() -> ClosedError:
            return ClosedError("this batched function was closed before there was a result")

        lists, waiting, calls = self._lists.take_all(), self.drop_waiting(), list(self._calls.values())
        for batch in (waiting, *(call.batch for call in calls if call.batch is not None)):
            # The scheduler has counted those that it dropped. Of a batch that is bisected some have their results.
            errors = [(place, closed()) for place in batch.wanted()]
            self.give_errors(batch, errors, counted=batch is not waiting)
        for listed in lists:
            if not listed.future.done():
                listed.future.set_exception(closed())
            self.drop(listed.group)
        for call in calls:
            call.stop()
        self._settle()


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
