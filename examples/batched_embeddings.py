"""Many coroutines ask for one embedding each; the encoder sees lists."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmfast import MiniLM, batch

if TYPE_CHECKING:
    import numpy as np

encoder = MiniLM()


@batch(max_batch_size=32)
async def embed(texts: list[str]) -> list[np.ndarray]:
    """Encode what has come together since the last call, beside the event loop."""
    return list(await asyncio.to_thread(encoder.encode, texts))


async def main() -> None:
    """Embed a hundred questions from a hundred coroutines."""
    vectors = await asyncio.gather(*(embed(f"question number {number}") for number in range(100)))
    print(f"{len(vectors)} vectors of {len(vectors[0])} dimensions")
    print(embed.stats())


if __name__ == "__main__":
    asyncio.run(main())
