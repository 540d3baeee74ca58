"""What a reply says beside its answer: the model that served, the tokens, why it ended.

What cannot be read must not cost an answer that was paid for: it is as if it had not been said, and counted as a
failure.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from ._arguments import refuse
from ._failures import shown
from ._usage import NOTHING_TOLD, Told, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._failures import Failures
    from ._types import Reply
    from ._usage import Usage

    _Read = TypeVar("_Read")


def said(reply: Reply, failures: Failures) -> tuple[str | None, str | None]:
    """Return model and finish reason."""
    model: Any = reply.model
    if model is not None:
        try:
            if not isinstance(model, str):
                raise refuse("the model of a Reply", model, "a str or None")  # noqa: TRY301 - told below
            model.encode()
        except Exception as error:  # noqa: BLE001 - see above
            failures.note("reply", error)
            model = None
    reason: Any = reply.finish_reason
    if isinstance(reason, Enum) and not isinstance(reason, str):
        # As in the protocol buffers of some clients: numbers, whose names are the provider's words.
        reason = reason.name
    if reason is not None and not isinstance(reason, str):
        # An end that nobody here knows is not known to be a good one.
        reason = shown(reason)
    return model, reason or None


def usage_said(reply: Reply, failures: Failures) -> Usage | None:
    """Return the usage of a whole answer."""
    return _read(reply, whole, failures)


def usage_told(reply: Reply, failures: Failures) -> Told | None:
    """Return what an item of a stream tells of the usage: None if nothing, `NOTHING_TOLD` if it cannot be read."""
    return None if reply.usage is None else _read(reply, Told.by, failures) or NOTHING_TOLD


def _read(reply: Reply, read: Callable[[Any], _Read], failures: Failures) -> _Read | None:
    try:
        return None if reply.usage is None else read(reply.usage)
    except Exception as error:  # noqa: BLE001 - see above
        failures.note("usage", error)
        return None
