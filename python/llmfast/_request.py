"""A request as the caller makes it, and the two calls that make one."""

from __future__ import annotations

import copyreg
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from ._arguments import check_documents, check_turns, held, named, refuse, uncallable
from ._llmfast import PUBLIC, NormalRequest, Public
from ._loops import is_async_generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, Unpack

    from ._engine import Engine
    from ._types import Answer

#: The tenant whose answers may serve: a name, `llmfast.PUBLIC` for answers that serve every tenant, or None for the one
#: scope of an application that has no tenants.
Scope: TypeAlias = str | Public | None

#: What context and tags are by default. There is one empty tuple; another one would only be looked at longer.
EMPTY = ()

#: Arguments of the client libraries that no key counts, and that may be objects without a JSON form.
_NOT_COUNTED = frozenset({"metadata", "timeout"})

#: What the client libraries pass for an argument that was not given, by the names of its types.
_NOT_GIVEN = frozenset({"NotGiven", "Omit"})


# A copy of PUBLIC, or one of another process, is PUBLIC itself: which rows a scope sees goes by identity.
copyreg.pickle(type(PUBLIC), lambda _: "PUBLIC")


class Facts(TypedDict, total=False):
    """What an application says of a request beside the call itself."""

    scope: Scope
    user: str | None
    feature: str | None
    context: Iterable[Any]
    version: str
    tags: Iterable[str]
    kind: str
    ttl: float | None


class Ask:
    """A request as the caller made it, for `run` and `run_sync` of a cache or an engine; nobody changes one.

    `normal` is the request in normal form if it was made for a provider's API: then query, model and system prompt are
    taken from it, and `messages` and `params` stay None. Iterators are read here, once, so that a request can be made
    again. Objects of an SDK in `messages`, `params` and `context` count as the JSON that it sends for them, by which
    the request holds them once it was identified. Made for each request, so no dataclass: a frozen one takes five times
    as long.

    Raises ConfigError for `params` that are no mapping.
    """

    __slots__ = (
        "context", "feature", "kind", "messages", "model", "normal", "params", "query", "scope", "system", "tags",
        "ttl", "user", "version",
    )  # fmt: skip

    def __init__(
        self,
        query: str,
        scope: Scope = None,
        user: str | None = None,
        feature: str | None = None,
        model: str = "",
        system: str = "",
        messages: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        context: Iterable[Any] = (),
        version: str = "",
        tags: Iterable[str] = (),
        kind: str = "general",
        ttl: float | None = None,
        normal: NormalRequest | None = None,
    ) -> None:
        self.query = query
        self.scope = scope
        self.user = user
        self.feature = feature
        self.model = model
        self.system = system
        if not (messages is None and params is None and context is EMPTY and tags is EMPTY):
            # Apart: what comes most is on the way of each exact hit.
            messages, params, context, tags = _held(messages, params, context, tags)
        self.messages = messages
        self.params = params
        self.context = context
        self.tags = tags
        self.version = version
        self.kind = kind
        self.ttl = ttl
        self.normal = normal

    @classmethod
    def from_keywords(cls, api: str, keywords: Mapping[str, Any], **facts: Unpack[Facts]) -> Self:
        """Make the request of an SDK's keyword arguments, such as those of `client.chat.completions.create`.

        `api`: "openai.chat", "openai.responses", "openai.embeddings" or "anthropic.messages". Objects of the SDK
        (messages that it returned) count as the JSON that it sends for them, a class of pydantic's, such as a
        `response_format`, as its name and JSON schema; arguments that it marks as not given do not count. Iterators are
        no data: they would be empty when the call is made.

        Raises ConfigError for an unknown `api` and bottomless nesting, TypeError for data that is not JSON,
        InvalidTextError for lone surrogates.
        """
        arguments = dict(keywords)
        try:
            normal = NormalRequest.from_keywords(api, arguments)
        except TypeError:
            counted = {name: value for name, value in arguments.items() if name not in _NOT_COUNTED}
            normal = NormalRequest.from_keywords(api, _as_sent(counted, "keywords"))
        return cls._of(normal, facts)

    @classmethod
    def from_wire(cls, api: str, body: bytes, **facts: Unpack[Facts]) -> Self:
        """Make the request of a wire body, JSON in UTF-8; see `from_keywords` for `api`.

        Raises ConfigError for an unknown `api` and for what is not JSON.
        """
        return cls._of(NormalRequest.from_wire(api, body), facts)

    def become_as_sent(self) -> None:
        """Hold `messages`, `params` and `context` as client libraries would send them.

        Raises TypeError for a class that tells no JSON schema, and what the objects' own code raises.
        """
        names = ("messages", "params", "context")
        self.messages, self.params, self.context = [_as_sent(getattr(self, name), name) for name in names]

    @classmethod
    def _of(cls, normal: NormalRequest, facts: Facts) -> Self:
        query = normal.query
        return cls("" if query is None else query, model=normal.model, system=normal.system, normal=normal, **facts)


def _held(messages: Any, params: Any, context: Any, tags: Any) -> tuple[Any, Any, Any, Any]:
    """Return what a request is made of, iterators read and mappings as dicts."""
    return (
        messages if messages is None or type(messages) is list else held(messages),
        params if params is None or type(params) is dict else named(params),
        context if context is EMPTY or type(context) is list else held(context),
        tags if tags is EMPTY or type(tags) is list else held(tags),
    )


def _as_sent(value: Any, place: str) -> Any:
    """Return data as the client libraries send it: without arguments that are not given, models as their JSON."""
    if isinstance(value, Mapping):
        given = {name: item for name, item in value.items() if type(item).__name__ not in _NOT_GIVEN}
        sent = {_as_name(name): _as_sent(item, f"{place}.{name}") for name, item in given.items()}
        if len(sent) < len(given):
            raise TypeError(f"{place} must be JSON data, got two names that are the same there")
        return sent
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
        return [_as_sent(item, place) for item in value]
    if isinstance(value, type):
        schema = getattr(value, "model_json_schema", None)
        if schema is None:
            raise TypeError(f"{place} must be JSON data, got the class {value.__name__}, which tells no JSON schema")
        return {"class": f"{value.__module__}.{value.__qualname__}", "schema": schema()}
    dump = getattr(value, "model_dump", None)
    return value if dump is None else dump(mode="json", exclude_unset=True)


def _as_name(name: Any) -> Any:
    """Return a name as JSON has it, of a token's number for one."""
    return str(name) if type(name) is int else name


def check(ask: Ask) -> None:
    """Raise ConfigError for a field of a type that would quietly keep the request out of the cache for ever."""
    for name in ("query", "model", "system", "version", "kind"):
        value = getattr(ask, name)
        if not isinstance(value, str):
            raise refuse(name, value, "a str")
    for name in ("user", "feature"):
        value = getattr(ask, name)
        if value is not None and not isinstance(value, str):
            raise refuse(name, value, "a str or None")
    for name in ("messages", "context"):
        value = getattr(ask, name)
        if value is not None and not isinstance(value, Iterable):
            raise refuse(name, value, "a list or another iterable of JSON data")
    check_scope(ask.scope)


def check_parts(ask: Ask) -> None:
    """Raise ConfigError for history or documents of a form that was hardly meant. For misses: hits need no look."""
    if ask.messages is not None:
        check_turns(ask.messages)
    if ask.context is not EMPTY:
        check_documents(ask.context)


def check_scope(scope: Scope) -> None:
    """Raise ConfigError unless `scope` is None, a name or `llmfast.PUBLIC`."""
    if scope is not None and not isinstance(scope, str | Public):
        raise refuse("scope", scope, "a str, None or llmfast.PUBLIC")


class Asking:
    """What `Cache` and `Engine` have in common: they answer requests, asynchronously or in the calling thread."""

    #: What takes a request the whole way.
    engine: Engine

    async def run(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way."""
        engine = self.engine
        plan, answer = engine.begin(ask, is_async_generator(llm_callable) or None)
        return await engine.go_on(ask, plan, llm_callable) if answer is None else answer

    def run_sync(self, ask: Ask, llm_callable: Callable[..., Any]) -> Answer:
        """Take `ask` the whole way in the calling thread."""
        engine = self.engine
        if not callable(llm_callable):
            raise uncallable(llm_callable)
        # Nothing streams in a thread that has no loop.
        plan, answer = engine.begin(ask, False)
        return engine.go_on_sync(ask, plan, llm_callable) if answer is None else answer

    async def get_or_generate(
        self,
        query: str,
        llm_callable: Callable[..., Any],
        *,
        scope: Scope = None,
        user: str | None = None,
        feature: str | None = None,
        model: str = "",
        system: str = "",
        messages: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        context: Iterable[Any] = (),
        version: str = "",
        tags: Iterable[str] = (),
        kind: str = "general",
        ttl: float | None = None,
    ) -> Answer:
        """Return a stored answer to `query`, or call the model and store what it returns.

        `llm_callable(query)` is sync or async and returns str, bytes, JSON data or a `Reply`; if it has a parameter
        named `decision`, it gets the router's choice; without a router, or where it failed, the parameter's default, or
        None if it has none. A sync one runs in a thread, 128 of an event loop at a time, and cannot be stopped; what
        calls a model had better be async. An async iterator of these is a stream. None and answers of other types are
        returned and not stored. The callable itself is no part of the key: calls that mean different things need a
        different `version`, `system` or `params`.

        Only whole answers are stored. JSON of OpenAI and Anthropic (data, or its text) says whether it is one; a text
        that was taken out of it does not: return `Reply(text, finish_reason=...)`, and at the end of a stream of texts
        `yield Reply(None, finish_reason=..., usage=...)`. An empty one is not stored either: blank text, and such JSON
        with neither text nor a call. Other data is an answer also where it is empty, such as [], {}, 0 or False.

        `model`, `system`, `messages` (the turns before the query, with or without the query as the last), `params`,
        `context` (documents that the answer draws on) and `version` can change the answer: requests that differ in one
        of them never share it. Objects of a client library in them count as the JSON that it sends. Only the query is
        compared by meaning. `scope` is the tenant whose answers may serve: None, a name, or `llmfast.PUBLIC`. `user` is
        who asks, and keeps nobody's answers from others, which only `scope` does: reports are split by it, an answer of
        `llmfast.PUBLIC` is found by meaning once two users asked for it, and who floods the cache is told by it.
        `feature` is for reports. `tags` are names by which `invalidate` finds the answer. `kind` picks the policy,
        `ttl` (seconds) overrides its time to live, and what words such as "today" make of it: for this request an
        answer's time is over at that age, or at its own end if that comes before, and the policy's `stale_if_error` and
        `stale_while_revalidate` count from then.

        Identical requests at the same time make one call; if it raises, all of them raise what it raised. It runs in a
        copy of the context variables of the caller that makes it: what it sets there does not come back.

        Raises ConfigError (an argument of a wrong type, unknown kind, bad ttl), ScopeRequiredError, and whatever
        `llm_callable` raises.
        """
        ask = Ask(query, scope, user, feature, model, system, messages, params, context, version, tags, kind, ttl)
        # As `run` does, without a coroutine more.
        engine = self.engine
        plan, answer = engine.begin(ask, is_async_generator(llm_callable) or None)
        return await engine.go_on(ask, plan, llm_callable) if answer is None else answer

    def get_or_generate_sync(
        self,
        query: str,
        llm_callable: Callable[..., Any],
        *,
        scope: Scope = None,
        user: str | None = None,
        feature: str | None = None,
        model: str = "",
        system: str = "",
        messages: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        context: Iterable[Any] = (),
        version: str = "",
        tags: Iterable[str] = (),
        kind: str = "general",
        ttl: float | None = None,
    ) -> Answer:
        """Do the same as `get_or_generate` in the calling thread, with a sync `llm_callable`.

        Raises RuntimeError in a thread whose event loop is running, where it would stop the loop, unless the answer is
        an exact hit, for which it does not wait.
        """
        ask = Ask(query, scope, user, feature, model, system, messages, params, context, version, tags, kind, ttl)
        return self.run_sync(ask, llm_callable)
