"""A cache in front of a model: an exact repeat and a question asked in other words cost no call."""

from __future__ import annotations

import asyncio

from llmfast import Cache, MiniLM


async def ask_model(question: str) -> str:
    """Stand in for your client: return `(await client.chat.completions.create(...)).choices[0].message.content`."""
    return f"(an expensive answer to {question!r})"


async def main() -> None:
    """Ask four questions, of which the model sees two."""
    cache = Cache(encoder=MiniLM())
    for question in (
        "I lost my card, what should I do?",
        "I lost my card, what should I do?",
        "I lost my card. What should I do",
        "How do I top up my account?",
    ):
        response, source = await cache.get_or_generate(question, ask_model)
        print(f"{source:12}  {question}  →  {response}")
    print(cache.stats())


if __name__ == "__main__":
    asyncio.run(main())
