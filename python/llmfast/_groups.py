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
        named = [("tag", criteria.tag), ("version", criteria.version), ("scope", criteria.scope)]
        return self._shelves[shelf].fewest([group for group in named if group[1] is not None])

    def __len__(self) -> int:
        """How many keys are known."""
        return sum(len(shelf.groups_of) for shelf in self._shelves)

    def _shelf(self, key: bytes) -> _Shelf:
        return self._shelves[key[0] % SHELVES]


class _Shelf:
    def __init__(self) -> None:
        self.keys_of: dict[Group, set[bytes]] = {}
        self.groups_of: dict[bytes, tuple[Group, ...]] = {}

    def add(self, key: bytes, groups: tuple[Group, ...]) -> None:
        for group in groups:
            self.keys_of.setdefault(group, set()).add(key)
        self.groups_of[key] = groups

    def forget(self, key: bytes) -> None:
        for group in self.groups_of.pop(key, ()):
            keys = self.keys_of[group]
            keys.discard(key)
            if not keys:
                del self.keys_of[group]

    def fewest(self, groups: Iterable[Group]) -> list[bytes]:
        """Return the keys of the smallest of the groups; all keys if none is named."""
        named = [self.keys_of.get(group, set()) for group in groups]
        return list(min(named, key=len) if named else self.groups_of)
