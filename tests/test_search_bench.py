"""The search bench's own logic: the rows it makes, what it calls a mistake, what it measures in another process."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import subprocess
import sys

import numpy as np
import pytest

from bench_modules import BENCHES, bench_modules
from llmfast import FlatIndex

vectors, oracle, peers, search = bench_modules("_vectors", "_oracle", "_search_peers", "search")

DIM = 16


def clustered(count: int, seed: int = 1) -> np.ndarray:
    """Return unit vectors with a mean and a falling spectrum, as those of texts have."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, DIM)) * np.geomspace(1.0, 0.05, DIM) + 0.3
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_questions_are_distinct_and_in_the_order_of_their_first_appearance(tmp_path):
    path = tmp_path / "pairs.jsonl.gz"
    pairs = [{"a": "one", "b": "two"}, {"a": "three", "b": "one"}, {"a": "two", "b": "four"}]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, pairs)).encode()))
    assert vectors.distinct_questions(path) == ["one", "two", "three", "four"]


def test_the_cache_knows_the_data_and_the_encoder(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    asked = [(one, "a"), (two, "a"), (one, "b"), (one, "a")]
    paths = [vectors.cache_path(path, fingerprint) for path, fingerprint in asked]
    assert paths[3] == paths[0]
    assert len(set(paths)) == 3


def test_flipped_rows_keep_mean_and_spectrum_and_are_new():
    real = clustered(5_000)
    more = vectors.SignFlips(real).block(0)
    assert more.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(more, axis=1), 1.0, atol=1e-6)
    assert np.linalg.norm(more.mean(axis=0) - real.mean(axis=0)) < 0.05
    of_real, of_more = (np.linalg.eigvalsh(np.cov(rows.T)) for rows in (real, more))
    np.testing.assert_allclose(of_more, of_real, rtol=0.15)
    assert not {row.tobytes() for row in more} & {row.tobytes() for row in real}


def test_blocks_of_flipped_rows_differ_and_can_be_made_again():
    flips = vectors.SignFlips(clustered(500))
    np.testing.assert_array_equal(flips.block(3), vectors.SignFlips(clustered(500)).block(3))
    assert not np.array_equal(flips.block(3), flips.block(4))


def test_fewer_rows_are_the_beginning_of_more_and_queries_are_held_out():
    real = clustered(2_000)
    data = vectors.Data(real, held_out=100)
    few = data.rows(15_000).copy()
    assert data.rows(1_000).shape == (1_000, DIM)
    np.testing.assert_array_equal(data.rows(25_000)[:15_000], few)
    rows = {row.tobytes() for row in data.rows(25_000)}
    assert not {row.tobytes() for row in data.queries} & rows
    assert not {row.tobytes() for row in data.unused(500)} & rows
    assert {row.tobytes() for row in [*data.queries, *data.rows(1_900)]} == {row.tobytes() for row in real}


def test_ids_are_distinct_and_in_no_order():
    ids = vectors.spaced_ids(1_000)
    assert len(set(ids.tolist())) == 1_000
    assert not np.all(np.diff(ids.astype(np.int64)) > 0)


def test_blocks_cover_every_row_once():
    assert list(vectors.in_blocks(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]


# ---- the oracle ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class FakeHit:
    id: int
    score: float


@pytest.fixture(scope="module")
def truth():
    """Make an oracle of 300 rows, of which 299 is a copy of 4, and the scores of a query near 4."""
    rows = clustered(300)
    rows[299] = rows[4]
    found = oracle.Oracle(vectors.spaced_ids(300), rows)
    return found, found.scores(rows[4:5] + np.float32(0.01))[0]


def right_answer(truth, k: int, min_score: float = -1.0) -> list[FakeHit]:
    found, scores = truth
    order = sorted(range(len(scores)), key=lambda at: (-round(scores[at], 13), found.ids[at]))[:k]
    return [FakeHit(int(found.ids[at]), float(scores[at])) for at in order if scores[at] >= min_score]


def is_mistake(truth, hits, k: int, min_score: float = -1.0) -> bool:
    found, scores = truth
    return found.is_mistake(hits, scores, oracle.largest(scores, k), min_score)


@pytest.mark.parametrize("k", [1, 2, 10, 300, 400])
@pytest.mark.parametrize("min_score", [-1.0, 0.5, 0.9, 0.99999])
def test_right_answers_pass(truth, k, min_score):
    assert not is_mistake(truth, right_answer(truth, k, min_score), k, min_score)


def test_copies_are_found(truth):
    assert {at: copies.tolist() for at, copies in truth[0].copies.items()} == {4: [4, 299], 299: [4, 299]}


@pytest.mark.parametrize("k", [1, 10])
def test_planted_mistakes_are_found(truth, k):
    right, wide = right_answer(truth, k), right_answer(truth, 20)
    best, copy = wide[0], wide[1]
    assert best.score == pytest.approx(copy.score, abs=1e-15)
    planted = {
        "a row too few": right[:-1],
        "a row too many": [*right, wide[k]],
        "an unknown id": [FakeHit(5, best.score), *right[1:]],
        "the larger id of two copies": [copy, *right[2:], best][:k] if k > 1 else [copy],
        "a score that is off": [FakeHit(best.id, best.score + 2e-12), *right[1:]],
        "a better row left out": [*right[:-1], wide[k + 1]],
    }
    assert [what for what, hits in planted.items() if not is_mistake(truth, hits, k)] == []


def test_the_same_row_twice_is_a_mistake(truth):
    right = right_answer(truth, 3)
    assert is_mistake(truth, [right[0], right[1], right[1]], 3)


def test_an_answer_below_or_missing_above_the_threshold_is_a_mistake(truth):
    (best,) = right_answer(truth, 1)
    assert is_mistake(truth, [best], 1, best.score + 1e-9)
    assert is_mistake(truth, [], 1, best.score - 1e-9)


def test_either_answer_passes_within_the_margin_of_the_threshold(truth):
    (best,) = right_answer(truth, 1)
    for min_score in (best.score - 5e-13, best.score + 5e-13):
        assert not is_mistake(truth, [best], 1, min_score)
        assert not is_mistake(truth, [], 1, min_score)


def test_removed_rows_may_not_be_found_and_their_copies_need_not_wait_for_them():
    rows = clustered(50)
    rows[49] = rows[4]
    ids = np.arange(50, dtype=np.uint64)
    alive = np.arange(50) != 4
    made = oracle.Oracle(ids, rows, alive)
    scores = made.scores(rows[4:5])[0]
    best = oracle.largest(scores, 1)
    assert not made.is_mistake([FakeHit(49, scores[49])], scores, best, -1.0)
    assert made.is_mistake([FakeHit(4, scores[49])], scores, best, -1.0)


def test_the_largest_scores_leave_removed_rows_out():
    scores = np.array([0.1, -np.inf, 0.5, 0.3])
    assert oracle.largest(scores, 2).tolist() == [0.5, 0.3]
    assert oracle.largest(scores, 9).tolist() == [0.5, 0.3, 0.1]
    assert oracle.largest(scores[1:2], 1).tolist() == []


def test_flat_index_makes_no_mistake_before_and_after_changes():
    data = vectors.Data(clustered(3_000), held_out=200)
    rows, ids = data.rows(2_000), vectors.spaced_ids(2_000)
    indexes = {size: FlatIndex(DIM) for size in (100, 2_000)}
    for size, index in indexes.items():
        index.add_many(ids[:size], rows[:size])
    before = oracle.Oracle(ids, rows)
    changed, alive = oracle.change(data, ids, rows, indexes)
    after = oracle.Oracle(ids, changed, alive)
    assert (~alive).sum() == 200
    assert len(after.copies) > 50
    for size, index in indexes.items():
        assert len(index) == alive[:size].sum()
        count = functools.partial(oracle.count_mistakes, index=index, queries=data.queries, k=3, min_score=0.9)
        assert count(after, scores=after.scores(data.queries)[:, :size]) == 0
        assert count(before, scores=before.scores(data.queries)[:, :size]) > 0


# ---- contenders and the other process --------------------------------------------------------------------------------


def test_a_contender_s_spread_leaves_the_unrecorded_round_out():
    one = peers.Contender(lambda query: [FakeHit(1, query)], [0.25, 0.5])
    assert one() > 0.0
    one.samples = [[1e9], [1.0, 2.0], [3.0, 4.0]]
    assert one.spread() == "p50 2.0 us, p99 4.0 us"
    assert one.best_scores().tolist() == [0.25, 0.5]


def test_contenders_that_disagree_are_refused():
    def found(score):
        return peers.Contender(lambda query: [FakeHit(1, score)], [0, 0, 0])

    peers.check_agreement({"a": found(0.5), "b": found(0.500001)})
    with pytest.raises(AssertionError, match="differ"):
        peers.check_agreement({"a": found(0.5), "b": found(0.5001)})


@pytest.mark.parametrize("what", ["resident", "partitions", "latency"])
def test_the_probe_prints_what_the_bench_reads(tmp_path, what):
    rows = clustered(400)
    index = FlatIndex(DIM)
    chosen = search.partition_ids(4)
    for place, partition in enumerate([0, *chosen]):
        part = range(place * 80, place * 80 + 80)
        index.add_many(part, rows[part.start : part.stop], partition=partition)
    index.save(tmp_path / "index")
    np.save(tmp_path / "queries.npy", rows[:30])
    arguments = [tmp_path / "queries.npy", tmp_path / "index", *(["4"] if what == "partitions" else [])]
    command = [sys.executable, BENCHES / "_search_probe.py", what, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    needed = {
        "resident": {"opened_ms", "first_us", "tau .9", "tau .8", "top 10", "with thresholds", "growth", "heap"},
        "partitions": {"opened_ms", "heap"}
        | {f"{t}, {u}" for t in ("tau .9", "no threshold") for u in ("us", "bytes")},
        "latency": {"kernel", "rows"},
    }[what]
    found = json.loads(done.stdout)
    assert set(found) == needed
    if what == "latency":
        assert set(found["rows"]["400"]) == {"tau .9", "tau .8", "top 10"}
