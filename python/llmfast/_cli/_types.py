"""What the commands accept as the values of their options."""

from __future__ import annotations

import argparse
import os
import sys
from typing import BinaryIO

MOST = 2**31
MOST_THREADS = 256


def cosine(text: str) -> float:
    """Read a number from -1 to 1."""
    value = number(text)
    if not -1.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a cosine from -1 to 1, got {text}")
    return value


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    value = number(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text}")
    return value


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value}")
    if value > MOST:
        raise argparse.ArgumentTypeError(f"expected at most {MOST:,}, got {text:.40}")
    return value


def threads(text: str) -> int:
    """Read a number of threads."""
    value = positive(text)
    if value > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_THREADS} threads, got {text:.40}")
    return value


def number(text: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text}")
    return value


def amount(text: str) -> float:
    """Read a number of 0 or more."""
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return value


def text(argument: str) -> str:
    """Return an argument as the text that its bytes are in UTF-8, also where the locale's encoding cannot tell.

    Raises InvalidTextError for bytes that are no UTF-8.
    """
    from .._errors import InvalidTextError

    try:
        argument.encode("utf-8")
    except UnicodeEncodeError:
        try:
            return os.fsencode(argument).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidTextError(f"the argument is not UTF-8 at byte {error.start + 1:,}") from None
    return argument


def standard_input() -> BinaryIO:
    """Return the bytes of standard input; raise ConfigError where the process was started without one."""
    from .._errors import ConfigError

    if sys.stdin is None:
        raise ConfigError("standard input is closed")
    return sys.stdin.buffer
