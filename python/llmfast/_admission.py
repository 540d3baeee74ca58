"""Which answers may be stored: complete and successful ones, from askers that do not flood the cache."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from ._llmfast import LruCache

#: What providers call an answer that ended as it should.
_COMPLETE = frozenset(
    {
        "complete",
        "completed",
        "end_turn",
        "eos",
        "eos_token",
        "finish",
        "function_call",
        "stop",
        "stop_sequence",
        "tool_call",
        "tool_calls",
        "tool_use",
    }
)
_TRUNCATED = frozenset({"incomplete", "length", "max_output_tokens", "max_tokens", "model_length", "pause_turn"})
_FILTERED = frozenset(
    {"blocklist", "content_filter", "content_filtered", "prohibited_content", "recitation", "refusal", "safety"}
)

#: Near-duplicates that one principal may store in `WINDOW` seconds; what it stores beyond them is found on exact
#: repeats only.
BURST = 30
WINDOW = 60.0

#: Principals that are watched; those not seen for longest are forgotten.
_WATCHED = 10_000


def why_not_complete(value: Any, finish_reason: str | None = None) -> str | None:
    """Return why an answer is not to be stored ("truncated", "filtered", "failed"), None if nothing speaks against it.

    `finish_reason` is what the caller said of it. Beside that, the JSON forms of OpenAI's chat completions and
    responses and of Anthropic's messages say it themselves, whole or as the events of a stream.
    """
    if finish_reason is not None:
        return _why_not(finish_reason)
    if type(value) is list:
        return next((why for item in value if (why := _why_not_event(item)) is not None), None)
    return _why_not_event(value)


def _why_not_event(value: Any) -> str | None:
    if type(value) is not dict:
        return None
    is_providers = "object" in value or "choices" in value or len(value) == 1
    if value.get("type") == "error" or (is_providers and value.get("error")):
        return "failed"
    for reason in _finish_reasons(value):
        why = _why_not(reason)
        if why is not None:
            return why
    return None


def _finish_reasons(value: dict[str, Any]) -> list[str]:
    """What a provider's answer or event says of its end; nothing of other JSON."""
    found: list[Any] = []
    choices = value.get("choices")
    if type(choices) is list:
        found += [choice.get("finish_reason") for choice in choices if type(choice) is dict]
    if value.get("type") in ("message", "message_delta"):
        holder = value.get("delta", value)
        found.append(holder.get("stop_reason") if type(holder) is dict else None)
    response = value.get("response") if str(value.get("type", "")).startswith("response.") else value
    if type(response) is dict and response.get("object") == "response":
        status = response.get("status")
        found.append(None if status in ("queued", "in_progress") else status)
    return [reason for reason in found if type(reason) is str]


def _why_not(reason: str) -> str | None:
    reason = reason.lower()
    if reason in _COMPLETE:
        return None
    # An end that nobody here knows is not known to be a good one.
    return "truncated" if reason in _TRUNCATED else "filtered" if reason in _FILTERED else "failed"


class Bursts:
    """Notices principals that store many near-duplicates in a short time: such a flood catches others' questions.

    The rows still answer exact repeats. Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: LruCache[int, deque[float]] = LruCache(_WATCHED)

    def floods(self, principal: int | None, now: float) -> bool:
        """Note a near-duplicate stored at `now` (seconds); return whether its principal stored too many of late."""
        if principal is None:
            return False
        with self._lock:
            times = self._times.get(principal)
            if times is None:
                times = deque(maxlen=BURST)
                self._times.insert(principal, times)
            full = len(times) == BURST and now - times[0] < WINDOW
            times.append(now)
            return full
