"""Which rows an invalidation may mean: the keys of rows by what they can be invalidated by.

Copied in one go, and in order of use, the keys of 100,000 rows held up the event loop and every storing thread for 67
ms; shelf by shelf it is 0.4. The price is a dict for each shelf that a group lies on, some 200 bytes a row and group
where groups have few rows. Dicts of bytes and numbers alone are passed over by the garbage collector, which sets are
not.
"""

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

    A row is found as long as it is stored, whatever stops its storing halfway, such as what a signal's handler raises:
    its groups are noted before it is stored, and forgotten after it is gone. What that leaves behind is a key too many.
    """

    def __init__(self) -> None:
        self._shelves: list[_Shelf] = []
        self.clear()

    def expect(self, row: Row) -> None:
        """Note a row that is about to be stored; the one that its key may have had is found as before."""
        self._shelf(row.key).expect(row.key, _groups_of(row))

    def settle(self, row: Row) -> None:
        """Forget what the row was not named by that lay where this one, which was expected, lies now."""
        self._shelf(row.key).settle(row.key, _groups_of(row))

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


def _groups_of(row: Row) -> tuple[Group, ...]:
    named = [("scope", row.scope), *(("tag", tag) for tag in row.tags)]
    # A tag may be named twice.
    return tuple(dict.fromkeys([*named, ("version", row.version)] if row.version else named))


class _Shelf:
    """Dicts of bytes and numbers alone are none that the garbage collector looks at; sets are, key by key.

    At each moment a key lies in no group that is not noted for it, so that whatever was left half done can be undone.
    """

    def __init__(self) -> None:
        self.keys_of: dict[Group, dict[bytes, None]] = {}
        # Rows have few combinations of groups, so that each has a number.
        self._number_of: dict[tuple[Group, ...], int] = {}
        self._groups: dict[int, tuple[Group, ...]] = {}
        # How many keys have a number, or more: what is too high keeps a combination, what is too low would lose it.
        self._rows: dict[int, int] = {}
        self._number_by_key: dict[bytes, int] = {}
        self._next = 0

    def expect(self, key: bytes, groups: tuple[Group, ...]) -> None:
        before = self._noted(key)
        self._note(key, before if set(before).issuperset(groups) else tuple(dict.fromkeys((*before, *groups))))
        for group in groups:
            self.keys_of.setdefault(group, {})[key] = None

    def settle(self, key: bytes, groups: tuple[Group, ...]) -> None:
        before = self._noted(key)
        if before == groups:
            return
        self._take_out(key, set(before).difference(groups))
        self._note(key, groups)

    def forget(self, key: bytes) -> None:
        self._take_out(key, self._noted(key))
        self._uncount(self._number_by_key.pop(key, None))

    def _noted(self, key: bytes) -> tuple[Group, ...]:
        number = self._number_by_key.get(key)
        return () if number is None else self._groups[number]

    def _note(self, key: bytes, groups: tuple[Group, ...]) -> None:
        before = self._number_by_key.get(key)
        number = self._number_of.get(groups)
        if number is None:
            number, self._next = self._next, self._next + 1
            self._groups[number], self._rows[number] = groups, 0
            self._number_of[groups] = number
        if number != before:
            self._rows[number] += 1
            self._number_by_key[key] = number
            self._uncount(before)

    def _take_out(self, key: bytes, groups: Iterable[Group]) -> None:
        for group in groups:
            keys = self.keys_of.get(group, {})
            keys.pop(key, None)
            if not keys:
                self.keys_of.pop(group, None)

    def _uncount(self, number: int | None) -> None:
        """Let go of a number that a key had until now."""
        if number is None:
            return
        self._rows[number] -= 1
        if not self._rows[number]:
            # The last one first, by which it would be found.
            del self._number_of[self._groups[number]], self._rows[number], self._groups[number]

    def fewest(self, groups: Iterable[Group]) -> list[bytes]:
        """Return the keys of the smallest of the groups; all keys if none is named."""
        named = [self.keys_of.get(group, {}) for group in groups]
        return list(min(named, key=len) if named else self._number_by_key)

    def __len__(self) -> int:
        return len(self._number_by_key)
