"""Who a request is: its scope, the policy that applies, its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._arguments import Unreadable
from ._errors import InvalidTextError, ScopeRequiredError
from ._failures import told
from ._llmfast import PUBLIC, Identifier
from ._policy import check_ttl, resolve
from ._request import EMPTY, check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._failures import Failures
    from ._llmfast import Identity
    from ._plan import Plan
    from ._policy import CachePolicy
    from ._request import Ask, Scope

#: What is data as it is; of anything else the items are.
_DATA = (tuple, list, dict, str, bytes)


class Identities:
    """Identifies requests under a secret (bytes), by the rules of one cache.

    `policies` are those of the kinds; `scope` is the tenant of a request that names none, and with `require_scope` it
    has to be named; with `disabled` no request is identified. What cannot be is noted in `failures`.
    """

    def __init__(
        self,
        secret: bytes,
        policies: Mapping[str, CachePolicy],
        scope: Scope,
        require_scope: bool,
        disabled: bool,
        failures: Failures,
    ) -> None:
        self.identifier = Identifier(secret)
        self._policies = policies
        self._scope = scope
        self._require_scope = require_scope
        self._disabled = disabled
        self._failures = failures

    def of(
        self, ask: Ask, router: str, streams: bool | None
    ) -> tuple[Scope, CachePolicy, float | None, Identity] | None:
        """Check a request; return its scope, policy, time to live (seconds) and identity.

        None if it cannot be identified, or no answer to it may be stored. See `Cache.plan` for the arguments and what
        is raised. On the way of each exact hit.
        """
        # What is of a wrong type is refused here or by the identifier; nothing right is looked at twice.
        if not (
            (ask.user is None or type(ask.user) is str)
            and (ask.feature is None or type(ask.feature) is str)
            and ask.system is not None
            and ask.model is not None
            and ask.version is not None
        ):
            check(ask)
        kind = ask.kind
        policy = self._policies.get(kind) if isinstance(kind, str) else None
        if policy is None:
            policy = resolve(self._policies, kind)
        ttl = policy.ttl if ask.ttl is None else check_ttl(ask.ttl)
        scope = self._scope if ask.scope is None else ask.scope
        if self._require_scope and (scope is None or scope == ""):
            raise ScopeRequiredError(
                "this cache was made with require_scope=True, and the request names no scope: pass scope= with a "
                "tenant's name or llmfast.PUBLIC, or give the cache a default, Cache(scope=...)"
            )
        if self._disabled:
            return None
        try:
            if ask.normal is None and ask.params is None and ask.context is EMPTY:
                # What comes most. By position: keywords would cost a tenth of it.
                identity = self.identifier.identify(
                    scope, ask.query, ask.model, ask.system, ask.messages, None, None, ask.version, router,
                    streams is True, policy.fold_case,
                )  # fmt: skip
            elif ask.normal is None or ask.normal.uncacheable is None:
                identity = self._identity(ask, scope, router, streams, policy.fold_case)
            else:
                return None
        except Exception as error:  # noqa: BLE001 - looked at once more
            again = self._again(ask, scope, router, streams, policy.fold_case, error)
            if again is None:
                return None
            identity = again
        return scope, policy, ttl, identity

    def scope_id(self, plan: Plan) -> int:
        """Return the scope of a request as a MAC, made when it is asked for: most requests are answered before."""
        if plan.scope_id is None:
            plan.scope_id = self.identifier.scope(plan.scope)
        return plan.scope_id

    def principal(self, scope: Scope, user: str | None) -> int | None:
        """Return who asks, as a number; a user whose name is no text (a lone surrogate) is nobody."""
        try:
            return self.identifier.principal(scope, user)
        except InvalidTextError as error:
            self._failures.note("user", error)
            return None

    def is_public(self, ask: Ask) -> bool:
        """Whether the answer to a request may serve every tenant."""
        return (ask.scope or self._scope) is PUBLIC

    def tenant(self, scope: Scope) -> int:
        """Return as a MAC the scope that a request with `scope=` means: with None the cache's own.

        Raises InvalidTextError for a name that is no text.
        """
        return self.identifier.scope(self._scope if scope is None else scope)

    def key(self, scope: Scope, plan: Plan) -> bytes:
        """Return where the row of the same request of another scope lies."""
        identifier, query = self.identifier, plan.ask.query
        normal = identifier.normal_key(scope, plan.fingerprint, query, fold_case=plan.policy.fold_case)
        return identifier.exact_key(scope, plan.fingerprint, query) if normal is None else normal

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _identity(self, ask: Ask, scope: Scope, router: str, streams: bool | None, fold_case: bool) -> Identity:
        """Identify a request in any of its forms."""
        context: Any = ask.context
        normal, params, version, identifier = ask.normal, ask.params, ask.version, self.identifier
        if normal is not None:
            return identifier.identify_request(
                scope, normal, context=context, version=version, router=router, stream=streams, fold_case=fold_case
            )
        stream = bool(streams or (params is not None and streams is None and params.get("stream")))
        if not context:
            context = None
        elif not isinstance(context, _DATA):
            context = list(context)
        return identifier.identify(
            scope, ask.query, ask.model, ask.system, ask.messages, params, context, version, router, stream, fold_case
        )

    def _again(
        self, ask: Ask, scope: Scope, router: str, streams: bool | None, fold_case: bool, error: Exception
    ) -> Identity | None:
        """Identify a request that `error` kept from it; None, with a note why, if that is not possible at all."""
        try:
            if isinstance(error, TypeError):
                # Maybe an object of an SDK, or a number as a name: most requests have none, and are not searched for
                # one.
                ask.become_as_sent()
                return self._identity(ask, scope, router, streams, fold_case)
        except Exception as later:  # noqa: BLE001 - whatever cannot be identified is called, not refused
            error = later
        check(ask)
        unread = (part.error for part in (ask.messages, ask.params, ask.context) if isinstance(part, Unreadable))
        cause = next(unread, error)
        # That of a type says which argument, and which type: each keeps requests out of the cache for ever.
        self._failures.note("identity", cause, told(cause) if isinstance(cause, TypeError) else type(cause).__name__)
        return None
