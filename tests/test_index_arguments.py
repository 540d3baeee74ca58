"""What an index takes for vectors, matrices and ids is looked at before it is copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import llmfast
from llmfast import FlatIndex, HnswIndex

#: More numbers than any memory holds.
MANY = 10**14


def endless(*shape: int, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    """Return an array of this shape whose numbers are all the same one in memory."""
    return np.broadcast_to(np.array(1, dtype), shape)


@pytest.fixture(params=[FlatIndex, HnswIndex])
def index(request: Any) -> Any:
    made = request.param(4)
    made.add(1, [1.0, 2.0, 3.0, 4.0])
    return made


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_empty_matrix_of_another_shape_is_refused(index: Any, dtype: Any) -> None:
    for shape in [(0, 3), (3, 0), (0, 0), (2, 0, 4), (0, 4, 4)]:
        for call in (index.search_many, lambda matrix: index.add_many([], matrix)):
            with pytest.raises(llmfast.DimensionMismatchError):
                call(np.zeros(shape, dtype))
    for nothing in (np.zeros((0, 4), dtype), np.array([], dtype), [], ()):
        assert index.search_many(nothing) == []
        index.add_many([], nothing)
    assert len(index) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_has_another_shape_is_refused_whatever_its_size(index: Any, dtype: Any) -> None:
    for vector in (endless(MANY, dtype=dtype), endless(MANY, 4, dtype=dtype), range(MANY)):
        for call in (index.search, lambda vector: index.add(2, vector), lambda vector: index.update(1, vector)):
            with pytest.raises(llmfast.DimensionMismatchError):
                call(vector)
    for matrix in (endless(MANY, dtype=dtype), endless(MANY, 3, dtype=dtype), endless(2, MANY, 4, dtype=dtype)):
        with pytest.raises(llmfast.DimensionMismatchError):
            index.search_many(matrix)
    with pytest.raises(llmfast.DimensionMismatchError, match=f"row 1: expected 4 dimensions, got {MANY}"):
        index.search_many([[1, 2, 3, 4], range(MANY)])


def test_another_number_of_ids_is_refused_whatever_it_is(index: Any) -> None:
    row = np.ones((1, 4), np.float32)
    for ids in (endless(MANY, dtype=np.uint64), endless(MANY, dtype=np.int64), range(MANY)):
        with pytest.raises(llmfast.ConfigError, match=f"as many rows as ids, got 1 rows and {MANY} ids"):
            index.add_many(ids, row)
    with pytest.raises(llmfast.DimensionMismatchError, match=r"expected ids \(1-D\), got 2-D"):
        index.add_many(endless(1, MANY, dtype=np.uint64), row)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_memory_has_no_room_for_is_an_error(index: Any, dtype: Any) -> None:
    with pytest.raises(llmfast.OutOfMemoryError, match=f"no memory for a copy of {4 * MANY} numbers"):
        index.search_many(endless(MANY, 4, dtype=dtype))
    with pytest.raises(MemoryError):
        index.add_many([2], endless(MANY, 4, dtype=dtype))
    assert len(index) == 1


class Liar(list[float]):
    """Says to have four items."""

    def __len__(self) -> int:
        return 4


def test_a_sequence_that_is_longer_than_it_says_is_refused(index: Any) -> None:
    for numbers in ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0, 5.0]):
        with pytest.raises(llmfast.DimensionMismatchError, match=f"got {len(numbers)}"):
            index.search(Liar(numbers))
        with pytest.raises(llmfast.DimensionMismatchError, match=f"row 0: expected 4 dimensions, got {len(numbers)}"):
            index.search_many([Liar(numbers)])


@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_set_has_no_order_and_is_refused(index: Any, kind: Any) -> None:
    name = kind.__name__
    numbers = kind([1.0, 2.0, 3.0, 4.0])
    for call in (index.search, lambda vector: index.add(2, vector), lambda vector: index.search_many([vector])):
        with pytest.raises(TypeError, match=f"expected a vector of numbers, got {name}"):
            call(numbers)
    with pytest.raises(TypeError, match=f"expected a matrix of numbers, got {name}"):
        index.search_many(kind([(1.0, 2.0, 3.0, 4.0)]))
    with pytest.raises(TypeError, match=f"expected a sequence of integers, got {name}"):
        index.add_many(kind([2, 3]), np.ones((2, 4)))
    # Those of a dict are in the order of its items.
    assert index.search(dict.fromkeys([1.0, 2.0, 3.0, 4.0]).keys())[0].score == 1.0


@pytest.mark.parametrize("ids", [b"\2\3", bytearray(b"\2\3"), "23", {2: 0, 3: 0}, iter([2, 3]), 2, None])
def test_what_is_no_sequence_of_integers_is_refused_as_ids(index: Any, ids: Any) -> None:
    with pytest.raises(TypeError, match=f"expected a sequence of integers, got {type(ids).__name__}"):
        index.add_many(ids, np.ones((2, 4)))
    assert len(index) == 1


@pytest.mark.parametrize("ids", [[2, 3], (2, 3), range(2, 4), np.array([2, 3], np.uint8), np.array([2, 3], ">u8")])
def test_ids_come_in_many_forms(index: Any, ids: Any) -> None:
    index.add_many(ids, np.ones((2, 4)))
    assert (2 in index, 3 in index, len(index)) == (True, True, 3)
