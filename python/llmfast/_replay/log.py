"""Reads a request log: JSON lines with bodies of OpenAI's or Anthropic's, or plain text with one question a line.

A line that cannot be used is counted with its reason, never fatal. Reading is lazy: a log of any length, or a pipe that
is still being written, takes the memory of one line.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import zlib
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

from .._errors import ConfigError
from .._usage import whole
from .times import NAMES as TIMES, read_time
from .turns import api_of, is_content, said_in, text_of, without_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .._usage import Usage


FORMATS = ("auto", "jsonl", "text")
SHOWN = 5
MAX_TOKENS = 2**31

# Lines that are looked at for the format of a log whose first one is no JSON object: it may be the end of a line that a
# rotation cut, or a comment.
LOOKED_AT = 20

# What no turn has for its content.
_NO_TURN = object()

# What a body says beside the request itself. Every other key is a parameter, as far as the API counts it.
_ABOUT = frozenset(("response", "usage", "intent", "finish_reason", "scope", "user", "id", "request_id", *TIMES))


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a log.

    `query` is the text of the last user turn, and the whole request unless there is a `body`: that is the request in
    the form of its `api`, without what the log says about it. `usage` is (input, output) tokens, `time` is in seconds,
    `intent` is the label that decides whether a hit was right, `scope` the tenant whose answers may serve; each is None
    where the log does not say. `unread_time`
    is what stands where a time should, `finish_reason` how the answer ended, in a provider's word.
    """

    query: str
    api: str = "openai.chat"
    body: dict[str, Any] | None = None
    model: str | None = None
    scope: str | None = None
    user: str | None = None
    intent: str | None = None
    time: float | None = None
    unread_time: str | None = None
    usage: tuple[int, int] | None = None
    response: str | None = None
    finish_reason: str | None = None
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


@dataclass
class _Examples:
    """How often something was met, and where first."""

    count: int = 0
    line: int = 0
    detail: str = ""

    def add(self, line: int, detail: str = "") -> None:
        self.count += 1
        if self.count == 1:
            self.line, self.detail = line, detail


class Log:
    """The requests of an opened log.

    Iterate it once. `form` is known from the first request on. `skipped` fills meanwhile; `cut_short` says why it ended
    early (a damaged gzip file), or is None.
    """

    def __init__(self, stream: BinaryIO, *, name: str = "log", form: str = "auto", size: int | None = None) -> None:
        """Read from `stream`, compressed or not. `size` is its length in bytes where known, for `fraction`."""
        self.name = name
        self.form = form
        self.skipped = Skipped()
        self.cut_short: str | None = None
        self._unread_times = _Examples()
        self._objects = _Examples()
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

    def is_read_from(self, path: str) -> bool:
        """Return whether the log is the file at `path`, by whatever name it was opened."""
        try:
            own, other = os.fstat(self._below.fileno()), os.stat(path)  # noqa: PTH116 - beside fstat
        except OSError:
            return False
        return stat.S_ISREG(own.st_mode) and os.path.samestat(own, other)

    def close(self) -> None:
        """Close the stream below."""
        self._below.close()

    def __iter__(self) -> Iterator[Request]:
        """Yield the requests in the order of the log."""
        lines = self._full_lines()
        ahead: list[tuple[int, bytes]] = []
        detects = self.form == "auto"
        if detects:
            self.form, ahead = _detect(lines)
        parse = parse_body if self.form == "jsonl" else parse_text
        for number, body in chain(ahead, lines):
            if detects and parse is parse_text and _is_object(body):
                self._objects.add(number)
            try:
                request = parse(body, number)
            except BadLineError as error:
                self.skipped.add(number, error.reason, error.detail)
                continue
            if request.unread_time is not None:
                self._unread_times.add(number, request.unread_time)
            yield request

    def notes(self) -> list[str]:
        """Return what has to be known of the lines that were read, in sentences."""
        notes = [] if self.cut_short is None else [self.cut_short]
        if self._objects.count:
            notes.append(
                f"{self._objects.count:,} lines of this text are JSON objects (the first is line "
                f"{self._objects.line:,}), and count as questions: --format jsonl reads them as requests"
            )
        if self._unread_times.count:
            notes.append(
                f"{self._unread_times.count:,} times cannot be read (the first, in line {self._unread_times.line:,}: "
                f"{self._unread_times.detail}): these requests come one second after the one before"
            )
        return notes

    def _full_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines that are not blank, with their numbers from 1."""
        for number, raw in enumerate(self._readable(), start=1):
            body = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            body = body.strip(b" \t\r\n")
            if body:
                yield number, body

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
    turns, answer = without_answer(messages)
    query = _query(turns)
    asked = {key: value for key, value in body.items() if key not in _ABOUT} | {"messages": turns}
    response = body.get("response")
    said = said_in(response)
    seconds, unread_time = read_time(body)
    return Request(
        query,
        api=api_of(asked, turns),
        body=asked,
        model=_text_or_none(body.get("model")),
        scope=_label(body.get("scope")) or None,
        user=_text_or_none(body.get("user")),
        intent=_label(body.get("intent")),
        time=seconds,
        unread_time=unread_time,
        usage=_usage(body.get("usage")) or _usage(response.get("usage") if isinstance(response, dict) else None),
        response=answer.text if said.text is None else said.text,
        finish_reason=_text_or_none(body.get("finish_reason")) or said.finish_reason or answer.finish_reason,
        line=line,
    )


def _decompressed(stream: BinaryIO) -> Iterable[bytes]:
    # Standard input can be looked into as it is; a file is opened without a buffer, so that `tell` is what was read.
    buffered = cast("io.BufferedReader", stream if hasattr(stream, "peek") else io.BufferedReader(cast("Any", stream)))
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered


def _detect(lines: Iterator[tuple[int, bytes]]) -> tuple[str, list[tuple[int, bytes]]]:
    """Return the format of a log, and the lines that were read to tell."""
    ahead: list[tuple[int, bytes]] = []
    for number, body in islice(lines, LOOKED_AT):
        if not ahead:
            _refuse_other_forms(body)
        ahead.append((number, body))
        if (body.startswith(b"{") and len(ahead) == 1) or _is_request(body):
            return "jsonl", ahead
    return "text", ahead


def _refuse_other_forms(first: bytes) -> None:
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("the log is UTF-16: convert it to UTF-8, for example with iconv -f utf-16 -t utf-8")
    if first == b"[" or (first.startswith(b"[") and first[1:].lstrip().startswith(b"{")):
        raise ConfigError("the log is one JSON list: write one request a line, for example with jq -c '.[]'")


def _is_object(body: bytes) -> bool:
    return _parsed(body) is not None


def _is_request(body: bytes) -> bool:
    return "messages" in (_parsed(body) or ())


def _parsed(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line is, or None."""
    if not (body.startswith(b"{") and body.endswith(b"}")):
        return None
    try:
        return _json_object(_decoded(body))
    except BadLineError:
        return None


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


def _query(turns: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the last user turn."""
    content = next((turn.get("content") for turn in reversed(turns) if turn.get("role") == "user"), _NO_TURN)
    if content is _NO_TURN:
        raise BadLineError("no user turn")
    if not is_content(content):
        raise BadLineError("content that is not text")
    return text_of(content)


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    try:
        tokens = whole(usage)
    except ConfigError:
        return None
    # Counts beyond MAX_TOKENS are damage, and the estimate is nearer the truth.
    return tokens if max(tokens) <= MAX_TOKENS else None


def _label(intent: Any) -> str | None:
    return intent if isinstance(intent, str) else None if intent is None else json.dumps(intent, sort_keys=True)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
