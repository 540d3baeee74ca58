"""The turns of a logged body: which API they are of, what they say, and where the answer begins."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from .._admission import why_not_complete

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Turn = Mapping[str, Any]

# What bodies of Anthropic's messages have and those of OpenAI's chat completions have not.
_ANTHROPIC_FIELDS = frozenset({"system", "anthropic_version", "stop_sequences"})
_ANTHROPIC_PARTS = frozenset({"document", "image", "thinking", "tool_result", "tool_use"})
_OPENAI_ROLES = ("system", "developer", "tool", "function")

# Parts of a turn that take tokens which its characters do not tell.
_MEDIA = frozenset(
    {"audio", "document", "file", "image", "image_url", "input_audio", "input_file", "input_image", "video_url"}
)

# A finish reason for each thing that keeps an answer from being stored, in a provider's word.
_ENDS = {"truncated": "length", "filtered": "content_filter", "failed": "error", "unfinished": "in_progress"}


class Said(NamedTuple):
    """An answer of a log: its text, and how it ended in a provider's word; None where the log does not say."""

    text: str | None = None
    finish_reason: str | None = None


def api_of(body: Mapping[str, Any], turns: Sequence[Turn]) -> str:
    """Return the API that a body is made for: "anthropic.messages" where it can be told, else "openai.chat"."""
    if any(turn.get("role") in _OPENAI_ROLES for turn in turns):
        return "openai.chat"
    tools, model = body.get("tools"), body.get("model")
    is_anthropic_s = (
        not _ANTHROPIC_FIELDS.isdisjoint(body)
        or (isinstance(model, str) and model.startswith("claude"))
        or any(isinstance(tool, dict) and "input_schema" in tool for tool in (tools if isinstance(tools, list) else ()))
        or any(_is_of(part, _ANTHROPIC_PARTS) for turn in turns for part in _parts(turn.get("content")))
    )
    return "anthropic.messages" if is_anthropic_s else "openai.chat"


def without_answer(turns: Sequence[Turn]) -> tuple[Sequence[Turn], Said]:
    """Split off the answer that a log keeps behind the request: the assistant's turns at the end.

    What a tool returned is no answer, but a part of the request that goes on from there.
    """
    end = len(turns)
    while end and turns[end - 1].get("role") == "assistant":
        end -= 1
    answer = turns[end:]
    texts = [text for turn in answer if (text := text_of(turn.get("content")))]
    refused = any(turn.get("refusal") for turn in answer)
    return turns[:end], Said("\n".join(texts) if texts else None, "content_filter" if refused else None)


def said_in(response: Any) -> Said:
    """Return what a logged response says: a text, or an object of a provider's as it was returned."""
    if isinstance(response, str):
        return Said(response)
    if not isinstance(response, dict):
        return Said()
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else response
    content = message.get("content") if isinstance(message, dict) else None
    text = text_of(content) if isinstance(content, str | list) else None
    try:
        why = why_not_complete(response)
    except TypeError:
        # No provider's object: the engine does not store what it cannot look at.
        why = "failed"
    return Said(text, None if why is None else _ENDS[why])


def text_of(content: Any) -> str:
    """Return the text of a turn's content; what is no text, such as an image, is left out."""
    if isinstance(content, str):
        return content
    return "\n".join(text for part in _parts(content) if (text := _text_of_part(part)))


def _text_of_part(part: Mapping[str, Any]) -> str:
    text = part.get("content") if part.get("type") == "tool_result" else part.get("text")
    if isinstance(text, list):
        return "\n".join(inner["text"] for inner in _parts(text) if isinstance(inner.get("text"), str))
    return text if isinstance(text, str) else ""


def is_content(content: Any) -> bool:
    """Return whether this is what a user's turn may hold: a text, or parts that name their types."""
    if isinstance(content, list):
        return bool(content) and all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in content)
    return isinstance(content, str)


def characters(body: Mapping[str, Any]) -> int:
    """Return how long the texts of a request are: those of its turns and of its system prompt."""
    return sum(len(text_of(content)) for content in _contents(body))


def has_media(body: Mapping[str, Any]) -> bool:
    """Return whether a request holds images, sounds or files."""
    return any(_is_of(part, _MEDIA) for content in _contents(body) for part in _parts(content))


def _contents(body: Mapping[str, Any]) -> Iterator[Any]:
    return chain((turn.get("content") for turn in body["messages"]), (body.get("system"),))


def _parts(content: Any) -> list[dict[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _is_of(part: Mapping[str, Any], types: frozenset[str]) -> bool:
    kind = part.get("type")
    return isinstance(kind, str) and kind in types
