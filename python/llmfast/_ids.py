"""Which row of the index belongs to which key, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._groups import SHELVES

if TYPE_CHECKING:
    from collections.abc import Iterator


class Ids:
    """Keys and the ids of their rows in the index. Guarded by the lock of whoever holds it, but for `key_of`.

    They lie on shelves like the groups: one dict of 100,000 keys is copied when it grows, which holds up every thread
    for milliseconds. A coming or going that was stopped halfway is undone, or done, by `remove`.
    """

    def __init__(self) -> None:
        self._keys: list[dict[int, bytes]] = [{} for _ in range(SHELVES)]
        self._ids: list[dict[bytes, int]] = [{} for _ in range(SHELVES)]
        self._next = 0

    def add(self, key: bytes) -> int:
        """Return the id of a key that has none yet.

        Ids grow, so that of two questions equally near the older answer wins.
        """
        row_id, self._next = self._next, self._next + 1
        self._ids[key[0] % SHELVES][key] = row_id
        self._keys[row_id % SHELVES][row_id] = key
        return row_id

    def remove(self, key: bytes) -> int | None:
        """Forget a key; return the id that it had."""
        ids = self._ids[key[0] % SHELVES]
        row_id = ids.get(key)
        if row_id is not None:
            self._keys[row_id % SHELVES].pop(row_id, None)
            ids.pop(key, None)
        return row_id

    def id_of(self, key: bytes) -> int | None:
        """Return the id of a key, if it has one."""
        return self._ids[key[0] % SHELVES].get(key)

    def key_of(self, row_id: int) -> bytes | None:
        """Return the key of a row, if it is still there."""
        return self._keys[row_id % SHELVES].get(row_id)

    def __iter__(self) -> Iterator[bytes]:
        """Go through the keys; none may come or go meanwhile."""
        for ids in self._ids:
            yield from ids

    def __len__(self) -> int:
        """How many keys have an id."""
        return sum(map(len, self._ids))
