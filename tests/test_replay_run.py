"""A run: what the engine did is what is recorded, and the curve at the run's own threshold is the run."""

from __future__ import annotations

import json

import pytest

from llmfast import ConfigError, FlatIndex
from llmfast._replay.curve import covered, curve
from llmfast._replay.guards import rules
from llmfast._replay.log import Request, Skipped, parse_body
from llmfast._replay.model import ANSWER_TOKENS, seconds, tokens
from llmfast._replay.neighbours import find_neighbours
from llmfast._replay.policy import simulate
from llmfast._replay.run import Replay, Settings
from llmfast._replay.trace import CALL, EXACT, SEMANTIC
from llmfast._replay.traffic import traffic
from replay_tools import TopicEncoder, questions


def run(requests, encoder=None, **settings) -> Replay:
    replay = Replay(Settings(**{"router": False, "mode": "static", **settings}), encoder)
    replay.run(requests, Skipped())
    return replay


def asked(query: str, *, messages=(), **fields) -> Request:
    turns = [*messages, {"role": "user", "content": query}]
    return parse_body(json.dumps({"messages": turns, **fields}).encode())


def outcomes(replay: Replay) -> list[tuple[str, int]]:
    return [(row.outcome, row.origin) for row in replay.trace.served]


def simulated(replay: Replay, threshold: float) -> list[tuple[str, int]]:
    trace, settings = replay.trace, replay.settings
    near = find_neighbours(replay.vectors, trace.partitions, lambda: FlatIndex(TopicEncoder.dim))
    keys, times, stored = ([getattr(row, name) for row in trace.served] for name in ("key", "time", "stored"))
    known = rules(trace.texts, settings.mode)
    return simulate(keys, times, near, threshold=threshold, ttl=settings.ttl, stored=stored, **known)


def mixed(count: int) -> list[Request]:
    """Requests in several partitions: models, prompts, histories and parameters differ."""
    plain = traffic(questions(count // 3, count // 30), count, 6)
    contexts = [
        {},
        {"model": "gpt-4o-mini"},
        {"messages": [{"role": "system", "content": "be brief"}]},
        {"messages": [{"role": "user", "content": "before"}]},
        {"temperature": 0.5},
        {"temperature": 1},
        {"temperature": 1.5},
        {"finish_reason": "length"},
    ]
    return [
        asked(request.query, intent=request.intent, user=f"u{n % 5}", **contexts[n * n % 11 % 8])
        for n, request in enumerate(plain)
    ]


@pytest.mark.parametrize("threshold", [0.8, 0.88, 0.95, 0.99])
@pytest.mark.parametrize("ttl", [86_400.0, 50.0])
def test_the_simulated_policy_is_the_run_at_every_request(threshold, ttl):
    replay = run(mixed(1200), TopicEncoder(), threshold=threshold, ttl=ttl)
    assert {kind for kind, _ in outcomes(replay)} == {EXACT, SEMANTIC, CALL}
    assert simulated(replay, threshold) == outcomes(replay)


@pytest.mark.parametrize("threshold", [0.8, 0.95])
def test_so_it_is_with_guards(threshold):
    endings = ("", "?", " please", " thanks")
    asked = [(f"topic{n % 40} question {n % 3}{ending}", f"intent{n % 40}") for n in range(120) for ending in endings]
    plain = run(traffic(asked, 1200, 6), TopicEncoder(), threshold=threshold)
    guarded = run(traffic(asked, 1200, 6), TopicEncoder(), threshold=threshold, mode="guarded")
    assert simulated(guarded, threshold) == outcomes(guarded)
    hits = [[kind for kind, _ in outcomes(replay)].count(SEMANTIC) for replay in (plain, guarded)]
    assert 0 < hits[1] < hits[0]


def test_so_it_is_with_questions_that_ask_for_something_fresh():
    texts = ["topic1 right now", "topic1 today", "topic2 question", "topic1 right now?"]
    questions = [asked(texts[n % 4], time=float(40 * n)) for n in range(400)]
    replay = run(questions, TopicEncoder(), threshold=0.8, mode="guarded", ttl=7200.0)
    assert simulated(replay, 0.8) == outcomes(replay)
    calls = [texts[n % 4] for n, (kind, _) in enumerate(outcomes(replay)) if kind == CALL]
    assert calls.count("topic1 right now") == 100
    assert calls.count("topic1 today") == 5
    assert calls.count("topic2 question") == 3


@pytest.mark.parametrize("other", [0.8, 0.9, 0.97])
def test_one_run_tells_what_another_threshold_would_have_done(other):
    requests = mixed(900)
    assert simulated(run(requests, TopicEncoder(), threshold=0.93), other) == outcomes(
        run(requests, TopicEncoder(), threshold=other)
    )


def test_the_curve_at_the_runs_own_threshold_counts_the_run():
    replay = run(mixed(900), TopicEncoder(), threshold=0.9321)
    served = replay.trace.served
    near = find_neighbours(replay.vectors, replay.trace.partitions, lambda: FlatIndex(TopicEncoder.dim))
    assert covered(served, near) == served
    own = next(point for point in curve(served, near, ttl=86_400.0, own=0.9321) if point["threshold"] == 0.9321)
    kinds = [row.outcome for row in served]
    wrong = sum(row.outcome != CALL and row.intent != served[row.origin].intent for row in served)
    assert (own["exact_hits"], own["semantic_hits"]) == (kinds.count(EXACT), kinds.count(SEMANTIC))
    assert own["wrong_of_hits"]["count"] == wrong > 0


def test_the_answers_of_one_scope_serve_no_other():
    requests = [
        asked(request.query, scope=f"tenant-{n % 3}" if n % 4 else None, user="u")
        for n, request in enumerate(traffic(questions(60, 6), 300, 6))
    ]
    replay = run(requests, TopicEncoder(), threshold=0.85)
    served = replay.trace.served
    assert {requests[row.origin].scope == request.scope for row, request in zip(served, requests, strict=True)} == {
        True
    }
    assert {row.outcome for row in served} == {CALL, EXACT, SEMANTIC}
    assert outcomes(replay) == simulated(replay, 0.85)


@pytest.mark.parametrize(
    ("lines", "is_noted"),
    [
        ([{"user": "a"}, {"user": "b"}], True),
        ([{}, {"user": "a"}, {}, {"user": "b"}], True),
        ([{"user": "a"}, {"user": "a"}], False),
        ([{"user": "a"}, {}], False),
        ([{"user": "a", "scope": "t"}, {"user": "b"}], False),
        ([{}, {}], False),
    ],
)
def test_a_log_of_several_users_that_names_no_scope_is_noted(lines, is_noted):
    replay = run([asked("What is my balance?", **line) for line in lines])
    assert [note for note in replay.tenants.notes() if "no scope" in note] == replay.tenants.notes()
    assert len(replay.tenants.notes()) == is_noted


def test_every_distinct_text_is_encoded_once():
    encoder = TopicEncoder()
    requests = list(traffic(questions(200, 20), 600, 2))
    replay = run(requests, encoder)
    assert sorted(encoder.encoded) == sorted({request.query for request in requests})
    assert all(vector is not None for vector in replay.vectors)


def test_without_an_encoder_only_repeats_hit():
    requests = list(traffic(questions(200, 20), 600, 2))
    kinds = [kind for kind, _ in outcomes(run(requests))]
    assert kinds.count(EXACT) == len(requests) - len({request.query for request in requests})
    assert kinds.count(SEMANTIC) == 0


def test_a_hit_names_the_request_that_was_answered_even_with_the_logs_own_answers():
    requests = [
        Request("a", response="7\nseven"),
        Request("b", response=""),
        Request("a", response="another"),
        Request("b", response="x"),
    ]
    assert outcomes(run(requests)) == [(CALL, 0), (CALL, 1), (EXACT, 0), (EXACT, 1)]


def test_answers_in_nfc_are_one_request():
    assert outcomes(run([Request("caf\u00e9"), Request("cafe\u0301")]))[1] == (EXACT, 0)


def test_an_answer_ends_with_its_time_to_live():
    requests = [Request("a", time=100.0), Request("a", time=159.9), Request("a", time=160.0)]
    assert outcomes(run(requests, ttl=60.0)) == [(CALL, 0), (EXACT, 0), (CALL, 2)]


def test_the_router_chooses_the_model_of_a_call():
    replay = run(list(traffic(questions(20, 20), 40, 1)), router=True)
    called = {row.model for row in replay.trace.served if row.outcome == CALL}
    assert called
    assert "" not in called
    assert {row.requested for row in replay.trace.served} == {"gpt-4o"}


def test_a_request_that_the_engine_refuses_is_counted_and_the_others_go_on(monkeypatch):
    replay, skipped = Replay(Settings(router=False), None), Skipped()
    way = replay._engine.run

    async def refusing(ask, model):
        if ask.query == "b":
            raise ConfigError("not this one")
        return await way(ask, model)

    monkeypatch.setattr(replay._engine, "run", refusing)
    replay.run([Request("a", line=1), Request("b", line=2), Request("a", line=3)], skipped)
    assert outcomes(replay) == [(CALL, 0), (EXACT, 0)]
    assert skipped.first == ["line 2: refused by the engine (not this one)"]


def test_a_request_without_an_identity_is_counted_as_the_engine_refuses_it_and_the_others_go_on():
    deep: list = []
    for _ in range(500):
        deep = [deep]
    strange, skipped = asked("b", x=deep), Skipped()
    replay = Replay(Settings(router=False), TopicEncoder())
    replay.run([asked("a"), strange, strange, asked("a")], skipped)
    assert outcomes(replay) == [(CALL, 0), (EXACT, 0)]
    assert skipped.reasons == {"refused by the engine": 2}


def test_what_is_not_compared_is_near_to_nothing_at_any_threshold():
    requests = [asked("topic one"), asked("topic one", temperature=1.5), asked("topic one", temperature=1.7)]
    requests += [asked("topic 1"), asked("topic 1", temperature=1.5)]
    replay = run(requests, TopicEncoder(spread=0.0), threshold=0.9)
    assert outcomes(replay) == [(CALL, 0), (CALL, 1), (CALL, 2), (SEMANTIC, 0), (CALL, 4)]
    assert [vector is not None for vector in replay.vectors] == [True, False, False, True, False]
    assert simulated(replay, 0.9) == outcomes(replay)


def test_an_answer_that_is_not_complete_serves_nobody():
    requests = [asked("a", finish_reason="length"), asked("a"), asked("a", finish_reason="length"), asked("b")]
    replay = run(requests, TopicEncoder())
    assert outcomes(replay) == [(CALL, 0), (CALL, 1), (EXACT, 1), (CALL, 3)]
    assert simulated(replay, 0.95) == outcomes(replay)


def test_tokens_come_from_the_log_else_from_the_characters():
    assert tokens(Request("q", usage=(7, 3))) == ((7, 3), False)
    system = {"role": "system", "content": "1234"}
    assert tokens(asked("12345678", messages=[system], response="12345")) == ((3, 2), True)
    assert tokens(Request("1")) == ((1, ANSWER_TOKENS), True)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    before = {"role": "user", "content": [image, {"type": "text", "text": "1234"}]}
    assert tokens(asked("5678", messages=[before]))[0][0] == 2
    assert tokens(asked("5678", system=[{"type": "text", "text": "1234"}]))[0][0] == 2
    assert seconds(60) == pytest.approx(1.35)


def test_an_interrupted_run_keeps_what_it_had():
    def requests():
        yield Request("a")
        yield Request("a")
        raise KeyboardInterrupt

    replay = Replay(Settings(router=False), None)
    with pytest.raises(KeyboardInterrupt):
        replay.run(requests(), Skipped())
    assert outcomes(replay) == [(CALL, 0), (EXACT, 0)]
