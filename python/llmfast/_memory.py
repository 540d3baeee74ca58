"""Rows and vectors in this process: the exact tier and the index over the questions that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ._forks import new_lock
from ._groups import SHELVES, Groups
from ._ids import Ids
from ._invalidation import Invalidations
from ._llmfast import FlatIndex, LruCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from ._invalidation import Criteria
    from ._llmfast import Row, _Encoding
    from ._plan import Plan

    #: A stored row and the cosine between its question and the one that was asked.
    Match: TypeAlias = tuple[Row, float]

#: Rows looked at before a search is repeated without the ones that turned out to be over.
BREADTH = 4

#: Rows looked at in all: where so many near ones are refused, a farther one is no bargain.
WIDEST = 64


def as_number(partition: bytes) -> int:
    """Return a partition as an index and a row take it. On the way of a hit it is bytes, which cost half as much."""
    return int.from_bytes(partition, "little")


class MemoryTier:
    """Holds rows by exact key, and finds those that came with a vector by meaning.

    A row lies in one place: when it is evicted, replaced or over, its vector goes with it. Every method is safe from
    any thread.
    """

    def __init__(self, capacity: int, dim: int | None) -> None:
        #: The exact tier. Read it anywhere; what is put in or taken out goes through the methods.
        self.rows_by_key: LruCache[bytes, Row] = LruCache(capacity)
        #: The vectors, for those who search elsewhere; None without an encoder.
        self.index = None if dim is None else FlatIndex(dim)
        #: The keys of the rows in the index, and their ids there. `key_of` may be asked like the exact tier.
        self.ids = Ids()
        # Guards the pairing of keys with ids; the cache and the index have locks of their own.
        self._lock = new_lock()
        #: Vectors of rows that are not to be found by meaning yet.
        self._held: dict[bytes, np.ndarray | _Encoding] = {}
        self._groups = Groups()
        self.invalidations = Invalidations()
        #: Whether a row of PUBLIC was ever stored, and found by meaning: until then nobody looks there.
        self.has_public_rows = False
        self.has_public_vectors = False

    def get(self, key: bytes, now: float) -> Row | None:
        """Return the row of `key` unless its time is over, and the one to serve stale too."""
        row = self.rows_by_key.get(key)
        if row is not None and row.is_gone(now):
            self._drop(key, row)
            return None
        return row

    def put(self, row: Row, vector: np.ndarray | _Encoding | None, plan: Plan, *, public: bool = False) -> bool:
        """Store a row, to be found by meaning too if there is a `vector` of its question (float32, (dim,)).

        A `public` one is found by meaning only after `release`. Returns False, and stores nothing, if an invalidation
        that came after the request of `plan` began covers it.
        """
        key = row.key
        with self._lock:
            if self.invalidations.overtook(plan):
                return False
            _, evicted = self.rows_by_key._insert_evicting(key, row)
            for gone in (key, *evicted):
                self._forget(gone)
            self._groups.add(row)
            if vector is not None and self.index is not None:
                if public:
                    self._held[key] = vector
                else:
                    self._add_vector(row, vector)
            if public:
                self.has_public_rows = True
        return True

    def is_held(self, key: bytes) -> bool:
        """Return whether a row waits to be found by meaning."""
        return key in self._held

    def release(self, row: Row) -> bool:
        """Let a held row, which is public, be found by meaning; return whether it was held."""
        with self._lock:
            # Another row under the key has a vector of its own, which waits on.
            if self.rows_by_key.peek(row.key) is not row:
                return False
            vector = self._held.pop(row.key, None)
            if vector is None:
                return False
            self._add_vector(row, vector)
            self.has_public_vectors = True
            return True

    def remove(self, key: bytes) -> bool:
        """Remove a row and its vector; return whether it was there."""
        with self._lock:
            self._forget(key)
            return self.rows_by_key.remove(key)

    def candidates(self, criteria: Criteria) -> Iterator[bytes]:
        """Yield the keys of the rows that `criteria` may cover; the rows themselves say whether it does.

        Rows may come and go meanwhile: of those that are there all the time none is left out.
        """
        if criteria.key is not None:
            yield criteria.key
            return
        for shelf in range(SHELVES):
            with self._lock:
                keys = self._groups.may_mean(criteria, shelf)
            yield from keys

    def invalidate(self, criteria: Criteria) -> None:
        """Store no answer any more to a request on its way that `criteria` covers. What is stored stays."""
        with self._lock:
            self.invalidations.add(criteria)

    def nearest(
        self,
        vector: np.ndarray | _Encoding,
        partition: bytes,
        now: float,
        accept: Callable[[Plan, Row, float, float], bool],
        plan: Plan,
    ) -> tuple[Match | None, float | None]:
        """Return the nearest acceptable row at the threshold or above, and the cosine of the nearest of all that are.

        Rows that are over are removed on the way; rows that `accept` refuses are passed by, up to `WIDEST`.
        """
        if self.index is None:
            return None, None
        best, breadth, refused, min_score = None, BREADTH, set(), plan.policy.threshold
        number = as_number(partition)
        while True:
            hits = self.index.search(vector, breadth, min_score=min_score, partition=number)
            best = hits[0].score if hits and best is None else best
            stale = 0
            for hit in hits:
                row = self._row(hit.id, now)
                if row is None:
                    stale += 1
                elif hit.id not in refused:
                    if row.lies_in(partition) and accept(plan, row, hit.score, now):
                        return (row, hit.score), best
                    refused.add(hit.id)
            if len(hits) < breadth or len(refused) >= WIDEST:
                return None, best
            if not stale:
                breadth = min(breadth * 4, WIDEST)

    def around(self, vector: np.ndarray | _Encoding, partition: bytes, count: int) -> list[Match]:
        """Return the `count` nearest rows of a partition, however far, over or not."""
        if self.index is None:
            return []
        hits = self.index.search(vector, count, partition=as_number(partition))
        rows = ((hit.score, self.rows_by_key.peek(self.ids.key_of(hit.id) or b"")) for hit in hits)
        return [(row, score) for score, row in rows if row is not None and row.lies_in(partition)]

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self.rows_by_key.clear()
            self._groups.clear()
            self._held.clear()
            for key in list(self.ids):
                self._forget(key)

    @property
    def rows(self) -> int:
        """Rows held."""
        return len(self.rows_by_key)

    @property
    def vectors(self) -> int:
        """Rows that can be found by meaning."""
        return len(self.ids)

    def _row(self, row_id: int, now: float) -> Row | None:
        key = self.ids.key_of(row_id)
        row = None if key is None else self.get(key, now)
        if row is None and key is not None:
            with self._lock:
                # Unless the key was stored again meanwhile, with a vector of its own.
                if self.ids.id_of(key) == row_id and self.rows_by_key.peek(key) is None:
                    self._forget(key)
        return row

    def _drop(self, key: bytes, row: Row) -> None:
        """Remove a row and its vector, unless another row took its place meanwhile."""
        with self._lock:
            if self.rows_by_key.peek(key) is row:
                self._forget(key)
                self.rows_by_key.remove(key)

    # ---- with the lock ----------------------------------------------------------------------------------------------

    def _add_vector(self, row: Row, vector: np.ndarray | _Encoding) -> None:
        assert self.index is not None
        row_id = self.ids.add(row.key)
        try:
            self.index.add(row_id, vector, partition=row.partition)
        except BaseException:
            self.ids.remove(row.key)
            raise

    def _forget(self, key: bytes) -> None:
        """Forget what is known of a row beside the row itself."""
        self._held.pop(key, None)
        self._groups.forget(key)
        row_id = self.ids.remove(key)
        if row_id is not None and self.index is not None:
            self.index.remove(row_id)
