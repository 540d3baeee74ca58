"""The bundled traffic: its law, its seed, its data."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from llmfast._replay.traffic import bundled_questions, traffic


def test_the_bundled_questions_are_banking77s_training_part():
    questions = bundled_questions()
    assert len(questions) == 10_003
    assert len({text for text, _ in questions}) == 10_003
    assert len({intent for _, intent in questions}) == 77


def test_a_seed_gives_the_same_traffic_and_another_one_another():
    questions = bundled_questions()
    first, again, other = (list(traffic(questions, 500, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_fewer_requests_are_the_start_of_more():
    questions = bundled_questions()
    assert list(traffic(questions, 300, 1)) == list(islice(traffic(questions, 900, 1), 300))


def test_half_of_the_requests_repeat_until_the_questions_are_exhausted():
    questions = [(f"q{n}", "") for n in range(10_000)]
    asked = [request.query for request in traffic(questions, 10_000, 3)]
    repeats = len(asked) - len(set(asked))
    # Binomial with p = 1/2: five standard deviations are 250.
    assert abs(repeats - 5_000) < 250


def test_exhausted_questions_are_repeated_and_nothing_else_is_asked():
    questions = [("a", "x"), ("b", "y")]
    requests = list(traffic(questions, 100, 1))
    assert {(request.query, request.intent) for request in requests} == set(questions)


def test_repeats_follow_zipfs_law_over_the_order_of_first_asking():
    questions = [(str(n), "") for n in range(4)]
    asked = [request.query for request in traffic(questions, 60_000, 5)]
    order = list(dict.fromkeys(asked))
    # From here on everything is a repeat of one of the four.
    tail = Counter(asked[asked.index(order[-1]) + 1 :])
    total, weight = sum(tail.values()), sum(1 / rank for rank in range(1, 5))
    for rank, text in enumerate(order, start=1):
        expected = 1 / rank / weight
        error = (expected * (1 - expected) / total) ** 0.5
        assert abs(tail[text] / total - expected) < 5 * error


@pytest.mark.parametrize("requests", [0, 1])
def test_no_questions_give_no_traffic(requests):
    assert list(traffic([], requests, 1)) == []
