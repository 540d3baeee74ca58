"""What a streamed answer took of tokens is known and booked when it has ended."""

from __future__ import annotations

import asyncio

import pytest

from llmfast import Cache, Engine, Reply, Usage
from streaming import Book, Tap, read, run


def test_usage_is_known_and_booked_when_the_stream_has_ended():
    async def main():
        book, tap = Book(), Tap()
        engine = Engine(cache=Cache(), ledger=book)
        tap.give(Reply("a", usage=Usage(1, 1), model="first"))
        leader, follower = await asyncio.gather(
            *[engine.get_or_generate("q", tap, model="asked", user=user) for user in ("u", "v")]
        )
        await read(follower, 1)
        await follower.response.aclose()
        assert (leader.usage, book.entries) == (None, [])
        tap.give("b", Reply(None, usage={"prompt_tokens": 3, "completion_tokens": 4}, model="served"), None)
        assert await read(leader) == ["a", "b"]
        assert (leader.usage, leader.model, follower.usage) == (Usage(3, 4), "served", Usage(3, 4))
        hit = await engine.get_or_generate("q", tap, model="asked", user="w")
        assert (hit.usage, hit.model, hit.source) == (Usage(3, 4), "served", "exact_hit")
        outcomes = sorted((entry["user"], entry["outcome"]) for entry in book.entries)
        assert outcomes == [("u", "llm_call"), ("v", "coalesced"), ("w", "exact_hit")]
        assert {(entry["usage"], entry["model"], entry["requested"]) for entry in book.entries} == {
            (Usage(3, 4), "served", "asked")
        }

    run(main)


def test_a_stream_that_breaks_off_is_booked_with_what_is_known():
    async def main():
        book, tap = Book(), Tap()
        answer = None
        tap.give("a", OSError("cut"))
        answer = await Engine(cache=Cache(), ledger=book).get_or_generate("q", tap, model="asked")
        with pytest.raises(OSError, match="cut"):
            await read(answer)
        assert [(entry["outcome"], entry["usage"]) for entry in book.entries] == [("llm_call", None)]

    run(main)
