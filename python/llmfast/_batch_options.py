"""What a batched function may do at a time, checked when it is decorated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._call_errors import is_of_the_call
from ._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds of waiting that are worth one step of priority.
AGEING = 5.0

#: More bins than this would hold next to nothing each.
MAX_BINS = 1024
#: Seconds that 64 bits of nanoseconds hold: 584 years.
MAX_SECONDS = 2.0**64 / 1e9
#: The clock of the scheduler has nanoseconds.
MIN_SECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `batch`; ConfigError if one is outside what is accepted."""

    max_batch_size: int
    max_batch_tokens: int | None
    cost: Callable[[Any], int] | None
    padded: bool
    max_wait: float
    concurrency: int
    max_queue: int
    max_queue_tokens: int | None
    bins: int | tuple[int, ...] | None
    ageing: float
    bisect: bool | type[Exception] | tuple[type[Exception], ...] | None

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "concurrency", "max_queue"):
            _at_least_one(name, getattr(self, name))
        for name in ("max_batch_tokens", "max_queue_tokens"):
            if getattr(self, name) is not None:
                _at_least_one(name, getattr(self, name))
        if self.cost is not None and not callable(self.cost):
            raise ConfigError(f"cost must be a function of one item, got {self.cost!r}")
        _seconds("max_wait", self.max_wait, above_zero=False)
        _seconds("ageing", self.ageing, above_zero=True)
        if not isinstance(self.padded, bool):
            raise ConfigError(f"padded must be True or False, got {self.padded!r}")
        self._check_bins()
        self._check_together()
        classes = self.bisect if isinstance(self.bisect, tuple) else (self.bisect,)
        if not isinstance(self.bisect, bool | None) and not all(map(_is_exception_class, classes)):
            raise ConfigError(f"bisect must be None, True, False or the exceptions to bisect, got {self.bisect!r}")

    def _check_bins(self) -> None:
        if isinstance(self.bins, tuple):
            costs = bool(self.bins) and all(_is_int(bound) and 1 <= bound < 2**32 for bound in self.bins)
            rising = costs and all(a < b for a, b in zip(self.bins, self.bins[1:], strict=False))
            if len(self.bins) >= MAX_BINS:
                raise ConfigError(f"bins must be {MAX_BINS - 1} bounds at most, got {len(self.bins)}")
            if not rising:
                raise ConfigError(f"bins must be rising costs of at least 1, got {list(self.bins)}")
        elif self.bins is not None:
            _at_least_one("bins", self.bins)
            if self.bins > MAX_BINS:
                raise ConfigError(f"bins must be {MAX_BINS} at most, got {self.bins}")

    def _check_together(self) -> None:
        if self.padded and self.max_batch_tokens is None:
            raise ConfigError("padded=True needs max_batch_tokens: it says how that is counted")
        for name in ("max_batch_tokens", "max_queue_tokens", "bins"):
            if getattr(self, name) is not None and self.cost is None:
                raise ConfigError(f"{name}={getattr(self, name)!r} needs cost=, a function from an item to its tokens")

    def limits(self) -> dict[str, Any]:
        """Return what the scheduler has to know."""
        names = ("max_batch_size", "max_batch_tokens", "padded", "max_wait", "concurrency", "max_queue")
        limits = {name: getattr(self, name) for name in (*names, "max_queue_tokens", "ageing")}
        return {**limits, "bins": list(self.bins) if isinstance(self.bins, tuple) else self.bins}

    def bisects(self, error: Exception) -> bool:
        """Whether a batch that raised `error` is tried in halves."""
        if self.bisect is None:
            return not is_of_the_call(error)
        return self.bisect if isinstance(self.bisect, bool) else isinstance(error, self.bisect)

    def fails_all(self, error: Exception) -> bool:
        """Whether what a part of a batch raised is that of all items which have no result yet."""
        return self.bisect is None and is_of_the_call(error)


def bounds(bins: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    """Return `bins` as something that nobody else can change."""
    if bins is None or isinstance(bins, int):
        return bins
    if not isinstance(bins, Sequence) or isinstance(bins, str | bytes):
        raise ConfigError(f"bins must be a number of bins or a list of their upper bounds, got {bins!r}")
    return tuple(bins)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_exception_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _at_least_one(name: str, value: Any) -> None:
    if not _is_int(value) or value < 1:
        raise ConfigError(f"{name} must be an int of at least 1, got {value!r}")
    if value >= 2**32:
        raise ConfigError(f"{name} must be below {2**32}, got {value}")


def _seconds(name: str, value: Any, *, above_zero: bool) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared, since an int may be beyond all floats.
    if not number or not 0 <= value < math.inf or (above_zero and value == 0):
        least = "above 0" if above_zero else "of at least 0"
        raise ConfigError(f"{name} must be a finite number of seconds {least}, got {value!r}")
    if value >= MAX_SECONDS or (0 < value < MIN_SECONDS and above_zero):
        raise ConfigError(f"{name} must be {MIN_SECONDS:g} to {MAX_SECONDS:.3g} seconds, got {value!r}")
