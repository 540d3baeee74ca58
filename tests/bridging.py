"""Questions, their answers, and a cache that tells which lookups did not go over the bridge."""

from __future__ import annotations

from asking import Clock
from llmfast import Cache, CachePolicy

QUESTIONS = [
    "How do I reset my card PIN?",
    "how can I reset the PIN of my card",
    "What is the exchange rate?",
    "what's the current exchange rate",
    "I lost my phone, what now?",
    "My phone was stolen",
    "Why was my transfer declined?",
    "My transfer was declined. Why?",
    "Do you have an office in Paris?",
    "How do I reset my card PIN? 😀",
    "long " * 2000,
    "words " * 40_000,
]
SECRET = bytes(32)


def watched_cache(encoder):
    """A cache whose lookups go over the bridge, and in `searched` the questions that `nearest` looked for after all."""
    cache = Cache(
        encoder=encoder, policy=CachePolicy(threshold=0.8, ttl=100, mode="static"), clock=Clock(1e9), secret=SECRET
    )
    cache.searched = []
    nearest = cache.semantic.nearest

    def watched(plan, place):
        cache.searched.append(plan.ask.query)
        return nearest(plan, place)

    cache.semantic.nearest = watched
    return cache


async def answer(query):
    return f"answer to {query[:40]}"
