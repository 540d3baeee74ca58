"""Feeds requests to an Engine, one after the other, and records what became of each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from .._admission import why_not_complete
from .._cache import Cache
from .._engine import Engine
from .._errors import LlmfastError
from .._ledger import Ledger
from .._policy import CachePolicy
from .._request import Ask
from .._router import Router
from .._types import Usage
from . import model as simulated
from .clock import VirtualClock
from .remarks import Differences, Media, Tenants
from .trace import RecordingEncoder, Served, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .._encoder import Encoder
    from .log import Request, Skipped
    from .trace import Vectors

# How many requests are fed between two reports of progress.
_TURN = 64


@dataclass(frozen=True)
class Settings:
    """How the engine is built.

    The policy, the layers, the model that a request without one asks for, and the threads that a text is encoded on.
    """

    threshold: float = 0.95
    ttl: float | None = 86_400.0
    kind: str = "general"
    capacity: int = 100_000
    router: bool = True
    baseline: str = "gpt-4o"
    threads: int = 1
    mode: Literal["guarded", "static"] = "guarded"


class OwnUsage:
    """A ledger that enters every request with its own tokens, where the engine knows those of the stored answer."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._usage = Usage(0, 0)
        self._estimated = False

    def expect(self, usage: tuple[int, int], *, estimated: bool) -> None:
        """Set the tokens of the request that comes next."""
        self._usage = Usage(*usage)
        self._estimated = estimated

    def record(self, **entry: Any) -> None:
        """Enter a request, see `Ledger.record`."""
        self.ledger.record(**{**entry, "usage": self._usage, "estimated": self._estimated})


class Replay:
    """One run: an Engine with a simulated model behind it, and the trace that it leaves.

    The trace can be read at any time, after an interruption too.
    """

    def __init__(self, settings: Settings, encoder: Encoder | None) -> None:
        """Build the engine; without an encoder there are exact hits only."""
        policy = CachePolicy(threshold=settings.threshold, ttl=settings.ttl, mode=settings.mode, jitter=0.0)
        self.settings = settings
        self.encoder = None if encoder is None else RecordingEncoder(encoder)
        self.clock = VirtualClock()
        self.trace = Trace()
        self.differences = Differences()
        self.media = Media()
        self.tenants = Tenants()
        self.ledger = Ledger(baseline=settings.baseline)
        self.cache = Cache(
            encoder=self.encoder, policies={settings.kind: policy}, capacity=settings.capacity, clock=self.clock
        )
        self._router = Router.default() if settings.router else None
        self._book = OwnUsage(self.ledger)
        self._model = simulated.SimulatedModel()
        self._engine = Engine(cache=self.cache, router=self._router, ledger=self._book)  # type: ignore[arg-type]

    @property
    def vectors(self) -> list[Vectors | None]:
        """The vector of every distinct request of the trace, None for those that are not compared by meaning."""
        known = {} if self.encoder is None else self.encoder.vectors
        trace = self.trace
        return [
            known.get(text) if compared else None for text, compared in zip(trace.texts, trace.compared, strict=True)
        ]

    @property
    def evicted(self) -> int:
        """How many answers had to make room for others."""
        return int(self.cache.stats().l1.evictions)

    def run(
        self, requests: Iterable[Request], skipped: Skipped, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        """Feed all of `requests`; count those that the engine refuses in `skipped`."""
        asyncio.run(self._run(requests, skipped, progress))

    async def _run(self, requests: Iterable[Request], skipped: Skipped, progress: Callable[[int], None]) -> None:
        for number, request in enumerate(requests):
            try:
                self.trace.served.append(await self._serve(request))
            except (LlmfastError, TypeError) as error:
                # The live engine raises it before anything is called.
                skipped.add(request.line, "refused by the engine", str(error))
            if number % _TURN == 0:
                progress(number)

    async def _serve(self, request: Request) -> Served:
        usage, estimated = simulated.tokens(request)
        ask = self._ask(request)
        self._model.expect(len(self.trace.served), request, usage)
        self._book.expect(usage, estimated=estimated)
        now = self.clock.move(request.time, request.line)
        started = time.perf_counter()
        answer = await self._engine.run(ask, self._model)
        took = time.perf_counter() - started
        distinct = len(self.trace.texts)
        key = self._key(ask)
        if key == distinct and ask.normal is not None:
            self.differences.note(ask.normal, request.scope)
        self.media.note(request, estimated=estimated)
        self.tenants.note(request)
        return Served(
            outcome=answer.source,
            key=key,
            stored=why_not_complete(None, request.finish_reason) is None,
            time=now,
            origin=simulated.origin_of(answer.response),
            score=answer.score,
            seconds=took,
            model_seconds=simulated.seconds(usage[1]),
            requested=ask.model,
            model=answer.model,
            usage=usage,
            estimated=estimated,
            intent=request.intent,
        )

    def _ask(self, request: Request) -> Ask:
        model, kind = request.model or self.settings.baseline, self.settings.kind
        if request.body is None:
            return Ask(request.query, scope=request.scope, user=request.user, model=model, kind=kind)
        body = {**request.body, "model": model}
        return Ask.from_keywords(request.api, body, scope=request.scope, user=request.user, kind=kind)

    def _key(self, ask: Ask) -> int:
        plan = self.cache.plan(ask, getattr(self._router, "generation", ""))
        if plan is None:
            return self.trace.key(None, b"", ask.query, compared=False)
        semantic = self.cache.semantic
        compared = semantic is not None and bool(semantic.places(plan))
        tenant = "" if plan.scope is None else str(plan.scope)
        return self.trace.key(plan.key, plan.fingerprint + tenant.encode(), ask.query, compared=compared)
