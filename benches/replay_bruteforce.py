"""Replays the bundled traffic through the engine and through a brute-force scan in f64, and compares every request.

    python benches/replay_bruteforce.py --gate

The scan knows nothing of llmfast: a list of stored questions, their vectors in f64, and the policy in ten lines. It
has no guards, so neither has the engine here. A mismatch is a request whose outcome differs, or that got another
question's answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from _harness import Bench

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

EXACT, SEMANTIC, CALL = "exact_hit", "semantic_hit", "llm_call"


def brute_force(
    texts: Sequence[str], vectors: Mapping[str, Any], threshold: float, *, time_to_live: float | None = None
) -> list[tuple[str, int]]:
    """Return of each text, asked one a second, its outcome and the position of the request that made its answer.

    Every stored question is compared, in f64, but those that have no vector: they were not to be compared. A time to
    live is in seconds.
    """
    dim = len(next(iter(vectors.values())))
    matrix = np.empty((len(texts), dim))
    made_at = np.empty(len(texts), dtype=np.int64)
    stored: dict[str, int] = {}
    rows = 0
    outcomes = []
    for position, text in enumerate(texts):
        if text in stored and (time_to_live is None or position - stored[text] < time_to_live):
            outcomes.append((EXACT, stored[text]))
            continue
        if text not in vectors:
            stored[text] = position
            outcomes.append((CALL, position))
            continue
        vector = vectors[text].astype(np.float64)
        vector /= np.linalg.norm(vector)
        scores = matrix[:rows] @ vector
        if time_to_live is not None:
            scores[position - made_at[:rows] >= time_to_live] = -np.inf
        best = int(scores.argmax()) if rows else -1
        if rows and scores[best] >= threshold:
            outcomes.append((SEMANTIC, int(made_at[best])))
            continue
        matrix[rows], made_at[rows] = vector, position
        rows += 1
        stored[text] = position
        outcomes.append((CALL, position))
    return outcomes


def compare(
    encoder: Any,
    *,
    requests: int,
    seed: int = 1,
    threshold: float = 0.95,
    questions: Sequence[tuple[str, str]] | None = None,
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return the outcomes of the engine and of the brute-force scan over the same traffic."""
    from llmfast._replay.log import Skipped
    from llmfast._replay.run import Replay, Settings
    from llmfast._replay.traffic import bundled_questions, traffic

    asked = list(traffic(bundled_questions() if questions is None else questions, requests, seed))
    replay = Replay(Settings(threshold=threshold, router=False, mode="static"), encoder)
    replay.run(asked, Skipped())
    engine = [(row.outcome, row.origin) for row in replay.trace.served]
    assert replay.encoder is not None
    vectors = replay.encoder.vectors
    return engine, brute_force([request.query for request in asked], vectors, threshold)


def _count(outcomes: Sequence[tuple[str, int]]) -> str:
    kinds = [kind for kind, _ in outcomes]
    return ", ".join(f"{kinds.count(kind):,} {kind}" for kind in (EXACT, SEMANTIC, CALL))


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threshold", type=float, default=0.95)


def main() -> int:
    bench = Bench("replay_bruteforce", __doc__, options=_options)
    chosen = bench.arguments
    encoder = bench.need_encoder()
    engine, scan = compare(encoder, requests=chosen.requests, seed=chosen.seed, threshold=chosen.threshold)
    bench.note("engine", _count(engine))
    bench.note("brute force", _count(scan))
    bench.bar("requests compared", float(len(engine)), at_least=float(chosen.requests))
    bench.bar("mismatches", float(sum(a != b for a, b in zip(engine, scan, strict=True))), at_most=0.0)
    return bench.finish()


if __name__ == "__main__":
    raise SystemExit(main())
