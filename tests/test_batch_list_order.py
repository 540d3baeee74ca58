"""Which of the lists that wait for room is fed next, and which are late, without a queue."""

from __future__ import annotations

import weakref

import pytest

from llmfast._batch_lists import Lists


class Group:
    """Stands for the core's part of a list."""


def waiting(*wishes, ageing=10.0):
    """Lists that wait: of each its tenant, priority, seconds to the deadline and when it came; and their groups."""
    lists, groups = Lists(ageing), []
    for tenant, priority, seconds, now in wishes:
        groups.append(Group())
        lists.add(groups[-1], None, (priority, seconds, tenant, None), now)
    return lists, groups


def in_order(lists, groups):
    """Return the numbers of the lists as they are fed, one a turn."""
    order = []
    while (first := lists.first()) is not None:
        order.append(groups.index(first.group))
        lists.discard(first.group)
        lists.pass_turn(first.tenant)
    return order


@pytest.mark.parametrize(
    ("wishes", "order"),
    [
        ([("a", 0, None, 0.0), ("a", 0, None, 0.0), ("a", 0, None, 0.0)], [0, 1, 2]),
        ([("a", 0, None, 0.0), ("a", 0, 60.0, 0.0), ("a", 0, 30.0, 0.0)], [2, 1, 0]),
        ([("a", 0, None, 0.0), ("a", 1, None, 5.0)], [1, 0]),
        # Ten seconds are worth one of priority.
        ([("a", 0, None, 0.0), ("a", 1, None, 25.0)], [0, 1]),
        ([("a", 0, 50.0, 0.0), ("a", 0, 30.0, 5.0)], [1, 0]),
        ([("a", 0, None, 0.0), ("a", 5, None, 0.0), ("b", 0, None, 0.0)], [1, 2, 0]),
    ],
    ids=repr,
)
def test_lists_are_fed_by_priority_age_deadline_and_turn(wishes, order):
    assert in_order(*waiting(*wishes)) == order


def test_a_deadline_counts_from_when_the_list_came():
    lists, groups = waiting(("a", 0, None, 100.0), ("a", 0, 5.0, 100.0), ("b", 0, 7.0, 100.0))
    assert (lists.earliest(), lists.over(104.9)) == (105.0, [])
    assert [listed.group for listed in lists.over(105.0)] == [groups[1]]
    assert {listed.group for listed in lists.over(200.0)} == set(groups[1:])
    assert [listed.deadline for listed in lists.over(200.0)] == [105.0, 107.0]
    lists.discard(groups[2])
    assert [listed.group for listed in lists.over(200.0)] == [groups[1]], "who left is late no more"
    lists.add(groups[2], None, (0, 7.0, "b", None), 100.0)
    lists.discard(groups[1])
    assert (lists.earliest(), [listed.group for listed in lists.over(200.0)]) == (107.0, [groups[2]])
    lists.discard(groups[2])
    assert (lists.earliest(), lists.over(1e9)) == (None, [])
    assert in_order(lists, groups) == [0]


def test_a_tenant_whose_lists_are_gone_holds_up_no_other():
    lists, groups = waiting(("a", 0, None, 0.0), ("a", 0, 5.0, 0.0), ("b", 0, None, 0.0), ("a", 0, None, 0.0))
    lists.discard(groups[1])
    lists.discard(groups[0])
    assert lists.first().group is groups[3]
    lists.discard(groups[3])
    assert lists.first().group is groups[2]
    lists.discard(groups[2])
    assert lists.first() is None
    gone = [weakref.ref(group) for group in groups]
    del groups
    assert [reference() for reference in gone] == [None] * 4
