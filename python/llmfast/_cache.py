"""The cache: which requests are the same, which stored answer may serve, what is stored."""

from __future__ import annotations

import os
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ._bridge import Search
from ._encoder import encode_for_index, is_native
from ._engine import Engine
from ._errors import ConfigError, ScopeRequiredError
from ._failures import Failures
from ._flight import FlightTable
from ._llmfast import PUBLIC, CacheStats, Identifier, LruCache, Row, _Encoding
from ._memory import BREADTH, Match, MemoryTier
from ._policy import POLICIES, CachePolicy, check_ttl, resolve
from ._request import Asking, check, check_scope
from ._values import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

    from ._bridge import Found
    from ._encoder import Encoder
    from ._request import Ask, Scope
    from ._types import Answer, Usage

#: Vectors of recent texts that are remembered, so that a question that keeps hitting by meaning is encoded once.
_RECENT_VECTORS = 10_000

#: Slots of the tables are numbered by 32 bits.
_MOST_ROWS = 2**31

#: Longer texts are past any encoder's window and would only keep its thread busy: a word-piece token covers at most 100
#: characters.
_CHARACTERS_PER_TOKEN = 100


@dataclass(slots=True)
class Plan:
    """A request that can be cached: who it is and which policy applies."""

    ask: Ask
    scope: Scope
    policy: CachePolicy
    ttl: float | None
    fingerprint: bytes
    key: bytes
    #: Whether the caller takes a stream only (True), none (False) or what comes (None).
    streams: bool | None = None
    #: What an encoder that is awaited made of the question before the search.
    ahead: np.ndarray | None = None
    #: Encoded while looking for a match, and stored with the answer.
    vector: np.ndarray | _Encoding | None = None
    partition: int = 0
    #: Cosine of the nearest row at or above the threshold, acceptable or not.
    nearest: float | None = None
    why_not: str = "nothing near enough is stored"


@dataclass(frozen=True, slots=True)
class TierStats:
    """What a cache did since it was made. `requests` is the sum of hits, calls, coalesced and uncacheable ones."""

    requests: int
    exact_hits: int
    semantic_hits: int
    llm_calls: int
    coalesced: int
    uncacheable: int
    not_stored: int
    rows: int
    vectors: int
    l1: CacheStats
    failures: dict[str, int] = field(default_factory=dict)


class Cache(Asking):
    """Answers a question from a stored answer to the same question, also asked in other words.

    `encoder` recognises other words (`MiniLM()`, or anything with `encode`, `dim` and `fingerprint`); without one only
    exact repeats hit. Of an encoder whose `is_async` is true `encode_async` is awaited on the caller's event loop.
    `policy` applies to the kind "general", `policies` to other kinds, beside the ones that come with llmfast.
    `capacity` is the number of answers held. `scope` is the default tenant; with `require_scope` a request without one
    is refused. `secret` keys every hash; by default it is random, which is right as long as nothing outlives the
    process. `clock` gives seconds since the epoch.

    One cache serves any number of threads and event loops. `LLMFAST_DISABLE=1` in the environment turns it into a
    pass-through.

    Raises ConfigError for parameters outside of what is accepted.
    """

    def __init__(
        self,
        *,
        encoder: Encoder | None = None,
        policy: CachePolicy | None = None,
        policies: Mapping[str, CachePolicy] | None = None,
        capacity: int = 100_000,
        scope: Scope = None,
        require_scope: bool = False,
        secret: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= capacity <= _MOST_ROWS:
            raise ConfigError(f"capacity must be from 1 to {_MOST_ROWS:,}, got {capacity}")
        if not callable(clock):
            raise ConfigError(f"clock must be a function that returns seconds, got {clock!r}")
        check_scope(scope)
        if secret is not None and len(secret) < 16:
            raise ConfigError(f"secret must have at least 16 bytes, got {len(secret)}")
        self.encoder = encoder
        self.encodes_on_loop = bool(getattr(encoder, "is_async", False))
        self.policies = {**POLICIES, **({} if policy is None else {"general": policy}), **(policies or {})}
        for kind, value in self.policies.items():
            if not isinstance(value, CachePolicy):
                raise ConfigError(f"the policy of kind {kind!r} must be a CachePolicy, got {value!r}")
        self.clock = clock
        self.disabled = os.environ.get("LLMFAST_DISABLE", "") not in ("", "0")
        self.failures = Failures()
        self.flights = FlightTable()
        self._scope = scope
        self._require_scope = require_scope
        self._identifier = Identifier(secrets.token_bytes(32) if secret is None else secret)
        self._memory = MemoryTier(capacity, None if encoder is None else encoder.dim)
        self._recent: LruCache[str, np.ndarray | _Encoding] = LruCache(min(capacity, _RECENT_VECTORS))
        self._public_rows = False
        self._counts_lock = threading.Lock()
        self._counts = dict.fromkeys(
            ("exact_hit", "semantic_hit", "llm_call", "coalesced", "uncacheable", "not_stored"), 0
        )
        self._engine = Engine(cache=self)

    # ---- what callers use -------------------------------------------------------------------------------------------

    async def run(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way of an engine with this cache alone."""
        return await self._engine.run(ask, llm_callable)

    def run_sync(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way of an engine with this cache alone, in the calling thread."""
        return self._engine.run_sync(ask, llm_callable)

    def clear(self) -> None:
        """Remove every stored answer. Calls in flight go on and store theirs."""
        self._memory.clear()

    def stats(self) -> TierStats:
        """Return what the cache did since it was made, and what it holds."""
        with self._counts_lock:
            counts = dict(self._counts)
        return TierStats(
            requests=sum(counts.values()) - counts["not_stored"],
            exact_hits=counts["exact_hit"],
            semantic_hits=counts["semantic_hit"],
            llm_calls=counts["llm_call"],
            coalesced=counts["coalesced"],
            uncacheable=counts["uncacheable"],
            not_stored=counts["not_stored"],
            rows=self._memory.rows,
            vectors=self._memory.vectors,
            l1=self._memory._rows.stats(),
            failures=self.failures.counts(),
        )

    # ---- the steps that the engine takes ----------------------------------------------------------------------------

    def plan(self, ask: Ask, router_generation: str, streams: bool | None = None) -> Plan | None:
        """Identify a request; None if it cannot be cached, which costs the hit and not the call.

        `streams` says whether the caller takes a stream only, none, or what comes (None).

        Raises ConfigError if the kind, the time to live or the scope is not acceptable: those are the caller's to mend.
        """
        check(ask)
        policy = resolve(self.policies, ask.kind)
        if ask.ttl is not None:
            check_ttl(ask.ttl)
        scope = self._scope if ask.scope is None else ask.scope
        if self._require_scope and (scope is None or scope == ""):
            raise ScopeRequiredError("this cache was made with require_scope=True, and the request names no scope")
        if self.disabled:
            return None
        try:
            fingerprint = self._identifier.fingerprint(
                model=ask.model,
                system=ask.system,
                messages=_history(ask),
                params={} if ask.params is None else ask.params,
                context=_data(ask.context),
                version=ask.version,
                router=router_generation,
                stream=streams or (streams is None and bool((ask.params or {}).get("stream"))),
            )
            key = self._identifier.exact_key(scope, fingerprint, ask.query)
        except Exception as error:  # noqa: BLE001 - whatever cannot be identified is called, not refused
            self.failures.note("identity", error)
            return None
        return Plan(ask, scope, policy, policy.ttl if ask.ttl is None else ask.ttl, fingerprint, key, streams)

    def exact(self, plan: Plan) -> tuple[Row, float] | None:
        """Return the row of exactly this request and its age in seconds: the scope's own, else a public one."""
        now = self.clock()
        row = self._memory.get(plan.key, now)
        if row is None and self._public_rows and plan.scope is not PUBLIC:
            row = self._memory.get(self._identifier.exact_key(PUBLIC, plan.fingerprint, plan.ask.query), now)
        if row is None or not _is_fresh(row, plan, now):
            return None
        return row, max(0.0, now - row.created_at)

    async def encode_ahead(self, plan: Plan) -> None:
        """Await the vector that `nearest` will need, of an encoder whose `is_async` says that it can be awaited."""
        encoder, text = self.encoder, plan.ask.query
        if encoder is None or plan.scope is PUBLIC or self._recent.get(text) is not None:
            return
        if _why_unread(encoder, text) is None:
            plan.ahead = (await encoder.encode_async([text]))[0]  # type: ignore[attr-defined]  # `is_async` says so

    def search(self, plan: Plan) -> Search | None:
        """Return what `nearest` would look up first, for a native worker; None if that is not for one to do."""
        encoder, text = self.encoder, plan.ask.query
        if not is_native(encoder) or plan.scope is PUBLIC or _why_too_long(encoder, text) is not None:
            return None
        vector, index = self._recent.get(text), self._memory.index
        if index is None or not (vector is None or isinstance(vector, _Encoding)):
            return None
        plan.partition = self._identifier.partition(plan.scope, encoder.fingerprint, plan.fingerprint)
        return Search(encoder, index, text, vector, BREADTH, plan.policy.threshold, plan.partition)

    def decide(self, plan: Plan, found: Found) -> tuple[bool, tuple[Match, float] | None]:
        """Take the decision of `nearest` by what a search found, if that is enough: whether it is, and the row.

        Takes microseconds. Where it is not enough, `nearest` searches again, with the same vector.
        """
        if isinstance(found, str):
            plan.why_not = found
            return True, None
        vector, hits = found
        self._recent.insert(plan.ask.query, vector)
        now = self.clock()
        decided, match = self._memory.decide(hits, plan.partition, now, lambda row: _is_fresh(row, plan, now))
        if decided:
            plan.vector = vector
            plan.nearest = hits[0].score if hits else None
        return decided, None if match is None else (match, max(0.0, now - match.row.created_at))

    def nearest(self, plan: Plan) -> tuple[Match, float] | None:
        """Return the row whose question is nearest by meaning, if near enough, and its age. Takes milliseconds.

        The vector stays in the plan, to be stored with the answer.
        """
        encoder = self.encoder
        if encoder is None or plan.scope is PUBLIC:
            plan.why_not = "no encoder is set" if encoder is None else "public rows are served on exact repeats only"
            return None
        vector = self._vector(encoder, plan)
        if vector is None:
            return None
        plan.partition = self._identifier.partition(plan.scope, encoder.fingerprint, plan.fingerprint)
        now = self.clock()
        match, plan.nearest = self._memory.nearest(
            vector, plan.partition, plan.policy.threshold, now, lambda row: _is_fresh(row, plan, now)
        )
        plan.vector = vector
        return None if match is None else (match, max(0.0, now - match.row.created_at))

    def suits(self, plan: Plan, row: Row, score: float) -> bool:
        """Return whether a row found by meaning at `score` may answer the request under its own policy."""
        return score >= plan.policy.threshold and _is_fresh(row, plan, self.clock())

    def row(self, plan: Plan, value: Any, *, model: str, usage: Usage | None) -> Row | None:
        """Make the row of an answer; None if the answer would not come back as it is."""
        packed = pack(value)
        if packed is None:
            return None
        codec, payload = packed
        now = self.clock()
        return Row(
            key=plan.key,
            partition=plan.partition,
            payload=payload,
            codec=codec,
            created_at=now,
            expires_at=None if plan.ttl is None else now + plan.ttl,
            usage=usage,
            model=model,
            version=plan.ask.version,
            tags=list(plan.ask.tags or ()),
            kind=plan.ask.kind,
            principal=self._identifier.principal(plan.scope, plan.ask.user),
        )

    def admit(self, plan: Plan, row: Row) -> None:
        """Store the row of a complete, successful answer."""
        self._memory.put(row, plan.vector)
        if plan.scope is PUBLIC:
            self._public_rows = True

    def count(self, outcome: str) -> None:
        """Count a request by its outcome."""
        with self._counts_lock:
            self._counts[outcome] += 1

    def _vector(self, encoder: Encoder, plan: Plan) -> np.ndarray | _Encoding | None:
        text = plan.ask.query
        vector = self._recent.get(text)
        if vector is None:
            vector = plan.ahead
            if vector is None:
                why_not = _why_unread(encoder, text)
                if why_not is not None:
                    plan.why_not = why_not
                    return None
                vector = encode_for_index(encoder, text)
            self._recent.insert(text, vector)
        return vector


def _why_unread(encoder: Encoder, text: str) -> str | None:
    """Return why a text is not to be compared: the encoder does not read all of it."""
    why_not = _why_too_long(encoder, text)
    if why_not is not None:
        return why_not
    unread = getattr(encoder, "unread", None)
    # Two texts that agree in what the encoder reads look the same to it, whatever the threshold.
    return None if unread is None else unread(text)


def _why_too_long(encoder: Encoder, text: str) -> str | None:
    limit = getattr(encoder, "max_tokens", None)
    if limit is not None and len(text) > limit * _CHARACTERS_PER_TOKEN:
        return f"the text has {len(text):,} characters, and the encoder reads {limit} tokens"
    return None


def _data(values: Any) -> Any:
    """Return data as the identifier takes it: a list of anything that is iterable and no data itself."""
    if values is None:
        return []
    return values if isinstance(values, str | bytes | dict) else list(values)


def _history(ask: Ask) -> Any:
    """Return the turns before the query, whether or not the caller's list ends with the query itself."""
    turns = _data(ask.messages)
    if not isinstance(turns, list) or not turns:
        return turns
    last = turns[-1]
    if isinstance(last, dict) and last.get("role") == "user" and last.get("content") == ask.query and len(last) == 2:
        turns.pop()
    return turns


def _is_fresh(row: Row, plan: Plan, now: float) -> bool:
    """Whether a row is young enough for the request, and a stream or none as its caller takes it.

    Its own time to live holds anyway; beside it the one that the request names, or, across kinds, that of the asker's
    kind.
    """
    if plan.streams is not None and plan.streams != (row.codec == "events"):
        return False
    limit = plan.ttl if plan.ask.ttl is not None or row.kind != plan.ask.kind else None
    return limit is None or now - row.created_at <= limit
