"""What the environment says about caches."""

from __future__ import annotations

import logging
import os

from ._failures import log, shown

DISABLE = "LLMFAST_DISABLE"

_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})

#: Values that were warned of.
_warned: set[str] = set()


def is_disabled() -> bool:
    """Whether `LLMFAST_DISABLE` turns a cache that is made now into a pass-through.

    It does with 1, true, yes or on, and does not with 0, false, no, off or nothing, in any case. Anything else was
    meant to say something: it disables, which costs hits and nothing else, and a warning is logged once.
    """
    value = os.environ.get(DISABLE, "")
    word = value.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    if value not in _warned:
        _warned.add(value)
        log(logging.WARNING, "%s is %s, which is neither 1 nor 0: caches are disabled", DISABLE, shown(value))
    return True
