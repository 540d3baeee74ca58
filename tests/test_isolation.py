"""No tenant ever sees a row of another: not exactly, not by meaning, not where a row was forged."""

from __future__ import annotations

import random

import pytest

from asking import Clock
from encoders import TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy
from llmfast._llmfast import Row
from llmfast._memory import as_number

STATIC = CachePolicy(mode="static", threshold=0.9)

PIECES = [
    "",
    "a",
    "b",
    "ab",
    "A",
    "\u00e9",
    "e\u0301",
    "K",
    "\u212a",
    "/",
    ":",
    "\0",
    " ",
    "None",
    "PUBLIC",
    "o",
    "p",
    "n",
    "1",
]


def scopes(count, seed):
    """Names that differ in as little as names can: case, Unicode form, a separator, a length."""
    choose, made = random.Random(seed), dict.fromkeys([None, *PIECES])
    while len(made) < count:
        made.setdefault("".join(choose.choices(PIECES, k=choose.randint(1, 6))))
    return list(made)


def key_and_partition(cache, scope):
    plan = cache.plan(_ask(scope), "")
    return plan.key, as_number(cache.semantic.places(plan)[0])


def _ask(scope, query="t/="):
    from llmfast._request import Ask

    return Ask(query, scope)


def test_of_a_hundred_thousand_pairs_of_scopes_none_shares_a_row():
    names = scopes(500, 1)
    cache = Cache(encoder=TopicEncoder(), policy=STATIC, clock=Clock(), capacity=10_000)
    for number, scope in enumerate(names):
        answer = cache.get_or_generate_sync("t/=", lambda _, n=number: n, scope=scope, user="u")
        assert (answer.response, answer.source) == (number, "llm_call"), repr(scope)
    for number, scope in enumerate(names):
        exact = cache.get_or_generate_sync("t/=", lambda _: "nobody's", scope=scope, user="u")
        assert (exact.response, exact.source) == (number, "exact_hit"), repr(scope)
        near = cache.get_or_generate_sync("t/other words", lambda _: "nobody's", scope=scope)
        assert (near.response, near.source) == (number, "semantic_hit"), repr(scope)
    # Every one of them was looked at beside all the others.
    assert len(names) * (len(names) - 1) >= 10**5
    identities = [key_and_partition(cache, scope) for scope in names]
    assert len({key for key, _ in identities}) == len({partition for _, partition in identities}) == len(names)


@pytest.mark.parametrize("seed", range(5))
def test_a_forged_row_is_a_miss(seed):
    """A row under another's key, or with a vector in another's partition, serves nobody."""
    choose, names = random.Random(seed), scopes(60, seed)
    cache = Cache(encoder=TopicEncoder(), policy=STATIC, clock=Clock())
    identities = {scope: key_and_partition(cache, scope) for scope in names}
    vector = cache.encoder.encode(["t/="])[0]
    for victim, (key, partition) in identities.items():
        other = choose.choice([scope for scope in identities if scope != victim])
        forged = {"payload": b"forged", "codec": "text", "created_at": cache.clock(), "question": "t/="}
        theirs = Row(key=identities[other][0], partition=identities[other][1], **forged)
        cache._memory.rows_by_key.insert(key, theirs)
        misplaced = Row(key=bytes(choose.randbytes(32)), partition=identities[other][1], **forged)
        cache._memory.put(misplaced, None, cache.plan(_ask(victim), ""))
        cache._memory.index.add(cache._memory.ids.add(misplaced.key), vector, partition=partition)
    mine = {scope: set() for scope in identities}
    for scope in identities:
        for query in ("t/=", "t/other"):
            answer = cache.get_or_generate_sync(query, lambda _: "mine", scope=scope)
            mine[scope].add(answer.key)
            assert answer.response == "mine", (scope, query, answer)
            # Nor is it shown, however near it lies.
            shown = cache.explain(f"{query}?", scope=scope).neighbours
            assert {neighbour.key for neighbour in shown} <= mine[scope], (scope, query)


def test_what_is_public_is_no_tenants():
    cache = Cache(encoder=TopicEncoder(), policy=STATIC)
    for scope in ("PUBLIC", "llmfast.PUBLIC", "p", ""):
        cache.get_or_generate_sync("t/=", lambda _: "theirs", scope=scope, user="u")
    assert cache.get_or_generate_sync("t/=", lambda _: "public", scope=PUBLIC, user="u").response == "public"
    assert cache.get_or_generate_sync("t/=", lambda _: "?", scope="PUBLIC").response == "theirs"


def test_another_secret_opens_nothing():
    one, other = Cache(secret=bytes(16)), Cache(secret=bytes(15) + b"1")
    assert one.plan(_ask("a"), "").key != other.plan(_ask("a"), "").key
    assert one.plan(_ask("a"), "").key == Cache(secret=bytes(16)).plan(_ask("a"), "").key
