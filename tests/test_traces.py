"""Replayed cache traffic: the readers, strict LRU, and how far LruCache's hit ratios are from strict LRU's."""

from __future__ import annotations

import functools
import itertools
import lzma
import random
import statistics
import struct
from typing import TYPE_CHECKING

import pytest

from bench_modules import bench_modules
from llmfast import LruCache

if TYPE_CHECKING:
    from pathlib import Path

(traces,) = bench_modules("_traces")


# ---- readers ---------------------------------------------------------------------------------------------------------


def compressed(folder: Path, content: bytes) -> Path:
    path = folder / "trace.xz"
    path.write_bytes(lzma.compress(content))
    return path


def test_i32_keys_are_big_endian_and_signed(tmp_path):
    path = compressed(tmp_path, bytes.fromhex("00000001 00000100 7fffffff ffffffff"))
    assert traces.read_i32_keys(path) == [1, 256, 2**31 - 1, -1]


def test_an_oracle_general_key_is_the_id(tmp_path):
    records = [(1, 2**63 + 5, 512, -1), (1, 7, 4096, 3), (2, 7, 4096, -1)]
    path = compressed(tmp_path, b"".join(struct.pack("<IQIq", *record) for record in records))
    assert traces.ORACLE_RECORD.size == 24
    assert traces.read_oracle_general(path) == [2**63 + 5, 7, 7]


def test_the_key_of_a_line_is_its_second_number(tmp_path):
    assert traces.read_time_key_size(compressed(tmp_path, b"1 40 68\n2 41 7454\n3 40 68\n")) == [40, 41, 40]


@pytest.mark.parametrize("read", [traces.read_i32_keys, traces.read_oracle_general])
def test_half_a_record_is_refused(tmp_path, read):
    with pytest.raises(struct.error):
        read(compressed(tmp_path, bytes(25)))


# ---- the yardstick ---------------------------------------------------------------------------------------------------


def test_strict_lru_evicts_what_was_used_longest_ago():
    cache = traces.StrictLru(2)
    cache.insert(1, True)
    cache.insert(2, True)
    assert cache.get(1) is True
    cache.insert(3, True)
    assert [cache.get(key) for key in (1, 2, 3)] == [True, None, True]
    cache.insert(1, False)  # replaced: 3 is the oldest now
    cache.insert(4, True)
    assert [cache.get(key) for key in (1, 3, 4)] == [False, None, True]


def test_strict_lru_needs_room_for_one():
    with pytest.raises(ValueError, match="capacity"):
        traces.StrictLru(0)


@pytest.mark.parametrize(("size", "hits"), [(1, 1), (2, 2), (3, 4)])
def test_a_replay_counts_the_hits_and_inserts_the_misses(size, hits):
    keys = [1, 2, 2, 3, 2, 1, 3]
    assert traces.replay(traces.StrictLru(size), keys) == hits / len(keys)


def test_a_capacity_is_a_share_of_the_distinct_keys_and_at_least_one():
    keys = [*range(200), *range(50)]
    assert [traces.capacity(keys, share) for share in (0.001, 0.01, 0.2)] == [1, 2, 40]


# ---- LruCache --------------------------------------------------------------------------------------------------------


def points(cache, keys) -> float:
    return 100.0 * traces.replay(cache, keys)


@functools.cache
def zipf_with_scans() -> list[int]:
    """Return 120,000 requests: a skewed choice of 30,000 keys, and every tenth thousand a scan of keys used once."""
    rng = random.Random(17)
    weights = itertools.accumulate(1.0 / rank**0.9 for rank in range(1, 30_001))
    popular = iter(rng.choices(range(30_000), cum_weights=list(weights), k=120_000))
    scanned = itertools.count(1_000_000)
    return [next(scanned if n // 1_000 % 10 == 9 else popular) for n in range(120_000)]


@pytest.mark.parametrize("capacity", [100, 1_000, 4_095, 4_096, 10_000])
def test_made_up_traffic_hits_as_often_as_under_strict_lru(capacity):
    keys = zipf_with_scans()
    strict = points(traces.StrictLru(capacity), keys)
    assert points(LruCache(capacity, policy="lru"), keys) >= strict - traces.MAX_LOSS_POINTS


@functools.cache
def recorded(folder: Path, trace: str) -> list[int]:
    relative, read = traces.TRACES[trace]
    return read(folder / relative)


@functools.cache
def strict_points(folder: Path, trace: str, share: float) -> float:
    keys = recorded(folder, trace)
    return points(traces.StrictLru(traces.capacity(keys, share)), keys)


@pytest.mark.parametrize("share", traces.SHARES)
@pytest.mark.parametrize("trace", traces.TRACES)
def test_a_recorded_trace_hits_as_often_as_under_strict_lru(evaluation_data, trace, share):
    keys = recorded(evaluation_data, trace)
    ours = points(LruCache(traces.capacity(keys, share), policy="lru"), keys)
    assert ours >= strict_points(evaluation_data, trace, share) - traces.MAX_LOSS_POINTS


def test_s3_fifo_hits_more_often_than_strict_lru_in_the_mean_of_the_recorded_traces(evaluation_data):
    gains = []
    for trace, share in itertools.product(traces.TRACES, traces.SHARES):
        keys = recorded(evaluation_data, trace)
        ours = points(LruCache(traces.capacity(keys, share), policy="s3-fifo"), keys)
        gains.append(ours - strict_points(evaluation_data, trace, share))
    assert statistics.fmean(gains) >= traces.MIN_GAIN_POINTS, gains


@pytest.mark.parametrize("capacity", [100, 1_000, 4_095, 4_096, 10_000])
def test_scans_harm_s3_fifo_less_than_strict_lru(capacity):
    keys = zipf_with_scans()
    assert points(LruCache(capacity, policy="s3-fifo"), keys) > points(traces.StrictLru(capacity), keys)
