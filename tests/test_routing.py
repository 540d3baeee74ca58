"""What the engine asks a router about a request: documents as text, system prompt and history by their length."""

from __future__ import annotations

import copy
import pickle

import pytest

from llmfast import Cache, Engine, Ledger, Reply, Router, Usage
from llmfast._request import Ask

TERMS = "legal contract liability plaintiff. "
#: Signals of words and of length that fire on it alone.
LONG = TERMS * 40


def decided(router=None, query="And this one?", **keywords):
    """Return the decision of an engine's router on a request, and the failures."""
    engine = Engine(router=router or Router())
    answer = engine.get_or_generate_sync(query, lambda _: "x", **keywords)
    return answer.decision.route, engine.failures.counts()


def fired(decision):
    return [signal.name for signal in decision.signals]


def tokens(decision):
    return next((signal.tokens for signal in decision.signals if signal.name == "length"), None)


@pytest.mark.parametrize("context", [[LONG], (LONG,), [{"id": 1, "pages": [LONG]}], iter([LONG])])
def test_documents_count_by_their_words_and_their_length(context):
    decision, failures = decided(context=context)
    assert (fired(decision), failures) == (["length", "domain"], {})
    assert tokens(decision) >= len(LONG) // 4


def test_no_phrase_reaches_from_one_document_into_the_next():
    router = Router(rules=[("code", 1, ["write code"])])
    assert decided(router, context=["write", "code"])[0].score == 0
    assert decided(router, context=["write code"])[0].score == 1


TURN = {"role": "user", "content": LONG}
QUERY = {"role": "user", "content": "And this one?"}


@pytest.mark.parametrize(
    "beside",
    [
        {"system": LONG},
        {"messages": [TURN, {"role": "assistant", "content": "ok"}]},
        {"messages": [TURN, QUERY]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": LONG}]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"text": LONG}]}]}]},
    ],
)
def test_system_prompt_and_history_count_by_their_length_alone(beside):
    decision, failures = decided(**beside)
    assert (fired(decision), failures) == (["length"], {})
    expected = (len(LONG) + len("And this one?")) / 4
    assert expected <= tokens(decision) <= expected + 3


@pytest.mark.parametrize(
    "beside",
    [
        {"messages": [QUERY]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:" + LONG}}]}]},
        {"system": "Be brief.", "context": []},
        {"context": [3, None, {"a": 1.5}]},
    ],
)
def test_what_is_no_text_or_the_question_itself_counts_nothing(beside):
    assert decided(**beside)[0].signals == []


def test_requests_of_a_client_library_are_looked_at_the_same_way():
    turns = [{"role": "system", "content": LONG}, TURN, {"role": "assistant", "content": "ok"}, QUERY]
    ask = Ask.from_keywords("openai.chat", {"model": "m", "messages": turns})
    engine = Engine(router=Router())
    decision = engine.run_sync(ask, lambda _: "x").decision.route
    assert (fired(decision), tokens(decision) > 2 * len(LONG) / 4) == (["length"], True)


def test_what_cannot_be_read_costs_nothing_of_the_decision():
    def broken():
        yield "a"
        raise OSError("no documents")

    cyclic = []
    cyclic.append(cyclic)
    for beside in ({"context": broken()}, {"context": cyclic}, {"messages": cyclic}, {"system": "a\ud800"}):
        decision, failures = decided(query="then", **beside)
        assert (fired(decision), failures) == (["steps"], {}), beside
    assert "domain" in fired(decided(context=["\ud800 " + TERMS])[0])


@pytest.mark.parametrize("turns", [[], (), [{"role": "assistant", "content": "ok?"}]], ids=repr)
def test_a_history_without_the_question_is_one(turns):
    mine = TakesAll()
    _, failures = decided(mine, system="a system prompt.", messages=turns)
    assert (mine.told, failures) == ([{"context": "", "more_tokens": 5 if turns else 4}], {})


# ---- routers of one's own -------------------------------------------------------------------------------------------


class Takes:
    """A router that writes down what it is told."""

    def __init__(self):
        self.told = []


class TakesQuestion(Takes):
    def route(self, query):
        self.told.append({})


class TakesContext(Takes):
    def route(self, query, *, context=None):
        self.told.append({"context": context})


class TakesAll(Takes):
    def route(self, query, context="", more_tokens=0):
        self.told.append({"context": context, "more_tokens": more_tokens})


class TakesRest(Takes):
    def route(self, query, **rest):
        self.told.append(rest)


@pytest.mark.parametrize(
    ("router", "told"),
    [
        (TakesQuestion, {}),
        (TakesContext, {"context": "a document"}),
        (TakesAll, {"context": "a document", "more_tokens": 25}),
        (TakesRest, {}),
    ],
)
def test_a_router_is_told_what_it_takes(router, told):
    mine = router()
    _, failures = decided(mine, context=["a document"], system="x" * 100)
    assert (mine.told, failures) == ([told], {})


def test_a_router_of_ones_own_that_extends_ours_is_told_what_it_takes():
    class Mine(Router):
        def route(self, query, *, context=None):
            assert context == "a document"
            return super().route(query, context=context)

    assert decided(Mine(), context=["a document"], system="x" * 1000)[1] == {}


# ---- answers --------------------------------------------------------------------------------------------------------


def test_answers_that_a_router_had_a_part_in_can_be_copied_and_pickled():
    engine = Engine(cache=Cache(), router=Router(), ledger=Ledger())
    for _ in range(2):
        answer = engine.get_or_generate_sync("then?", lambda _, decision: Reply(decision.tier, usage=Usage(1, 1)))
        for twin in (pickle.loads(pickle.dumps(answer)), copy.deepcopy(answer)):
            assert (twin.response, twin.source, twin.model) == (answer.response, answer.source, answer.model)
            assert (twin.usage, twin.decision) == (answer.usage, answer.decision)


def test_statistics_can_be_copied_and_pickled():
    cache = Cache()
    cache.get_or_generate_sync("q", str.upper)
    stats = cache.stats()
    for twin in (pickle.loads(pickle.dumps(stats)), copy.deepcopy(stats), copy.copy(stats.l1)):
        assert twin in (stats, stats.l1)
