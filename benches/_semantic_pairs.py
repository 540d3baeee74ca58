"""The sections of the semantics bench about right and wrong hits: what a threshold serves, and what the guards."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _harness import not_run
from _pair_sets import MUST_MISS, changed_questions, harmless_edits
from _pairs import SOURCES, Questions
from _vectors import QUESTIONS, distinct_questions, question_vectors
from _verdicts import Tally, Verdict, cosines, grouped, judge, row_cosines, share, vetoes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _guards import Guards
    from _harness import Bench
    from _pairs import Pair

SEED = 20_261_126
#: Pairs of each category; more where the threshold serves few.
A_CATEGORY = {category: {"entity": 1_600, "modifier": 2_000}.get(category, 800) for category in MUST_MISS}
#: The fewest that the threshold must serve for a share of them to say something.
FEWEST_SERVED = 100
FEWEST_SWAPS = 40
LENIENT, USUAL = 0.85, 0.95
MOST_WRONG, MOST_WRONG_IN_ONE, MOST_LOST = 2.0, 5.0, 3.0
SUITES = ("semantic/banking_adversarial.jsonl.gz", "semantic/finance_adversarial.jsonl.gz")
SUITES_WRONG, SUITES_RIGHT = 4, 7
WRITTEN = Path(__file__).with_name("written_pairs.jsonl")
CHECKLIST = "semantic/checklist_pairs.jsonl.gz"
CHECKLIST_WRONG, CHECKLIST_LOST = 25.0, 5.0
QQP_WRONG_OF_PLAIN, QQP_LOST = 0.5, 12.0


# ---- made pairs ------------------------------------------------------------------------------------------------------


def run_pairs(bench: Bench, encoder: Any, guards: Guards) -> None:
    """Hold the guards at .85 on changed questions and harmless edits, whose words are not in the guards' lists."""
    paths = [bench.need_data(source) for source in SOURCES]
    questions = Questions.read(paths, more=distinct_questions(bench.need_data(QUESTIONS)))
    try:
        changed = changed_questions(questions, A_CATEGORY, SEED, guards.known)
    except ValueError as error:
        not_run(bench.name, f"the guards' lists leave too few words to try them on: {error}")
    edits = harmless_edits(questions, changed, SEED)
    verdicts = judged(changed + edits, encoder, guards)
    note_disjointness(bench, changed, guards)
    hold_pairs(bench, verdicts)
    note_asymmetry(bench, verdicts, guards)
    print_failures(bench, verdicts)


def judged(pairs: Sequence[Pair], encoder: Any, guards: Guards) -> list[Verdict]:
    found = cosines(encoder, [(pair.a, pair.b) for pair in pairs])
    rows = ((f"{pair.category}: {pair.kind}", pair.same, pair.a, pair.b) for pair in pairs)
    verdicts = judge(rows, found.tolist(), LENIENT, guards)
    return [replace(one, outside=pair.outside(guards.known)) for one, pair in zip(verdicts, pairs, strict=True)]


def note_disjointness(bench: Bench, changed: Sequence[Pair], guards: Guards) -> None:
    """Say how many different swaps there are, and in how many pairs the lists know nothing of the change."""
    for category in dict.fromkeys(pair.category for pair in changed):
        pairs = [pair for pair in changed if pair.category == category]
        swaps = len({pair.swap for pair in pairs})
        outside = sum(pair.outside(guards.known) for pair in pairs)
        bench.note(f"pairs, {category}: made", f"{len(pairs):,}, of which {outside:,} with nothing in the lists")
        bench.bar(f"pairs, {category}: swaps that differ", swaps, at_least=FEWEST_SWAPS)


def hold_pairs(bench: Bench, verdicts: Sequence[Verdict]) -> None:
    """Hold the shares of wrong hits and of lost ones against the bars."""
    wrong, right = ([one for one in verdicts if one.same is same] for same in (False, True))
    for name, some in grouped(wrong, category).items():
        tally, label = Tally.of(some), f"pairs, {name}"
        bench.note(label, str(tally))
        for where, outside in (("outside of", True), ("inside", False)):
            part = Tally.of([one for one in some if one.outside is outside])
            if part.pairs:
                bench.note(f"{label}, words {where} the lists", str(part))
        bench.note(f"{label}: vetoes", vetoes(some))
        bench.bar(f"{label}: served by plain", tally.plain, at_least=FEWEST_SERVED)
        bench.bar(f"{label}: guarded of plain", tally.served_percent, unit="%", at_most=MOST_WRONG_IN_ONE)
    bench.note("pairs, must miss", str(Tally.of(wrong)))
    bench.bar("pairs, must miss: guarded of plain", Tally.of(wrong).served_percent, unit="%", at_most=MOST_WRONG)
    for name, some in grouped(right, category).items():
        bench.note(f"pairs, {name}", f"{Tally.of(some)}; vetoes {vetoes(some)}")
    bench.note("pairs, harmless", str(Tally.of(right)))
    bench.bar("pairs, harmless: served by plain", Tally.of(right).plain, at_least=FEWEST_SERVED)
    bench.bar("pairs, harmless: lost of plain", Tally.of(right).lost_percent, unit="%", at_most=MOST_LOST)


def category(verdict: Verdict) -> str:
    return verdict.group.partition(":")[0]


def note_asymmetry(bench: Bench, verdicts: Sequence[Verdict], guards: Guards) -> None:
    """Say how often it matters which of two questions was asked first."""
    served = [one for one in verdicts if one.plain]
    other = sum((guards.veto(one.b, one.a) is None) is not (one.veto is None) for one in served)
    bench.note("pairs: judged otherwise the other way round", f"{other:,} of {len(served):,}")


def print_failures(bench: Bench, verdicts: Sequence[Verdict]) -> None:
    """Print as many wrong and lost hits of each kind as `--examples` asks for; they are no part of the record."""
    failed = [one for one in verdicts if one.plain and one.guarded is not one.same]
    for name, some in grouped(failed, lambda one: one.group).items():
        for one in some[: bench.arguments.examples]:
            print(f"  {'lost' if one.same else 'wrong'}, {name}: {one.a!r} | {one.b!r} {one.cosine:.3f} {said(one)}")


def said(verdict: Verdict) -> str:
    return "" if verdict.veto is None else f"({verdict.veto[0]}: {verdict.veto[1]})"


# ---- pairs that others wrote -----------------------------------------------------------------------------------------


def rows_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def run_suites(bench: Bench, encoder: Any, guards: Guards) -> None:
    """Print each pair of two adversarial suites at .85; a question that is refused the tier is not served."""
    rows = [row for suite in SUITES for row in rows_of(bench.need_data(suite))]
    found = cosines(encoder, [(row["a"], row["b"]) for row in rows])
    verdicts = judge(labelled(rows, "category"), found.tolist(), LENIENT, guards)
    served = {True: 0, False: 0}
    for one in verdicts:
        refused = guards.refusal(one.a) or guards.refusal(one.b)
        served[one.same] += one.guarded and refused is None
        why = f"refused ({refused[0]})" if refused else f"veto {said(one)}" if one.veto else "served"
        verdict = why if one.plain else "below the threshold"
        print(f"  {'same' if one.same else 'other'} {one.cosine:.3f} {one.group}: {one.a!r} | {one.b!r}: {verdict}")
    for same, what, expected in ((False, "must miss", f"<= {SUITES_WRONG}"), (True, "same", f">= {SUITES_RIGHT}")):
        tally = Tally.of([one for one in verdicts if one.same is same])
        bench.note(
            f"suites, {what}: served", f"{served[same]} of {tally.pairs}, expected {expected}, plain {tally.plain}"
        )


def run_written(bench: Bench, encoder: Any, guards: Guards) -> None:
    """Print how the guards judge pairs that were written to find out what they miss, at .85 and whatever the cosine."""
    rows = [json.loads(line) for line in WRITTEN.read_text(encoding="utf-8").splitlines()]
    found = cosines(encoder, [(row["a"], row["b"]) for row in rows])
    for at, threshold in (("whatever the cosine", -1.0), (f"at {LENIENT}", LENIENT)):
        verdicts = judge(labelled(rows, "category"), found.tolist(), threshold, guards)
        for same, what in ((False, "must miss"), (True, "same")):
            some = [one for one in verdicts if one.same is same]
            bench.note(f"written pairs, {at}, {what}", str(Tally.of(some)))
            for name, part in grouped(some, lambda one: one.group).items() if threshold < 0 else ():
                bench.note(f"written pairs, {what}: {name}", f"guarded {Tally.of(part).guarded} of {len(part)}")
    print_failures(bench, verdicts)


def labelled(rows: Sequence[dict[str, Any]], group: str) -> list[tuple[str, bool, str, str]]:
    return [(row[group], bool(row["same"]), row["a"], row["b"]) for row in rows]


def run_checklist(bench: Bench, encoder: Any, guards: Guards) -> None:
    """Hold the guards at .95 on the behaviours of CheckList's suite for QQP."""
    rows = rows_of(bench.need_data(CHECKLIST))
    found = cosines(encoder, [(row["a"], row["b"]) for row in rows])
    verdicts = judge(labelled(rows, "test"), found.tolist(), USUAL, guards)
    for (name, some), same in ((item, item[1][0].same) for item in grouped(verdicts, lambda one: one.group).items()):
        bench.note(f"checklist, {'same' if same else 'other'}: {name}", f"{Tally.of(some)}; {vetoes(some, 2)}")
    hold_checklist(bench, verdicts)
    print_failures(bench, verdicts)


def hold_checklist(bench: Bench, verdicts: Sequence[Verdict]) -> None:
    wrong, right = (Tally.of([one for one in verdicts if one.same is same]) for same in (False, True))
    bench.note("checklist, must miss", f"{wrong}; plain {share(wrong.plain, wrong.pairs)} of all")
    bench.note("checklist, same", str(right))
    bench.bar("checklist, must miss: guarded of all", wrong.of_all_percent, unit="%", at_most=CHECKLIST_WRONG)
    bench.bar("checklist, same: lost of plain", right.lost_percent, unit="%", at_most=CHECKLIST_LOST)


def run_qqp(bench: Bench, _: Any, guards: Guards) -> None:
    """Hold the guards at .85 on the pairs of QQP."""
    path = bench.need_data(QUESTIONS)
    rows, vectors = rows_of(path), question_vectors(bench)
    place = {text: at for at, text in enumerate(distinct_questions(path))}
    sides = ([place[row[side]] for row in rows] for side in ("a", "b"))
    found = row_cosines(*(vectors[side] for side in sides))
    verdicts = judge([("QQP", bool(row["same"]), row["a"], row["b"]) for row in rows], found.tolist(), LENIENT, guards)
    hold_qqp(bench, verdicts)
    print_failures(bench, verdicts)


def hold_qqp(bench: Bench, verdicts: Sequence[Verdict]) -> None:
    wrong, right = ([one for one in verdicts if one.same is same] for same in (False, True))
    for what, some in (("wrong", wrong), ("right", right)):
        bench.note(f"qqp, {what}", f"{Tally.of(some)}; vetoes {vetoes(some)}")
    most = QQP_WRONG_OF_PLAIN * 100.0
    bench.bar("qqp, wrong: guarded of plain", Tally.of(wrong).served_percent, unit="%", at_most=most)
    bench.bar("qqp, right: lost of plain", Tally.of(right).lost_percent, unit="%", at_most=QQP_LOST)
