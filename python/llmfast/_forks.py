"""Forks, which copy a lock as it is and the thread that holds it not at all.

A lock that another thread holds at that moment could never be taken in the child. So who forks takes all of them
first, and what they guard is whole on both sides. Nobody may wait for a lock of another library while it holds one of
these: that library may have a hook of its own, which took that lock before.
"""

from __future__ import annotations

import os
import threading
import time
import weakref

from ._llmfast import after_fork, before_fork

#: How long, in seconds, who forks waits for locks; longer than anything here holds one.
PATIENCE = 10.0

_locks: dict[int, weakref.ref[threading.RLock]] = {}


class _Taken(threading.local):
    """What the thread that forks has taken."""

    locks: tuple[threading.RLock, ...] = ()


_taken = _Taken()


def new_lock() -> threading.RLock:
    """Return a lock that a forked child finds open, unless it was forked by the thread that holds it.

    It may be taken again by its holder: hooks of other libraries at a fork may look into a cache.
    """
    lock = threading.RLock()
    number = id(lock)

    def forget(reference: weakref.ref[threading.RLock]) -> None:
        if _locks.get(number) is reference:
            del _locks[number]

    _locks[number] = weakref.ref(lock, forget)
    return lock


def _before() -> None:
    _taken.locks = _take(_all_locks())
    # Not the other way round: who holds a lock may wait for a search.
    before_fork()


def _after() -> None:
    after_fork()
    locks, _taken.locks = _taken.locks, ()
    for lock in locks:
        lock.release()


def _all_locks() -> list[threading.RLock]:
    while True:
        try:
            references = list(_locks.values())
        except RuntimeError:
            # A finalizer came in between, and one went.
            continue
        return [lock for lock in (reference() for reference in references) if lock is not None]


def _take(locks: list[threading.RLock]) -> tuple[threading.RLock, ...]:
    """Take all locks, in any order: whoever finds one taken lets go of all others before it waits for that one."""
    deadline, wanted = time.monotonic() + PATIENCE, None
    while True:
        if wanted is not None and not wanted.acquire(timeout=max(0.0, deadline - time.monotonic())):
            # Its holder may wait for this thread.
            locks, wanted = [lock for lock in locks if lock is not wanted], None
            continue
        taken = [] if wanted is None else [wanted]
        for lock in locks:
            if lock is wanted:
                continue
            if not lock.acquire(blocking=False):
                break
            taken.append(lock)
        else:
            return tuple(taken)
        for other in taken:
            other.release()
        wanted = lock


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
