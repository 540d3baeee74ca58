"""Answers that cannot be copied, such as objects of a client library: they are neither stored nor shared."""

from __future__ import annotations

import logging
from functools import partial
from types import BuiltinFunctionType
from typing import Any

from ._failures import log
from ._forks import new_lock
from ._values import Events, foreign

#: Calls that are remembered; the one that was noted first is forgotten.
_MOST_CALLS = 256

#: Types that are warned of.
_MOST_TYPES = 256

#: Wrappers around a function that are looked through.
_WRAPPERS = 16


class Uncopied:
    """Remembers which calls returned what cannot be copied, so that nobody waits for what they could not have.

    A call is known by its code, or by its type if it is an object: lambdas and partials are made anew for each request.
    A method is known by its object as well, since what it returns is often that one's choice. Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        #: What calls are known by, under its `id`, which is nobody else's while it is here, and that of its object.
        self._calls: dict[tuple[int, int], Any] = {}
        self._warned: set[str] = set()

    def __contains__(self, function: Any) -> bool:
        return bool(self._calls) and _known_by(function)[0] in self._calls

    def note(self, function: Any, *, copied: bool) -> None:
        """Note whether the last answer of a call could be copied."""
        if copied and not self._calls:
            return
        key, known_by = _known_by(function)
        with self._lock:
            if copied:
                self._calls.pop(key, None)
                return
            self._calls[key] = known_by
            if len(self._calls) > _MOST_CALLS:
                del self._calls[next(iter(self._calls))]

    def warn(self, value: Any) -> None:
        """Log that an answer is not stored, what of it stands in the way, and what to return; once for each type."""
        culprit = foreign(value)
        kind = type(value if culprit is None else culprit)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        with self._lock:
            if name in self._warned or len(self._warned) >= _MOST_TYPES:
                return
            self._warned.add(name)
        what = "streams" if type(value) is Events else "answers"
        if culprit is None:
            instead = "JSON has no form for it: too deep or large, names that are no str, NaN, lone surrogates"
        else:
            form = "its model_dump(), the text" if hasattr(kind, "model_dump") else "str, bytes, JSON data"
            instead = f"{'yield' if what == 'streams' else 'return'} {form} or a Reply of these"
        held = "of type" if culprit is None or culprit is value else "with an object of type"
        log(logging.WARNING, "%s %s %s are not stored: %s", what, held, name, instead)


def _known_by(function: Any) -> tuple[tuple[int, int], Any]:
    """Return what stays the same where a callable is made anew, its code or else its type, and a key for it."""
    owner = None
    try:
        for _ in range(_WRAPPERS):
            inner = function.func if isinstance(function, partial) else getattr(function, "__wrapped__", None)
            if inner is None:
                break
            function = inner
        known_by = getattr(function, "__code__", None)
        # Not kept: it may be large, and another one in its place is told apart by its next answer.
        owner = getattr(function, "__self__", None)
    except Exception:  # noqa: BLE001 - code of the caller's, which must not cost the call
        known_by = None
    if known_by is None:
        # Of these the type says nothing.
        known_by = function if isinstance(function, type | BuiltinFunctionType) else type(function)
    return (id(known_by), id(owner)), known_by
