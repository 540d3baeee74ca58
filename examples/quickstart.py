"""A cache in front of a model: an exact repeat and a question asked in other words cost no call."""

from __future__ import annotations

import asyncio

from llmfast import Cache, MiniLM, Reply, Usage


async def ask_model(question: str) -> Reply:
    """Stand in for your client's call, and say beside the text how it ended: half an answer must not be stored.

    With the SDK of OpenAI:

        messages = [{"role": "user", "content": question}]
        said = await client.chat.completions.create(model="gpt-4o-mini", messages=messages)
        choice = said.choices[0]
        return Reply(choice.message.content, usage=said.usage, model=said.model, finish_reason=choice.finish_reason)
    """
    text = f"(an expensive answer to {question!r})"
    return Reply(text, usage=Usage(12, 80), model="gpt-4o-mini", finish_reason="stop")


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
