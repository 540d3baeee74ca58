"""HnswIndex: true results, most of them found, and its manners as a Python object."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import llmfast
from llmfast import FlatIndex, Hit, HnswIndex

if TYPE_CHECKING:
    from pathlib import Path

DIM = 48


def clustered(seed: int, rows: int, dim: int = DIM) -> np.ndarray[Any, Any]:
    """Return rows around points of which there is one for every forty rows; the points do not depend on the seed."""
    points = np.random.default_rng(0).normal(size=(rows // 40, dim))
    rng = np.random.default_rng(seed)
    return (points[rng.integers(rows // 40, size=rows)] + rng.normal(size=(rows, dim)) * 0.3).astype(np.float32)


def recall(graph: HnswIndex, flat: FlatIndex, queries: np.ndarray[Any, Any], k: int = 10) -> float:
    """Return the share of the best `k` that is found; every hit has to be one that a full scan has."""
    found = graph.search_many(queries, k)
    for hits, everything in zip(found, flat.search_many(queries, len(flat)), strict=True):
        assert len(hits) == k
        assert set(hits) <= set(everything)
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))
    shared = (len(set(a) & set(b)) for a, b in zip(found, flat.search_many(queries, k), strict=True))
    return sum(shared) / (k * len(queries))


def both(rows: np.ndarray[Any, Any]) -> tuple[HnswIndex, FlatIndex]:
    graph, flat = HnswIndex(rows.shape[1]), FlatIndex(rows.shape[1])
    graph.add_many(range(len(rows)), rows)
    flat.add_many(range(len(rows)), rows)
    return graph, flat


def test_most_of_the_nearest_rows_are_found_also_after_half_of_them_went() -> None:
    graph, flat = both(clustered(1, 3_000))
    queries = clustered(2, 3_000)[:60]
    assert recall(graph, flat, queries) >= 0.97
    for id_ in range(0, 2_980, 2):
        assert graph.remove(id_)
        assert flat.remove(id_)
    assert recall(graph, flat, queries) >= 0.97
    for id_ in range(1, 1_000, 2):
        graph.update(id_, queries[id_ % 60])
        flat.update(id_, queries[id_ % 60])
    assert recall(graph, flat, queries) >= 0.97
    graph.add_many(range(10_000, 11_000), clustered(3, 1_000))
    flat.add_many(range(10_000, 11_000), clustered(3, 1_000))
    assert recall(graph, flat, queries) >= 0.97


def test_a_small_partition_is_exact() -> None:
    rows = np.random.default_rng(1).normal(size=(1_000, DIM)).astype(np.float32)
    graph, flat = both(rows)
    for k, min_score in [(1, -1.0), (10, 0.3), (2_000, 0.0)]:
        expected = flat.search_many(rows[:50], k, min_score=min_score)
        assert graph.search_many(rows[:50], k, min_score=min_score) == expected


def test_min_score_is_the_least_that_a_hit_has() -> None:
    rows = clustered(1, 3_000)
    graph, _ = both(rows)
    for row in rows[:30]:
        scores = [hit.score for hit in graph.search(row, 5)]
        assert scores[0] == 1.0
        assert [hit.score for hit in graph.search(row, 5, min_score=scores[3])] == scores[:4]
        assert graph.search(row, 5, min_score=1.1) == []


def test_equal_rows_come_by_id_however_many_there_are() -> None:
    index = HnswIndex(3)
    index.add_many(range(4_999, -1, -1), np.tile(np.array([1, 2, 3], dtype=np.float32), (5_000, 1)))
    index.add(5_000, [3, 2, 1])
    assert index.search([2, 4, 6], 3) == [Hit(0, 1.0), Hit(1, 1.0), Hit(2, 1.0)]
    assert index.remove(0)
    assert [hit.id for hit in index.search([1, 2, 3], 2)] == [1, 2]
    assert [hit.id for hit in index.search([3, 2, 1])] == [5_000]


def test_ids_are_unique_over_partitions_which_see_no_rows_of_each_other() -> None:
    rows = clustered(1, 3_000)
    index = HnswIndex(DIM)
    index.add_many(range(1_500), rows[:1_500], partition=2**127)
    index.add_many([2**64 - 1, *range(1_501, 3_000)], rows[1_500:])
    with pytest.raises(llmfast.DuplicateIdError, match="id 7 is in the index already"):
        index.add(7, rows[0])
    assert {hit.id < 1_500 for query in rows[::100] for hit in index.search(query, 5, partition=2**127)} == {True}
    assert {hit.id > 1_500 for query in rows[::100] for hit in index.search(query, 5)} == {True}
    assert index.search(rows[1_500]) == [Hit(2**64 - 1, 1.0)]
    assert index.search(rows[0], partition=3) == []
    assert (len(index), 2**64 - 1 in index, 1_500 in index) == (3_000, True, False)


def test_add_many_adds_all_or_nothing() -> None:
    rows = clustered(1, 2_000)
    index = HnswIndex(DIM)
    index.add_many(range(2_000), rows)
    bad = rows[:3].copy()
    bad[2, 5] = np.nan
    for ids, matrix, error in [
        ([2_001, 2_002, 7], rows[:3], llmfast.DuplicateIdError),
        ([2_001, 2_002, 2_001], rows[:3], llmfast.DuplicateIdError),
        ([2_001, 2_002, 2_003], bad, llmfast.InvalidVectorError),
        ([2_001, 2_002], rows[:3], llmfast.ConfigError),
        ([2_001], rows[:1, :5], llmfast.DimensionMismatchError),
    ]:
        with pytest.raises(error):
            index.add_many(ids, matrix)
        assert (len(index), 2_001 in index) == (2_000, False)


def test_bad_parameters_are_refused() -> None:
    for arguments, message in [
        ({"dim": 0}, "1 to 4096 dimensions, got 0"),
        ({"dim": 3, "connectivity": 1}, "2 to 256 as connectivity, got 1"),
        ({"dim": 3, "expansion": 0}, "1 to 65536 as expansion, got 0"),
    ]:
        with pytest.raises(llmfast.ConfigError, match=message):
            HnswIndex(**arguments)
    index = HnswIndex(3)
    with pytest.raises(llmfast.ConfigError, match="k of at least 1, got 0"):
        index.search([1, 2, 3], 0)
    with pytest.raises(llmfast.UnknownIdError, match="no row has id 1"):
        index.update(1, [1, 2, 3])
    with pytest.raises(llmfast.InvalidVectorError, match="no direction"):
        index.search([0, 0, 0])


def test_save_and_load(tmp_path: Path) -> None:
    rows = clustered(1, 2_000)
    index = HnswIndex(DIM, connectivity=8, expansion=40)
    index.add_many(range(1_500), rows[:1_500])
    index.add_many(range(1_500, 2_000), rows[1_500:], partition=9)
    path = tmp_path / "rows.index"
    index.save(path)
    index.save(str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["rows.index"]
    loaded = HnswIndex.load(path)
    assert (loaded.dim, loaded.connectivity, loaded.expansion, len(loaded)) == (DIM, 8, 40, 2_000)
    assert loaded.search(rows[3], 1_500) == index.search(rows[3], 1_500)
    assert loaded.search_many(rows[1_500:], 5, partition=9) == index.search_many(rows[1_500:], 5, partition=9)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    index = HnswIndex(3)
    index.add(1, [1, 2, 3])
    path = tmp_path / "rows.index"
    index.save(path)
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content + b"x", content[:50] + b"\xff" + content[51:], b"\0" * 1_000):
        path.write_bytes(damaged)
        with pytest.raises(llmfast.CorruptFileError, match=r"rows\.index is damaged"):
            HnswIndex.load(path)
    FlatIndex(3).save(path)
    with pytest.raises(llmfast.CorruptFileError, match="not a file of this kind of index"):
        HnswIndex.load(path)
    with pytest.raises(FileNotFoundError, match=r"missing\.index"):
        HnswIndex.load(tmp_path / "missing.index")


def test_memory_is_about_four_bytes_a_component() -> None:
    index = HnswIndex(384)
    rows = np.random.default_rng(1).normal(size=(1_100, 384)).astype(np.float32)
    index.add_many(range(1_100), rows)
    assert 1_100 * 384 * 4 <= index.memory_bytes <= 1_100 * (384 * 4 + 500)
    for id_ in range(1_100):
        index.remove(id_)
    assert index.memory_bytes < 50_000


def test_more_threads_than_processors_search_while_others_write() -> None:
    rows = clustered(1, 2_000, 16)
    index = HnswIndex(16)
    index.add_many(range(1_500), rows[:1_500])
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(number, 1_500, 40):
                assert len(index.search(rows[i], 5)) == 5
                if number < 4:
                    index.add(1_500 + 100 * number + i // 40, rows[1_500 + i // 40])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(index) == 1_500 + 4 * 38
