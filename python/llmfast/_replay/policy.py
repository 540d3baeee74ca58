"""What the cache would have done at another threshold: its policy, replayed over keys and neighbours alone.

An answer under the request's own key is an exact hit. Else the nearest stored request with a cosine of at least the
threshold is a semantic hit, which stores nothing; of equally near ones the first stored wins, and one that the guards
veto is passed by. Else the model is called and its answer is stored, if it is complete, until its time to live is over.
Nothing is evicted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .trace import CALL, EXACT, SEMANTIC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .neighbours import Neighbours

Outcome = tuple[str, int]


def simulate(
    keys: Sequence[int],
    times: Sequence[float],
    neighbours: Neighbours,
    *,
    threshold: float | None,
    ttl: float | None,
    stored: Sequence[bool] | None = None,
    asks_the_same: Callable[[int, int], bool] = lambda key, other: True,  # noqa: ARG005
    horizon: Callable[[int], float | None] = lambda key: None,  # noqa: ARG005
) -> list[Outcome]:
    """Return of each request its outcome and the position of the request whose call made its answer.

    `keys` number the distinct requests, `times` are in seconds and never fall, `ttl` is in seconds. A threshold of None
    compares nothing by meaning; else it must not lie below the floor of `neighbours`. `stored` says of each request
    whether an answer made for it is stored; None: all are. `asks_the_same` has a say about two distinct requests that
    are near enough, and `horizon` says of a request how many seconds its answer holds, if that may be less than `ttl`.
    """
    if threshold is not None and threshold < neighbours.floor:
        raise ValueError(f"expected a threshold of {neighbours.floor} or more, got {threshold}")
    store = _Store(times, ttl, asks_the_same, horizon)
    outcomes: list[Outcome] = []
    for position, key in enumerate(keys):
        origin = store.live(key, position)
        if origin is not None:
            outcomes.append((EXACT, origin))
            continue
        origin = None if threshold is None else store.nearest(key, position, neighbours, threshold)
        if origin is not None:
            outcomes.append((SEMANTIC, origin))
            continue
        if stored is None or stored[position]:
            store.origin[key] = position
        outcomes.append((CALL, position))
    return outcomes


class _Store:
    """The stored answers: of each key the position of the call that made its answer."""

    def __init__(
        self,
        times: Sequence[float],
        ttl: float | None,
        asks_the_same: Callable[[int, int], bool],
        horizon: Callable[[int], float | None],
    ) -> None:
        # Rows are stored with whole milliseconds.
        self.now = [int(time * 1000) for time in times]
        self.ttl = ttl
        self.asks_the_same = asks_the_same
        self.horizon = horizon
        self.origin: dict[int, int] = {}
        self._lives: dict[int, float] = {}

    def live(self, key: int, position: int) -> int | None:
        """Return the origin of the answer stored under `key`, unless its time is over."""
        origin = self.origin.get(key)
        if origin is None or self.now[position] < self.now[origin] + self._life(key):
            return origin
        return None

    def _life(self, key: int) -> float:
        """Return how many milliseconds an answer lives that is stored under `key`."""
        life = self._lives.get(key)
        if life is None:
            bounds = [seconds for seconds in (self.ttl, self.horizon(key)) if seconds is not None]
            life = self._lives[key] = int(min(bounds) * 1000) if bounds else math.inf
        return life

    def nearest(self, key: int, position: int, neighbours: Neighbours, threshold: float) -> int | None:
        """Return the origin of the nearest stored answer at `threshold` or above."""
        best, best_score = None, threshold
        for score, other in zip(neighbours.scores[key], neighbours.ids[key], strict=True):
            if score < best_score:
                break
            origin = self.live(other, position)
            if origin is not None and (best is None or origin < best) and self.asks_the_same(key, other):
                best, best_score = origin, score
        return best
