"""Lists of items that did not fit into the queue of a batched function whole, and which of them is fed to it next."""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable

    from ._llmfast import BatchGroup


class Listed(NamedTuple):
    """A list that waits for room."""

    #: As the scheduler orders items: the class of priority and age, then the deadline (in the loop's time), arrival.
    order: tuple[int, float, int]
    group: BatchGroup
    future: asyncio.Future[list[Any]]
    tenant: Hashable

    @property
    def deadline(self) -> float:
        """When its items are of no use any more, in the loop's time."""
        return self.order[1]


class Lists(dict[int, Listed]):
    """Lists that wait, by the identity of their groups.

    Their tenants take turns, and the lists of one tenant go by priority, deadline and arrival.
    """

    def __init__(self, ageing: float) -> None:
        # A dict, since every batch looks whether there is any.
        super().__init__()
        self._ageing = ageing
        self._number = 0
        # The tenant whose turn it is first. Lists that are gone stay in the heaps until they are the first.
        self._by_tenant: OrderedDict[Hashable, list[Listed]] = OrderedDict()
        self._deadlines: list[tuple[float, int, Listed]] = []

    def add(
        self,
        group: BatchGroup,
        future: asyncio.Future[list[Any]],
        wishes: tuple[int, float | None, object, object],
        now: float,
    ) -> None:
        """Have a list wait."""
        priority, seconds, tenant, _ = wishes
        deadline = math.inf if seconds is None else now + seconds
        self._number += 1
        try:
            hash(tenant)
        except TypeError:
            # Refused when it is fed.
            tenant = None
        listed = Listed((int(now / self._ageing) - priority, deadline, self._number), group, future, tenant)
        self[id(group)] = listed
        heapq.heappush(self._by_tenant.setdefault(tenant, []), listed)
        if seconds is not None:
            heapq.heappush(self._deadlines, (deadline, self._number, listed))

    def discard(self, group: BatchGroup) -> None:
        """Take a list out."""
        self.pop(id(group), None)
        if not self:
            self._by_tenant.clear()
            self._deadlines.clear()

    def take_all(self) -> list[Listed]:
        """Take all lists out, before the first of them ends: into the room that it leaves the next would be fed."""
        taken = list(self.values())
        for listed in taken:
            self.discard(listed.group)
        return taken

    def _waits(self, listed: Listed) -> bool:
        return self.get(id(listed.group)) is listed

    def first(self) -> Listed | None:
        """Return the list that is fed next, if any waits."""
        while self._by_tenant:
            tenant, lists = next(iter(self._by_tenant.items()))
            while lists and not self._waits(lists[0]):
                heapq.heappop(lists)
            if lists:
                return lists[0]
            del self._by_tenant[tenant]
        return None

    def pass_turn(self, tenant: Hashable) -> None:
        """End the turn of a tenant."""
        if tenant in self._by_tenant:
            self._by_tenant.move_to_end(tenant)

    def earliest(self) -> float | None:
        """Return the first deadline, in the loop's time, if there is one."""
        while self._deadlines and not self._waits(self._deadlines[0][2]):
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def over(self, now: float) -> list[Listed]:
        """Return the lists whose deadlines are over."""
        earliest = self.earliest()
        if earliest is None or earliest > now:
            return []
        return [listed for deadline, _, listed in self._deadlines if deadline <= now and self._waits(listed)]
