"""Reads a request log: JSON lines with OpenAI-style bodies, or plain text with one question a line.

A line that cannot be used is counted with its reason, never fatal. Reading is lazy: a log of any length, or a pipe that
is still being written, takes the memory of one line.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

from .._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


FORMATS = ("auto", "jsonl", "text")
SHOWN = 5
MAX_TOKENS = 2**31

# What a body says beside the request itself. Every other key changes the answer, so it is a parameter of the request.
_ABOUT = frozenset(
    ("messages", "model", "response", "usage", "intent", "time", "timestamp", "created", "user", "id", "request_id")
)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a log, in the terms of `Engine.get_or_generate`.

    `query` is the text of the last user turn and `history` every other turn but the system's. `usage` is (input,
    output) tokens, `time` is in seconds, `intent` is the label that decides whether a hit was right; each is None where
    the log does not say.
    """

    query: str
    system: str = ""
    history: list[dict[str, Any]] | None = None
    model: str | None = None
    params: dict[str, Any] | None = None
    user: str | None = None
    intent: str | None = None
    time: float | None = None
    usage: tuple[int, int] | None = None
    response: str | None = None
    line: int = 0


@dataclass
class Skipped:
    """The lines that could not be used: how many for each reason, and the first few in words."""

    reasons: dict[str, int] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """How many lines were skipped."""
        return sum(self.reasons.values())

    def add(self, line: int, reason: str, detail: str = "") -> None:
        """Count the line numbered `line` (from 1) under `reason`."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if len(self.first) < SHOWN:
            self.first.append(f"line {line:,}: {reason}" + (f" ({detail})" if detail else ""))


class BadLineError(ValueError):
    """A line that cannot be used; `reason` is counted, `detail` shown."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Log:
    """The requests of an opened log.

    Iterate it once. `skipped` fills meanwhile; `cut_short` says why it ended early (a damaged gzip file), or is None.
    """

    def __init__(self, stream: BinaryIO, *, name: str = "log", form: str = "auto", size: int | None = None) -> None:
        """Read from `stream`, compressed or not. `size` is its length in bytes where known, for `fraction`."""
        self.name = name
        self.form = form
        self.skipped = Skipped()
        self.cut_short: str | None = None
        self._below = stream
        self._size = size
        self._lines: Iterator[bytes] = iter(_decompressed(stream))

    @classmethod
    def open(cls, path: str, *, form: str = "auto", stdin: BinaryIO | None = None) -> Log:
        """Open the file at `path`, or read `stdin` where `path` is "-"; raise OSError where that is impossible."""
        if path == "-" and stdin is not None:
            return cls(stdin, name="standard input", form=form)
        file = Path(path)
        return cls(file.open("rb", buffering=0), name=file.name, form=form, size=file.stat().st_size)

    def fraction(self) -> float | None:
        """Return the share of the file read so far, 0 to 1, or None for a stream of unknown length."""
        return min(1.0, self._below.tell() / self._size) if self._size else None

    def close(self) -> None:
        """Close the stream below."""
        self._below.close()

    def __iter__(self) -> Iterator[Request]:
        """Yield the requests in the order of the log."""
        parse = None
        for number, raw in enumerate(self._readable(), start=1):
            body = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            body = body.strip(b" \t\r\n")
            if not body:
                continue
            if parse is None:
                self.form = _detect(body) if self.form == "auto" else self.form
                parse = parse_body if self.form == "jsonl" else parse_text
            try:
                yield parse(body, number)
            except BadLineError as error:
                self.skipped.add(number, error.reason, error.detail)

    def _readable(self) -> Iterator[bytes]:
        try:
            yield from self._lines
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.cut_short = f"the compressed log is damaged: {str(error).lower()}"


def parse_text(raw: bytes, line: int = 0) -> Request:
    """Return the request of a line of plain text."""
    return Request(_decoded(raw), line=line)


def parse_body(raw: bytes, line: int = 0) -> Request:
    """Return the request of a JSON line, or raise BadLineError."""
    body = _json_object(_decoded(raw))
    if b"\\ud" in raw or b"\\uD" in raw:
        _refuse_surrogates(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadLineError("no list of messages")
    turns, answer = _without_answer(messages)
    query, system, history = _split(turns)
    response, usage = _response(body.get("response"))
    return Request(
        query,
        system=system,
        history=history or None,
        model=_text_or_none(body.get("model")),
        params={key: value for key, value in body.items() if key not in _ABOUT} or None,
        user=_text_or_none(body.get("user")),
        intent=_label(body.get("intent")),
        time=_seconds(next((body[key] for key in ("time", "timestamp", "created") if key in body), None)),
        usage=_usage(body.get("usage")) or usage,
        response=answer if response is None else response,
        line=line,
    )


def _decompressed(stream: BinaryIO) -> Iterable[bytes]:
    # Standard input can be looked into as it is; a file is opened without a buffer, so that `tell` is what was read.
    buffered = cast("io.BufferedReader", stream if hasattr(stream, "peek") else io.BufferedReader(cast("Any", stream)))
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered


def _detect(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("the log is UTF-16: convert it to UTF-8, for example with iconv -f utf-16 -t utf-8")
    if body == b"[" or body.startswith(b"[{"):
        raise ConfigError("the log is one JSON list: write one request a line, for example with jq -c '.[]'")
    return "jsonl" if body.startswith(b"{") else "text"


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadLineError("not UTF-8", f"byte {error.start + 1}") from None


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadLineError("not JSON", f"{error.msg.lower()} at column {error.colno}") from None
    except RecursionError:
        raise BadLineError("not JSON", "nested too deeply") from None
    except ValueError as error:
        raise BadLineError("not JSON", str(error).lower()) from None
    if not isinstance(body, dict):
        raise BadLineError("not a JSON object")
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_surrogates(body: dict[str, Any]) -> None:
    try:
        json.dumps(body, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise BadLineError("a lone surrogate, which is not text") from None


def _without_answer(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
    """Split off an answer that the log keeps as the last turn."""
    if len(messages) > 1 and messages[-1].get("role") == "assistant" and isinstance(messages[-1].get("content"), str):
        return messages[:-1], messages[-1]["content"]
    return messages, None


def _split(turns: list[dict[str, Any]]) -> tuple[str, str, list[dict[str, Any]]]:
    """Return the last user turn's text, the system's text and all other turns."""
    last = next((at for at in reversed(range(len(turns))) if turns[at].get("role") == "user"), None)
    if last is None:
        raise BadLineError("no user turn")
    system = [_content(turn) for turn in turns if _is_system(turn)]
    history = [turn for turn in chain(turns[:last], turns[last + 1 :]) if not _is_system(turn)]
    return _content(turns[last]), "\n\n".join(system), history


def _is_system(turn: dict[str, Any]) -> bool:
    return turn.get("role") in ("system", "developer")


def _content(turn: dict[str, Any]) -> str:
    content = turn.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and all(_is_text_part(part) for part in content):
        return "\n".join(part["text"] for part in content)
    raise BadLineError("content that is not text")


def _is_text_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in ("text", "input_text") and isinstance(part.get("text"), str)


def _response(response: Any) -> tuple[str | None, tuple[int, int] | None]:
    """Return the text and usage of a logged response: a string, or an OpenAI-style response object."""
    if isinstance(response, str):
        return response, None
    if not isinstance(response, dict):
        return None, None
    try:
        text = response["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        text = None
    return (text if isinstance(text, str) else None), _usage(response.get("usage"))


def _usage(usage: Any) -> tuple[int, int] | None:
    if not isinstance(usage, dict):
        return None
    pair = (
        usage.get("prompt_tokens", usage.get("input_tokens")),
        usage.get("completion_tokens", usage.get("output_tokens")),
    )
    # bool is an int; counts beyond MAX_TOKENS are damage, and the estimate is nearer the truth.
    if all(type(count) is int and 0 <= count <= MAX_TOKENS for count in pair):
        return pair  # type: ignore[return-value]
    return None


def _seconds(time: Any) -> float | None:
    if isinstance(time, str):
        try:
            return datetime.fromisoformat(time).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    if isinstance(time, int | float) and not isinstance(time, bool) and abs(time) < 1e20 and math.isfinite(time):
        seconds = float(time)
        # Milliseconds, microseconds or nanoseconds since 1970: no log is from the year 5138.
        while abs(seconds) >= 1e11:
            seconds /= 1000
        return seconds
    return None


def _label(intent: Any) -> str | None:
    return intent if isinstance(intent, str) else None if intent is None else json.dumps(intent, sort_keys=True)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
