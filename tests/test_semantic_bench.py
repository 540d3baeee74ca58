"""The semantics bench's own logic: the pairs that it makes, what it counts, and what its bars say of given figures."""

from __future__ import annotations

import collections
import contextlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench_modules import BENCHES, bench_modules

pairs, sets, edits, words, contrasts, verdicts, sections, speed, caches, semantic, guards = bench_modules(
    "_pairs",
    "_pair_sets",
    "_pair_edits",
    "_pair_words",
    "_pair_contrasts",
    "_verdicts",
    "_semantic_pairs",
    "_semantic_speed",
    "_semantic_cache",
    "semantic",
    "_guards",
)

FEW = dict.fromkeys(sets.MUST_MISS, 30)


@pytest.fixture(scope="module")
def questions():
    texts = (Path(__file__).parent / "data/questions.txt").read_text(encoding="utf-8").splitlines()
    return pairs.Questions.of(texts)


@pytest.fixture(scope="module")
def changed(questions):
    return sets.changed_questions(questions, FEW, seed=1)


@pytest.fixture(scope="module")
def harmless(questions, changed):
    return sets.harmless_edits(questions, changed, seed=1)


@pytest.fixture(autouse=True)
def vectors_elsewhere(tmp_path, monkeypatch):
    """Keep the vectors of tests out of the bench's."""
    monkeypatch.setattr(verdicts, "CACHE", tmp_path)
    monkeypatch.setattr(verdicts._machine, "ROOT", tmp_path)


# ---- pairs -----------------------------------------------------------------------------------------------------------


def test_every_category_has_as_many_pairs_as_asked_for(changed, harmless):
    assert collections.Counter(pair.category for pair in changed) == FEW
    assert len(harmless) == len(changed)
    assert set(collections.Counter(pair.category for pair in harmless)) == set(sets.HARMLESS)
    assert not any(pair.same for pair in changed)
    assert all(pair.same for pair in harmless)


def test_the_same_seed_gives_the_same_pairs_and_another_one_others(questions, changed, harmless):
    assert sets.changed_questions(questions, FEW, seed=1) == changed
    assert sets.harmless_edits(questions, changed, seed=1) == harmless
    other = sets.changed_questions(questions, FEW, seed=2)
    assert len({(pair.a, pair.b) for pair in other} & {(pair.a, pair.b) for pair in changed}) < len(changed) / 4


def test_no_two_sides_are_equal_and_no_pair_comes_twice(changed, harmless):
    for pair in changed:
        # Neither case nor signs at the ends are what makes a change.
        assert pairs.plain(pair.a) != pairs.plain(pair.b)
    assert all(pair.a != pair.b for pair in harmless)
    assert len({tuple(sorted((pair.a, pair.b))) for pair in changed}) == len(changed)


def test_sides_differ_in_little(changed):
    for pair in changed:
        a, b = (collections.Counter(side.lower().split()) for side in (pair.a, pair.b))
        apart = sum(((a - b) | (b - a)).values())
        # "in advance of" beside "subsequent to", and the like, at most.
        assert apart <= 10, pair
        assert len(pair.a.split()) >= pairs.FEWEST_WORDS


def test_kinds_are_many(changed):
    kinds = collections.defaultdict(set)
    for pair in changed:
        kinds[pair.category].add(pair.kind)
    assert {category: len(some) for category, some in kinds.items() if len(some) < 2} == {"modifier": 1}
    assert len(kinds["direction"]) >= 6
    assert len(kinds["number"]) >= 5


def test_braces_of_frames_are_filled(changed):
    assert not [pair for pair in changed if re.search(r"[{}|_*]", pair.a + pair.b)]


def test_a_typo_is_no_other_word(questions, harmless):
    slips = [pair for pair in harmless if pair.kind in edits.SLIPS]
    assert len(slips) > 30
    for pair in slips:
        new = set(pair.b.split()) - set(pair.a.split())
        assert len(new) <= 1
        assert not new & questions.vocabulary


def test_a_slip_that_makes_another_word_is_not_made():
    texts = ["please trail the trial of the form", "please trial the trail from there"]
    closed = pairs.Questions.of(texts, more=["please plese pleas"])
    made = sets.make_pairs(closed, {"typo": ((1, edits.typo),)}, {"typo": 20}, seed=3)
    for pair in made:
        assert not (set(pair.b.split()) - set(pair.a.split())) & {"trial", "trail", "from", "form", "pleas", "plese"}


def test_politeness_leaves_the_question_in_its_words(harmless):
    for pair in harmless:
        if pair.category == "politeness":
            of_a, of_b = (collections.Counter(pairs.words_of(side)) for side in (pair.a, pair.b))
            assert not of_a - of_b, pair


# ---- kept away from the guards' lists --------------------------------------------------------------------------------


def test_no_swapped_word_is_known(questions, changed):
    known = {word for pair in changed for word in pair.content if len(word) > 5}
    known = frozenset(sorted(known)[::3])
    assert len(known) > 20
    made = sets.changed_questions(questions, dict.fromkeys(FEW, 20), seed=1, known=known)
    assert not [pair for pair in made if pair.content & known]
    for category in ("entity", "antonym", "modifier"):
        some = [pair for pair in made if pair.category == category]
        assert not [pair for pair in some if pairs.differing(pair.a, pair.b) & known]
    for pair in made:
        if pair.kind in ("a journey", "a move", "roles", "a conversion"):
            # What changes places is the same on both sides: the pair itself has to say what it is.
            assert pair.content
            assert pair.content <= set(pairs.words_of(pair.a)) & set(pairs.words_of(pair.b))


def test_forms_of_a_known_word_are_known_too():
    said = pairs.in_list({"open", "close", "hurry"})
    assert [
        word for word in ("opened", "opens", "closing", "closed", "hurried", "shut", "openair") if not said(word)
    ] == [
        "shut",
        "openair",
    ]


def test_a_pair_whose_words_are_all_known_cannot_be_made(questions):
    everything = frozenset(word for _, some in contrasts.MODIFIERS for one in some for word in pairs.words_of(one))
    with pytest.raises(ValueError, match="modifier: 0 of 5 pairs"):
        sets.make_pairs(questions, {"modifier": sets.MUST_MISS["modifier"]}, {"modifier": 5}, 1, everything)


def test_operators_may_be_known_and_it_is_counted(questions):
    known = frozenset({"not", "never", "from", "to", "before", "after"})
    made = sets.changed_questions(questions, FEW, seed=1, known=known)
    outside = collections.Counter(pair.category for pair in made if pair.outside(known))
    assert 0 < outside["negation"] < FEW["negation"]
    assert 0 < outside["direction"] < FEW["direction"]
    assert outside["entity"] == FEW["entity"]


def test_word_lists_are_large_and_have_no_entry_twice():
    for name, least in {
        "FIRST_NAMES": 200,
        "LAST_NAMES": 120,
        "CITIES": 200,
        "COUNTRIES": 100,
        "COMPANIES": 100,
    }.items():
        some = getattr(words, name)
        assert len(some) >= least
        assert len(set(some)) == len(some), name
    opposites = {entry for _, some in contrasts.ADJECTIVES for entry in some} | {*contrasts.VERBS, *contrasts.OTHERS}
    assert len(opposites) >= 300
    assert not [entry for entry in opposites if entry[0] == entry[1]]


def test_pairs_of_the_data(evaluation_data):
    made = pairs.Questions.read([evaluation_data / source for source in pairs.SOURCES])
    assert len(made.texts) > 20_000
    changed = sets.changed_questions(made, dict.fromkeys(FEW, 100), seed=1)
    assert collections.Counter(pair.category for pair in changed) == dict.fromkeys(FEW, 100)
    for category, some in sets.by_category(changed).items():
        assert len({pair.swap for pair in some}) >= 40, category
    for pair in sets.harmless_edits(made, changed, seed=1):
        if pair.kind in edits.SLIPS:
            assert not (set(pair.b.split()) - set(pair.a.split())) & made.vocabulary


# ---- shares and bars -------------------------------------------------------------------------------------------------


class FakeBench:
    """Collects notes and bars; a bar says whether it is met."""

    def __init__(self):
        self.bars = {}

    def note(self, name, text):
        pass

    def bar(self, name, value, *, unit="", at_least=None, at_most=None):
        self.bars[name] = value >= at_least if at_least is not None else value <= at_most


def verdict(group, same, served, vetoed=False, outside=True):
    """Return a verdict at .85: served by the threshold or not, vetoed or not."""
    veto = ("a guard", "because") if vetoed else None
    return verdicts.Verdict(group, same, "a", "b", 0.9 if served else 0.5, 0.85, veto, outside)


def some(group, same, *, plain, guarded, below=10):
    """Return verdicts of which `plain` are served by the threshold and `guarded` of these under guards."""
    let_through = [verdict(group, same, True)] * guarded
    return (
        let_through
        + [verdict(group, same, True, vetoed=True)] * (plain - guarded)
        + [verdict(group, same, False)] * below
    )


def test_a_guard_is_asked_only_where_the_threshold_serves():
    asked = []

    class Vetoes:
        def veto(self, stored, question):
            asked.append((stored, question))
            return ("name", "sentence")

    rows = [("g", False, "a", "b"), ("g", False, "c", "d")]
    found = verdicts.judge(rows, [0.85, 0.8499], 0.85, Vetoes())
    assert asked == [("a", "b")]
    assert [(one.plain, one.guarded) for one in found] == [(True, False), (False, False)]


def test_a_tally_counts():
    tally = verdicts.Tally.of(some("g", False, plain=40, guarded=10, below=60))
    assert (tally.pairs, tally.plain, tally.guarded) == (100, 40, 10)
    assert (tally.served_percent, tally.lost_percent, tally.of_all_percent) == (25.0, 75.0, 10.0)
    assert "40 (40.0 %)" in str(tally)
    nothing = verdicts.Tally.of([verdict("g", False, False)])
    assert (nothing.served_percent, nothing.lost_percent) == (0.0, 0.0)
    assert verdicts.Tally.of([]).of_all_percent == 0.0


def made_pairs(wrong, lost):
    """Return verdicts of every category, with so many wrong of 200 in each, and so many lost of 1,000 harmless ones."""
    found = [one for name in sets.MUST_MISS for one in some(f"{name}: kind", False, plain=200, guarded=wrong[name])]
    return found + some("typo: kind", True, plain=1_000, guarded=1_000 - lost)


def missed(hold, *arguments):
    bench = FakeBench()
    hold(bench, *arguments)
    return [name for name, met in bench.bars.items() if not met]


def test_pairs_pass_and_fail_by_their_bars():
    good = dict.fromkeys(sets.MUST_MISS, 4)
    assert missed(sections.hold_pairs, made_pairs(good, 30)) == []
    assert missed(sections.hold_pairs, made_pairs(good, 31)) == ["pairs, harmless: lost of plain"]
    assert missed(sections.hold_pairs, made_pairs({**good, "negation": 5}, 0)) == ["pairs, must miss: guarded of plain"]
    uneven = {**dict.fromkeys(sets.MUST_MISS, 2), "entity": 11}
    assert missed(sections.hold_pairs, made_pairs(uneven, 0)) == ["pairs, entity: guarded of plain"]


def test_a_category_that_tries_nothing_fails():
    tried = made_pairs(dict.fromkeys(sets.MUST_MISS, 0), 0)
    few = [one for one in tried if not one.group.startswith("modifier")] + some(
        "modifier: k", False, plain=99, guarded=0
    )
    assert missed(sections.hold_pairs, few) == ["pairs, modifier: served by plain"]


def test_checklist_passes_and_fails_by_its_bars():
    def of(wrong, lost):
        return [
            *some("t", False, plain=63, guarded=wrong, below=37),
            *some("u", True, plain=200, guarded=200 - lost),
        ]

    assert missed(sections.hold_checklist, of(25, 10)) == []
    assert missed(sections.hold_checklist, of(26, 10)) == ["checklist, must miss: guarded of all"]
    assert missed(sections.hold_checklist, of(25, 11)) == ["checklist, same: lost of plain"]


def test_qqp_passes_and_fails_by_its_bars():
    def of(wrong, lost):
        return [*some("QQP", False, plain=100, guarded=wrong), *some("QQP", True, plain=100, guarded=100 - lost)]

    assert missed(sections.hold_qqp, of(50, 12)) == []
    assert missed(sections.hold_qqp, of(51, 12)) == ["qqp, wrong: guarded of plain"]
    assert missed(sections.hold_qqp, of(50, 13)) == ["qqp, right: lost of plain"]


def test_vetoes_are_counted_by_guard():
    found = [verdict("g", False, True, vetoed=True)] * 3 + [verdict("g", False, True)]
    assert verdicts.vetoes(found) == "a guard 3"
    assert verdicts.vetoes(found[3:]) == "none"


def test_vectors_are_kept_text_by_text():
    class Lengths:
        fingerprint, dim = "lengths", 2

        def __init__(self):
            self.texts = []

        def encode(self, texts):
            self.texts += texts
            return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    encoder = Lengths()
    assert verdicts.kept(encoder, ["a", "bb"]).tolist() == [[1, 1], [2, 1]]
    assert verdicts.kept(encoder, ["bb", "ccc"]).tolist() == [[2, 1], [3, 1]]
    assert encoder.texts == ["a", "bb", "ccc"]
    other = Lengths()
    other.fingerprint = "others"
    verdicts.kept(other, ["a"])
    assert other.texts == ["a"]


# ---- guards that are there or not ------------------------------------------------------------------------------------


class Arguments:
    def __init__(self, gate):
        self.gate = gate


def bench_with(gate):
    bench = FakeBench()
    bench.name, bench.arguments = "semantic", Arguments(gate)
    return bench


def without_guards(monkeypatch):
    monkeypatch.setattr(guards, "import_module", lambda name: object())


def test_without_guards_nothing_is_vetoed(monkeypatch):
    without_guards(monkeypatch)
    found = guards.Guards.load(bench_with(gate=False))
    assert (found.known, found.veto("a", "b"), found.refusal("a")) == (frozenset(), None, None)


def test_a_gate_without_guards_is_not_passed(monkeypatch, capsys):
    without_guards(monkeypatch)
    with pytest.raises(SystemExit) as stopped:
        guards.Guards.load(bench_with(gate=True))
    assert stopped.value.code == 2
    assert "guard_words" in capsys.readouterr().err


def test_guards_are_asked_as_the_extension_wants(monkeypatch):
    class Reading:
        def __init__(self, text):
            self.text = text

        def veto(self, other):
            return ("name", f"{self.text} and {other}")

    def refusal(query, messages, params, *, ttl, public):
        assert (messages, params, ttl, public) == ([], {}, 86_400.0, False)
        return ("fresh", query)

    extension = type("Extension", (), {"Reading": Reading, "refusal": staticmethod(refusal)})
    extension.guard_words = staticmethod(lambda: ["Not"])
    monkeypatch.setattr(guards, "import_module", lambda name: extension)
    found = guards.Guards.load(bench_with(gate=True))
    assert found.known == {"not"}
    assert found.veto("stored", "asked") == ("name", "stored and asked")
    assert found.refusal("today") == ("fresh", "today")


# ---- time ------------------------------------------------------------------------------------------------------------


def test_lines_of_the_core_s_bench_are_read():
    printed = (
        "request: exact key, 1 kB                               812.4 ns  (800.0 to 900.1)\n"
        "cache: key and hit, 1 kB                              1102.9 ns  (1099.0 to 1200.0)\n"
        "warning: unused\n"
    )
    assert speed.key_and_hit_ns(printed) == {"request: exact key, 1 kB": 812.4, "cache: key and hit, 1 kB": 1102.9}


def test_parts_hold_every_text_once():
    texts = [str(number) for number in range(7)]
    assert list(speed.in_parts(texts, 3)) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


@pytest.mark.weights
def test_a_filled_cache_answers_by_meaning_as_any_other(minilm, questions):
    texts = list(questions.texts[:40])
    stored = caches.Stored(texts, minilm.encode(texts), len(texts))
    cache = caches.filled_cache(stored)
    assert "encode" not in vars(cache.encoder)
    assert cache.stats().vectors >= 36
    asked = caches.hitting_questions(stored, minilm, guards.Guards(frozenset(), None, None), 3)
    assert len(set(asked) - set(texts)) == 3
    decided, match = speed.decision(cache, asked[0])()
    assert decided
    assert match is not None
    asker = caches.Asker(cache)
    with contextlib.closing(caches.Loop()) as loop:
        assert len(loop.microseconds(asker, asked)) == 3
    assert asker.sources == {"semantic_hit": 3}


def test_questions_that_do_not_hit_are_not_asked(questions):
    class Elsewhere:
        fingerprint, dim = "elsewhere", 2

        def encode(self, texts):
            return np.tile(np.array([[0.0, 1.0]], dtype=np.float32), (len(texts), 1))

    texts = list(questions.texts[:10])
    stored = caches.Stored(texts, np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (10, 1)), 10)
    with pytest.raises(AssertionError, match="expected 2 questions that hit, found 0"):
        caches.hitting_questions(stored, Elsewhere(), guards.Guards(frozenset(), None, None), 2)


def test_the_bench_has_sections():
    assert set(semantic.SECTIONS) == {"pairs", "suites", "written", "checklist", "qqp", "decision", "hit", "peers"}
    command = [sys.executable, BENCHES / "semantic.py", "--help"]
    assert b"--examples" in subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
