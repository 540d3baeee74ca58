"""Reads when a request was made, in the forms in which logs say it."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Where a body says it; the first that can be read counts.
NAMES = ("time", "timestamp", "created")

# A number in a string. Eight digits are a date.
_NUMBER = re.compile(r"(?!\d{8}$)[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
# Zones by name: those that mean one time everywhere.
_UTC = re.compile(r"\s*(UTC|GMT|Z)$", re.IGNORECASE)
_FORMS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f", "%d/%b/%Y:%H:%M:%S %z", "%a %b %d %H:%M:%S %Y")
_SHOWN = 40


def read_time(body: Mapping[str, Any]) -> tuple[float | None, str | None]:
    """Return when a request was made, in seconds since 1970, and what stands there instead where it cannot be read."""
    unread = None
    for name in NAMES:
        value = body.get(name)
        if value is None:
            continue
        seconds = _seconds(value)
        if seconds is not None:
            return seconds, None
        unread = unread or _shown(value)
    return None, unread


def _shown(value: Any) -> str:
    # Not the lists and dicts: they may be deeper than `repr` goes.
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else f"{value!r:.{_SHOWN}}"


def _seconds(value: Any) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        return _number(float(text)) if _NUMBER.fullmatch(text) else _date(text)
    return _number(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: float) -> float | None:
    """Return seconds of seconds, milliseconds, microseconds or nanoseconds: no log is from the year 5138."""
    if not abs(value) < 1e20 or not math.isfinite(value):
        return None
    seconds = float(value)
    while abs(seconds) >= 1e11:
        seconds /= 1000
    return seconds


def _date(text: str) -> float | None:
    """Return the seconds of a date in ISO 8601, RFC 5322, or another form that is common; without a zone it is UTC."""
    readers: list[Callable[[str], datetime]] = [datetime.fromisoformat, parsedate_to_datetime, *map(_by, _FORMS)]
    for read in readers:
        for said in (text, _UTC.sub("+00:00", text)):
            try:
                date = read(said)
                return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
    return None


def _by(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone
