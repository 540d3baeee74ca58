"""Exact search beside numpy, faiss and usearch, from 10,000 rows to a million; HnswIndex beside usearch and hnswlib.

How it is measured:

- Rows and queries are MiniLM's vectors of real questions (`_vectors.py`); no query's text is among the rows'. Encoding
  takes minutes, so the vectors are kept in `target/bench`.
- One thread each, in one process, which starts itself again with BLAS and OpenMP held to one.
- A figure is the median over queries asked one at a time from Python, each by the peer's best call for one query: numpy
  a product and its argmax, faiss `IndexFlatIP.search`, usearch an index over the same memory asked with `exact=True`
  (faster than its function `search`). What brute force takes does not depend on the query, so it is asked fewer.
- faiss has no threshold in `search`: it is asked for its best row (or 10, or 8). `range_search` is printed.
- Answers are compared with float64 (`_oracle.py`); peers must agree on the best score before they are timed.
- What an index from a file keeps resident is measured in a fresh process (`_search_probe.py`).

`--only SECTION` runs one section (repeat it for more); `--full` adds the graphs at a million rows, half an hour.
`LLMFAST_KERNEL` chooses the kernel.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import llmfast
from _harness import Bench, ratio, with_one_thread
from _oracle import NO_THRESHOLD, Oracle, change, count_mistakes
from _search_peers import (
    Contender,
    Peers,
    brute_force,
    check_agreement,
    faiss_contender,
    flat,
    graphs,
    ours,
    timed,
    us_each,
)
from _search_probe import partition_ids
from _vectors import CACHE, DIM, Data, in_blocks, question_vectors, spaced_ids, write_whole
from llmfast._llmfast import kernel_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

SMALL, LARGE, MILLION = 10_000, 100_000, 1_000_000
#: Queries a round: ours, and those of a brute-force peer.
ASKED = {SMALL: (1_000, 100), LARGE: (400, 25), MILLION: (200, 3)}
TAUS = (0.9, 0.8)
FASTER_THAN_FAISS = {(SMALL, 0.9): 8.0, (LARGE, 0.9): 25.0, (LARGE, 0.8): 20.0, (MILLION, 0.9): 25.0}
TOP_10_FASTER, TOP_8_FASTER, MANY_FASTER = 3.0, 5.0, 3.0
PARTITIONS, PARTITION_US, PARTITION_BYTES = 10_000, 20.0, 700.0
ADD_US, ADD_MANY_US = 15.0, 5.0
RESIDENT_BYTES, OPEN_MS = 500.0, 50.0
CHECKED_ROWS = (100, 1_000, 10_000, 50_000, 100_000)
CHECKED_TAUS = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, NO_THRESHOLD)


@dataclass
class Run:
    """One run: where figures go, what is searched, with whom to compare, and a folder for its files."""

    bench: Bench
    data: Data
    peers: Peers
    folder: Path

    def probe(self, what: str, *arguments: str, **environment: str) -> dict[str, Any]:
        """Run `_search_probe.py` in a process of its own and return what it prints."""
        queries = self.folder / "queries.npy"
        write_whole(queries, self.data.queries)
        command = [sys.executable, str(Path(__file__).with_name("_search_probe.py")), what, str(queries), *arguments]
        done = subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def save(self, index: llmfast.FlatIndex, name: str) -> str:
        """Write an index into the folder and return its path."""
        path = self.folder / name
        index.save(path)
        return str(path)


# ---- the best rows ---------------------------------------------------------------------------------------------------


def run_exact(run: Run) -> None:
    for size in (SMALL, LARGE):
        measure_best(run, size, flat(run.data.rows(size)))
    measure_lists(run)


def measure_best(run: Run, size: int, index: llmfast.FlatIndex) -> None:
    """Time the best row at two thresholds and without, beside every exact peer; hold the ratios to faiss."""
    many, few = (run.data.queries[:count] for count in ASKED[size])
    rows = run.data.rows(size)
    faiss_flat = run.peers.faiss_flat(rows)
    contenders = {"llmfast": ours(index, few), **brute_force(run.peers, rows, faiss_flat, few)}
    check_agreement(contenders)
    contenders |= {f"llmfast, tau {tau}": ours(index, many, min_score=tau) for tau in TAUS}
    ranged = faiss_contender(faiss_flat, few)
    ranged.call = lambda query: faiss_flat.range_search(query, TAUS[0])
    contenders[f"faiss range_search, tau {TAUS[0]}"] = ranged
    label = f"{size:,} rows"
    rounds = run.bench.rounds(contenders, label=label, unit="us")
    for tau in TAUS:
        name = f"llmfast, tau {tau}"
        run.bench.note(f"{label}: {name}, all rounds", contenders[name].spread())
        hold(run.bench, f"{label}, tau {tau}: faiss flat / llmfast", rounds, ("faiss flat", name), (size, tau))
    hold(run.bench, f"{label}, no threshold: faiss flat / llmfast", rounds, ("faiss flat", "llmfast"))


def hold(
    bench: Bench,
    what: str,
    rounds: Mapping[str, list[float]],
    names: tuple[str, str],
    key: tuple[int, float] | None = None,
) -> None:
    """Hold the ratio of two contenders against the bar of this size and threshold; without one it is printed."""
    found = ratio(*(rounds[name] for name in names))
    if key in FASTER_THAN_FAISS:
        bench.ratio_bar(what, found, at_least=FASTER_THAN_FAISS[key])
    else:
        bench.note(what, str(found))


def measure_lists(run: Run) -> None:
    """Time the best 10 rows, and the best 8 of at least .7, at 100,000 rows beside faiss."""
    rows = run.data.rows(LARGE)
    many, few = (run.data.queries[:count] for count in ASKED[LARGE])
    index, theirs = flat(rows), run.peers.faiss_flat(rows)
    contenders = {
        "llmfast, top 10": ours(index, many, 10),
        "llmfast, top 8 at .7": ours(index, many, 8, 0.7),
        "faiss flat, top 10": faiss_contender(theirs, few, 10),
        "faiss flat, top 8": faiss_contender(theirs, few, 8),
    }
    label = f"{LARGE:,} rows"
    rounds = run.bench.rounds(contenders, label=label, unit="us")
    for mine, peer, least in (
        ("llmfast, top 10", "faiss flat, top 10", TOP_10_FASTER),
        ("llmfast, top 8 at .7", "faiss flat, top 8", TOP_8_FASTER),
    ):
        run.bench.ratio_bar(f"{label}: {peer} / {mine}", ratio(rounds[peer], rounds[mine]), at_least=least)


def run_many(run: Run) -> None:
    """Time a query of a batch of 1,000 beside a query on its own, at 100,000 rows."""
    rows, queries = run.data.rows(LARGE), run.data.queries
    index, peer = flat(rows), run.peers.faiss_flat(rows)
    alone = list(queries[::10])
    calls = {
        "search": (lambda: [index.search(query) for query in alone], len(alone)),
        "search_many": (lambda: index.search_many(queries), len(queries)),
        "search, tau .9": (lambda: [index.search(query, min_score=0.9) for query in alone], len(alone)),
        "search_many, tau .9": (lambda: index.search_many(queries, min_score=0.9), len(queries)),
        "faiss flat, 1,000 at once": (lambda: peer.search(queries, 1), len(queries)),
    }
    label = f"{LARGE:,} rows, a query"
    contenders = {name: functools.partial(us_each, call, count) for name, (call, count) in calls.items()}
    rounds = run.bench.rounds(contenders, label=label, unit="us")
    found = ratio(rounds["search"], rounds["search_many"])
    run.bench.ratio_bar(f"{label}: search / search_many of 1,000", found, at_least=MANY_FASTER)
    hold(run.bench, f"{label}, tau .9: search / search_many", rounds, ("search, tau .9", "search_many, tau .9"))
    hold(run.bench, f"{label}: faiss / llmfast, 1,000 at once", rounds, ("faiss flat, 1,000 at once", "search_many"))


def run_kernels(run: Run) -> None:
    """Print what the plainer kernels take, each in a process of its own; no bars."""
    paths = [run.save(flat(run.data.rows(size)), f"{size}.index") for size in (SMALL, LARGE)]
    for chosen in ("", "avx2", "scalar"):
        found = run.probe("latency", *paths, LLMFAST_KERNEL=chosen)
        for size, medians in found["rows"].items():
            line = ", ".join(f"{what} {median:.1f} us" for what, median in medians.items())
            run.bench.note(f"kernel {found['kernel']}{'' if chosen else ' by default'}, {int(size):,} rows", line)


# ---- partitions, insertion, memory -----------------------------------------------------------------------------------


def run_partitions(run: Run) -> None:
    """Time a search in one of 10,000 partitions of 10 rows, and weigh what such an index keeps resident."""
    chosen, index = partition_ids(PARTITIONS), llmfast.FlatIndex(DIM)
    rows, ids = run.data.rows(LARGE), spaced_ids(LARGE)
    for partition, part in zip(chosen, in_blocks(LARGE, LARGE // PARTITIONS), strict=True):
        index.add_many(ids[part], rows[part], partition=partition)
    order = np.random.default_rng(5).permutation(PARTITIONS)
    pairs = [(query, chosen[place]) for query, place in zip(run.data.queries, order, strict=False)]
    contenders = {
        "no threshold": Contender(lambda pair: index.search(pair[0], partition=pair[1]), pairs),
        "tau .9": Contender(lambda pair: index.search(pair[0], min_score=0.9, partition=pair[1]), pairs),
    }
    label = f"{PARTITIONS:,} partitions of {LARGE // PARTITIONS} rows"
    rounds = run.bench.rounds(contenders, label=label, unit="us")
    run.bench.note(f"{label}: no threshold, all rounds", contenders["no threshold"].spread())
    slower = max(statistics.median(values) for values in rounds.values())
    run.bench.time_bar(f"{label}: a search", slower, unit="us", at_most=PARTITION_US)
    run.bench.note(f"{label}: memory_bytes before saving", f"{index.memory_bytes / len(index):.0f} B a row")
    weigh_partitions(run, label, run.save(index, "partitions.index"))


def weigh_partitions(run: Run, label: str, path: str) -> None:
    """Hold what is resident once every partition was searched at .9; the heap may have pages not resident."""
    found = run.probe("partitions", path, str(PARTITIONS))
    run.bench.note(f"{label}, loaded: opened in", f"{found['opened_ms']:.1f} ms")
    for name in ("tau .9", "no threshold"):
        text = f"{found[f'{name}, bytes']:.0f} B a row resident, p50 {found[f'{name}, us']:.1f} us"
        run.bench.note(f"{label}, loaded: all searched, {name}", text)
    run.bench.note(f"{label}, loaded: memory_bytes", f"{found['heap']:.0f} B a row")
    larger = max(found["heap"], found["tau .9, bytes"])
    run.bench.bar(f"{label}, loaded: memory", larger, unit="B a row", at_most=PARTITION_BYTES)


def run_insertion(run: Run) -> None:
    """Time insertions into an index that grows to 100,000 rows, one by one and 1,000 at a time."""
    rows, ids = run.data.rows(LARGE), spaced_ids(LARGE)
    one_by_one = list(zip(ids.tolist(), rows, strict=True))
    batches = list(in_blocks(LARGE, 1_000))

    def add() -> None:
        index = llmfast.FlatIndex(DIM)
        for number, row in one_by_one:
            index.add(number, row)

    def add_many() -> None:
        index = llmfast.FlatIndex(DIM)
        for part in batches:
            index.add_many(ids[part], rows[part])

    def faiss_add() -> None:
        index = run.peers.faiss.IndexFlatIP(DIM)
        for part in batches:
            index.add(rows[part])

    fills = {"add": add, "add_many": add_many, "faiss flat": faiss_add}
    contenders = {name: functools.partial(us_each, fill, LARGE) for name, fill in fills.items()}
    rounds = run.bench.rounds(contenders, label="insertion, a row", unit="us")
    for name, at_most in (("add", ADD_US), ("add_many", ADD_MANY_US)):
        run.bench.time_bar(f"insertion, a row: {name}", statistics.median(rounds[name]), unit="us", at_most=at_most)


def run_million(run: Run) -> None:
    """Time a million rows in memory, then weigh them on disk."""
    index = flat(run.data.rows(MILLION))
    measure_best(run, MILLION, index)
    label = f"{MILLION:,} rows"
    run.bench.note(f"{label}: memory_bytes before saving", f"{index.memory_bytes / len(index):.0f} B a row")
    path = run.save(index, "million.index")
    del index
    found = run.probe("resident", path)
    label = f"{label}, loaded"
    for name in ("tau .9", "tau .8", "top 10"):
        run.bench.note(f"{label}: {name}, first touches included", f"p50 {found[name]:.1f} us")
    run.bench.note(f"{label}: the first search", f"{found['first_us'] / 1e3:.1f} ms")
    run.bench.note(f"{label}: memory_bytes", f"{found['heap']:.0f} B a row")
    run.bench.note(f"{label}: resident after all at .9 and .8", f"{found['with thresholds']:.0f} B a row")
    run.bench.bar(f"{label}: resident after 100 top 10 more", found["growth"], unit="B a row", at_most=RESIDENT_BYTES)
    run.bench.time_bar(f"{label}: opened in", found["opened_ms"], unit="ms", at_most=OPEN_MS)
    if run.bench.arguments.full:
        measure_graphs(run, MILLION)


# ---- exactness -------------------------------------------------------------------------------------------------------


def run_oracle(run: Run) -> None:
    """Compare 35,000 answers and 5,000 lists with float64; the same after rows were removed and replaced."""
    rows, ids = run.data.rows(LARGE), spaced_ids(LARGE)
    indexes = {size: llmfast.FlatIndex(DIM) for size in CHECKED_ROWS}
    for size, index in indexes.items():
        index.add_many(ids[:size], rows[:size])
    report(run, "as added", indexes, Oracle(ids, rows))
    changed, alive = change(run.data, ids, rows, indexes)
    report(run, "after removals and updates", indexes, Oracle(ids, changed, alive))


def report(run: Run, when: str, indexes: Mapping[int, llmfast.FlatIndex], oracle: Oracle) -> None:
    """Check all sizes: the best row at all thresholds, and the best ten without one. A mistake misses the bar."""
    mistakes = {1: 0, 10: 0}
    asked = [(1, tau) for tau in CHECKED_TAUS] + [(10, NO_THRESHOLD)]
    for part in in_blocks(len(run.data.queries), 100):
        queries = run.data.queries[part]
        scores = oracle.scores(queries)
        for size, index in indexes.items():
            for k, min_score in asked:
                mistakes[k] += count_mistakes(oracle, index, queries, scores[:, :size], k, min_score)
    lists = len(run.data.queries) * len(indexes)
    run.bench.note(f"exactness {when}: rows with an equal", f"{len(oracle.copies):,}")
    run.bench.bar(f"exactness {when}: mistakes in {lists * len(CHECKED_TAUS):,}", mistakes[1], at_most=0.0)
    run.bench.bar(f"exactness {when}: mistakes in {lists:,} lists of 10", mistakes[10], at_most=0.0)


# ---- graphs ----------------------------------------------------------------------------------------------------------


def run_hnsw(run: Run) -> None:
    for size in (SMALL, LARGE):
        measure_graphs(run, size)


def measure_graphs(run: Run, size: int) -> None:
    """Print what each graph takes to build and to ask, and how often its first answer is the best row; no bars."""
    rows, queries = run.data.rows(size), run.data.queries
    best = run.peers.faiss_flat(rows).search(queries, 1)[0][:, 0]
    built = graphs(run.peers, rows, queries)
    label = f"{size:,} rows, graphs"
    rounds = run.bench.rounds({name: one for name, (_, one) in built.items()}, label=label, unit="us")
    for name, (seconds, contender) in built.items():
        recall = np.mean(contender.best_scores() >= best - 1e-5)
        build = f"built in {seconds:.1f} s ({seconds * 1e6 / size:.0f} us a row)"
        text = f"{build}, p50 {statistics.median(rounds[name]):.1f} us, recall@1 {recall:.3f}"
        run.bench.note(f"{label}: {name}", text)


# ---- the run ---------------------------------------------------------------------------------------------------------

#: In this order: the million rows stay in memory once they are made.
SECTIONS = {
    "exact": run_exact,
    "many": run_many,
    "partitions": run_partitions,
    "insertion": run_insertion,
    "oracle": run_oracle,
    "kernels": run_kernels,
    "hnsw": run_hnsw,
    "million": run_million,
}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", choices=SECTIONS, help="run this section; may be repeated")
    parser.add_argument("--full", action="store_true", help="build the graphs at a million rows too")


def main() -> int:
    bench = Bench("search", __doc__, libraries=("faiss-cpu", "hnswlib", "usearch"), options=options)
    peers, data = Peers.load(bench), Data(question_vectors(bench))
    bench.note("kernel", kernel_name())
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        run = Run(bench, data, peers, Path(folder))
        for name in bench.arguments.only or SECTIONS:
            seconds, _ = timed(functools.partial(SECTIONS[name], run))
            bench.note(f"section {name}", f"{seconds:.0f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    bench.note("most memory of this process", f"{peak:.1f} GB")
    return bench.finish()


if __name__ == "__main__":
    with_one_thread()
    sys.exit(main())
