"""The cache: which requests are the same, which stored answer may serve, what is stored."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from ._answers import ExactHit
from ._arguments import check_encoder, number, refuse, whole
from ._counts import Counts, TierStats
from ._engine import Engine
from ._environment import is_disabled
from ._errors import ConfigError, InvalidTextError
from ._explain import explained
from ._failures import Failures, shown
from ._flight import FlightTable
from ._identity import Identities
from ._invalidation import Criteria, edition
from ._llmfast import PUBLIC, Row
from ._memory import MemoryTier
from ._plan import Plan
from ._policy import POLICIES, CachePolicy
from ._request import Ask, Asking, check_parts, check_scope
from ._semantic import SemanticTier
from ._storing import Storing
from ._types import Answer, Explanation
from ._uncopied import Uncopied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ._encoder import Encoder
    from ._request import Scope

#: Slots of the tables are numbered by 32 bits.
_MOST_ROWS = 2**31

#: Rows that are removed in one turn of the event loop.
_AT_ONCE = 64

#: Of a key of a row.
_KEY_BYTES = 32

#: A scope that no row has: hashes are 0 or more.
_NO_SCOPE = -1


class _Any:
    """Stands for "whatever it is" where None is a value of its own."""


_ANY = _Any()


class Cache(Asking):
    """Answers a question from a stored answer to the same question, also asked in other words.

    `encoder` recognises other words (`MiniLM()`, or anything with `encode`, `dim` and `fingerprint`); without one only
    exact repeats hit. Of an encoder whose `is_async` is true `encode_async` is awaited on the caller's event loop.
    `policy` applies to the kind "general", `policies` to other kinds, beside the ones that come with llmfast.
    `capacity` is the number of answers held. `scope` is the default tenant; with `require_scope` a request without one
    is refused. `admit(query, value)`, sync or async, is asked before an answer is stored, and keeps it out with False,
    or by failing; of `get_or_generate_sync` an async one is awaited on an event loop in a thread of llmfast's own. Who
    asked gets the answer, or the end of the stream, when `admit` has decided, so it should set itself a time limit.
    `value` is the very object that the call returned, of a stream a list of the items: what `admit` changes in it is
    changed for whoever made the call, and in what is stored.
    `max_lookup_wait`: seconds for which a request waits at most for its turn to be compared by meaning. What the
    encoder's thread has not begun by then, or is not expected to, is not compared: the call starts at once, counted as
    "refused:busy" in `stats().reasons`, and exact repeats alone find its answer. What has begun is waited for, so a
    call starts after this time and one lookup at the latest; `math.inf` is no bound. An async encoder is asked at once,
    however many others are: it should set itself a time limit.
    `secret` keys every hash; by default it is random, which is right as long as nothing outlives the process. `clock`
    gives seconds since the epoch.

    One cache serves any number of threads and event loops. `LLMFAST_DISABLE=1` in the environment (true, yes, on) turns
    it into a pass-through; 0, false, no, off and the empty value do not, and anything else does, with a warning.

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
        admit: Callable[..., Any] | None = None,
        max_lookup_wait: float = 1.0,
        secret: bytes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        capacity = whole("capacity", capacity, f"a whole number from 1 to {_MOST_ROWS:,}")
        if not 1 <= capacity <= _MOST_ROWS:
            raise ConfigError(f"capacity must be from 1 to {_MOST_ROWS:,}, got {shown(capacity)}")
        if encoder is not None:
            check_encoder(encoder)
        for name, function in (("clock", clock), ("admit", admit)):
            if not (callable(function) or function is admit is None):
                raise ConfigError(f"{name} must be a function, got {function!r}")
        check_scope(scope)
        max_lookup_wait = number("max_lookup_wait", max_lookup_wait, "seconds above 0")
        if not max_lookup_wait > 0:
            raise ConfigError(f"max_lookup_wait must be seconds above 0, got {max_lookup_wait}")
        if secret is not None and not isinstance(secret, bytes):
            # Not shown: it may be a secret all the same.
            raise ConfigError(f"secret must be bytes or None, got {type(secret).__name__}")
        if secret is not None and len(secret) < 16:
            raise ConfigError(f"secret must have at least 16 bytes, got {len(secret)}")
        self.encodes_on_loop = bool(getattr(encoder, "is_async", False))
        if policies is not None and not isinstance(policies, Mapping):
            raise refuse("policies", policies, "a dict of policies by kind or None")
        self.policies = {**POLICIES, **({} if policy is None else {"general": policy}), **(policies or {})}
        for kind, value in self.policies.items():
            if not isinstance(kind, str):
                raise ConfigError(f"the kinds of policies must be names (str), got {shown(kind)}")
            if not isinstance(value, CachePolicy):
                raise ConfigError(f"the policy of kind {kind!r} must be a CachePolicy, got {shown(value)}")
        self.clock = clock
        self.max_lookup_wait = max_lookup_wait
        self.disabled = is_disabled()
        self.failures = Failures()
        self.flights = FlightTable()
        self.counts = Counts()
        self.uncopied = Uncopied()
        secret = secrets.token_bytes(32) if secret is None else secret
        self.identities = Identities(secret, self.policies, scope, require_scope, self.disabled, self.failures)
        self._memory = memory = MemoryTier(capacity, None if encoder is None else encoder.dim)
        self.semantic = (
            None
            if encoder is None
            else SemanticTier(encoder, self.identities.identifier, memory, self.counts, clock, capacity)
        )
        self.storing = Storing(memory, self.identities, self.failures, self.counts, self.uncopied, admit, clock)
        #: The engine with this cache alone.
        self.engine = Engine(cache=self)

    def __repr__(self) -> str:
        memory = self._memory
        return f"Cache(rows={memory.rows}, capacity={memory.rows_by_key.capacity}, encoder={self.encoder!r})"

    @property
    def encoder(self) -> Encoder | None:
        """What recognises other words, if anything."""
        return None if self.semantic is None else self.semantic.encoder

    # ---- what callers use -------------------------------------------------------------------------------------------

    async def invalidate(
        self,
        *,
        scope: Scope | _Any = _ANY,
        tag: str | None = None,
        version: str | None = None,
        key: bytes | None = None,
        older_than: float | None = None,
        dry_run: bool = False,
    ) -> int:
        """Remove the stored answers that agree in all that is given, and return how many they were.

        `scope` means what it means in a request: a tenant's name, `llmfast.PUBLIC`, or with None the cache's default;
        left out it is any. `tag` is one of the tags of the request that made the call (those of later ones, which only
        got its answer, do not count), `version` its version, "" for those that named none, `key` an answer's key,
        `older_than` an age in seconds: 0 is everything that is stored by now. With `dry_run` they are counted and stay;
        those whose time is over do not count. Calls in flight that it covers go on for those who wait for them, but
        their answers are not stored, and who asks from now on makes a new call.

        Raises ConfigError if nothing is given (`clear()` removes everything), and for what cannot name anything, before
        anything is done.
        """
        import asyncio

        criteria = self._criteria(scope, tag, version, key, older_than)
        removed = 0
        for turn in self._invalidating(criteria, dry_run):
            removed += turn
            # Others get their turn: nothing of ours holds up the loop.
            await asyncio.sleep(0)
        return removed

    def invalidate_sync(
        self,
        *,
        scope: Scope | _Any = _ANY,
        tag: str | None = None,
        version: str | None = None,
        key: bytes | None = None,
        older_than: float | None = None,
        dry_run: bool = False,
    ) -> int:
        """Do the same as `invalidate` in the calling thread."""
        return sum(self._invalidating(self._criteria(scope, tag, version, key, older_than), dry_run))

    async def feedback(self, answer: Answer, *, ok: bool) -> None:
        """Tell whether an answer was right.

        A wrong one that was found by meaning is never given again to that question, or to one that is nearer to it
        than to the question that was answered, as long as it is one of the last 10,000 that were; any other wrong
        answer is removed, unless a newer one has taken its place.

        Raises ConfigError for what is no `Answer`.
        """
        import asyncio

        await asyncio.to_thread(self.feedback_sync, answer, ok=ok)

    def feedback_sync(self, answer: Answer, *, ok: bool) -> None:
        """Do the same as `feedback` in the calling thread."""
        if not isinstance(answer, Answer):
            raise refuse("answer", answer, "the Answer that a request returned, whole and not unpacked")
        self.counts.reason("feedback:right" if ok else "feedback:wrong")
        if ok or answer.key is None:
            return
        plan, question, remembered = answer._plan, answer._question, False
        if question is not None and self.semantic is not None:
            try:
                vector = None if plan is None else plan.vector
                remembered = self.semantic.remember_wrong(question, vector, answer.key)
            except Exception as error:  # noqa: BLE001 - a wrong answer must not stay because the encoder is down
                self.failures.note("feedback", error)
        if not remembered:
            self._remove(answer)

    def clear(self) -> None:
        """Remove every stored answer. Calls in flight go on; their answers are not stored.

        Takes some microseconds a row, all in one go; `await invalidate(older_than=0)` lets an event loop go on
        meanwhile.
        """
        self._memory.invalidate(Criteria())
        self.flights.detach(Criteria().overtakes)
        self._memory.clear()
        if self.semantic is not None:
            self.semantic.forget()

    def explain(
        self,
        query: str,
        *,
        scope: Scope = None,
        user: str | None = None,
        model: str = "",
        system: str = "",
        messages: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        context: Iterable[Any] = (),
        version: str = "",
        kind: str = "general",
        ttl: float | None = None,
        router: str = "",
        stream: bool = False,
    ) -> Explanation:
        """Return what would be decided about a request now, and why, without making it: nothing changes.

        The nearest stored questions are shown however far they are, each with its verdict. `router` is the generation
        of the engine's router, if it has one; `stream` says that the callable is an async generator function. Encodes
        in the calling thread, which takes milliseconds.

        Raises RuntimeError in a thread whose event loop is running, if the encoder is async and has to be asked:
        `await asyncio.to_thread(cache.explain, query)` there.
        """
        ask = Ask(query, scope, user, None, model, system, messages, params, context, version, (), kind, ttl)
        plan = self.plan(ask, router, stream or None)
        check_parts(ask)
        return explained(self, plan)

    def stats(self) -> TierStats:
        """Return what the cache did since it was made, and what it holds."""
        outcomes, reasons = self.counts.read()
        return TierStats(
            requests=sum(outcomes.values()),
            exact_hits=outcomes["exact_hit"],
            semantic_hits=outcomes["semantic_hit"],
            llm_calls=outcomes["llm_call"],
            coalesced=outcomes["coalesced"],
            uncacheable=outcomes["uncacheable"],
            not_stored=sum(count for name, count in reasons.items() if name.startswith("not_stored:")),
            rows=self._memory.rows,
            vectors=self._memory.vectors,
            l1=self._memory.rows_by_key.stats(),
            reasons=reasons,
            failures=self.failures.counts(),
        )

    # ---- the steps that the engine takes ----------------------------------------------------------------------------

    def begin(self, ask: Ask, router: str, streams: bool | None) -> ExactHit | Plan | None:
        """Answer a request that is an exact repeat; else plan it, or return None if it cannot be cached.

        This is `plan` and `exact`, without the plan where none is needed: of all that the cache does it is done most.
        """
        identified = self.identities.of(ask, router, streams)
        if identified is None:
            return None
        scope, policy, ttl, identity = identified
        key, memory = identity.row_key, self._memory
        try:
            now, epoch = self.clock(), memory.invalidations.count
        except Exception as error:  # noqa: BLE001 - without a time nothing can be looked up
            self.failures.note("clock", error)
            return None
        try:
            row = None
            if streams is None:
                row = memory.rows_by_key.get(key)
                if row is not None:
                    age = row.answers(key, now, ask.kind if ask.ttl is None else None, ttl)
                    if age is not None:
                        return ExactHit(row, age)
            plan = Plan(ask, scope, policy, ttl, identity.fingerprint, key, now, epoch, streams)
            if streams is None and row is None and not memory.has_public_rows:
                # All that `exact` would look at has been looked at.
                return plan
            found = self.exact(plan)
            return plan if found is None else ExactHit(*found)
        except Exception as error:  # noqa: BLE001 - a failure of ours costs the hit, never the call
            self.failures.note("L1", error)
            return Plan(ask, scope, policy, ttl, identity.fingerprint, key, now, epoch, streams)

    def plan(self, ask: Ask, router: str, streams: bool | None = None) -> Plan | None:
        """Identify a request; None if it cannot be cached, which costs the hit and not the call.

        `router` is the generation of the router's rules. `streams` says whether the caller takes a stream only, none,
        or what comes (None).

        Raises ConfigError if the kind, the time to live or the scope is not acceptable: those are the caller's to mend.
        """
        identified = self.identities.of(ask, router, streams)
        if identified is None:
            return None
        scope, policy, ttl, identity = identified
        epoch = self._memory.invalidations.count
        return Plan(ask, scope, policy, ttl, identity.fingerprint, identity.row_key, self.clock(), epoch, streams)

    def exact(self, plan: Plan, *, peek: bool = False) -> tuple[Row, float] | None:
        """Return the row of exactly this request and its age in seconds: the scope's own, else a public one.

        With `peek` this does not count as a use.
        """
        now, rows = plan.began_at, self._memory.rows_by_key
        row = rows.peek(plan.key) if peek else rows.get(plan.key)
        if row is not None:
            age = plan.answered_by(row, plan.key, now)
            if age is not None:
                return row, age
            has_form = plan.streams is None or plan.streams == (row.codec == "events")
            is_over = row.is_expired(now) or plan.kind is None
            if is_over and plan.ask.kind == row.kind and row.key == plan.key and has_form:
                plan.stale = row
        if not self._memory.has_public_rows or plan.scope is PUBLIC:
            return None
        key = self.identities.key(PUBLIC, plan)
        row = rows.peek(key) if peek else rows.get(key)
        age = None if row is None else plan.answered_by(row, key, now)
        return None if row is None or age is None else (row, age)

    def stale(self, plan: Plan, window: float) -> tuple[Row, float] | None:
        """Return the row of this very request, and its age, if its time was over `window` seconds ago at most.

        For a request that names a time to live of its own, a row's time is over at that age, if not before. Not if the
        row was taken back meanwhile.
        """
        row = plan.stale
        if row is None:
            return None
        try:
            now = self.clock()
        except Exception as error:  # noqa: BLE001 - costs the old answer, never the call
            self.failures.note("clock", error)
            return None
        end = math.inf if row.expires_at is None else row.expires_at
        if plan.kind is None and plan.ttl is not None:
            end = min(end, row.created_at + plan.ttl)
        if now >= end + window or not self.holds(row):
            return None
        return row, max(0.0, now - row.created_at)

    def holds(self, row: Row) -> bool:
        """Return whether a row is stored still."""
        return self._memory.holds(row)

    def confirms(self, ask: Ask, row: Row) -> bool:
        """Return whether a second principal just asked what a held public row answers."""
        if not self._memory.is_held(row.key) or not self.identities.is_public(ask):
            return False
        principal = self.identities.principal(PUBLIC, ask.user)
        return principal is not None and row.principal != principal

    def release(self, row: Row) -> None:
        """Let a public row be found by meaning, now that two principals asked for it."""
        try:
            self._memory.release(row)
        except Exception as error:  # noqa: BLE001 - costs a hit by meaning; nobody waits for this, who would be told
            self.failures.note("confirmation", error)

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _remove(self, answer: Answer) -> None:
        """Remove the row of an answer, unless there is another one by now."""
        assert answer.key is not None
        row = self._memory.rows_by_key.peek(answer.key)
        if row is None or answer._stored_at is None or row.created_at == answer._stored_at:
            self.invalidate_sync(key=answer.key)

    def _overtakes(self, criteria: Criteria, plan: Plan) -> bool:
        if criteria.scope is not None:
            self.identities.scope_id(plan)
        return criteria.overtakes(plan)

    def _criteria(
        self, scope: Scope | _Any, tag: str | None, version: str | None, key: bytes | None, older_than: float | None
    ) -> Criteria:
        scope_id = None
        if not isinstance(scope, _Any):
            check_scope(scope)
            try:
                scope_id = self.identities.tenant(scope)
            except InvalidTextError:
                # As with a tag that is no text: nothing can be stored under it.
                scope_id = _NO_SCOPE
        for name, value in (("tag", tag), ("version", version)):
            if value is not None and not isinstance(value, str):
                raise refuse(name, value, "a str")
        if key is not None and not (isinstance(key, bytes) and len(key) == _KEY_BYTES):
            raise refuse("key", key, f"the {_KEY_BYTES} bytes of an answer's `key`")
        until = None
        if older_than is not None:
            if not number("older_than", older_than, "seconds, 0 or more") >= 0:
                raise ConfigError(f"older_than must be 0 seconds or more, got {older_than}")
            # Whatever the clock says: it may have been set back since a row was stored.
            until = self.clock() - float(older_than) if older_than > 0 else math.inf
        criteria = Criteria(scope_id, tag, None if version is None else edition(version), key, until)
        if criteria == Criteria():
            raise ConfigError("invalidate needs a scope, tag, version, key or older_than; clear() removes everything")
        return criteria

    def _invalidating(self, criteria: Criteria, dry_run: bool) -> Iterable[int]:
        """Remove a few rows at a time, and yield how many they were."""
        memory = self._memory
        if not dry_run:
            memory.invalidate(criteria)
            self.counts.reason("invalidated")
            self.flights.detach(partial(self._overtakes, criteria))
        try:
            now = self.clock()
        except Exception as error:  # noqa: BLE001 - without a time none is over
            self.failures.note("clock", error)
            now = -math.inf
        keys = memory.candidates(criteria)
        while some := list(islice(keys, _AT_ONCE)):
            rows = map(memory.row_of, some)
            covered = [row for row in rows if row is not None and criteria.covers(row)]
            removed = covered if dry_run else [row for row in covered if memory.remove(row.key)]
            # Those whose time was over go too, and were no answers any more.
            yield sum(not row.is_gone(now) for row in removed)
