"""MiniLM beside sentence-transformers: the same vectors? how long for a question? One thread each, in one process."""

from __future__ import annotations

import gzip
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _harness import Bench, ratio

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTIONS = Path(__file__).resolve().parents[1] / "python" / "llmfast" / "_data" / "banking77.jsonl.gz"
COMPARED = 500
TIMED_EVERY = 10
MIN_COSINE = 0.99999


def questions() -> list[str]:
    with gzip.open(QUESTIONS, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return texts[:: len(texts) // COMPARED][:COMPARED]


def p50_ms(encode: Callable[[str], object], texts: list[str]) -> float:
    """Return the median milliseconds of a question on its own."""
    took = []
    for text in texts:
        start = time.perf_counter()
        encode(text)
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1e3


def peer_model(bench: Bench, folder: Path) -> Any:
    """Return sentence-transformers' model from the folder of ours, on one thread."""
    peer = bench.need_module("sentence_transformers")
    import torch

    torch.set_num_threads(1)
    return peer.SentenceTransformer(str(folder), device="cpu")


def main() -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    bench = Bench("encoder_fidelity", __doc__, libraries=("sentence-transformers", "torch", "transformers"))
    import numpy as np

    ours = bench.need_encoder()
    theirs = peer_model(bench, ours.path)
    texts = questions()

    got = ours.encode(texts).astype(np.float64)
    expected = np.stack([theirs.encode(text, normalize_embeddings=True) for text in texts]).astype(np.float64)
    cosines = (got * expected).sum(axis=1) / np.linalg.norm(got, axis=1) / np.linalg.norm(expected, axis=1)
    bench.bar(f"cosine, least of {len(texts)}", float(cosines.min()), at_least=MIN_COSINE)
    bench.note("cosine, mean", f"{cosines.mean():.9f} (least {cosines.min():.9f})")
    bench.note("tokens of a question, median", f"{statistics.median(map(ours.count_tokens, texts)):g}")

    timed = texts[::TIMED_EVERY]
    contenders = {
        "llmfast": lambda: p50_ms(ours.encode, timed),
        "sentence-transformers": lambda: p50_ms(theirs.encode, timed),
    }
    rounds = bench.rounds(contenders, label="one question, p50", unit="ms")
    speedup = ratio(rounds["sentence-transformers"], rounds["llmfast"])
    bench.note("one question, times faster", str(speedup))
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
