"""What a search costs: FlatIndex alone, nearest of 1,000 to 100,000 vectors of 384 dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from llmfast import FlatIndex

DIM = 384


def unit_rows(rows: int, seed: int) -> np.ndarray:
    matrix = np.random.default_rng(seed).standard_normal((rows, DIM), dtype=np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.mark.parametrize("rows", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("min_score", [-1.0, 0.95])
def test_nearest(benchmark, rows, min_score):
    index = FlatIndex(DIM)
    matrix = unit_rows(rows, 1)
    index.add_many(np.arange(rows, dtype=np.uint64), matrix)
    near = matrix[rows // 2] + 0.001 * unit_rows(1, 2)[0]
    (hit,) = benchmark(index.search, near, 1, min_score=min_score)
    assert hit.id == rows // 2


def test_add(benchmark):
    index = FlatIndex(DIM)
    (vector,) = unit_rows(1, 3)
    serial = iter(range(10**12))
    benchmark.pedantic(lambda: index.add(next(serial), vector), rounds=20_000, warmup_rounds=100)
