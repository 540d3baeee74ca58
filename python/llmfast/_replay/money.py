"""What the requests of a run would have cost and did cost, from the run's ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .trace import CALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._ledger import Ledger
    from .._prices import Prices
    from .trace import Served


def money(ledger: Ledger, baseline: str, served: Sequence[Served]) -> dict[str, Any]:
    """Return amounts in US dollars, and as exact integers of pico-dollars beside them.

    Requests without a known price are in none of them: they are counted, and their models named. Where that is every
    request, each amount is None.
    """
    sums = ledger.summary()
    unknown = 0 < sums.requests == sums.unpriced
    return {
        "baseline": baseline,
        "prices_as_of": str(ledger.prices.as_of),
        "without": None if unknown else float(sums.without_usd),
        "with": None if unknown else float(sums.with_usd),
        "saved": None if unknown else float(sums.saved_usd),
        "saved_share": float(sums.saved_usd / sums.without_usd) if sums.without_pico else None,
        "saved_by": {source: None if unknown else float(amount) for source, amount in sums.saved.items()},
        "exact_pico": {
            "without": None if unknown else sums.without_pico,
            "with": None if unknown else sums.with_pico,
            "saved_by": {source: None if unknown else pico for source, pico in sums.saved_pico.items()},
        },
        "estimated": sums.estimated > 0,
        "unpriced_requests": sums.unpriced,
        "unpriced_models": _unpriced(ledger.prices, served),
    }


def _unpriced(prices: Prices, served: Sequence[Served]) -> list[str]:
    asked = {row.requested for row in served} | {row.model for row in served if row.outcome == CALL}
    return sorted(model for model in asked if model not in prices)
