"""Our own failures: counted, logged once for each kind, never the caller's."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from ._forks import new_lock

logger = logging.getLogger("llmfast")

#: Kinds of the failures of one step that are logged.
_MOST_KINDS = 64


def told(error: BaseException) -> str:
    """Return what an error says, also of one that fails to say it."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - code of the caller's, which must not cost the call
        return f"a {type(error).__name__}, which cannot say more"


def shown(value: Any, most: int = 60) -> str:
    """Return a value as messages show it, in `most` characters, also one that fails to show itself."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - as above; an integer of too many digits as well
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def log(level: int, message: str, *arguments: Any, error: BaseException | None = None) -> None:
    """Log for the application; a handler of its own may raise, and what it is told of must not fail by that."""
    with suppress(Exception):
        logger.log(level, message, *arguments, exc_info=error, stacklevel=2)


class Failures:
    """Counts by step what went wrong inside llmfast while the call went on."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._counts: dict[str, int] = {}
        self._kinds: dict[str, set[str]] = {}

    def note(self, step: str, error: BaseException, kind: str = "") -> None:
        """Count a failure of `step`; the first one of each `kind` in a step is logged with its traceback.

        `kind`: what the application would have to mend by itself.
        """
        with self._lock:
            self._counts[step] = self._counts.get(step, 0) + 1
            kinds = self._kinds.setdefault(step, set())
            is_new = kind not in kinds and len(kinds) < _MOST_KINDS
            if is_new:
                kinds.add(kind)
        if is_new:
            log(logging.WARNING, "%s failed, requests go on without it: %s", step, told(error), error=error)

    def counts(self) -> dict[str, int]:
        """Return a copy of the counts."""
        with self._lock:
            return dict(self._counts)
