"""What models ask for a token, and exact dollars."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ._errors import ConfigError, UnknownPriceError
from ._llmfast import Price
from ._numbers import as_written, multiple, printed, within

__all__ = ["Price", "Prices", "format_usd", "usd"]

if TYPE_CHECKING:
    Amount: TypeAlias = str | Decimal | int | float

#: Pico-dollars in a dollar: the unit of every amount that is not a Decimal.
PICO = 10**12

_AS_OF = dt.date(2025, 10, 15)

# List prices for input and output in USD per million tokens, on the date above: standard tier, short context, no
# discount for cached input or batches. A dated name is here if it costs something else than the name without its date.
_BUNDLED = {
    "gpt-5": ("1.25", "10"),
    "gpt-5-mini": ("0.25", "2"),
    "gpt-5-nano": ("0.05", "0.40"),
    "gpt-4.1": ("2", "8"),
    "gpt-4.1-mini": ("0.40", "1.60"),
    "gpt-4.1-nano": ("0.10", "0.40"),
    "gpt-4o": ("2.50", "10"),
    "gpt-4o-2024-05-13": ("5", "15"),
    "gpt-4o-mini": ("0.15", "0.60"),
    "o1": ("15", "60"),
    "o3": ("2", "8"),
    "o3-mini": ("1.10", "4.40"),
    "o4-mini": ("1.10", "4.40"),
    "gpt-4-turbo": ("10", "30"),
    "gpt-4": ("30", "60"),
    "gpt-3.5-turbo": ("0.50", "1.50"),
    "text-embedding-3-small": ("0.02", "0"),
    "text-embedding-3-large": ("0.13", "0"),
    "claude-opus-4-1": ("15", "75"),
    "claude-opus-4": ("15", "75"),
    "claude-sonnet-4-5": ("3", "15"),
    "claude-sonnet-4": ("3", "15"),
    "claude-haiku-4-5": ("1", "5"),
    "claude-3-7-sonnet": ("3", "15"),
    "claude-3-5-sonnet": ("3", "15"),
    "claude-3-5-haiku": ("0.80", "4"),
    "claude-3-opus": ("15", "75"),
    "claude-3-haiku": ("0.25", "1.25"),
    "gemini-2.5-pro": ("1.25", "10"),
    "gemini-2.5-flash": ("0.30", "2.50"),
    "gemini-2.5-flash-lite": ("0.10", "0.40"),
    "gemini-2.0-flash": ("0.10", "0.40"),
}

# Sellers at list price. Elsewhere (a region of a cloud, a reseller) the same model may cost something else: unknown.
_SELLER = re.compile(r"(?:openrouter/)?(?:openai|anthropic|google|gemini|vertex_ai|models)/")
# -2024-08-06 or -20250514
_DATE = re.compile(r"-20\d\d(-?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])\Z")

# Names are the callers', so what is remembered about them is bounded.
_REMEMBERED = 4096


class HasUsage(Protocol):
    """Tokens that a call took, such as a `Usage`."""

    @property
    def input_tokens(self) -> int:
        """Tokens read."""

    @property
    def output_tokens(self) -> int:
        """Tokens written."""


class Prices(Mapping[str, Price]):
    """Prices per model: a mapping of its name to a `Price`, in pico-dollars a token.

    A name is looked up as it is; then without a seller before it ("openai/gpt-4o") and without a date after it
    ("gpt-4o-2024-08-06", "claude-sonnet-4-20250514"). A model that is not found so has no price; it is never free.
    `a | b` has the prices of both, those of `b` first. Iteration and `len` go by the table; immutable and thread-safe.
    """

    __slots__ = ("_as_of", "_prices", "_resolved")

    def __init__(self, per_million: Mapping[str, tuple[Amount, Amount]], *, as_of: dt.date | None = None) -> None:
        """Make a table from USD per million tokens: {model: (input, output)}.

        Amounts are taken as they print: 0.1 is a tenth. `as_of`: the day they were valid.

        Raises ConfigError for an amount that is negative, not finite, or no whole number of pico-dollars a token (six
        digits after the point), TypeError for other types.
        """
        prices = {}
        for model, pair in per_million.items():
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(f"price of {model!r} must be a pair (input, output) in USD per million, got {pair!r}")
            prices[model] = Price(
                _per_token(pair[0], f"input price of {model!r}"), _per_token(pair[1], f"output price of {model!r}")
            )
        self._fill(prices, as_of)

    def _fill(self, prices: dict[str, Price], as_of: dt.date | None) -> None:
        self._prices = prices
        self._as_of = as_of
        self._resolved: dict[str, Price] = {}

    @classmethod
    def bundled(cls) -> Prices:
        """Return list prices of well-known models, valid on `as_of`: standard tier, short context, nothing cached."""
        return cls(_BUNDLED, as_of=_AS_OF)

    @property
    def as_of(self) -> dt.date | None:
        """The day the prices were valid; None if it is not known."""
        return self._as_of

    def cost(self, model: str, usage: HasUsage) -> int | None:
        """Return what `usage` of `model` costs in pico-dollars; None if its price is unknown.

        Raises LedgerError for a count of tokens that is negative or above 2**53.
        """
        price = self.get(model)
        return None if price is None else price.cost(usage)

    def get(self, model: str, default: Any = None) -> Any:
        """Return the price of a model, or `default` if it is unknown."""
        price = self._resolved.get(model)
        return price if price is not None else self._find(model) or default

    def __getitem__(self, model: str) -> Price:
        """Return the price of a model; UnknownPriceError if it is unknown."""
        price: Price | None = self.get(model)
        if price is None:
            raise UnknownPriceError(f"no price for model {model!r} among {len(self._prices)}")
        return price

    def __contains__(self, model: object) -> bool:
        return isinstance(model, str) and self.get(model) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._prices)

    def __len__(self) -> int:
        return len(self._prices)

    def __or__(self, other: Prices) -> Prices:
        """Return the prices of both; where both know a model, those of `other`."""
        if not isinstance(other, Prices):
            return NotImplemented
        both = Prices({})
        both._fill({**self._prices, **other._prices}, None if self._as_of != other._as_of else self._as_of)
        return both

    def __repr__(self) -> str:
        return f"Prices({len(self._prices)} models, as of {self._as_of or 'an unknown day'})"

    def _find(self, model: str) -> Price | None:
        if not isinstance(model, str):
            raise TypeError(f"model must be a str, got {type(model).__name__}")
        sold = _SELLER.sub("", model, count=1) if _SELLER.match(model) else model
        for name in (model, sold, _DATE.sub("", model), _DATE.sub("", sold)):
            price = self._prices.get(name)
            if price is not None:
                if len(self._resolved) >= _REMEMBERED:
                    self._resolved = {}
                self._resolved[model] = price
                return price
        return None


def usd(pico: int) -> Decimal:
    """Return pico-dollars as dollars, exactly, whatever the precision of the decimal context."""
    digits = Decimal(abs(pico)).as_tuple().digits
    return Decimal((int(pico < 0), digits, -12))


def format_usd(pico: int) -> str:
    """Return pico-dollars as text, exactly: "$1,234.50", "-$0.00000015"."""
    whole, rest = divmod(abs(pico), PICO)
    cents, finer = divmod(rest, 10**10)
    fraction = f"{cents:02d}{finer:010d}".rstrip("0").ljust(2, "0")
    return f"{'-' if pico < 0 else ''}${whole:,}.{fraction}"


def _per_token(amount: Any, what: str) -> int:
    """Return USD per million tokens as pico-dollars per token: a millionth of a dollar is a million pico-dollars."""
    number = printed(amount, what, "a str, Decimal, int or float")
    within(number, PICO, amount, what, " USD per million tokens")
    pico = multiple(number, 6)
    if pico is None:
        raise ConfigError(f"{what} must be a multiple of 0.000001 USD per million tokens, got {as_written(amount)}")
    return pico
