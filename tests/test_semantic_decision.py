"""Which near question serves: guards, refusals, feedback, and what is said about it."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import types
from functools import partial

import pytest

from asking import STATIC, Clock, Model, ask, sources, static
from encoders import NamedTopics, TopicEncoder
from llmfast import PUBLIC, Cache, CachePolicy, Reply, Usage
from llmfast._llmfast import Row
from llmfast._request import Ask

ANSWERS = ("response", "source", "tier", "score", "age", "key", "coalesced", "model", "usage", "decision", "stale")

TOPICS = {
    "What is the fee for account 4711?": "fee/a",
    "What is the fee for account 4712?": "fee/b",
    "What's the fee for account 4711, please?": "fee/c",
    "How do I cancel my order?": "cancel/a",
    "How can I cancel my order?": "cancel/b",
}


def guarded(**more):
    return Cache(encoder=NamedTopics(TOPICS), **more)


def test_a_near_question_that_asks_something_else_does_not_serve():
    cache = guarded()
    first, other, same = ask(cache, *list(TOPICS)[:3])
    assert sources((first, other, same)) == ["llm_call", "llm_call", "semantic_hit"]
    assert same.response == first.response
    (vetoed,) = other.decision.neighbours
    assert (vetoed.key, vetoed.question) == (first.key, "What is the fee for account 4711?")
    assert vetoed.verdict.startswith("veto:")
    assert "4711" in vetoed.detail
    assert "4712" in vetoed.detail
    assert vetoed.verdict in other.decision.reason
    why = other.decision
    assert (why.threshold, why.nearest, why.route, why.refusal, why.would_serve) == (
        0.95,
        vetoed.score,
        None,
        None,
        None,
    )
    reasons = cache.stats().reasons
    assert reasons[vetoed.verdict] >= 1


def test_a_hit_can_be_copied_and_tells_the_same_later():
    cache = guarded()
    asked = list(TOPICS)
    first, exact, near = ask(cache, asked[0], asked[0], asked[2])
    assert sources((first, exact, near)) == ["llm_call", "exact_hit", "semantic_hit"]
    why = near.decision
    for hit in (exact, near):
        twin = copy.copy(hit)
        assert [getattr(twin, name) for name in ANSWERS] == [getattr(hit, name) for name in ANSWERS]
    cache.clear()
    assert near.decision == why
    assert (near.model, near.usage, near.key, near.stale) == (first.model, first.usage, first.key, False)
    assert [neighbour.verdict for neighbour in why.neighbours] == ["serves"]


def test_answers_are_copied_deeply_and_between_processes():
    cache = guarded()
    asked = list(TOPICS)
    answers = ask(cache, asked[0], asked[0], asked[2])
    for hit in answers:
        for twin in (copy.deepcopy(hit), pickle.loads(pickle.dumps(hit))):
            assert [getattr(twin, name) for name in ANSWERS] == [getattr(hit, name) for name in ANSWERS]


def test_a_hit_says_how_old_its_answer_is():
    clock = Clock()
    cache = guarded(clock=clock)
    asked = list(TOPICS)
    ask(cache, asked[0])
    for passed, age in ((0.25, 0.25), (0.5, 0.75), (-10.0, 0.0)):
        clock.now += passed
        for hit in ask(cache, asked[0], asked[2]):
            assert (hit.age, hit.source) == (age, "exact_hit" if hit.score == 1.0 else "semantic_hit")


def test_those_who_wait_for_a_hit_have_the_same_one():
    async def run():
        clock = Clock()
        cache, asked = guarded(clock=clock), list(TOPICS)
        first = await cache.get_or_generate(asked[0], lambda _: Reply("x", usage=Usage(1, 2), model="m"))
        clock.now += 2
        hits = await asyncio.gather(*[cache.get_or_generate(asked[2], Model()) for _ in range(3)])
        await cache.feedback(next(hit for hit in hits if hit.coalesced), ok=False)
        return first, hits, [await cache.get_or_generate(question, Model()) for question in (asked[0], asked[2])]

    first, hits, later = asyncio.run(run())
    assert sources(later) == ["exact_hit", "llm_call"], "what is wrong for this question is not for its own"
    assert sorted(hit.coalesced for hit in hits) == [False, True, True]
    for hit in hits:
        assert (hit.response, hit.source, hit.tier, hit.key, hit.age) == ("x", "semantic_hit", "L3", first.key, 2.0)
        assert (hit.model, hit.usage, hit.score, hit.decision) == ("m", (1, 2), hits[0].score, hits[0].decision)


def test_an_answer_that_was_shared_is_copied_like_any_other():
    async def run():
        cache, asked = guarded(), list(TOPICS)
        await cache.get_or_generate(asked[0], Model())
        return await asyncio.gather(*[cache.get_or_generate(asked[2], Model()) for _ in range(3)])

    answers = asyncio.run(run())
    assert {(answer.source, answer.coalesced) for answer in answers} == {
        ("semantic_hit", False),
        ("semantic_hit", True),
    }
    for answer in answers:
        for twin in (copy.copy(answer), copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):
            assert [getattr(twin, name) for name in ANSWERS] == [getattr(answer, name) for name in ANSWERS]
            assert twin.coalesced == answer.coalesced


def test_an_answer_keeps_no_rows_but_its_own():
    topics = {f"What is the fee for account {number}?": f"fee/{number}" for number in range(30)}
    cache = Cache(encoder=NamedTopics(topics, closeness=0.999))
    ask(cache, *topics)
    topics["What is the fee for account 7, please?"] = "fee/polite"
    (near,) = ask(cache, "What is the fee for account 7, please?")
    assert near.source == "semantic_hit"
    assert len(near.decision.neighbours) > 1
    cache.clear()
    seen, rows, waiting = set(), 0, [near]
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and not isinstance(thing, type | types.ModuleType | types.FunctionType):
            seen.add(id(thing))
            rows += isinstance(thing, Row)
            waiting += gc.get_referents(thing)
    assert rows == 1


def test_an_encoder_that_cannot_say_how_much_it_reads_costs_the_hit_and_not_the_cache(caplog):
    class Unready(TopicEncoder):
        @property
        def max_tokens(self):
            raise OSError("not loaded")

    cache = Cache(encoder=Unready())
    assert sources(ask(cache, "q/a", "q/a")) == ["llm_call", "exact_hit"]
    assert cache.stats().failures["L3"] == 1


def test_static_looks_at_the_threshold_alone():
    assert sources(ask(guarded(policy=STATIC), *list(TOPICS)[:2])) == ["llm_call", "semantic_hit"]


def test_a_nearer_question_that_is_vetoed_does_not_hide_one_that_serves():
    topics = {f"What is the fee for account {number}?": f"fee/{number}" for number in range(100)}
    cache = Cache(encoder=NamedTopics(topics, closeness=0.999))
    asked = list(topics)
    assert set(sources(ask(cache, *asked[:30]))) == {"llm_call"}
    topics["What is the fee for account 7, please?"] = "fee/polite"
    answer = ask(cache, "What is the fee for account 7, please?")[0]
    assert (answer.source, answer.response) == ("semantic_hit", "What is the fee for account 7? #8")
    assert ask(cache, asked[50])[0].source == "llm_call"


def test_where_very_many_are_refused_the_search_ends():
    topics = {f"What is the fee for account {number}?": f"fee/{number}" for number in range(200)}
    cache = Cache(encoder=NamedTopics(topics, closeness=0.999))
    answers = ask(cache, *topics)
    assert set(sources(answers)) == {"llm_call"}
    assert len(answers[-1].decision.neighbours) <= 68


# ---- refusals -------------------------------------------------------------------------------------------------------

HISTORY = [{"role": "user", "content": "Which plans do you have?"}, {"role": "assistant", "content": "Basic and pro."}]

REFUSED = [
    ("tools", {"params": {"tools": [{"type": "function", "function": {"name": "send_money"}}]}}, "How do I cancel?"),
    ("temperature", {"params": {"temperature": 1.7}}, "Write a poem about the sea"),
    ("follow_up", {"messages": HISTORY}, "And the second one?"),
    ("fresh", {}, "What is my balance right now?"),
    ("personal_data", {"scope": PUBLIC, "user": "u"}, "Is alice@example.com a customer?"),
]


@pytest.mark.parametrize(("name", "fields", "question"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_a_request_that_is_not_to_be_compared_has_exact_repeats_only(name, fields, question):
    class Same(TopicEncoder):
        def topic(self, text):
            return f"same/{text}"

    cache = Cache(encoder=Same(0.9999))
    first, other, again = ask(cache, question, question + " Please.", question, **fields)
    assert sources((first, other, again)) == ["llm_call", "llm_call", "exact_hit"]
    assert (first.decision.refusal, first.decision.neighbours) == (name, ())
    assert cache.stats().reasons == {f"refused:{name}": 2}
    assert cache.stats().vectors == 0, "nor does it answer others"
    assert cache.explain(question + "!", **{k: v for k, v in fields.items() if k != "tags"}).refusal == name


def test_what_is_refused_by_a_limit_is_not_within_it():
    tools = {"tools": [{"type": "function", "function": {"name": "lookup"}}], "temperature": 1.7}
    policy = CachePolicy(read_only_tools=("lookup",), max_temperature=2.0, mode="static")
    cache = Cache(encoder=TopicEncoder(), policy=policy)
    assert sources(ask(cache, "t/=", "t/a", params=tools)) == ["llm_call", "semantic_hit"]


def test_freshness_is_a_matter_of_the_time_to_live():
    question, other = "What is the price of gold today?", "What's the price of gold today?"
    for ttl, source in [(86_400.0, "llm_call"), (1.0, "semantic_hit")]:
        cache = Cache(encoder=NamedTopics({question: "gold/a", other: "gold/b"}), policy=CachePolicy(ttl=ttl))
        assert sources(ask(cache, question, other)) == ["llm_call", source]


# ---- feedback -------------------------------------------------------------------------------------------------------


def test_a_wrong_answer_by_meaning_is_not_given_again_to_that_question_or_a_nearer_one():
    cache = Cache(encoder=TopicEncoder(0.99), policy=CachePolicy(mode="static", threshold=0.9))
    first, wrong = ask(cache, "t/=", "t/a")
    assert wrong.source == "semantic_hit"
    asyncio.run(cache.feedback(wrong, ok=False))
    explained = cache.explain("t/a")
    assert (explained.neighbours[0].verdict, explained.neighbours[0].key) == ("veto:feedback", first.key)
    assert sources(ask(cache, "t/=")) == ["exact_hit"], "the row answers its own question"
    assert ask(cache, "t/b")[0].response == first.response, "and those that are nearer to it"
    again = ask(cache, "t/a")[0]
    assert again.source == "llm_call"
    assert cache.stats().reasons["feedback:wrong"] == 1
    assert cache.stats().reasons["veto:feedback"] >= 1


def test_feedback_comes_from_another_process_too():
    cache = Cache(encoder=TopicEncoder(0.99), policy=CachePolicy(mode="static", threshold=0.9))
    _, wrong = ask(cache, "t/=", "t/a")
    cache.feedback_sync(pickle.loads(pickle.dumps(wrong)), ok=False)
    assert sources(ask(cache, "t/=", "t/a", "t/a")) == ["exact_hit", "llm_call", "exact_hit"]


class Failing(TopicEncoder):
    """Cannot be reached while it is `down`."""

    down = False

    def encode(self, texts):
        if self.down:
            raise ConnectionError("the embeddings' API is down")
        return super().encode(texts)


def test_feedback_asks_no_encoder_for_a_question_that_was_encoded():
    cache = static(encoder=Failing(), capacity=2)
    _, wrong, *_ = ask(cache, "t/=", "t/1", "t/2", "t/3")
    cache.encoder.down = True
    cache.feedback_sync(wrong, ok=False)
    cache.encoder.down = False
    assert sources(ask(cache, "t/2", "t/1")) == ["semantic_hit", "llm_call"]


def test_a_wrong_answer_whose_question_cannot_be_encoded_is_removed(caplog):
    cache = static(encoder=Failing())
    _, wrong = ask(cache, "t/=", "t/1")
    cache.semantic._recent.clear()
    cache.encoder.down = True
    cache.feedback_sync(pickle.loads(pickle.dumps(wrong)), ok=False)
    assert (cache.stats().rows, cache.stats().failures) == (0, {"feedback": 1})


@pytest.mark.parametrize("copied", [lambda answer: answer, lambda answer: pickle.loads(pickle.dumps(answer))])
@pytest.mark.parametrize("hit", [False, True])
def test_feedback_on_an_old_answer_leaves_the_new_one(copied, hit):
    clock, llm = Clock(), Model()
    cache = Cache(policy=CachePolicy(ttl=10, jitter=0), clock=clock)
    old = ask(cache, "q", "q", llm=llm)[hit]
    clock.now += 20
    new = ask(cache, "q", llm=llm)[0]
    cache.feedback_sync(copied(old), ok=False)
    assert ask(cache, "q", llm=llm)[0].response == new.response == "q #2"
    cache.feedback_sync(copied(new), ok=False)
    assert cache.stats().rows == 0


def test_any_other_wrong_answer_is_removed():
    cache = Cache(encoder=TopicEncoder())
    called, repeated, *_ = ask(cache, "q", "r")
    cache.feedback_sync(called, ok=False)
    assert sources(ask(cache, "q")) == ["llm_call"]
    cache.feedback_sync(ask(cache, "r")[0], ok=False)
    assert sources(ask(cache, "r")) == ["llm_call"]
    assert cache.stats().reasons == {"feedback:wrong": 2, "invalidated": 2}
    assert repeated.source == "llm_call"


def test_a_right_one_stays_and_one_that_was_not_stored_hurts_nobody():
    cache = Cache()
    answer = ask(cache, "q")[0]
    cache.feedback_sync(answer, ok=True)
    assert sources(ask(cache, "q")) == ["exact_hit"]
    cache.feedback_sync(ask(cache, "x", llm=lambda _: object())[0], ok=False)
    assert cache.stats().reasons["feedback:right"] == 1


def test_wrong_answers_are_forgotten_after_very_many(monkeypatch):
    from llmfast import _semantic

    monkeypatch.setattr(_semantic, "_WRONG", 3)
    wrong = _semantic.WrongAnswers(2)
    for number in range(5):
        wrong.add(bytes([number]) * 32, [1.0, 0.0])
    assert [wrong.covers(bytes([number]) * 32, [1.0, 0.0], 0.9) for number in range(5)] == [False] * 2 + [True] * 3
    assert not wrong.covers(bytes([4]) * 32, [0.0, 1.0], 0.9)
    assert set(wrong.known) == {bytes([number]) * 32 for number in (2, 3, 4)}


# ---- explain --------------------------------------------------------------------------------------------------------


def test_explaining_changes_nothing_and_shows_the_neighbours():
    clock = Clock()
    cache = guarded(clock=clock)
    assert cache.explain("How do I cancel my order?").reason == "nothing near enough is stored"
    ask(cache, "What is the fee for account 4711?", "How do I cancel my order?")
    before = cache.stats()
    clock.now += 5
    explained = cache.explain("What is the fee for account 4712?")
    verdicts = [neighbour.verdict for neighbour in explained.neighbours]
    assert verdicts[0].startswith("veto:")
    assert verdicts[1] == "far"
    assert explained.neighbours[0].age == 5
    assert explained.nearest == explained.neighbours[0].score > explained.neighbours[1].score
    served = cache.explain("How can I cancel my order?")
    assert served.neighbours[0].verdict == "serves"
    assert "was answered before" in served.reason
    assert cache.explain("How do I cancel my order?").reason == "the same request was answered 5 s ago"
    assert "no encoder" in Cache().explain("q").reason
    assert cache.stats() == before


def test_another_scopes_questions_are_not_shown():
    cache = guarded()
    ask(cache, "How do I cancel my order?", scope="tenant")
    assert cache.explain("How can I cancel my order?").neighbours == ()
    assert len(cache.explain("How can I cancel my order?", scope="tenant").neighbours) == 1


def test_followers_of_a_hit_have_their_own_policy():
    async def run():
        cache = guarded(policies={"strict": CachePolicy(threshold=0.999)})
        await cache.get_or_generate("How do I cancel my order?", Model())
        return await asyncio.gather(
            cache.get_or_generate("How can I cancel my order?", Model()),
            cache.get_or_generate("How can I cancel my order?", Model(), kind="strict"),
        )

    assert sources(asyncio.run(run())) == ["semantic_hit", "llm_call"]


@pytest.mark.parametrize(
    ("policy", "source"),
    [
        (CachePolicy(), "semantic_hit"),
        (CachePolicy(mode="shadow"), "llm_call"),
        (CachePolicy(max_temperature=0.5), "llm_call"),
        (CachePolicy(mode="static", read_only_tools=("pay",)), "semantic_hit"),
    ],
)
def test_followers_of_a_hit_are_served_what_their_own_policy_serves(policy, source):
    async def run():
        cache, params = guarded(policies={"own": policy}), {"temperature": 0.7}
        asked = partial(cache.get_or_generate, params=params)
        await asked("How do I cancel my order?", Model())
        return await asyncio.gather(
            asked("How can I cancel my order?", Model()), asked("How can I cancel my order?", Model(), kind="own")
        )

    assert sources(asyncio.run(run())) == ["semantic_hit", source]


TOOLS = {"tools": [{"type": "function", "function": {"name": "pay"}}]}


@pytest.mark.parametrize(
    ("more", "kind", "refused"),
    [
        ({}, "general", None),
        ({"temperature": 1.5}, "general", "temperature"),
        ({"temperature": 1.5}, "free", None),
        (TOOLS, "general", "tools"),
        (TOOLS, "free", None),
    ],
    ids=repr,
)
def test_a_request_of_an_sdk_is_compared_as_its_policy_says(more, kind, refused):
    cache = guarded(policies={"free": CachePolicy(max_temperature=2.0, read_only_tools=("pay",))})
    keywords = {"model": "m", "messages": [{"role": "user", "content": "How do I cancel my order?"}], **more}
    plan = cache.plan(Ask.from_keywords("openai.chat", keywords, kind=kind), "")
    assert (len(cache.semantic.places(plan)), plan.refusal) == (int(refused is None), refused)


def test_the_nearest_of_a_tenant_and_of_all_is_told():
    cache = Cache(encoder=TopicEncoder(), policy=CachePolicy(mode="shadow", threshold=0.9))
    for user in ("one", "two"):
        ask(cache, "t/x", scope=PUBLIC, user=user)
    cache.engine._driver._storing.submit(lambda: None).result(10)
    ask(cache, "t/=", scope="tenant")
    decision = ask(cache, "t/y", scope="tenant")[0].decision
    # That of the topic itself, not that of the public variant, which is looked at after it.
    assert decision.nearest == pytest.approx(0.99, abs=1e-4)
    (far,) = ask(cache, "u/y", scope="tenant")
    assert far.decision.nearest is None


def test_shadow_tells_the_one_that_would_have_served():
    # The first is nearer, and asks for another account.
    cache = Cache(
        encoder=NamedTopics({**TOPICS, "What is the fee for account 4713?": "fee/="}),
        policy=CachePolicy(mode="shadow", threshold=0.9),
    )
    asked = list(TOPICS)
    ask(cache, "What is the fee for account 4713?")
    serving = ask(cache, asked[0])[0]
    decision = ask(cache, asked[2])[0].decision
    assert [neighbour.verdict.partition(":")[0] for neighbour in decision.neighbours] == ["veto", "serves"]
    assert (decision.would_serve.key, decision.would_serve.question) == (serving.key, asked[0])


def test_what_was_wrong_is_forgotten_with_the_rows():
    cache = Cache(encoder=TopicEncoder(0.99), policy=CachePolicy(mode="static", threshold=0.9))
    _, wrong = ask(cache, "t/=", "t/a")
    cache.feedback_sync(wrong, ok=False)
    cache.clear()
    assert sources(ask(cache, "t/=", "t/a")) == ["llm_call", "semantic_hit"]
