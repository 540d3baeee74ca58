"""What a month costs, from five numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from fractions import Fraction

from ._errors import ConfigError

DAYS_PER_MONTH = 30

# Far above any service; keeps products within what a float holds.
_MOST = 10**18


@dataclass(frozen=True, slots=True)
class MonthlyCost:
    """Costs in the currency of the price. Fields can be read by name too: `cost["monthly_cost"]`, `dict(cost)`."""

    #: With the cache and the router.
    daily_cost: float
    #: The same for 30 days.
    monthly_cost: float
    #: What a month costs less than without them.
    savings: float

    def __getitem__(self, name: str) -> float:
        """Return the field `name`; KeyError if there is none."""
        if name not in self.keys():
            raise KeyError(name)
        value: float = getattr(self, name)
        return value

    def keys(self) -> tuple[str, ...]:
        """Return the names of the fields."""
        return tuple(field.name for field in fields(self))


def calculate_monthly_cost(
    queries_per_day: float,
    avg_tokens_per_query: float,
    model_cost_per_1m: float,
    cache_hit_rate: float = 0.0,
    routing_savings: float = 0.0,
) -> MonthlyCost:
    """Return what a service costs a day and a month of 30 days, and what cache and router save a month.

        daily = queries_per_day * avg_tokens_per_query / 1e6 * model_cost_per_1m
                * (1 - cache_hit_rate) * (1 - routing_savings)

    `cache_hit_rate`: share of queries that cost nothing, from 0 to 1. `routing_savings`: share of its cost that the
    router takes off a query that is not in the cache, from 0 to 1. The numbers count as they print (0.7 is seven
    tenths), and each result is rounded once, so that a hit rate of 0.7 leaves exactly 45 of 150.

    Raises ConfigError for a number that is negative, not finite or above 1e18, or a share above 1; TypeError for what
    is no number.
    """
    queries = _exact("queries_per_day", queries_per_day, _MOST)
    tokens = _exact("avg_tokens_per_query", avg_tokens_per_query, _MOST)
    price = _exact("model_cost_per_1m", model_cost_per_1m, _MOST)
    paid = (1 - _exact("cache_hit_rate", cache_hit_rate, 1)) * (1 - _exact("routing_savings", routing_savings, 1))
    without = queries * tokens * price / 10**6
    daily = without * paid
    return MonthlyCost(
        daily_cost=float(daily),
        monthly_cost=float(daily * DAYS_PER_MONTH),
        savings=float((without - daily) * DAYS_PER_MONTH),
    )


def _exact(name: str, value: float, most: int) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    if not math.isfinite(value) or not 0 <= value <= most:
        raise ConfigError(
            f"{name} must be from 0 to {most:.0e}, got {value}"
            if most > 1
            else f"{name} must be from 0 to 1, got {value}"
        )
    return Fraction(repr(value))
