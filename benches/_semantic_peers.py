"""Semantic caches beside ours, printed without bars: GPTCache with faiss and SQLite, RedisVL on a Redis of its own.

Both get our encoder, so that what is compared is the cache around it, and fewer rows than ours, because filling them
takes minutes. RedisVL needs the search module of Redis, and `LLMFAST_REDIS` the path of a `redis-server`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llmfast
from _semantic_cache import LENIENT, Asker, Loop, Stored, hitting_questions, timed_fill
from _semantic_speed import in_parts, one_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _guards import Guards
    from _harness import Bench

PEER_ROWS, A_ROUND = 10_000, 20
HOST, START_S = "127.0.0.1", 10.0


def run_peers(bench: Bench, encoder: Any, guards: Guards) -> None:
    """Time hits by meaning at 10,000 rows in ours and in every peer that runs here; say why one does not."""
    stored = Stored.read(bench, PEER_ROWS)
    texts = hitting_questions(stored, encoder, guards, (bench.arguments.rounds + 1) * A_ROUND)
    one_thread = llmfast.MiniLM(encoder.path)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        loop = stack.enter_context(contextlib.closing(Loop()))
        asker = Asker(timed_fill(bench, stored))
        asks: dict[str, Callable[[str], object]] = {"llmfast": lambda text: loop.run(asker(text))}
        for name, open_peer in (("GPTCache", gptcache), ("RedisVL", redisvl)):
            try:
                asks[name] = stack.enter_context(open_peer(stored, one_thread, Path(folder)))
            except Exception as error:
                bench.note(f"peers: {name}", f"not run: {type(error).__name__}: {' '.join(str(error).split())[:160]}")
        turns = {name: in_parts(texts, A_ROUND) for name in asks}
        missed = dict.fromkeys(asks, 0)

        def timed(name: str) -> float:
            def ask(text: str) -> None:
                missed[name] += asks[name](text) is None and name != "llmfast"

            return statistics.median(one_call(lambda text=text: ask(text)) for text in next(turns[name]))

        label = f"peers, a hit by meaning, {PEER_ROWS:,} rows"
        bench.rounds({name: (lambda name=name: timed(name)) for name in asks}, label=label, unit="us")
        for name, count in missed.items():
            bench.note(f"peers: {name}, questions without an answer", f"{count:,} of {len(texts):,}")
        bench.note("peers: llmfast, answers", str(asker.sources))


@contextlib.contextmanager
def gptcache(stored: Stored, encoder: Any, folder: Path) -> Iterator[Callable[[str], object]]:
    """Give what asks a GPTCache: our vectors, faiss, SQLite, its own evaluation by distance."""
    api, manager = importlib.import_module("gptcache.adapter.api"), importlib.import_module("gptcache.manager")
    distance = importlib.import_module("gptcache.similarity_evaluation.distance")
    post, pre = (importlib.import_module(f"gptcache.processor.{name}") for name in ("post", "pre"))
    library = importlib.import_module("gptcache")
    place = {text: at for at, text in enumerate(stored.texts)}

    def embed(text: str, **_: Any) -> Any:
        return stored.vectors[place[text]] if text in place else encoder.encode(text)

    # Squared distance of unit vectors; it scores 4 - distance and wants that above threshold * 4.
    least = 1.0 - 2.0 * (1.0 - LENIENT) / 4.0
    cache = library.Cache()
    cache.init(
        pre_embedding_func=pre.get_prompt,
        embedding_func=embed,
        data_manager=manager.get_data_manager(
            manager.CacheBase("sqlite", sql_url=f"sqlite:///{folder / 'gptcache.db'}"),
            manager.VectorBase("faiss", dimension=encoder.dim, index_path=str(folder / "faiss.index")),
            max_size=2 * len(stored.texts),
        ),
        similarity_evaluation=distance.SearchDistanceEvaluation(),
        post_process_messages_func=post.first,
        config=library.Config(similarity_threshold=least, disable_report=True),
    )
    start = time.perf_counter()
    cache.import_data(stored.texts, [f"the answer to {text}" for text in stored.texts])
    print(f"GPTCache filled in {time.perf_counter() - start:.0f} s")
    try:
        yield lambda text: api.get(text, cache_obj=cache)
    finally:
        cache.data_manager.close()
        # It closes once more at the end of the process, when its folder is gone.
        cache.data_manager = types.SimpleNamespace(close=lambda: None)


@contextlib.contextmanager
def redisvl(stored: Stored, encoder: Any, folder: Path) -> Iterator[Callable[[str], object]]:
    """Give what asks a RedisVL SemanticCache on a Redis that is started for it."""
    extension = importlib.import_module("redisvl.extensions.cache.llm")
    vectorize = importlib.import_module("redisvl.utils.vectorize")
    with redis_server(folder) as port:
        vectorizer = vectorize.CustomVectorizer(
            embed=lambda text, **_: encoder.encode(text).tolist(),
            embed_many=lambda texts, **_: encoder.encode(list(texts)).tolist(),
        )
        cache = extension.SemanticCache(
            redis_url=f"redis://{HOST}:{port}", distance_threshold=1.0 - LENIENT, vectorizer=vectorizer
        )
        for text, vector in zip(stored.texts, stored.vectors, strict=True):
            cache.store(text, f"the answer to {text}", vector=vector.tolist())
        yield lambda text: next(iter(cache.check(text)), None)


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """Start a Redis without persistence on a free port of this machine, and end it."""
    program = os.environ.get("LLMFAST_REDIS") or shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("no redis-server: LLMFAST_REDIS names the program")
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    """Wait until somebody listens on a port of this machine."""
    until = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
