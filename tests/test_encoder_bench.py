"""The encoder bench's own logic: what it calls a change, the texts it makes, what it measures in another process."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

import llmfast
from bench_modules import BENCHES, bench_modules

fidelity, hostile, probe, encoder = bench_modules("_encoder_fidelity", "_encoder_hostile", "_encoder_probe", "encoder")


# ---- fidelity --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs_in_order(rows):
    scores, labels = np.array([score for score, _ in rows], float), np.array([label for _, label in rows])
    if labels.all() or not labels.any():
        return
    wins = [(a > b) + (a == b) / 2 for a in scores[labels] for b in scores[~labels]]
    assert fidelity.auc(scores, labels) == pytest.approx(sum(wins) / len(wins))


def test_decisions_on_the_other_side_of_the_threshold_are_counted():
    expected = np.array([0.79, 0.8, 0.9, 0.2])
    found = np.array([0.8, 0.8, 0.7, 0.3])
    assert fidelity.changed_share(found, expected, 0.8) == 0.5
    assert fidelity.changed_share(expected, expected, 0.8) == 0.0


def test_the_worst_threshold_and_the_least_cosine_are_reported():
    def at(degrees):
        return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]

    # Cosines of the pairs: .9511 becomes .9397 (past .95), .8660 stays, .9063 becomes .8988 (past .9).
    reference = np.array([at(0), at(0), at(0), at(18), at(30), at(25)], np.float32)
    vectors = np.array([at(0), at(1), at(0), at(20), at(31), at(26)], np.float32)
    same = np.array([True, False, True])
    found = fidelity.compare(vectors, reference, same)
    assert found.least_cosine == pytest.approx(np.cos(np.radians(1)))
    assert (found.changed, found.worst_tau) == (pytest.approx(1 / 3), 0.9)
    assert (found.auc, found.reference_auc) == (1.0, 1.0)
    assert "cosine at least 0.9998" in str(found)


def test_the_same_vectors_change_nothing():
    vectors = np.random.default_rng(1).standard_normal((20, 8)).astype(np.float32)
    found = fidelity.compare(vectors, 3 * vectors, np.arange(10) % 2 == 0)
    assert (found.changed, found.auc) == (0.0, found.reference_auc)
    assert found.least_cosine == pytest.approx(1.0, abs=1e-12)


def test_pairs_are_spread_over_the_file(tmp_path):
    path = tmp_path / "pairs.jsonl.gz"
    rows = [{"a": f"a{at}", "b": f"b{at}", "same": at % 2} for at in range(100)]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    pairs = fidelity.Pairs.sampled(path, 10)
    assert pairs.first == [f"a{at}" for at in range(0, 100, 10)]
    assert pairs.texts == pairs.first + pairs.second
    assert pairs.every(5).second == ["b0", "b50"]
    assert len(fidelity.Pairs.sampled(path, 1_000)) == 100


def test_vectors_of_a_peer_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(fidelity, "CACHE", tmp_path)
    monkeypatch.setattr(fidelity._machine, "ROOT", tmp_path)
    made = []

    def encode():
        made.append(1)
        return [[1.0, 2.0]]

    for _ in range(2):
        assert fidelity.kept_vectors("some peer", ["numpy"], ["a"], encode).tolist() == [[1.0, 2.0]]
    fidelity.kept_vectors("some peer", ["numpy"], ["b"], encode)
    assert len(made) == 2


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_hostile_texts_are_the_same_each_time_and_of_every_kind():
    texts = hostile.hostile_texts()
    assert texts == hostile.hostile_texts()
    assert len(texts) == 1_000
    assert "" in texts
    assert sum(len(text) == 100_000 for text in texts) >= 20
    assert 30 <= sum(map(hostile.has_surrogate, texts)) <= 40


@pytest.mark.weights
def test_hostile_texts_get_a_vector_or_a_clear_error(minilm):
    for text in hostile.hostile_texts()[::25]:
        if hostile.has_surrogate(text):
            with pytest.raises(llmfast.InvalidTextError):
                minilm.encode(text)
        else:
            assert abs(float(np.linalg.norm(minilm.encode(text))) - 1.0) < 1e-5


def test_each_round_measures_the_next_part():
    cut = probe.parts([str(number) for number in range(7)])
    assert cut == [["0", "3", "6"], ["1", "4"], ["2", "5"]]
    measure = probe.in_turn(len, cut)
    assert [measure() for _ in range(4)] == [3, 2, 2, 3]


def test_batches_are_whole():
    batches = probe.in_batches([str(number) for number in range(70)])
    assert [len(batch) for batch in batches] == [32, 32]
    assert batches[1][0] == "32"


# ---- bars ------------------------------------------------------------------------------------------------------------


class FakeBench:
    def __init__(self):
        self.bars = []

    def ratio_bar(self, name, found, *, at_least):
        self.bars.append((name, round(found.value, 3), at_least))

    def missing(self, name, why, *, bar):
        self.bars.append((name, why, bar))


def test_what_is_not_built_misses_its_bar():
    run = encoder.Run(FakeBench(), None, [], None, None, {}, {"llmfast int8": "not built: no"})
    bars = {("llmfast", "peer"): 4.5, ("llmfast int8", "peer"): 12.0}
    run.hold("one", {"llmfast": [1.0, 1.0], "peer": [5.0, 5.0]}, bars)
    run.hold("many", {"llmfast": [10.0], "peer": [4.0]}, {("llmfast", "peer"): 5.0}, higher=True)
    assert run.bench.bars == [
        ("one: peer / llmfast", 5.0, 4.5),
        ("one: peer / llmfast int8", "not built: no", ">= 12x"),
        ("many: llmfast / peer", 2.5, 5.0),
    ]


# ---- the other process -----------------------------------------------------------------------------------------------


@pytest.mark.weights
def test_the_probe_prints_what_the_bench_reads(minilm, tmp_path):
    texts, out = tmp_path / "texts.json", tmp_path / "vectors.npy"
    texts.write_text(json.dumps(["where is my card?"] * 96))
    assert encoder.probe("load", "f32")["ms"] > 0.0
    assert encoder.probe("memory", "f32", str(texts))["bytes"] > 10_000_000
    assert encoder.probe("vectors", "f32", str(texts), str(out), kernel="scalar") == {"kernel": "scalar"}
    in_f32 = llmfast.MiniLM(minilm.path, precision="f32")
    np.testing.assert_allclose(np.load(out)[0], in_f32.encode("where is my card?"), atol=2e-6)
    with encoder.Other("f32", str(texts)) as other:
        assert other.ask("p50", 2) > 0.0
        assert other.ask("batches", 0) > 0.0
    assert other._process.returncode == 0


def test_a_precision_or_a_kernel_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(llmfast.ConfigError, match="abacus"):
        encoder.probe("load", "abacus")
    with pytest.raises(llmfast.ConfigError, match="abacus"):
        encoder.probe("kernel", kernel="abacus")
    texts = tmp_path / "texts.json"
    texts.write_text("[]")
    with pytest.raises(llmfast.ConfigError, match="abacus"):
        encoder.Other("abacus", str(texts))


def test_the_bench_has_sections():
    command = [sys.executable, BENCHES / "encoder.py", "--help"]
    assert b"--only" in subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
