"""What a batched function did and is doing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often which values occurred, in buckets of about 19 % width (four in each doubling)."""

    #: Values.
    count: int = 0
    #: Their mean; 0 if there are none.
    mean: float = 0.0
    #: The greatest of them.
    largest: float = 0.0
    #: Buckets that are not empty, rising: (upper bound, values in it).
    buckets: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, counted: tuple[int, int, list[tuple[int, int]]], unit: float = 1.0) -> Histogram:
        """Make one of a sum, a greatest value and buckets, in multiples of `unit`."""
        total, largest, buckets = counted
        count = sum(number for _, number in buckets)
        mean = total * unit / count if count else 0.0
        return cls(count, mean, largest * unit, tuple((bound * unit, number) for bound, number in buckets))

    def quantile(self, share: float) -> float:
        """Return what `share` (0 to 1) of the values do not exceed: the upper bound of a bucket, 0 if there are none.

        Raises ValueError for another share.
        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"expected a share from 0 to 1, got {share}")
        below = 0
        for bound, number in self.buckets:
            below += number
            if below >= share * self.count:
                return min(bound, self.largest)
        return self.largest


@dataclass(frozen=True, slots=True)
class BatchStats:
    """What a batched function did so far, over all event loops, and what it is doing.

    Every submitted item ends up in one of `completed`, `failed`, `cancelled` and `late`.
    """

    #: Items that got into the queue.
    submitted: int
    #: Items that got a result.
    completed: int
    #: Items that got an error.
    failed: int
    #: Items whose caller left before there was a result, or that `close(cancel=True)` dropped from the queue.
    cancelled: int
    #: Items that were dropped from the queue because their deadline could not be met any more.
    late: int
    #: Items that were refused because the queue was full, in items or in tokens; they are not among the submitted.
    rejected: int
    #: Batches that were formed.
    batches: int
    #: Further calls of the function for parts of batches that had failed.
    retries: int
    #: Items of the largest batch.
    largest_batch: int
    #: Items that wait now.
    queued: int
    #: What those cost.
    queued_tokens: int
    #: Batches that are being called now.
    running: int
    #: What the items of all batches cost, and with every item as long as the longest of its batch.
    tokens: int
    padded_tokens: int
    #: Items that did not get to a call, by reason: "queue full", "queue tokens", "too large", "deadline" (refused when
    #: they were submitted), "late", "cancelled".
    dropped: Mapping[str, int] = field(default_factory=dict)
    #: Batches by the reason why they are no larger: "items" (full), "tokens" (the budget is used), "worker" (a worker
    #: was free, and nothing else waited), "wait" (max_wait was over), "deadline" (more would have missed one),
    #: "compatible" (what else waited may not share the batch).
    fired: Mapping[str, int] = field(default_factory=dict)
    #: Items of a batch.
    batch_sizes: Histogram = field(default_factory=Histogram)
    #: Seconds that items waited for a call.
    queue_time: Histogram = field(default_factory=Histogram)
    #: Seconds that calls took which returned.
    service_time: Histogram = field(default_factory=Histogram)

    @property
    def padding(self) -> float:
        """Padded tokens for each token; 1 is none wasted, and what it is without a `cost`."""
        return self.padded_tokens / self.tokens if self.tokens else 1.0

    @classmethod
    def of(cls, counted: dict[str, Any], *, queued: int, queued_tokens: int, running: int) -> BatchStats:
        """Make one of what the core has counted."""
        sizes, queue_time, service_time = (counted.pop(name) for name in ("batch_sizes", "queue_time", "service_time"))
        refused = {
            "queue full": counted.pop("refused_items"),
            "queue tokens": counted.pop("refused_tokens"),
            "too large": counted.pop("refused_too_large"),
            "deadline": counted.pop("refused_too_late"),
        }
        return cls(
            **counted,
            queued=queued,
            queued_tokens=queued_tokens,
            running=running,
            rejected=refused["queue full"] + refused["queue tokens"],
            dropped={**refused, "late": counted["late"], "cancelled": counted["cancelled"]},
            batch_sizes=Histogram.of(sizes),
            queue_time=Histogram.of(queue_time, 1e-9),
            service_time=Histogram.of(service_time, 1e-9),
        )
