"""Arguments as callers give them: what cannot be used is refused with its name, what it is and what is expected."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._errors import ConfigError
from ._failures import shown

if TYPE_CHECKING:
    from collections.abc import Iterator


#: Components of a vector that an index takes.
MAX_DIM = 4096


class Unreadable:
    """Stands for an iterable that failed while it was read, and fails again for whoever reads it.

    So the request it belongs to is made, and whatever needs the items says that it could not have them.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __iter__(self) -> Iterator[Any]:
        raise self.error


def refuse(name: str, value: Any, expected: str) -> ConfigError:
    """Return the error that says what was expected of an argument, with the value that came and its type."""
    return ConfigError(f"{name} must be {expected}, got {shown(value)} ({type(value).__name__})")


def held(items: Any) -> Any:
    """Return data, or what an iterable holds, such that it can be read again; anything else as it is."""
    if isinstance(items, tuple | list | dict | str | bytes) or not isinstance(items, Iterable):
        return items
    try:
        return dict(items) if isinstance(items, Mapping) else tuple(items)
    except Exception as error:  # noqa: BLE001 - costs the hit, never the call
        return Unreadable(error)


def named(params: Any) -> Any:
    """Return parameters as a dict.

    Raises ConfigError for what is no mapping.
    """
    if not isinstance(params, Mapping):
        raise refuse("params", params, "a mapping of names to JSON data or None")
    return held(params)


def names(tags: Any) -> tuple[str, ...]:
    """Return tags as a row holds them.

    Raises ConfigError for what is no iterable of names, UnicodeError for lone surrogates, and what an iterator raised.
    """
    if tags is None:
        return ()
    if not isinstance(tags, Iterable):
        raise refuse("tags", tags, "names in a list")
    found = tuple(tags)
    for name in found:
        if not isinstance(name, str):
            raise refuse("tags", name, "names (str) in a list")
        name.encode()
    return found


def number(name: str, value: Any, expected: str) -> float:
    """Return a real number: int and float as they are, others (Decimal, Fraction, numpy's) as a float.

    Raises ConfigError for anything else, and for an integer that is beyond all floats.
    """
    kind = type(value)
    try:
        if kind is bool or not (hasattr(kind, "__float__") or hasattr(kind, "__index__")):
            raise TypeError  # noqa: TRY301 - told below, with all others
        as_float = float(value)
    except (TypeError, ValueError, OverflowError):
        hint = ": pass its total_seconds()" if hasattr(value, "total_seconds") else ""
        raise ConfigError(f"{refuse(name, value, expected)}{hint}") from None
    return value if kind is int or kind is float else as_float


def whole(name: str, value: Any, expected: str) -> int:
    """Return a whole number, of numpy's types too.

    Raises ConfigError for anything else.
    """
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise refuse(name, value, expected)
    return int(value.__index__())


def between(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return a whole number within bounds; ConfigError for anything else."""
    expected = f"a whole number of {least} or more" if most is None else f"a whole number from {least} to {most}"
    number = whole(name, value, expected)
    if number < least or (most is not None and number > most):
        raise refuse(name, value, expected)
    return number


def word(name: str, value: Any) -> str:
    """Return a text that can be stored; ConfigError for anything else."""
    if not isinstance(value, str):
        raise refuse(name, value, "a text (str)")
    try:
        value.encode()
    except UnicodeError:
        raise refuse(name, value, "valid Unicode") from None
    return value


def uncallable(function: Any) -> ConfigError:
    """Return the error that says what came in place of an `llm_callable`; a coroutine that came is closed."""
    expected = "a function of the query"
    if inspect.iscoroutine(function):
        function.close()
        got = "a coroutine"
    elif isinstance(function, Awaitable) or hasattr(function, "__aiter__"):
        got = f"an object of type {type(function).__name__}"
    else:
        return refuse("llm_callable", function, expected)
    return ConfigError(f"llm_callable must be {expected}, got {got}: pass the function, not its call")


def check_turns(messages: Any) -> None:
    """Raise ConfigError for what cannot be the messages of a conversation, and would quietly be counted as such."""
    expected = "a list of messages, each a dict with role and content"
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
        raise refuse("messages", messages, expected)
    for turn in messages:
        if turn is None or isinstance(turn, int | float | Sequence):
            raise refuse("messages", turn, expected)


def check_documents(context: Any) -> None:
    """Raise ConfigError for one text in place of a list of documents: it would be read letter by letter."""
    if isinstance(context, str | bytes):
        expected = "a list or another iterable of JSON data"
        raise ConfigError(f"{refuse('context', context, expected)}: pass it in a list")


def check_encoder(encoder: Any) -> None:
    """Raise ConfigError for what lacks something that an encoder has, or has something else by its name."""
    _check_made("encoder", encoder, "an encoder")
    needed = ["encode", "dim", "fingerprint", *(["encode_async"] if getattr(encoder, "is_async", False) else [])]
    missing = [name for name in needed if not hasattr(encoder, name)]
    if missing:
        raise ConfigError(f"{refuse('encoder', encoder, 'one such as MiniLM()')}, without {', '.join(missing)}")
    for name in needed:
        if name.startswith("encode") and not callable(getattr(encoder, name)):
            raise refuse(f"{name} of the encoder", getattr(encoder, name), "a function of a list of texts")
    between("dim of the encoder", encoder.dim, 1, MAX_DIM)
    if not word("fingerprint of the encoder", encoder.fingerprint):
        raise refuse("fingerprint of the encoder", "", "a text that names its vectors")


def check_router(router: Any) -> None:
    """Raise ConfigError for what chooses no models."""
    _check_made("router", router, "a router")
    if not callable(getattr(router, "route", None)):
        raise refuse("router", router, "one such as Router.default(), with a method route(query)")
    try:
        generation = getattr(router, "generation", "")
    except Exception:  # noqa: BLE001 - costs the hit when it is asked for, never the call
        return
    if not isinstance(generation, str):
        raise refuse("the router's generation", generation, "a str that changes with its choices, or left out")


def check_ledger(ledger: Any) -> None:
    """Raise ConfigError for what keeps no books."""
    _check_made("ledger", ledger, "a ledger")
    if not callable(getattr(ledger, "record", None)):
        raise refuse("ledger", ledger, "one such as Ledger(), with a method record")


def _check_made(name: str, part: Any, expected: str) -> None:
    if isinstance(part, type):
        raise ConfigError(f"{name} must be {expected}, got the class {part.__name__}: call it, {part.__name__}()")
