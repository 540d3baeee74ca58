"""What the rules say of a run's distinct texts: the guards, asked once for each pair, and how long answers hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._llmfast import Reading, horizon

if TYPE_CHECKING:
    from collections.abc import Sequence


def rules(texts: Sequence[str], mode: str) -> dict[str, Any]:
    """Return what `simulate` is to reckon with under a policy of this mode."""
    return {"asks_the_same": Guards(texts), "horizon": lambda key: horizon(texts[key])} if mode == "guarded" else {}


class Guards:
    """Tells whether two texts, by key, may ask the same."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._readings: dict[int, Reading] = {}
        self._known: dict[tuple[int, int], bool] = {}

    def __call__(self, key: int, other: int) -> bool:
        """Return False where a guard vetoes; the order does not matter."""
        pair = (key, other) if key < other else (other, key)
        known = self._known.get(pair)
        if known is None:
            known = self._known[pair] = self._reading(pair[0]).veto(self._texts[pair[1]]) is None
        return known

    def _reading(self, key: int) -> Reading:
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = Reading(self._texts[key])
        return reading
