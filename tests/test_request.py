"""Identity: what makes two requests the same."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter

import pytest
from hypothesis import given, strategies as st

import llmfast
from llmfast._llmfast import Identifier, NormalRequest
from llmfast._request import Ask

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


# ---- one identity however a request is made ---------------------------------------------------------------------

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
turns = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": texts}), max_size=3)
own_params = st.dictionaries(names.map("p_{}".format), json_data, max_size=3)


@st.composite
def talks(draw):
    """A conversation in the words of `get_or_generate`."""
    return {
        "query": draw(texts),
        "system": draw(texts),
        "model": draw(names),
        "messages": draw(turns),
        "params": draw(own_params),
        "stream": draw(st.booleans()),
    }


def keywords_of(api, talk):
    """The arguments of an SDK that say the same."""
    turns = [*talk["messages"], {"role": "user", "content": talk["query"]}]
    keywords = {**talk["params"], "model": talk["model"], "stream": talk["stream"]}
    if api == "openai.chat":
        system = [{"role": "system", "content": talk["system"]}] if talk["system"] else []
        return {**keywords, "messages": system + turns}
    place, prompt = ("input", "instructions") if api == "openai.responses" else ("messages", "system")
    return {**keywords, place: turns, **({prompt: talk["system"]} if talk["system"] else {})}


def respelt(value):
    """The same data with its names in another order, its texts decomposed, lists as tuples."""
    if isinstance(value, dict):
        return {name: respelt(value[name]) for name in reversed(value)}
    if isinstance(value, str):
        return unicodedata.normalize("NFD", value)
    return tuple(map(respelt, value)) if isinstance(value, list) else value


def who(request, scope="tenant"):
    made = identifier.identify_request(scope, request)
    return made.key, made.fingerprint, made.normal_key


@pytest.mark.parametrize("api", ["openai.chat", "openai.responses", "anthropic.messages"])
@given(talk=talks(), ascii_only=st.booleans(), with_query=st.booleans())
def test_keywords_wire_and_fields_are_one_request(api, talk, ascii_only, with_query):
    keywords = keywords_of(api, talk)
    body = json.dumps(keywords, ensure_ascii=ascii_only, indent=1 if ascii_only else None).encode()
    ways = [
        NormalRequest.from_keywords(api, keywords),
        NormalRequest.from_wire(api, body),
        NormalRequest.from_keywords(api, respelt(keywords)),
        NormalRequest.from_wire(api, json.dumps(respelt(keywords)).encode()),
        Ask.from_keywords(api, keywords).normal,
        Ask.from_wire(api, body).normal,
    ]
    assert len({who(way) for way in ways}) == 1
    question = {"role": "user", "content": talk["query"]}
    if with_query or talk["messages"][-1:] == [question]:
        # A last turn that reads like the query is taken for it, so here it has to be there twice.
        talk = {**talk, "messages": [*talk["messages"], question]}
    made = identifier.identify("tenant", api=api, **talk)
    assert (made.key, made.fingerprint, made.normal_key) == who(ways[0])
    assert ways[0].query == talk["query"]
    assert ways[0].system == talk["system"]


@given(
    talk=talks(), field=st.sampled_from(["query", "system", "model", "messages", "params", "stream"]), data=st.data()
)
def test_any_other_field_is_another_request(talk, field, data):
    # A last turn that reads like the query would be taken for it.
    talk["messages"].append({"role": "assistant", "content": "yes?"})
    other = {**talk, field: data.draw(talks())[field]}
    if field == "messages":
        other[field].append({"role": "assistant", "content": "yes?"})
    for api in ("", "openai.chat", "openai.responses", "anthropic.messages"):
        keys = {identifier.identify(None, api=api, **ask).key for ask in (talk, other)}
        assert (len(keys) == 1) == same_data(talk[field], other[field])


def same_data(one, other):
    """Whether data is equal with texts in NFC, numbers by value and True apart from 1."""
    return canonical(one) == canonical(other)


def canonical(value):
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, str):
        return ("text", unicodedata.normalize("NFC", value))
    if isinstance(value, list):
        return ("list", *map(canonical, value))
    if isinstance(value, dict):
        return frozenset(Counter((canonical(name), canonical(item)) for name, item in value.items()).items())
    return value


@given(json_data)
def test_the_wire_says_what_python_reads(value):
    body = {"model": "m", "x": value}
    wire = NormalRequest.from_wire("openai.chat", json.dumps(body).encode())
    assert who(wire) == who(NormalRequest.from_keywords("openai.chat", body))
    assert json.dumps(wire.params["x"], sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(
    "number",
    ["1e400", "-0", "-0.0", "1E5", "0.1", "0.10000000000000001", "5e-324", str(2**200), f"-{10**300}", "1" * 4300],
)
def test_numbers_on_the_wire_are_python_s(number):
    body = f'{{"x": {number}, "y": 1, "y": 2}}'
    wire = NormalRequest.from_wire("openai.chat", body.encode())
    assert who(wire) == who(NormalRequest.from_keywords("openai.chat", json.loads(body)))
    assert wire.params["y"] == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "must be an object"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"a": ' + b"1" * 4301 + b"}", "4301 digits"),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "128 levels"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body, message):
    with pytest.raises(llmfast.ConfigError, match=message):
        NormalRequest.from_wire("openai.chat", body)


def test_an_unknown_api_is_refused():
    with pytest.raises(llmfast.ConfigError, match=r"api must be empty or one of openai\.chat, .* got 'gemini'"):
        Ask.from_keywords("gemini", {})
    with pytest.raises(llmfast.ConfigError, match="api must be"):
        identifier.identify(None, "q", api="gemini")


@pytest.mark.parametrize("key", ["user", "metadata", "store", "service_tier", "timeout", "safety_identifier"])
def test_volatile_arguments_do_not_count(key):
    keywords = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert who(Ask.from_keywords("openai.chat", {**keywords, key: "x"}).normal) == who(
        Ask.from_keywords("openai.chat", keywords).normal
    )


class Omit:
    """What a client library passes for an argument that is not given."""


class Message:
    """A message as a client library returns it: a model that knows which fields were set."""

    def model_dump(self, *, mode, exclude_unset):
        assert (mode, exclude_unset) == ("json", True)
        return {"role": "assistant", "content": "hello", "refusal": None}


def test_objects_of_a_client_library_count_as_what_is_sent():
    plain = {"role": "assistant", "content": "hello"}
    question = {"role": "user", "content": "and now?"}
    sent = Ask.from_keywords("openai.chat", {"model": "m", "messages": [plain, question]})
    objects = Ask.from_keywords("openai.chat", {"model": "m", "messages": [Message(), question], "temperature": Omit()})
    assert who(objects.normal) == who(sent.normal)
    with pytest.raises(TypeError, match=r"keywords\.messages must be JSON data .* got generator"):
        Ask.from_keywords("openai.chat", {"messages": (turn for turn in [question])})


def test_an_ask_knows_its_facts():
    ask = Ask.from_wire(
        "anthropic.messages",
        b'{"model": "m", "system": "S", "messages": [{"role": "user", "content": "hi"}]}',
        scope="a", user="u", feature="f", context=["d"], version="2", tags=["t"], kind="faq", ttl=5.0,
    )  # fmt: skip
    facts = (ask.query, ask.model, ask.system, ask.scope, ask.user, ask.feature, ask.context, ask.version, ask.tags)
    assert facts == ("hi", "m", "S", "a", "u", "f", ["d"], "2", ["t"])
    assert (ask.kind, ask.ttl, ask.normal.messages, ask.normal.stream) == ("faq", 5.0, [], False)
    result = Ask.from_wire("openai.chat", b'{"messages": [{"role": "tool", "tool_call_id": "a", "content": "42"}]}')
    assert (result.query, result.normal.query) == ("", None)
    assert result.normal.exact_only == ("no_user_turn", "the last turn is not a user's")
    assert result.normal.messages == [{"role": "tool", "tool_call_id": "a", "content": "42"}]


def test_context_version_router_and_case_are_the_application_s():
    request = NormalRequest.from_wire("openai.chat", b'{"messages": [{"role": "user", "content": "Hi"}]}')
    ways = [{}, {"context": ["d"]}, {"version": "2"}, {"router": "r"}]
    assert len({identifier.identify_request(None, request, **way).fingerprint for way in ways}) == 4
    whole, stream = [{"stream": form} for form in (False, True)]
    assert identifier.identify_request(None, request, **whole).key == identifier.identify_request(None, request).key
    streamed = NormalRequest.from_wire(
        "openai.chat", b'{"messages": [{"role": "user", "content": "Hi"}], "stream": true}'
    )
    assert identifier.identify_request(None, request, **stream).key == identifier.identify_request(None, streamed).key
    folded = identifier.identify_request(None, request, fold_case=True)
    assert folded.normal_key == identifier.normal_key(None, folded.fingerprint, "hI", fold_case=True)


def test_the_parts_of_an_identity_are_what_the_single_calls_say():
    made = identifier.identify("a", " what\u2019s  x? ", model="m", params={"n": 1})
    assert made.fingerprint == fingerprint(model="m", system="", params={"n": 1})
    assert made.key == identifier.exact_key("a", made.fingerprint, " what\u2019s  x? ")
    assert made.normal_key == identifier.normal_key("a", made.fingerprint, " what\u2019s  x? ")
    assert made.normal_key == identifier.identify("a", "what's x?", model="m", params={"n": 1}).key
    assert identifier.identify("a", "what's x?", model="m", params={"n": 1}).normal_key is None
    assert made.row_key == made.normal_key == identifier.identify("a", "what's x?", model="m", params={"n": 1}).row_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("  x = 1\ny = 2", "x = 1\ny = 2"),
        ("Count the lines\na\nb\n", "Count the lines\na\nb"),
        ("a,b\t", "a,b"),
        ("Explain the regex ab??", "Explain the regex ab?"),
        ("Which Unicode code point is \uff21?", "Which Unicode code point is A?"),
        ("Which dash is in 5\u20133?", "Which dash is in 5-3?"),
        ("How many characters has '\ufb01'?", "How many characters has 'fi'?"),
        ('Is "a  b" one word?', 'Is "a b" one word?'),
        ("How many spaces are between a  and b?", "How many spaces are between a and b?"),
    ],
)
def test_a_question_that_may_have_another_answer_is_another_one(one, other):
    keys = [{made.key, made.normal_key} - {None} for made in (identifier.identify("a", text) for text in (one, other))]
    assert not keys[0] & keys[1]


def test_messages_may_end_with_the_query():
    turn = {"role": "user", "content": "q"}
    with_it, without = (identifier.identify(None, "q", messages=turns).key for turns in ([turn], []))
    assert with_it == without == identifier.identify(None, "q").key
    assert with_it != identifier.identify(None, "q", messages=[{**turn, "name": "n"}]).key
    # A fingerprint is told the turns before the query alone.
    assert fingerprint(messages=[{"role": "user", "content": ""}]) != fingerprint()


@pytest.mark.parametrize("name", ["query", "model", "system", "version"])
def test_a_lone_surrogate_is_named(name):
    fields = {"query": "q", name: "a\ud800"}
    with pytest.raises(llmfast.InvalidTextError, match=f"{name} has a lone surrogate at position 1"):
        identifier.identify(None, **fields)
    with pytest.raises(llmfast.InvalidTextError, match="scope has a lone surrogate"):
        identifier.identify("\ud800", "q")
