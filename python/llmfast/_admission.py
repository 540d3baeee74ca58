"""Which answers may be stored: complete and successful ones, from askers that do not flood the cache."""

from __future__ import annotations

from collections import deque
from typing import Any

from ._forks import new_lock
from ._llmfast import LruCache
from ._provider_json import as_data, maps, response_in

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
_UNFINISHED = frozenset({"in_progress", "queued"})

#: Events of a stream of the responses API that are followed by others.
_RESPONSE_GOES_ON = (
    "response.content_part.", "response.created", "response.function_call_arguments.", "response.in_progress",
    "response.output_item.", "response.output_text.", "response.queued", "response.reasoning", "response.refusal.",
)  # fmt: skip

#: Near-duplicates that one principal may store in `WINDOW` seconds; what it stores beyond them is found on exact
#: repeats only.
BURST = 30
WINDOW = 60.0

#: Principals that are watched; those not seen for longest are forgotten.
_WATCHED = 10_000


def why_not_complete(value: Any, finish_reason: str | None = None) -> str | None:
    """Return why an answer, given as data, is not to be stored; None if nothing speaks against it.

    "truncated", "filtered" (by the provider, or the model refused), "failed", or "unfinished": it is still being made,
    was cut off, or does not say how it ended where the provider does. `finish_reason` is what the caller said of it.
    Beside that, the JSON forms of OpenAI's chat completions and responses and of Anthropic's messages say it
    themselves, whole or as the events of a stream; events may be the text of JSON too.
    """
    if finish_reason is not None:
        return _why_not(finish_reason)
    ends = _Ends()
    for item in map(as_data, value) if type(value) is list else (value,):
        if type(item) is dict:
            why = _why_not_event(item)
            if why is not None:
                return why
            ends.note(item)
    return ends.why_not()


def _why_not_event(value: dict[str, Any]) -> str | None:
    kind, error = value.get("type"), value.get("error")
    # Compatible servers put other fields beside the error; a word of that name may be the caller's own.
    is_providers = "object" in value or "choices" in value or len(value) == 1
    if kind == "error" or value.get("object") == "error" or (error and (is_providers or type(error) is dict)):
        return "failed"
    if _refuses(value):
        return "filtered"
    return next((why for reason in _finish_reasons(value) if (why := _why_not(reason)) is not None), None)


def _refuses(value: dict[str, Any]) -> bool:
    """Whether a provider's answer or event is a refusal: its end is a regular one, and its text stands elsewhere."""
    if str(value.get("type")).startswith("response.refusal."):
        return True
    said = [choice.get(place) for choice in maps(value, "choices") for place in ("message", "delta")]
    if any(type(message) is dict and message.get("refusal") for message in said):
        return True
    response = response_in(value)
    parts = (part for item in maps(response, "output") for part in maps(item, "content")) if response else ()
    return any(part.get("type") == "refusal" for part in parts)


def _finish_reasons(value: dict[str, Any]) -> list[str]:
    """What a provider's answer or event says of its end; nothing of other JSON."""
    found: list[Any] = [choice.get("finish_reason") for choice in maps(value, "choices")]
    if value.get("type") in ("message", "message_delta"):
        holder = value.get("delta", value)
        found.append(holder.get("stop_reason") if type(holder) is dict else None)
    response = response_in(value)
    if response is not None:
        status = response.get("status")
        # An event says how far the response was then.
        found.append(None if response is not value and status in _UNFINISHED else status)
    return [reason for reason in found if type(reason) is str]


class _Ends:
    """What providers' answers and events say of their ends together: whether one was begun and none came."""

    def __init__(self) -> None:
        #: The parts of a stream: choices by index, or the one message or response. True while more is to come.
        self._open: dict[Any, bool] = {}
        self._is_unfinished = False

    def note(self, value: dict[str, Any]) -> None:
        kind, name = value.get("type"), value.get("object")
        if type(kind) is str:
            if kind.startswith("response."):
                self._response_event(kind)
            elif kind == "message":
                self._is_unfinished |= _is_unfinished_message(value)
            else:
                self._message_event(kind, value)
        if name == "response" and type(value.get("status")) is not str:
            self._is_unfinished = True
        elif name == "chat.completion":
            choices = maps(value, "choices")
            self._is_unfinished |= not choices or any(choice.get("finish_reason") is None for choice in choices)
        else:
            self._choices(value)

    def why_not(self) -> str | None:
        return "unfinished" if self._is_unfinished or any(self._open.values()) else None

    def _choices(self, value: dict[str, Any]) -> None:
        """Note the choices of a chunk, or of an answer that does not name its form."""
        if value.get("object") in ("chat.completion.chunk", "text_completion"):
            # The last one may hold the usage alone; until a choice ends, the stream has not.
            self._open.setdefault("choices", True)
        for choice in maps(value, "choices"):
            delta, index = choice.get("delta"), ("choice", repr(choice.get("index", 0)))
            if choice.get("finish_reason") is not None:
                self._open[index] = self._open["choices"] = False
            elif "finish_reason" not in choice and value.get("object") is None:
                # Not a provider's.
                continue
            elif type(delta) is not dict or index not in self._open:
                self._open[index] = True
            elif any(part for name, part in delta.items() if name != "role"):
                # Another answer begins. Without content it is what some servers send behind the end, beside the usage.
                self._open[index] = True

    def _message_event(self, kind: str, value: dict[str, Any]) -> None:
        holder = value.get("delta") if kind == "message_delta" else value.get("message")
        if kind.startswith("content_block_") or (kind == "message_start" and type(holder) is dict):
            self._open["message"] = True
        elif kind == "message_stop" or (kind == "message_delta" and type(holder) is dict and holder.get("stop_reason")):
            self._open["message"] = False

    def _response_event(self, kind: str) -> None:
        if kind.startswith(_RESPONSE_GOES_ON):
            self._open["response"] = True
        elif kind in ("response.completed", "response.done"):
            self._open["response"] = False


def _is_unfinished_message(value: dict[str, Any]) -> bool:
    """Whether this is a message of Anthropic's, not of others, that does not say why it stopped."""
    is_anthropic_s = type(value.get("content")) is list and ("stop_reason" in value or "model" in value)
    return is_anthropic_s and value.get("stop_reason") is None


def _why_not(reason: str) -> str | None:
    reason = reason.lower()
    if reason in _COMPLETE:
        return None
    if reason in _UNFINISHED:
        return "unfinished"
    # An end that nobody here knows is not known to be a good one.
    return "truncated" if reason in _TRUNCATED else "filtered" if reason in _FILTERED else "failed"


class Bursts:
    """Notices principals that store many near-duplicates in a short time: such a flood catches others' questions.

    The rows still answer exact repeats. Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
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
