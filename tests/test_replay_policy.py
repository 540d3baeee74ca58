"""The policy over neighbours equals a brute-force scan, at every threshold, and the curve counts what it gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from llmfast._replay.curve import GRID, covered, curve
from llmfast._replay.neighbours import find_neighbours
from llmfast._replay.policy import simulate
from llmfast._replay.trace import CALL, EXACT, SEMANTIC, Served
from llmfast._replay.traffic import traffic
from replay_tools import ScanIndex, TopicEncoder, bench, questions


def numbered(texts: list[str]) -> tuple[list[str], list[int]]:
    distinct = list(dict.fromkeys(texts))
    number = {text: key for key, text in enumerate(distinct)}
    return distinct, [number[text] for text in texts]


def served(key: int, position: int, intent: str | None = None) -> Served:
    return Served(CALL, key, float(position), position, None, 0.0, 0.0, "m", "m", (1, 1), True, intent)


@pytest.fixture(scope="module")
def asked():
    texts = [request.query for request in traffic(questions(900, 60), 1500, 4)]
    distinct, keys = numbered(texts)
    matrix = TopicEncoder().encode(distinct)
    return texts, distinct, keys, matrix, find_neighbours(list(matrix), [0] * len(distinct), ScanIndex)


@pytest.mark.parametrize("threshold", [*GRID, 0.8765, 0.95])
@pytest.mark.parametrize("time_to_live", [None, 40.0])
def test_every_request_fares_as_in_a_full_scan(asked, threshold, time_to_live):
    texts, distinct, keys, matrix, near = asked
    found = simulate(keys, list(range(len(keys))), near, threshold=threshold, ttl=time_to_live)
    scan = bench().brute_force(texts, dict(zip(distinct, matrix, strict=True)), threshold, time_to_live=time_to_live)
    assert found == scan
    assert {kind for kind, _ in found} == {EXACT, SEMANTIC, CALL}


ANGLES = st.lists(st.integers(0, 40), min_size=1, max_size=30)


@settings(deadline=None)
@given(ANGLES, st.integers(800, 1000), st.sampled_from([None, 1.0, 3.0, 8.0]), st.data())
def test_the_policy_on_a_circle(angles, thousandths, ttl, data):
    """On a circle every cosine is known: the oracle is written with angles alone."""
    keys = numbered([str(angle) for angle in angles])[1]
    distinct = list(dict.fromkeys(angles))
    vectors = [np.array([np.cos(np.radians(a)), np.sin(np.radians(a))]) for a in distinct]
    partitions = [data.draw(st.integers(0, 1)) for _ in distinct]
    # Between two whole degrees, so that no rounding decides.
    width = int(np.degrees(np.arccos(thousandths / 1000))) + 0.5
    threshold = float(np.cos(np.radians(width)))
    if threshold < 0.8:
        return
    near = find_neighbours(vectors, partitions, ScanIndex)
    found = simulate(keys, list(range(len(keys))), near, threshold=threshold, ttl=ttl)
    stored: dict[int, int] = {}
    for position, key in enumerate(keys):
        alive = {k: at for k, at in stored.items() if ttl is None or position - at < ttl}
        close = [
            (abs(distinct[k] - distinct[key]), at)
            for k, at in alive.items()
            if partitions[k] == partitions[key] and abs(distinct[k] - distinct[key]) < width
        ]
        if key in alive:
            assert found[position] == (EXACT, alive[key])
        elif close:
            kind, origin = found[position]
            # Two angles on both sides may be equally near up to rounding: either is right.
            assert (kind, min(close)[0]) == (SEMANTIC, abs(distinct[keys[origin]] - distinct[key]))
            assert (abs(distinct[keys[origin]] - distinct[key]), origin) in close
        else:
            assert found[position] == (CALL, position)
            stored[key] = position


def test_of_equally_near_answers_the_first_stored_serves():
    vectors = [np.array([1.0, 0.0]), np.array([0.8, 0.6]), np.array([0.8, -0.6])]
    near = find_neighbours(vectors, [0, 0, 0], ScanIndex, floor=0.5)
    # 1 and 2 are 0.28 from each other, both .8 from 0.
    assert simulate([2, 1, 0], [0, 1, 2], near, threshold=0.75, ttl=None) == [(CALL, 0), (CALL, 1), (SEMANTIC, 0)]
    assert simulate([1, 2, 0], [0, 1, 2], near, threshold=0.75, ttl=None) == [(CALL, 0), (CALL, 1), (SEMANTIC, 0)]


def test_a_semantic_hit_stores_nothing():
    vectors = [np.array([1.0, 0.0]), np.array([0.95, 0.3122499])]
    near = find_neighbours(vectors, [0, 0], ScanIndex)
    assert simulate([0, 1, 1], [0, 1, 2], near, threshold=0.9, ttl=None) == [(CALL, 0), (SEMANTIC, 0), (SEMANTIC, 0)]


def test_a_text_without_a_vector_hits_exactly_only():
    near = find_neighbours([None, np.array([1.0, 0.0])], [0, 0], ScanIndex)
    assert simulate([0, 1, 0], [0, 1, 2], near, threshold=0.8, ttl=None) == [(CALL, 0), (CALL, 1), (EXACT, 0)]


def test_no_threshold_means_exact_hits_only():
    near = find_neighbours([np.array([1.0, 0.0])] * 2, [0, 0], ScanIndex)
    assert simulate([0, 1, 0], [0, 1, 2], near, threshold=None, ttl=None) == [(CALL, 0), (CALL, 1), (EXACT, 0)]


def test_a_threshold_below_the_floor_is_refused():
    near = find_neighbours([np.array([1.0, 0.0])], [0], ScanIndex)
    with pytest.raises(ValueError, match=r"0\.8 or more, got 0\.7"):
        simulate([0], [0], near, threshold=0.7, ttl=None)


def test_a_search_over_budget_covers_the_start(monkeypatch):
    monkeypatch.setattr("llmfast._replay.neighbours.MAX_PAIRS", 10)
    near = find_neighbours([np.array([1.0, 0.0])] * 100, [0] * 100, ScanIndex)
    assert 5 <= near.keys <= 7
    rows = [served(key, key) for key in range(100)]
    assert len(covered(rows, near)) == near.keys
    assert curve(covered(rows, near), near, ttl=None, own=None)[0]["requests"] == near.keys


def test_the_curve_counts_hits_and_wrong_ones():
    vectors = [np.array([1.0, 0.0]), np.array([0.9, 0.43588989])]
    near = find_neighbours(vectors, [0, 0], ScanIndex)
    rows = [served(0, 0, "a"), served(1, 1, "b"), served(0, 2, "a"), served(0, 3, None)]
    points = {point["threshold"]: point for point in curve(rows, near, ttl=None, own=0.895)}
    assert list(points) == [*sorted([*GRID, 0.895]), None]
    loose, tight, exact = points[0.895], points[0.95], points[None]
    assert (loose["exact_hits"], loose["semantic_hits"]) == (2, 1)
    assert (loose["wrong_of_hits"]["count"], loose["wrong_of_hits"]["of"]) == (1, 2)
    assert (loose["wrong_of_all"]["count"], loose["wrong_of_all"]["of"]) == (1, 3)
    for point in (tight, exact):
        assert (point["exact_hits"], point["semantic_hits"], point["wrong_of_hits"]["count"]) == (2, 0, 0)
