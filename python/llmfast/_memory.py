"""Rows and vectors in this process: the exact tier and the index over the questions that it holds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from ._llmfast import FlatIndex, LruCache

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from ._llmfast import Hit, Row, _Encoding

#: Rows looked at before a search is repeated without the ones that turned out to be over.
BREADTH = 4


class Match(NamedTuple):
    """A stored row and the cosine between its question and the one that was asked."""

    row: Row
    score: float


class MemoryTier:
    """Holds rows by exact key, and finds those that came with a vector by meaning.

    A row lies in one place: when it is evicted, replaced or over, its vector goes with it. Every method is safe from
    any thread.
    """

    def __init__(self, capacity: int, dim: int | None) -> None:
        self._rows: LruCache[bytes, Row] = LruCache(capacity)
        self._index = None if dim is None else FlatIndex(dim)
        # Guards the pairing of keys with ids; the cache and the index have locks of their own.
        self._lock = threading.Lock()
        self._id_of: dict[bytes, int] = {}
        self._key_of: dict[int, bytes] = {}
        self._next_id = 0

    def get(self, key: bytes, now: float) -> Row | None:
        """Return the row of `key` unless its time is over."""
        row = self._rows.get(key)
        if row is not None and row.is_expired(now):
            self._drop(key, row)
            return None
        return row

    def put(self, row: Row, vector: np.ndarray | _Encoding | None) -> None:
        """Store a row, to be found by meaning too if there is a `vector` of its question (float32, (dim,))."""
        key = row.key
        with self._lock:
            _, evicted = self._rows._insert_evicting(key, row)
            for gone in (key, *evicted):
                self._forget_vector(gone)
            if vector is not None and self._index is not None:
                # Ids grow, so that of two questions equally near the older answer wins.
                row_id, self._next_id = self._next_id, self._next_id + 1
                self._index.add(row_id, vector, partition=row.partition)
                self._id_of[key], self._key_of[row_id] = row_id, key

    def remove(self, key: bytes) -> bool:
        """Remove a row and its vector; return whether it was there."""
        with self._lock:
            self._forget_vector(key)
            return self._rows.remove(key)

    def nearest(
        self,
        vector: np.ndarray | _Encoding,
        partition: int,
        min_score: float,
        now: float,
        accept: Callable[[Row], bool],
    ) -> tuple[Match | None, float | None]:
        """Return the nearest acceptable row at `min_score` or above, and the cosine of the nearest of all that are.

        Rows that are over are removed on the way; rows that `accept` refuses are passed by.
        """
        if self._index is None:
            return None, None
        best, breadth = None, BREADTH
        while True:
            hits = self._index.search(vector, breadth, min_score=min_score, partition=partition)
            best = hits[0].score if hits and best is None else best
            stale = 0
            for hit in hits:
                row = self._row(hit.id, now)
                if row is None:
                    stale += 1
                elif row.partition == partition and accept(row):
                    return Match(row, hit.score), best
            if len(hits) < breadth:
                return None, best
            if not stale:
                breadth *= 4

    def decide(
        self, hits: list[Hit], partition: int, now: float, accept: Callable[[Row], bool]
    ) -> tuple[bool, Match | None]:
        """Decide by the hits of a search over `BREADTH` rows: whether they are enough, and the row that `accept` takes.

        They are not enough where `nearest` would search further, or remove a row that is over, for which it may have to
        wait. This waits for nothing.
        """
        for hit in hits:
            key = self._key_of.get(hit.id)
            row = None if key is None else self._rows.get(key)
            if row is None or row.is_expired(now):
                return False, None
            if row.partition == partition and accept(row):
                return True, Match(row, hit.score)
        return len(hits) < BREADTH, None

    @property
    def index(self) -> FlatIndex | None:
        """The vectors, for those who search elsewhere; None without an encoder."""
        return self._index

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self._rows.clear()
            for key in list(self._id_of):
                self._forget_vector(key)

    @property
    def rows(self) -> int:
        """Rows held."""
        return len(self._rows)

    @property
    def vectors(self) -> int:
        """Rows that can be found by meaning."""
        return len(self._id_of)

    def _row(self, row_id: int, now: float) -> Row | None:
        key = self._key_of.get(row_id)
        row = None if key is None else self.get(key, now)
        if row is None and key is not None:
            with self._lock:
                # Unless the key was stored again meanwhile, with a vector of its own.
                if self._id_of.get(key) == row_id and self._rows.peek(key) is None:
                    self._forget_vector(key)
        return row

    def _drop(self, key: bytes, row: Row) -> None:
        """Remove a row and its vector, unless another row took its place meanwhile."""
        with self._lock:
            if self._rows.peek(key) is row:
                self._forget_vector(key)
                self._rows.remove(key)

    def _forget_vector(self, key: bytes) -> None:
        row_id = self._id_of.pop(key, None)
        if row_id is not None and self._index is not None:
            del self._key_of[row_id]
            self._index.remove(row_id)
