"""Answers in the JSON of a provider, as data or as text: OpenAI's chat completions and responses, Anthropic's messages.

What such JSON says of its end is read in `_admission`.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ._types import Reply

#: What OpenAI's objects that are whole answers of a model are called.
_WHOLE = frozenset({"chat.completion", "response", "text_completion"})

#: Events of the responses API that are the last.
_LAST = frozenset({"response.completed", "response.done", "response.failed", "response.incomplete"})


class Event(NamedTuple):
    """What an item of a provider's stream says of the whole."""

    model: str | None
    #: The counts, as the provider names them; None if it tells none.
    usage: Any
    #: Of the answer that it belongs to; None if it does not say.
    id: str | None
    #: Whether it ends the answer, so that its usage is all of it.
    is_last: bool


def may_be_data(value: Any) -> bool:
    """Return whether this is a text that begins as an object of JSON does."""
    return type(value) in (str, bytes) and value.lstrip()[:1] in ("{", b"{")


def as_data(value: Any) -> Any:
    """Return an object of JSON that is given as text, such as what `model_dump_json` makes, as data.

    Anything else is returned as it is.
    """
    try:
        return json.loads(value) if may_be_data(value) else value
    except (ValueError, RecursionError):
        # A text that only begins like one.
        return value


def signed(value: Any, data: Any) -> Reply:
    """Return an answer as a `Reply`, with the model and usage that its `data` tells if that is a provider's."""
    if type(data) is not dict or not _is_whole(data):
        return Reply(value)
    event = _event(data, data, is_last=True)
    return Reply(value, event.usage, event.model)


def event_of(item: Any) -> Event | None:
    """Return what an item of a stream says of the whole if it is a provider's, as data or as text; else None."""
    data = as_data(item)
    if type(data) is not dict:
        return None
    kind = data.get("type")
    if kind == "message_start":
        message = data.get("message")
        return _event(message, message, is_last=False) if type(message) is dict else None
    if kind == "message_delta":
        delta = data.get("delta")
        return _event({}, data, is_last=bool(delta.get("stop_reason"))) if type(delta) is dict else None
    response = response_in(data)
    if response is not None:
        return _event(response, response, is_last=response is data or kind in _LAST)
    if not (_is_whole(data) or _is_chunk(data)):
        return None
    return _event(data, data, is_last=all(choice.get("finish_reason") for choice in maps(data, "choices")))


def response_in(value: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object of the responses API that this is or carries."""
    response = value.get("response") if str(value.get("type", "")).startswith("response.") else value
    return response if type(response) is dict and response.get("object") == "response" else None


def maps(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the dicts in the list `name`, if there is one."""
    items = value.get(name)
    return [item for item in items if type(item) is dict] if type(items) is list else []


def _is_whole(data: dict[str, Any]) -> bool:
    if data.get("type") == "message":
        return type(data.get("content")) is list
    kind = data.get("object")
    if kind is None:
        # Compatible servers may leave the name of the form out.
        return any("finish_reason" in choice for choice in maps(data, "choices"))
    return type(kind) is str and kind in _WHOLE


def _is_chunk(data: dict[str, Any]) -> bool:
    """Whether this is a part of a streamed chat completion; the last one may hold the usage alone."""
    kind = data.get("object")
    if kind is None:
        return data.get("choices") == [] and type(data.get("usage")) is dict
    return bool(kind == "chat.completion.chunk")


def _event(answer: dict[str, Any], holder: dict[str, Any], *, is_last: bool) -> Event:
    """Read model and id of an answer, and the usage that stands in `holder`."""
    model, usage, name = answer.get("model"), holder.get("usage"), answer.get("id")
    return Event(
        model if type(model) is str else None,
        usage if type(usage) is dict else None,
        name if type(name) is str else None,
        is_last,
    )
