"""The engine's outcome, and whose answer it serves, equals a brute-force scan in f64, request by request."""

from __future__ import annotations

import pytest

from replay_tools import TopicEncoder, bench, questions


def assert_same(engine, scan) -> None:
    different = [(n, a, b) for n, (a, b) in enumerate(zip(engine, scan, strict=True)) if a != b]
    assert different == []
    assert {kind for kind, _ in engine} == {"exact_hit", "semantic_hit", "llm_call"}


@pytest.mark.parametrize("threshold", [0.7, 0.85, 0.9, 0.95])
@pytest.mark.parametrize("seed", [1, 2])
def test_made_up_vectors(threshold, seed):
    engine, scan = bench().compare(
        TopicEncoder(), requests=2_000, seed=seed, threshold=threshold, questions=questions(1_200, 90)
    )
    assert_same(engine, scan)


@pytest.mark.weights
@pytest.mark.parametrize("threshold", [0.85, 0.95])
def test_the_bundled_traffic(minilm, threshold):
    assert_same(*bench().compare(minilm, requests=1_500, threshold=threshold))
