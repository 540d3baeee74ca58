"""What has to be known of the requests of a run beside its figures, in sentences."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from .turns import has_media

if TYPE_CHECKING:
    from .._llmfast import NormalRequest
    from .log import Request

# Parameters that a note names, and the characters of a name that it shows.
_NAMED, _SHOWN = 5, 40


class Differences:
    """Finds requests that nothing but parameters tells from an earlier one.

    A log may put what it knows of a request beside its parameters: the name of a trace, what it cost. Whoever reads
    that no request comes twice has to know why.
    """

    def __init__(self) -> None:
        self._first: dict[int, dict[str, int]] = {}
        self._names: Counter[str] = Counter()
        self._requests = 0

    def note(self, normal: NormalRequest, scope: str | None) -> None:
        """Compare a request, which is no repeat of an earlier one, with the first that equals it but for parameters."""
        params = normal.params
        if not params:
            return
        values = {name: _digest(value) for name, value in params.items()}
        parts = (
            scope,
            normal.api,
            normal.model,
            normal.system,
            normal.messages,
            normal.turn,
            normal.query,
            normal.stream,
        )
        first = self._first.setdefault(_digest(parts), values)
        names = [name for name in first.keys() | values.keys() if first.get(name) != values.get(name)]
        self._requests += bool(names)
        self._names.update(names)

    def notes(self) -> list[str]:
        """Return the note, if there is something to note."""
        if not self._requests:
            return []
        named = [f"{name:.{_SHOWN}} ({times:,})" for name, times in self._names.most_common(_NAMED)]
        more = len(self._names) - len(named)
        note = (
            f"{self._requests:,} requests differ from an earlier one in their parameters alone: {', '.join(named)}"
            f"{f' and {more:,} more' if more else ''}. What the log adds to a request, and the application does not "
            "send, has to be taken out of the log"
        )
        return [note]


class Media:
    """Counts the requests whose tokens are estimated without their images, sounds and files."""

    def __init__(self) -> None:
        self._requests = 0

    def note(self, request: Request, *, estimated: bool) -> None:
        """Look at a request."""
        self._requests += estimated and request.body is not None and has_media(request.body)

    def notes(self) -> list[str]:
        """Return the note, if there is something to note."""
        if not self._requests:
            return []
        return [f"{self._requests:,} requests hold images, sounds or files, which no estimate of tokens counts"]


class Tenants:
    """Notices a log of several users that names no tenants: answers that are a user's own seem to serve the others."""

    def __init__(self) -> None:
        self._first: str | None = None
        self._has_others = self._has_scopes = False

    def note(self, request: Request) -> None:
        """Look at a request."""
        self._has_scopes |= request.scope is not None
        self._first = self._first or request.user
        self._has_others |= request.user not in (None, self._first)

    def notes(self) -> list[str]:
        """Return the note, if there is something to note."""
        if self._has_scopes or not self._has_others:
            return []
        note = (
            "the log names several users and no scope, so what was answered to one serves all. Where answers are a "
            'user\'s own ("my balance"), the application has to pass a scope, and each line to name it: "scope": "…"'
        )
        return [note]


def _digest(value: Any) -> int:
    return hash(json.dumps(value, sort_keys=True))
