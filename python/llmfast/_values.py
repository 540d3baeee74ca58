"""Answers as the payload of a row, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._llmfast import Row

#: Lists and dicts inside each other at most; a deeper answer is not stored.
MAX_DEPTH = 100

#: Values in an answer at most; a larger one is not stored. A list that holds another twice, and so on, is exponential.
MAX_VALUES = 1_000_000


def pack(value: Any) -> tuple[str, bytes] | None:
    """Return the codec and payload of an answer; None if it would not come back as it is.

    `str` and `bytes` are kept as they are, JSON data (dict with str names, list, str, int, float, bool, None, all of
    exactly these types) as JSON. A tuple would come back as a list and a model object as a dict, so they are not
    stored.
    """
    kind = type(value)
    try:
        if kind is str:
            return "text", value.encode()
        if kind is bytes:
            return "bytes", value
        if _is_json(value):
            return "json", json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        # A lone surrogate, a NaN or an integer of too many digits: no other program could read it.
        return None
    return None


def unpack(row: Row) -> Any:
    """Return the answer of a row: a fresh object, or one that cannot change."""
    return json.loads(row.payload) if row.codec in ("json", "events") else row.payload


def _is_json(root: Any) -> bool:
    left = [(root, 0)]
    for _ in range(MAX_VALUES):
        if not left:
            return True
        value, depth = left.pop()
        kind = type(value)
        if kind in (str, int, float, bool) or value is None:
            continue
        if depth == MAX_DEPTH:
            return False
        if kind is list:
            left.extend((item, depth + 1) for item in value)
        elif kind is dict and all(type(name) is str for name in value):
            left.extend((item, depth + 1) for item in value.values())
        else:
            return False
    return False
