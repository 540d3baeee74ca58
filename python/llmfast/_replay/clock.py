"""The time that passes in a replay: that of the log."""

from __future__ import annotations


class VirtualClock:
    """The time of the log, in seconds. It never goes back: a request that is out of order happens at once.

    A request without a time comes one second after the one before it.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._started = False
        self._line = 0
        #: Requests with a time; those of them that are earlier than one before them, and than the very one before them.
        self._timed = self._late = self._falls = 0
        self._before: float | None = None
        #: The one that is late by most: seconds, its line, and the line that it is behind.
        self._latest = 0.0, 0, 0

    def __call__(self) -> float:
        """Return the time of the current request."""
        return self._now

    def move(self, stamp: float | None, line: int = 0) -> float:
        """Go on to the next request, whose time is `stamp`, and return the time; `line` is where it stands."""
        following = self._now + 1.0 if self._started else 0.0
        now = following if stamp is None else max(self._now, stamp) if self._started else max(0.0, stamp)
        if stamp is not None:
            self._timed += 1
            self._falls += self._before is not None and stamp < self._before
            self._before = stamp
            if self._started and stamp < self._now:
                self._late += 1
                self._latest = max(self._latest, (self._now - stamp, line, self._line))
        if now > self._now or not self._started:
            self._line = line
        self._now = now
        self._started = True
        return now

    def notes(self) -> list[str]:
        """Return what has to be known of the times of the requests so far, in sentences."""
        if not self._late:
            return []
        behind, line, ahead = self._latest
        advice = "Sort the log by time, or mend the times that are wrong"
        if self._falls == self._timed - 1 > 1:
            advice = "The log begins with its end: reverse it, for example with tac"
        note = (
            f"{self._late:,} of {self._timed:,} times are earlier than one before them, by up to {_span(behind)} (line "
            f"{line:,}, behind line {ahead:,}). Time stands still for these requests, and nothing expires. {advice}"
        )
        return [note]


def _span(seconds: float) -> str:
    """Return seconds in the unit that suits them: "0.5 s", "90 s", "12 h", "30 days"."""
    for unit, size, most in (("s", 1.0, 600.0), ("min", 60.0, 7200.0), ("h", 3600.0, 172_800.0)):
        if seconds < most:
            return f"{seconds / size:,.3g} {unit}"
    return f"{seconds / 86_400:,.0f} days"
