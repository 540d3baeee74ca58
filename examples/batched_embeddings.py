"""Many coroutines ask for one embedding each; the encoder sees lists."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from llmfast import MiniLM, batch

if TYPE_CHECKING:
    import numpy as np

encoder = MiniLM()


@batch(max_batch_size=32)
def embed(texts: list[str]) -> list[np.ndarray]:
    """Encode what has come together since the last call; a synchronous function has a thread of its own."""
    return list(encoder.encode(texts))


async def main() -> None:
    """Embed a hundred questions from a hundred coroutines."""
    vectors = await asyncio.gather(*(embed(f"question number {number}") for number in range(100)))
    print(f"{len(vectors)} vectors of {len(vectors[0])} dimensions")
    stats = embed.stats()
    print(f"{stats.batches} batches of {stats.batch_sizes.mean:.0f}, {1000 * stats.service_time.mean:.1f} ms each")


if __name__ == "__main__":
    asyncio.run(main())
