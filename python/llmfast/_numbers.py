"""Numbers as they print: 0.1 is a tenth, not the binary fraction that stands for it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from ._errors import ConfigError
from ._failures import shown


def printed(value: Any, what: str, kinds: str = "a number") -> Decimal:
    """Return an int, float, Decimal or str, or a number of another library that is one of these, as it prints.

    Raises ConfigError for a str that is no number, TypeError for other types; `what` says whose it is.
    """
    kind = type(value)
    try:
        if isinstance(value, float):
            # Not repr: that of a derived type, such as numpy's, has the type's name in it.
            return Decimal(float.__repr__(value))
        if isinstance(value, str | Decimal):
            return Decimal(value)
        if kind is not bool and hasattr(kind, "__index__"):
            return Decimal(kind.__index__(value))
    except InvalidOperation:
        raise ConfigError(f"{what} must be a number, got {value!r}") from None
    raise TypeError(f"{what} must be {kinds}, got {kind.__name__}")


def multiple(number: Decimal, places: int) -> int | None:
    """Return how often 10**-places goes into a number, or None if it does not go without a rest.

    Its powers of ten are not computed: 1e-999999 is looked at as fast as 1. It must not be huge.
    """
    if not number:
        return 0
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "it is finite"
    shift = exponent + places
    if shift < 0:
        digits, rest = digits[:shift], digits[shift:]
        if not digits or any(rest):
            return None
        shift = 0
    found: int = int("".join(map(str, digits))) * 10**shift
    return -found if sign else found


def within(number: Decimal, most: int, value: Any, what: str, unit: str = "") -> None:
    """Raise ConfigError unless a number, which came as `value`, is from 0 to `most`."""
    if not number.is_finite() or not 0 <= number <= most:
        raise ConfigError(f"{what} must be from 0 to {most}{unit}, got {as_written(value)}")


def as_written(value: Any) -> str:
    """Return a number as messages show it."""
    # Python refuses to write integers of thousands of digits.
    return shown(value) if isinstance(value, int) and value.bit_length() > 200 else str(value)
