"""What a month costs, from five numbers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ._errors import ConfigError
from ._numbers import as_written, printed

if TYPE_CHECKING:
    from decimal import Decimal

DAYS_PER_MONTH = 30

# Far above any service; keeps products within what a float holds.
_MOST = 10**18

# More than any float has; of a Decimal with millions the fraction would fill the memory.
_MOST_PLACES = 2000


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
    queries_per_day: float | Decimal,
    avg_tokens_per_query: float | Decimal,
    model_cost_per_1m: float | Decimal,
    cache_hit_rate: float | Decimal = 0.0,
    routing_savings: float | Decimal = 0.0,
) -> MonthlyCost:
    """Return what a service costs a day and a month of 30 days, and what cache and router save a month.

        daily = queries_per_day * avg_tokens_per_query / 1e6 * model_cost_per_1m
                * (1 - cache_hit_rate) * (1 - routing_savings)

    `cache_hit_rate`: share of queries that cost nothing, from 0 to 1. `routing_savings`: share of its cost that the
    router takes off a query that is not in the cache, from 0 to 1. The numbers count as they print (0.7 is seven
    tenths), and each result is rounded once, so that a hit rate of 0.7 leaves exactly 45 of 150.

    Raises ConfigError for a number that is negative, not finite, above 1e18 or has more than 2,000 decimal places, or a
    share above 1; TypeError for what is no int, float or Decimal.
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


def _exact(name: str, value: Any, most: int) -> Fraction:
    if isinstance(value, str):
        raise TypeError(f"{name} must be a number, got str")
    number = printed(value, name)
    if not number.is_finite() or not 0 <= number <= most:
        bound = f"{most:.0e}" if most > 1 else "1"
        raise ConfigError(f"{name} must be from 0 to {bound}, got {as_written(value)}")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MOST_PLACES:
        raise ConfigError(f"{name} must have at most {_MOST_PLACES} decimal places, got {as_written(value)}")
    return Fraction(number)
