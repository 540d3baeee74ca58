"""What a reply says beside its answer: the model that served, the tokens, why it ended.

What cannot be read must not cost an answer that was paid for: it is as if it had not been said, and counted as a
failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from ._arguments import refuse
from ._failures import shown
from ._types import Usage

if TYPE_CHECKING:
    from ._failures import Failures
    from ._types import Reply

#: Tokens that a ledger takes of one call.
_MOST_TOKENS = 2**53


def said(reply: Reply, failures: Failures) -> tuple[str | None, Usage | None, str | None]:
    """Return model, usage and finish reason."""
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
    return model, _usage(reply.usage, failures), reason or None


def _usage(usage: Any, failures: Failures) -> Usage | None:
    """Take the usage as ours or as a provider names it; None if it cannot be read."""
    if usage is None:
        return None
    try:
        if isinstance(usage, tuple | list):
            return Usage(*map(_tokens, usage))
        read = usage.get if isinstance(usage, Mapping) else partial(_attribute, usage)
        names = ("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")
        return Usage(
            *(_tokens(next((count for name in either if (count := read(name)) is not None), None)) for either in names)
        )
    except Exception as error:  # noqa: BLE001 - see above
        failures.note("usage", error)
        return None


def _tokens(count: Any) -> int:
    """Return a count of tokens; an error says what it is if it is none that a row and a ledger can hold."""
    try:
        tokens = int(count)
    except (TypeError, ValueError, OverflowError):
        tokens = -1
    # JSON of protocol buffers has large integers as str.
    if not 0 <= tokens <= _MOST_TOKENS or (tokens != count and not isinstance(count, str)):
        raise refuse("a count of tokens", count, f"a whole number from 0 to {_MOST_TOKENS:,}")
    return tokens


def _attribute(holder: Any, name: str) -> Any:
    return getattr(holder, name, None)
