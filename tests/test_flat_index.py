"""FlatIndex against a sort in float64, and its manners as a Python object."""

from __future__ import annotations

import array
import inspect
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import llmfast
from llmfast import FlatIndex, Hit, HnswIndex

if TYPE_CHECKING:
    from pathlib import Path

DIM = 7


def brute_force(
    rows: dict[int, np.ndarray[Any, Any]], query: np.ndarray[Any, Any], k: int, min_score: float
) -> list[Hit]:
    """Score every row in float64, then sort: best first, equal scores by id."""
    wide = query.astype(np.float64)
    scored = []
    for id_, row in rows.items():
        other = row.astype(np.float64)
        cosine = float(wide @ other) / float(np.sqrt((wide @ wide) * (other @ other)))
        scored.append((-min(1.0, max(-1.0, cosine)), id_))
    return [Hit(id_, -negative) for negative, id_ in sorted(scored) if -negative >= min_score][:k]


# Sums of products of small integers are exact in any order, so that scores and ties must be equal, not close.
vectors = st.lists(st.integers(-3, 3), min_size=DIM, max_size=DIM).filter(any)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.dictionaries(st.integers(0, 2**64 - 1), vectors, max_size=60),
    query=vectors,
    k=st.integers(1, 20),
    min_score=st.one_of(st.floats(-1.0, 1.0), st.sampled_from([-1.0, 0.0, 0.5, 1.0])),
    partition=st.integers(0, 2**128 - 1),
)
def test_search_is_a_sort(
    rows: dict[int, list[int]], query: list[int], k: int, min_score: float, partition: int
) -> None:
    index = FlatIndex(DIM)
    arrays = {id_: np.array(row, dtype=np.float32) for id_, row in rows.items()}
    index.add_many(list(arrays), list(arrays.values()), partition=partition)
    wanted = np.array(query, dtype=np.float32)
    expected = brute_force(arrays, wanted, k, min_score)
    assert index.search(wanted, k, min_score=min_score, partition=partition) == expected
    assert index.search_many([wanted, wanted], k, min_score=min_score, partition=partition) == [expected, expected]
    assert index.search(wanted, k, partition=(partition + 1) % 2**128) == []


def test_search_among_many_rows_of_real_size() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(3_000, 384)).astype(np.float32)
    # Half of the rows lie so near the first that float32 cannot order them.
    matrix[1_500:] = matrix[0] + rng.normal(size=(1_500, 384)).astype(np.float32) * 1e-4
    index = FlatIndex(384)
    index.add_many(range(3_000), matrix)
    wide = matrix.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    for number in (0, 7, 1_600):
        scores = wide @ wide[number]
        order = np.argsort(-scores, kind="stable")[:50]
        hits = index.search(matrix[number], 50)
        np.testing.assert_allclose([hit.score for hit in hits], scores[order], rtol=0, atol=1e-14)
        np.testing.assert_allclose([scores[hit.id] for hit in hits], scores[order], rtol=0, atol=1e-14)
        bar = float(scores[order[20]]) - 1e-13
        assert len(index.search(matrix[number], 3_000, min_score=bar)) == int((scores >= bar).sum())


def test_the_scalar_kernel_gives_the_same_answers() -> None:
    program = (
        "import numpy as np, llmfast; from llmfast import _llmfast\n"
        "index = llmfast.FlatIndex(384); m = np.random.default_rng(3).normal(size=(500, 384)).astype('f4')\n"
        "index.add_many(range(500), m); print(_llmfast.kernel_name()); print(index.search_many(m[:50], 9))"
    )

    def run(kernel: str) -> subprocess.CompletedProcess[str]:
        environment = {"LLMFAST_KERNEL": kernel, "PATH": ""}
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )

    plain, best = run("scalar"), run("")
    assert plain.stdout.startswith("scalar\n"), plain.stderr
    assert plain.stdout.split("\n", 1)[1] == best.stdout.split("\n", 1)[1]
    wrong = run("mmx")
    assert wrong.returncode != 0
    assert 'ConfigError: no kernel "mmx"' in wrong.stderr


def test_update_and_remove() -> None:
    index = FlatIndex(2)
    index.add(1, [1.0, 0.0])
    index.add(2, [0.0, 1.0], partition=5)
    index.update(2, [1.0, 1.0])
    assert [hit.id for hit in index.search([1.0, 1.0], partition=5)] == [2]
    assert index.search([1.0, 1.0], partition=5)[0].score == 1.0
    assert index.remove(1) is True
    assert index.remove(1) is False
    assert (len(index), 1 in index, 2 in index) == (1, False, True)
    with pytest.raises(llmfast.UnknownIdError, match="no row has id 1"):
        index.update(1, [1.0, 0.0])
    with pytest.raises(llmfast.DuplicateIdError, match="id 2 is in the index already"):
        index.add(2, [1.0, 0.0])


def test_add_many_adds_all_or_nothing() -> None:
    index = FlatIndex(2)
    index.add(7, [1.0, 0.0])
    for ids, matrix, error in [
        ([1, 2, 7], [[1, 0], [0, 1], [1, 1]], llmfast.DuplicateIdError),
        ([1, 2, 1], [[1, 0], [0, 1], [1, 1]], llmfast.DuplicateIdError),
        ([1, 2], [[1, 0], [0, float("nan")]], llmfast.InvalidVectorError),
        ([1, 2], [[1, 0], [0, 0]], llmfast.InvalidVectorError),
        ([1, 2], [[1, 0], [0]], llmfast.DimensionMismatchError),
        ([1], [[1, 0], [0, 1]], llmfast.ConfigError),
        ([1, 2], np.ones((2, 3), dtype=np.float32), llmfast.DimensionMismatchError),
    ]:
        with pytest.raises(error):
            index.add_many(ids, matrix)
        assert (len(index), 1 in index) == (1, False)


@pytest.mark.parametrize(
    "vector",
    [
        np.array([1, 2, 3], dtype=np.float32),
        np.array([1, 2, 3], dtype=np.float64),
        np.array([1, 2, 3], dtype=np.int64),
        np.array([1, 2, 3], dtype=np.float16),
        np.array([1, 2, 3], dtype=">f4"),
        np.array([1, 0, 2, 0, 3, 0], dtype=np.float32)[::2],
        np.array([3, 2, 1], dtype=np.float64)[::-1],
        array.array("f", [1, 2, 3]),
        memoryview(array.array("d", [1, 2, 3])),
        [1, 2, 3],
        (1, 2.0, np.float32(3)),
    ],
)
def test_vectors_come_in_many_forms(vector: Any) -> None:
    index = FlatIndex(3)
    index.add(1, vector)
    index.add_many([2], [vector])
    assert index.search([1.0, 2.0, 3.0], 2, min_score=1.0) == [Hit(1, 1.0), Hit(2, 1.0)]
    assert index.search(vector, 2, min_score=1.0) == [Hit(1, 1.0), Hit(2, 1.0)]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrices_come_in_many_forms(order: Any, dtype: Any) -> None:
    matrix = np.array([[1, 0, 0], [0, 2, 0], [0, 0, 3], [1, 1, 1]], dtype=dtype, order=order)
    index = FlatIndex(3)
    index.add_many(np.arange(2, dtype=np.uint64), matrix[::3])
    assert index.search_many(matrix[:1]) == [[Hit(0, 1.0)]]
    assert [hit.id for hit in index.search([1.0, 1.0, 1.0], 2)] == [1, 0]
    assert index.search_many(np.empty((0, 3), dtype=dtype)) == []
    index.add_many([], [])
    assert len(index) == 2


@pytest.mark.parametrize(
    ("vector", "error", "message"),
    [
        ([1.0, 2.0], llmfast.DimensionMismatchError, "expected 3 dimensions, got 2"),
        ([], llmfast.DimensionMismatchError, "expected 3 dimensions, got 0"),
        (
            np.ones((1, 3), dtype=np.float32),
            llmfast.DimensionMismatchError,
            r"a vector \(1-D\), got 2-D with shape \[1, 3\]",
        ),
        (np.array(1.0, dtype=np.float32), TypeError, "expected a vector of numbers, got ndarray"),
        ([1.0, 2.0, float("nan")], llmfast.InvalidVectorError, "component 2 is NaN"),
        ([1.0, float("-inf"), 1.0], llmfast.InvalidVectorError, "component 1 is infinite"),
        (np.array([1e300, 0, 0]), llmfast.InvalidVectorError, "component 0 is infinite"),
        ([0, 0, 0], llmfast.InvalidVectorError, "no direction"),
        (["a", "b", "c"], TypeError, "expected a number as component 0, got str"),
        ([1, None, 2], TypeError, "expected a number as component 1, got NoneType"),
        ([[1, 2, 3]], TypeError, "expected a number as component 0, got list"),
        ("abc", TypeError, "expected a vector of numbers, got str"),
        (b"abc", TypeError, "expected a vector of numbers, got bytes"),
        ({1: 2}, TypeError, "expected a vector of numbers, got dict"),
        (iter([1, 2, 3]), TypeError, "expected a vector of numbers, got list_iterator"),
        (None, TypeError, "expected a vector of numbers, got NoneType"),
    ],
)
def test_bad_vectors_are_refused(vector: Any, error: type[Exception], message: str) -> None:
    index = FlatIndex(3)
    with pytest.raises(error, match=message):
        index.add(1, vector)
    with pytest.raises(error, match=message):
        index.search(vector)
    assert len(index) == 0


def test_bad_matrices_are_refused() -> None:
    index = FlatIndex(3)
    with pytest.raises(llmfast.DimensionMismatchError, match=r"a matrix \(2-D\), got 1-D"):
        index.search_many(np.ones(3, dtype=np.float32))
    with pytest.raises(llmfast.DimensionMismatchError, match="row 1: expected 3 dimensions, got 2"):
        index.search_many([[1, 2, 3], [1, 2]])
    with pytest.raises(llmfast.InvalidVectorError, match="row 1: component 0 is NaN"):
        index.search_many([[1, 2, 3], [float("nan"), 2, 3]])
    with pytest.raises(TypeError, match="expected a matrix of numbers, got str"):
        index.search_many("abc")


def test_bad_parameters_are_refused() -> None:
    for dim in (0, 4097):
        with pytest.raises(llmfast.ConfigError, match=f"1 to 4096 dimensions, got {dim}"):
            FlatIndex(dim)
    index = FlatIndex(1)
    with pytest.raises(llmfast.ConfigError, match="k of at least 1, got 0"):
        index.search([1.0], 0)
    with pytest.raises(llmfast.ConfigError, match="got NaN"):
        index.search([1.0], min_score=float("nan"))
    for id_ in (-1, 2**64):
        with pytest.raises(OverflowError):
            index.add(id_, [1.0])
    with pytest.raises(OverflowError):
        index.add(1, [1.0], partition=2**128)


@pytest.mark.parametrize("kind", [FlatIndex, HnswIndex])
def test_without_a_least_score_there_is_no_bound(kind: type[FlatIndex | HnswIndex]) -> None:
    index = kind(2)
    index.add_many([1, 2], [[1.0, 0.0], [-0.1, 0.0]])
    assert index.search([1.0, 0.0], 2) == index.search([1.0, 0.0], 2, min_score=None) == [Hit(1, 1.0), Hit(2, -1.0)]
    assert index.search_many([[1.0, 0.0]], 2, min_score=None) == index.search_many([[1.0, 0.0]], 2, min_score=-1.0)
    for method in (kind.search, kind.search_many):
        assert inspect.signature(method).parameters["min_score"].default is None


def test_an_index_shows_what_it_holds() -> None:
    index = FlatIndex(2)
    assert repr(index) == "FlatIndex(dim=2, rows=0)"
    index.add(7, [1.0, 0.0])
    assert repr(index) == "FlatIndex(dim=2, rows=1)"
    assert repr(HnswIndex(3, expansion=32)) == "HnswIndex(dim=3, rows=0, connectivity=16, expansion=32)"


def test_hits_unpack_and_compare() -> None:
    hit = Hit(3, 0.5)
    id_, score = hit
    assert (id_, score, hit.id, hit.score) == (3, 0.5, 3, 0.5)
    assert repr(hit) == "Hit(id=3, score=0.5)"
    assert hit == Hit(3, 0.5)
    assert hit != Hit(3, 0.25)
    assert len({hit, Hit(3, 0.5), Hit(4, 0.5)}) == 2
    with pytest.raises(AttributeError):
        hit.id = 4  # type: ignore[misc]


def test_save_and_load(tmp_path: Path) -> None:
    index = FlatIndex(16)
    matrix = np.random.default_rng(5).normal(size=(100, 16)).astype(np.float32)
    index.add_many(range(60), matrix[:60])
    index.add_many(range(60, 100), matrix[60:], partition=2**127)
    path = tmp_path / "rows.index"
    index.save(path)
    index.save(str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["rows.index"]
    loaded = FlatIndex.load(path)
    assert (loaded.dim, len(loaded)) == (16, 100)
    for partition in (0, 2**127):
        assert loaded.search_many(matrix, 5, partition=partition) == index.search_many(matrix, 5, partition=partition)
    loaded.add(1_000, matrix[0])


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    index = FlatIndex(3)
    index.add(1, [1, 2, 3])
    path = tmp_path / "rows.index"
    index.save(path)
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content + b"x", content[:40] + b"\xff" + content[41:], b"\0" * 1_000):
        path.write_bytes(damaged)
        with pytest.raises(llmfast.CorruptFileError, match=r"rows\.index is damaged"):
            FlatIndex.load(path)
    with pytest.raises(FileNotFoundError, match=r"missing\.index"):
        FlatIndex.load(tmp_path / "missing.index")


def test_memory_is_counted() -> None:
    index = FlatIndex(384)
    empty = index.memory_bytes
    index.add_many(range(1_000), np.ones((1_000, 384), dtype=np.float32))
    # The row, its signs, its nibbles, and some numbers.
    row = 384 * 4 + 384 // 8 + 384
    assert 1_000 * row <= index.memory_bytes - empty <= 1_000 * (row + 100)


def test_compacting_moves_rows_to_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=(2_000, 384)).astype(np.float32)
    index = FlatIndex(384)
    index.add_many(range(2_000), matrix, partition=3)
    index.remove(77)
    queries = matrix[:20] + rng.normal(size=(20, 384)).astype(np.float32) * 0.3
    expected = index.search_many(queries, 5, partition=3)
    index.compact(tmp_path / "rows.index")
    assert index.memory_bytes < 50_000
    assert len(index) == 1_999
    assert 77 not in index
    assert index.search_many(queries, 5, partition=3) == expected
    index.add(77, matrix[77], partition=3)
    assert index.search(matrix[77], partition=3) == [Hit(77, 1.0)]
    assert index.remove(5)
    assert not index.remove(5)
    index.update(6, matrix[5])
    assert index.search(matrix[5], 2, min_score=0.99, partition=3) == [Hit(6, 1.0)]
    index.compact(tmp_path / "rows.index")
    assert index.search(matrix[5], 2, min_score=0.99, partition=3) == [Hit(6, 1.0)]


def test_damage_behind_the_header_is_found_by_what_touches_it(tmp_path: Path) -> None:
    index = FlatIndex(64)
    index.add_many(range(500), np.random.default_rng(9).normal(size=(500, 64)))
    path = tmp_path / "rows.index"
    index.save(path)
    content = bytearray(path.read_bytes())
    # The rows themselves lie at the end, before the table of checksums.
    content[-20_000] ^= 1
    path.write_bytes(content)
    damaged = FlatIndex.load(path)
    assert len(damaged) == 500
    with pytest.raises(llmfast.CorruptFileError, match=r"the checksum of bytes \d+ to \d+ does not match"):
        damaged.search_many(np.eye(64), 500)
    with pytest.raises(llmfast.CorruptFileError):
        damaged.save(tmp_path / "other.index")
    assert [file.name for file in tmp_path.iterdir()] == ["rows.index"]


def test_threads_search_while_others_write() -> None:
    index = FlatIndex(8)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        try:
            for i in range(200):
                vector = rng.normal(size=8)
                index.add(number * 1_000 + i, vector, partition=number)
                assert index.search(vector, partition=number)[0].id == number * 1_000 + i
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(index) == 800


def test_numpy_is_not_imported_for_lists() -> None:
    program = (
        "import sys, llmfast; i = llmfast.FlatIndex(2); i.add(1, [1, 2]); i.search([1, 2]); i.search_many([[1, 2]]);"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
