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

    It may be stopped between any two steps, by what a signal's handler raises, such as KeyboardInterrupt. So what is
    written first is what does no harm alone: a key in groups without a row, an id without a vector. Of what is left
    like that a row can be found by an invalidation, and none by a question that it does not belong to.
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

    def holds(self, row: Row) -> bool:
        """Return whether this row is stored, and not another one under its key."""
        return self.rows_by_key.peek(row.key) is row

    def put(self, row: Row, vector: np.ndarray | _Encoding | None, plan: Plan, *, public: bool = False) -> bool:
        """Store a row, to be found by meaning too if there is a `vector` of its question (float32, (dim,)).

        A `public` one is found by meaning only after `release`. Returns False, and stores nothing, if an invalidation
        that came after the request of `plan` began covers it. What is raised may have stored the row without its
        vector, if the index has no room for one: `holds` tells.
        """
        key = row.key
        with self._lock:
            if self.invalidations.overtook(plan):
                return False
            if public:
                self.has_public_rows = True
            self._groups.expect(row)
            # The vector of what lay there might be one that this row is not to be found by.
            self._forget_vector(key)
            _, evicted = self.rows_by_key._insert_evicting(key, row)
            self._groups.settle(row)
            for gone in evicted:
                self._forget(gone)
            if vector is not None and self.index is not None:
                if public:
                    self._held[key] = vector
                else:
                    self._add_vector(row, vector)
        return True

    def is_held(self, key: bytes) -> bool:
        """Return whether a row waits to be found by meaning."""
        return key in self._held

    def release(self, row: Row) -> bool:
        """Let a held row, which is public, be found by meaning; return whether it was held."""
        with self._lock:
            # Another row under the key has a vector of its own, which waits on.
            if not self.holds(row):
                return False
            vector = self._held.pop(row.key, None)
            if vector is None:
                return False
            self.has_public_vectors = True
            self._add_vector(row, vector)
            return True

    def remove(self, key: bytes) -> bool:
        """Remove a row and its vector; return whether it was there."""
        with self._lock:
            was_there = self.rows_by_key.remove(key)
            self._forget(key)
            return was_there

    def row_of(self, key: bytes) -> Row | None:
        """Return the row of a key that `candidates` named, if it is there still."""
        row = self.rows_by_key.peek(key)
        if row is None:
            self._forget_gone(key)
        return row

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
        best, breadth, number = None, BREADTH, as_number(partition)
        refused: set[int] = set()
        gone: set[int] = set()
        while True:
            hits = self.index.search(vector, breadth, min_score=plan.policy.threshold, partition=number)
            best = hits[0].score if hits and best is None else best
            # Each is looked at once, so that this ends whatever the index holds.
            new = [hit for hit in hits if hit.id not in refused and hit.id not in gone]
            before = len(gone)
            for hit in new:
                row = self._row(hit.id, now)
                if row is None:
                    gone.add(hit.id)
                elif row.lies_in(partition) and accept(plan, row, hit.score, now):
                    return (row, hit.score), best
                else:
                    refused.add(hit.id)
            if len(hits) < breadth or len(refused) >= WIDEST or not (new or breadth < WIDEST):
                return None, best
            # Those that are gone make room for others.
            if len(gone) == before:
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
        """Return the row that a vector belongs to, unless it is over; a vector without a row is removed."""
        key = self.ids.key_of(row_id)
        row = None if key is None else self.get(key, now)
        if key is None:
            self._forget_stray(row_id)
        elif row is None:
            self._forget_gone(key)
        return row

    def _drop(self, key: bytes, row: Row) -> None:
        """Remove a row and its vector, unless another row took its place meanwhile."""
        with self._lock:
            if self.holds(row):
                self.rows_by_key.remove(key)
                self._forget(key)

    def _forget_gone(self, key: bytes) -> None:
        """Forget a key that has no row, unless it was stored again meanwhile."""
        with self._lock:
            if self.rows_by_key.peek(key) is None:
                self._forget(key)

    def _forget_stray(self, row_id: int) -> None:
        """Remove the vector of an id that no key has; one that is being added has its key before."""
        assert self.index is not None
        with self._lock:
            if self.ids.key_of(row_id) is None:
                self.index.remove(row_id)

    # ---- with the lock ----------------------------------------------------------------------------------------------

    def _add_vector(self, row: Row, vector: np.ndarray | _Encoding) -> None:
        assert self.index is not None
        try:
            self.index.add(self.ids.add(row.key), vector, partition=row.partition)
        except BaseException:
            self._forget_vector(row.key)
            raise

    def _forget(self, key: bytes) -> None:
        """Forget what is known of a row, which is gone."""
        self._forget_vector(key)
        self._groups.forget(key)

    def _forget_vector(self, key: bytes) -> None:
        """Let a row be found by meaning no more."""
        self._held.pop(key, None)
        row_id = self.ids.id_of(key)
        if row_id is not None and self.index is not None:
            self.index.remove(row_id)
            # Not before: by its key it is found again if this stops in between.
            self.ids.remove(key)
