"""What llmfast saved, to the pico-dollar."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from ._llmfast import LedgerState
from ._prices import Prices, format_usd, usd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from ._prices import HasUsage

Outcome: TypeAlias = Literal["exact_hit", "semantic_hit", "coalesced", "llm_call"]
#: What can be booked: how a request was answered, or a call that renewed an old answer and nobody waited for.
Booked: TypeAlias = "Outcome | Literal['renewal']"
SavedBy: TypeAlias = Literal["exact", "semantic", "coalesced", "router"]

# In the order of the core; what an outcome saves is the merit of the source below it.
_OUTCOMES: tuple[Outcome, ...] = ("exact_hit", "semantic_hit", "coalesced", "llm_call")
_SAVED_BY: tuple[SavedBy, ...] = ("exact", "semantic", "coalesced", "router")

# What the core returns: requests, input and output tokens by outcome; baseline; actual; saved; unpriced; estimated;
# renewals.
_Sums: TypeAlias = "tuple[list[int], list[int], list[int], int, int, list[int], int, int, int]"


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens read and written."""

    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over requests.

    Amounts ending in `_pico` are integers of 1e-12 USD, those in `_usd` the same as exact Decimals. Exactly:
    `without_pico == with_pico + sum(saved_pico.values())`. Requests whose tokens or prices are unknown are counted in
    `unpriced` and in no amount; so are the calls that renewed their answers.
    """

    #: Requests.
    requests: int
    #: Requests by outcome: "exact_hit", "semantic_hit", "coalesced", "llm_call".
    by_outcome: Mapping[Outcome, int]
    #: Tokens of the answers by outcome, as far as known. Only those of "llm_call" were spent.
    tokens: Mapping[Outcome, TokenCount]
    #: What the priced requests would have cost without llmfast.
    without_pico: int
    #: What they did cost.
    with_pico: int
    #: What was saved by "exact" (less what renewals cost), "semantic", "coalesced" and "router"; the router's part is
    #: negative if it chose dearer models.
    saved_pico: Mapping[SavedBy, int]
    #: Requests and renewals that are in no amount, because their tokens or a price are unknown.
    unpriced: int
    #: Requests and renewals whose tokens are an estimate, or were not all paid at list price (see `Usage.estimated`).
    estimated: int
    #: Calls that renewed an old answer which callers got at once: no requests, but paid for.
    renewals: int = 0

    @property
    def without_usd(self) -> Decimal:
        """What the priced requests would have cost without llmfast, in USD, exactly."""
        return usd(self.without_pico)

    @property
    def with_usd(self) -> Decimal:
        """What they did cost, in USD, exactly."""
        return usd(self.with_pico)

    @property
    def saved(self) -> Mapping[SavedBy, Decimal]:
        """What each source saved, in USD, exactly."""
        return {source: usd(pico) for source, pico in self.saved_pico.items()}

    @property
    def saved_usd(self) -> Decimal:
        """What all sources saved, in USD, exactly: `without_usd - with_usd`."""
        return usd(self.without_pico - self.with_pico)

    def __str__(self) -> str:
        saved = ", ".join(f"{source} {format_usd(pico)}" for source, pico in self.saved_pico.items())
        return (
            f"{self.requests} requests ({self.unpriced} unpriced): {format_usd(self.without_pico)} without, "
            f"{format_usd(self.with_pico)} with llmfast; saved: {saved}"
        )


@dataclass(frozen=True, slots=True)
class Summary(Totals):
    """Sums over all requests, and the same split by the model that served."""

    #: By model; "" gathers the requests whose model is not known.
    models: Mapping[str, Totals] = field(default_factory=dict)


class Ledger:
    """Books what every request cost, and what it would have cost without llmfast.

    Without llmfast the model that was asked for would have served, or `baseline` where none was. A hit or a coalesced
    request costs nothing, a call what the model that served asks. The difference is what the cache saved, or for a call
    the router. A request whose tokens or prices are unknown is counted as unpriced, never as free. A call for which
    neither the caller nor the reply named a model costs what `baseline` asks.

    Amounts are integers of pico-dollars, so the sums do not depend on the order. Thread-safe. Memory grows by up to 600
    bytes for each new model, user and feature.
    """

    __slots__ = ("_baseline", "_prices", "_state")

    def __init__(self, *, prices: Prices | None = None, baseline: str | None = None) -> None:
        """Make empty books.

        `prices`: `Prices.bundled()` if None. `baseline`: the model to compare with where none is asked for.

        Raises UnknownPriceError if `baseline` has no price.
        """
        self._prices = Prices.bundled() if prices is None else prices
        self._baseline = baseline or ""
        self._state = LedgerState()
        if baseline:
            self._prices[baseline]

    @property
    def prices(self) -> Prices:
        """The prices that it counts with."""
        return self._prices

    def record(
        self,
        *,
        outcome: Booked,
        requested: str = "",
        model: str = "",
        usage: HasUsage | None = None,
        estimated: bool = False,
        user: str | None = None,
        feature: str | None = None,
    ) -> None:
        """Book one request, or one "renewal" of an old answer.

        `requested`: the model that the caller asked for, "" for none. `model`: the one that served, for a hit when the
        stored answer was made, "" if nobody said. `usage`: tokens of the answer, None if unknown; `estimated` says that
        they were not reported but guessed, or not all paid at list price. A lone surrogate in a name is written as its
        escape.

        Raises ConfigError for another outcome, LedgerError for a count of tokens that is negative or above 2**53 or an
        amount that does not fit 128 bits; nothing is booked then.
        """
        prices = self._prices
        baseline = prices.get(requested or self._baseline)
        served = prices.get(model) if model or requested else baseline
        try:
            self._state.record(outcome, model, baseline, served, usage, estimated, user, feature)
        except UnicodeEncodeError:
            names = (None if name is None else _escaped(name) for name in (user, feature))
            self._state.record(outcome, _escaped(model), baseline, served, usage, estimated, *names)

    def summary(self) -> Summary:
        """Return the sums over all requests, with the split by model taken at the same moment."""
        total, models = self._state.summary()
        split = {name or "": _totals(Totals, sums) for name, sums in _in_order(models)}
        return cast("Summary", _totals(Summary, total, models=split))

    def by_user(self) -> dict[str | None, Totals]:
        """Return the sums per user; None gathers the requests without one."""
        return self._split("user")

    def by_feature(self) -> dict[str | None, Totals]:
        """Return the sums per feature; None gathers the requests without one."""
        return self._split("feature")

    def _split(self, by: Literal["user", "feature"]) -> dict[str | None, Totals]:
        return {name: _totals(Totals, sums) for name, sums in _in_order(self._state.split(by))}

    def __repr__(self) -> str:
        return f"Ledger({self.summary()})"


def _escaped(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _in_order(split: list[tuple[str | None, _Sums]]) -> list[tuple[str | None, _Sums]]:
    return sorted(split, key=lambda group: group[0] or "")


def _totals(kind: type[Totals], sums: _Sums, **more: Mapping[str, Totals]) -> Totals:
    requests, tokens_in, tokens_out, baseline, actual, saved, unpriced, estimated, renewals = sums
    counts = map(TokenCount, tokens_in, tokens_out)
    return kind(
        requests=sum(requests),
        by_outcome=dict(zip(_OUTCOMES, requests, strict=True)),
        tokens=dict(zip(_OUTCOMES, counts, strict=True)),
        without_pico=baseline,
        with_pico=actual,
        saved_pico=dict(zip(_SAVED_BY, saved, strict=True)),
        unpriced=unpriced,
        estimated=estimated,
        renewals=renewals,
        **more,
    )
