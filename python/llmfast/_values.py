"""Answers as the payload of a row, and back."""

from __future__ import annotations

import binascii
import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ._stream import Replay, Stream
from ._usage import usage_of

if TYPE_CHECKING:
    from ._llmfast import Row

    #: An item of a stream, such that nobody who reads it can change it for others.
    Frozen: TypeAlias = "str | bytes | Json | Opaque"

#: Lists and dicts inside each other at most; a deeper answer is not stored.
MAX_DEPTH = 100

#: Values in an answer at most; a larger one is not stored. A list that holds another twice, and so on, is exponential.
MAX_VALUES = 1_000_000


#: The only name of a dict that stands for bytes in the JSON of a recorded stream, and the one that a dict is put under
#: that begins with either of them.
_BYTES, _DICT = "$bytes", "$json"
_ESCAPED = (f'{{"{_BYTES}":', f'{{"{_DICT}":')


#: No value stands in the way of an answer; or none does, but JSON has no form for the whole.
_NONE, _NO_FORM = object(), object()


class Json(str):
    """The JSON text of an item that is neither str nor bytes."""

    __slots__ = ()


class Opaque(NamedTuple):
    """An item that is no data. It is passed on as it is, and its stream is not stored."""

    value: Any


class Events(NamedTuple):
    """All items of a stream."""

    items: tuple[Frozen, ...]


def pack(value: Any) -> tuple[str, bytes] | None:
    """Return the codec and payload of an answer; None if it would not come back as it is.

    `str` and `bytes` are kept as they are, JSON data (dict with str names, list, str, int, float, bool, None, all of
    exactly these types) as JSON. A tuple would come back as a list and a model object as a dict, so they are not
    stored. `Events` are kept as a JSON list of the items.
    """
    kind = type(value)
    try:
        if kind is Events:
            return None if any(type(item) is Opaque for item in value.items) else ("events", _pack_events(value))
        if kind is str:
            return "text", value.encode()
        if kind is bytes:
            return "bytes", value
        if _is_json(value):
            return "json", _to_json(value).encode()
    except ValueError:
        # A lone surrogate, a NaN or an integer of too many digits: no other program could read it.
        return None
    return None


def unpack(row: Row) -> Any:
    """Return the answer of a row: a fresh object, or one that cannot change."""
    if row.codec == "events":
        items = [_from_event(event) for event in json.loads(row.payload)]
        return Stream(Replay(items, row.model, usage_of(row)))
    return json.loads(row.payload) if row.codec == "json" else row.payload


def foreign(value: Any) -> Any:
    """Return what keeps an answer that `pack` refuses from being data: itself, or an object inside of it.

    None if JSON has no form for it although all its types are JSON's: it is too deep or too large, or holds a NaN.
    """
    if type(value) is Events:
        value = next((item.value for item in value.items if type(item) is Opaque), None)
    obstacle = _obstacle(value)
    return None if obstacle is _NONE or obstacle is _NO_FORM else obstacle


def freeze(item: Any) -> Frozen:
    """Return an item of a stream as it can be shared."""
    kind = type(item)
    if kind is str or kind is bytes:
        return item  # type: ignore[no-any-return]  # checked exactly
    try:
        return Json(_to_json(item)) if _is_json(item) else Opaque(item)
    except ValueError:
        return Opaque(item)


def thaw(item: Frozen) -> Any:
    """Return a shared item for one reader: a fresh object, or one that cannot change."""
    if type(item) is Json:
        return json.loads(item)
    return item.value if type(item) is Opaque else item


def size(item: Frozen) -> int:
    """Return about how much memory an item takes: its characters or bytes, and 64 more."""
    return (1024 if type(item) is Opaque else len(item)) + 64


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _pack_events(events: Events) -> bytes:
    return "[{}]".format(",".join(map(_to_event, events.items))).encode()


def _to_event(item: Frozen) -> str:
    if type(item) is Json:
        return f'{{"{_DICT}":{item}}}' if item.startswith(_ESCAPED) else item
    if isinstance(item, bytes):
        return _to_json({_BYTES: binascii.b2a_base64(item, newline=False).decode()})
    return _to_json(item)


def _from_event(event: Any) -> Any:
    if type(event) is dict and len(event) == 1:
        if _BYTES in event:
            return binascii.a2b_base64(event[_BYTES])
        if _DICT in event:
            return event[_DICT]
    return event


def _is_json(value: Any) -> bool:
    return _obstacle(value) is _NONE


def _obstacle(root: Any) -> Any:
    """Return the first value of a type that JSON would not bring back, or `_NO_FORM`; `_NONE` if all is well."""
    left = [(root, 0)]
    for _ in range(MAX_VALUES):
        if not left:
            return _NONE
        value, depth = left.pop()
        kind = type(value)
        if kind in (str, int, float, bool) or value is None:
            continue
        if kind is not list and kind is not dict:
            return value
        if depth == MAX_DEPTH or (kind is dict and not all(type(name) is str for name in value)):
            return _NO_FORM
        left.extend((item, depth + 1) for item in (value if kind is list else value.values()))
    return _NO_FORM
