"""The command line: `llmfast replay | cost | bench | route | doctor`.

Exit codes: 0; 1 where `doctor` misses something, or `replay` could not write its page; 2 for input that cannot be used,
and where there is no standard output; 130 after Ctrl-C; 141 when whoever reads the output has left.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .sheet import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

INCOMPLETE, UNUSABLE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

_COMMANDS = ("replay", "cost", "bench", "route", "doctor")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit code."""
    from .._errors import LlmfastError

    if sys.stderr is None:
        # Closed by whoever started the process: what would be said there is said to nobody.
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        sys.stderr.write("llmfast: standard output is closed\n")
        return UNUSABLE
    _never_fail_to_encode()
    try:
        code = _run(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # What is still buffered would raise again when the interpreter flushes it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except (LlmfastError, OSError) as error:
        sys.stderr.write(f"llmfast: {_message(error)}\n")
        return UNUSABLE


def _run(argv: Sequence[str] | None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return UNUSABLE
    code: int = arguments.run(arguments)
    return code


def _parser() -> argparse.ArgumentParser:
    from .. import __version__

    parser = argparse.ArgumentParser(
        prog="llmfast", description="Cuts the cost and latency of LLM calls; says what it would save, and why."
    )
    parser.add_argument("--version", action="version", version=f"llmfast {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in _COMMANDS:
        module = import_module(f".{name}", __name__)
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        command.add_argument("--json", action="store_true", help="print one JSON document")
        module.configure(command)
        command.set_defaults(run=module.run)
    return parser


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{printable(str(error.filename))}: {error.strerror.lower()}"
    return "\n".join(printable(line) for line in str(error).splitlines())


def _never_fail_to_encode() -> None:
    """Let a terminal or pipe that is not UTF-8 show a replacement rather than stop the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
