"""Who takes part in the batcher bench: llmfast, and each peer as its documentation would have it for little latency.

A contender is opened on the running event loop with a backend (an async function on lists) and the number of batches
that may run at a time, and answers with what takes one item and can be awaited. It ends with the loop.

- dloader and aiodataloader (`load`, their caches off) call the backend in the next iteration of the event loop with all
  that was asked by then, and know no limit of calls at a time.
- batched (`aio.dynamically`) polls: its least useful `timeout_ms` is 1, its default 5. One batch at a time.
- async-batcher with `max_queue_time=0` takes what is there (its default waits 10 ms); the rest is its default.
- Ray Serve's `@serve.batch`, outside of a cluster: the queue wants to know only its replica's limit of requests, which
  is given to it. Without a window (its documentation's advice for little latency) and with one of 5 ms.
- BentoML's `CorkDispatcher`, which `@bentoml.api(batchable=True)` uses, with the default latency of a minute. It learns
  from its first batches, so it is asked some items before.
- Two loops as they are written by hand: one that takes all that is there, and one that gathers up to 5 ms
  with `asyncio.wait_for`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import llmfast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from _harness import Bench

    Backend = Callable[[Any], Awaitable[Sequence[Any]]]
    Ask = Callable[[Any], Awaitable[Any]]

LIMIT = 64
WINDOW_S = 0.005
MANY = 1_024


@dataclass(frozen=True)
class Peer:
    """A contender, and what it can be held to."""

    open: Callable[[Backend, int], Awaitable[Ask]]
    #: Can run one batch at a time, and items gather meanwhile.
    one_worker: bool = True
    #: Can run many batches at a time.
    many_workers: bool = True


# ---- llmfast ---------------------------------------------------------------------------------------------------------


def batched_function(backend: Backend, workers: int = 1, **options: Any) -> Any:
    """Return an llmfast batcher of this backend."""
    function: Any = backend
    return llmfast.batch(function, max_batch_size=LIMIT, concurrency=workers, **options)


async def open_submit(backend: Backend, workers: int) -> Ask:
    return batched_function(backend, workers).submit


async def open_call(backend: Backend, workers: int) -> Ask:
    return batched_function(backend, workers)


# ---- loops by hand ---------------------------------------------------------------------------------------------------


class HandLoop:
    """A queue and one task that runs a batch after the other."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.queue: asyncio.Queue[tuple[Any, asyncio.Future[Any]]] = asyncio.Queue()
        self.task = asyncio.get_running_loop().create_task(self.run())

    def __call__(self, item: Any) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((item, future))
        return future

    async def run(self) -> None:
        while True:
            batch = await self.gather()
            try:
                results = await self.backend([item for item, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)

    async def gather(self) -> list[tuple[Any, asyncio.Future[Any]]]:
        """Return the next batch: what is there, as soon as there is something."""
        batch = [await self.queue.get()]
        while len(batch) < LIMIT and not self.queue.empty():
            batch.append(self.queue.get_nowait())
        return batch


class WindowLoop(HandLoop):
    """Gathers until the batch is full or 5 ms after its first item."""

    async def gather(self) -> list[tuple[Any, asyncio.Future[Any]]]:
        loop = asyncio.get_running_loop()
        batch = [await self.queue.get()]
        end = loop.time() + WINDOW_S
        while len(batch) < LIMIT:
            try:
                batch.append(await asyncio.wait_for(self.queue.get(), end - loop.time()))
            except TimeoutError:
                break
        return batch


async def open_greedy(backend: Backend, _: int) -> Ask:
    return HandLoop(backend)


async def open_window(backend: Backend, _: int) -> Ask:
    return WindowLoop(backend)


# ---- libraries -------------------------------------------------------------------------------------------------------


def dloader_peer(module: Any) -> Peer:
    async def start(backend: Backend, _: int) -> Ask:
        return module.DataLoader(backend, max_batch_size=LIMIT, cache=False).load

    return Peer(start, one_worker=False)


def batched_peer(module: Any) -> Peer:
    async def start(backend: Backend, _: int) -> Ask:
        return module.dynamically(backend, batch_size=LIMIT, timeout_ms=1.0)

    return Peer(start, many_workers=False)


def async_batcher_peer(module: Any) -> Peer:
    async def start(backend: Backend, workers: int) -> Ask:
        class Batcher(module.AsyncBatcher):  # type: ignore[misc]
            async def process_batch(self, batch: list[Any]) -> Any:
                return await backend(batch)

        concurrency = -1 if workers > 1 else 1
        return Batcher(max_batch_size=LIMIT, max_queue_time=0.0, concurrency=concurrency).process

    return Peer(start)


def ray_peer(window: float) -> Callable[[Any], Peer]:
    def peer(serve: Any) -> Peer:
        context, common = import_module("ray.serve.context"), import_module("ray.serve._private.common")
        context._set_internal_replica_context(
            replica_id=common.ReplicaID("bench", common.DeploymentID("bench", "bench")),
            servable_object=None,
            _deployment_config=SimpleNamespace(max_ongoing_requests=1_000_000),
            rank=None,
            world_size=1,
        )

        async def start(backend: Backend, workers: int) -> Ask:
            options = {"batch_wait_timeout_s": window, "max_concurrent_batches": workers}
            return serve.batch(max_batch_size=LIMIT, **options)(backend)

        # Without a window a batch is cut before the worker is free, and no item joins it while it waits.
        return Peer(start, one_worker=window > 0.0, many_workers=window == 0.0)

    return peer


def bentoml_peer(module: Any) -> Peer:
    async def start(backend: Backend, workers: int) -> Ask:
        dispatcher = module.CorkDispatcher(
            60_000,
            LIMIT,
            shared_sema=module.NonBlockSema(workers),
            fallback=lambda: None,
            get_batch_size=lambda _: 1,
        )
        ask: Ask = dispatcher(backend)
        for item in range(20):
            await ask(item)
        return ask

    return Peer(start)


#: What pip installs with the extra `bench`, and what is used when it happens to be there.
REQUIRED = {
    "dloader": ("dloader", dloader_peer),
    "aiodataloader": ("aiodataloader", dloader_peer),
    "batched": ("batched.aio", batched_peer),
    "async-batcher": ("async_batcher.batcher", async_batcher_peer),
}
OPTIONAL = {
    "Ray Serve, no window": ("ray.serve", ray_peer(0.0)),
    "Ray Serve, 5 ms": ("ray.serve", ray_peer(WINDOW_S)),
    "BentoML": ("bentoml._internal.marshal.dispatcher", bentoml_peer),
}
BY_HAND = {
    "greedy loop": Peer(open_greedy, many_workers=False),
    "Queue and wait_for, 5 ms": Peer(open_window, many_workers=False),
}


def load(bench: Bench) -> dict[str, Peer]:
    """Return all peers by name; exit 2 without a required one, and note why an optional one is left out."""
    peers = {name: make(bench.need_module(module)) for name, (module, make) in REQUIRED.items()}
    for name, (module, make) in OPTIONAL.items():
        try:
            peers[name] = make(import_module(module))
        except Exception as error:
            bench.note(f"{name}: left out", f"{type(error).__name__}: {error}")
    return peers | BY_HAND
