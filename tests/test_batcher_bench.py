"""The batcher bench's own logic: its simulators beside naive ones, its formula, what its measurements can find."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import threading
import time

import pytest
from hypothesis import given, strategies as st

from bench_modules import bench_modules

simulation, load, peers, virtual = bench_modules("_batch_simulation", "_batch_load", "_batch_peers", "_batch_virtual")

ticks = st.lists(st.integers(0, 60), max_size=30).map(sorted)


# ---- arrivals in time ------------------------------------------------------------------------------------------------


def by_ticks(arrivals, window, service, limit):
    """Go through time one tick after the other: the oracle of `windowed`, on whole numbers."""
    waiting, coming, free, made = [], list(arrivals), 0, []
    now = 0
    while waiting or coming:
        while coming and coming[0] <= now:
            waiting.append(coming.pop(0))
        if waiting and free <= now and (len(waiting) >= limit or now - waiting[0] >= window):
            taken, waiting = waiting[:limit], waiting[limit:]
            free = now + service(len(taken))
            made.append((free, taken))
        now += 1
    return made


@given(ticks, st.integers(0, 12), st.integers(1, 5), st.integers(1, 7), st.integers(0, 2))
def test_windows_are_those_of_a_clock_that_ticks(arrivals, window, limit, fixed, each):
    def service(items):
        return fixed + each * items

    found = list(simulation.windowed(arrivals, window, service=service, limit=limit))
    assert [(end, list(arrived)) for end, arrived in found] == by_ticks(arrivals, window, service, limit)


class GreedyScheduler:
    """The least that `scheduled` needs of a scheduler."""

    def __init__(self, limit, workers, keep=0):
        self.limit, self.workers, self.keep = limit, workers, keep
        self.waiting, self.numbers = [], itertools.count()

    def submit(self, now):
        self.waiting.append(next(self.numbers))
        return self.waiting[-1]

    def next(self, now):
        if len(self.waiting) <= self.keep or self.workers == 0:
            return None
        self.workers -= 1
        taken, self.waiting = self.waiting[: self.limit], self.waiting[self.limit :]
        return next(self.numbers), taken, "worker"

    def finish(self, now, batch):
        self.workers += 1


@given(st.lists(st.floats(0.0, 1.0), max_size=80, unique=True).map(sorted), st.integers(1, 8))
def test_a_greedy_scheduler_makes_the_batches_of_no_window(arrivals, limit):
    found = simulation.scheduled(GreedyScheduler(limit, 1), arrivals)
    assert list(found) == [(end, list(arrived)) for end, arrived in simulation.windowed(arrivals, 0.0, limit=limit)]


def test_several_workers_take_what_one_would_let_wait():
    made = list(simulation.scheduled(GreedyScheduler(1, 2), [0.0, 0.001], service=lambda _: 1.0))
    assert made == [(1.0, [0.0]), (1.001, [0.001])]


def test_items_that_wait_for_ever_are_noticed():
    with pytest.raises(AssertionError, match="1 items wait"):
        list(simulation.scheduled(GreedyScheduler(64, 1, keep=1), [0.1, 0.2, 5.0]))


def test_the_scheduler_is_greedy():
    arrivals = simulation.poisson(simulation.rate_at(0.8), 5_000, seed=4)
    found = list(simulation.scheduled(virtual.scheduler_of(), arrivals))
    assert found == [(end, list(arrived)) for end, arrived in simulation.windowed(arrivals, 0.0)]


def test_mean_sojourn_counts_every_item_once():
    assert simulation.mean_sojourn([(4.0, [1.0, 2.0, 3.0]), (10.0, [8.0])]) == pytest.approx((3 + 2 + 1 + 2) / 4)


def test_a_poisson_process_has_its_rate_and_is_drawn_by_seed():
    times = simulation.poisson(50.0, 20_000, seed=1)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) > 0.0
    assert statistics.fmean(gaps) == pytest.approx(0.02, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.02, rel=0.03)
    assert times == simulation.poisson(50.0, 20_000, seed=1) != simulation.poisson(50.0, 20_000, seed=2)


def test_a_load_of_one_fills_the_worker_with_full_batches():
    assert simulation.rate_at(1.0) * simulation.service_of(simulation.LIMIT) == pytest.approx(simulation.LIMIT)


# ---- lengths in a standing queue -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [simulation.FirstCome, simulation.LongestFirst])
@given(st.lists(st.integers(1, 50), max_size=60), st.integers(50, 300))
def test_a_packing_holds_its_budget_and_loses_nothing(make, lengths, budget):
    batches = simulation.drained(make(budget), lengths)
    assert all(len(batch) * max(batch) <= budget for batch in batches)
    order = [length for batch in batches for length in batch]
    assert sorted(order) == sorted(lengths)
    if make is simulation.FirstCome:
        assert order == lengths
    else:
        assert all(min(one) >= max(other) for one, other in itertools.pairwise(batches))
    # No batch stops early: the item after it would not have fitted.
    for batch, after in itertools.pairwise(batches):
        joined = after[0] if make is simulation.FirstCome else max(after)
        assert (len(batch) + 1) * max(*batch, joined) > budget


def test_padding_is_what_is_padded_over_what_is_there():
    assert simulation.padding([[1, 3], [4]]) == pytest.approx((2 * 3 + 4) / 8)


def test_a_refilled_queue_stays_full():
    queue, seen = simulation.FirstCome(budget=100), []
    take = queue.take

    def watched():
        seen.append(len(queue.waiting))
        return take()

    queue.take = watched
    batches = simulation.refilled(queue, simulation.uniform_lengths(1, 1, 60), standing=30, batches=50)
    assert seen == [30] * 50
    assert len(batches) == 50
    with pytest.raises(AssertionError, match="there is no batch"):
        simulation.refilled(simulation.FirstCome(budget=1), iter([2, 2]), standing=2, batches=1)


def test_lengths_have_their_distributions():
    lognormal = list(itertools.islice(simulation.lognormal_lengths(3), 20_000))
    assert 1 <= min(lognormal) < 5
    assert max(lognormal) == 512
    assert statistics.median(lognormal) == pytest.approx(2.718281828**4, rel=0.05)
    uniform = list(itertools.islice(simulation.uniform_lengths(3, 16, 1_024), 20_000))
    assert (min(uniform), max(uniform)) == (16, 1_024)
    assert statistics.fmean(uniform) == pytest.approx(520, rel=0.02)


@pytest.mark.parametrize("bins", [1, 3, 8, 32])
def test_the_formula_is_the_mean_of_ideal_bins(bins):
    rng, width = random.Random(bins), 1_000 / bins
    longest = [
        max(rng.uniform(low, low + width) for _ in range(16))
        for low in (20 + width * (at % bins) for at in range(4_800))
    ]
    assert statistics.fmean(longest) == pytest.approx(
        simulation.mean_longest(20, 1_020, batch=16, bins=bins), rel=0.005
    )


def test_the_scheduler_s_queue_loses_nothing():
    queue = virtual.padded_scheduler()
    lengths = list(itertools.islice(simulation.lognormal_lengths(5), 300))
    batches = simulation.drained(queue, lengths)
    assert all(len(batch) * max(batch) <= virtual.BUDGET for batch in batches)
    assert sorted(itertools.chain(*batches)) == sorted(lengths)
    assert not queue.lengths


# ---- what the measurements can find ----------------------------------------------------------------------------------


async def open_right(backend, _):
    return await load.open_direct(backend, 1)


def test_a_burst_notices_answers_in_disorder(monkeypatch):
    monkeypatch.setattr(load, "BURST", 50)

    async def open_wrong(backend, _):
        async def ask(item):
            return (await backend([49 - item]))[0]

        return ask

    wall, processor = asyncio.run(load.burst_of(open_right)())
    assert wall > 0.0 < processor
    with pytest.raises(AssertionError, match="disorder"):
        asyncio.run(load.burst_of(open_wrong)())


def test_one_at_a_time_is_what_is_above_the_backend(monkeypatch):
    monkeypatch.setattr(load, "ALONE_S", 0.05)

    async def open_slow(backend, _):
        async def ask(item):
            await asyncio.sleep(0.001)
            return (await backend([item]))[0]

        return ask

    (slow,) = asyncio.run(load.alone_of(open_slow)())
    assert 900.0 < slow < 50_000.0
    (direct,) = asyncio.run(load.alone_of(open_right)())
    assert abs(direct) < 100.0


def test_latency_counts_from_when_an_item_was_due():
    async def blocked():
        async def ask(item):
            if item == 0:
                time.sleep(0.05)  # noqa: ASYNC251  # the loop itself is held up
            return item

        return await load.latencies(ask, [0.0, 0.01, 0.04])

    taken = sorted(asyncio.run(blocked()), reverse=True)
    for latency, least in zip(taken, (0.05, 0.04, 0.01), strict=True):
        assert latency >= least - 1e-3


def test_a_device_serves_one_call_at_a_time_and_a_service_many():
    async def seconds(workers):
        backend, start = load.sleeping(workers), time.perf_counter()
        await asyncio.gather(*[backend([0]) for _ in range(10)])
        return time.perf_counter() - start

    assert asyncio.run(seconds(1)) >= 10 * simulation.service_of(1)
    assert asyncio.run(seconds(10)) < 10 * simulation.service_of(1)


def test_what_polls_is_seen_on_the_loop_and_on_a_thread(monkeypatch):
    monkeypatch.setattr(load, "WATCHED_S", 0.3)
    stopped = threading.Event()

    async def nothing():
        return None

    async def poll():
        async def forever():
            while True:  # noqa: ASYNC110  # a poller is what is looked for
                await asyncio.sleep(0.005)

        return asyncio.get_running_loop().create_task(forever())

    async def poll_on_a_thread():
        def forever():
            while not stopped.wait(0.005):
                pass

        thread = threading.Thread(target=forever)
        thread.start()
        return thread

    try:
        empty, on_loop = load.least_wakes(nothing), load.least_wakes(poll, times=1)
        on_thread = load.least_wakes(poll_on_a_thread, times=1)
    finally:
        stopped.set()
    assert empty[0] <= 2 / 0.3
    assert on_loop[0] > empty[0] + 50
    assert on_thread[1] > empty[1] + 50
    assert on_thread[0] <= empty[0]


def test_a_leak_shows_as_growth():
    kept = []

    async def open_leaking(backend, _):
        async def ask(item):
            kept.append(bytes(1_000))
            return item

        return ask

    (leaked,) = asyncio.run(load.growth_of(open_leaking, early=5, late=25)())
    assert leaked > 15.0
    (flat,) = asyncio.run(load.growth_of(open_right, early=20, late=60)())
    assert flat < 5.0


def test_the_unrecorded_round_is_left_out():
    figures = iter([(9.0, 1.0), (2.0, 3.0), (4.0, 5.0)])

    async def job():
        return next(figures)

    sampled = load.Sampled(job)
    assert [sampled() for _ in range(3)] == [9.0, 2.0, 4.0]
    assert sampled.figures(0) == [2.0, 4.0]
    assert sampled.figures(1) == [3.0, 5.0]


# ---- contenders ------------------------------------------------------------------------------------------------------

CONTENDERS = {
    "submit": lambda: peers.open_submit,
    "call": lambda: peers.open_call,
    **{name: (lambda one=one: one.open) for name, one in peers.BY_HAND.items()},
    **{
        name: (lambda module=module, make=make: make(pytest.importorskip(module, exc_type=ImportError)).open)
        for name, (module, make) in peers.REQUIRED.items()
    },
}


@pytest.mark.parametrize("name", CONTENDERS)
def test_a_contender_answers_in_batches_of_at_most_64(name):
    open_, sizes = CONTENDERS[name](), []

    async def backend(items):
        sizes.append(len(items))
        await asyncio.sleep(0)
        return [item * 2 for item in items]

    async def ask_all():
        ask = await open_(backend, 1)
        return await asyncio.gather(*[ask(item) for item in range(1_000)])

    assert asyncio.run(ask_all()) == [item * 2 for item in range(1_000)]
    assert max(sizes) == peers.LIMIT
    assert sum(sizes) == 1_000


@pytest.mark.parametrize("name", peers.BY_HAND)
def test_a_loop_by_hand_hands_an_error_on_and_lives(name):
    async def backend(items):
        if items == [0]:
            raise ValueError("zero")
        return items

    async def ask_three():
        ask = await peers.BY_HAND[name].open(backend, 1)
        with pytest.raises(ValueError, match="zero"):
            await ask(0)
        return await asyncio.gather(ask(1), ask(2))

    assert asyncio.run(ask_three()) == [1, 2]
