"""What the router is asked about a request, and who is told its choice."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._request import Ask

#: Where the text of a turn lies; what stands beside it, such as the data of an image, is no text.
_TEXT = ("content", "text")

#: Parts of a request that are looked at: one that holds itself has no end.
_MOST_PARTS = 100_000

#: Bytes of UTF-8 a token, as the router estimates them.
_BYTES_A_TOKEN = 4


def choose(router: Any, ask: Ask) -> tuple[Any, str | None]:
    """Return the choice of a router, ours or the caller's own, and the model that it names, if it names one.

    It is asked with the question, with the documents as its `context`, and with `more_tokens` for system prompt and
    turns before, if its `route` has parameters of these names. Raises what it raises.
    """
    route = _asked(router, ask)
    model = getattr(route, "model", None)
    return route, model if isinstance(model, str) else None


def _asked(router: Any, ask: Ask) -> Any:
    if ask.context == () and ask.messages is None and ask.normal is None and not ask.system:
        return router.route(ask.query)
    names = parameters(router.route)
    beside: dict[str, Any] = {}
    # A clause mark between: no phrase reaches from one document into the next.
    if "context" in names and (context := " . ".join(_texts(ask.context, None))):
        beside["context"] = context if context.isascii() else _utf8(context).decode()
    if "more_tokens" in names and (more_tokens := _tokens_beside(ask)):
        beside["more_tokens"] = more_tokens
    return router.route(ask.query, **beside)


def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters that a function takes by name, none for one without a readable signature.

    Not those of `**rest`: who passes that on to somebody would pass on what that does not know.
    """
    try:
        found = inspect.signature(function).parameters
    except Exception:  # noqa: BLE001 - a callable without a signature, such as some written in C, or with a broken one
        return {}
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: parameter for name, parameter in found.items() if parameter.kind in by_name}


def _tokens_beside(ask: Ask) -> int:
    turns = ask.messages if ask.normal is None else ask.normal.messages
    if isinstance(turns, list | tuple) and turns and _is_query(turns[-1], ask.query):
        turns = turns[:-1]
    texts = (*_texts(ask.system, None), *_texts(turns, _TEXT))
    return -(-sum(len(_utf8(text)) for text in texts) // _BYTES_A_TOKEN)


def _is_query(turn: Any, query: str) -> bool:
    if not isinstance(turn, Mapping) or turn.get("role") != "user":
        return False
    return list(_texts(turn, _TEXT)) == [query]


def _texts(data: Any, names: tuple[str, ...] | None) -> Iterator[str]:
    """Yield the texts in JSON data in their order, of mappings those under `names`, or all."""
    left = [data]
    for _ in range(_MOST_PARTS):
        if not left:
            return
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping):
            left.extend(reversed([part[name] for name in (names or part) if name in part]))
        elif isinstance(part, list | tuple):
            left.extend(reversed(part))


def _utf8(text: str) -> bytes:
    # A lone surrogate is no text, and must not cost the decision.
    return text.encode(errors="replace")
