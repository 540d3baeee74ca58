"""Record what sentence-transformers makes of 100 questions: tests/data/minilm_banking77.npz.

Run where sentence-transformers is installed: `python scripts/record_minilm_reference.py`. The file holds `texts`
(100 strings) and `vectors` (100, 384) float32, unit length.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
QUESTIONS = ROOT / "python" / "llmfast" / "_data" / "banking77.jsonl.gz"
OUT = ROOT / "tests" / "data" / "minilm_banking77.npz"


def questions(every: int, count: int) -> list[str]:
    """Return `count` questions of Banking77, each `every`-th."""
    with gzip.open(QUESTIONS, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return texts[::every][:count]


def main() -> None:
    """Encode and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="sentence-transformers/all-MiniLM-L6-v2", help="name or folder of the model")
    model_name = parser.parse_args().model

    from sentence_transformers import SentenceTransformer

    texts = questions(every=100, count=100)
    model = SentenceTransformer(model_name, device="cpu")
    # One text at a time, so that no padding takes part.
    vectors = np.stack([model.encode(text, normalize_embeddings=True) for text in texts]).astype(np.float32)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OUT, texts=np.array(texts), vectors=vectors)
    print(f"{OUT.relative_to(ROOT)}: {vectors.shape}, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
