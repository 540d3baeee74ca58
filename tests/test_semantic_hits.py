"""Questions in other words: which stored answer serves by meaning, and which questions are not compared."""

from __future__ import annotations

import dataclasses

import pytest

from asking import Model, ask, sources, static
from encoders import TopicEncoder
from llmfast import CachePolicy


def test_other_words_hit_by_meaning():
    encoder, model = TopicEncoder(closeness=0.99), Model()
    cache = static(encoder=encoder)
    first, second, third = ask(cache, "refund/=", "refund/please", "weather/please", llm=model)
    assert sources((first, second, third)) == ["llm_call", "semantic_hit", "llm_call"]
    assert (second.response, second.tier, second.key) == (first.response, "L3", first.key)
    assert second.score == pytest.approx(0.99, abs=1e-6)
    assert second.decision.threshold == 0.95
    assert second.decision.nearest == second.score
    assert "cosine 0.99" in second.decision.reason
    assert model.calls == ["refund/=", "weather/please"]


def test_the_threshold_is_the_cosine_that_counts():
    for threshold, source in [(0.969, "semantic_hit"), (0.971, "llm_call")]:
        cache = static(encoder=TopicEncoder(closeness=0.97), policy=CachePolicy(threshold=threshold))
        assert sources(ask(cache, "t/=", "t/a")) == ["llm_call", source]


def test_a_semantic_hit_writes_no_exact_row():
    encoder, cache = (encoder := TopicEncoder()), static(encoder=encoder)
    assert sources(ask(cache, "t/=", "t/a", "t/a")) == ["llm_call", "semantic_hit", "semantic_hit"]
    assert cache.stats().rows == 1
    assert encoder.texts == ["t/=", "t/a"], "the vector of a recent text is remembered"


def test_the_nearest_question_answers_and_of_equals_the_older():
    cache = static(encoder=TopicEncoder(closeness=0.99), policy=CachePolicy(threshold=0.999))
    first, second = ask(cache, "t/=", "t/a")
    loose = CachePolicy(threshold=0.9)
    cache.policies["general"] = dataclasses.replace(loose, mode="static")
    assert ask(cache, "t/b")[0].response == first.response
    assert second.source == "llm_call"


def test_each_kind_has_its_policy():
    expected = {"general": 0.95, "faq": 0.99, "news": 0.95, "critical": 0.99, "broad": 0.90, "exploratory": 0.85}
    for kind, threshold in expected.items():
        for closeness, source in [(threshold + 0.002, "semantic_hit"), (threshold - 0.002, "llm_call")]:
            cache = static(encoder=TopicEncoder(closeness=closeness))
            assert sources(ask(cache, "t/=", "t/a", kind=kind)) == ["llm_call", source], (kind, closeness)


def test_another_encoder_never_sees_old_vectors():
    encoder = TopicEncoder()
    cache = static(encoder=encoder)
    ask(cache, "t/=")
    encoder.fingerprint = "topics 2"
    assert sources(ask(cache, "t/a")) == ["llm_call"]


def test_a_text_longer_than_the_encoder_reads_is_not_compared():
    class Short(TopicEncoder):
        max_tokens = 4

        def unread(self, text):
            return "the text is too long" if len(text.split()) > 4 else None

    encoder = Short()
    cache = static(encoder=encoder)
    long = "t/a one two three four"
    assert sources(ask(cache, "t/=", long, long)) == ["llm_call", "llm_call", "exact_hit"]
    huge = "t/a " + "x" * 10_000_000
    assert sources(ask(cache, huge, huge)) == ["llm_call", "exact_hit"]
    assert encoder.texts == ["t/="]
    assert cache.stats().reasons == {"refused:unread": 2}


@pytest.mark.weights
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Customer review: \U0001f600", "Customer review: \U0001f621"),
        ("如何取消我的订单", "如何查询我的账单"),
        ("Decode this: " + "a" * 120, "Decode this: " + "b" * 120),
        ("word " * 300 + "yes", "word " * 300 + "no"),
    ],
    ids=["emoji", "Chinese", "long words", "long texts"],
)
def test_texts_that_look_the_same_to_the_encoder_are_not_compared(minilm, one, other):
    assert minilm.encode(one) @ minilm.encode(other) > 0.99
    cache = static(encoder=minilm, policy=CachePolicy(threshold=0.85))
    first, second, again = ask(cache, one, other, other)
    assert sources((first, second, again)) == ["llm_call", "llm_call", "exact_hit"]
    assert "the encoder" in second.decision.reason
