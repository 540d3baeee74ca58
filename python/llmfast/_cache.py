"""The cache: which requests are the same, which stored answer may serve, what is stored."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from ._admission import Bursts
from ._answers import ExactHit
from ._arguments import Unreadable, check_encoder, names, number, refuse, whole
from ._counts import Counts, TierStats
from ._engine import Engine
from ._errors import ConfigError, InvalidTextError, ScopeRequiredError
from ._failures import Failures, shown
from ._flight import FlightTable
from ._invalidation import Criteria, edition
from ._llmfast import PUBLIC, Identifier, Identity, Row
from ._loops import running_loop
from ._memory import MemoryTier, as_number
from ._plan import Plan
from ._policy import POLICIES, CachePolicy, check_ttl, resolve, shortened
from ._request import Ask, Asking, check, check_parts, check_scope
from ._semantic import SemanticTier
from ._types import Answer, Explanation
from ._uncopied import Uncopied
from ._values import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ._encoder import Encoder
    from ._request import Scope
    from ._types import Usage

#: Slots of the tables are numbered by 32 bits.
_MOST_ROWS = 2**31

#: Rows that are removed in one turn of the event loop.
_AT_ONCE = 64

#: Of a key of a row.
_KEY_BYTES = 32

#: A scope that no row has: hashes are 0 or more.
_NO_SCOPE = -1

#: Stored questions that `explain` shows.
_SHOWN = 5

#: What is data as it is; of anything else the items are.
_DATA = (tuple, list, dict, str, bytes)


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
    `secret` keys every hash; by default it is random, which is right as long as nothing outlives the process. `clock`
    gives seconds since the epoch.

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
        admit: Callable[..., Any] | None = None,
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
        self.admits = admit
        self.disabled = os.environ.get("LLMFAST_DISABLE", "") not in ("", "0")
        self.failures = Failures()
        self.flights = FlightTable()
        self.counts = Counts()
        self.uncopied = Uncopied()
        self._scope = scope
        self._require_scope = require_scope
        self._identifier = Identifier(secrets.token_bytes(32) if secret is None else secret)
        self._memory = MemoryTier(capacity, None if encoder is None else encoder.dim)
        self.semantic = (
            None
            if encoder is None
            else SemanticTier(encoder, self._identifier, self._memory, self.counts, clock, capacity)
        )
        self._bursts = Bursts()
        self._public_rows = False
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

        `scope` is a tenant, None or `llmfast.PUBLIC`; `tag` one of the tags of the request that made the call (those of
        later ones, which only got its answer, do not count), `version` its version, "" for those that named none, `key`
        an answer's key, `older_than` an age in seconds: 0 is everything that is stored by now. With `dry_run` they are
        counted and stay; those whose time is over do not count. Calls in flight that it covers go on for those who wait
        for them, but their answers are not stored, and who asks from now on makes a new call.

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
        if plan is None:
            return Explanation("the cache is disabled" if self.disabled else "the request cannot be identified")
        found = self.exact(plan, peek=True)
        if found is not None:
            return Explanation(f"the same request was answered {found[1]:.0f} s ago")
        if self.stale(plan, plan.policy.stale_while_revalidate) is not None:
            return Explanation("the same request was answered before, and on an event loop a newer answer is fetched")
        if self.semantic is None:
            return Explanation("no encoder is set")
        if not self.semantic.places(plan):
            return Explanation(plan.why_not, plan.policy.threshold, refusal=plan.refusal)
        if self.encodes_on_loop and running_loop() is not None:
            message = "explain would stop the event loop of this thread: await asyncio.to_thread(cache.explain, ...)"
            raise RuntimeError(message)
        neighbours, serving = self.semantic.around(plan, _SHOWN)
        reason, would_serve = plan.why_not, None
        if serving is not None and plan.policy.mode == "shadow":
            reason, would_serve = f"mode is 'shadow': a question with {serving.detail} would have served", serving
        elif serving is not None:
            reason = f"a question with {serving.detail} was answered before"
        elif neighbours:
            reason = f"the nearest question does not serve ({neighbours[0].verdict}): {neighbours[0].detail}"
        nearest = neighbours[0].score if neighbours else None
        return Explanation(reason, plan.policy.threshold, nearest, None, tuple(neighbours), plan.refusal, would_serve)

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
        identified = self._identified(ask, router, streams)
        if identified is None:
            return None
        scope, policy, ttl, identity, key = identified
        try:
            now, epoch = self.clock(), self._memory.invalidations.count
        except Exception as error:  # noqa: BLE001 - without a time nothing can be looked up
            self.failures.note("clock", error)
            return None
        try:
            row = None
            if streams is None:
                row = self._memory.rows_by_key.get(key)
                age = None if row is None else row.answers(key, now, ask.kind if ask.ttl is None else None, ttl)
                if row is not None and age is not None:
                    return ExactHit(row, age)
            plan = Plan(ask, scope, policy, ttl, identity.fingerprint, key, now, epoch, streams)
            if streams is None and row is None and not self._public_rows:
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
        identified = self._identified(ask, router, streams)
        if identified is None:
            return None
        scope, policy, ttl, identity, key = identified
        epoch = self._memory.invalidations.count
        return Plan(ask, scope, policy, ttl, identity.fingerprint, key, self.clock(), epoch, streams)

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
            if row.is_expired(now) and plan.kind == row.kind and row.key == plan.key and has_form:
                plan.stale = row
        if not self._public_rows or plan.scope is PUBLIC:
            return None
        key = self._key(PUBLIC, plan)
        row = rows.peek(key) if peek else rows.get(key)
        age = None if row is None else plan.answered_by(row, key, now)
        return None if row is None or age is None else (row, age)

    def stale(self, plan: Plan, window: float) -> tuple[Row, float] | None:
        """Return the row of this very request, and its age, if its time was over `window` seconds ago at most.

        Not if it was taken back meanwhile.
        """
        row = plan.stale
        if row is None or row.expires_at is None:
            return None
        try:
            now = self.clock()
        except Exception as error:  # noqa: BLE001 - costs the old answer, never the call
            self.failures.note("clock", error)
            return None
        if now >= row.expires_at + window or not self.holds(row):
            return None
        return row, max(0.0, now - row.created_at)

    def holds(self, row: Row) -> bool:
        """Return whether a row is stored still."""
        return self._memory.rows_by_key.peek(row.key) is row

    def confirms(self, ask: Ask, row: Row) -> bool:
        """Return whether a second principal just asked what a held public row answers."""
        if not self._memory.is_held(row.key) or (ask.scope or self._scope) is not PUBLIC:
            return False
        principal = self._principal(PUBLIC, ask.user)
        return principal is not None and row.principal != principal

    def release(self, row: Row) -> None:
        """Let a public row be found by meaning, now that two principals asked for it."""
        if self._memory.release(row):
            self._memory.has_public_vectors = True

    def row(self, plan: Plan, value: Any, *, model: str, usage: Usage | None) -> Row | None:
        """Make the row of an answer; None if the answer would not come back as it is."""
        packed = pack(value)
        if packed is None:
            return None
        codec, payload = packed
        now = self.clock()
        ttl = None if plan.ttl is None else shortened(plan.ttl, plan.policy.jitter, plan.key)
        return Row(
            key=plan.key,
            partition=as_number(plan.partition),
            scope=self._scope_id(plan),
            question="" if plan.vector is None else plan.ask.query,
            payload=payload,
            codec=codec,
            created_at=now,
            expires_at=None if ttl is None else now + ttl,
            stale_for=plan.policy.stale_for,
            usage=usage,
            estimated=usage is not None and usage.estimated,
            model=model,
            version=edition(plan.ask.version),
            tags=list(plan.tags),
            kind=plan.ask.kind,
            principal=self._principal(plan.scope, plan.ask.user),
        )

    def tag(self, plan: Plan) -> bool:
        """Note the tags of a request that missed; return False if they cannot be read.

        Its answer must not be stored then: nobody could take it back by them.

        Raises ConfigError for tags that are no names: those are the caller's to mend.
        """
        tags = plan.ask.tags
        if isinstance(tags, str):
            raise ConfigError(f"tags must be names in a list, got the str {tags!r:.60}")
        try:
            plan.tags = names(tags)
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - costs the hit, never the call
            self.failures.note("tags", error)
            return False
        return True

    def admit(self, plan: Plan, row: Row) -> str | None:
        """Store the row of a complete, successful answer; return why it was not stored, None if it was."""
        vector, public = plan.vector, plan.scope is PUBLIC
        if vector is not None and public and row.principal is None:
            vector = None
        is_near_duplicate = plan.nearest is not None and plan.nearest >= plan.policy.threshold
        # What mode "shadow" kept from being a hit would not have been stored at all.
        is_near_duplicate = is_near_duplicate and plan.would_serve is None
        if vector is not None and is_near_duplicate and self._bursts.floods(row.principal, row.created_at):
            self.counts.reason("not_compared:burst")
            vector = None
        if not self._memory.put(row, vector, plan, held=public):
            return "invalidated"
        if public:
            self._public_rows = True
        return None

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _remove(self, answer: Answer) -> None:
        """Remove the row of an answer, unless there is another one by now."""
        assert answer.key is not None
        row = self._memory.rows_by_key.peek(answer.key)
        if row is None or answer._stored_at is None or row.created_at == answer._stored_at:
            self.invalidate_sync(key=answer.key)

    def _identified(
        self, ask: Ask, router: str, streams: bool | None
    ) -> tuple[Scope, CachePolicy, float | None, Identity, bytes] | None:
        """Check a request; return its scope, policy, time to live and identity, and the key that its row lies under."""
        # What is of a wrong type is refused here or by the identifier; nothing right is looked at twice.
        if (
            ask.user is not None
            or ask.feature is not None
            or ask.system is None
            or ask.model is None
            or ask.version is None
        ):
            check(ask)
        kind = ask.kind
        policy = (self.policies.get(kind) if isinstance(kind, str) else None) or resolve(self.policies, kind)
        ttl = policy.ttl
        if ask.ttl is not None:
            ttl = check_ttl(ask.ttl)
        scope = ask.scope
        if scope is None:
            scope = self._scope
        if self._require_scope and (scope is None or scope == ""):
            raise ScopeRequiredError(
                "this cache was made with require_scope=True, and the request names no scope: pass scope= with a "
                "tenant's name or llmfast.PUBLIC, or give the cache a default, Cache(scope=...)"
            )
        if self.disabled or (ask.normal is not None and ask.normal.uncacheable is not None):
            return None
        try:
            try:
                identity = self._identify(ask, scope, router, streams, policy.fold_case)
            except TypeError:
                # Maybe an object of an SDK, or a number as a name: most requests have none, and are not searched for
                # one.
                ask.become_as_sent()
                identity = self._identify(ask, scope, router, streams, policy.fold_case)
        except Exception as error:  # noqa: BLE001 - whatever cannot be identified is called, not refused
            check(ask)
            unread = (part.error for part in (ask.messages, ask.params, ask.context) if isinstance(part, Unreadable))
            self.failures.note("identity", next(unread, error))
            return None
        # Of requests that say the same in other white space, width or signs there is one row.
        return scope, policy, ttl, identity, identity.normal_key or identity.key

    def _identify(self, ask: Ask, scope: Scope, router: str, streams: bool | None, fold_case: bool) -> Identity:
        context: Any = ask.context
        version, identifier = ask.version, self._identifier
        if ask.normal is not None:
            if streams is not None and streams != ask.normal.stream:
                # An answer in another form than the request names, such as what an async generator makes of it.
                router = f"{router}\n{'stream' if streams else 'whole'}"
            return identifier.identify_request(
                scope, ask.normal, context=context, version=version, router=router, fold_case=fold_case
            )
        params = ask.params
        stream = bool(streams or (params is not None and streams is None and params.get("stream")))
        if not context:
            context = None
        elif not isinstance(context, _DATA):
            context = list(context)
        # By position: keywords would cost a tenth of it.
        return identifier.identify(
            scope, ask.query, ask.model, ask.system, ask.messages, params, context, version, router, stream, fold_case
        )

    def _principal(self, scope: Scope, user: str | None) -> int | None:
        """Return who asks, as a number; a user whose name is no text (a lone surrogate) is nobody."""
        try:
            return self._identifier.principal(scope, user)
        except InvalidTextError as error:
            self.failures.note("user", error)
            return None

    def _scope_id(self, plan: Plan) -> int:
        """Return the scope of a request as a MAC, made when it is asked for: most requests are answered before."""
        if plan.scope_id is None:
            plan.scope_id = self._identifier.scope(plan.scope)
        return plan.scope_id

    def _overtakes(self, criteria: Criteria, plan: Plan) -> bool:
        if criteria.scope is not None:
            self._scope_id(plan)
        return criteria.overtakes(plan)

    def _key(self, scope: Scope, plan: Plan) -> bytes:
        """Return where the row of the same request of another scope lies."""
        identifier, query = self._identifier, plan.ask.query
        normal = identifier.normal_key(scope, plan.fingerprint, query, fold_case=plan.policy.fold_case)
        return identifier.exact_key(scope, plan.fingerprint, query) if normal is None else normal

    def _criteria(
        self, scope: Scope | _Any, tag: str | None, version: str | None, key: bytes | None, older_than: float | None
    ) -> Criteria:
        scope_id = None
        if not isinstance(scope, _Any):
            check_scope(scope)
            try:
                scope_id = self._identifier.scope(scope)
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
            rows = (memory.rows_by_key.peek(key) for key in some)
            covered = [row for row in rows if row is not None and criteria.covers(row)]
            removed = covered if dry_run else [row for row in covered if memory.remove(row.key)]
            # Those whose time was over go too, and were no answers any more.
            yield sum(not row.is_gone(now) for row in removed)
