"""Which rows an invalidation may mean: the keys of rows by what they can be invalidated by."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._invalidation import Criteria
    from ._llmfast import Row

    #: What rows are named by: "tag", "version" or "scope", and its value.
    Group: TypeAlias = tuple[str, object]

#: A million rows are some 16,000 on each shelf, whose keys are read in less than a millisecond.
SHELVES = 64


class Groups:
    """Keys of rows by scope, version and tags. Guarded by the lock of whoever holds it.

    They lie on `SHELVES` shelves by their first byte (keys are hashes), so that nobody needs to read all in one go.
    """

    def __init__(self) -> None:
        self._shelves: list[_Shelf] = []
        self.clear()

    def add(self, row: Row) -> None:
        """Note a row whose key is not known."""
        named = [("scope", row.scope), *(("tag", tag) for tag in row.tags)]
        self._shelf(row.key).add(row.key, tuple([*named, ("version", row.version)] if row.version else named))

    def forget(self, key: bytes) -> None:
        """Forget a key, if it is known."""
        self._shelf(key).forget(key)

    def clear(self) -> None:
        """Forget all keys."""
        self._shelves = [_Shelf() for _ in range(SHELVES)]

    def may_mean(self, criteria: Criteria, shelf: int) -> list[bytes]:
        """Return the keys on a shelf whose rows `criteria` may cover; the rows themselves say whether it does."""
        # Rows without a version lie in no group of that name: nearly all may be such.
        named = [("tag", criteria.tag), ("version", criteria.version or None), ("scope", criteria.scope)]
        return self._shelves[shelf].fewest([group for group in named if group[1] is not None])

    def __len__(self) -> int:
        """How many keys are known."""
        return sum(len(shelf) for shelf in self._shelves)

    def _shelf(self, key: bytes) -> _Shelf:
        return self._shelves[key[0] % SHELVES]


class _Shelf:
    """Dicts of bytes and numbers alone are none that the garbage collector looks at; sets are, key by key."""

    def __init__(self) -> None:
        self.keys_of: dict[Group, dict[bytes, None]] = {}
        # Rows have few combinations of groups, so that each has a number.
        self._number_of: dict[tuple[Group, ...], int] = {}
        self._groups: dict[int, tuple[Group, ...]] = {}
        self._rows: dict[int, int] = {}
        self._number_by_key: dict[bytes, int] = {}
        self._next = 0

    def add(self, key: bytes, groups: tuple[Group, ...]) -> None:
        number = self._number_of.get(groups)
        if number is None:
            number, self._next = self._next, self._next + 1
            self._number_of[groups], self._groups[number], self._rows[number] = number, groups, 0
        for group in groups:
            self.keys_of.setdefault(group, {})[key] = None
        self._rows[number] += 1
        self._number_by_key[key] = number

    def forget(self, key: bytes) -> None:
        number = self._number_by_key.pop(key, None)
        if number is None:
            return
        groups = self._groups[number]
        # A tag may be named twice.
        for group in dict.fromkeys(groups):
            keys = self.keys_of[group]
            del keys[key]
            if not keys:
                del self.keys_of[group]
        self._rows[number] -= 1
        if not self._rows[number]:
            del self._rows[number], self._groups[number], self._number_of[groups]

    def fewest(self, groups: Iterable[Group]) -> list[bytes]:
        """Return the keys of the smallest of the groups; all keys if none is named."""
        named = [self.keys_of.get(group, {}) for group in groups]
        return list(min(named, key=len) if named else self._number_by_key)

    def __len__(self) -> int:
        return len(self._number_by_key)
