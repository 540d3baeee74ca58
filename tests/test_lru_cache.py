"""LruCache through Python: keys of every kind, re-entrance, garbage collection."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from collections import OrderedDict
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

import llmfast
from llmfast import LruCache

keys = st.one_of(
    st.integers(-3, 3),
    st.booleans(),
    st.floats(-3, 3).map(round).map(float),
    st.text("ab", max_size=2),
    st.binary(max_size=1),
    st.tuples(st.integers(0, 2), st.text("ab", max_size=1)),
    st.integers(-3, 3).map(Decimal),
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("get"), keys, st.none()),
        st.tuples(st.just("insert"), keys, st.integers()),
        st.tuples(st.just("remove"), keys, st.none()),
    ),
    max_size=120,
)


@given(st.integers(1, 6), operations)
def test_it_behaves_like_an_ordered_dict(capacity, operations):
    cache, model = LruCache(capacity), OrderedDict()
    for operation, key, value in operations:
        if operation == "get":
            assert cache.get(key) == model.get(key)
            if key in model:
                model.move_to_end(key)
        elif operation == "insert":
            cache.insert(key, value)
            model[key] = value
            model.move_to_end(key)
            if len(model) > capacity:
                model.popitem(last=False)
        else:
            assert cache.remove(key) == (model.pop(key, None) is not None)
        assert cache.items() == list(reversed(model.items()))
        assert len(cache) == len(model)


def test_values_come_back_by_reference():
    cache, value = LruCache(2), object()
    cache["a"] = value
    assert cache["a"] is value
    assert cache.get("a") is value
    assert cache.peek("a") is value


def test_one_true_and_one_point_zero_are_one_key():
    cache = LruCache(4)
    cache[1] = "int"
    cache[True] = "bool"
    cache[1.0] = "float"
    cache[Decimal(1)] = "decimal"
    assert (len(cache), cache[1]) == (1, "decimal")
    assert cache.get("1") is None


def test_the_mapping_protocol():
    cache = LruCache(3)
    cache["a"], cache["b"] = 1, 2
    assert "a" in cache
    assert "c" not in cache
    assert list(cache) == cache.keys() == ["b", "a"]
    assert cache.values() == [2, 1]
    del cache["a"]
    with pytest.raises(KeyError, match="'a'"):
        cache["a"]
    with pytest.raises(KeyError, match="'a'"):
        del cache["a"]
    with pytest.raises(TypeError, match="unhashable"):
        cache.get([])
    assert cache.get("zz", "default") == "default"


def test_peek_and_contains_do_not_count_as_use():
    cache = LruCache(2)
    cache["a"], cache["b"] = 1, 2
    assert cache.peek("a") == 1
    assert "a" in cache
    cache["c"] = 3
    assert "a" not in cache
    assert cache.stats().hits == cache.stats().misses == 0


class Key:
    """A key that runs Python code when it is compared, inside which it uses the cache."""

    def __init__(self, name, cache=None):
        self.name, self.cache = name, cache

    def __hash__(self):
        return 7

    def __eq__(self, other):
        if self.cache is not None:
            self.cache.insert(f"seen {other.name}", True)
            self.cache.get(self.name)
        return isinstance(other, Key) and self.name == other.name


def test_a_comparison_may_use_the_cache():
    cache = LruCache(16)
    cache[Key("a", cache)] = 1
    cache[Key("b", cache)] = 2
    assert cache[Key("a", cache)] == 1
    assert cache[Key("b", cache)] == 2
    assert cache.get(Key("c", cache)) is None
    assert cache.get("seen a")


def test_a_comparison_that_raises_is_passed_on_and_nothing_changes():
    class Bad(Key):
        def __eq__(self, other):
            raise RuntimeError("no comparison")

        __hash__ = Key.__hash__

    cache = LruCache(4)
    cache[Key("a")] = 1
    for use in (cache.get, cache.peek, cache.remove, lambda key: cache.insert(key, 2)):
        with pytest.raises(RuntimeError, match="no comparison"):
            use(Bad("a"))
    assert cache.items() == [(cache.keys()[0], 1)]


def test_a_value_that_uses_the_cache_when_it_dies_does_not_deadlock():
    class Value:
        def __del__(self):
            died.append(cache.get("x"))

    died, cache = [], LruCache(1)
    cache["a"] = Value()
    cache["b"] = Value()
    cache["b"] = Value()
    cache.remove("b")
    cache["c"] = Value()
    cache.clear()
    assert died == [None] * 4


def test_it_takes_part_in_cyclic_garbage_collection():
    class Value:
        pass

    cache, value = LruCache(2), Value()
    cache["a"], value.cache = value, cache
    alive = weakref.ref(value)
    del cache, value
    gc.collect()
    assert alive() is None


def test_bytes_are_bounded_and_counted():
    cache = LruCache(100, max_bytes=100)
    cache.insert("a", 1, weight=60)
    cache.insert("b", 2, weight=40)
    cache.insert("c", 3, weight=30)
    assert (cache.keys(), cache.stats().bytes) == (["c", "b"], 70)
    cache.insert("b", 4, weight=101)
    assert (cache.keys(), cache.stats().rejections, cache.stats().evictions) == (["c"], 1, 1)
    measured = LruCache(100, max_bytes=10_000)
    measured["k"] = "v" * 1000
    assert 1000 < measured.stats().bytes < 1300


def test_insert_evicting_names_what_went():
    cache = LruCache(1)
    assert cache._insert_evicting("a", 1) == (True, [])
    assert cache._insert_evicting("b", 1) == (True, ["a"])
    assert LruCache(1, max_bytes=5)._insert_evicting("a", 1, weight=6) == (False, [])


def test_get_or_insert_with():
    cache, calls = LruCache(2), []

    def factory():
        calls.append(1)
        if len(calls) == 1:
            raise OSError("first")
        return cache.get_or_insert_with("inner", lambda: "nested")

    with pytest.raises(OSError, match="first"):
        cache.get_or_insert_with("a", factory)
    assert cache.get_or_insert_with("a", factory) == cache.get_or_insert_with("a", factory) == "nested"
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capacity": 0}, "capacity must be at least 1, got 0"),
        ({"capacity": 1, "max_bytes": 0}, "max_bytes must be at least 1, got 0"),
        ({"capacity": 1, "time_to_live": 0.0}, "time_to_live must be a finite number of seconds above 0, got 0"),
        ({"capacity": 1, "time_to_live": float("nan")}, "got NaN"),
        ({"capacity": 1, "time_to_live": -1.0}, "got -1"),
        ({"capacity": 1, "policy": "fifo"}, "policy must be 'lru', got 'fifo'"),
    ],
)
def test_bad_limits_are_refused(arguments, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        LruCache(**arguments)


def test_copying_and_pickling_are_refused_with_a_reason():
    with pytest.raises(TypeError, match="cannot be copied"):
        copy.copy(LruCache(1))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(LruCache(1))


def test_threads_see_only_values_of_their_key():
    cache, wrong = LruCache(64), []

    def work(seed):
        for step in range(4000):
            key = (step * 31 + seed) % 200
            value = cache.get(key)
            if value is not None and value != (key, "value"):
                wrong.append(value)
            cache.insert(key, (key, "value"))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(cache) == 64
