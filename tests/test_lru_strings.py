"""LruCache with strings as keys, which are looked up a way of their own: beside a dict."""

from __future__ import annotations

import contextlib
import gc
import itertools
import sys
import weakref

import pytest
from hypothesis import given, strategies as st

from llmfast import LruCache, _llmfast


class Text(str):
    """Equal to the string, and of the same hash, but looked up the general way."""


def unhashed(text: str) -> str:
    """Return an equal string that has not been asked for its hash, if it has more than one character."""
    return (text + "x")[:-1]


def hashed(text: str) -> str:
    """Return an equal string that knows its hash."""
    copy = unhashed(text)
    hash(copy)
    return copy


texts = st.one_of(
    st.text("ab", max_size=3),
    st.text("aé日🦀\0", max_size=3),
    st.text("a\ud800\udfff", max_size=2),
    st.integers(0, 40).map(lambda number: f"a longer text that needs more than one cache line, number {number}"),
)
forms = st.sampled_from([str, unhashed, hashed, sys.intern, Text])
steps = st.lists(st.tuples(st.sampled_from(["insert", "get", "subscript", "in", "remove"]), texts, forms), max_size=64)


@given(st.sampled_from([64, 100, 5_000, 100_000]), st.sampled_from(["lru", "s3-fifo"]), st.booleans(), steps)
def test_strings_of_every_form_are_found_as_in_a_dict(capacity, policy, lives, steps):
    # Nothing is evicted, and nothing expires: entries with a lifetime are looked up another way.
    cache = LruCache(capacity, policy=policy, time_to_live=3600 if lives else None)
    held: dict[str, int] = {}
    hits = misses = 0
    for number, (step, text, form) in enumerate(steps):
        key = form(text)
        if step == "insert":
            cache[key] = held[text] = number
        elif step == "remove":
            assert cache.remove(key) == (held.pop(text, None) is not None)
        elif step == "in":
            assert (key in cache) == (text in held)
        elif step == "get":
            assert cache.get(key) == held.get(text)
        elif text in held:
            assert cache[key] == held[text]
        else:
            with pytest.raises(KeyError) as raised:
                cache[key]
            assert raised.value.args == (text,)
        if step in ("get", "subscript"):
            hits, misses = hits + (text in held), misses + (text not in held)
    assert dict(cache.items()) == held
    stats = cache.stats()
    assert (stats.hits, stats.misses) == (hits, misses)


@pytest.mark.parametrize("capacity", [10, 1_000, 50_000])
def test_lookups_leave_the_counts_of_references_as_they_are(capacity):
    cache = LruCache(capacity)
    entries = [(f"key {number}", object()) for number in range(10)]
    for key, value in entries:
        cache[key] = value
    absent, default = hashed("absent"), object()
    watched = [*(key for key, _ in entries), *(value for _, value in entries), absent, default, cache]
    before = [sys.getrefcount(one) for one in watched]
    for _ in range(100):
        for key, value in entries:
            assert cache.get(key) is cache.get(hashed(key)) is cache.get(unhashed(key)) is cache[key] is value
        assert cache.get(absent) is None
        assert cache.get(absent, default) is default
        with contextlib.suppress(KeyError):
            cache[absent]
        with contextlib.suppress(KeyError):
            cache[Text(absent)]
    assert [sys.getrefcount(one) for one in watched] == before


def values() -> list[object]:
    """Return values whose references may be counted ahead, and some of types for which that would be wrong."""
    return [unhashed("an answer"), b"%d" % 2**70, 2**70 + 1, 2.5 + 1, object(), [1], ("a tuple", [2]), Text("a text")]


LEAVING = ["remove", "replace", "evict", "expire", "clear", "drop"]


@pytest.mark.parametrize("leaving", LEAVING)
@pytest.mark.parametrize("policy", ["lru", "s3-fifo"])
@pytest.mark.parametrize("capacity", [10, 1_000, 50_000])
def test_all_references_to_a_value_go_with_its_entry(capacity, policy, leaving):
    for lookups in range(18):
        cache, held = LruCache(capacity, policy=policy), values()
        before = [sys.getrefcount(value) for value in held]
        for number, value in enumerate(held):
            cache.insert(f"key {number}", value, time_to_live=1e-9 if leaving == "expire" else None)
            for lookup in range(0 if leaving == "expire" else lookups):
                assert (cache[f"key {number}"] if lookup % 3 == 1 else cache.get(f"key {number}")) is value
            assert leaving == "expire" or value in cache.values()
        del value
        for number in range(len(held)):
            if leaving == "remove":
                assert cache.remove(f"key {number}")
            elif leaving == "replace":
                cache[f"key {number}"] = None
            elif leaving == "expire":
                assert cache.get(f"key {number}") is None
        if leaving == "evict":
            # The table grows on the way.
            for number in range(min(2 * capacity, 4_000)):
                cache[f"another key {number}"] = None
        elif leaving == "clear":
            cache.clear()
        elif leaving == "drop":
            del cache
        gone = [leaving != "evict" or f"key {number}" not in cache for number in range(len(held))]
        # A large cache keeps all, and S3-FIFO what was asked for.
        assert all(gone) or capacity > 1_000 or (policy == "s3-fifo" and lookups > 0)
        after = [sys.getrefcount(value) for value in held]
        assert list(itertools.compress(after, gone)) == list(itertools.compress(before, gone))


def test_the_collector_finds_a_cycle_through_values_that_were_looked_up():
    cache = LruCache(1_000)
    holder = Holder(cache)
    cache["holder"], cache["text"] = holder, unhashed("an answer")
    for _ in range(20):
        assert cache.get("holder") is holder
        assert cache["text"] == "an answer"
    gone = weakref.ref(holder)
    del holder, cache
    gc.collect()
    assert gone() is None


class Holder:
    """Refers to a cache."""

    def __init__(self, cache: LruCache) -> None:
        self.cache = cache


@pytest.mark.parametrize("capacity", [1, 1_000, 50_000])
def test_a_value_lives_on_when_its_entry_goes(capacity):
    cache, made = LruCache(capacity), [1, 2]
    before = sys.getrefcount(made)
    cache["key"] = made
    value = cache.get("key")
    del cache["key"]
    assert value is made
    assert value == [1, 2]
    del value
    assert sys.getrefcount(made) == before


def test_the_interpreters_strings_are_laid_out_as_the_fast_way_expects():
    assert _llmfast._STRINGS_ARE_KNOWN, (
        "lookups by strings take the long way with this interpreter: see support/strings.rs"
    )
