"""Errors that are about a call as a whole, such as one to an API, and not about an item that it was given."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

#: Of HTTP: not authorised, not found, too slow or early, in conflict, too many requests. All from 500 on as well.
_STATUSES = frozenset({401, 403, 404, 408, 409, 425, 429})

#: Classes of connections that fail or take too long, by name: of Python and its urllib, openai and anthropic, httpx,
#: aiohttp, requests. What derives from them counts too. Imported they would have to be installed.
_CONNECTION = frozenset(
    {
        "APIConnectionError",
        "ClientConnectionError",
        "ConnectionError",
        "Timeout",
        "TimeoutError",
        "TransportError",
        "URLError",
        "gaierror",
    }
)


def is_of_the_call(error: Exception) -> bool:
    """Whether a call would have raised this for other items too.

    An HTTP status decides, where the error or its `response` has one; else its class: connections and time-outs.
    """
    status = _status(error)
    if status is not None:
        return status in _STATUSES or 500 <= status < 600
    return any(kind.__name__ in _CONNECTION for kind in type(error).__mro__)


def _status(error: Exception) -> int | None:
    for holder in (error, _attribute(error, "response")):
        for name in ("status_code", "status", "code"):
            status = _attribute(holder, name)
            if isinstance(status, int) and 400 <= status < 600:
                return int(status)
    return None


def _attribute(holder: Any, name: str) -> Any:
    # Properties of the caller's may raise.
    with suppress(Exception):
        return getattr(holder, name, None)
    return None
