"""Answers from documents, cached: an edited document takes the answers that were drawn from it out of the cache."""

from __future__ import annotations

import asyncio
import re
from functools import partial

from llmfast import Cache, CachePolicy, FlatIndex, MiniLM

encoder = MiniLM()


class Library:
    """Documents cut into paragraphs, each found by meaning and known by its number and its document's version."""

    def __init__(self) -> None:
        self._index = FlatIndex(encoder.dim)
        self._chunks: dict[int, tuple[str, str]] = {}
        self._versions: dict[str, int] = {}
        self._next = 0

    def put(self, document: str, text: str) -> None:
        """Add a document, or replace it."""
        for number in [number for number, (of, _) in self._chunks.items() if of == document]:
            self._index.remove(number)
            del self._chunks[number]
        self._versions[document] = self._versions.get(document, 0) + 1
        chunks = [chunk.strip() for chunk in re.split(r"\n\s*\n", text) if chunk.strip()]
        ids = range(self._next, self._next + len(chunks))
        self._next += len(chunks)
        self._index.add_many(list(ids), encoder.encode(chunks))
        self._chunks.update((number, (document, chunk)) for number, chunk in zip(ids, chunks, strict=True))

    def nearest(self, question: str) -> tuple[str, int, int, str]:
        """Return of the paragraph nearest to a question its document, the document's version, its number and itself."""
        hit = self._index.search(encoder.encode(question))[0]
        document, chunk = self._chunks[hit.id]
        return document, self._versions[document], hit.id, chunk


async def ask_model(chunk: str, question: str) -> str:
    """Stand in for your client: ask the model to answer `question` from `chunk`."""
    return f"{chunk} (asked: {question})"


async def main() -> None:
    """Ask, ask again in other words, edit the document, and ask once more."""
    library, cache = Library(), Cache(encoder=encoder, policy=CachePolicy(threshold=0.9))
    library.put("returns", "You can return goods within 14 days.\n\nA refund takes a week to arrive.")
    library.put("delivery", "We deliver to every country of Europe.\n\nParcels arrive within three days.")

    async def answer(question: str) -> tuple[str, str]:
        document, version, number, chunk = library.nearest(question)
        response, source = await cache.get_or_generate(
            question,
            partial(ask_model, chunk),
            # Another paragraph, or another version of its document, is another request.
            context=[(number, version)],
            tags=[document],
        )
        print(f"{source:12}  {question}  →  {response}")
        return response, source

    question = "Within how many days can I return goods?"
    assert (await answer(question))[1] == "llm_call"
    assert (await answer(question))[1] == "exact_hit"
    other = "Where do you deliver to?"
    assert (await answer(other))[1] == "llm_call"

    library.put("returns", "You can return goods within 30 days.\n\nA refund takes a week to arrive.")
    # The new version would be asked for anyway; without this its predecessors' answers would stay until they expire.
    removed = await cache.invalidate(tag="returns")
    print(f"{removed} answer removed")
    assert removed == 1
    response, source = await answer(question)
    assert source == "llm_call"
    assert "30 days" in response
    assert (await answer(other))[1] == "exact_hit"


if __name__ == "__main__":
    asyncio.run(main())
