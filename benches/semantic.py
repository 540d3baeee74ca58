"""Hits by meaning: how many wrong ones the guards let through, how many right ones they cost, and what a hit costs.

How it is measured:

- Vectors are MiniLM's in its default precision; they are kept in `target/bench`. Plain is the threshold alone, guarded
  the threshold and the guards.
- Pairs are made of Banking77 and CLINC150 (`_pairs.py`): changed questions, which must miss, and harmless edits, which
  must not. What is swapped is not in the guards' own lists.
- Caches hold 100,000 rows: the questions of QQP and flipped points (`_vectors.py`). What they are asked are stored
  questions with a "please" or the like, each once. A hit by meaning runs on one core, with one thread.
- The peer is what one writes without a semantic cache: sentence-transformers, faiss `IndexFlatIP`, a dict. GPTCache
  and RedisVL are printed where they run (`_semantic_peers.py`).
- Two adversarial suites are printed pair by pair; CheckList's suite and QQP are held against bars. Pairs that a reader
  wrote to find out what the guards miss (`written_pairs.jsonl`) are printed by category.

`--only SECTION` runs one section (repeat it for more); `--examples N` prints N failures of each kind.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import _machine
from _guards import Guards
from _harness import Bench, with_one_thread
from _semantic_pairs import run_checklist, run_pairs, run_qqp, run_suites, run_written
from _semantic_peers import run_peers
from _semantic_speed import check_peers, run_decision, run_hit

if TYPE_CHECKING:
    import argparse

LIBRARIES = ("sentence-transformers", "torch", "faiss-cpu", "gptcache", "redisvl")
SECTIONS = {
    "pairs": run_pairs,
    "suites": run_suites,
    "written": run_written,
    "checklist": run_checklist,
    "qqp": run_qqp,
    "decision": run_decision,
    "hit": run_hit,
    "peers": run_peers,
}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=SECTIONS, help="run this section; may be repeated")
    parser.add_argument("--examples", type=int, default=0, help="print so many failures of each kind")


def main() -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    bench = Bench("semantic", __doc__, libraries=LIBRARIES, options=options)
    guards = Guards.load(bench)
    encoder = bench.need_encoder(threads=_machine.cores())
    chosen = bench.arguments.only or list(SECTIONS)
    if "hit" in chosen:
        check_peers(bench)
    for name in chosen:
        start = time.perf_counter()
        SECTIONS[name](bench, encoder, guards)
        bench.note(f"section {name}", f"{time.perf_counter() - start:.0f} s")
    return bench.finish()


if __name__ == "__main__":
    with_one_thread()
    raise SystemExit(main())
