"""The router: four prompts, one for each tier, and a score that an independent reading of the table confirms."""

from __future__ import annotations

import copy
import pickle
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from llmfast._errors import ConfigError, InvalidTextError
from llmfast._router import Decision, Router

SEED = Router.default()


@pytest.mark.parametrize(
    ("prompt", "model", "tier", "score"),
    [
        ("What is the capital of France?", "gpt-4o-mini", "simple", 0.0),
        ("Boil the water, then add the pasta.", "gpt-4o", "medium", 0.3),
        ("First write code for an interest rate swap, then test it.", "claude-sonnet-4", "complex", 0.7),
        ("First implement the theorem somehow, then write the function it needs.", "claude-opus-4", "specialized", 0.9),
    ],
)
def test_one_prompt_for_each_tier(prompt, model, tier, score):
    decision = SEED.route(prompt)
    assert (decision.model, decision.tier, decision.score) == (model, tier, score)
    assert tuple(decision) == (model, tier)


# ---- an independent reading of the seed table ------------------------------------------------------------------------

WORDS = {name: signal for name, _, signal in SEED.rules if isinstance(signal, list)}
WEIGHTS = {"length": "0.1", "steps": "0.3", "code": "0.2", "domain": "0.2", "ambiguity": "0.2"}
TIERS = [("0.3", "simple"), ("0.6", "medium"), ("0.8", "complex"), ("10", "specialized")]


def test_the_seed_table_is_the_documented_one():
    assert {name: Fraction(str(weight)) for name, weight, _ in SEED.rules} == {
        name: Fraction(weight) for name, weight in WEIGHTS.items()
    }
    assert WORDS["steps"] == ["then", "after", "first", "finally"]
    assert WORDS["code"] == ["write code", "implement", "function"]
    assert SEED.rules[0] == ("length", 0.1, 101)
    assert SEED.tiers == [
        ("simple", "gpt-4o-mini", 0.3),
        ("medium", "gpt-4o", 0.6),
        ("complex", "claude-sonnet-4", 0.8),
        ("specialized", "claude-opus-4", None),
    ]
    assert SEED.exceptions == []


def occurs(phrase, text):
    # Words of a phrase stand in one clause: nothing that ends a clause is between them.
    between = r"[^\w.,;:!?…]+"
    return re.search(rf"(?<!\w){between.join(map(re.escape, phrase.split()))}(?!\w)", text, re.IGNORECASE) is not None


def score_by_hand(text):
    fired = {name for name, words in WORDS.items() if any(occurs(word, text) for word in words)}
    if len(text.encode()) > 400:
        fired.add("length")
    return sum((Fraction(WEIGHTS[name]) for name in fired), Fraction(0)), fired


PIECES = st.sampled_from(
    [word for words in WORDS.values() for word in words]
    + [
        "strengthen",
        "thereafter",
        "functional",
        "First",
        "THEN",
        "Write\nCode",
        "write. code",
        "not—sure",
        "it_depends",
    ]
    + ["quantum", "naïve", "первый", "x" * 90]
)
TEXTS = st.lists(PIECES | st.text("abz Éß0_", max_size=4), max_size=25).flatmap(
    lambda pieces: st.lists(
        st.sampled_from([" ", "\n", ", ", ". ", "-", "", "(", "…"]), min_size=len(pieces), max_size=len(pieces)
    ).map(lambda joints: "".join(piece + joint for piece, joint in zip(pieces, joints, strict=True)))
)


@given(TEXTS)
def test_the_score_is_what_the_table_says(text):
    score, fired = score_by_hand(text)
    decision = SEED.route(text)
    assert decision.score == float(score)
    assert {signal.name for signal in decision.signals} == fired
    assert decision.tier == next(tier for bound, tier in TIERS if score < Fraction(bound))
    for signal in decision.signals:
        assert all(occurs(word, text) for word in signal.words)
        assert len(set(signal.words)) == len(signal.words)
        assert (signal.tokens is None) == (signal.name != "length")


@given(st.text())
def test_any_text_has_a_decision(text):
    decision = SEED.route(text)
    assert decision == SEED.route(text)
    assert "\n" not in decision.reason


# ---- why -------------------------------------------------------------------------------------------------------------


def test_a_decision_says_what_fired_and_why():
    decision = SEED.route("First implement it, then rest. First of all: maybe. " + "x" * 400)
    assert decision.reason == (
        "score 0.8 is at least 0.8: length 0.1 (113 tokens) + steps 0.3 (first, then) + code 0.2 (implement) "
        "+ ambiguity 0.2 (maybe)"
    )
    assert [(signal.name, signal.weight, signal.words, signal.tokens) for signal in decision.signals] == [
        ("length", 0.1, [], 113),
        ("steps", 0.3, ["first", "then"], None),
        ("code", 0.2, ["implement"], None),
        ("ambiguity", 0.2, ["maybe"], None),
    ]
    assert repr(decision.signals[1]) == 'Signal("steps", 0.3, words=["first", "then"])'
    assert repr(decision).startswith('Decision(model="claude-opus-4", tier="specialized", score=0.8, reason="score 0.8')
    assert SEED.route("hello").signals == []


def test_words_are_whole_and_any_case():
    assert SEED.route("strengthen thereafter dysfunctional firstly").score == 0
    assert SEED.route("(THEN)").score == 0.3
    router = Router(rules=[("words", 1, ["café", "λόγος", "合同", "then"])])
    for text in ("CAFE\u0301!", "ΛΌΓΟΣ", "这份合同的", "THEN"):
        assert router.route(text).score == 1, text
    for text in ("cafés", "cafe", "λόγοςx", "合x同", "then_1"):
        assert router.route(text).score == 0, text


def test_the_time_is_linear_in_the_text():
    # Not a clock: a text of ten million bytes, where anything but one pass would not end.
    for piece in ("then ", "write " * 7 + "code, ", "a\u0301", "合同"):
        text = piece * (10_000_000 // len(piece.encode()))
        assert SEED.route(text).score >= 0.1


# ---- messages and context --------------------------------------------------------------------------------------------


def test_the_last_user_turn_counts_and_the_context():
    messages = [
        {"role": "system", "content": "First, then, finally."},
        {"role": "user", "content": "implement a function"},
        {"role": "assistant", "content": "maybe"},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "Then"}, "what?"],
        },
        {"role": "tool", "content": "quantum"},
    ]
    assert [signal.name for signal in SEED.route(messages).signals] == ["steps"]
    assert SEED.route(tuple(messages[:3])).score == 0.2
    assert SEED.route("hello", context="quantum theorem").score == 0.2
    assert SEED.route("write", context="code").score == 0, "a phrase does not reach into the context"
    assert SEED.route("x" * 200, context="y" * 201).score == 0.1
    assert SEED.route([{"role": "user", "content": []}]).score == 0


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        (3, TypeError, "query must be a str or a list of messages, got int"),
        (None, TypeError, "query must be a str or a list of messages, got NoneType"),
        (b"then", TypeError, "query must be a str or a list of messages, got bytes"),
        (["hi"], TypeError, "messages[0] must be a dict with role and content, got str"),
        ([], ConfigError, "expected a message of the role user, got 0 messages with the roles: none"),
        (
            [{"role": "system", "content": "x"}, {"role": "assistant"}],
            ConfigError,
            "expected a message of the role user, got 2 messages with the roles: system, assistant",
        ),
        ([{"role": "user"}], TypeError, "messages[0].content must be a str or a list of parts, got NoneType"),
        ([{"role": "user", "content": [3]}], TypeError, "messages[0].content[0] must be a str or a dict, got int"),
        (
            [{"role": "user", "content": [{"text": 3}]}],
            TypeError,
            "messages[0].content[0].text must be a str, got int",
        ),
        ("a\ud800", InvalidTextError, "query has a lone surrogate at position 1, which no encoding can carry"),
    ],
)
def test_what_is_no_question_is_refused(query, error, message):
    with pytest.raises(error) as caught:
        SEED.route(query)
    assert type(caught.value) is error
    assert str(caught.value) == message


def test_tokens_that_are_only_counted_count_for_the_length():
    assert SEED.route("x", more_tokens=99).score == 0
    decision = SEED.route("x", context="y" * 40, more_tokens=np.int64(90))
    assert [(signal.name, signal.tokens) for signal in decision.signals] == [("length", 101)]
    for wrong in (-1, 2**63, "many", 1.5):
        with pytest.raises(ConfigError, match="more_tokens must be a number of tokens, 0 or more, got"):
            SEED.route("x", more_tokens=wrong)


def test_a_context_of_another_type_is_refused():
    with pytest.raises(TypeError, match="context must be a str or None, got list"):
        SEED.route("x", context=["y"])


# ---- own tables ------------------------------------------------------------------------------------------------------


def test_own_tables_are_exact_in_thousandths():
    router = Router(
        tiers=[("low", "small", "0.3"), ("high", "big", None)],
        rules=[("a", 0.1, ["a"]), ("b", Decimal("0.2"), ["b"]), ("long", 1, 3)],
    )
    assert router.route("a b").tier == "high", "0.1 + 0.2 is 0.3"
    assert [signal.name for signal in router.route("abcdefghi").signals] == ["long"]
    assert router.rules == [("a", 0.1, ["a"]), ("b", 0.2, ["b"]), ("long", 1.0, 3)]
    assert Router(tiers=[("only", "one", None)]).route("then").reason == "score 0.3 of the only tier: steps 0.3 (then)"


def test_numbers_of_other_libraries_count_as_they_print():
    router = Router(rules=[("a", np.float64(0.1), ["a"]), ("long", np.int64(1), np.int32(3))])
    assert router.generation == Router(rules=[("a", 0.1, ["a"]), ("long", 1, 3)]).generation


def test_exceptions_win_over_the_score_and_say_so():
    router = Router(exceptions=[("legal hold", "specialized"), ("weather", "simple")])
    decision = router.route("Then the weather, and a Legal Hold")
    assert (decision.model, decision.tier, decision.score) == ("claude-opus-4", "specialized", 0.5)
    assert decision.reason == "exception 'legal hold' decides for specialized; score 0.5 alone says medium"
    assert router.route("then the weather").tier == "simple"


def test_generations_tell_tables_apart():
    assert Router().generation == SEED.generation
    others = [
        Router(tiers=[("only", "one", None)]),
        Router(rules=[]),
        Router(exceptions=[("x", "simple")]),
        Router(exceptions=[("x", "medium")]),
    ]
    assert len({router.generation for router in [SEED, *others]}) == 5


ONLY = ("only", "model", None)


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"tiers": []}, ConfigError, "a router needs at least 1 tier, got 0"),
        ({"tiers": [("a", "m", 0.3)]}, ConfigError, "the last tier 'a' must have no upper bound, got 0.3"),
        ({"tiers": [("a", "m", None), ONLY]}, ConfigError, "tier 'a' needs an upper bound: it is not the last"),
        (
            {"tiers": [("a", "m", 0.5), ("b", "m", 0.5), ONLY]},
            ConfigError,
            "upper bound of tier 'b' must be above 0.5, got 0.5",
        ),
        ({"tiers": [("a", "m", 0.5), ("a", "m", None)]}, ConfigError, "two tiers are called 'a'"),
        ({"tiers": [("a", "", None)]}, ConfigError, "tier 'a' has no model"),
        ({"tiers": [("a", "m", "1/2"), ONLY]}, ConfigError, "upper bound of tier 'a' must be a number, got '1/2'"),
        (
            {"tiers": [("a", "m", float("inf")), ONLY]},
            ConfigError,
            "upper bound of tier 'a' must be from 0 to 1000000, got inf",
        ),
        ({"tiers": [("a", "m")]}, TypeError, "tier 1 must be a tuple of 3 (name, model, bound), got ('a', 'm')"),
        ({"tiers": [("a", "m", 1), (1, "m", None)]}, TypeError, "name of tier 2 must be a str, got int"),
        (
            {"tiers": [("\ud800", "m", None)]},
            ConfigError,
            "name of tier 1 has a lone surrogate at position 0, got '\\ud800'",
        ),
        (
            {"rules": [("r", 1, ["x", "y\ud800"])]},
            ConfigError,
            "word of rule 'r' has a lone surrogate at position 1, got 'y\\ud800'",
        ),
        (
            {"exceptions": [("x", "simple"), ("x",)]},
            TypeError,
            "exception 2 must be a tuple of 2 (phrase, tier), got ('x',)",
        ),
        ({"rules": [("r", 1.5, ["x"])]}, ConfigError, "weight of rule 'r' must be from 0 to 1, got 1.5"),
        ({"rules": [("r", -0.1, ["x"])]}, ConfigError, "weight of rule 'r' must be from 0 to 1, got -0.1"),
        ({"rules": [("r", "nan", ["x"])]}, ConfigError, "weight of rule 'r' must be from 0 to 1, got nan"),
        (
            {"rules": [("r", "1e-10000000", ["x"])]},
            ConfigError,
            "weight of rule 'r' must be a multiple of 0.001, got 1e-10000000",
        ),
        ({"rules": [("r", 0.0005, ["x"])]}, ConfigError, "weight of rule 'r' must be a multiple of 0.001, got 0.0005"),
        (
            {"rules": [("r", "0.3000000000000000000000000000000000001", ["x"])]},
            ConfigError,
            "weight of rule 'r' must be a multiple of 0.001, got 0.3000000000000000000000000000000000001",
        ),
        ({"rules": [("r", True, ["x"])]}, TypeError, "weight of rule 'r' must be a number, got bool"),
        ({"rules": [("r", 1, [])]}, ConfigError, "rule 'r' needs at least 1 word, got 0"),
        ({"rules": [("r", 1, "then")]}, TypeError, "rule 'r' needs a list of words or a number of tokens, got str"),
        ({"rules": [("r", 1, [1])]}, TypeError, "word of rule 'r' must be a str, got int"),
        ({"rules": [("r", 1, 0)]}, ConfigError, "min_tokens of rule 'r' must be from 1 to 9223372036854775807, got 0"),
        ({"rules": [("r", 1, ["!"])]}, ConfigError, "rule 'r': phrase '!' holds no word"),
        ({"exceptions": [("!", "simple")]}, ConfigError, "phrase '!' holds no word"),
        (
            {"rules": [("r", 1, ["c++"])]},
            ConfigError,
            "rule 'r': phrase 'c++' holds '+', but only letters, digits and underscores are compared",
        ),
        (
            {"exceptions": [("x", "best")]},
            ConfigError,
            "exception 'x' leads to tier 'best'; the tiers are simple, medium, complex, specialized",
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_the_number(table, error, message):
    with pytest.raises(error) as caught:
        Router(**table)
    assert str(caught.value) == message


# ---- files -----------------------------------------------------------------------------------------------------------

FILE = """
[[tiers]]
name = "low"
model = "small"
below = 0.3

[[tiers]]
name = "high"
model = "big"

[[rules]]
name = "steps"
weight = 0.3
words = ["then", "after"]

[[rules]]
name = "length"
weight = 0.1
min_tokens = 101

[[exceptions]]
phrase = "legal hold"
tier = "high"
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "router.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_file_is_the_same_as_arguments(file):
    router = Router.from_file(file(FILE))
    same = Router(
        tiers=[("low", "small", 0.3), ("high", "big", None)],
        rules=[("steps", 0.3, ["then", "after"]), ("length", 0.1, 101)],
        exceptions=[("legal hold", "high")],
    )
    assert router.generation == same.generation
    assert repr(router) == "Router(2 tiers, 2 rules, 1 exceptions)"
    assert Router.from_file(str(file(""))).generation == SEED.generation
    assert Router.from_file(file(b"\xef\xbb\xbf" + FILE.encode())).generation == same.generation, (
        "with a mark before it"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[tiers]", "not valid TOML: "),
        (b"\xff", "not valid TOML: "),
        ("[[tier]]", "the file has no 'tier'; there are tiers, rules, exceptions"),
        ("tiers = 3", "tiers must be tables, each under [[tiers]]"),
        ("[[tiers]]\nname = 'a'", "tier 1 needs 'model', got name"),
        ("[[tiers]]\nname = 'a'\nmodel = 'm'\nabove = 1", "tier 1 has no 'above'; there are name, model, below"),
        ("[[rules]]\nname = 'a'\nweight = 1\nmin_tokens = 1\n[[rules]]\nweight = 1", "rule 2 needs 'name', got weight"),
        ("[[rules]]\nname = 'a'\nweight = 1", "rule 'a' needs either words or min_tokens"),
        ("[[rules]]\nname = 'a'\nweight = 1.5\nwords = ['x']", "weight of rule 'a' must be from 0 to 1, got 1.5"),
        ("[[rules]]\nname = 'a'\nweight = 'x'\nwords = ['x']", "weight of rule 'a' must be a number, got 'x'"),
        (
            "[[rules]]\nname = 'a'\nweight = 1\nwords = 'x'",
            "rule 'a' needs a list of words or a number of tokens, got str",
        ),
        ("[[exceptions]]\nphrase = 'x'", "exception 1 needs 'tier', got phrase"),
    ],
)
def test_what_is_wrong_with_a_file_names_the_file(file, text, message):
    path = file(text)
    with pytest.raises(ConfigError) as caught:
        Router.from_file(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Router.from_file(tmp_path / "router.toml")


def test_decisions_and_routers_can_be_copied_and_pickled():
    decision = SEED.route("First implement it. " + "x" * 400)
    assert len(decision.signals) == 3
    for twin in (pickle.loads(pickle.dumps(decision)), copy.deepcopy(decision), copy.copy(decision)):
        assert twin == decision
    router = Router(rules=[("r", 0.5, ["x"])], exceptions=[("y", "simple")])
    for twin in (pickle.loads(pickle.dumps(router)), copy.deepcopy(router)):
        assert (twin.generation, twin.route("x y")) == (router.generation, router.route("x y"))


def test_a_decision_is_a_value():
    assert SEED.route("then") == SEED.route("then") != SEED.route("after")
    assert isinstance(SEED.route("then"), Decision)
    with pytest.raises(AttributeError):
        SEED.route("then").model = "other"


@pytest.mark.parametrize(
    ("exception", "error", "message"),
    [
        ((5, "simple"), TypeError, "phrase of exception 1 must be a str, got int"),
        (("legal hold", None), TypeError, "tier of exception 'legal hold' must be a str, got NoneType"),
        (("\ud800", "simple"), ConfigError, "phrase of exception 1 has a lone surrogate at position 0"),
        (("legal hold", "\ud800"), ConfigError, "tier of exception 'legal hold' has a lone surrogate at position 0"),
    ],
    ids=repr,
)
def test_an_exception_that_is_none_is_refused_by_its_place(exception, error, message):
    with pytest.raises(error, match=message):
        Router(exceptions=[exception])


def test_the_seed_table_is_the_default_one():
    assert Router.default().generation == Router().generation
    assert Router.default().tiers == Router().tiers
