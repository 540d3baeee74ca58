"""What the events of a provider's stream say of the model that served and of the tokens that it took."""

from __future__ import annotations

import json

import pytest

from llmfast import Cache, Engine, Ledger, Prices, Reply, Usage
from streaming import Tap, read, run, words

PRICES = Prices({"m-1": (1, 10), "asked": (2, 20)})


def chunk(delta, finish_reason=None, **more):
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m-1", "choices": choices, "usage": None, **more}


TEXT, END = chunk({"content": "Hel"}), chunk({}, "stop")
COUNTS = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
LAST = {**END, "choices": [], "usage": COUNTS}

RESPONSE = {"id": "r1", "object": "response", "model": "m-1", "status": "in_progress", "usage": None}
CREATED = {"type": "response.created", "response": RESPONSE}
DELTA = {"type": "response.output_text.delta", "delta": "Hel"}
COMPLETED = {
    "type": "response.completed",
    "response": {**RESPONSE, "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 5}},
}

MESSAGE = {"id": "m1", "type": "message", "model": "m-1", "content": [], "stop_reason": None}
START = {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 3, "output_tokens": 1}}}
BLOCK = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}
STOPS = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
STOP = {"type": "message_stop"}


def unnamed(event):
    return {name: value for name, value in event.items() if name not in ("object", "id")}


STREAMS = {
    "chat": [TEXT, END, LAST],
    "chat, usage so far in each": [{**TEXT, "usage": {**COUNTS, "completion_tokens": 1}}, END, LAST],
    "chat, usage beside the end": [TEXT, {**END, "usage": COUNTS}],
    "chat, of a server that names less": [unnamed(TEXT), unnamed(END), unnamed(LAST)],
    "chat, an id for each chunk": [{**TEXT, "id": "c7"}, {**END, "id": "c8"}, {**LAST, "id": "c9"}],
    "responses": [CREATED, DELTA, COMPLETED],
    "messages": [START, BLOCK, STOPS, STOP],
}

FORMS = [dict, json.dumps, lambda event: json.dumps(event).encode()]


def engine():
    return Engine(cache=Cache(), ledger=Ledger(prices=PRICES))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("events", STREAMS.values(), ids=STREAMS)
def test_model_and_usage_are_read_and_replayed(events, form):
    async def main():
        asked, items = engine(), list(map(form, events))
        for source in ("llm_call", "exact_hit"):
            answer = await asked.get_or_generate("q", words(*items), model="asked")
            assert await read(answer) == items
            assert (answer.source, answer.usage, answer.model) == (source, Usage(3, 5), "m-1")
        sums = asked.ledger.summary()
        assert (sums.unpriced, list(sums.models)) == (0, ["m-1"])
        assert [sums.tokens[outcome].output for outcome in ("llm_call", "exact_hit")] == [5, 5]
        assert asked.cache.stats().failures == {}

    run(main)


@pytest.mark.parametrize("form", FORMS)
def test_they_are_read_without_a_cache_too(form):
    async def main():
        asked = Engine(ledger=Ledger(prices=PRICES))
        answer = await asked.get_or_generate("q", words(*map(form, [TEXT, END, LAST])), model="m-1")
        await read(answer)
        assert (answer.usage, asked.ledger.summary().unpriced) == (Usage(3, 5), 0)

    run(main)


def test_cached_tokens_of_an_event_are_estimated():
    async def main():
        usage = {**COUNTS, "prompt_tokens_details": {"cached_tokens": 2}}
        answer = await engine().get_or_generate("q", words(TEXT, END, {**LAST, "usage": usage}))
        await read(answer)
        assert (answer.usage, answer.usage.estimated) == (Usage(3, 5), True)

    run(main)


@pytest.mark.parametrize(
    ("items", "usage"),
    [
        ([TEXT, {**END, "usage": COUNTS}], Usage(3, 5)),
        ([TEXT, END, LAST], Usage(3, 5)),
        ([{**TEXT, "usage": COUNTS}, TEXT], None),
        ([START, BLOCK], None),
        ([START, BLOCK, STOPS], Usage(3, 5)),
        ([CREATED, COMPLETED], Usage(3, 5)),
    ],
)
def test_a_stream_that_breaks_off_has_the_usage_of_its_end_alone(items, usage):
    async def main():
        tap = Tap()
        tap.give(*items, OSError("cut"))
        asked = engine()
        answer = await asked.get_or_generate("q", tap, model="m-1")
        with pytest.raises(OSError, match="cut"):
            await read(answer)
        assert (answer.usage, asked.ledger.summary().unpriced) == (usage, int(usage is None))

    run(main)


SECOND = [{**event, "id": "c2"} for event in (TEXT, END, LAST)]


@pytest.mark.parametrize(
    ("items", "usage"),
    [
        ([TEXT, END, LAST, *SECOND], None),
        ([START, BLOCK, STOPS, STOP, {**START, "message": {**START["message"], "id": "m2"}}, STOPS, STOP], None),
        ([TEXT, END, LAST, *SECOND, Reply(None, usage=Usage(6, 10))], Usage(6, 10)),
        ([TEXT, END, Reply(None, usage=Usage(4, 6))], Usage(4, 6)),
    ],
)
def test_of_several_answers_in_one_stream_no_usage_is_the_whole(items, usage):
    async def main():
        answer = await engine().get_or_generate("q", words(*items))
        await read(answer)
        assert answer.usage == usage

    run(main)


@pytest.mark.parametrize("usage", [{"prompt_tokens": "many"}, {"prompt_tokens": 3}])
def test_what_cannot_be_read_costs_nothing_but_itself(usage, caplog):
    async def main():
        asked = engine()
        for source in ("llm_call", "exact_hit"):
            answer = await asked.get_or_generate("q", words(TEXT, END, {**LAST, "usage": usage}))
            await read(answer)
            assert (answer.source, answer.usage, answer.model) == (source, None, "m-1")
        assert asked.cache.stats().failures == {"usage": 1}

    run(main)


OWN = [
    {"usage": {"input_tokens": 3, "output_tokens": 5}, "model": "T"},
    {"type": "message_delta", "usage": {"output_tokens": 5}},
    {"type": "message_start", "message": "hello"},
    {"type": "response.of.mine", "response": {"model": "T", "usage": {"input_tokens": 3, "output_tokens": 5}}},
    {"choices": [{"name": "a"}], "model": "T", "usage": {"input_tokens": 3, "output_tokens": 5}},
    {"object": ["chat.completion.chunk"], "model": "T"},
    "{not JSON}",
    ["T"],
]


@pytest.mark.parametrize("item", OWN, ids=repr)
def test_items_of_the_caller_s_own_tell_nothing(item):
    async def main():
        asked = engine()
        answer = await asked.get_or_generate("q", words(item), model="asked")
        await read(answer)
        assert (answer.usage, answer.model, asked.cache.stats().failures) == (None, "asked", {})

    run(main)
