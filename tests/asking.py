"""What tests of the cache ask with: models that count their calls, a clock that stands still."""

from __future__ import annotations

import asyncio
import dataclasses

from llmfast import Cache, CachePolicy
from llmfast._policy import POLICIES

#: The policy that compares by the threshold alone.
STATIC = CachePolicy(mode="static")


class Model:
    """Answers "<question> #<call>", counts its calls."""

    def __init__(self):
        self.calls = []

    async def __call__(self, query):
        self.calls.append(query)
        return f"{query} #{len(self.calls)}"


class Gate:
    """A model that answers when it is told to."""

    def __init__(self):
        self.calls, self.cancelled = 0, 0
        self.entered, self.open, self.stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, query):
        self.calls += 1
        self.entered.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.stopped.set()
            raise
        return {"answer": query}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now=1_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


def ask(cache, *questions, llm=None, **keywords):
    """Ask one after another and return the answers."""

    async def run():
        return [await cache.get_or_generate(question, llm, **keywords) for question in questions]

    llm = llm or Model()
    return asyncio.run(run())


def sources(answers):
    return [answer.source for answer in answers]


def static(*, policy=None, policies=None, **more):
    """A cache that compares by the threshold alone: a topic's variants are no questions that guards could read."""
    given = {**POLICIES, **({} if policy is None else {"general": policy}), **(policies or {})}
    return Cache(policies={kind: dataclasses.replace(policy, mode="static") for kind, policy in given.items()}, **more)
