"""Finding the items that fail a batch: by halves, in a bounded number of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ._errors import NestedBatchError, UntriedItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Calls that may be made to find what fails a batch, for each halving that one bad item takes, and some for small
#: batches: as long as none has succeeded, since then it may be the function that fails, and once one has.
WITHOUT_SUCCESS = 2
WITH_SUCCESS = 8
SPARE = 2

#: Multiples of it lie evenly between 0 and 1, less whole ones.
_GOLDEN = 0.6180339887


class Attempts(Protocol):
    """What finding a bad item needs of a batch."""

    def wanted(self, places: Sequence[int]) -> list[int]:
        """Return the places among these that somebody waits for."""

    async def attempt(self, places: list[int]) -> Exception | None:
        """Call the function for these items alone and hand out the results; return what it raised."""

    def fail(self, places: list[int], error: BaseException) -> None:
        """Give these items an error, each a copy of its own."""


async def isolate(batch: Attempts, size: int, error: Exception, fails_all: Callable[[Exception], bool]) -> None:
    """Find the items that fail a batch of `size`, which raised `error`; the others get their results.

    A bad item is found by halves, then the rest is tried in groups, half as large after each bad one and twice as
    large after each that succeeds (binary splitting: Hwang, "A method for detecting all defective members in a
    population by group testing", 1972). Before a call has succeeded single items are tried: it may be the function
    that fails. With one bad item of n this takes 2 log2(n) calls at most, log2(n) rounded up.

    An item fails with what the function raised for it alone. What was not tried when the calls are used up gets an
    UntriedItemError, or the function's own error if every call raised the same: then it is no item that fails it.
    An error on the way that `fails_all`, such as too many requests, ends the search: all that is left gets it.
    """
    try:
        await _Search(batch, size, error, fails_all).run()
    except _FailsAllError as end:
        batch.fail(batch.wanted(range(size)), end.raised)


class _FailsAllError(Exception):
    """A call raised what is no item's own."""

    def __init__(self, raised: Exception) -> None:
        super().__init__(raised)
        self.raised = raised


class _Search:
    def __init__(self, batch: Attempts, size: int, error: Exception, fails_all: Callable[[Exception], bool]) -> None:
        self._batch = batch
        self._size = size
        self._fails_all = fails_all
        self._halvings = max(1, (size - 1).bit_length())
        self._made = self._succeeded = 0
        self._latest = error
        #: Whether all calls raised alike.
        self._alike = True

    async def run(self) -> None:
        rest = list(range(self._size))
        # The whole batch was tried.
        group, rest, raised, step = rest, [], self._latest, self._size
        while True:
            rest = await self._narrow(group, rest, raised)
            step = max(1, step // 2)
            while True:
                rest = self._batch.wanted(rest)
                if not rest:
                    return
                if self._is_over():
                    self._give_up(rest)
                    return
                if self._succeeded:
                    group, rest = rest[:step], rest[step:]
                else:
                    # Spread evenly, however bad items lie together.
                    group = [rest.pop(int(len(rest) * (self._made * _GOLDEN % 1)))]
                found = await self._try(group)
                if found is not None:
                    raised = found
                    break
                if len(group) > 1 or step == 1:
                    step *= 2

    async def _narrow(self, group: list[int], rest: list[int], raised: Exception) -> list[int]:
        """Find one item that fails in a group that raised; return what else is to be tried."""
        alone = len(group) == 1
        while True:
            group = self._batch.wanted(group)
            if not group:
                return rest
            if alone or isinstance(raised, NestedBatchError):
                self._batch.fail(group, raised)
                return rest
            if self._is_over():
                self._give_up(group)
                return rest
            half = group[: (len(group) + 1) // 2]
            found = await self._try(half)
            if found is not None:
                rest, group, raised = group[len(half) :] + rest, half, found
                alone = len(half) == 1
            else:
                # What failed together fails without its first half: no need to see that again.
                group = group[len(half) :]

    def _is_over(self) -> bool:
        return self._made >= SPARE + self._halvings * (WITH_SUCCESS if self._succeeded else WITHOUT_SUCCESS)

    async def _try(self, places: list[int]) -> Exception | None:
        self._made += 1
        raised = await self._batch.attempt(places)
        if raised is None:
            self._succeeded += 1
        elif self._fails_all(raised):
            raise _FailsAllError(raised)
        else:
            self._alike = self._alike and _are_alike(raised, self._latest)
            self._latest = raised
        return raised

    def _give_up(self, places: list[int]) -> None:
        if self._alike and not self._succeeded:
            self._batch.fail(places, self._latest)
            return
        for place in places:
            untried = UntriedItemError(
                f"the batch of this item failed ({type(self._latest).__name__}), and it was not tried alone: "
                f"after {self._made} calls there were still items that fail"
            )
            untried.__cause__ = self._latest
            self._batch.fail([place], untried)


def _are_alike(error: Exception, other: Exception) -> bool:
    try:
        return type(error) is type(other) and bool(error.args == other.args)
    except Exception:  # noqa: BLE001 - whatever compares them
        return False
