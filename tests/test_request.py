"""Identity: what makes two requests the same."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

import llmfast
from llmfast._llmfast import Identifier

BASE = {"model": "m", "system": "s", "messages": [], "params": {}, "context": [], "version": ""}
identifier = Identifier(b"a secret of the tests")

names = st.text(max_size=5).filter(lambda text: text.isprintable())
data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


def fingerprint(**fields):
    return identifier.fingerprint(**{**BASE, **fields})


def shuffled(value):
    """The same data with its dicts built in the opposite order and its lists as tuples."""
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(value)}
    return tuple(map(shuffled, value)) if isinstance(value, list) else value


@given(data)
def test_the_order_of_names_and_the_type_of_lists_do_not_matter(value):
    assert fingerprint(params=value) == fingerprint(params=shuffled(value))


@given(data, data)
def test_values_share_a_fingerprint_only_if_equal(one, other):
    def by_value(value):
        # True equals 1 in Python, and not in JSON.
        if isinstance(value, bool):
            return ("bool", value)
        if isinstance(value, list):
            return ("list", *map(by_value, value))
        if isinstance(value, dict):
            return frozenset((name, by_value(item)) for name, item in value.items())
        return value

    same = fingerprint(params={"x": one}) == fingerprint(params={"x": other})
    assert same == (by_value(one) == by_value(other))


@pytest.mark.parametrize("field", [*BASE, "router"])
def test_every_field_counts(field):
    assert fingerprint(**{field: "x"}) != fingerprint()


def test_integers_of_any_size_count_by_value():
    prints = {
        fingerprint(params=number) for number in (2**127 - 1, 2**127, -(2**127) - 1, 10**400, int("9" * 32), "9" * 32)
    }
    assert len(prints) == 6
    assert fingerprint(params=10**400) == fingerprint(params=10**400)


def test_a_text_and_bytes_are_different():
    assert fingerprint(params="a") != fingerprint(params=b"a")


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"a": [object()]}, TypeError, r"params\.a must be JSON data .* got object"),
        ({1: 2}, TypeError, "params must have str as names, got int"),
        ({"a": "x\ud800"}, llmfast.InvalidTextError, r"params\.a has a lone surrogate at position 1"),
        ({"\ud800": 1}, llmfast.InvalidTextError, "params has a lone surrogate at position 0"),
    ],
)
def test_data_without_an_identity_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        fingerprint(params=value)


def test_bottomless_data_is_refused():
    deep = []
    deep.append(deep)
    with pytest.raises(llmfast.ConfigError, match="params is nested more than 128 levels deep"):
        fingerprint(params=deep)


def test_scopes_are_separate():
    print_ = fingerprint()
    scopes = [None, llmfast.PUBLIC, "", "a", "None"]
    assert len({identifier.exact_key(scope, print_, "q") for scope in scopes}) == 5
    assert len({identifier.partition(scope, "e", print_) for scope in scopes}) == 5
    with pytest.raises(TypeError, match=r"scope must be a str, None or llmfast.PUBLIC, got int"):
        identifier.exact_key(1, print_, "q")


def test_secrets_are_separate():
    other = Identifier(b"another secret of the tests")
    assert identifier.fingerprint(**BASE) != other.fingerprint(**BASE)
    assert identifier.row_key != other.row_key


def test_a_principal_is_the_user_else_the_scope():
    assert identifier.principal(None) is identifier.principal(llmfast.PUBLIC) is None
    assert len({identifier.principal("a"), identifier.principal("a", "u"), identifier.principal("b", "u")}) == 3
