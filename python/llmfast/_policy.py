"""How near a question must be, and how long an answer lives, by kind of request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ._arguments import number
from ._errors import ConfigError
from ._failures import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY = 86_400.0
HOUR = 3_600.0

MODES = ("guarded", "static", "shadow")

#: The fields of a policy that are numbers, and what they must be.
_NUMBERS = {
    "threshold": "a cosine from -1 to 1",
    "ttl": "a finite number of seconds above 0",
    "jitter": "a share of the ttl from 0 to below 1",
    "stale_if_error": "a finite number of seconds, 0 or more",
    "stale_while_revalidate": "a finite number of seconds, 0 or more",
    "max_temperature": "0 or more, or None",
}


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What may be served from the cache.

    `threshold`: cosine that a stored question must reach to be answered by the same answer, from -1 to 1; 1.0 leaves
    exact hits only, up to rounding. `mode`: "guarded" also looks at the two texts, and vetoes where a rule can tell
    that they ask different things; "static" compares with the threshold alone; "shadow" decides as "guarded" does,
    logs and counts the hits by meaning that there would have been, and serves none of them.

    `ttl`: seconds an answer lives, None for ever. It counts from the answer, and being used does not prolong it. The
    answer to a question whose words ask for something fresh lives for a minute ("right now"), an hour ("today",
    "latest") or six ("this week") at most, unless the request names a `ttl` of its own or `mode` is "static".
    `jitter`: share of it by which a life is shortened at random, so that what was stored together does not end
    together.
    `stale_while_revalidate`: seconds after its end in which an exact repeat still gets the old answer at once, while a
    new one is fetched in the background (on an event loop; a thread without one makes the call itself).
    `stale_if_error`: seconds after its end in which an exact repeat gets the old answer if the call fails.

    `on_abandon`: what happens to a call in flight when everybody who waited for it has left: "cancel" it, or "drain":
    let it end and store its answer. A synchronous `llm_callable` runs in a thread, which nobody can stop: then "cancel"
    means that its answer is dropped, and that whoever asks next makes another call; the ledger has both.

    `fold_case`: whether a question that differs in case alone is the same; white space, width and typographic signs
    count only where they may change the answer, such as in code and quotations.

    `max_temperature`: a request above it (`params`) wants variety, and is served on exact repeats only; None: any.
    `read_only_tools`: names of tools whose use changes nothing; a request that offers others is served on exact repeats
    only.

    Raises ConfigError for a value outside of these.
    """

    threshold: float = 0.95
    ttl: float | None = DAY
    mode: Literal["guarded", "static", "shadow"] = "guarded"
    jitter: float = 0.05
    stale_if_error: float = 0.0
    stale_while_revalidate: float = 0.0
    on_abandon: Literal["cancel", "drain"] = "cancel"
    fold_case: bool = False
    max_temperature: float | None = 1.0
    read_only_tools: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, expected in _NUMBERS.items():
            value = getattr(self, name)
            if value is None and name in ("ttl", "max_temperature"):
                continue
            found = number(name, value, expected)
            if found is not value:
                # Decimals and the like cannot be reckoned with in floats.
                object.__setattr__(self, name, found)
        if not -1.0 <= self.threshold <= 1.0:
            raise ConfigError(f"threshold must be a cosine from -1 to 1, got {self.threshold}")
        if self.ttl is not None:
            check_ttl(self.ttl)
        if self.mode not in MODES:
            raise ConfigError(f"mode must be 'guarded', 'static' or 'shadow', got {self.mode!r}")
        if not 0.0 <= self.jitter < 1.0:
            raise ConfigError(f"jitter must be a share of the ttl from 0 to below 1, got {self.jitter}")
        for name in ("stale_if_error", "stale_while_revalidate"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ConfigError(f"{name} must be a finite number of seconds, 0 or more, got {seconds}")
        if self.on_abandon not in ("cancel", "drain"):
            raise ConfigError(f"on_abandon must be 'cancel' or 'drain', got {self.on_abandon!r}")
        if self.max_temperature is not None and not self.max_temperature >= 0:
            raise ConfigError(f"max_temperature must be 0 or more, or None, got {self.max_temperature}")
        if not isinstance(self.fold_case, bool):
            raise ConfigError(f"fold_case must be True or False, got {shown(self.fold_case)}")
        tools = self.read_only_tools
        if not (isinstance(tools, tuple | list) and all(isinstance(tool, str) for tool in tools)):
            raise ConfigError(f"read_only_tools must be names in a tuple, got {shown(tools)}")

    @property
    def stale_for(self) -> float:
        """Seconds for which an answer is kept after its end."""
        return max(self.stale_if_error, self.stale_while_revalidate)


def check_ttl(ttl: float) -> float:
    """Return a time to live, as a float if it is no int.

    Raises ConfigError unless it is a finite number of seconds above 0.
    """
    # It is asked on the way of an exact hit.
    if type(ttl) is float and 0.0 < ttl < math.inf:
        return ttl
    seconds = number("ttl", ttl, _NUMBERS["ttl"])
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError(f"ttl must be a finite number of seconds above 0, got {ttl}")
    return seconds


def shortened(ttl: float, jitter: float, key: bytes) -> float:
    """Return `ttl` less a share of at most `jitter` that depends on the key: as random as the key, which is a MAC."""
    return ttl * (1.0 - jitter * int.from_bytes(key[:4], "little") / 2**32)


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
    policy = policies.get(kind) if isinstance(kind, str) else None
    if policy is None:
        raise ConfigError(f"kind {kind!r} has no policy; the kinds are {', '.join(sorted(policies))}")
    return policy
