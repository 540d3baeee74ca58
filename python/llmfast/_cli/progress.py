"""A progress bar on a terminal; nothing in a pipe."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from types import TracebackType

_BAR = 30
_PERIOD = 0.1


class Progress:
    """Draws one line on `stream` at most ten times a second, and takes it away at the end."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._on = not quiet and self._stream.isatty()
        self._due = 0.0
        self._width = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def show(self, label: str, share: float | None) -> None:
        """Draw the bar at `share` (0 to 1, or None where the end is not known) beside `label`."""
        now = time.monotonic()
        if not self._on or now < self._due:
            return
        self._due = now + _PERIOD
        self._write(label if share is None else f"[{'#' * round(share * _BAR):<{_BAR}}] {share:4.0%}  {label}")

    def clear(self) -> None:
        """Take the line away."""
        if self._on and self._width:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()
            self._width = 0

    def _write(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)
