"""Recorded cache traffic: three formats read into keys, strict LRU as the yardstick, and a replay that counts hits.

Every request counts once, whatever its object's size: the hit ratios are by object.
"""

from __future__ import annotations

import lzma
import struct
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SHARES = (0.01, 0.05, 0.20)
MAX_LOSS_POINTS = 0.5
MIN_GAIN_POINTS = 0.01
ORACLE_RECORD = struct.Struct("<IQIq")


class ReplayedCache(Protocol):
    """What a replay needs; `get` of an absent key gives None."""

    def get(self, key: int, /) -> object: ...
    def insert(self, key: int, value: bool, /) -> object: ...


# ---- traces ----------------------------------------------------------------------------------------------------------


def read_i32_keys(path: Path) -> list[int]:
    """Read cache2k's format: big-endian 32-bit keys, nothing else."""
    with lzma.open(path) as file:
        return [key for (key,) in struct.iter_unpack(">i", file.read())]


def read_oracle_general(path: Path) -> list[int]:
    """Read libCacheSim's oracleGeneral records (u32 time, u64 id, u32 size, i64 next request); the key is the id."""
    with lzma.open(path) as file:
        return [key for _, key, _, _ in ORACLE_RECORD.iter_unpack(file.read())]


def read_time_key_size(path: Path) -> list[int]:
    """Read AdaptSize's format: a line `time key size` for each request."""
    with lzma.open(path, "rt", encoding="ascii") as lines:
        return [int(line.split()[1]) for line in lines]


TRACES: dict[str, tuple[str, Callable[[Path], list[int]]]] = {
    "cache2k_web12": ("traces/cache2k_web12.trace.xz", read_i32_keys),
    "cloudPhysicsIO": ("traces/cloudPhysicsIO.oracleGeneral.bin.xz", read_oracle_general),
    "adapt_size": ("traces/adapt_size_request.trace.xz", read_time_key_size),
}


def capacity(keys: Sequence[int], share: float) -> int:
    """Return how many entries `share` of the distinct keys are."""
    return max(1, round(share * len(set(keys))))


# ---- replay ----------------------------------------------------------------------------------------------------------


class StrictLru:
    """LRU to the letter: the yardstick for caches that approximate it."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"expected a capacity of 1 or more, got {capacity}")
        self.capacity = capacity
        self.entries: OrderedDict[int, bool] = OrderedDict()

    def get(self, key: int, /) -> bool | None:
        """Return the value of `key` and make it the most recently used one."""
        if key not in self.entries:
            return None
        self.entries.move_to_end(key)
        return self.entries[key]

    def insert(self, key: int, value: bool, /) -> None:
        """Insert or replace, as the most recently used one; the least recently used one goes if there is no room."""
        self.entries[key] = value
        self.entries.move_to_end(key)
        if len(self.entries) > self.capacity:
            self.entries.popitem(last=False)


def replay(cache: ReplayedCache, keys: Sequence[int]) -> float:
    """Look up every key in turn, insert it if it misses, and return the share that hit."""
    hits = 0
    for key in keys:
        if cache.get(key) is None:
            cache.insert(key, True)
        else:
            hits += 1
    return hits / len(keys)
