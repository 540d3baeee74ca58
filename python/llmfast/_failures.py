"""Our own failures: counted, logged once each, never the caller's."""

from __future__ import annotations

import logging
import threading

logger = logging.getLogger("llmfast")


class Failures:
    """Counts by step what went wrong inside llmfast while the call went on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def note(self, step: str, error: BaseException) -> None:
        """Count a failure of `step`; the first one of each step is logged with its traceback."""
        with self._lock:
            count = self._counts[step] = self._counts.get(step, 0) + 1
        if count == 1:
            logger.warning("%s failed, requests go on without it: %s", step, error, exc_info=error)

    def counts(self) -> dict[str, int]:
        """Return a copy of the counts."""
        with self._lock:
            return dict(self._counts)
