"""What a hit and an evicting insertion cost, from 1,000 entries to a million: LruCache beside cachebox.

Printed without a bar: cachetools, lru-dict, functools.lru_cache, theine, and a bare dict as the floor of a lookup.

How it is measured:

- One thread. Every cache is full, its capacity the number of entries; keys are strings of 22 to 27 characters, each
  value is a string of its own. Peers go by their cheapest public call: the bound `get`, `cache[key] = value` where
  there is no method, theine without its locks. `functools.lru_cache` has neither lookup nor insertion: a call of a
  decorated identity function that hits or misses stands in. A dict evicts nothing and takes no part in insertion.
- A figure is what `for key in keys: get(key)` takes above a loop over the same keys that calls nothing and runs right
  afterwards: the call and no more. The caller has its key in hand: keys are touched some hundreds at a time before the
  clock runs. (Left to the loops they would count for the call: an empty loop fetches several keys at a time, one
  with a call in it waits for each.)
- "Same" keys are the objects in the cache, "fresh" ones equal objects, so that strings are compared. All know their
  hash before, as a string does from its second use on.
- Lookups go in a random permutation of keys that both llmfast and cachebox hold; how many those are is printed when
  they are not all.
- LruCache counts the references to a value some times at once, so that lookups do not cost the same each time. Before
  the clock runs each of its keys was looked up another number of times: the dear ones fall into all rounds alike.
- Each new key is inserted once, so that no round finds a key of an earlier one and the cache stays full; the unrecorded
  round fills what shards may have left free. New keys come in random order, so that what is evicted lies anywhere in
  memory.
"""

from __future__ import annotations

import functools
import gc
import itertools
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llmfast
from _harness import Bench, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Loop = Callable[[Sequence[str]], None]

CALLS = 200_000
TOUCHED = 500
#: References that LruCache counts at once.
COUNTED_AT_ONCE = 7
#: A call that seems to take less was disturbed; ratios need figures above 0.
LEAST_NS = 1.0
GET_AT_MOST = {1_000: 1.0, 10_000: 1.0, 100_000: 0.7, 1_000_000: 0.7}
INSERT_AT_MOST = 1.1
SUBSCRIPT = "llmfast, cache[key]"


# ---- keys ------------------------------------------------------------------------------------------------------------


def strings(prefix: str, count: int) -> list[str]:
    """Return `count` distinct strings that know their hash already."""
    made = [f"{prefix}:{number}:{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(count)]
    for text in made:
        hash(text)
    return made


def in_pieces(keys: Sequence[str]) -> list[Sequence[str]]:
    """Cut a permutation into pieces of CALLS keys; a shorter one is repeated until it has that many."""
    repeated = list(keys) * max(1, CALLS // len(keys))
    return [repeated[start : start + CALLS] for start in range(0, len(repeated) - CALLS // 2, CALLS)]


@dataclass(frozen=True)
class Keys:
    """What all sizes draw from."""

    same: list[str]
    fresh: list[str]
    values: list[str]
    new: list[Sequence[str]]

    @classmethod
    def make(cls, most: int, new_pieces: int) -> Keys:
        """Make keys for caches of up to `most` entries, and pieces of new keys, all in random order."""
        new = strings("new", new_pieces * CALLS)
        random.Random(3).shuffle(new)
        return cls(strings("key", most), strings("key", most), strings("answer", most), in_pieces(new))


# ---- loops -----------------------------------------------------------------------------------------------------------


def no_call(keys: Sequence[str]) -> None:
    for _ in keys:
        pass


def look_up(get: Callable[[str], object], keys: Sequence[str]) -> None:
    for key in keys:
        get(key)


def look_up_and_keep(get: Callable[[str], object], keys: Sequence[str]) -> None:
    for key in keys:
        value = get(key)  # noqa: F841 - as callers do


def subscript_and_keep(cache: Any, keys: Sequence[str]) -> None:
    for key in keys:
        value = cache[key]  # noqa: F841 - as callers do


def insert(put: Callable[[str, str], object], keys: Sequence[str]) -> None:
    for key in keys:
        put(key, key)


def assign(cache: Any, keys: Sequence[str]) -> None:
    for key in keys:
        cache[key] = key


def seconds(loop: Loop, keys: Sequence[str]) -> float:
    """Return what `loop` takes above a loop over the same keys that calls nothing."""
    start = time.perf_counter()
    loop(keys)
    end = time.perf_counter()
    no_call(keys)
    return (end - start) - (time.perf_counter() - end)


def timed(loop: Loop, pieces: Iterator[Sequence[str]]) -> Callable[[], float]:
    """Return a contender: the nanoseconds that the call in `loop` takes, on the next piece.

    The keys are in the processor's cache: cutting a list touches what is cut.
    """

    def measure() -> float:
        keys = next(pieces)
        took = sum(seconds(loop, keys[first : first + TOUCHED]) for first in range(0, len(keys), TOUCHED))
        return max(took * 1e9 / len(keys), LEAST_NS)

    return measure


# ---- contenders ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Peers:
    """The modules to compare with."""

    cachebox: Any
    cachetools: Any
    lru_dict: Any
    theine: Any

    @classmethod
    def load(cls, bench: Bench) -> Peers:
        """Import all, or exit 2. lru-dict's module has this file's name, so this folder is not searched for it."""
        folders = sys.path[:]
        sys.path[:] = [folder for folder in folders if Path(folder).resolve() != Path(__file__).resolve().parent]
        try:
            return cls(*map(bench.need_module, ("cachebox", "cachetools", "lru", "theine")))
        finally:
            sys.path[:] = folders


@dataclass(frozen=True)
class Contender:
    """A full cache behind its cheapest calls."""

    cache: Any
    get: Callable[[str], object]
    insertion: Loop | None
    tenth: bool = False  # a piece's first tenth is enough for a peer that takes microseconds

    def pieces(self, pieces: Sequence[Sequence[str]], first: int = 0) -> Iterator[Sequence[str]]:
        """Return the pieces for ever, from `first` on: contenders of a round use different ones if there are enough."""
        mine = [keys[: CALLS // 10] for keys in pieces] if self.tenth else pieces
        return itertools.islice(itertools.cycle(mine), first % len(mine), None)


def contenders(peers: Peers, size: int, entries: Iterable[tuple[str, str]]) -> dict[str, Contender]:
    """Build and fill every cache."""
    ours: llmfast.LruCache[str, str] = llmfast.LruCache(size)
    box = peers.cachebox.LRUCache(size)
    tools, lru_dict = peers.cachetools.LRUCache(size), peers.lru_dict.LRU(size)
    tlfu = peers.theine.Cache(size, nolock=True)
    identity: Any = functools.lru_cache(maxsize=size)(lambda key: key)
    bare: dict[str, str] = {}
    for key, value in entries:
        for cache in (ours, box, tools, lru_dict, bare):
            cache[key] = value
        tlfu.set(key, value)
        identity(key)
    return {
        "llmfast": Contender(ours, ours.get, functools.partial(insert, ours.insert)),
        "cachebox": Contender(box, box.get, functools.partial(insert, box.insert)),
        "cachetools": Contender(tools, tools.get, functools.partial(assign, tools)),
        "lru-dict": Contender(lru_dict, lru_dict.get, functools.partial(assign, lru_dict)),
        "functools.lru_cache": Contender(identity, identity, functools.partial(look_up, identity)),
        "theine": Contender(tlfu, tlfu.get, functools.partial(insert, tlfu.set), tenth=True),
        "dict": Contender(bare, bare.get, None),
    }


def held(bench: Bench, size: int, built: dict[str, Contender], keys: Sequence[str]) -> list[int]:
    """Return, in random order, the numbers of the keys that llmfast and cachebox hold; note the absent ones.

    llmfast has then been asked for them at different times.
    """
    ours, box, theine = (built[name].cache for name in ("llmfast", "cachebox", "theine"))
    order = [number for number, key in enumerate(built["dict"].cache) if key in ours and key in box]
    if len(order) < size:
        bench.note(
            f"{size:,} entries: looked up", f"{len(order):,}: llmfast holds {len(ours):,}, cachebox {len(box):,}"
        )
    if len(theine) < size:
        bench.note(f"{size:,} entries: theine holds", f"{len(theine):,}; its other lookups miss")
    draws = random.Random(7)
    draws.shuffle(order)
    for number in order:
        for _ in range(draws.randrange(COUNTED_AT_ONCE)):
            ours.get(keys[number])
    return order


# ---- measurements and bars -------------------------------------------------------------------------------------------


def run_rounds(bench: Bench, measures: dict[str, Callable[[], float]], label: str) -> dict[str, list[float]]:
    """Run the contenders in turn; what lives now is frozen, or each collection would walk millions of strings."""
    gc.freeze()
    return bench.rounds(measures, label=label, unit="ns")


def peer_bar(bench: Bench, what: str, rounds: dict[str, list[float]], at_most: float) -> None:
    """Hold llmfast to at most `at_most` times cachebox's time, as the inverse ratio: above 1 llmfast is faster."""
    found = ratio(rounds["cachebox"], rounds["llmfast"])
    bench.ratio_bar(f"{what}: cachebox / llmfast (llmfast <= {at_most:g}x)", found, at_least=1.0 / at_most)


def measure_lookups(bench: Bench, size: int, built: dict[str, Contender], keys: Keys, order: list[int]) -> None:
    """Time hits by the same and by fresh keys."""
    for kind, source in (("same", keys.same), ("fresh", keys.fresh)):
        pieces = in_pieces([source[number] for number in order])
        measures = {
            name: timed(functools.partial(look_up, one.get), one.pieces(pieces, place))
            for place, (name, one) in enumerate(built.items())
        }
        label = f"get {kind}, {size:,} entries"
        peer_bar(bench, label, run_rounds(bench, measures, label), GET_AT_MOST[size])


def measure_subscripts(bench: Bench, size: int, built: dict[str, Contender], keys: Keys, order: list[int]) -> None:
    """Hold `cache[key]` to be no slower than `get` as far as the rounds can tell: the interval must reach 1.

    Apart from the lookups above: cachebox comes before either, so that both find the same in the processor's caches,
    and the value is kept. Where it is dropped at once the interpreter touches it, a few steps earlier after
    `cache[key]`, and waits for its memory: at 100,000 entries that is more than the two ways differ by.
    """
    pieces, measures = in_pieces([keys.same[number] for number in order]), {}
    for way, suffix in (("get", ""), ("subscript", ", cache[key]")):
        for name in ("llmfast", "cachebox"):
            one = built[name]
            get = functools.partial(look_up_and_keep, one.get)
            loop = get if way == "get" else functools.partial(subscript_and_keep, one.cache)
            measures[name + suffix] = timed(loop, one.pieces(pieces, len(measures)))
    rounds = run_rounds(bench, measures, f"value kept, {size:,} entries")
    found = ratio(rounds["llmfast"], rounds[SUBSCRIPT])
    bench.note(f"{size:,} entries: get / cache[key] of llmfast", str(found))
    bench.bar(f"{size:,} entries: upper end of that interval", found.high, unit="x", at_least=1.0)


def measure_insertions(bench: Bench, size: int, built: dict[str, Contender], new: list[Sequence[str]]) -> None:
    """Time insertions of new keys into full caches; `cache[key] = value` has the second half of the new keys."""
    half = len(new) // 2
    measures = {
        name: timed(one.insertion, one.pieces(new[:half])) for name, one in built.items() if one.insertion is not None
    }
    for name in ("llmfast", "cachebox"):
        loop = functools.partial(assign, built[name].cache)
        measures[f"{name}, cache[key] = value"] = timed(loop, built[name].pieces(new[half:]))
    label = f"insert, {size:,} entries"
    rounds = run_rounds(bench, measures, label)
    peer_bar(bench, label, rounds, INSERT_AT_MOST)


def measure(bench: Bench, peers: Peers, size: int, keys: Keys) -> None:
    """Build the caches of one size, measure them and let them go."""
    built = contenders(peers, size, zip(keys.same[:size], keys.values, strict=False))
    order = held(bench, size, built, keys.same)
    measure_lookups(bench, size, built, keys, order)
    measure_subscripts(bench, size, built, keys, order)
    measure_insertions(bench, size, built, keys.new)
    built["theine"].cache.close()


def main() -> int:
    bench = Bench("lru", __doc__, libraries=("cachebox", "cachetools", "lru-dict", "theine"))
    peers = Peers.load(bench)
    keys = Keys.make(max(GET_AT_MOST), new_pieces=2 * (bench.arguments.rounds + 1))
    for size in GET_AT_MOST:
        measure(bench, peers, size, keys)
    return bench.finish()


if __name__ == "__main__":
    sys.exit(main())
