"""Answers in the JSON of a provider, as data or as text: OpenAI's chat completions and responses, Anthropic's messages.

What such JSON says of its end is read in `_admission`.
"""

from __future__ import annotations

import json
from typing import Any

from ._types import Reply

#: What OpenAI's objects that are whole answers of a model are called.
_WHOLE = frozenset({"chat.completion", "response", "text_completion"})


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
    model, usage = data.get("model"), data.get("usage")
    # As the provider names the counts: `said` takes them so.
    counts: Any = usage if type(usage) is dict else None
    return Reply(value, counts, model if type(model) is str else None)


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
