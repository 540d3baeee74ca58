"""LruCache and Python's memory: what the cyclic garbage collector sees of it, and that it lets go of what it held."""

from __future__ import annotations

import gc
import weakref

import pytest

from llmfast import LruCache
from llmfast._llmfast import Row


def test_it_takes_part_in_cyclic_garbage_collection():
    class Value:
        pass

    cache, value = LruCache(2), Value()
    cache["other"] = "text"
    cache["a"], value.cache = value, cache
    alive = weakref.ref(value)
    del cache, value
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("store", ["insert", "_insert_evicting", "__setitem__"])
def test_what_the_collector_looks_at_is_shown_to_it_and_nothing_else(store):
    """A collection goes through all that a cache refers to, and holds up every thread: 200 ms for 100,000 rows."""
    cache = LruCache(8)
    row = Row(key=bytes(32), partition=0, payload=b"", codec="text", created_at=0.0)
    for key, value in ((1, "text"), (b"2", b"bytes"), ("3", 4.0), (bytes(32), row)):
        getattr(cache, store)(key, value)
    assert not gc.is_tracked(row)
    assert gc.get_referents(cache) == [type(cache)]
    value = []
    getattr(cache, store)("list", value)
    assert any(referent is value for referent in gc.get_referents(cache))
    assert any(referent is row for referent in gc.get_referents(cache))


def test_a_key_that_the_collector_looks_at_is_shown_to_it():
    cache, key = LruCache(8), (1, 2)
    cache.insert(key, "value")
    assert any(referent is key for referent in gc.get_referents(cache))


def test_objects_are_let_go_of_exactly_once():
    class Value:
        pass

    cache, alive = LruCache(50), weakref.WeakSet()
    for step in range(500):
        value = Value()
        alive.add(value)
        cache[f"key {step % 80}"] = value
        del value
        assert len(alive) == len(cache)
    cache.clear()
    assert not alive
