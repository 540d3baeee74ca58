"""Say what a service costs a day and a month of 30 days, and what a cache and a router save.

Without arguments: three services of the size that they are often asked about. With arguments: the service that they
describe.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .._replay.words import usd
from ._types import amount, share
from .sheet import Sheet, Table, show

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

HELP = "what a service costs a month, with a cache and a router and without"

_NEEDED = ("queries_per_day", "avg_tokens_per_query", "model_cost_per_1m")


@dataclass(frozen=True)
class Scenario:
    """A service, in the terms of `calculate_monthly_cost`."""

    name: str
    queries_per_day: float
    avg_tokens_per_query: float
    model_cost_per_1m: float
    cache_hit_rate: float = 0.0
    routing_savings: float = 0.0


# The rates are examples, not promises: `llmfast replay LOG` measures one's own.
SCENARIOS = (
    Scenario("small", 1_000, 500, 10.0, cache_hit_rate=0.7),
    Scenario("medium", 10_000, 500, 10.0, cache_hit_rate=0.5, routing_savings=0.5),
    Scenario("large", 100_000, 500, 10.0, cache_hit_rate=0.6, routing_savings=0.5),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--queries-per-day", type=amount, metavar="N")
    add("--avg-tokens-per-query", type=amount, metavar="N", help="input and output together")
    add("--model-cost-per-1m", type=amount, metavar="USD", help="price of a million tokens")
    add("--cache-hit-rate", type=share, metavar="SHARE", help="of the queries, 0 to 1; default 0")
    add("--routing-savings", type=share, metavar="SHARE", help="of the cost of a miss, 0 to 1; default 0")
    parser.set_defaults(refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Calculate, print and return the exit code."""
    made = [document(scenario) for scenario in _scenarios(arguments)]
    if arguments.json:
        json.dump({"currency": "USD", "scenarios": made}, sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        show(sheet(made))
    return 0


def document(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario with what it costs."""
    from .._cost import calculate_monthly_cost

    given = asdict(scenario)
    name = given.pop("name")
    return {"name": name, **given, **dict(calculate_monthly_cost(**given))}


def sheet(made: Sequence[dict[str, Any]]) -> Sheet:
    """Return what is printed."""
    first = made[0]
    columns = ["", ">queries a day", ">hits", ">routing", ">without", ">with llmfast", ">saved"]
    table = Table("A month of 30 days", columns)
    for row in made:
        shares = [f"{exactly(row[name], 100)} %" for name in ("cache_hit_rate", "routing_savings")]
        whole = row["monthly_cost"] + row["savings"]
        costs = [usd(cost, whole) for cost in (whole, row["monthly_cost"], row["savings"])]
        table.rows.append([row["name"], exactly(row["queries_per_day"]), *shares, *costs])
    table.notes.append("hits: share of the queries that cost nothing; routing: share of its cost that a miss saves.")
    tokens, price = exactly(first["avg_tokens_per_query"]), exactly(first["model_cost_per_1m"])
    service = f"{tokens} tokens a query at ${price} per million"
    return Sheet("llmfast cost", [service], [table])


def exactly(number: float, times: int = 1) -> str:
    """Return `times` a number as it was written, without an exponent: "1,234,567", "0.000001"."""
    shown = f"{Decimal(repr(number)) * times:,f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _scenarios(arguments: argparse.Namespace) -> Sequence[Scenario]:
    given = {name: getattr(arguments, name) for name in (*_NEEDED, "cache_hit_rate", "routing_savings")}
    if all(value is None for value in given.values()):
        return SCENARIOS
    missing = [f"--{name.replace('_', '-')}" for name in _NEEDED if given[name] is None]
    if missing:
        arguments.refuse(f"also needed: {', '.join(missing)}")
    return (Scenario("yours", **{name: value or 0.0 for name, value in given.items()}),)
