"""LruCache through Python: keys of every kind, re-entrance, threads that compute."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
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
        ({"capacity": 1, "policy": "fifo"}, "policy must be 'lru' or 's3-fifo', got 'fifo'"),
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


class Text(str):
    """A key that takes the long way, and is equal to the short one."""


@pytest.mark.parametrize("key", ["a", b"a", 7, -1, 2**80, 1.5, True, (1, "a"), None, frozenset({1})])
def test_every_way_to_call_does_the_same(key):
    cache = LruCache(100)
    cache.insert(key, 1)
    assert cache[key] == cache.get(key) == cache.get(key=key) == cache.get(key, default=0) == cache.peek(key) == 1
    cache[key] = 2
    assert cache.get(key, 0) == 2
    cache.insert(key=key, value=3)
    assert cache[key] == 3
    cache.insert(key, 4, weight=5)
    assert (cache[key], cache.stats().bytes) == (4, 5)
    assert cache.get("absent", 0) == cache.get("absent", default=0) == 0
    assert cache.get("absent") is None
    del cache[key]
    with pytest.raises(KeyError) as raised:
        cache[key]
    assert raised.value.args == (key,)
    assert cache.stats().hits == 7


def test_short_and_long_ways_meet():
    cache = LruCache(100)
    cache[Text("a")] = 1
    assert cache["a"] == cache.get("a") == 1
    cache["a"] = 2
    assert (cache[Text("a")], len(cache)) == (2, 1)
    cache[Decimal(3)] = 3
    assert cache[3] == cache[3.0] == 3


@pytest.mark.parametrize(
    "call", ["get()", "get(1, 2, 3)", "get(1, defaults=2)", "insert(1)", "insert(1, 2, 3)", "insert(1, 2, ttl=3)"]
)
def test_wrong_arguments_are_refused(call):
    with pytest.raises(TypeError):
        eval(f"cache.{call}", {"cache": LruCache(1)})


def test_the_type_is_what_it_seems():
    assert (LruCache.__name__, LruCache.__module__) == ("LruCache", "llmfast")
    assert repr(LruCache[str, int]) == "llmfast.LruCache[str, int]"
    cache = LruCache(1)
    assert type(cache) is LruCache
    cache["a"] = 1
    assert repr(cache) == "LruCache(capacity=1, entries=1)"
    assert weakref.ref(cache)() is cache
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (LruCache,), {})
    with pytest.raises(AttributeError):
        cache.anything = 1


def test_s3_fifo_keeps_what_is_used_while_a_scan_goes_through():
    kept = {}
    for policy in ("lru", "s3-fifo"):
        cache = LruCache(1000, policy=policy)
        for key in range(300):
            cache[key] = key
            cache.get(key)
        for key in range(10_000, 20_000):
            cache[key] = key
        kept[policy] = sum(key in cache for key in range(300))
    assert kept["lru"] == 0
    assert kept["s3-fifo"] > 280


def test_s3_fifo_is_bounded_by_bytes_too():
    cache = LruCache(10_000, max_bytes=1000, policy="s3-fifo")
    for key in range(500):
        cache.insert(key, key, weight=7)
        assert cache.stats().bytes <= 1000
    assert len(cache) == 142


def in_threads(count, work):
    """Run `work(number)` in threads that start together; return what it returned, in order."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(number):
        barrier.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "deadlock"
    return results


def test_threads_that_miss_together_compute_once():
    cache, calls, others = LruCache(10), [], threading.Semaphore(0)

    def factory():
        calls.append(1)
        # Until all the others have asked, or at least had the time for it.
        for _ in range(7):
            others.acquire(timeout=5)
        return object()

    def work(_):
        others.release()
        return cache.get_or_insert_with("a", factory)

    results = in_threads(8, work)
    assert len(calls) == 1
    assert len({id(result) for result in results}) == 1


def test_after_an_exception_the_next_one_tries():
    cache, calls = LruCache(10), []

    def factory():
        calls.append(1)
        if len(calls) <= 3:
            raise OSError(f"attempt {len(calls)}")
        return "value"

    def work(_):
        try:
            return cache.get_or_insert_with("a", factory)
        except OSError:
            return None

    results = in_threads(6, work)
    assert sorted(results, key=str) == [None] * 3 + ["value"] * 3
    assert len(calls) == 4


def test_a_factory_may_ask_for_its_own_key():
    cache, depth = LruCache(10), []

    def factory():
        depth.append(1)
        return "value" if len(depth) == 3 else cache.get_or_insert_with("a", factory)

    assert cache.get_or_insert_with("a", factory) == "value"
    assert (cache["a"], len(depth)) == ("value", 3)


@pytest.mark.parametrize("caches", [1, 2])
def test_factories_that_ask_for_each_others_keys_do_not_deadlock(caches):
    made = [LruCache(10) for _ in range(caches)]
    both = threading.Barrier(2)

    def work(number):
        mine, other = ("a", "b") if number == 0 else ("b", "a")

        def outer():
            both.wait(30)
            return made[-number].get_or_insert_with(other, lambda: f"{other} by {mine}")

        return made[number - 1].get_or_insert_with(mine, outer)

    assert all(result for result in in_threads(2, work))


def test_a_value_that_the_cache_does_not_keep_is_computed_once_too():
    cache, calls, others = LruCache(10, max_bytes=1), [], threading.Semaphore(0)

    def factory():
        calls.append(1)
        for _ in range(3):
            others.acquire(timeout=5)
        return "heavier than a byte"

    def work(_):
        others.release()
        return cache.get_or_insert_with("a", factory)

    assert len(set(in_threads(4, work))) == 1
    assert len(cache) == 0
    assert len(calls) <= 2, "a thread that comes when the others are done may compute again"


class Flickering:
    """A key whose comparisons fail while `broken`."""

    broken = False

    def __hash__(self):
        if self.broken:
            raise KeyError("no hash")
        return 1

    def __eq__(self, other):
        return isinstance(other, Flickering)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_key_that_fails_when_its_value_is_there_holds_up_nobody():
    cache, key = LruCache(10), Flickering()

    def factory():
        key.broken = True
        raise OSError("computed nothing")

    with pytest.raises(OSError, match="computed nothing"):
        cache.get_or_insert_with(key, factory)
    assert in_threads(2, lambda _: cache.get_or_insert_with(Flickering(), lambda: "value")) == ["value"] * 2


def test_bytes_and_str_of_equal_hash_are_not_compared():
    # `python -b` warns of such comparisons, and the warning runs Python code.
    code = """if True:
        import warnings, llmfast
        cache = llmfast.LruCache(100)
        assert hash("a") == hash(b"a")
        warnings.showwarning = lambda *_: cache.insert("from the warning", 1)
        cache["a"], cache[b"a"] = 1, 2
        assert (cache["a"], cache.get(b"a"), len(cache)) == (1, 2, 2), cache.items()
    """
    subprocess.run([sys.executable, "-b", "-c", code], check=True)


def test_a_key_that_cannot_be_hashed_is_refused():
    with pytest.raises(TypeError, match="unhashable"):
        LruCache(1).get_or_insert_with([], list)


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
