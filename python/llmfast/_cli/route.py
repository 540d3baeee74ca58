"""Say which model the router chooses for a question, and why."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from ._types import standard_input, text
from .sheet import Sheet, Table, show

if TYPE_CHECKING:
    import argparse

    from .._llmfast import Decision

HELP = "which model the router chooses for a question, and why"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("text", metavar="TEXT", help="the question; - for standard input")
    parser.add_argument("--table", metavar="FILE", help="a TOML file with the router's table; default: the seed table")


def run(arguments: argparse.Namespace) -> int:
    """Route, print and return the exit code."""
    from .._router import Router

    router = Router.from_file(arguments.table) if arguments.table else Router.default()
    decision = router.route(_text(arguments.text))
    if arguments.json:
        json.dump(document(decision), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        show(sheet(decision))
    return 0


def document(decision: Decision) -> dict[str, Any]:
    """Return the decision as JSON data."""
    signals = [
        {"name": signal.name, "weight": signal.weight, "words": signal.words, "tokens": signal.tokens}
        for signal in decision.signals
    ]
    return {
        "model": decision.model,
        "tier": decision.tier,
        "score": decision.score,
        "reason": decision.reason,
        "signals": signals,
    }


def sheet(decision: Decision) -> Sheet:
    """Return what is printed."""
    table = Table("Signals", ["rule", ">weight", "fired on"])
    for signal in decision.signals:
        fired_on = ", ".join(signal.words) if signal.words else f"{signal.tokens:,} tokens"
        table.rows.append([signal.name, f"{signal.weight:g}", fired_on])
    if not table.rows:
        table.notes.append("No rule fired.")
    return Sheet(f"{decision.model} ({decision.tier})", [decision.reason], [table])


def _text(argument: str) -> str:
    from .._errors import InvalidTextError

    if argument != "-":
        return text(argument)
    try:
        return standard_input().read().decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidTextError(f"standard input is not UTF-8 at byte {error.start + 1:,}") from None
