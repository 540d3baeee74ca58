"""The benches' harness: intervals, scaling, turns, bars and exit codes, on figures made up for it."""

from __future__ import annotations

import json
import random
import statistics

import pytest
from hypothesis import given, strategies as st

from bench_modules import bench_modules

harness, machine = bench_modules("_harness", "_machine")

positive = st.floats(min_value=1e-9, max_value=1e9)


# ---- statistics ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=30))
def test_the_interval_lies_within_what_the_rounds_allow_and_the_ratio_is_of_medians(pairs):
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    found = harness.ratio(ours, theirs, draws=50)
    assert found.value == statistics.median(ours) / statistics.median(theirs)
    assert min(ours) / max(theirs) <= found.low <= found.high <= max(ours) / min(theirs)


def test_equal_rounds_have_an_interval_of_no_width():
    found = harness.ratio([6.0] * 9, [2.0] * 9)
    assert (found.value, found.low, found.high) == (3.0, 3.0, 3.0)


def test_the_interval_covers_the_true_ratio_about_as_often_as_it_says():
    rng = random.Random(5)
    covered = 0
    for seed in range(200):
        ours = [2.0 * rng.lognormvariate(0.0, 0.05) for _ in range(15)]
        theirs = [rng.lognormvariate(0.0, 0.05) for _ in range(15)]
        found = harness.ratio(ours, theirs, draws=200, seed=seed)
        covered += found.low <= 2.0 <= found.high
    assert covered >= 175  # 95 % of 200 is 190; the bootstrap of a median of 15 is a little narrow


def test_a_slow_spell_that_hits_both_sides_does_not_widen_the_interval():
    spell = [1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0]
    found = harness.ratio([3.0 * s for s in spell], spell)
    assert (found.low, found.high) == (3.0, 3.0)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([1.0], [-1.0])])
def test_a_ratio_of_nothing_is_refused(ours, theirs):
    with pytest.raises(ValueError, match="expected"):
        harness.ratio(ours, theirs)


@given(st.lists(positive, min_size=1, max_size=200), st.floats(min_value=0.01, max_value=1.0))
def test_a_percentile_is_the_smallest_sample_that_enough_samples_do_not_exceed(samples, share):
    found = harness.percentile(samples, share)
    assert found in samples
    assert sum(s <= found for s in samples) >= share * len(samples) - 1e-9
    assert all(sum(s <= other for s in samples) < share * len(samples) for other in samples if other < found)


def test_contenders_run_in_turn_and_the_first_round_is_not_counted():
    calls = []

    def contender(name):
        def measure():
            calls.append(name)
            return float(len(calls))

        return measure

    contenders = {"a": contender("a"), "b": contender("b")}
    figures = harness.alternate(contenders, rounds=3, before=lambda: calls.append(" "))
    assert "".join(calls) == "ba ab ba ab"
    assert {name: len(values) for name, values in figures.items()} == {"a": 3, "b": 3}
    assert min(min(values) for values in figures.values()) == 4.0, "the marks between rounds count too"


# ---- calibration -----------------------------------------------------------------------------------------------------


@given(st.floats(min_value=0.0, max_value=1e6))
def test_a_scale_stays_within_its_bounds(scale):
    clamped = harness.clamp_scale(scale)
    assert 0.67 <= clamped <= 1.5
    if 0.67 <= scale <= 1.5:
        assert clamped == scale


@pytest.mark.parametrize(
    ("integer", "memory", "integer_scale", "memory_scale"),
    [
        (100.0, 10.0, 1.0, 1.0),
        (125.0, 8.0, 0.8, 0.8),
        (80.0, 12.0, 1.25, 1.2),
        (1000.0, 1.0, 0.67, 0.67),
        (1.0, 99.0, 1.5, 1.5),
    ],
)
def test_a_slower_machine_has_a_scale_below_one(monkeypatch, integer, memory, integer_scale, memory_scale):
    monkeypatch.setattr(harness, "integer_loop", lambda **_: integer)
    monkeypatch.setattr(harness, "memory_loop", lambda **_: memory)
    found = harness.calibrate({"integer_ns": 100.0, "memory_gb_s": 10.0})
    assert (found.scale("integer"), found.scale("memory")) == pytest.approx((integer_scale, memory_scale))
    assert (found.integer_ns, found.memory_gb_s) == (integer, memory)


def test_the_loops_measure_something():
    assert 1.0 < harness.integer_loop(steps=1_000) < 1e6
    assert 0.01 < harness.memory_loop(mebibytes=1) < 1e5


def test_the_committed_reference_can_be_read():
    reference = json.loads(harness.REFERENCE.read_text(encoding="utf-8"))
    assert reference["integer_ns"] > 0.0
    assert reference["memory_gb_s"] > 0.0


# ---- gates -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Make a bench on a machine whose scale is 0.8, with its records in a folder of the test's."""
    monkeypatch.setattr(harness, "calibrate", lambda *_: harness.Calibration(125.0, 8.0, 0.8, 0.8))
    monkeypatch.setattr(machine, "RESULTS", tmp_path)
    return lambda *arguments: harness.Bench("sample", "About.", arguments=list(arguments))


@pytest.mark.parametrize(("arguments", "code"), [(["--gate"], 1), ([], 0)])
def test_a_missed_bar_fails_a_gate_and_prints_bar_and_figure(bench, capsys, arguments, code):
    made = bench(*arguments)
    made.bar("hit rate", 0.4, at_least=0.5)
    assert made.finish() == code
    assert "missed: hit rate: 0.4, bar >= 0.5" in capsys.readouterr().err


def test_what_cannot_be_measured_yet_misses_its_bar(bench, capsys):
    made = bench("--gate")
    made.missing("int8, p50", "not built", bar=">= 12x")
    assert made.finish() == 1
    assert "missed: int8, p50: not built, bar >= 12x" in capsys.readouterr().err


def test_a_gate_without_a_missed_bar_passes(bench):
    made = bench("--gate")
    made.bar("hit rate", 0.5, at_least=0.5)
    made.bar("size", 3.0, unit="MB", at_most=3.0)
    made.note("figure", "without a bar")
    assert made.finish() == 0


@pytest.mark.parametrize(("milliseconds", "code"), [(1.2, 0), (1.3, 1)])
def test_an_absolute_time_is_scaled_and_both_are_printed(bench, capsys, milliseconds, code):
    made = bench("--gate")
    made.time_bar("p99", milliseconds, unit="ms", at_most=1.0)
    assert made.finish() == code
    assert f"{milliseconds} ms raw, {milliseconds * 0.8:.4g} ms scaled" in capsys.readouterr().out


def test_a_time_is_scaled_by_the_pace_of_its_own_rounds(monkeypatch, capsys, tmp_path):
    # The bench's own calibration, then one for each of nine rounds.
    pace = iter([100.0, *[200.0] * 5, *[100.0] * 4])
    monkeypatch.setattr(harness, "integer_loop", lambda **_: next(pace))
    monkeypatch.setattr(harness, "memory_loop", lambda **_: 10.0)
    reference = tmp_path / "reference.json"
    reference.write_text('{"integer_ns": 100.0, "memory_gb_s": 10.0}', encoding="utf-8")
    bench = harness.Bench("sample", "About.", arguments=[], reference=reference)
    bench.rounds({"ours": lambda: 2.0}, label="get", unit="us")
    bench.time_bar("get", 1.2, unit="us", at_most=1.0)
    assert "1.2 us raw, 0.804 us scaled by 0.67" in capsys.readouterr().out


@pytest.mark.parametrize(("value", "code"), [(5.0, 0), (4.99, 1)])
def test_the_median_of_a_ratio_decides(bench, value, code):
    made = bench("--gate")
    made.ratio_bar("get", harness.Ratio(value, 1.0, 9.0), at_least=5.0)
    assert made.finish() == code


def test_a_bar_needs_exactly_one_bound(bench):
    made = bench()
    with pytest.raises(ValueError, match="one of"):
        made.bar("x", 1.0)
    with pytest.raises(ValueError, match="one of"):
        made.bar("x", 1.0, at_least=0.0, at_most=2.0)


def test_missing_data_and_peers_exit_with_2(bench, monkeypatch, tmp_path, capsys):
    made = bench("--gate")
    monkeypatch.delenv("LLMFAST_DATA", raising=False)
    with pytest.raises(SystemExit) as unset:
        made.need_data("pairs.jsonl")
    monkeypatch.setenv("LLMFAST_DATA", str(tmp_path))
    with pytest.raises(SystemExit) as absent:
        made.need_data("pairs.jsonl")
    with pytest.raises(SystemExit) as peer:
        made.need_module("a_peer_that_nobody_wrote")
    assert [caught.value.code for caught in (unset, absent, peer)] == [2, 2, 2]
    said = capsys.readouterr().err
    assert "LLMFAST_DATA is not set" in said
    assert "LLMFAST_DATA has no pairs.jsonl" in said
    assert "a_peer_that_nobody_wrote is not importable" in said


def test_data_and_peers_that_are_there_are_returned(bench, monkeypatch, tmp_path):
    (tmp_path / "pairs.jsonl").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("LLMFAST_DATA", str(tmp_path))
    made = bench()
    assert made.need_data("pairs.jsonl") == tmp_path / "pairs.jsonl"
    assert made.need_module("json") is json


def test_fewer_rounds_than_nine_are_refused(bench, capsys):
    with pytest.raises(SystemExit) as caught:
        bench("--rounds", "8")
    assert caught.value.code == 2
    assert "expected 9 rounds or more, got 8" in capsys.readouterr().err


def test_the_record_holds_figures_rounds_and_machine(bench, tmp_path):
    made = bench()
    made.rounds({"ours": lambda: 1.0, "theirs": lambda: 2.0}, label="get", unit="ns")
    made.bar("hit rate", 0.5, at_least=0.5)
    assert made.finish() == 0
    (path,) = tmp_path.glob("*.json")
    assert path.name == f"{machine.today()}-{machine.cpu_slug()}-sample.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["rounds"]["get"] == {"unit": "ns", "ours": [1.0] * 9, "theirs": [2.0] * 9}
    assert record["figures"][-1] == {"name": "hit rate", "text": "0.5", "bar": ">= 0.5", "met": True}
    assert set(record["machine"]) >= {"cpu", "cores", "features", "commit", "rustc", "python", "libraries", "command"}
    text = path.with_suffix(".txt").read_text(encoding="utf-8")
    assert "hit rate" in text
    assert "scale 0.80" in text


def test_no_record_writes_nothing(bench, tmp_path):
    assert bench("--no-record").finish() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "slug"),
    [
        ("AMD EPYC (family 25, model 1)", "amd-epyc-25-1"),
        ("Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz (family 6, model 143)", "intel-xeon-platinum-8488c-6-143"),
        ("AMD EPYC 9R45 96-Core Processor (family 26, model 2)", "amd-epyc-9r45-96-core-26-2"),
        ("arm64", "arm64"),
    ],
)
def test_the_slug_of_a_processor_is_short(monkeypatch, model, slug):
    monkeypatch.setattr(machine, "cpu_model", lambda: model)
    assert machine.cpu_slug() == slug
