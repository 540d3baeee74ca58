"""How near a question must be, and how long an answer lives, by kind of request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 86_400.0
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What may be served from the cache.

    `threshold`: cosine that a stored question must reach to be answered by the same answer, from -1 to 1; 1.0 leaves
    exact hits only, up to rounding. `ttl`: seconds an answer lives, None for ever. `mode`: "static" compares with the
    threshold alone. `on_abandon`: what happens to a call in flight when everybody who waited for it has left: "cancel"
    it, or "drain": let it end and store its answer.

    Raises ConfigError for a value outside of these.
    """

    threshold: float = 0.95
    ttl: float | None = DAY
    mode: Literal["static"] = "static"
    on_abandon: Literal["cancel", "drain"] = "cancel"

    def __post_init__(self) -> None:
        if not -1.0 <= self.threshold <= 1.0:
            raise ConfigError(f"threshold must be a cosine from -1 to 1, got {self.threshold}")
        if self.ttl is not None:
            check_ttl(self.ttl)
        if self.mode != "static":
            raise ConfigError(f"mode must be 'static', got {self.mode!r}")
        if self.on_abandon not in ("cancel", "drain"):
            raise ConfigError(f"on_abandon must be 'cancel' or 'drain', got {self.on_abandon!r}")


def check_ttl(ttl: float) -> None:
    """Raise ConfigError unless `ttl` is a finite number of seconds above 0."""
    if not (math.isfinite(ttl) and ttl > 0):
        raise ConfigError(f"ttl must be a finite number of seconds above 0, got {ttl}")


#: The policies of the kinds that come with llmfast. "general" is what `Cache(policy=...)` replaces.
POLICIES: Mapping[str, CachePolicy] = {
    "general": CachePolicy(threshold=0.95, ttl=DAY),
    "faq": CachePolicy(threshold=0.99, ttl=DAY),
    "news": CachePolicy(threshold=0.95, ttl=HOUR),
    "critical": CachePolicy(threshold=0.99, ttl=DAY),
    "broad": CachePolicy(threshold=0.90, ttl=DAY),
    "exploratory": CachePolicy(threshold=0.85, ttl=DAY),
}


def resolve(policies: Mapping[str, CachePolicy], kind: str) -> CachePolicy:
    """Return the policy of `kind`; a misspelt kind must not fall back to a looser policy, so it is a ConfigError."""
    policy = policies.get(kind)
    if policy is None:
        raise ConfigError(f"kind {kind!r} has no policy; the kinds are {', '.join(sorted(policies))}")
    return policy
