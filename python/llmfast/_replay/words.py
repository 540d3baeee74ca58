"""What the report's fields and figures are called where people read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .statistics import share

if TYPE_CHECKING:
    from collections.abc import Mapping

# Models without a price that a note names.
_NAMED = 5

FORMATS = {"jsonl": "JSON lines", "text": "plain text"}
DESIGN_NOTE = "design figure: the share of all requests that the tier was designed to catch, not a measurement."
OUTCOMES = {"exact_hit": "exact hit", "semantic_hit": "semantic hit", "llm_call": "call, the model's time apart"}
SAVERS = {
    "exact": "exact hits",
    "semantic": "semantic hits",
    "coalesced": "coalesced calls",
    "router": "router",
}


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as "48.6 %", and "unknown" for None."""
    return "unknown" if share is None else f"{share * 100:.{digits}f} %"


def interval(rate: dict[str, Any]) -> str:
    """Return the interval of a rate as "0.17 to 0.32 %"."""
    return f"{rate['low'] * 100:.2f} to {rate['high'] * 100:.2f} %"


def design(shares: list[float]) -> str:
    """Return a range of shares as "20 to 30 %"."""
    low, high = shares
    return f"{low * 100:.0f} to {high * 100:.0f} %"


def tier_share(tier: Mapping[str, Any]) -> str:
    """Return the share of the requests that a tier caught, or why it caught none."""
    if tier["requests"] is not None:
        return percent(tier["share"])
    return "not built yet" if tier["tier"] == "L2" else "not configured"


def duration(seconds: float | None) -> str:
    """Return seconds in the unit that suits them: "740 ns", "12.3 µs", "4.56 ms", "2.85 s"; "-" for None."""
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 1000 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def lifetime(seconds: float | None) -> str:
    """Return a time to live in hours: "24 h", "0.5 h"; "without end" for None."""
    return "without end" if seconds is None else f"{seconds / 3600:g} h"


def usd(amount: float | None, beside: float | None = None) -> str:
    """Return dollars with as many decimals as the amount, or the larger one `beside` it, needs: "$12.30", "$0.0123".

    "unknown" for None.
    """
    if amount is None:
        return "unknown"
    size = max(abs(amount), abs(beside or 0.0))
    digits = 2 if size >= 1 or size == 0 else 4 if size >= 0.01 else max(6, 1 - math.floor(math.log10(size)))
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"


def count(number: int | None) -> str:
    """Return "20,000", and "-" for None."""
    return "-" if number is None else f"{number:,}"


def shortened(name: str, width: int) -> str:
    """Return a name in at most `width` characters, with an ellipsis for its middle where it is longer."""
    if len(name) <= width:
        return name
    end = width // 2
    return f"{name[: width - 1 - end]}…{name[-end:]}"


def source_name(report: Mapping[str, Any]) -> str:
    """Return what was replayed, and of a log the format that it was read in."""
    name, form = report["source"]["name"], FORMATS.get(report["source"]["format"])
    return name if form is None else f"{name} ({form})"


def threshold(value: float | None) -> str:
    """Return a threshold as ".95", and "exact only" for None."""
    return "exact only" if value is None else f"{value:.4f}".rstrip("0").ljust(4, "0")


def part(amount: float | None, whole: float | None) -> float | None:
    """Return the share of `whole` that `amount` is; None where either is unknown or there is no whole."""
    return None if amount is None or not whole else share(amount, whole)


def priced(report: Mapping[str, Any]) -> str:
    """Return which requests the amounts are of, where that is not all: " of 2 of 4 requests"."""
    unpriced, requests = report["money"]["unpriced_requests"], report["requests"]
    return f" of {requests - unpriced:,} of {requests:,} requests" if unpriced else ""


def money_notes(report: Mapping[str, Any]) -> list[str]:
    """Return what has to be known beside the amounts."""
    money, tokens = report["money"], report["tokens"]
    notes = []
    if tokens["estimated_requests"]:
        notes.append(f"estimated for {tokens['estimated_requests']:,} requests: tokens = {tokens['estimate']}.")
    if money["unpriced_requests"]:
        names = money["unpriced_models"]
        models = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
        notes.append(
            f"{money['unpriced_requests']:,} requests are not in these amounts: no price is known for {models}."
        )
    notes.append(f"list prices of {money['prices_as_of']}, without a discount for batches or cached input.")
    if report["models"]["router"]:
        notes.append("what the router saved assumes that the models it chose do; a replay cannot judge their answers.")
    notes.append("coalesced calls are zero in a replay: requests come one after the other.")
    return notes
