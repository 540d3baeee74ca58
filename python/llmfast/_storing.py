"""From an answer to its row: what may be stored, what it is stored as, and what was found out about it on the way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ._admission import Bursts, why_not_complete
from ._arguments import names
from ._drivers import Consult, OffLoop
from ._emptiness import is_empty, is_empty_stream
from ._errors import ConfigError
from ._invalidation import edition
from ._llmfast import PUBLIC, Row
from ._memory import as_number
from ._policy import shortened
from ._values import Events, pack, size, thaw

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ._answers import Called
    from ._counts import Counts
    from ._failures import Failures
    from ._flight import Flight
    from ._identity import Identities
    from ._memory import MemoryTier
    from ._plan import Plan
    from ._uncopied import Uncopied

#: Characters or bytes of an answer that are packed in well under a millisecond.
_SMALL = 64 * 1024


class Storing:
    """Stores the answers of a cache, those that may be stored.

    `admits(query, value)`, sync or async, may keep an answer out; `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        memory: MemoryTier,
        identities: Identities,
        failures: Failures,
        counts: Counts,
        uncopied: Uncopied,
        admits: Callable[..., Any] | None,
        clock: Callable[[], float],
    ) -> None:
        self._memory = memory
        self._identities = identities
        self._failures = failures
        self._counts = counts
        self._uncopied = uncopied
        self._admits = admits
        self.clock = clock
        self._bursts = Bursts()

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
            self._failures.note("tags", error)
            return False
        return True

    def way(
        self, plan: Plan, called: Called, flight: Flight
    ) -> Generator[OffLoop | Consult, Any, tuple[Row | None, bytes | None, str | None]]:
        """Store an answer if it may be stored: its row, the key if it lies in the cache now, and why it does not.

        The row is returned also where it is not stored: those who wait get copies of it. It is None if the answer would
        not come back as it is.
        """
        judge = partial(_judged, called, flight)
        is_long = isinstance(called.value, Events) and not is_small(called.value)
        try:
            value, why_not = (yield OffLoop(judge, False)) if is_long else judge()
        except Exception as error:  # noqa: BLE001 - those who wait get their copies all the same
            self._failures.note("admission", error)
            value, why_not = called.value, "failure"
        if why_not is None and self._admits is not None:
            try:
                # Whether that is true is for what it returned to say, an array for one raises.
                admitted = bool((yield Consult(self._admits, plan.ask.query, value)))
            except Exception as error:  # noqa: BLE001 - whoever cannot say yes has not said it
                self._failures.note("admit hook", error)
                admitted = False
            why_not = None if admitted else "refused"
        store = partial(self._store, plan, called, why_not, flight)
        # A large answer takes milliseconds to pack, and the index may have to move all its rows.
        stored: tuple[Row | None, bytes | None, str | None]
        stored = store() if plan.vector is None and is_small(called.value) else (yield OffLoop(store, False))
        return stored

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _store(
        self, plan: Plan, called: Called, why_not: str | None, flight: Flight
    ) -> tuple[Row | None, bytes | None, str | None]:
        """Make the row of an answer, and store it unless `why_not` says why not."""
        try:
            row = self._row(plan, called)
        except Exception as error:  # noqa: BLE001 - without a time, say, it is not stored
            self._failures.note("admission", error)
            row, why_not = _for_copies(plan, called.value), "failure"
        if row is None:
            self._uncopied.warn(called.value)
            return None, None, why_not or "type"
        if why_not is None:
            try:
                why_not = "invalidated" if flight.detached else self._put(plan, row)
            except Exception as error:  # noqa: BLE001 - those who wait get their copies all the same
                self._failures.note("admission", error)
                # It may lie there without its vector, to be found on exact repeats.
                why_not = None if self._memory.holds(row) else "failure"
        return row, None if why_not else row.key, why_not

    def _row(self, plan: Plan, called: Called) -> Row | None:
        packed = pack(called.value)
        if packed is None:
            return None
        codec, payload = packed
        now, usage = self.clock(), called.usage
        life = plan.life
        ttl = None if life is None else shortened(life, plan.policy.jitter, plan.key)
        return Row(
            key=plan.key,
            partition=as_number(plan.partition),
            scope=self._identities.scope_id(plan),
            question="" if plan.vector is None else plan.ask.query,
            payload=payload,
            codec=codec,
            created_at=now,
            expires_at=None if ttl is None else now + ttl,
            stale_for=plan.policy.stale_for,
            usage=usage,
            estimated=usage is not None and usage.estimated,
            model=called.model,
            version=edition(plan.ask.version),
            tags=list(plan.tags),
            kind=plan.ask.kind,
            principal=self._identities.principal(plan.scope, plan.ask.user),
        )

    def _put(self, plan: Plan, row: Row) -> str | None:
        """Store the row of a complete, successful answer; return why it was not stored, None if it was."""
        vector, public = plan.vector, plan.scope is PUBLIC
        if vector is not None and public and row.principal is None:
            vector = None
        is_near_duplicate = plan.nearest is not None and plan.nearest >= plan.policy.threshold
        # What mode "shadow" kept from being a hit would not have been stored at all.
        is_near_duplicate = is_near_duplicate and plan.would_serve is None
        if vector is not None and is_near_duplicate and self._bursts.floods(row.principal, row.created_at):
            self._counts.reason("not_compared:burst")
            vector = None
        return None if self._memory.put(row, vector, plan, public=public) else "invalidated"


def is_small(value: Any) -> bool:
    """Whether an answer, or what a stream was made of, is packed in well under a millisecond."""
    if isinstance(value, Events):
        return sum(map(size, value.items)) <= _SMALL
    return isinstance(value, str | bytes) and len(value) <= _SMALL


def _judged(called: Called, flight: Flight) -> tuple[Any, str | None]:
    """Return an answer, a stream as the list of its items, and why it is not to be stored."""
    value = called.value
    if value is None:
        # Of a stream that was too long to be kept, which is told while it goes on; or the call returned nothing.
        return None, "size" if flight.told else "nothing"
    if isinstance(value, Events):
        value = [thaw(item) for item in value.items]
        return value, why_not_complete(value, called.finish_reason) or ("empty" if is_empty_stream(value) else None)
    why_not = why_not_complete(called.data, called.finish_reason)
    return value, why_not or ("empty" if is_empty(called.data) else None)


def _for_copies(plan: Plan, value: Any) -> Row | None:
    """Make a row that is not to be stored, for those who wait; None if the answer would not come back as it is."""
    packed = pack(value)
    if packed is None:
        return None
    codec, payload = packed
    return Row(key=plan.key, partition=0, codec=codec, payload=payload, created_at=plan.began_at)
