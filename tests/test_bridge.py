"""The native way of a lookup: the same answers as the Python way, and failures that cost the hit and not the call."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import select
import weakref

import pytest

from asking import Clock
from bridging import QUESTIONS, SECRET, answer
from encoders import TopicEncoder
from llmfast import Cache, CachePolicy, MiniLM, OverloadedError
from llmfast._bridge import MOST, Port, Search
from llmfast._encoder import is_native
from llmfast._llmfast import Arrival, CompletionQueue, FlatIndex, LookupWorker

# ---- the same answers ------------------------------------------------------------------------------------------------


def said(answer):
    return answer.source, answer.response, answer.score, answer.age, answer.decision


def test_the_answers_are_those_of_the_python_way(minilm, native):
    clock = Clock()
    plain = Cache(encoder=minilm, policy=CachePolicy(threshold=0.8, ttl=100, mode="static"), clock=clock, secret=SECRET)
    choose = random.Random(5)
    asked = [
        (choose.choice(QUESTIONS), choose.choice(["general", "broad", "faq"]), choose.choice([None, 30.0]))
        for _ in range(150)
    ]

    async def all_of_them():
        seen = []
        for at, (query, kind, ttl) in enumerate(asked):
            native.clock.now = 1e9 + at
            seen.append(said(await native.get_or_generate(query, answer, kind=kind, ttl=ttl)))
        return seen

    def call(query):
        return f"answer to {query[:40]}"

    expected = []
    for at, (query, kind, ttl) in enumerate(asked):
        clock.now = 1e9 + at
        expected.append(said(plain.get_or_generate_sync(query, call, kind=kind, ttl=ttl)))
    assert asyncio.run(all_of_them()) == expected
    assert {source for source, *_ in expected} == {"exact_hit", "semantic_hit", "llm_call"}
    assert native.stats().failures == plain.stats().failures == {}
    assert (native.stats().rows, native.stats().vectors) == (plain.stats().rows, plain.stats().vectors)
    # Texts that are too long, and searches that met rows which are over, are for Python; the rest went over the bridge.
    semantic = [query for query, *_ in asked if len(query) < 1000]
    assert len([query for query in native.searched if len(query) < 1000]) < len(semantic) / 2


def test_a_hit_is_decided_without_python_searching(native):
    async def ask():
        await native.get_or_generate(QUESTIONS[0], answer)
        return await native.get_or_generate(QUESTIONS[1], answer), await native.get_or_generate(QUESTIONS[1], answer)

    first, second = asyncio.run(ask())
    assert (first.source, second.source) == ("semantic_hit", "semantic_hit")
    assert first.score == second.score == first.decision.nearest
    assert native.searched == []


def test_where_the_first_few_do_not_serve_the_search_goes_on(minilm):
    cache = Cache(encoder=minilm, policy=CachePolicy(threshold=0.8), secret=SECRET)

    async def ask():
        for account in range(4701, 4713):
            await cache.get_or_generate(f"What is the fee for account {account}?", answer)
        return [
            await cache.get_or_generate(f"What's the fee for account {account}?", answer) for account in (4711, 4799)
        ]

    found, other = asyncio.run(ask())
    assert (found.source, found.response) == ("semantic_hit", "answer to What is the fee for account 4711?")
    assert other.source == "llm_call"
    keys = [neighbour.key for neighbour in other.decision.neighbours]
    assert len(keys) == len(set(keys)) == 12, "each is looked at once"
    assert cache.stats().failures == {}


def test_what_was_looked_at_before_a_row_that_is_over_is_told_once(minilm):
    clock = Clock()
    cache = Cache(encoder=minilm, policy=CachePolicy(threshold=0.8, ttl=100, jitter=0.0), clock=clock, secret=SECRET)

    async def ask():
        for account in range(4701, 4721):
            # Every other one is over when it is looked at.
            clock.now = 1e9 + 90 * (account % 2)
            await cache.get_or_generate(f"What is the fee for account {account}?", answer)
        clock.now = 1e9 + 110
        return (await cache.get_or_generate("What's the fee for account 4798?", answer)).decision

    decision = asyncio.run(ask())
    keys = [neighbour.key for neighbour in decision.neighbours]
    assert len(keys) == len(set(keys)) == 10
    assert cache.stats().reasons["veto:number"] >= 10


def test_rows_that_are_over_are_left_to_the_python_way(native):
    async def ask():
        await native.get_or_generate(QUESTIONS[0], answer)
        native.clock.now += 101
        return await native.get_or_generate(QUESTIONS[1], answer)

    assert asyncio.run(ask()).source == "llm_call"
    assert native.searched == [QUESTIONS[1]]
    assert native.stats().vectors == 1


def test_a_text_that_is_not_read_whole_is_not_compared(native):
    async def ask():
        return [await native.get_or_generate(f"Customer review: {sign}", answer) for sign in "😀😡"]

    answers = asyncio.run(ask())
    assert [answer.source for answer in answers] == ["llm_call"] * 2
    assert "does not know" in answers[1].decision.reason
    assert (native.searched, native.stats().vectors) == ([], 0)


def test_many_at_a_time(native):
    questions = [f"{question} number {number}" for number in range(20) for question in QUESTIONS[:9]]

    async def ask():
        return await asyncio.gather(*(native.get_or_generate(question, answer) for question in questions))

    assert [answer.response for answer in asyncio.run(ask())] != []
    assert native.stats().failures == {}
    assert native.stats().requests == len(questions)


# ---- other encoders --------------------------------------------------------------------------------------------------


def test_an_encoder_that_is_not_native_has_the_python_way(minilm):
    class Louder(MiniLM):
        def encode(self, texts, **keywords):
            return super().encode([text.upper() for text in texts], **keywords)

    own = MiniLM()
    assert is_native(own)
    own.unread = lambda text: None
    assert not any(map(is_native, [own, Louder(), TopicEncoder(), None]))

    async def ask(cache):
        await cache.get_or_generate("topic/a", answer)
        return await cache.get_or_generate("topic/b", answer)

    cache = Cache(encoder=TopicEncoder(), policy=CachePolicy(threshold=0.9))
    assert asyncio.run(ask(cache)).source == "semantic_hit"
    assert "_worker" not in vars(cache.engine._driver._bridge)


# ---- deliveries ------------------------------------------------------------------------------------------------------


def arrived(queue, count):
    """Wait until `count` completions lie in the queue, holding up the loop."""
    while len(queue) < count:
        select.select([queue.fileno()], [], [], 60)


def lookups(minilm, count):
    """A port of the running loop with `count` completions, and what is to arrive of each."""
    loop, worker = asyncio.get_running_loop(), LookupWorker()
    times = iter(range(1000))
    port = Port(loop, clock=lambda: next(times))
    index = FlatIndex(minilm.dim)
    vector = minilm._encode_for_index("a")
    search = Search(minilm, index, "a", vector, 1, 0.5, bytes(16), 60.0)
    tickets = [worker.submit(port.queue, search) for _ in range(count)]
    arrivals = [Arrival(loop) for _ in tickets]
    port.arrivals.update(zip(tickets, arrivals, strict=True))
    arrived(port.queue, count)
    return port, arrivals


def test_a_turn_delivers_what_it_has_time_for(minilm):
    async def deliver():
        port, futures = lookups(minilm, 3)
        # On this clock every look takes a second.
        port.deliver()
        done = [future.done() for future in futures]
        # The rest keeps the loop awake, one a turn.
        await asyncio.gather(*futures)
        return done

    assert asyncio.run(deliver()) == [True, False, False]


def test_a_turn_wakes_so_many_tasks(minilm):
    async def deliver():
        port, futures = lookups(minilm, MOST + 1)
        port._clock = lambda: 0.0
        port.deliver()
        done = sum(future.done() for future in futures)
        await asyncio.gather(*futures)
        return done

    assert asyncio.run(deliver()) == MOST


def test_a_queue_without_completions_gives_none():
    queue = CompletionQueue()
    assert (queue.take(), len(queue)) == (None, 0)
    assert select.select([queue.fileno()], [], [], 0)[0] == []


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_worker_that_has_too_much_to_do_costs_the_hit_and_not_the_call(native, caplog):
    class Full:
        def submit(self, queue, search):
            raise OverloadedError("4096 lookups wait")

    native.engine._driver._bridge._worker = Full()
    result = asyncio.run(native.get_or_generate(QUESTIONS[0], answer))
    assert result.source == "llm_call"
    assert (native.stats().reasons, native.stats().failures) == ({"refused:busy": 1}, {})
    assert result.decision.refusal == "busy"
    assert "4096 lookups wait" in result.decision.reason


def test_what_the_index_refuses_costs_the_hit_and_not_the_call(native, caplog):
    native._memory.index = FlatIndex(3)
    assert asyncio.run(native.get_or_generate(QUESTIONS[0], answer)).source == "llm_call"
    assert native.stats().failures["L3"] == 1


def test_failed_lookups_leave_no_garbage(native, monkeypatch):
    # A log keeps what it reports.
    monkeypatch.setattr(logging.getLogger("llmfast"), "disabled", True)

    async def ask():
        for number in range(20):
            await native.get_or_generate(f"question {number}", answer)
        return weakref.ref(asyncio.get_running_loop())

    native._memory.index = FlatIndex(3)
    loop = asyncio.run(ask())
    assert native.stats().failures["L3"] == 20
    # A thread keeps the port of its last loop.
    asyncio.run(Cache(encoder=native.encoder).get_or_generate(QUESTIONS[0], answer))
    gc.collect()
    assert loop() is None
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Search)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("encoder", "index", "text", None, 1, 0.5, 0, 1.0), "Asked.0"),
        ((), "length"),
    ],
)
def test_a_lookup_of_other_things_is_refused(asked, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LookupWorker().submit(CompletionQueue(), asked)
