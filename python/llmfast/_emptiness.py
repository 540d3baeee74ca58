"""Which answers are empty: a model that said nothing and called nothing has failed, however it says that it ended.

Data of the application's own, such as an empty list, is an answer.
"""

from __future__ import annotations

from typing import Any

from ._provider_json import as_data, maps, response_in

#: Parts of a message that are no answer: what it is and was thought, and what a refusal is told by elsewhere.
_BESIDE = frozenset({"reasoning", "reasoning_content", "reasoning_details", "refusal", "role"})

#: Types of what stands beside the answer in the content of Anthropic's messages and the output of OpenAI's responses.
_THOUGHT = frozenset({"reasoning", "redacted_thinking", "signature_delta", "thinking", "thinking_delta"})

#: Events of a stream that add nothing to the answer themselves.
_SILENT_EVENTS = frozenset({"content_block_stop", "message_delta", "message_stop", "ping"})
_SILENT_RESPONSE_EVENTS = (
    "response.content_part.", "response.created", "response.in_progress", "response.queued", "response.reasoning",
)  # fmt: skip


def is_empty(value: Any) -> bool:
    """Whether an answer, given as data, says nothing: blank text, or JSON of a provider with neither text nor a call.

    A list of a stream's items is empty if all of them are.
    """
    if type(value) is str or type(value) is bytes:
        return not value or value.isspace()
    return type(value) is dict and _is_silent(value)


def is_empty_stream(items: list[Any]) -> bool:
    """Whether the items of a stream say nothing; events may be the text of JSON."""
    return all(is_empty(as_data(item)) for item in items)


def _is_silent(value: dict[str, Any]) -> bool:
    kind = value.get("type")
    if type(kind) is str:
        if kind == "message":
            return "stop_reason" in value and _is_silent_content(value.get("content"))
        if kind == "message_start":
            message = value.get("message")
            return type(message) is dict and _is_silent_content(message.get("content"))
        if kind in ("content_block_start", "content_block_delta"):
            return _is_silent_part(value.get("content_block", value.get("delta")))
        if kind in _SILENT_EVENTS or kind.startswith(_SILENT_RESPONSE_EVENTS):
            return True
        if kind.startswith("response.output_text."):
            return _is_blank(value.get("delta", value.get("text")))
        if kind.startswith("response.output_item."):
            return _is_silent_part(value.get("item"))
    response = response_in(value)
    if response is not None:
        return all(map(_is_silent_part, maps(response, "output")))
    choices = maps(value, "choices")
    if value.get("object") == "chat.completion.chunk" and not choices:
        return True
    return bool(choices) and all(map(_is_silent_choice, choices))


def _is_silent_choice(choice: dict[str, Any]) -> bool:
    if "finish_reason" not in choice:
        # Not a provider's.
        return False
    said = choice.get("message", choice.get("delta"))
    if said is None:
        return "text" in choice and _is_blank(choice["text"])
    return type(said) is dict and all(_is_blank(part) for name, part in said.items() if name not in _BESIDE)


def _is_silent_content(content: Any) -> bool:
    return type(content) is list and all(map(_is_silent_part, content))


def _is_silent_part(part: Any) -> bool:
    """Whether this block of a message, item of an output or a change of one is thought or blank text."""
    if type(part) is not dict:
        return False
    kind = part.get("type")
    if kind in ("message", "output_text", "text", "text_delta"):
        return _is_blank(part.get("content", part.get("text")))
    return type(kind) is str and kind in _THOUGHT


def _is_blank(part: Any) -> bool:
    if type(part) is str:
        return not part.strip()
    if type(part) is list:
        return all(map(_is_silent_part, part))
    return all(map(_is_blank, part.values())) if type(part) is dict else not part
